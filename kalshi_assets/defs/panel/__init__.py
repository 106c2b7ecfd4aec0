"""Stage `panel`: one row per bracket and minute, everything as it was known at that minute."""
