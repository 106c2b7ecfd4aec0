"""The walls, proved: a ladder of dice runs from a sandbox's event to its page."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kalshi_assets.keys import days_between
from kalshi_assets.ladder.terms import atoms_of
from kalshi_assets.lake.checks import pmfs_sum_to_one
from kalshi_assets.lake.configurations import Configurations
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.rules import judged
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.runner import Runner
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.stream.recording import Recordings
from kalshi_assets.tables import (
    CALIBRATED,
    CALIBRATORS,
    CANDLES,
    DAILY_PNL,
    DECISIONS,
    EVENTS,
    FILLS,
    FUSED_PMF,
    FUSION_WEIGHTS,
    LABELS,
    MARKET_PMF,
    MINUTE_PANEL,
    REPORT,
)
from kalshi_assets_tests.dice import family, world

TABLES = [table for each in family.GRAPH for table in each.makes]
LAST = family.key_of(world.LAST)
ENDLESS = BucketSize(refill_rate=1e9, capacity=1e9)


def served(archive: Path) -> AbstractContextManager[Sandbox]:
    return running(archive, read_bucket=ENDLESS, anonymous_bucket=ENDLESS)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Every table of every day, made by the runner from a sandbox."""
    root = tmp_path_factory.mktemp("dice")
    archive = world.write_archive(root / "archive")
    with pytest.MonkeyPatch.context() as patch, served(archive) as sandbox:
        patch.setenv("KALSHI_API_URL", sandbox.api_url)
        patch.setenv("KALSHI_ASSETS_DATA", str(root / "data"))
        yield made(root / "data")


def made(data: Path) -> Lake:
    lake = Lake(Files(data), family.DICE)
    kalshi = KalshiService(unthrottled=True)
    services = {
        "kalshi": kalshi,
        "dice": family.DiceService(),
        "configurations": Configurations(lake.files),
        "recordings": Recordings(lake.files),
    }
    runner = Runner(lake, family.GRAPH, services, float)
    for day in days_between(world.FIRST, world.LAST):
        runner.make(family.key_of(day), TABLES)
    kalshi.close()
    return lake


def test_every_table_of_the_family_is_made(lake: Lake) -> None:
    assert len(TABLES) == 27
    for table in TABLES:
        assert lake.has(table, LAST), table.full_name
    assert "table=first_table" in lake.address(EVENTS, LAST)


def test_the_event_has_forty_nested_thresholds(lake: Lake) -> None:
    ladder = atoms_of(lake.read(EVENTS, LAST))
    assert (len(ladder), ladder.count, ladder.shape) == (40, 41, "thresholds")
    assert lake.read(MINUTE_PANEL, LAST).height == 40 * 391
    assert lake.read(CANDLES, LAST).height == 40 * 390


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (MARKET_PMF, ["p_mkt"]),
        (family.DICE_PMF, ["p_model"]),
        (FUSED_PMF, ["p_mkt", "p_fused"]),
        (CALIBRATED, ["p_raw", "p_calibrated"]),
    ],
)
def test_probabilities_fall_from_threshold_to_threshold(
    lake: Lake, table: family.Table, names: list[str]
) -> None:
    frame = lake.read(table, LAST).sort("minute", "bracket")
    for name in names:
        p = frame[name].to_numpy().reshape(-1, 40)
        assert (np.diff(p, axis=1) <= 1e-12).all(), name
        assert (p >= 0).all()
        assert (p <= 1).all()


def test_the_market_curve_follows_the_books(lake: Lake) -> None:
    pmf = lake.read(MARKET_PMF, LAST).join(
        lake.read(MINUTE_PANEL, LAST), on=["market_ticker", "minute"]
    )
    later = pmf.filter(pl.col("minute") > family.day_start(LAST) + timedelta(minutes=5))
    assert later["valid"].all()
    inside = later.select((pl.col("p_mkt") - pl.col("mid")).abs().max()).item()
    assert inside <= 0.01 + 1e-9


def test_the_pool_learns_that_the_dice_know_more_than_the_market(lake: Lake) -> None:
    weights = lake.read(FUSION_WEIGHTS, LAST)
    assert weights["parameter"].to_list()[:2] == ["dice_constant", "market_constant"]
    assert weights["n_days"].max() == 14
    shares = weights.filter(pl.col("parameter") == "share")
    assert shares["value"].max() > 0
    assert lake.read(FUSED_PMF, LAST)["model_weight"].max() > 0


def test_until_the_dice_speak_the_pool_is_the_market_bit_for_bit(lake: Lake) -> None:
    fused = lake.read(FUSED_PMF, LAST)
    before = fused.filter(pl.col("minute") < family.day_start(LAST) + family.WAITS)
    assert before["minute"].n_unique() == 5
    assert set(before["model_status"]) == {"not_yet"}
    assert before["p_fused"].equals(before["p_mkt"].alias("p_fused"))


