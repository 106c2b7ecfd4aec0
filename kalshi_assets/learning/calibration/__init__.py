"""Calibration of pooled PMFs by maps that proved themselves on earlier days.

Here: the maps, how one is chosen, the tables of calibrators and calibrated PMFs. Not here: pooling
(`pooling`), scores of the result (`studies`).
"""
