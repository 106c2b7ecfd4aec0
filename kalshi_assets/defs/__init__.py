"""Everything Dagster: thin assets, checks, jobs, schedules, sensors, resources; a folder a stage.

An asset reads partitions, calls a pure function of another room and returns what it made; the IO
manager writes. No formulas, no HTTP, no file paths here.
"""

import warnings

# Jobs mix ingest assets, which backfill thirty partitions a run, with derived ones, which take a
# whole line; a job's own backfill then takes the smaller of the two, as it should.
warnings.filterwarnings("ignore", message="Asset job .* materializes assets with varying Backfill")
