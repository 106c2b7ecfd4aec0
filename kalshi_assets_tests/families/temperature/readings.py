"""Single values decoded by the expression for columns."""

import polars as pl

from kalshi_assets.families.temperature.bulletins.intervals import Reading, decode_temp_f


def decoded(values: list[float | None]) -> list[tuple[str | None, int | None, int | None]]:
    frame = pl.DataFrame({"t": values}, schema={"t": pl.Float64})
    return frame.select(decode_temp_f(pl.col("t")).alias("r")).unnest("r").rows()


def decode(shown_f: float) -> Reading:
    return Reading(*decoded([shown_f])[0])  # type: ignore[arg-type]
