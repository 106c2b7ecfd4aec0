"""From quotes and trades to the minute panel: a dense grid of what was known at every minute.

Here: quotes, kinematics, flow, coupling, and the join of the weather as of the minute. Not here:
probabilities (`ladder`), decisions (`trading`), where anything is stored.
"""
