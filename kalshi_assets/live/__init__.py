"""Live sessions: what the exchange says while it says it, and what a session says to it.

Here: the feed, order books, recordings, journal and gateway of a session. Not here: decoding
(`exchange`), computations shared with batch runs (`features`, `trading`), commands.
"""
