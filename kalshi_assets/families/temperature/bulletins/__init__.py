"""Decoding reports: the whole degrees that a rounded value may stand for, and faulty values.

Here: intervals of rounded values, copies of earlier reports, implausible values. Not here: fetching
reports (`sources`), when they were known (`asof`).
"""
