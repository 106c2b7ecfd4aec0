"""Every table's step, declared once, and the runner that needs no Dagster.

`step` says what a step is. `market`, `beliefs` and `backtest` declare those that any family has,
`families.<name>.steps` those of one; `graph` puts them in order. Dagster's assets (`defs`), the
runner (`runner`), benchmarks, studies and the tests' chain are made from these declarations.
"""
