"""How good forecasts were, against outcomes, with intervals.

Here: scores of PMFs over a ladder, day bootstraps, reliability, reference forecasts, and the study
of the weather hazard. Not here: the forecasts themselves (`weather`, `ladder`), pictures and pages
(`pages`), anything that reads a disk or a service.
"""
