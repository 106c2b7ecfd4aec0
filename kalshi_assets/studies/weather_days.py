"""One day of the weather study: the forecasts of all methods at fixed hours, and the outcome.

Here: `StudyDay`, the frames of one climate day, and `evaluated`, its evaluation. Not here:
reference forecasts (`references`), scores (`scoring`), many days (`weather_study`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.asof import weather_as_of
from kalshi_assets.families.temperature.authorities import official_maximum
from kalshi_assets.families.temperature.evidence import temperatures
from kalshi_assets.families.temperature.fit.parameters import HazardParameters
from kalshi_assets.families.temperature.hazard.method import BLOCKS, HazardMethod
from kalshi_assets.families.temperature.hazard.pmf import hazard_pmf
from kalshi_assets.families.temperature.providers import one_report_each
from kalshi_assets.families.temperature.station_days import StationDays
from kalshi_assets.ladder.terms import terms_at
from kalshi_assets.settlement.rule import settled_by
from kalshi_assets.studies.references import climatology, maxima_around, persistence
from kalshi_assets.studies.scoring import FORECASTS
from kalshi_assets.tables import FORECASTS as EMPTY_FORECASTS

IN_FORCE, EXACT, ANALOGUE = "mixed", "exact", "analogue"
"""Compared hazard methods: the one configured in methods.toml, and its two parts alone."""

HOURS = (7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19)
HAZARD_HOURS = tuple(range(5, 22))
MIN_HOUR_REPORTS = 9
FULL_COVERAGE = 0.9
"""Days with reports in fewer slots are not used to count peaks between reports."""

NEW_HIGHS = pl.Schema(
    {
        "date": pl.Date(),
        "method": pl.String(),
        "lst_hour": pl.Int8(),
        "probability": pl.Float64(),
        "new_high": pl.Boolean(),
        "proved": pl.Boolean(),
    }
)
"""A row per day, method and hour with complete reports: hazard, and whether there was a new high.

