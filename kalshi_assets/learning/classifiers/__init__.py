"""Classifiers: moves of the mid in the next minutes, the leading bracket, the one that pays.

Every target has a baseline without features (a base rate, the leader's persistence, the market),
and boosted trees on top of it that come into force only if they beat it on later days. Here: the
walk-forward schedule, the fits and their storage, predictions, their scores and drift. Not here:
features and labels (`features`), intervals over days (`statistics`).
"""
