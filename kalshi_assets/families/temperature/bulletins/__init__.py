"""What a report says: the whole degrees it may stand for, and the texts it comes in.

Here: intervals of rounded values, METAR, ASOS lines, climate bulletins, copies of earlier reports.
Not here: where reports come from (`sources`), when they were known (`asof`).
"""
