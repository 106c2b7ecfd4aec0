"""What the backtests of many days come to: sums by SQL, measures of them, whether they mean much.

Here: questions to the catalogue and what follows from the answers. Not here: a single day
(`trading`), pages and pictures (`pages`).
"""
