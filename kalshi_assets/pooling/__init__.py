"""Pools: from two PMFs over one ladder, the market's and the weather's, to one.

Here: what a pool sees, the pools themselves, how far one may move from the market. A pool is
fitted on earlier days (`protocol`). The log-linear one is in force; the others are there to be
compared with it. Not here: tables of a city-day (`pooling`), or where the weather's PMF is from.
"""
