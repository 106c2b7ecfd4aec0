"""The services that the weather comes from, one module each, on a common frame.

Here: what is asked, how an answer is told from a fault, rows as the tables want them. Not here:
what a report means (`reports`).
"""
