"""Implementation of the commands: backfill, demo, UI, doctor, studies.

Here: connecting the rooms for use at a terminal; apart from tests and benchmarks, only commands
start a sandbox. Not here: argument parsing (`cli`), formulas, anything that schedules do too.
"""
