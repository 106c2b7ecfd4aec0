"""Columns of shown temperatures as the readings behind them."""

import polars as pl

from kalshi_assets.families.temperature.bulletins.intervals import decode

READING = pl.Struct({"kind": pl.String, "lo_f": pl.Int16, "hi_f": pl.Int16})


def decode_temp_f(temp_f: pl.Expr) -> pl.Expr:
    """`decode` over a column; null gives null fields."""
    return temp_f.map_elements(lambda f: decode(f)._asdict(), return_dtype=READING)
