"""The step of every table, declared once, and a runner without Dagster.

`step` defines what a step is. `market`, `beliefs` and `backtest` declare the steps that every
family has, `families.<name>.steps` those of one family; `graph` orders them. Dagster's assets
(`defs`), the runner (`runner`), benchmarks, studies and the tests' chain are derived from these
declarations. Not here: the computations themselves.
"""
