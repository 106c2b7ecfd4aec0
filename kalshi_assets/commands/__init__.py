"""What the commands do: backfill, demo, UI, doctor, benchmarks.

Here: wiring of rooms for somebody at a terminal, and the only place besides tests that starts a
sandbox. Not here: parsing of arguments (`cli`), formulas, anything a schedule also does.
"""
