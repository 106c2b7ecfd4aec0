"""Ladders: an event's legs over one whole number, and probabilities over them.

Here: legs and brackets, atoms, market-implied PMFs and threshold curves, what positions are worth.
Not here: what the number is (weather, an index), where quotes come from, or what to trade.
"""
