"""The distribution of the day's maximum under a residual model: exact, and by simulation.

Here: mathematics on arrays, compiled recursions. Not here: tables, times, fitting (`fit`).
"""
