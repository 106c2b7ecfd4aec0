"""Kalshi: signing, REST reads, wire decoding, the event contract, settlement, fees.

Here: everything that knows the exchange's wire format, and the one value per event (`contract`)
that everyone else reads instead. Not here: what a quote means for a probability (ladder), storage
(lake), decisions and orders' logic (trading), sockets held open (live).
"""
