"""The lake: one Parquet file per partition, a DuckDB catalogue of views, raw answers by content.

Here: where bytes lie and how they get there without ever being half there. Not here: what a
column means (`tables`) or when anything is computed (`defs`).
"""
