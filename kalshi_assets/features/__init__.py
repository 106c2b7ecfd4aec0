"""From quotes and trades to the minute panel: a dense grid of what was known at every minute.

Here: quotes, kinematics, flow, coupling, spreads, what is usual, regimes, the join of the weather
as of the minute, what models see of it, and the labels they learn from. Not here: probabilities
(`ladder`), models (`learning`), decisions (`trading`), where anything is stored.
"""
