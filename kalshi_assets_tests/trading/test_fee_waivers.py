"""Fees that the exchange waives until an instant."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from kalshi_assets.exchange.fees import fee_cc
from kalshi_assets.trading.engine import run_day
from kalshi_assets.trading.signal import signals
from kalshi_assets.trading.terms import EventTerms
from kalshi_assets_tests.exchange.fake_exchange import markets
from kalshi_assets_tests.exchange.test_contract import read
from kalshi_assets_tests.trading.panels import column, minute, panel, params, tickers

MAKER_FEES = "quadratic_with_maker_fees"


def terms(until: datetime | None, brackets: int = 6) -> EventTerms:
    """Terms of an event whose bracket 0 is free until an instant."""
    at: list[datetime | None] = [until, *[None] * (brackets - 1)]
    return EventTerms.of(
        pl.DataFrame(
            {
                "event_ticker": "KXHIGHCHI-25MAY05",
                "market_ticker": tickers(brackets),
                "bracket": range(brackets),
                "lo": [None, *range(1, brackets)],
                "hi": [*range(brackets - 1), None],
                "fee_type": MAKER_FEES,
                "fee_multiplier": 1.0,
                "fee_waiver_until": pl.Series(at, dtype=pl.Datetime("us", "UTC")),
            }
        )
    )


def fee_of(frame: pl.DataFrame, of: EventTerms) -> dict[str, Any]:
    """The only order of bracket 0, filled conservatively."""
    fills = run_day(frame, terms=of, params=params(), outcome=None).fills
    return fills.filter(fill_model="conservative").row(0, named=True)


def takes_at(filled: int) -> pl.DataFrame:
    """A day whose only order takes, and fills at minute `filled`."""
    at = filled - 2
    return panel(12, p_calibrated=column(12, 0.49, {at: 0.60}), volume_1m=200.0)


@pytest.mark.parametrize("filled", [2, 4, 5, 6, 9])
def test_a_fill_before_the_instant_is_free_and_one_at_or_after_it_pays(filled: int) -> None:
    order = fee_of(takes_at(filled), terms(minute(5)))
    assert order["event_time"] == minute(filled)
    regular = fee_cc(order["price_cc"], order["filled"], MAKER_FEES, 1.0, "taker")
    assert regular > 0
    assert order["fee_cc"] == (0 if filled < 5 else regular)


def test_within_a_minute_the_instant_counts() -> None:
    just_after = minute(5) + timedelta(microseconds=1)
    assert fee_of(takes_at(5), terms(just_after))["fee_cc"] == 0
    assert fee_of(takes_at(5), terms(minute(5)))["fee_cc"] > 0


def test_of_an_order_that_fills_on_both_sides_of_the_instant_only_the_later_pieces_pay() -> None:
    thin = {"low_1m": (np.nan, 0.46), "high_1m": (np.nan, 0.49), "volume_1m": (0.0, 10.0)}
    frame = panel(
        12,
        p_calibrated=column(12, 0.49, {0: 0.55}),
        bid=0.48,
        ask=0.54,
        p_mkt=0.49,
        **{
            name: column(12, quiet, dict.fromkeys(range(2, 7), traded))
            for name, (quiet, traded) in thin.items()
        },
    )
    tuned = params(max_spread_cents=10.0)
    result = run_day(frame, terms=terms(minute(5)), params=tuned, outcome=None)
    order = result.fills.filter(fill_model="conservative").row(0, named=True)
    assert (order["execution"], order["filled"]) == ("maker", 4)
    assert order["fee_cc"] == fee_cc(4800, 2, MAKER_FEES, 1.0, "maker") > 0


def test_a_waiver_is_of_its_own_market() -> None:
    worth = np.full((12, 6), 0.49)
    worth[0, :2] = 0.60
    frame = panel(12, p_calibrated=worth, volume_1m=200.0)
    result = run_day(frame, terms=terms(minute(9)), params=params(), outcome=None)
    fees = result.fills.filter(fill_model="conservative").sort("market_ticker", descending=True)
    by_market = dict(fees.select("market_ticker", "fee_cc").iter_rows())
    assert by_market["KXHIGHCHI-25MAY05-T80"] == 0
    assert by_market["KXHIGHCHI-25MAY05-B81"] > 0


def test_an_edge_counts_on_the_waiver_only_where_the_order_cannot_outlive_it() -> None:
    frame = panel(20, 1, p_calibrated=0.60)
    of = terms(minute(12), brackets=1)
    said = signals(frame, params(), of.fee, of.free_rows(frame, params())).sort("minute")
    charged = signals(frame, params(), of.fee).sort("minute")
    saved = (said["edge_cents"] - charged["edge_cents"]).to_list()
    fee_cents = of.fee(5100, 10, "taker") / 10 / 100
    # Placed a minute later, and alive for five: decided at 5 it is gone by 11, at 6 by 12.
    assert saved[:6] == pytest.approx([fee_cents] * 6)
    assert saved[6:] == [0.0] * 14


def test_without_a_waiver_nothing_is_free() -> None:
    of = terms(None)
    assert of.free_rows(panel(3), params()) is None
    assert not of.is_waived(0, 0)
    assert not EventTerms(fee_type="quadratic", fee_multiplier=1.0).is_waived(3, 0)


def test_the_exchanges_word_reaches_the_fee_of_a_fill() -> None:
    until = "2026-06-15T20:30:00Z"
    of = EventTerms.of(read(markets(fee_waiver_expiration_time=until)).to_frame())
    at = int(datetime(2026, 6, 15, 20, 30, tzinfo=UTC).timestamp()) // 60
    assert [of.is_waived(bracket, at - 1) for bracket in range(6)] == [True] * 6
    assert not any(of.is_waived(bracket, at) for bracket in range(6))
