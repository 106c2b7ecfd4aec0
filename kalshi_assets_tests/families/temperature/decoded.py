"""Whole columns of displayed temperatures, decoded one by one."""

import polars as pl

from kalshi_assets.families.temperature.bulletins.intervals import decode

READING = pl.Struct({"kind": pl.String, "lo_f": pl.Int16, "hi_f": pl.Int16})


def decode_temp_f(temp_f: pl.Expr) -> pl.Expr:
    """`decode` over a column of Float64: a struct of ``kind``, ``lo_f`` and ``hi_f``."""
    return temp_f.map_batches(_decoded, return_dtype=READING)


def _decoded(values: pl.Series) -> pl.Series:
    read = [None if value is None else decode(value) for value in values.to_list()]
    rows = [None if r is None else {"kind": r.kind, "lo_f": r.lo_f, "hi_f": r.hi_f} for r in read]
    return pl.Series(values.name, rows, dtype=READING)
