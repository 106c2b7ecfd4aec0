"""The inputs of a pool at an instant: two PMFs and the conditions of their weights.

The same function reads days for fits and days to be priced.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.instants import NEVER, as_times, microseconds, microseconds_of
from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.pooling.model import MARKET_CONDITIONS, Column, PooledModel
from kalshi_assets.pooling.simplex import without_impossible
from kalshi_assets.settlement.rule import outcome_known_at, pays_as_known
from kalshi_assets.units import MINUTE_US, MINUTES_A_DAY, Array, Ints

# Half-hours suffice: neighbouring instants share their day's outcome.
TRAINING_EVERY_MIN = 30
# An unknown condition is set to the middle of its range.
UNKNOWN = 0.5

OF_PANEL = ("hour_lst", "volume_percentile", "volatility_percentile", "spread_percentile")
"""Columns of any ladder's panel that the market's weight depends on."""


def columns_learnt_from(model: PooledModel) -> list[str]:
    """Columns of a family's examples that its pool is fitted to."""
    read = ("bracket", "minute", "p_mkt", *OF_PANEL, *model.of_panel, *model.of_model)
    own = (model.p, model.status_in_features, model.impossible)
    return [*dict.fromkeys((*read, *own)), "pays", "outcome_known_at", "outcome_pays"]


@dataclass(frozen=True, kw_only=True)
class PoolInputs:
    """Rows of one or more events, each event's in order of time.

    Attributes
    ----------
    market, model
        Shape (rows, brackets); every row a PMF. The model's is NaN where it does not enter.
    market_conditions
        Shape (rows, 4): 1; mean volume percentile; mean volatility percentile; 1 less the mean
        spread percentile. Means over brackets, 1/2 where no earlier day has the hour.
    model_conditions
        Shape (rows, conditions): 1, then `PooledModel.conditions`.
    hour
        Shape (rows,): hours since the day's start.
    minute
        Shape (rows,): minutes since the epoch.
    """

    market: Array
    model: Array
    market_conditions: Array
    model_conditions: Array
    hour: Array
    minute: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.hour)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether the model enters, shape (rows,)."""
        return np.asarray(~np.isnan(self.model).any(axis=-1))

    @property
    def start(self) -> NDArray[np.int64]:
        """Start of the row's day, minutes since the epoch, shape (rows,)."""
        return self.minute - np.round(self.hour * 60).astype(np.int64)

    def where(self, rows: NDArray | slice) -> "PoolInputs":
        """Some of the rows, by mask, position or slice."""
        return PoolInputs(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


@dataclass(frozen=True, kw_only=True)
class Training:
    """Instants of settled days at which the model's PMF was known.

    Attributes
    ----------
    model
        The model that the pool mixes with the market.
    inputs
        In order of time; the market's PMF is renormalised without impossible brackets.
    impossible
        Shape (rows, brackets): the bracket could no longer pay. These are ruled out of every pool,
        so that the model earns no weight by them.
    winner
        Shape (rows,): position of the atom that paid.
    day
        Shape (rows,): the day, in days since the epoch.
    known_at
        Shape (rows,): when the outcome was known, microseconds since the epoch.
    """

    model: PooledModel
    inputs: PoolInputs
    impossible: NDArray[np.bool_]
    winner: NDArray[np.int64]
    day: NDArray[np.int64]
    known_at: Ints

    @property
    def days(self) -> NDArray[np.int64]:
        """The days, each once, in order."""
        return np.unique(self.day)

    @property
    def n_days(self) -> int:
        """Number of days: the sample size."""
        return len(self.days)

    @property
    def weight(self) -> Array:
        """Shape (rows,): 1 / rows of the day, so that every day has the same weight."""
        _, inverse, count = np.unique(self.day, return_inverse=True, return_counts=True)
        return 1.0 / count[inverse]

    def where(self, rows: NDArray | slice) -> "Training":
        """Some of the rows, by mask, position or slice."""
        return Training(
            model=self.model,
            inputs=self.inputs.where(rows),
            impossible=self.impossible[rows],
            winner=self.winner[rows],
            day=self.day[rows],
            known_at=self.known_at[rows],
        )


def pool_inputs(frame: pl.DataFrame, model: PooledModel) -> PoolInputs:
    """Inputs of a pool from one row per bracket and minute.

    Parameters
    ----------
    frame
        Examples; sorted by minute and bracket, every minute with all brackets.
    model
        The model, for the names of its columns.
    """
    rows = frame.with_columns(enters=enters(model.status_in_features), p_model=model.p)
    brackets = frame["bracket"].n_unique()

    def column(name: str) -> NDArray:
        return np.ascontiguousarray(rows[name].to_numpy().reshape(-1, brackets).T)

    return inputs_of(column, microseconds(frame["minute"])[::brackets], model)


def enters(status: str) -> pl.Expr:
    """Whether the model may enter in a row, from its column of statuses."""
    return pl.col(status).eq_missing("ok")


def inputs_of(column: Callable[[str], NDArray], minutes: Ints, model: PooledModel) -> PoolInputs:
    """Inputs of a pool from one array per condition.

    Parameters
    ----------
    column
        Values by name, shape (brackets, rows), in ladder order, NaN where unknown: those of
        `OF_PANEL`, ``p_mkt``, ``p_model``, ``enters``, and what the conditions read.
    minutes
        Shape (rows,), microseconds since the epoch.
    model
        The model, for its conditions.
    """
    p_model = np.where(column("enters").all(axis=0), column("p_model"), np.nan)
    one = np.ones(len(minutes))
    return PoolInputs(
        market=np.ascontiguousarray(column("p_mkt").T),
        model=np.ascontiguousarray(p_model.T),
        market_conditions=np.stack(
            [
                one,
                mean_percentile(column, "volume_percentile"),
                mean_percentile(column, "volatility_percentile"),
                1 - mean_percentile(column, "spread_percentile"),
            ],
            axis=1,
        ),
        model_conditions=np.stack(
            [one, *(each.value(column) for each in model.conditions)], axis=1
        ),
        hour=column("hour_lst")[0],
        minute=minutes // MINUTE_US,
    )


def mean_percentile(column: Column, name: str) -> Array:
    """Mean over the brackets with a value; 1/2 if none has one.

    Parameters
    ----------
    column
        As in `inputs_of`.
    name
        Name of the percentile's column.
    """
    values = column(name)
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), UNKNOWN)


