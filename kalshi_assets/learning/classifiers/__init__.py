"""Classifiers of the next minutes: does the mid move, and which way; who leads; who is paid.

Every target has a baseline that knows no features (a base rate, the leader's persistence, the
market), and boosted trees on top of it that come into force only if they beat it on later days.
Here: the walk-forward schedule, the fits and where they are kept, predictions, their scores and
drift. Not here: features and labels (`features`), intervals over days (`verification`).
"""
