"""How many contracts are ahead of an order: what tapes say, and what a fixed number costs.

A fill model with a fixed number ahead is right or wrong about an order whose price was reached and
not traded through. Which of the two, no tape tells. Here it is a chance: that fewer contracts were
ahead than were traded at the price since, by each of three readings of the tape (`READINGS`). None
of them is proved; the number of the least regret is not far from the best under any of them.

Here: these distributions, and expected Brier scores. Not here: probes (`virtual_makers`), rates and
mark-outs (`fill_study`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from kalshi_assets.statistics.bootstrap import LEVEL, Bootstrap, tails
from kalshi_assets.studies.virtual_makers import AHEAD, PRICE_BUCKETS, SPREAD_BUCKETS
from kalshi_assets.units import Array, Ints

ALL = "all"
SIZES = np.unique(
    np.concatenate([np.arange(10), AHEAD, np.round(10 ** (1 + np.arange(70) / 20))])
).astype(np.int64)
"""Contracts at which sizes are counted, up to 28,000; within a twentieth of a decade."""

TAKEN, BEFORE_THROUGH, LEVEL_SIZE = "taken", "before_through", "level"
READINGS = (TAKEN, BEFORE_THROUGH, LEVEL_SIZE)
"""Distributions of the contracts ahead, each by price bucket.

`taken`: what takers took of a level at an instant, as if it had been all of it; at most the level.
`before_through`: the volume at the price of a clock probe before the first trade beyond it, by
Kaplan and Meier; at least what had been ahead and stayed. `level`: the size of the level that
takers hit, by Kaplan and Meier: known if they went on to the next price, else at least what they
took. Too much if takers ask for no more than they see, and with all who came later or cancel.
"""
REGRET = "regret"
"""The difference to the least Brier score, by the reading for which it is the largest."""

SIZE_SUMMARY = pl.Schema(
    {
        "by": pl.String(),
        "bucket": pl.String(),
        "reading": pl.String(),
        "quarter": pl.Int64(),
        "median": pl.Int64(),
        "lo": pl.Int64(),
        "hi": pl.Int64(),
        "three_quarters": pl.Int64(),
        "n": pl.Int64(),
    }
)
"""Quantiles of the contracts of `READINGS`, rounded up to `SIZES`; null: beyond what was observed.

`lo` and `hi` enclose the median.
"""

BRIER = pl.Schema(
    {
        "model": pl.String(),
        "reading": pl.String(),
        "value": pl.Float64(),
        "lo": pl.Float64(),
        "hi": pl.Float64(),
    }
)
"""Expected Brier score of the predicted fill: a row per model and reading, or regret.

