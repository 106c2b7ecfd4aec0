"""From pooled PMFs to calibrated ones, by maps that earlier days have proved.

Here: the maps, how one is chosen, the tables of calibrators and calibrated PMFs. Not here: pooling
(`ladder`), scores of the result (`verification`).
"""
