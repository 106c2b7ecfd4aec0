"""Stage `probability`: what the market says, what the weather says, and the two pooled."""