A probe whose price was traded through is filled, one whose price no taker of the other side reached
is not. Of others the chance is that the contracts ahead were fewer than the volume at the price,
by the reading in the probe's price bucket.
"""

BEST_AHEAD = pl.Schema(
    {
        "price": pl.String(),
        "reading": pl.String(),
        "value": pl.Int64(),
        "lo": pl.Int64(),
        "hi": pl.Int64(),
    }
)
"""The contracts ahead, of `SIZES`, with the least expected Brier score; or the least `REGRET`."""


@dataclass(frozen=True, kw_only=True)
class QueueAhead:
    """What is ahead of probes of one kind.

    Attributes
    ----------
    probes
        The probes to judge (schema `PROBES`), at least one; those that were refused or improve the
        price are left out.
    judged_s
        Seconds from placement until they are judged.
    clock
        Clock probes, for the volume before a price is traded through.
    levels
        Schema `LEVELS`.
    bootstrap
        Over dates.
    """

    probes: pl.DataFrame
    judged_s: int
    clock: pl.DataFrame
    levels: pl.DataFrame
    bootstrap: Bootstrap

    @cached_property
    def sizes(self) -> pl.DataFrame:
        """Schema `SIZE_SUMMARY`."""
        rows: list[dict[str, object]] = []
        for reading in READINGS:
            for by, bucket, part in parts_of(self._contracts(reading)):
                found, drawn = self._distributions(*self._size_counts(part))
                lo, hi = np.quantile(_quantile(drawn, 0.5), tails(LEVEL), method="nearest")
                quantiles = {
                    "quarter": _quantile(found, 0.25),
                    "median": _quantile(found, 0.5),
                    "lo": lo,
                    "hi": hi,
                    "three_quarters": _quantile(found, 0.75),
                }
                known = {n: None if np.isinf(v) else int(v) for n, v in quantiles.items()}
                key = {"by": by, "bucket": bucket, "reading": reading, "n": part.height}
                rows.append(key | known)
        return pl.DataFrame(rows, schema=SIZE_SUMMARY)

    @cached_property
    def brier(self) -> pl.DataFrame:
        """Schema `BRIER`, for all prices together."""
        rows = []
        for reading, (found, drawn) in self._by_size.items():
            for n in AHEAD:
                k = int(np.searchsorted(SIZES, n))
                rows.append((f"queue_{n}", reading, found[-1, k], *_interval(drawn[:, -1, k])))
        for reading in READINGS:
            for model in ("touch", "through"):
                value, resampled = self._of_model(model, reading)
                rows.append((model, reading, value, *_interval(resampled)))
        return pl.DataFrame(rows, schema=BRIER, orient="row")

    @cached_property
    def best_ahead(self) -> pl.DataFrame:
        """Schema `BEST_AHEAD`, for each price bucket and for all."""
        rows = []
        for reading, (found, drawn) in self._by_size.items():
            for b, price in enumerate((*PRICE_BUCKETS, ALL)):
                best = SIZES[drawn[:, b].argmin(axis=1)]
                lo, hi = np.quantile(best, tails(LEVEL), method="nearest")
                rows.append((price, reading, SIZES[found[b].argmin()], lo, hi))
        return pl.DataFrame(rows, schema=BEST_AHEAD, orient="row")

    @cached_property
    def undecided(self) -> float:
        """Share of probes that no tape decides: takers reached the price and did not go beyond."""
        return float(self._counts(pl.lit(True))[..., 1:].sum() / self._number.sum())

    @cached_property
    def _judged(self) -> pl.DataFrame:
        return self.probes.filter(~pl.col("refused"), ~pl.col("improves"))

    @cached_property
    def _dates(self) -> pl.Series:
        return pl.concat([self.levels["date"], self.probes["date"]]).unique().sort()

    @cached_property
    def _weights(self) -> Array:
        return self.bootstrap.weights(len(self._dates))

    def _contracts(self, reading: str) -> pl.DataFrame:
        """Date, buckets, contracts (size), and whether they are exact, not a minimum."""
        key = ("date", "price", "spread")
        if reading == BEFORE_THROUGH:
            behind = self.clock.filter(~pl.col("refused"), ~pl.col("improves"))
            return behind.select(*key, size="volume_before_through", exact="went_through")
        exact = pl.lit(True) if reading == TAKEN else pl.col("all_of_it")
        return self.levels.select(*key, size="taken", exact=exact)

    def _size_counts(self, contracts: pl.DataFrame) -> tuple[Array, Array]:
        """Exact sizes and all, by date and cell; the last cell is beyond `SIZES`."""
        cell = np.searchsorted(SIZES, contracts["size"].to_numpy())
        exact = contracts["exact"].to_numpy()
        date = self._number_of_date(contracts)
        shape = len(self._dates), len(SIZES) + 1
        return _counted(shape, date[exact], cell[exact]), _counted(shape, date, cell)

    def _distributions(self, events: Array, total: Array) -> tuple[Array, Array]:
        """Cumulative distribution over the last axis, and resampled."""
        drawn = _resampled(self._weights, events), _resampled(self._weights, total)
        return distribution(events.sum(axis=0), total.sum(axis=0)), distribution(*drawn)

    @cached_property
    def _chances(self) -> dict[str, tuple[Array, Array]]:
        """By reading: the chance of a fill by price bucket and place of the volume; and resampled.

        The place of a volume is the number of `SIZES` that it exceeds by a contract.
        """
        found = {}
        for reading in READINGS:
            contracts = self._contracts(reading)
            parts = [contracts.filter(pl.col("price") == price) for price in PRICE_BUCKETS]
            counts = zip(*(self._size_counts(part) for part in parts), strict=True)
            events, total = (np.stack(each, axis=1) for each in counts)
            share, drawn = self._distributions(events, total)
            found[reading] = _after_none(share), _after_none(drawn)
        return found

    def _counts(self, chosen: pl.Expr) -> Array:
        """Probes not traded through by date, price bucket and place of their volume."""
        rows = self._judged.filter(~pl.col("through"), chosen)
        place = np.searchsorted(SIZES, rows["volume"].to_numpy() - 1, side="right")
        shape = len(self._dates), len(PRICE_BUCKETS), len(SIZES) + 1
        return _counted(shape, self._number_of_date(rows), _number_of_price(rows), place)

    @cached_property
    def _number(self) -> Array:
        """Probes by date and price bucket."""
        shape = len(self._dates), len(PRICE_BUCKETS)
        date = self._number_of_date(self._judged)
        return _counted(shape, date, _number_of_price(self._judged))

    def _number_of_date(self, rows: pl.DataFrame) -> Ints:
        return self._dates.search_sorted(rows["date"]).to_numpy().astype(np.int64)

    @cached_property
    def _by_size(self) -> dict[str, tuple[Array, Array]]:
        """By reading, and regret: the Brier score of each of `SIZES`, and resampled.

        Shapes (price buckets and all, sizes) and (resamples, price buckets and all, sizes).
        """
        counts, number = self._counts(pl.lit(True)), self._number
        drawn_counts, drawn_number = (_resampled(self._weights, each) for each in (counts, number))
        found = {
            reading: (
                _means(_losses(counts.sum(axis=0), chance), number.sum(axis=0)),
                _means(_losses(drawn_counts, drawn), drawn_number),
            )
            for reading, (chance, drawn) in self._chances.items()
        }
        first, second = (
            np.max([each - each.min(axis=-1, keepdims=True) for each in scores], axis=0)
            for scores in zip(*found.values(), strict=True)
        )
        return {**found, REGRET: (first, second)}

    def _of_model(self, model: str, reading: str) -> tuple[float, Array]:
        """The Brier score of another model, and resampled."""
        filled = (pl.col(f"seconds_{model}") <= self.judged_s).fill_null(False)
        chance, drawn = self._chances[reading]
        says, denies = self._counts(filled), self._counts(~filled)
        missed = self._judged.filter("through", ~filled)
        shape = len(self._dates), len(PRICE_BUCKETS)
        certain = _counted(shape, self._number_of_date(missed), _number_of_price(missed))
        counts = says, denies, certain, self._number
        found = _loss([each.sum(axis=0) for each in counts], chance)
        resampled = [_resampled(self._weights, each) for each in counts]
        return float(found), _loss(resampled, drawn)


def parts_of(frame: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """A frame, and its parts by price and by spread, in the order of the buckets."""
    yield ALL, ALL, frame
    for by, buckets in (("price", PRICE_BUCKETS), ("spread", SPREAD_BUCKETS)):
        for bucket in buckets:
            part = frame.filter(pl.col(by) == bucket)
            if part.height:
                yield by, bucket, part


def distribution(events: Array, total: Array) -> Array:
    """Kaplan and Meier's cumulative distribution over the cells of the last axis.

    `total` counts all in their cells, `events` those that are exact, not a minimum.
    """
    at_risk = np.flip(np.cumsum(np.flip(total, axis=-1), axis=-1), axis=-1)
    hazard = np.divide(events, at_risk, out=np.zeros_like(at_risk), where=at_risk > 0)
    return 1 - np.cumprod(1 - hazard, axis=-1)


def _after_none(share: Array) -> Array:
    """With a leading zero: less than a contract fills nothing."""
    return np.concatenate([np.zeros_like(share[..., :1]), share[..., : len(SIZES)]], axis=-1)


def _quantile(share: Array, level: float) -> Array:
    """The first of `SIZES` at which a distribution reaches a level; infinite: none."""
    inside = share[..., : len(SIZES)] >= level
    return np.where(inside.any(axis=-1), SIZES[inside.argmax(axis=-1)], np.inf)


def _counted(shape: tuple[int, ...], *cells: Ints) -> Array:
    flat = np.ravel_multi_index(cells, shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)


def _resampled(weights: Array, by_date: Array) -> Array:
    """Sums over dates of every resample; shape (resamples, ...)."""
    # Unlike @, einsum gives the same bits on any number of cores.
    return np.einsum("rd,d...->r...", weights, by_date)


def _losses(counts: Array, chance: Array) -> Array:
    """The sum of Brier scores for each of `SIZES`, from the last axis, the place of the volume."""
    says, denies = counts * (1 - chance), counts * chance
    wrongly_filled = np.flip(np.cumsum(np.flip(says, axis=-1), axis=-1), axis=-1)[..., 1:]
    return wrongly_filled + np.cumsum(denies, axis=-1)[..., :-1]


def _means(losses: Array, number: Array) -> Array:
    """Means by price bucket, and over all as the last row."""
    sums = np.concatenate([losses, losses.sum(axis=-2, keepdims=True)], axis=-2)
    counts = np.concatenate([number, number.sum(axis=-1, keepdims=True)], axis=-1)
    return sums / np.maximum(counts, 1)[..., None]


def _loss(counts: Sequence[Array], chance: Array) -> Array:
    """The mean Brier score over all prices.

    `counts`: open probes that the model fills and does not fill by place, those that it misses for
    certain, and all.
    """
    says, denies, certain, number = counts
    wrong = (says * (1 - chance) + denies * chance).sum(axis=(-1, -2)) + certain.sum(axis=-1)
    return wrong / np.maximum(number.sum(axis=-1), 1)


def _interval(resampled: Array) -> tuple[float, float]:
    lo, hi = np.quantile(resampled, tails(LEVEL))
    return float(lo), float(hi)


def _number_of_price(rows: pl.DataFrame) -> Ints:
    buckets = range(len(PRICE_BUCKETS))
    number = rows["price"].replace_strict(PRICE_BUCKETS, buckets, return_dtype=pl.Int64)
    return number.to_numpy()