def training_of(
    earlier: Sequence[pl.DataFrame], model: PooledModel, known_by: datetime | None = None
) -> Training:
    """The half-hours of settled days at which the model's PMF was known; may have no rows.

    Parameters
    ----------
    earlier
        `panel.examples` of earlier days, one frame each. Unsettled days are left out, and days with
        another number of brackets than the latest.
    model
        The model, for the names of its columns.
    known_by
        Outcomes are used as they were known then; None: as stored.
    """
    days = [_with_outcome(_columns_of(frame, model), known_by) for frame in earlier if frame.height]
    if not days:
        return _no_training(model)
    instants = _on_the_half_hour(pl.concat(days))
    rows, brackets = _usable(instants, model)
    if rows.is_empty():
        return _no_training(model)
    inputs = pool_inputs(rows, model)
    impossible, pays = (
        rows[name].fill_null(value=False).to_numpy().reshape(-1, brackets)
        for name in (model.impossible, "pays")
    )
    return Training(
        model=model,
        inputs=replace(inputs, market=without_impossible(inputs.market, impossible)),
        impossible=impossible,
        winner=pays.argmax(axis=1),
        day=inputs.start // MINUTES_A_DAY,
        known_at=microseconds(rows["known_at"])[::brackets],
    )


def _with_outcome(examples: pl.DataFrame, known_by: datetime | None) -> pl.DataFrame:
    """The day with its outcome as known at an instant, and when it was known: `known_at`."""
    until = _EVER if known_by is None else known_by
    at = outcome_known_at(examples, until)
    known_at = as_times(np.full(examples.height, NEVER if at is None else microseconds_of(at)))
    # Made of its columns: for each of many days, queries would take three times as long.
    kept = [
        values
        for values in pays_as_known(examples, until).get_columns()
        if values.name not in ("outcome_known_at", "outcome_pays")
    ]
    return pl.DataFrame([*kept, known_at.alias("known_at")])


_EVER = datetime.max.replace(tzinfo=UTC)


def half_hours(
    examples: pl.DataFrame, model: PooledModel, ladder: Atoms | None = None
) -> pl.DataFrame:
    """Rows and columns of examples that pools are fitted to; callers may cache them.

    Parameters
    ----------
    examples
        Examples of one event, a row per leg and instant.
    model
        The model, for the names of its columns.
    ladder
        The event's legs by bracket; None: a partition.

    Returns
    -------
    DataFrame
        A row per atom and instant. Of a partition, applying it again changes nothing.
    """
    rows = _on_the_half_hour(_columns_of(examples, model))
    if ladder is None or ladder.shape == "partition" or rows.is_empty():
        return rows
    return _on_atoms(rows, model, ladder)