`proved`: even by the lower bounds of the reports."""

MISSED_PEAKS = pl.Schema(
    {
        "date": pl.Date(),
        "official_f": pl.Int16(),
        "reported_lo_f": pl.Int16(),
        "reported_hi_f": pl.Int16(),
        "missed_peak": pl.List(pl.Float64()),
    }
)
"""A row per day with reports in 90 % of its slots; `missed_peak` is as known on that morning."""


@dataclass(frozen=True, kw_only=True)
class StudyDay:
    """The frames of one city and climate day.

    The frames are those of the tables of these names; `events` may be synthetic. `earlier` and
    `earlier_settlements` hold the start of the climate day and the observations or settlements of
    the look-back, oldest first; `maxima` official maxima (date, tmax_f), of which years from the
    day's own on are ignored; `market` `probability.market_pmf`, if recorded.
    """

    date: date
    events: pl.DataFrame
    observations: pl.DataFrame
    forecasts: pl.DataFrame
    settlements: pl.DataFrame
    mc_params: pl.DataFrame
    earlier: Sequence[tuple[datetime, pl.DataFrame]]
    earlier_settlements: Sequence[tuple[datetime, pl.DataFrame]]
    maxima: pl.DataFrame
    market: pl.DataFrame | None = None

    @cached_property
    def start(self) -> datetime:
        """First instant of the climate day."""
        return self.events["day_start"][0]

    @cached_property
    def upper(self) -> list[int]:
        """Greatest whole degree of every bracket but the last."""
        return terms_at(self.events).sort("bracket")["hi"].drop_nulls().to_list()

    @cached_property
    def winner(self) -> int | None:
        """Position of the bracket that paid; None: not settled."""
        found = settled_by(self.settlements, self.events)
        return None if found is None else found.winner


@dataclass(frozen=True, kw_only=True)
class DayEvaluation:
    """The results of one day: frames of `scoring.FORECASTS`, `NEW_HIGHS` and `MISSED_PEAKS`.

    Attributes
    ----------
    left_out
        Why the day is excluded; None: it is scored.
    recorded
        Whether the ladder and its market were recorded.
    market_valid
        Number of hours at which `market_pmf` was valid; None: no market.
    in_tail
        Whether one of the two tails paid.
    withheld
        Number of hours at which the configured hazard had no PMF, by its status.
    """

    date: date
    left_out: str | None = None
    recorded: bool = False
    forecasts: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FORECASTS))
    new_highs: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NEW_HIGHS))
    missed_peak: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MISSED_PEAKS))
    market_valid: int | None = None
    in_tail: bool = False
    withheld: Mapping[str, int] = field(default_factory=dict)


def evaluated(day: StudyDay, in_force: HazardMethod) -> DayEvaluation:
    """Evaluate all methods' forecasts for one day; `in_force` is the configured hazard method.

    A day is excluded, with the reason, if it is not settled, if fewer than three quarters of its
    slots have reports (gaps of up to an hour do not count), or if a method has no PMF at any hour
    because there are too few earlier days.
    """
    if day.winner is None:
        return DayEvaluation(date=day.date, left_out="no official maximum")
    reported = _reported(day)
    if np.isnan(reported.mid_f).all():
        return DayEvaluation(date=day.date, left_out="no reports")
    if not reported.usable().all():
        return DayEvaluation(date=day.date, left_out="too few reports")
    methods = {
        IN_FORCE: in_force,
        EXACT: replace(in_force, method="exact", analogue_share=(0.0,) * BLOCKS),
        ANALOGUE: replace(in_force, method="analogue"),
    }
    hazards = {name: _hazard(day, name, method) for name, method in methods.items()}
    pmfs = {
        **{method: _at_hours(day, frame, "p_wx") for method, frame in hazards.items()},
        **_references(day),
    }
    if any(not known for known in pmfs.values()):
        return DayEvaluation(date=day.date, left_out="too few earlier days")
    valid = None
    if day.market is not None:
        pmfs["market"] = _at_hours(day, day.market, "p_mkt")
        at_hours = _minutes(day.start, HOURS).join(day.market, on="minute")
        valid = at_hours.filter("valid")["minute"].n_unique()
    return DayEvaluation(
        date=day.date,
        recorded=day.market is not None,
        forecasts=_forecast_rows(day, pmfs),
        new_highs=_new_highs(day, hazards),
        missed_peak=_missed_peak(day),
        market_valid=valid,
        in_tail=day.winner in (0, len(day.upper)),
        withheld=_withheld(day, hazards[IN_FORCE]),
    )


def _hazard(day: StudyDay, name: str, method: HazardMethod) -> pl.DataFrame:
    """`probability.hazard_pmf`; the exact method is null where it would use the analogue's PMF."""
    found = hazard_pmf(
        day.events, day.observations, day.forecasts, day.earlier, day.mc_params, method
    )
    own = pl.when((pl.col("analogue_share") == 0) | (name != EXACT))
    return found.with_columns(own.then(c).alias(c) for c in ("p_wx", "hazard_next_60m"))


def _reported(day: StudyDay) -> StationDays:
    after = day.start.replace(year=day.start.year + 1)
    return StationDays.of([(day.start, day.observations)], known_by=after)


def _at_hours(day: StudyDay, pmf: pl.DataFrame, column: str) -> dict[int, list[float]]:
    rows = (
        _minutes(day.start, HOURS)
        .join(pmf.select("minute", "bracket", p=column), on="minute")
        .drop_nulls("p")
        .sort("lst_hour", "bracket")
        .group_by("lst_hour", maintain_order=True)
        .agg("p")
        .filter(pl.col("p").list.len() == day.events.height)
    )
    return dict(rows.iter_rows())


def _withheld(day: StudyDay, hazard: pl.DataFrame) -> dict[str, int]:
    rows = _minutes(day.start, HOURS).join(hazard.filter(pl.col("bracket") == 0), on="minute")
    return dict(rows.filter(pl.col("p_wx").is_null())["status"].value_counts().iter_rows())


def _references(day: StudyDay) -> dict[str, dict[int, list[float]]]:
    usual = climatology(maxima_around(day.maxima, day.date), day.upper)
    so_far = _running_max(day.start, day.observations)
    official = _official_known(day)
    before = [
        (official[start], _running_max(start, frame, known_by=day.start))
        for start, frame in day.earlier
        if start in official
    ]
    persisted = {}
    for hour, degree in so_far.items():
        rises = [maximum - found[hour] for maximum, found in before if hour in found]
        p = persistence(degree, np.array(rises, dtype=np.int64), day.upper)
        if p is not None:
            persisted[hour] = p.tolist()
    always = {} if usual is None else dict.fromkeys(HOURS, usual.tolist())
    return {"climatology": always, "persistence": persisted}


