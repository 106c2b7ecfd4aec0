"""Models fitted to settled days: classifiers of the next minutes, calibrators of PMFs.

Here: fits to earlier days, and their application. Not here: features and labels (`features`), the
PMFs themselves (`ladder`, `pooling`, `families`), studies of their scores (`studies`), decisions
(`trading`), where anything is stored.
"""
