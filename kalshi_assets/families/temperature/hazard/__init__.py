"""The weather's bracket probabilities during a day: `probability.hazard_pmf`.

Here: the methods, applied to a day's reports in the order in which they became known. Not here: the
filter (`filter`), fitting parameters (`fit`).
"""
