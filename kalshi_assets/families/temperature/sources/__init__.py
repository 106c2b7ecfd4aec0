"""The weather services, one module each, with a common client.

Here: requests, detection of errors, and conversion to rows of the tables. Not here: the
interpretation of a report (`bulletins`).
"""
