"""From quotes and trades to the minute panel: a dense grid of what was known at every minute.

Here: quotes, kinematics, flow, coupling, spreads, activity by hour, the features of models and the
labels that they are fitted to. Not here: probabilities (`ladder`), models (`learning`), decisions
(`trading`), where anything is stored.
"""
