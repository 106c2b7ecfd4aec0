"""Virtual makers: filled as the rules say, placed without knowledge, judged as far as tapes go."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kalshi_assets.commands.study_virtual_makers import compared_quotes, tape_of
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.pages.fills_page import recommended_ahead, share, write_page
from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.studies.fill_study import FillStudy, median_seconds
from kalshi_assets.studies.inferred_quotes import COMPARED, compared
from kalshi_assets.studies.queue_ahead import LEVEL_SIZE, REGRET, TAKEN, QueueAhead, distribution
from kalshi_assets.studies.virtual_makers import (
    AHEAD,
    CLOCK,
    LEVELS,
    MAKER,
    MODELS,
    PROBES,
    EventProbes,
    probed,
)
from kalshi_assets_tests.properties import examples
from kalshi_assets_tests.shared import ARCHIVE, needs_archive

DAY = date(2025, 4, 20)
OPEN = datetime(2025, 4, 19, 14, tzinfo=UTC)
CLOSE = OPEN + timedelta(hours=6)
TICKER = "KXHIGHNY-25APR20-B72.5"

Trade = tuple[float, int, float, str]
"""Seconds from the open, price in cents, contracts, side of the taker."""


def tape(trades: Sequence[Trade], ticker: str = TICKER) -> pl.DataFrame:
    rows = [
        {
            "trade_id": f"{number:06}",
            "market_ticker": ticker,
            "event_time": OPEN + timedelta(seconds=seconds),
            "yes_price_cc": 100 * cents,
            "count": float(contracts),
            "taker_side": side,
        }
        for number, (seconds, cents, contracts, side) in enumerate(trades)
    ]
    schema = {
        "trade_id": pl.String(),
        "market_ticker": pl.String(),
        "event_time": pl.Datetime("us", "UTC"),
        "yes_price_cc": pl.Int32(),
        "count": pl.Float64(),
        "taker_side": pl.String(),
    }
    return pl.DataFrame(rows, schema=schema)


def markets(*tickers: str, close: datetime = CLOSE) -> pl.DataFrame:
    names = tickers or (TICKER,)
    return pl.DataFrame(
        {
            "market_ticker": names,
            "date": [DAY] * len(names),
            "open_time": [OPEN] * len(names),
            "close_time": [close] * len(names),
        }
    )


def clock(trades: Sequence[Trade]) -> list[dict[str, Any]]:
    found = probed(tape(trades), markets()).probes.filter(pl.col("kind") == CLOCK)
    return found.to_dicts()


# A bid of 40 and an ask of 44 are seen in the first minutes; probes are placed at 900 s.
SEEN: list[Trade] = [(600, 44, 5, "yes"), (610, 40, 5, "no")]


def of_bid(later: Sequence[Trade]) -> dict[str, Any]:
    """The clock probe that bids 40 at 900 s."""
    return clock([*SEEN, *later])[0]


def test_each_model_fills_by_its_rule() -> None:
    probe = of_bid([(960, 40, 3, "no"), (1000, 40, 60, "no"), (1200, 39, 1, "no")])
    assert {model: probe[f"seconds_{model}"] for model in MODELS} == {
        "touch": 100,  # a fifth of 3 is less than a contract
        "through": 300,
        "queue_0": 60,
        "queue_10": 100,
        "queue_50": 100,
        "queue_100": 300,  # a trade beyond leaves none ahead
        "queue_300": 300,
        "queue_1000": 300,
    }
    assert (probe["volume"], probe["volume_before_through"]) == (63, 63)
    assert (probe["reached"], probe["through"], probe["went_through"]) == (True, True, True)


def test_takers_of_the_own_side_do_not_move_the_queue() -> None:
    probe = of_bid([(960, 40, 500, "yes")])
    assert probe["seconds_touch"] == 60
    assert all(probe[f"seconds_queue_{n}"] is None for n in AHEAD)
    assert (probe["volume"], probe["reached"], probe["through"]) == (0, True, False)


def test_a_trade_at_the_instant_of_placement_is_too_early_and_one_at_the_end_is_not() -> None:
    assert of_bid([(900, 39, 9, "no")])["seconds_through"] is None
    assert of_bid([(4500, 39, 9, "no")])["seconds_through"] == 3600
    assert of_bid([(4500.1, 39, 9, "no")])["seconds_through"] is None


def test_an_ask_is_a_bid_in_the_mirror() -> None:
    later: list[Trade] = [(960, 40, 3, "no"), (1000, 40, 60, "no"), (1200, 39, 1, "no")]
    other = {"no": "yes", "yes": "no"}
    mirrored = [(at, 100 - cents, n, other[side]) for at, cents, n, side in [*SEEN, *later]]
    bid, ask = of_bid(later), clock(mirrored)[1]
    assert (bid["bid"], bid["price_cc"], ask["bid"], ask["price_cc"]) == (True, 4000, False, 6000)
    assert {**bid, "bid": False, "price_cc": 6000} == ask


def test_marks_are_the_mid_later_less_the_price() -> None:
    probe = of_bid([(1200, 39, 1, "no"), (1230, 43, 1, "yes"), (1400, 47, 1, "yes")])
    assert probe["mark_1m_through"] == pytest.approx((39 + 43) / 2 - 40)
    assert probe["mark_5m_through"] == pytest.approx((39 + 47) / 2 - 40)


def test_a_probe_that_would_cross_is_refused_and_one_that_improves_has_nobody_ahead() -> None:
    # The ask of 40 is taken before the real bid at 42 is hit.
    crossed = probed(
        tape([(500, 36, 1, "no"), (590, 40, 1, "yes"), (660, 42, 9, "no")]), markets()
    ).probes.filter(kind=MAKER, lead_min=1)
    assert crossed["refused"].to_list()[-1] is True
    assert crossed["seconds_queue_0"].to_list()[-1] is None
    better = probed(
        tape([(500, 36, 1, "no"), (590, 47, 1, "yes"), (660, 42, 9, "no")]), markets()
    ).probes.filter(kind=MAKER, lead_min=1)
    assert (better["refused"][-1], better["improves"][-1]) == (False, True)
    assert better["seconds_queue_1000"][-1] == 60


def test_a_virtual_maker_is_reached_by_the_real_fill() -> None:
    found = probed(tape([*SEEN, (2000, 40, 7, "no"), (2000, 39, 1, "no")]), markets()).probes
    (probe,) = found.filter(kind=MAKER, lead_min=5, price_cc=4000, bid=True).to_dicts()[1:]
    # At the instant of the real fill the same taker went on to 39.
    assert (probe["reached"], probe["through"], probe["volume"]) == (True, True, 7)
    assert probe["seconds_queue_1000"] == 300


def test_a_level_is_known_if_the_taker_went_on() -> None:
    trades: list[Trade] = [*SEEN, (700, 40, 7, "no"), (700, 38, 2, "no"), (701, 38, 5, "no")]
    levels = probed(tape(trades), markets()).levels
    assert levels.select("taken", "all_of_it", "spread").rows() == [
        (5.0, False, "unknown"),
        (5.0, False, "unknown"),
        (7.0, True, "3-4"),
        (5.0, False, "5+"),
    ]


def test_an_event_without_trades_has_no_probes() -> None:
    found = probed(tape([]), markets())
    assert (found.probes.height, found.levels.height, found.fills.height) == (0, 0, 0)
    assert found.probes.schema == PROBES


# Against the rules, written plainly, and against the future.


def by_the_rules(
    trades: Sequence[Trade], sign: int, limit: int, placed: float, ahead: int | None, share: float
) -> float | None:
    """Seconds to the fill of one contract; `ahead` None: the models touch and through, by share."""
    got, left = 0.0, ahead
    for at, cents, contracts, side in sorted(trades, key=lambda trade: trade[0]):
        if not placed < at <= min(placed + 3600, 6 * 3600) or sign * (limit - cents) < 0:
            continue
        if cents != limit:
            got, left = got + contracts, 0 if left is not None else None
        elif left is None:
            got += share * contracts
        elif (side == "yes") == (sign < 0):
            taken = min(left, contracts)
            got, left = got + contracts - taken, left - taken
        if got >= 1 - 1e-9:
            return math.ceil(round(at - placed, 6))
    return None


@st.composite
def tapes(draw: st.DrawFn, least: int = 2, last: int = 7200) -> list[Trade]:
    """Distinct instants, so that the order within one does not matter."""
    times = draw(st.lists(st.integers(1, last), min_size=least, max_size=40, unique=True))
    trade = st.tuples(
        st.integers(36, 44),
        st.sampled_from([0.5, 1.0, 3.0, 12.0, 40.0, 130.0]),
        st.sampled_from(["yes", "no"]),
    )
    return [(float(at), *draw(trade)) for at in sorted(times)]


@examples(60)
@given(tapes())
def test_probes_are_filled_as_the_rules_say(trades: list[Trade]) -> None:
    quoted: list[Trade] = [(0.2, 60, 1, "yes"), (0.4, 20, 1, "no"), *trades]
    for lead in (1, 15):
        found = probed(tape(quoted), markets()).probes.filter(kind=MAKER, lead_min=lead)
        real = [trade for trade in quoted if trade[0] >= 60 * lead]
        assert found.height == len(real)
        for (at, cents, _, side), probe in zip(real, found.to_dicts(), strict=True):
            if probe["refused"]:
                continue
            sign, placed = (-1 if side == "yes" else 1), at - 60 * lead
            for model in MODELS:
                ahead, share = None, 0.2 if model == "touch" else 0.0
                if model.startswith("queue"):
                    ahead = 0 if probe["improves"] else int(model.split("_")[1])
                expected = by_the_rules(quoted, sign, cents, placed, ahead, share)
                assert probe[f"seconds_{model}"] == expected, model


@examples(60)
@given(tapes())
def test_more_ahead_is_never_sooner_and_through_is_last(trades: list[Trade]) -> None:
    probes = probed(tape(trades), markets()).probes.filter(~pl.col("refused"))
    seconds = np.stack(
        [probes[f"seconds_queue_{n}"].fill_null(10**6).to_numpy() for n in AHEAD]
        + [probes["seconds_through"].fill_null(10**6).to_numpy()]
    )
    assert (np.diff(seconds, axis=0) >= 0).all()
    assert (probes["seconds_touch"].fill_null(10**6).to_numpy() <= seconds[-1]).all()


PLACEMENT = ["placed", "bid", "price_cc", "spread", "refused", "improves"]


@examples(60)
@given(tapes(least=12, last=2400), st.integers(900, 2400))
def test_clock_probes_know_nothing_of_what_comes(trades: list[Trade], cut: int) -> None:
    """Nor do they lose a fill, or gain one, by what comes after it."""
    until = OPEN + timedelta(seconds=cut)

    def known(trades: Sequence[Trade]) -> pl.DataFrame:
        probes = probed(tape(trades), markets()).probes
        rows = probes.filter(pl.col("kind") == CLOCK, pl.col("placed") <= until)
        fills = [
            pl.when(pl.col("placed") + pl.duration(seconds=name) <= until).then(name).alias(name)
            for name in (f"seconds_{model}" for model in MODELS)
        ]
        return rows.select(*PLACEMENT, *fills)

    assert_frame_equal(known([trade for trade in trades if trade[0] <= cut]), known(trades))


# Kaplan and Meier, sizes, Brier scores.


def test_the_median_time_counts_those_that_ended_unfilled() -> None:
    seconds = pl.Series([10, 20, None, 30, None], dtype=pl.Int32)
    lives = pl.Series([60, 60, 15, 60, 60], dtype=pl.Int32)
    # 4/5, then 4/5 * 2/3 with three left of whom one fills, then half of that.
    assert median_seconds(seconds, lives) == 30
    assert median_seconds(pl.Series([None, None], dtype=pl.Int32), lives[:2]) is None
    assert median_seconds(pl.Series([7, 9, 11], dtype=pl.Int32), lives[:3]) == 9


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_without_censoring_it_is_the_share_of_values(values: list[int]) -> None:
    counts = np.bincount(values, minlength=10).astype(float)
    np.testing.assert_allclose(distribution(counts, counts), np.cumsum(counts) / len(values))


def judged(volumes: Sequence[float], levels: Sequence[tuple[float, bool]]) -> QueueAhead:
    """Probes at 30-70 cents that were reached and not traded through, on twenty days."""
    dates = [DAY + timedelta(days=k % 20) for k in range(max(len(volumes), len(levels)))]
    empty = dict.fromkeys(PROBES)
    probes = pl.DataFrame(
        [
            {**empty, "date": at, "kind": CLOCK, "lead_min": 0, "price": "30-70", "spread": "1"}
            | {"refused": False, "improves": False, "volume": volume, "through": False}
            | {"volume_before_through": volume, "went_through": False}
            for at, volume in zip(dates, volumes, strict=False)
        ],
        schema=PROBES,
    )
    known = pl.DataFrame(
        [(at, "30-70", "1", *level) for at, level in zip(dates, levels, strict=False)],
        schema=LEVELS,
        orient="row",
    )
    boot = Bootstrap(seed=1, resamples=200, block=3)
    return QueueAhead(probes=probes, judged_s=900, clock=probes, levels=known, bootstrap=boot)


def test_the_best_number_ahead_is_the_median_of_the_levels() -> None:
    rng = np.random.default_rng(5)
    sizes = np.round(rng.lognormal(np.log(100), 1.0, 4000))
    study = judged(list(rng.uniform(1, 600, 4000)), [(size, True) for size in sizes])
    best = {row["reading"]: row for row in study.best_ahead.filter(price="30-70").to_dicts()}
    median = np.median(sizes)
    for reading in (TAKEN, LEVEL_SIZE):
        assert best[reading]["value"] == pytest.approx(median, rel=0.13)
        assert best[reading]["lo"] <= median * 1.07
        assert best[reading]["hi"] >= median * 0.93
    (found,) = study.sizes.filter(by="all", reading=TAKEN).to_dicts()
    assert found["median"] == pytest.approx(median, rel=0.13)
    assert study.undecided == 1.0


def test_takers_that_are_smaller_than_levels_hide_them_from_the_naive_reading() -> None:
    rng = np.random.default_rng(6)
    level, taker = np.round(rng.lognormal(5, 0.7, 6000)), np.round(rng.lognormal(4.5, 1.2, 6000))
    seen = [(min(a, b), bool(b > a)) for a, b in zip(level.tolist(), taker.tolist(), strict=True)]
    study = judged([1.0], seen)
    medians = dict(study.sizes.filter(by="all").select("reading", "median").rows())
    assert medians[LEVEL_SIZE] == pytest.approx(np.median(level), rel=0.13)
    assert medians[TAKEN] < 0.7 * np.median(level)


def test_brier_scores_by_hand() -> None:
    # Half of the levels are of 20 contracts, half of 200; each probe had 60 traded at its price.
    study = judged([60.0] * 20, [(20.0, True), (200.0, True)] * 10)
    scores = dict(study.brier.filter(reading=TAKEN).select("model", "value").rows())
    assert scores == {model: pytest.approx(0.5) for model in MODELS}
    sure = judged([60.0] * 20, [(20.0, True)] * 20)
    scores = dict(sure.brier.filter(reading=TAKEN).select("model", "value").rows())
    assert scores == {
        "touch": 1.0,  # by its own times, which are null here
        "through": 1.0,
        **{f"queue_{n}": 0.0 if n <= 50 else 1.0 for n in AHEAD},
    }
    regrets = sure.brier.filter(reading=REGRET)
    assert (regrets["value"] >= 0).all()


def study_of(seed: int, days: int) -> FillStudy:
    return FillStudy.of(event(seed + day, DAY + timedelta(days=day)) for day in range(days))


def event(seed: int, day: date) -> EventProbes:
    rng = np.random.default_rng(seed)
    trades = [
        (float(at), int(40 + round(4 * np.sin(at / 1000) + side)), float(n), ["no", "yes"][side])
        for at, side, n in zip(
            np.sort(rng.choice(7200, 300, replace=False)),
            rng.integers(0, 2, 300),
            rng.integers(1, 200, 300),
            strict=True,
        )
    ]
    return probed(tape(trades), markets().with_columns(date=pl.lit(day)))


def test_the_summary_has_every_model_and_its_figures_agree() -> None:
    study = study_of(3, 4)
    rows = {
        (row["kind"], row["lead_min"], row["model"], row["measure"]): row
        for row in study.summary.filter(by="all").to_dicts()
    }
    resting = study.probes.filter(~pl.col("refused"), kind=MAKER, lead_min=5)
    filled = (resting["seconds_queue_50"] <= 300).fill_null(False)
    row = rows[MAKER, 5, "queue_50", "filled"]
    assert row["value"] == pytest.approx(filled.mean())
    assert row["lo"] <= row["value"] <= row["hi"]
    assert rows[MAKER, 5, "bounds", "reached"]["value"] == 1.0
    certain = rows[CLOCK, 0, "bounds", "through"]["value"]
    assert rows[CLOCK, 0, "through", "filled"]["value"] == pytest.approx(certain)
    shares = [rows[CLOCK, 0, f"queue_{n}", "filled"]["value"] for n in AHEAD]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] <= rows[CLOCK, 0, "bounds", "reached"]["value"]
    assert shares[-1] >= certain


def test_inferred_quotes_are_compared_with_those_of_the_minute() -> None:
    candles = pl.DataFrame(
        {
            "market_ticker": [TICKER] * 3,
            "event_time": [OPEN + timedelta(seconds=at) for at in (600, 900, 960)],
            "yes_bid_close_cc": [4000, 3900, 4300],
            "yes_ask_close_cc": [4100, 4600, 4400],
        },
        schema_overrides={"event_time": pl.Datetime("us", "UTC")},
    )
    # A bid of 40 and an ask of 44 at 900 s, when 39 and 46 were quoted.
    found = compared(tape(SEEN), markets(), candles).sort("bid")
    assert found.select("gap_cents", "crosses").rows() == [(2.0, False), (1.0, False)]
    narrow = candles.with_columns(yes_bid_close_cc=pl.lit(4400), yes_ask_close_cc=pl.lit(4500))
    found = compared(tape(SEEN), markets(), narrow).sort("bid")
    assert found.select("gap_cents", "crosses").rows() == [(1.0, True), (-4.0, False)]
    assert compared(tape(SEEN), markets(), candles.clear()).is_empty()


def test_the_page_says_what_the_study_found(tmp_path: Path) -> None:
    study = study_of(3, 4)
    quotes = pl.DataFrame(
        [(DAY, True, gap, gap > 1) for gap in (-1.0, 0.0, 0.0, 2.0)], COMPARED, orient="row"
    )
    command = "kalshi-assets study"
    (path,) = write_page(study, quotes, command=command, city_days=4, folder=tmp_path)
    page = path.read_text("utf-8")
    assert "Of 4 such orders there 50.0% are at the recorded best price" in " ".join(page.split())
    best = recommended_ahead(study)
    assert best in AHEAD
    assert f"`queue_ahead_contracts` = {best}" in page
    (row,) = study.summary.filter(kind=CLOCK, by="all", model="touch", measure="filled").to_dicts()
    assert share(row) in page
    assert "None" not in page
    assert "nan" not in page


@needs_archive
def test_recorded_quotes_are_compared_where_there_are_tapes_too() -> None:
    found = compared_quotes(Archive(ARCHIVE), ["chicago"])
    assert found["date"].min() == date(2025, 5, 2)
    assert found["date"].max() == date(2025, 5, 8)
    assert found.height > 100


@needs_archive
def test_a_recorded_event_has_probes_of_all_kinds() -> None:
    read = tape_of(Archive(ARCHIVE), city_day("new_york", date(2025, 4, 22)))
    assert read is not None
    found = probed(*read)
    assert found.fills.height > 500
    assert set(found.probes["kind"]) == {MAKER, CLOCK}
    resting = found.probes.filter(~pl.col("refused"))
    assert resting.filter(kind=MAKER)["reached"].all()
    assert 0.05 < float(found.levels["all_of_it"].mean() or 0.0) < 0.5
