"""Settlement: who settles an event, which of their words are final, and when they were known.

Here: the rule, said once. Not here: asking the exchange or a publisher.
"""
