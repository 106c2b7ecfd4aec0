"""Scores, intervals, tests and reliability: one function for each.

Here: arithmetic on arrays of forecasts and outcomes. Not here: selecting the days to compare
(`studies`).
"""
