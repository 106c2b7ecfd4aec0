"""Ladders: the legs of an event over one settlement value, and their probabilities.

Here: legs and brackets, atoms, market-implied PMFs and threshold curves, the value of positions.
Not here: what the value measures (weather, an index), where quotes come from, or what to trade.
"""
