"""Studies: how good forecasts and fill models were on many days, with confidence intervals.

Here: the study of the weather hazard, the study of market, pool, calibration and classifiers, and
reference forecasts; virtual orders on recorded tapes. Not here: the forecasts themselves
(`families`, `ladder`, `pooling`), formulas (`statistics`), figures and pages (`pages`), reading
files or services.
"""
