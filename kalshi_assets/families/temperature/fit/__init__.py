"""Fits of the hazard to a station's earlier days.

Here: the baseline, the parameters and their packaged priors, the distribution by guidance. Not
here: the current day (`hazard`).
"""
