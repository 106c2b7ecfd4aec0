"""Dagster: assets, checks, jobs, schedules, a sensor, resources, IO manager, event log.

An asset reads partitions, calls a step's pure function, writes its partitions and returns what it
wrote. Not here: computations, HTTP, file paths.
"""

import warnings

# Jobs mix ingest assets, which backfill thirty partitions per run, with derived ones, which
# backfill a whole range in one run; a job's own backfill uses the smaller number, as intended.
warnings.filterwarnings("ignore", message="Asset job .* materializes assets with varying Backfill")
