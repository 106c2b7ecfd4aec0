"""What is learnt from settled days: classifiers of the next minutes, calibrators of PMFs.

Here: fitting them to earlier days, and applying what was fitted. Not here: features and labels
(`features`), the PMFs themselves (`ladder`, `weather`), how good they were (`verification`),
decisions (`trading`), where anything is stored.
"""
