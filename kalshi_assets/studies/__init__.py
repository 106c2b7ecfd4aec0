"""Studies: how good forecasts were on many days, with confidence intervals.

Here: the study of the weather hazard, the study of market, pool, calibration and classifiers, and
reference forecasts. Not here: the forecasts themselves (`families`, `ladder`, `pooling`), formulas
(`statistics`), figures and pages (`pages`), reading files or services.
"""
