"""Decoding reports: text formats, and the whole degrees that a rounded value may stand for.

Here: intervals of rounded values, METAR, ASOS lines, climate bulletins, copies of earlier reports.
Not here: fetching reports (`sources`), when they were known (`asof`).
"""
