"""No fit hears of an outcome before it was known: settlements late, changed, cut, made noise of.

One generated day, moved back day by day, makes a history whose labels and examples come from the
functions that the assets call; every day has an outcome of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import city, city_day
from kalshi_assets.families.temperature.features import model_features
from kalshi_assets.families.temperature.labels import labels
from kalshi_assets.families.temperature.pool import WEATHER
from kalshi_assets.families.temperature.steps import day_start
from kalshi_assets.features.examples import examples
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.learning.calibration.days import as_of, as_settled
from kalshi_assets.learning.classifiers.schedule import LOOK_BACK_DAYS, fold_of
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.learning.classifiers.walk_forward import classifiers
from kalshi_assets.pipeline.beliefs import calibrators_of
from kalshi_assets.pooling.inputs import half_hours
from kalshi_assets.pooling.weights import fusion_weights
from kalshi_assets.settlement.rule import outcomes
from kalshi_assets.tables import (
    CLASSIFIERS,
    EXAMPLES,
    FUSED_PMF,
    FUSION_WEIGHTS,
    HAZARD_PMF,
    MARKET_PMF,
    MINUTE_PANEL,
    MINUTE_PANEL_WITH_WEATHER,
    OBSERVATIONS,
    SETTLEMENTS,
)
from kalshi_assets.tables.calibration import CALIBRATORS
from kalshi_assets_tests.chain.inputs import Inputs, chain_of

FEATURES = ("p_mkt", "p_wx", "mid", "hour_lst", "spread_cents")
LATE = timedelta(days=5)

Settled = Mapping[LadderDay, pl.DataFrame]


@dataclass(frozen=True, kw_only=True)
class Day:
    """What a day of the history is without its settlements; examples as a fit reads them."""

    events: pl.DataFrame
    fused: pl.DataFrame
    examples: pl.DataFrame


@pytest.fixture(scope="module")
def target(generated_day: Inputs) -> LadderDay:
    """A day that begins a fold."""
    return city_day(generated_day.key.ladder, fold_of(generated_day.key.date).start)


@pytest.fixture(scope="module")
def days(generated_day: Inputs, target: LadderDay) -> Mapping[LadderDay, Day]:
    """The history before the target, every full hour of its days for the classifiers' speed."""
    chain = chain_of(generated_day)
    panel, events = chain[MINUTE_PANEL], generated_day.events
    open_yet = labels(panel, events, generated_day.observations, SETTLEMENTS.empty())
    features = model_features(
        chain[MINUTE_PANEL_WITH_WEATHER], chain[MARKET_PMF], chain[HAZARD_PMF]
    )
    learnt = examples(features, open_yet, EXAMPLES).filter(pl.col("minute").dt.minute() == 0)
    found = {}
    for key in target.earlier(LOOK_BACK_DAYS):
        moved = key.date - generated_day.key.date
        found[key] = Day(
            events=_moved(events, moved),
            fused=_moved(chain[FUSED_PMF], moved),
            examples=_moved(learnt, moved),
        )
    return found


def _moved(frame: pl.DataFrame, by: timedelta) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Datetime("us", "UTC")) + by)


@pytest.fixture(scope="module")
def settled(days: Mapping[LadderDay, Day]) -> Settled:
    """Every day's settlements: the report in the morning, which the exchange corrects.

    Every sixth day the exchange speaks five days late, every tenth nobody does before.
    """
    rng = np.random.default_rng(0)
    return {
        key: _said(
            day.events,
            [int(n) for n in rng.choice([3, 4, 5], 2, replace=False)],
            report=timedelta(hours=9) + (LATE if n % 10 == 0 else timedelta()),
            exchange=timedelta(hours=10) + (LATE if n % 6 == 0 or n % 10 == 0 else timedelta()),
        )
        for n, (key, day) in enumerate(days.items())
    }


def _said(
    events: pl.DataFrame, winners: list[int], *, report: timedelta, exchange: timedelta
) -> pl.DataFrame:
    ladder, end = events.sort("bracket"), events["day_end"][0]
    least = ladder["lo"].fill_null(ladder["lo"].min())
    rows = [
        {
            "source": "exchange" if n else "climate_report",
            "status": "finalized" if n else "official",
            "value": int(least[winner]),
            "winning_market": ladder["market_ticker"][winner] if n else None,
            "event_time": end,
            "issued_at": None,
            "known_at": end + (exchange if n else report),
            "known_at_from": "assumed",
            "raw_sha256": "",
        }
        for n, winner in enumerate(winners)
    ]
    return SETTLEMENTS.conform(pl.DataFrame(rows, schema=SETTLEMENTS.dtypes))


