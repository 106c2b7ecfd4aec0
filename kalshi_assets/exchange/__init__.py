"""Kalshi: signing, REST reads, wire decoding, the event contract, settlement, fees.

Here: everything that depends on the exchange's wire format, and the event contract (`contract`)
that the other rooms read instead. Not here: probabilities from quotes (ladder), storage (lake),
trading decisions and order logic (trading), open WebSocket connections (live).
"""
