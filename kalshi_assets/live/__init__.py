"""Live sessions: the feed and its books, the journal, the order gateway, reconciliation, safety.

Not here: decisions (trading), the exchange's wire (exchange), Dagster (defs).
"""