def _minutes(start: datetime, hours: Sequence[int]) -> pl.DataFrame:
    """Columns lst_hour and minute: the instants of full hours in local standard time."""
    first = pl.lit(start).cast(pl.Datetime("us", "UTC"))
    rows = pl.DataFrame({"lst_hour": hours}, schema={"lst_hour": pl.Int8})
    return rows.with_columns(minute=first + pl.duration(hours="lst_hour"))


def _running_max(
    start: datetime, observations: pl.DataFrame, known_by: datetime | None = None
) -> dict[int, int]:
    """Lower bound of the maximum so far, as known at each hour of a day."""
    hours = _minutes(start, HOURS)
    if known_by is not None:
        observations = observations.filter(pl.col("known_at") <= known_by)
    asof = weather_as_of(
        hours.select("minute"), observations, EMPTY_FORECASTS.empty(), start
    ).filter(pl.col("weather_status") == "ok")
    rows = hours.join(asof, on="minute").select("lst_hour", "running_max_lo_f")
    return dict(rows.iter_rows())


def _official_known(day: StudyDay) -> dict[datetime, int]:
    """Official maxima of earlier days known when the day began, by start of the climate day."""
    found = {}
    for start, settlements in day.earlier_settlements:
        said = official_maximum(settlements, start.date(), known_by=day.start)
        if said is not None:
            found[start] = said[0]
    return found


def _forecast_rows(day: StudyDay, pmfs: Mapping[str, Mapping[int, list[float]]]) -> pl.DataFrame:
    rows = [
        {"date": day.date, "method": method, "lst_hour": hour, "p": p, "winner": day.winner}
        for method, by_hour in pmfs.items()
        for hour, p in by_hour.items()
    ]
    return pl.DataFrame(rows, schema=FORECASTS)


def _new_highs(day: StudyDay, hazards: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Hazards at full hours, and whether a report of the next hour exceeded all earlier ones."""
    minutes = _minutes(day.start, HAZARD_HOURS)
    asof = weather_as_of(
        minutes.select("minute"), day.observations, EMPTY_FORECASTS.empty(), day.start
    ).select("minute", "running_max_hi_f")
    reports = temperatures(one_report_each(day.observations)).select("event_time", "lo_f", "hi_f")
    windows = (
        minutes.join(asof, on="minute")
        .join(reports, how="cross")
        .filter(
            pl.col("event_time") > pl.col("minute"),
            pl.col("event_time") <= pl.col("minute") + pl.duration(hours=1),
        )
        .group_by("lst_hour", "minute", "running_max_hi_f")
        .agg(pl.len().alias("reports"), pl.col("lo_f", "hi_f").max())
        .filter(pl.col("reports") >= MIN_HOUR_REPORTS)
    )
    frames = [pl.DataFrame(schema=NEW_HIGHS)]
    for method, hazard in hazards.items():
        told = hazard.filter(pl.col("bracket") == 0).select("minute", probability="hazard_next_60m")
        frames.append(
            windows.join(told, on="minute")
            .drop_nulls("probability")
            .select(
                date=pl.lit(day.date),
                method=pl.lit(method),
                lst_hour="lst_hour",
                probability="probability",
                new_high=pl.col("hi_f") > pl.col("running_max_hi_f"),
                proved=pl.col("lo_f") > pl.col("running_max_hi_f"),
            )
            .sort("lst_hour")
        )
    return pl.concat(frames)


def _missed_peak(day: StudyDay) -> pl.DataFrame:
    reported = _reported(day)
    official = official_maximum(
        day.settlements.filter(pl.col("source").str.starts_with("climate")), day.date
    )
    coverage = float((~np.isnan(reported.mid_f)).mean())
    if coverage < FULL_COVERAGE or official is None:
        return pl.DataFrame(schema=MISSED_PEAKS)
    lo, hi = reported.highest()
    shares = HazardParameters.from_frame(day.mc_params)["missed_peak"]
    row = {
        "date": day.date,
        "official_f": official[0],
        "reported_lo_f": int(lo[0]),
        "reported_hi_f": int(hi[0]),
        "missed_peak": (shares / shares.sum()).tolist(),
    }
    return pl.DataFrame([row], schema=MISSED_PEAKS)
