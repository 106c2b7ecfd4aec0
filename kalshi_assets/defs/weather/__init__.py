"""Stage `weather`: what the settlement station measured, what was forecast, what settled."""
