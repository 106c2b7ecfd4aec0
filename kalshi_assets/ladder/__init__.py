"""Ladders: an event's ordered brackets over one whole number, and probabilities over them.

Here: brackets, market-implied PMFs, pooling, scores. Not here: what the number is (weather, an
index), where quotes come from, or what to trade.
"""
