"""The pool: one PMF over a ladder from two, the market's and a model's.

Here: the inputs of the pool, the pool itself, which is log-linear and fitted on earlier days, and
how far it may move from the market. Not here: the model's PMF.
"""