def _on_atoms(rows: pl.DataFrame, model: PooledModel, ladder: Atoms) -> pl.DataFrame:
    """Rows of nested legs as rows of their atoms; columns of other numbers are averaged."""
    rows = rows.sort("minute", "bracket")
    legs, atoms = len(ladder.legs), ladder.count

    def column(name: str, dtype: pl.DataType) -> pl.Series:
        values: NDArray
        if name == "bracket":
            values = np.repeat(np.arange(atoms)[:, None], rows.height // legs, axis=1)
        elif name in ("pays", "outcome_pays"):
            return _outcome_on_atoms(rows[name].head(legs), ladder, rows.height // legs)
        elif dtype.is_float() or name == model.impossible:
            pmf = name in ("p_mkt", model.p)
            values = values_on_atoms(rows[name].to_numpy().reshape(-1, legs).T, ladder, pmf=pmf)
        else:
            first = rows[name].gather_every(legs)
            return first[np.repeat(np.arange(len(first)), atoms)]
        return pl.Series(name, values.T.ravel(), nan_to_null=True).cast(dtype)

    return pl.DataFrame([column(name, dtype) for name, dtype in rows.schema.items()])


def values_on_atoms(of_legs: NDArray, ladder: Atoms, *, pmf: bool) -> NDArray:
    """Values of nested legs as values of their atoms, shape (atoms, rows).

    Parameters
    ----------
    of_legs
        Shape (legs, rows), NaN where unknown.
    ladder
        The legs.
    pmf
        Whether they are probabilities. Flags hold on an atom if they do on a leg that pays there;
        other numbers are averaged over the legs that have one.
    """
    if of_legs.dtype == np.bool_:
        return ladder.atom_flags(of_legs)
    if pmf:
        return ladder.atom_probabilities(of_legs)
    known = ~np.isnan(of_legs)
    count = known.sum(axis=0)
    total = np.where(known, of_legs, 0.0).sum(axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return np.repeat(mean[None], ladder.count, axis=0)


def _outcome_on_atoms(of_legs: pl.Series, ladder: Atoms, instants: int) -> pl.Series:
    """Which atom paid, from the legs that paid, by the last statement or by each."""
    words = of_legs.to_list()
    if of_legs.dtype == pl.Boolean:
        found: list[object] = list(_paid_atom(words, ladder))
    else:
        by_word = [_paid_atom(word, ladder) for word in zip(*words, strict=True)]
        found = [[word[atom] for word in by_word] for atom in range(ladder.count)]
    return pl.Series(of_legs.name, found * instants, dtype=of_legs.dtype)


def _paid_atom(pays: Sequence[bool | None], ladder: Atoms) -> list[bool | None]:
    atom = None if None in pays else ladder.paid([bool(each) for each in pays])
    return [None if atom is None else position == atom for position in range(ladder.count)]


def _on_the_half_hour(rows: pl.DataFrame) -> pl.DataFrame:
    hour = rows["hour_lst"].to_numpy()
    every = TRAINING_EVERY_MIN * MINUTE_US
    instants = (microseconds(rows["minute"]) % every == 0) & (hour >= 0) & (hour < 24)
    return rows if instants.all() else rows[np.flatnonzero(instants)]


def _columns_of(examples: pl.DataFrame, model: PooledModel) -> pl.DataFrame:
    names = columns_learnt_from(model)
    return examples if examples.columns == names else examples[names]


def _usable(instants: pl.DataFrame, model: PooledModel) -> tuple[pl.DataFrame, int]:
    """Rows to fit, sorted by minute and bracket, and the number of brackets of their ladders.

    Instants need a ladder as long as the latest instant's, a model's PMF, and one bracket that paid
    and was not impossible.
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
            known=enters(model.status_in_features) & pl.col(model.p).is_not_null(),
            paid=(pl.col("pays") & ~pl.col(model.impossible)).fill_null(value=False),
        )
    )
    brackets = int(size[-1])
    usable = (size == brackets) & (known == brackets) & (paid == 1)
    return instants[order[usable.repeat(size)]], brackets


def _no_training(model: PooledModel) -> Training:
    none, no_times = np.empty(0), np.empty(0, dtype=np.int64)
    widths = (len(MARKET_CONDITIONS), 1 + len(model.conditions))
    return Training(
        model=model,
        inputs=PoolInputs(
            market=np.empty((0, 1)),
            model=np.empty((0, 1)),
            market_conditions=np.empty((0, widths[0])),
            model_conditions=np.empty((0, widths[1])),
            hour=none,
            minute=no_times,
        ),
        impossible=np.empty((0, 1), dtype=bool),
        winner=no_times,
        day=no_times,
        known_at=no_times,
    )
