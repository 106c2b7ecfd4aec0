"""One account over all ladders of a date: which orders it carries."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from kalshi_assets.config import load_toml
from kalshi_assets.ladder.brackets import Ladder
from kalshi_assets.ladder.legs import Leg
from kalshi_assets.trading.account import CONFIG_NAME, AccountParams, LadderTerms, account_day
from kalshi_assets.trading.fee_kernels import DIRECT, FeeTerms

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
MANY = AccountParams(opening_cc=10**8, max_daily_loss_cc=10**9, max_exposure_cc=10**9)


def _ladder(name: str) -> Ladder:
    edges = ((None, 60), (61, 62), (63, None))
    return Ladder(
        tuple(Leg(market_ticker=f"{name}-{n}", lo=lo, hi=hi) for n, (lo, hi) in enumerate(edges))
    )


FILLS = {
    **dict.fromkeys(
        ("ladder", "strategy", "fill_model", "order_id", "market_ticker", "side", "execution"),
        pl.String,
    ),
    **dict.fromkeys(("price_cc", "contracts", "fee_cc", "pnl_cc"), pl.Int64),
    "event_time": pl.Datetime("us", "UTC"),
}
FREE = FeeTerms(maker=0, taker=0, schedule=DIRECT)
COSTS = FeeTerms(maker=0, taker=10_000, schedule=DIRECT)
LADDERS = {name: LadderTerms(_ladder(name), FREE) for name in ("north", "south")}


class Desk:
    """Orders and fills of a date, one line each."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.fills: list[dict[str, Any]] = []

    def order(
        self,
        ladder: str,
        minute: int,
        price: int,
        contracts: int,
        *,
        side: str = "bid",
        bracket: int = 1,
        execution: str = "maker",
        filled_at: int | None = None,
        pnl: int = 0,
    ) -> None:
        """An order of a minute that ends ten minutes later, and its whole fill."""
        at = START + timedelta(minutes=minute)
        shared = {
            "ladder": ladder,
            "strategy": "value",
            "fill_model": "through",
            "order_id": f"{ladder}/{len(self.orders)}",
            "market_ticker": f"{ladder}-{bracket}",
            "side": side,
            "execution": execution,
            "price_cc": price,
            "contracts": contracts,
        }
        end = at + timedelta(minutes=10)
        if filled_at is not None:
            end = START + timedelta(minutes=filled_at)
            self.fills.append({**shared, "event_time": end, "fee_cc": 100, "pnl_cc": pnl})
        self.orders.append({**shared, "decided_at": at, "event_time": end})

    def account(
        self, params: AccountParams = MANY, ladders: Mapping[str, LadderTerms] = LADDERS
    ) -> dict[str, Any]:
        """The account's row."""
        fills = pl.DataFrame(self.fills, schema=FILLS)
        made = account_day(params, ladders, pl.DataFrame(self.orders), fills)
        return made.row(0, named=True)


def test_an_account_that_can_carry_everything_leaves_nothing_out() -> None:
    desk = Desk()
    desk.order("north", 0, 4_000, 10, filled_at=2, pnl=59_900)
    desk.order("south", 1, 3_000, 10, filled_at=4, pnl=-30_100)
    row = desk.account()
    assert (row["orders"], row["left_out"]) == (2, 0)
    assert row["net_cc"] == row["alone_cc"] == 29_800
    # Both ladders at their worst: what was paid, and fees.
    assert row["worst_cc"] == -(40_000 + 100 + 30_000 + 100)
    assert row["exposure_cc"] == 70_200


def test_the_loss_of_all_ladders_together_stops_the_second_order() -> None:
    desk = Desk()
    desk.order("north", 0, 4_000, 10, filled_at=2, pnl=59_900)
    desk.order("south", 5, 3_000, 10, filled_at=7, pnl=-30_100)
    row = desk.account(MANY.model_copy(update={"max_daily_loss_cc": 60_000}))
    assert row["left_out"] == 1
    assert row["alone_cc"] == 29_800
    assert row["net_cc"] == 59_900
    assert row["worst_cc"] == -40_100


def test_working_orders_count_until_they_end() -> None:
    desk = Desk()
    desk.order("north", 0, 4_000, 10)
    desk.order("south", 9, 3_000, 10)
    desk.order("south", 10, 3_000, 10)
    row = desk.account(MANY.model_copy(update={"max_exposure_cc": 50_000}))
    # The first works until minute ten, where it ends before the third is decided.
    assert row["left_out"] == 1


def test_an_order_that_reduces_the_worst_case_always_passes() -> None:
    desk = Desk()
    desk.order("north", 0, 4_000, 10, filled_at=2, pnl=0)
    desk.order("north", 5, 5_000, 10, side="ask", filled_at=6, pnl=0)
    row = desk.account(MANY.model_copy(update={"max_daily_loss_cc": 40_000}))
    assert row["left_out"] == 0


def test_the_gain_of_one_ladder_does_not_pay_for_the_exposure_of_another() -> None:
    desk = Desk()
    # Bought at 40 cents and sold at 60: ten contracts have gained two dollars for sure.
    desk.order("north", 0, 4_000, 10, filled_at=1, pnl=0)
    desk.order("north", 2, 6_000, 10, side="ask", filled_at=3, pnl=0)
    desk.order("south", 5, 3_000, 10, filled_at=6, pnl=0)
    caps = MANY.model_copy(update={"max_daily_loss_cc": 41_000, "max_exposure_cc": 41_000})
    row = desk.account(caps)
    assert row["left_out"] == 0
    assert (
        desk.account(caps.model_copy(update={"max_exposure_cc": 40_100}))["exposure_cc"] == 40_100
    )


def test_a_working_taker_is_counted_with_its_fee() -> None:
    desk = Desk()
    desk.order("north", 0, 5_000, 10, execution="taker", filled_at=0, pnl=0)
    caps = MANY.model_copy(update={"max_daily_loss_cc": 50_000})
    ladders = {name: LadderTerms(_ladder(name), COSTS) for name in LADDERS}
    assert desk.account(caps)["left_out"] == 0
    assert desk.account(caps, ladders)["left_out"] == 1


def test_a_fill_in_the_instant_of_its_decision_is_booked_behind_it() -> None:
    desk = Desk()
    desk.order("north", 0, 4_000, 10, filled_at=0, pnl=59_900)
    assert desk.account()["net_cc"] == 59_900


def test_an_unsettled_fill_leaves_the_gain_unknown() -> None:
    desk = Desk()
    desk.order("north", 0, 4_000, 10, filled_at=2)
    desk.fills[0]["pnl_cc"] = None
    row = desk.account()
    assert row["net_cc"] is None
    assert row["alone_cc"] is None


def test_the_caps_that_ship_are_valid_and_a_wrong_key_is_refused() -> None:
    assert AccountParams(**load_toml(CONFIG_NAME)).opening_cc > 0
    with pytest.raises(ValueError, match="max_loss"):
        AccountParams(**load_toml(CONFIG_NAME), max_loss=1)
