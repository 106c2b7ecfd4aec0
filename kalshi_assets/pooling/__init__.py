"""The pool: from two PMFs over one ladder, the market's and a model's, to one.

Here: what the pool sees, the pool itself, which is log-linear and fitted on earlier days, and how
far it may move from the market. Not here: where the model's PMF is from.
"""
