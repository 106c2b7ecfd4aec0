"""The exchange's stream: its connection, order books in integers, recordings and what is in them.

Not here: decoding a frame (`exchange.wire_stream`), orders and sessions (`live`).
"""
