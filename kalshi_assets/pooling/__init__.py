"""The pool: from two PMFs over one ladder, the market's and the weather's, to one.

Here: what the pool sees, the pool itself, which is log-linear and fitted on earlier days, and how
far it may move from the market. Not here: where the weather's PMF is from.
"""