def test_what_cannot_pay_has_no_probability(lake: Lake) -> None:
    fused = lake.read(FUSED_PMF, LAST).filter("impossible")
    assert fused.height > 0
    assert fused["p_fused"].max() == 0
    calibrated = lake.read(CALIBRATED, LAST).filter("impossible")
    assert calibrated["p_calibrated"].max() == 0


def test_every_table_passes_its_checks(lake: Lake) -> None:
    for table in TABLES:
        for check, verdict in judged(lake, family.CHECKS.of(table), table, LAST).items():
            assert verdict.passed, f"{table.full_name} {check.name}: {verdict.found}"
    rising = lake.read(FUSED_PMF, LAST).with_columns(
        p_fused=pl.when(pl.col("bracket") == 39).then(0.5).otherwise("p_fused")
    )
    assert not pmfs_sum_to_one(FUSED_PMF, rising, atoms_of(lake.read(EVENTS, LAST))).passed


def test_every_leg_that_the_sum_clears_pays(lake: Lake) -> None:
    total = sum(pips for _, pips in world.throws_of(LAST.date))
    said = lake.read(family.SETTLEMENTS, LAST).row(0, named=True)
    assert (said["value"], said["winning_market"]) == (total, None)
    pays = lake.read(LABELS, LAST).filter(pl.col("minute") == family.day_start(LAST))
    expected = [total >= strike for strike in world.STRIKES]
    assert pays.sort("bracket")["pays"].to_list() == expected
    assert set(lake.read(LABELS, LAST)["y_win_5m"]) == {None}
    pnl = lake.read(DAILY_PNL, LAST)
    assert set(pnl["value"]) == {total}
    assert set(pnl["winning_bracket"]) == {sum(expected)}


def test_gains_are_those_of_every_leg_on_its_own(lake: Lake) -> None:
    total = sum(pips for _, pips in world.throws_of(LAST.date))
    fills = lake.read(FILLS, LAST)
    assert fills.height > 0
    results = lake.read(DAILY_PNL, LAST).select("strategy", "fill_model", "net_cc")
    for strategy, model, net_cc in results.iter_rows():
        gain = 0
        for fill in fills.filter(strategy=strategy, fill_model=model).to_dicts():
            strike = int(fill["market_ticker"].rpartition("T")[2])
            paid = 10_000 if total >= strike else 0
            sign = 1 if fill["side"] == "bid" else -1
            gain += sign * fill["contracts"] * (paid - fill["price_cc"]) - fill["fee_cc"]
        assert net_cc == gain, (strategy, model)


def test_the_engine_gives_its_reasons_and_the_family_its_veto(lake: Lake) -> None:
    decisions = lake.read(DECISIONS, LAST)
    assert decisions.height == 3 * 40 * 391
    soon = decisions.filter(pl.col("minute").dt.minute() % 30 == 29)
    assert "throw_soon" in set(soon["reason"])
    assert "trade" not in set(soon["reason"])
    assert "trade" in set(decisions["reason"])


def test_every_source_is_scored_over_the_atoms(lake: Lake) -> None:
    report = lake.read(REPORT, LAST)
    assert set(report["source"]) == {"market", "dice", "fused"}
    unknown = report.filter(pl.col("log_loss").is_null())
    assert unknown["source"].to_list() == ["dice"]  # in the hour in which they begin to speak
    mean = dict(report.group_by("source").agg(pl.mean("log_loss")).iter_rows())
    assert mean["dice"] < mean["market"]


def test_calibration_learns_from_days_over_atoms(lake: Lake) -> None:
    assert lake.read(CALIBRATORS, LAST)["n_days"].max() >= 10


def test_the_page_says_what_was_believed_and_why_it_traded(lake: Lake) -> None:
    html = lake.read(family.PAGE, LAST)["html"].item()
    total = sum(pips for _, pips in world.throws_of(LAST.date))
    assert f"Settled at {total} pip" in html
    assert "throw soon" in html
    assert html.count("<code>KXDICE") >= 40
    assert "http" not in html.replace("http://www.w3.org", "")


def test_what_one_minute_does_not_know_changes_nothing_in_it(lake: Lake) -> None:
    instant = family.day_start(LAST) + timedelta(hours=3)
    events, throws = lake.read(EVENTS, LAST), lake.read(family.THROWS, LAST)
    noise = throws.with_columns(
        pips=pl.when(pl.col("known_at") > instant).then(7 - pl.col("pips")).otherwise("pips")
    )
    past = pl.col("minute") <= instant
    whole = lake.read(family.DICE_PMF, LAST)
    attacked = family.dice_pmf(events, noise)
    assert attacked.filter(past).equals(whole.filter(past))
    assert not attacked.equals(whole)
