"""What a pool sees at an instant: two PMFs and the conditions that their weights depend on.

The same function reads a day that is learnt from and a day that is priced.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.instants import MINUTE_US, UTC_TIME, Array, Ints, microseconds
from kalshi_assets.pooling.simplex import without_dead
from kalshi_assets.settlement.rule import outcome_known_at, pays_as_known

# Minutes in which an observation's freshness falls to 1/e.
FRESH_MIN = 30.0
# Half-hours are enough: neighbouring instants share their day's outcome.
TRAINING_EVERY_MIN = 30
# What is not known of a condition is taken to be its middle.
UNKNOWN = 0.5

MARKET_CONDITIONS = ("constant", "flow", "volatility", "tightness")
WEATHER_CONDITIONS = ("constant", "no_new_high", "quiet", "freshness")

# Columns that a pool reads, and those that it learns from.
COLUMNS = (
    "bracket",
    "minute",
    "hour_lst",
    "p_mkt",
    "p_wx",
    "hazard_status",
    "hazard_next_60m",
    "volume_percentile",
    "volatility_percentile",
    "spread_percentile",
    "observation_age_s",
)
LEARNT_FROM = [*COLUMNS, "dead", "pays", "outcome_known_at", "outcome_pays"]


@dataclass(frozen=True, kw_only=True)
class PoolInputs:
    """Rows of one or more events, each event's in order of time.

    Attributes
    ----------
    market, weather
        Shape (rows, brackets); every row a PMF. The weather is NaN where it does not enter.
    market_conditions
        Shape (rows, 4): 1; mean volume percentile; mean volatility percentile; 1 less the mean
        spread percentile. Means over brackets, 1/2 where no earlier day tells.
    weather_conditions
        Shape (rows, 4): 1; 1 less the probability of a new high within the hour; 1 less the mean
        volatility percentile; exp(-age of the latest report / 30 minutes).
    hour
        Shape (rows,): hours since the climate day's start.
    minute
        Shape (rows,): minutes since the epoch.
    """

    market: Array
    weather: Array
    market_conditions: Array
    weather_conditions: Array
    hour: Array
    minute: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.hour)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether the weather enters, shape (rows,)."""
        return np.asarray(~np.isnan(self.weather).any(axis=-1))

    @property
    def start(self) -> NDArray[np.int64]:
        """Start of the row's climate day, minutes since the epoch, shape (rows,)."""
        return self.minute - np.round(self.hour * 60).astype(np.int64)

    def where(self, rows: NDArray | slice) -> "PoolInputs":
        """Some of the rows, by mask, position or slice."""
        return PoolInputs(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


@dataclass(frozen=True, kw_only=True)
class Training:
    """Instants of settled days at which the weather was known.

    Attributes
    ----------
    inputs
        In order of time; the market's PMF without dead brackets, as it would be alone.
    dead
        Shape (rows, brackets): the evidence had passed the bracket. What the evidence rules out is
        ruled out of every pool, so that the weather earns no weight by it.
    winner
        Shape (rows,): position of the bracket that paid.
    day
        Shape (rows,): the climate day, in days since the epoch.
    known_at
        Shape (rows,): when the outcome was known, microseconds since the epoch.
    """

    inputs: PoolInputs
    dead: NDArray[np.bool_]
    winner: NDArray[np.int64]
    day: NDArray[np.int64]
    known_at: Ints

    @property
    def days(self) -> NDArray[np.int64]:
        """The climate days, each once, in order."""
        return np.unique(self.day)

    @property
    def n_days(self) -> int:
        """How many days there are: the sample size."""
        return len(self.days)

    @property
    def weight(self) -> Array:
        """Shape (rows,): one over the rows of its day, so that every day counts once."""
        _, inverse, count = np.unique(self.day, return_inverse=True, return_counts=True)
        return 1.0 / count[inverse]

    def where(self, rows: NDArray | slice) -> "Training":
        """Some of the rows, by mask, position or slice."""
        return Training(
            inputs=self.inputs.where(rows),
            dead=self.dead[rows],
            winner=self.winner[rows],
            day=self.day[rows],
            known_at=self.known_at[rows],
        )


def pool_inputs(frame: pl.DataFrame) -> PoolInputs:
    """What a pool sees, from one row per bracket and minute.

    Parameters
    ----------
    frame
        `COLUMNS`; sorted by minute and bracket, every minute with all brackets.
    """
    rows = frame.with_columns(enters=ENTERS)
    brackets = frame["bracket"].n_unique()

    def column(name: str) -> NDArray:
        return np.ascontiguousarray(rows[name].to_numpy().reshape(-1, brackets).T)

    return inputs_of(column, microseconds(frame["minute"])[::brackets])


# Of a row, whether its weather may enter.
ENTERS = pl.col("hazard_status").eq_missing("ok")


def inputs_of(column: Callable[[str], NDArray], minutes: Ints) -> PoolInputs:
    """What a pool sees, from one array per condition.

    Parameters
    ----------
    column
        Of a name of `COLUMNS`, or of ``enters``, the values, shape (brackets, rows), in ladder
        order; NaN where nothing is known.
    minutes
        Shape (rows,), microseconds since the epoch.
    """

    def percentile(name: str) -> Array:
        values = column(name)
        known = ~np.isnan(values)
        count = known.sum(axis=0)
        total = np.where(known, values, 0.0).sum(axis=0)
        return np.where(count > 0, total / np.maximum(count, 1), UNKNOWN)

    def known_or(values: Array, otherwise: float) -> Array:
        return np.where(np.isnan(values), otherwise, values)

    weather = np.where(column("enters").all(axis=0), column("p_wx"), np.nan)
    volatility = percentile("volatility_percentile")
    hazard = known_or(column("hazard_next_60m")[0], UNKNOWN)
    age_min = known_or(column("observation_age_s")[0], np.inf) / 60
    one = np.ones(len(minutes))
    return PoolInputs(
        market=np.ascontiguousarray(column("p_mkt").T),
        weather=np.ascontiguousarray(weather.T),
        market_conditions=np.stack(
            [
                one,
                percentile("volume_percentile"),
                volatility,
                1 - percentile("spread_percentile"),
            ],
            axis=1,
        ),
        weather_conditions=np.stack(
            [one, 1 - hazard, 1 - volatility, np.exp(-age_min / FRESH_MIN)], axis=1
        ),
        hour=column("hour_lst")[0],
        minute=minutes // MINUTE_US,
    )


def training_of(earlier: Sequence[pl.DataFrame], known_by: datetime | None = None) -> Training:
    """The half-hours of settled climate days at which the weather was known.

    Parameters
    ----------
    earlier
        `panel.examples` of earlier days, one frame each. Days that are not settled are left out,
        and days with another number of brackets than the latest.
    known_by
        Outcomes count as they were known then; None: as they are stored.

    Returns
    -------
    Training
        Perhaps without rows.
    """
    days = [_with_outcome(_columns_of(frame), known_by) for frame in earlier if frame.height]
    if not days:
        return _NO_TRAINING
    instants = _on_the_half_hour(pl.concat(days))
    rows, brackets = _usable(instants)
    if rows.is_empty():
        return _NO_TRAINING
    inputs = pool_inputs(rows)
    dead, pays = (
        rows[name].fill_null(value=False).to_numpy().reshape(-1, brackets)
        for name in ("dead", "pays")
    )
    return Training(
        inputs=replace(inputs, market=without_dead(inputs.market, dead)),
        dead=dead,
        winner=pays.argmax(axis=1),
        day=inputs.start // _MINUTES_A_DAY,
        known_at=microseconds(rows["known_at"])[::brackets],
    )


def _with_outcome(examples: pl.DataFrame, known_by: datetime | None) -> pl.DataFrame:
    """The day with its outcome as known by an instant, and since when: column `known_at`."""
    until = _EVER if known_by is None else known_by
    known_at = pl.lit(outcome_known_at(examples, until), UTC_TIME)
    return (
        pays_as_known(examples, until)
        .drop("outcome_known_at", "outcome_pays")
        .with_columns(known_at=known_at)
    )


_EVER = datetime.max.replace(tzinfo=UTC)


def half_hours(examples: pl.DataFrame) -> pl.DataFrame:
    """Rows and columns of `panel.examples` that pools learn from; what a caller may keep of a day.

    Applied again it changes nothing.
    """
    return _on_the_half_hour(_columns_of(examples))


def _on_the_half_hour(rows: pl.DataFrame) -> pl.DataFrame:
    hour = rows["hour_lst"].to_numpy()
    every = TRAINING_EVERY_MIN * MINUTE_US
    instants = (microseconds(rows["minute"]) % every == 0) & (hour >= 0) & (hour < 24)
    return rows if instants.all() else rows[np.flatnonzero(instants)]


def _columns_of(examples: pl.DataFrame) -> pl.DataFrame:
    return examples if examples.columns == LEARNT_FROM else examples[LEARNT_FROM]


_MINUTES_A_DAY = 24 * 60


def _usable(instants: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Rows to learn from, sorted by minute and bracket, and how many brackets their ladders have.

    Of an instant that has a ladder as long as the latest instant's, a weather PMF, and one living
    bracket that paid.
    """
    if instants.is_empty():
        return instants, 0
    minute = microseconds(instants["minute"])
    order = np.lexsort((instants["bracket"].to_numpy(), minute))
    starts = np.flatnonzero(np.diff(minute[order], prepend=-1))
    size = np.diff(np.append(starts, len(order)))
    known, paid = (
        np.add.reduceat(of.to_numpy()[order].astype(np.int64), starts)
        for of in instants.select(
            known=ENTERS & pl.col("p_wx").is_not_null(),
            paid=(pl.col("pays") & ~pl.col("dead")).fill_null(value=False),
        )
    )
    brackets = int(size[-1])
    usable = (size == brackets) & (known == brackets) & (paid == 1)
    return instants[order[usable.repeat(size)]], brackets


_NO_ROWS = np.empty(0)
_NO_TRAINING = Training(
    inputs=PoolInputs(
        market=np.empty((0, 1)),
        weather=np.empty((0, 1)),
        market_conditions=np.empty((0, len(MARKET_CONDITIONS))),
        weather_conditions=np.empty((0, len(WEATHER_CONDITIONS))),
        hour=_NO_ROWS,
        minute=_NO_ROWS.astype(np.int64),
    ),
    dead=np.empty((0, 1), dtype=bool),
    winner=_NO_ROWS.astype(np.int64),
    day=_NO_ROWS.astype(np.int64),
    known_at=_NO_ROWS.astype(np.int64),
)
