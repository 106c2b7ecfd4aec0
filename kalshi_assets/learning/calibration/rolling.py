"""Fits of every key at every rolling origin, and the scores of the days that follow each.

Here: what is fitted to which days, shrinkage, out-of-sample scores. Not here: what is adopted
(`selection`).

Keys, each with its parent: the city (parent: the packaged map), the city's lead block (parent: the
city), the lead block in the season of the day (parent: the lead block). All are of one city's own
earlier days, so that a partition does not depend on which other cities were backfilled before.
theta = theta_parent + n / (n + 60) (own - theta_parent), n in days; methods, section 6.

A day's scores come from fits to days before its origin only. Origins are ten days apart; the last
fit, to all days, is the one that is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.learning.calibration.days import LEAD_BLOCKS, CalibrationDay, season_of
from kalshi_assets.learning.calibration.maps import FAMILIES, CalibrationMap, Statistics
from kalshi_assets.statistics.scores import LOG_FLOOR
from kalshi_assets.units import Array

BLOCKS = len(LEAD_BLOCKS)
SCOPES = ("city", "city_block", "city_season_block")
# Index of a scope's first key; the city has one key, the others one per block.
FIRST_KEY = (0, 1, 1 + BLOCKS)
KEYS = 1 + 2 * BLOCKS
SHRINK_DAYS = 60
FIRST_FIT_DAYS = 20
FOLD_DAYS = 10
PACKAGED = "packaged"


def key_of(scope: int, block: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of the key of a scope that serves each lead block.

    Parameters
    ----------
    scope
        Index into `SCOPES`.
    block
        Indices into `LEAD_BLOCKS`, any shape.
    """
    return FIRST_KEY[scope] + (block if scope else 0 * block)


def keys_of(block: int) -> list[int]:
    """Indices of the keys that serve a lead block, by scope."""
    return [first + (block if scope else 0) for scope, first in enumerate(FIRST_KEY)]


@dataclass(frozen=True, kw_only=True)
class Fits:
    """Theta of every key at every origin.

    Attributes
    ----------
    own, theta
        Per family, before and after shrinkage, shape (origins, keys, parameters); the last origin
        follows all days.
    days
        Days fitted to, shape (origins, keys).
    statistics
        Statistics of the last origin, a fit per key.
    """

    own: Mapping[str, Array]
    theta: Mapping[str, Array]
    days: NDArray[np.int64]
    statistics: Statistics


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Days stacked as arrays.

    Attributes
    ----------
    days
        Oldest first.
    instants
        Per day and block, shape (days, blocks).
    in_season
        Days of the season that the calibrators are for, shape (days,).
    """

    days: tuple[CalibrationDay, ...]
    instants: NDArray[np.int64]
    in_season: NDArray[np.bool_]

    @classmethod
    def of(cls, days: Sequence[CalibrationDay], season: str) -> "Stack":
        """The stack of some days.

        Parameters
        ----------
        days
            Oldest first.
        season
            That of the day that the calibrators are for.
        """
        instants = [np.bincount(day.block, minlength=BLOCKS) for day in days]
        return cls(
            days=tuple(days),
            instants=np.array(instants, dtype=np.int64).reshape(-1, BLOCKS),
            in_season=np.array([season_of(day.day_start) == season for day in days], np.bool_),
        )

    @cached_property
    def has(self) -> NDArray[np.bool_]:
        """Which days have data for which key, shape (days, keys)."""
        of_block = np.asarray(self.instants > 0)
        any_block = of_block.any(axis=1, keepdims=True)
        seasonal = of_block & self.in_season[:, None]
        return np.concatenate([any_block, of_block, seasonal], axis=1)

    def sums(self, name: str, starts: Sequence[int]) -> Array:
        """Cumulative sums of a statistic up to each origin, every day with weight one.

        Parameters
        ----------
        name
            Attribute of `CalibrationDay`, of shape (blocks, x).
        starts
            First day of each stretch between origins, by index, 0 first.

        Returns
        -------
        Shape (origins, keys, x): means over the key's instants of a day, summed over days.
        """
        per_block = np.stack([getattr(day, name) for day in self.days])
        all_day = per_block / np.maximum(self.instants.sum(axis=1), 1)[:, None, None]
        per_block /= np.maximum(self.instants, 1)[:, :, None]
        seasonal = per_block * self.in_season[:, None, None]
        parts = [np.add.reduceat(x, starts, axis=0) for x in (all_day, per_block, seasonal)]
        parts[0] = parts[0].sum(axis=1, keepdims=True)
        return np.cumsum(np.concatenate(parts, axis=1), axis=0)


def origins(days: int) -> list[int]:
    """Number of days before each origin; the last has all."""
    return [*range(FIRST_FIT_DAYS, days, FOLD_DAYS), days]


def fitted(stack: Stack, packaged: CalibrationMap) -> Fits:
    """Fit every family to every key before every origin, and shrink it to its parent.

    Parameters
    ----------
    stack
        The days.
    packaged
        Parent of the city's map.
    """
    starts = [0, *origins(len(stack.days))[:-1]]
    fits = len(starts) * KEYS
    days = np.cumsum(np.add.reduceat(stack.has.astype(np.int64), starts, axis=0), axis=0)
    counts, hits, losses = (
        stack.sums(name, starts).reshape(fits, -1) for name in ("counts", "hits", "losses")
    )
    statistics = Statistics(weight=counts, hits=hits, losses=losses)
    own = {
        name: family.fit(statistics).reshape(len(starts), KEYS, -1)
        for name, family in FAMILIES.items()
    }
    top = {name: family.identity for name, family in FAMILIES.items()}
    top[packaged.family.name] = packaged.theta
    return Fits(
        own=own,
        theta={name: _shrunk(theta, days, top[name]) for name, theta in own.items()},
        days=days,
        statistics=statistics.take(range(fits - KEYS, fits)),
    )


def _shrunk(own: Array, days: NDArray[np.int64], top: Array) -> Array:
    share = (days / (days + SHRINK_DAYS))[..., None]
    theta = np.empty_like(own)
    parent = np.broadcast_to(top, own[:, :1].shape)
    for scope, first in enumerate(FIRST_KEY):
        keys = slice(first, first + (BLOCKS if scope else 1))
        theta[:, keys] = parent + share[:, keys] * (own[:, keys] - parent)
        parent = theta[:, keys]
    return theta


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The instants of the scored days, in order of time.

    Attributes
    ----------
    p
        PMFs, shape (rows, brackets), shorter ladders padded with zeros above.
    winner, day, block
        Winner, day and block of every row; days count from the first scored one.
    """

    p: Array
    winner: NDArray[np.int64]
    day: NDArray[np.int64]
    block: NDArray[np.int64]

    @classmethod
    def of(cls, days: Sequence[CalibrationDay]) -> "_Rows":
        lengths = [len(day.p) for day in days]
        widest = max(day.p.shape[1] for day in days)
        p = np.zeros((sum(lengths), widest))
        at = 0
        for day in days:
            p[at : at + len(day.p), : day.p.shape[1]] = day.p
            at += len(day.p)
        return cls(
            p=p,
            winner=np.repeat([day.winner for day in days], lengths),
            day=np.repeat(np.arange(len(days)), lengths),
            block=np.concatenate([day.block for day in days]).astype(np.int64),
        )

    def take(self, kept: NDArray[np.bool_]) -> "_Rows":
        if kept.all():
            return self
        return _Rows(
            p=self.p[kept], winner=self.winner[kept], day=self.day[kept], block=self.block[kept]
        )

    def scores(self, mapped: Array, instants: NDArray[np.int64]) -> Array:
        """Brier score and log loss, means over a day's instants in a block: (2, days, blocks)."""
        of_winner = np.take_along_axis(mapped, self.winner[:, None], axis=1)[:, 0]
        brier = np.einsum("rn,rn->r", mapped, mapped) - 2 * of_winner + 1
        log_loss = -np.log(np.maximum(of_winner, LOG_FLOOR))
        place = self.day * BLOCKS + self.block
        sums = np.stack([np.bincount(place, x, minlength=instants.size) for x in (brier, log_loss)])
        with np.errstate(invalid="ignore"):
            return sums.reshape(2, *instants.shape) / np.where(instants > 0, instants, np.nan)


