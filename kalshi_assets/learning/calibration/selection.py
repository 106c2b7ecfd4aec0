"""The map adopted for each lead block: one that has proved itself, else the parent's.

Here: the rule. Not here: the scores that it judges (`rolling`), the tables (`calibrators`).

A map is adopted if the 5 % quantile, over 2000 bootstraps of days, of its mean gain in Brier score
over the map that would otherwise be in force is above zero, the mean log loss is no greater, and at
least thirty days were scored; of several, the one with the greatest quantile (methods, section 6).
The city is compared with the packaged map, finer scopes with the map of their parent, at a quantile
of 5 %/6 because six lead blocks are tested. On 150 perfectly calibrated days of two generated
worlds some map was adopted in 25 % and 6 % of a hundred repetitions with 5 % throughout, in 12 %
and 2 % with this rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

import numpy as np

from kalshi_assets.learning.calibration.maps import FAMILIES
from kalshi_assets.learning.calibration.rolling import (
    BLOCKS,
    FIRST_FIT_DAYS,
    PACKAGED,
    SCOPES,
    Stack,
    day_means,
    keys_of,
)
from kalshi_assets.statistics.bootstrap import RESAMPLES, day_weights
from kalshi_assets.units import Array

MIN_DAYS = 30
QUANTILES = (0.05, 0.05 / BLOCKS, 0.05 / BLOCKS)
STALE_AFTER = timedelta(days=45)
SEED = 20260711

Verdict = Literal["adopted", "second_best", "log_loss_worse", "not_proved", "too_few_days", "stale"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Result of one family at one key.

    Attributes
    ----------
    scored_days
        Days scored out of sample.
    brier_before, brier_after, log_loss_before, log_loss_after
        Mean scores of the map that would otherwise be in force, and of this one; NaN: no day was
        scored.
    lower_bound
        Quantile of the bootstrapped mean of brier_before - brier_after; NaN: no day.
    verdict
        Adopted, or why not.
    """

    scored_days: int
    brier_before: float
    brier_after: float
    log_loss_before: float
    log_loss_after: float
    lower_bound: float
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The choice at one key.

    Attributes
    ----------
    trials
        Results by family.
    adopted
        The family in force at this scope and below; None: the parent's.
    """

    trials: Mapping[str, Trial]
    adopted: str | None


@dataclass(frozen=True)
class InForce:
    """The map that serves a lead block.

    Attributes
    ----------
    scope
        Index into `SCOPES`; None: the packaged map.
    family
        Name of its family.
    """

    scope: int | None = None
    family: str = PACKAGED


def chosen(
    stack: Stack, scores: Mapping[str, Array], as_of: datetime
) -> tuple[dict[int, Choice], list[InForce]]:
    """Judge every key, from the city down.

    Parameters
    ----------
    stack, scores
        The days, and their scores from `rolling.out_of_sample`.
    as_of
        When the calibrators are made.

    Returns
    -------
    Choices by key, and what is in force per lead block.
    """
    in_force = [InForce()] * BLOCKS
    choices: dict[int, Choice] = {}
    for scope in range(len(SCOPES)):
        keys = sorted({keys_of(block)[scope] for block in range(BLOCKS)})
        trials = _trials(scope, in_force, stack, scores)
        for place, key in enumerate(keys):
            choices[key] = _choice(
                {name: of_keys[place] for name, of_keys in trials.items()},
                stale=is_stale(stack, key, as_of),
            )
        for block in range(BLOCKS):
            adopted = choices[keys[block % len(keys)]].adopted
            if adopted is not None:
                in_force[block] = InForce(scope, adopted)
    return choices, in_force


def _trials(
    scope: int, in_force: Sequence[InForce], stack: Stack, scores: Mapping[str, Array]
) -> dict[str, list[Trial]]:
    """Trials of every family offered at a scope, one per key; verdicts are still to come."""
    offered = [name for name, family in FAMILIES.items() if scope == 0 or not family.city_only]
    keys = BLOCKS if scope else 1
    if not scores:
        return {name: [_UNTRIED] * keys for name in offered}
    instants = stack.instants[FIRST_FIT_DAYS:]
    before = np.stack(
        [scores[now.family][now.scope or 0, :, :, b] for b, now in enumerate(in_force)], axis=-1
    )
    after = np.stack([scores[name][scope] for name in offered])
    before = np.where(np.isnan(after[0]), np.nan, before)
    if scope == 0:
        before, after = (day_means(x, instants)[..., None] for x in (before, after))
    bound = lower_bounds(before[0] - after[:, 0], QUANTILES[scope])
    days = (~np.isnan(before[0])).sum(axis=0)
    mean_before = _known_mean(before)
    mean_after = _known_mean(after)
    return {
        name: [
            Trial(
                scored_days=int(days[k]),
                brier_before=float(mean_before[0, k]),
                brier_after=float(mean_after[f, 0, k]),
                log_loss_before=float(mean_before[1, k]),
                log_loss_after=float(mean_after[f, 1, k]),
                lower_bound=float(bound[f, k]),
                verdict="not_proved",
            )
            for k in range(keys)
        ]
        for f, name in enumerate(offered)
    }


def lower_bounds(gains: Array, quantile: float) -> Array:
    """A quantile of the bootstrapped mean over days.

    Parameters
    ----------
    gains
        Shape (families, days, keys); NaN, the same for all families: the key lacks the day.
    quantile
        Between 0 and 1.

    Returns
    -------
    Shape (families, keys); NaN: no day.
    """
    families, days, keys = gains.shape
    weights = _resampled_days(days)
    known = ~np.isnan(gains[0])
    filled = np.where(known, gains, 0.0).transpose(0, 2, 1).reshape(-1, days)
    # einsum and not @: the same bits on any number of cores.
    totals = np.einsum("rd,cd->rc", weights, filled).reshape(len(weights), families, keys)
    counts = np.einsum("rd,kd->rk", weights, np.ascontiguousarray(known.T, dtype=np.float64))
    # A resample may miss every day that has the key.
    drawn = counts > 0
    with np.errstate(invalid="ignore"):
        means = totals / np.where(drawn, counts, np.nan)[:, None]
    bounds = np.full((families, keys), np.nan)
    always = drawn.all(axis=0)
    bounds[:, always] = np.quantile(means[..., always], quantile, axis=0)
    for key in np.flatnonzero(drawn.any(axis=0) & ~always):
        bounds[:, key] = np.quantile(means[drawn[:, key], :, key], quantile, axis=0)
    return bounds


@lru_cache(maxsize=4)
def _resampled_days(days: int) -> Array:
    return day_weights(days, RESAMPLES, np.random.default_rng(SEED))


_UNTRIED = Trial(
    scored_days=0,
    brier_before=np.nan,
    brier_after=np.nan,
    log_loss_before=np.nan,
    log_loss_after=np.nan,
    lower_bound=np.nan,
    verdict="too_few_days",
)


def _choice(trials: Mapping[str, Trial], *, stale: bool) -> Choice:
    verdicts = {name: _verdict(trial, stale=stale) for name, trial in trials.items()}
    proved = [name for name, verdict in verdicts.items() if verdict == "adopted"]
    best = max(proved, key=lambda name: trials[name].lower_bound, default=None)
    for name in proved:
        if name != best:
            verdicts[name] = "second_best"
    return Choice(
        trials={name: replace(trial, verdict=verdicts[name]) for name, trial in trials.items()},
        adopted=best,
    )


def _verdict(trial: Trial, *, stale: bool) -> Verdict:
    if trial.scored_days < MIN_DAYS:
        return "too_few_days"
    if stale:
        return "stale"
    if not trial.lower_bound > 0:
        return "not_proved"
    return "adopted" if trial.log_loss_after <= trial.log_loss_before else "log_loss_worse"


def scopes_of_bands(stack: Stack, as_of: datetime) -> list[int | None]:
    """The finest scope with thirty days and no stale ones, per lead block; None: there is none.

    Parameters
    ----------
    stack, as_of
        As in `chosen`.
    """
    days = stack.has.sum(axis=0)
    return [
        max(
            (
                scope
                for scope, key in enumerate(keys_of(block))
                if days[key] >= MIN_DAYS and not is_stale(stack, key, as_of)
            ),
            default=None,
        )
        for block in range(BLOCKS)
    ]


def is_stale(stack: Stack, key: int, as_of: datetime) -> bool:
    """Whether the last day with data for a key is over 45 days old, or there is none.

    Parameters
    ----------
    stack, as_of
        As in `chosen`.
    key
        Index of the key.
    """
    days = np.flatnonzero(stack.has[:, key])
    return len(days) == 0 or as_of - stack.days[days[-1]].day_start > STALE_AFTER


def _known_mean(values: Array) -> Array:
    """Mean over days, the last axis but one; NaN where no day is known."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis=-2) / np.where(known, 1.0, 0.0).sum(axis=-2)
