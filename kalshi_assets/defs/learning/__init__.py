"""Stage `learning`: what is fitted on settled days, and what it says of a new one."""
