"""Trading: from a panel with probabilities to orders, fills and money.

Here: signals, the step that decides, limits on risk, fill models, the ledger, and the engine that
drives a day. The step is the same in backtest, shadow and live; only the fills differ. Not here:
where probabilities or quotes come from, what a ladder's value measures (weather, an index), the
exchange's client, Dagster.
"""