def out_of_sample(stack: Stack, fits: Fits, packaged: CalibrationMap) -> dict[str, Array]:
    """Scores of the days after the first origin, each by the fit to the days before its origin.

    Parameters
    ----------
    stack, fits
        The days, and their fits from `fitted`.
    packaged
        The packaged map, scored as well.

    Returns
    -------
    dict
        Per family, and for the packaged map: Brier score and log loss, means over a day's instants
        in a lead block, shape (scopes, 2, scored days, blocks); NaN: the day has no instants
        there, is not of the season, or the family is not offered. Empty where no day follows the
        first origin.
    """
    scored = stack.days[FIRST_FIT_DAYS:]
    if not any(len(day.p) for day in scored):
        return {}
    instants = stack.instants[FIRST_FIT_DAYS:]
    in_season = stack.in_season[FIRST_FIT_DAYS:]
    every = _Rows.of(scored)
    seasonal = every.take(in_season[every.day])
    of_season = instants * in_season[:, None]
    looks = ((every, instants), (every, instants), (seasonal, of_season))
    found = {}
    for name, family in FAMILIES.items():
        found[name] = np.full((len(SCOPES), 2, *instants.shape), np.nan)
        for scope, (rows, there) in enumerate(looks[:1] if family.city_only else looks):
            theta = fits.theta[name][rows.day // FOLD_DAYS, key_of(scope, rows.block)]
            found[name][scope] = rows.scores(family.apply(theta, rows.p), there)
    raw = every.scores(packaged(every.p), instants)
    return {**found, PACKAGED: np.broadcast_to(raw, (len(SCOPES), *raw.shape))}


def day_means(of_blocks: Array, instants: NDArray[np.int64]) -> Array:
    """Means over all instants of each day, shape (..., days); NaN: the day has none.

    Parameters
    ----------
    of_blocks
        Means over a day's instants in a block, shape (..., days, blocks).
    instants
        Number of these instants, shape (days, blocks).
    """
    total = np.where(instants > 0, of_blocks * instants, 0.0).sum(axis=-1)
    count = instants.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return total / np.where(count > 0, count, np.nan)
