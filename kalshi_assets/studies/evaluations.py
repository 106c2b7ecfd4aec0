"""One city-day of the market study: the PMFs of all sources at full hours, and slice labels.

Here: converting frames of the lake to one schema, and labelling instants. Not here: scores
(`scoreboard`), the PMFs themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl

from kalshi_assets.families.temperature.fit.priors import SEASONS

EVALUATIONS = pl.Schema(
    {
        "city": pl.String(),
        "date": pl.Date(),
        "lst_hour": pl.Int8(),
        "source": pl.String(),
        "p": pl.List(pl.Float64()),
        "winner": pl.Int8(),
        "hazard_next_60m": pl.Float64(),
        "regime": pl.String(),
        "minutes_to_close": pl.Int32(),
    }
)
"""A row per city-day, full hour and source with a PMF (`p`, coldest bracket first).

`lst_hour` counts from the start of the climate day and is negative on the eve."""

PMF = pl.Schema({"minute": pl.Datetime("us", "UTC"), "bracket": pl.Int8(), "p": pl.Float64()})
"""A source's PMFs for an event; p is null if the source has none."""

HOURS = pl.Schema(
    {
        "minute": pl.Datetime("us", "UTC"),
        "hazard_next_60m": pl.Float64(),
        "regime": pl.String(),
        "minutes_to_close": pl.Int32(),
    }
)
"""Properties of an instant that do not depend on the source; null means unknown."""

EVE, NIGHT, DAY_END = -24, 0, 24
# The market opens on the eve; the maximum usually occurs between 12 and 18.
TIMES_OF_DAY = ((EVE, "eve"), (NIGHT, "00-06"), (6, "06-09"), (9, "09-12"), (12, "12-15"),
                (15, "15-18"), (18, "18-24"))  # fmt: skip
LEADS = ((0, "0-1 h"), (60, "1-3 h"), (180, "3-6 h"), (360, "6-12 h"), (720, "12-24 h"),
         (1440, "over 24 h"))  # fmt: skip
# Below 0.05 a new high is unlikely; above 0.5 the temperature is still rising.
HAZARDS = ((0.0, "low"), (0.05, "mid"), (0.5, "high"))
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class MarketDay:
    """The frames of one settled city-day.

    Attributes
    ----------
    day_start
        First instant of the climate day, UTC.
    winner
        Position of the bracket that paid.
    sources
        PMFs by source, schema `PMF`; further columns are ignored.
    hours
        Schema `HOURS`, a row per instant; everything is unknown for missing instants.
    """

    city: str
    date: date
    day_start: datetime
    winner: int
    sources: Mapping[str, pl.DataFrame]
    hours: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HOURS))


def known_hours(panel: pl.DataFrame) -> pl.DataFrame:
    """Schema `HOURS`, from the bracket with the greatest p_mkt (the coldest of equals) per minute.

    The choice matters for the regime, which differs between brackets. `panel` is
    `panel.minute_panel_full` of one event, or its columns bracket, p_mkt and those of `HOURS`.
    """
    return (
        panel.sort("minute", "p_mkt", "bracket", descending=[False, True, False])
        .unique("minute", keep="first", maintain_order=True)
        .select(HOURS.names())
    )


def evaluations(day: MarketDay) -> pl.DataFrame:
    """All sources' PMFs at the full hours of the eve and the climate day: schema `EVALUATIONS`.

    Hours at which a source lacks the probability of a bracket are omitted for that source.

    Raises
    ------
    ValueError
        A PMF does not sum to one, or has no bracket at the winner's position; the message names
        the source.
    """
    hours = pl.DataFrame({"lst_hour": pl.Series(range(EVE, DAY_END), dtype=pl.Int8)}).with_columns(
        minute=pl.lit(day.day_start).cast(PMF["minute"]) + pl.duration(hours=pl.col("lst_hour"))
    )
    frames = [pl.DataFrame(schema=EVALUATIONS)]
    for source, pmf in day.sources.items():
        found = (
            hours.join(pmf.select(PMF.names()), on="minute")
            .sort("lst_hour", "bracket")
            .group_by("lst_hour", "minute", maintain_order=True)
            .agg("p")
            .filter(~pl.col("p").list.eval(pl.element().is_null()).list.any())
        )
        _check(day, source, found)
        frames.append(
            found.join(day.hours.select(HOURS.names()), on="minute", how="left")
            .with_columns(
                city=pl.lit(day.city),
                date=pl.lit(day.date),
                source=pl.lit(source),
                winner=pl.lit(day.winner, dtype=pl.Int8),
            )
            .select(EVALUATIONS.names())
        )
    return pl.concat(frames)


def _check(day: MarketDay, source: str, found: pl.DataFrame) -> None:
    where = f"{day.city} {day.date}, source {source}"
    wrong = found.filter((pl.col("p").list.sum() - 1).abs() > 1e-6)
    if wrong.height:
        at, p = wrong.select("minute", "p").row(0)
        raise ValueError(f"{where}: the PMF at {at} sums to {sum(p)} instead of 1: {p}")
    short = found.filter(pl.col("p").list.len() <= day.winner)
    if short.height:
        raise ValueError(
            f"{where}: bracket {day.winner} paid, but the PMF at {short['minute'][0]} has only "
            f"{short['p'].list.len()[0]} brackets"
        )


def sliced(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the slice labels, a column per kind of slice.

    `rows` has the columns of `EVALUATIONS` except source and p.
    """
    hour = pl.col("lst_hour")
    season = pl.col("date").dt.month() % 12 // 3
    return rows.with_columns(
        all=pl.lit("all"),
        season=season.cast(pl.Int64).replace_strict(dict(enumerate(SEASONS))),
        city_hour=pl.concat_str("city", hour.cast(pl.String).str.zfill(2), separator=" "),
        time_of_day=_labelled(hour, TIMES_OF_DAY),
        hazard=_labelled(pl.col("hazard_next_60m"), HAZARDS),
        regime=pl.col("regime").fill_null(UNKNOWN),
        lead=_labelled(pl.col("minutes_to_close"), LEADS),
        lst_hour=hour.cast(pl.String).str.zfill(2),
    )


def _labelled(value: pl.Expr, floors: tuple[tuple[float, str], ...]) -> pl.Expr:
    label = pl.lit(UNKNOWN)
    for floor, name in floors:
        label = pl.when(value >= floor).then(pl.lit(name)).otherwise(label)
    return label
