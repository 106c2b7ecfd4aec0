"""The weather's bracket probabilities through a day, as `probability.hazard_pmf`.

Here: the methods over one day's reports in the order in which they became known. Not here: the
filter's mathematics (`filter`), the fit (`fit`).
"""
