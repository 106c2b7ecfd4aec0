"""Live sessions: the day's facts as they arrive, decisions, orders, their journal.

Not here: how a decision is made (`trading`), or the steps that turn facts into probabilities
(`pipeline`).
"""
