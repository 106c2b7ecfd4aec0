"""Everything Dagster: thin assets, checks, jobs, schedules, sensors, resources; a folder a stage.

An asset reads partitions, calls a pure function of another room and returns what it made; the IO
manager writes. No formulas, no HTTP, no file paths here.
"""
