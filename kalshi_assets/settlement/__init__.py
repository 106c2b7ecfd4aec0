"""Settlement: who settles an event, which statements are final, and when they were known.

Here: the rule, in one place. Not here: requests to the exchange or a publisher.
"""
