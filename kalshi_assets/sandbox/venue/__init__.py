"""The exchange that accepts orders: books, matching, one account, streams.

Here: everything behind the order endpoints and the WebSocket, driven by a simulated clock. Not
here: serving recordings read-only (the modules beside this folder).
"""
