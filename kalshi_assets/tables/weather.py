"""Tables of schema `weather`: what the settlement station and its publishers say."""

import polars as pl

from kalshi_assets.tables.contract import Contract, Table, UtcTime, column
from kalshi_assets.tables.settlement import Settlements


class Observations(Contract):
    """Reports of the settlement station within the climate day, each as an interval.

    A report shows a rounded temperature; `lo_f`..`hi_f` are the whole degrees it may stand for.
    Rows with a `max_since` give the maximum since then; they are no temperatures. Providers may
    report the same instant and kind: the row known first counts, of equal ones the first by name.
    """

    event_time: UtcTime = column("When the station measured; the end of a maximum's window.")
    known_at: UtcTime = column("When the report could first be read.")
    max_since: UtcTime = column(
        "Start of the window whose maximum the row gives; null: a temperature at event_time.",
        nullable=True,
    )
    station: pl.String = column("ICAO identifier.")
    temp_f: pl.Float64 = column(
        "Temperature, or maximum of the window, as displayed.", unit="f", ge=-80, le=140
    )
    kind: pl.String = column(
        "How the value was rounded before it was shown (whole_c, tgroup; interp: unknown); filled: "
        "a copy of an earlier report, counts as missing; max_6h, max_so_far: exact maximum of the "
        "window.",
        isin=["whole_c", "tgroup", "interp", "filled", "max_6h", "max_so_far"],
    )
    lo_f: pl.Int16 = column("Least whole degree it may stand for.", unit="f")
    hi_f: pl.Int16 = column("Greatest whole degree it may stand for.", unit="f")
    source: pl.String = column("The provider's word for the origin of the row.")
    raw_sha256: pl.String = column("Content hash of the answer that the row rests on.")


class Forecasts(Contract):
    """Forecasts for the climate day, as issued.

    Where providers forecast the same from the same basis, the row known first counts, of equal
    ones the first by name.
    """

    event_time: UtcTime = column("The basis: when the forecast was issued.")
    known_at: UtcTime = column("When it could first be read.")
    station: pl.String = column("ICAO identifier.")
    variable: pl.String = column(
        "tmax: of the civil day; temp: at valid_time.", isin=["tmax", "temp"]
    )
    valid_time: UtcTime = column("The instant forecast; the climate day's start for tmax.")
    value_f: pl.Float64 = column("The forecast.", unit="f", ge=-80, le=140)
    source: pl.String = column("The provider's word for the origin of the row.")
    raw_sha256: pl.String = column("Content hash of the answer that the row rests on.")


class Dropped(Contract):
    """Values that a provider sent for the climate day and that were left out, with the reason.

    Made beside the table whose name it carries, in the same step; no model reads it.
    """

    event_time: UtcTime = column("When the station measured, or the basis of the forecast.")
    known_at: UtcTime = column("When it could first be read.")
    station: pl.String = column("ICAO identifier.")
    variable: pl.String = column("What it claims to be.", isin=["temp", "tmax"])
    valid_time: UtcTime = column("The instant it speaks for; the climate day's start for tmax.")
    value_f: pl.Float64 = column("The value as sent.", unit="f")
    reason: pl.String = column(
        "beyond_range: outside the station's climatological range of the season, widened by 30 f; "
        "jump: 50 f from the report before, with the next one back; zero: 0.0 filled in where "
        "there is no forecast; below_hours: a maximum below the hours of the same answer; "
        "no_forecast: of other origin, in an answer that forecasts nothing.",
        isin=["beyond_range", "jump", "zero", "below_hours", "no_forecast"],
    )
    source: pl.String = column("The provider's word for the origin of the row.")
    raw_sha256: pl.String = column("Content hash of the answer that the row rests on.")


class DroppedObservations(Dropped):
    """Reports of the climate day that were left out of `weather.observations`, with the reason.

    Made in the same step; no model reads it.
    """


class DroppedForecasts(Dropped):
    """Values that were left out of `weather.forecasts`, with the reason.

    Made in the same step; no model reads it.
    """


class TemperatureSettlements(Settlements):
    """The climate day's maximum, a row per source, status and issue; disagreement stays visible.

    Only rows that are final in their source's eyes settle: official, or the exchange's result. Of
    several issues of one source and status the first settles. A source that was asked and could
    not be read has a row of status failed, which says why and nothing about the outcome.
    """

    source: pl.String = column(
        "Who says so: the exchange; The Weather Company; the Daily Climate Report, from Iowa's "
        "archive (climate_report) or as sent (climate_bulletin).",
        isin=["exchange", "weather_company", "climate_report", "climate_bulletin"],
    )
    value: pl.Int64 = column(
        "The maximum; null: only a result is known.", unit="f", ge=-80, le=140, nullable=True
    )


class Verification(Contract):
    """How good the weather's probabilities are: mean scores and paired differences over many days.

    A partition is a study of the days up to and including its date, kept when somebody runs one:
    `kalshi-assets study weather`.
    """

    days: pl.String = column(
        "Which days: all, or those on which a market was recorded.", isin=["all", "market"]
    )
    method: pl.String = column(
        "Whose PMF: p_wx as it is in force (mixed), its parts, a reference, or the market.",
        isin=["mixed", "exact", "analogue", "persistence", "climatology", "market"],
    )
    against: pl.String = column(
        "The method whose score is taken away, day by day; nothing: the score itself.",
        isin=["nothing", "mixed", "exact", "analogue", "persistence", "climatology", "market"],
    )
    lst_hour: pl.Int8 = column(
        "Local standard hour; -1: the mean over all hours of days that have every hour.",
        unit="h",
        ge=-1,
        le=23,
    )
    score: pl.String = column("Which score.", isin=["log_loss", "brier_score", "rps"])
    value: pl.Float64 = column("Mean over days; less is better.")
    lo: pl.Float64 = column("Lower end of the 95 % interval by resampling days.")
    hi: pl.Float64 = column("Its upper end.")
    n_days: pl.Int32 = column("Days that count.", unit="days", ge=1)


OBSERVATIONS = Table(
    "weather",
    "observations",
    Observations,
    key=("event_time", "kind", "source"),
    may_be_empty=True,
)
FORECASTS = Table(
    "weather",
    "forecasts",
    Forecasts,
    key=("event_time", "variable", "valid_time", "source"),
    may_be_empty=True,
)
DROPPED_OBSERVATIONS = Table(
    "weather",
    "dropped_observations",
    DroppedObservations,
    key=("event_time", "value_f"),
    may_be_empty=True,
)
DROPPED_FORECASTS = Table(
    "weather",
    "dropped_forecasts",
    DroppedForecasts,
    key=("event_time", "variable", "valid_time"),
    may_be_empty=True,
)
SETTLEMENTS = Table(
    "weather",
    "settlements",
    TemperatureSettlements,
    key=("source", "status", "issued_at"),
    may_be_empty=True,
)
VERIFICATION = Table(
    "weather",
    "verification",
    Verification,
    key=("days", "method", "against", "lst_hour", "score"),
)