def _labelled(day: Day, settlements: pl.DataFrame) -> pl.DataFrame:
    """The day's examples with the outcome that `labels` gives them."""
    # The outcome is the same in every minute: a few are enough.
    few = day.fused.filter(pl.col("minute") < pl.col("minute").min() + timedelta(minutes=8))
    panel = few.select("market_ticker", "minute", "bracket").with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("mid", "spread_cents", "bid_cc", "ask_cc")
    )
    outcome = ["pays", "outcome_known_at", "outcome_pays"]
    told = labels(panel, day.events, OBSERVATIONS.empty(), settlements)
    of_market = told.group_by("market_ticker").agg(pl.col(outcome).first())
    return day.examples.drop(outcome).join(of_market, on="market_ticker", maintain_order="left")


def _fits(
    target: LadderDay, days: Mapping[LadderDay, Day], settled: Settled, store: ModelStore
) -> dict[str, pl.DataFrame]:
    start, _ = city(target.ladder).climate_day(target.date)
    seen = {key: _labelled(day, settled[key]) for key, day in days.items()}
    learnt = [(day_start(key), half_hours(seen[key], WEATHER)) for key in sorted(seen)]
    calibrated = [
        as_settled(day_start(key), day.fused, day.events, settled[key]) for key, day in days.items()
    ]
    by_date = {key.date: rows for key, rows in seen.items()}
    return {
        FUSION_WEIGHTS.full_name: fusion_weights(WEATHER, start, learnt),
        CLASSIFIERS.full_name: classifiers(target.date, start, by_date, FEATURES, store),
        CALIBRATORS.full_name: calibrators_of(start, calibrated),
    }


def _cut(frame: pl.DataFrame, instant: datetime) -> pl.DataFrame:
    return frame.filter(pl.col("known_at") <= instant)


def _noise(frame: pl.DataFrame, instant: datetime) -> pl.DataFrame:
    """Everything said later is said otherwise, and everybody revises himself once more."""
    rng = np.random.default_rng(instant.day)
    late = frame.filter(pl.col("known_at") > instant).with_columns(
        winning_market=pl.lit(None, pl.String), value=pl.col("value") + 2
    )
    after = pl.lit(instant + timedelta(hours=float(rng.uniform(0.01, 90))))
    again = frame.with_columns(
        winning_market=pl.lit(None, pl.String),
        value=pl.col("value") - 2,
        known_at=after.cast(frame.schema["known_at"]),
    )
    return pl.concat([_cut(frame, instant), late, again, again.with_columns(status=_REVISED)])


_REVISED = pl.lit("revised")


@pytest.mark.parametrize("attack", [_cut, _noise])
def test_no_fit_hears_what_was_said_of_an_outcome_after_its_instant(
    target: LadderDay,
    days: Mapping[LadderDay, Day],
    settled: Settled,
    attack: Callable[[pl.DataFrame, datetime], pl.DataFrame],
    tmp_path: Path,
) -> None:
    store = ModelStore(Files(tmp_path))
    start, _ = city(target.ladder).climate_day(target.date)
    whole = _fits(target, days, settled, store)
    instants = dict.fromkeys(whole, start) | {CALIBRATORS.full_name: as_of(start)}
    for instant in set(instants.values()):
        attacked = {key: attack(frame, instant) for key, frame in settled.items()}
        assert any(not attacked[key].equals(settled[key]) for key in settled)
        found = _fits(target, days, attacked, store)
        for name in (name for name, of in instants.items() if of == instant):
            assert found[name].equals(whole[name]), name
    for name, frame in whole.items():
        assert (frame["known_at"] <= instants[name]).all(), name


def test_what_was_known_in_time_does_matter_to_every_fit(
    target: LadderDay, days: Mapping[LadderDay, Day], settled: Settled, tmp_path: Path
) -> None:
    start, _ = city(target.ladder).climate_day(target.date)
    store, early = ModelStore(Files(tmp_path)), start - timedelta(days=8)
    whole = _fits(target, days, settled, store)
    found = _fits(target, days, {k: _noise(f, early) for k, f in settled.items()}, store)
    for name, frame in whole.items():
        assert not found[name].equals(frame), name


def test_the_history_has_outcomes_that_come_too_late_and_some_that_are_changed_too_late(
    target: LadderDay, days: Mapping[LadderDay, Day], settled: Settled
) -> None:
    start, _ = city(target.ladder).climate_day(target.date)
    validated = [key for key in days if key.date in fold_of(target.date).validation]
    said = [outcomes(settled[key], days[key].events) for key in validated]
    assert any(words[0].known_at > start for words in said)
    assert any(
        words[0].known_at <= start < words[1].known_at and words[0].winner != words[1].winner
        for words in said
    )
