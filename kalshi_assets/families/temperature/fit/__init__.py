"""What the hazard knows of a station before the day begins, from earlier days only.

Here: the baseline, the parameters and their packaged priors, guidance turned into a distribution.
Not here: the day itself (`hazard`).
"""
