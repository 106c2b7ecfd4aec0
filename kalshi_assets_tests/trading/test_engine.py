"""Money and contracts of whole sessions: nothing is made, lost or counted twice."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kalshi_assets.instants import microseconds
from kalshi_assets.tables.backtest import FILL_MODELS
from kalshi_assets.trading import records
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.engine import Run, backtest
from kalshi_assets.trading.ledger import postings, worst_case_cc
from kalshi_assets.trading.records import Outcome
from kalshi_assets.trading.strategies import SHIPPED
from kalshi_assets_tests.trading.days import Shape, drawn_params, generated_day, lively

SHORT = Shape(minutes=60, brackets=4, trades=600, spoilt=0.02)


def sessions(count: int) -> Iterator[tuple[TradingDay, Outcome]]:
    """Short generated days of all kinds, settled on an atom or at a fair price."""
    for seed in range(count):
        random = np.random.default_rng(seed)
        shape = replace(
            SHORT,
            nested=bool(seed % 3 == 0),
            trades=int(random.choice([0, 600])),
            fee_type=str(random.choice(["quadratic", "quadratic_with_maker_fees"])),
            schedule=str(random.choice(["direct", "broker", "conservative"])),
        )
        day = generated_day(seed, drawn_params(random), shape)
        atom = int(random.integers(day.terms.ladder.count))
        paid = 10_000 * day.terms.ladder.payoff[:, atom]
        if seed % 5 == 0:
            paid = random.integers(0, 10_001, len(day.first))
        outcome = Outcome(
            settled_by="exchange",
            value=None,
            winning_bracket=atom if seed % 5 else None,
            payoffs_cc=tuple(int(each) for each in paid),
            known_at=int(day.instants[-1]),
        )
        yield day, outcome


def conserved(day: TradingDay, outcome: Outcome) -> int:
    """Check a session's money and contracts; its number of fills."""
    runs = backtest(day)
    fills, pnl = records.fills(day, runs, outcome), records.daily_pnl(day, runs, outcome)
    ledger = postings(fills, outcome.payoffs_cc, day.markets, outcome.known_at)
    assert (
        (ledger.group_by("strategy", "fill_model", "entry").agg(pl.col("amount_cc").sum()))[
            "amount_cc"
        ]
        .eq(0)
        .all()
    )
    of = ["strategy", "fill_model"]
    accounts = ledger.group_by(*of, "account").agg(pl.col("amount_cc", "contracts").sum())
    cash = pnl.join(accounts.filter(account="cash"), on=of, how="left")
    assert cash["net_cc"].equals(cash["amount_cc"].fill_null(0), check_names=False)
    fees = pnl.join(accounts.filter(account="fees"), on=of, how="left")
    assert fees["fees_cc"].equals(fees["amount_cc"].fill_null(0), check_names=False)
    # Settled, nothing is held, neither contracts nor their cost.
    held = accounts.filter(account="position")
    assert (held["contracts"] == 0).all()
    assert (held["amount_cc"] == 0).all()
    gains = pnl.join(fills.group_by(of).agg(pl.col("pnl_cc").sum()), on=of, how="left")
    assert gains["net_cc"].equals(gains["pnl_cc"].fill_null(0), check_names=False)
    if outcome.winning_bracket is not None:
        assert (pnl["net_cc"] >= pnl["worst_case_cc"]).all()
    for run in runs:
        volume_is_used_once(day, records.fills(day, [run], None))
    return fills.height


def volume_is_used_once(day: TradingDay, fills: pl.DataFrame) -> None:
    """All makers of a bracket together got no more by any instant than was traded by then."""
    makers = fills.filter(execution="maker")
    if makers.is_empty():
        return
    traded = pl.DataFrame(
        {
            "market_ticker": np.array(day.markets)[day.tape.bracket],
            "at": day.tape.at,
            "hundredths": day.tape.quantity,
        }
    )
    of = ["market_ticker", "at"]
    got = makers.select("market_ticker", at=microseconds(makers["event_time"]), got="contracts")
    both = traded.group_by(of).agg(pl.col("hundredths").sum())
    both = both.join(got.group_by(of).agg(pl.col("got").sum()), on=of, how="full", coalesce=True)
    # Nothing fills without a trade.
    assert both["hundredths"].null_count() == 0
    so_far = both.sort(of).with_columns(
        (pl.col("hundredths") - 100 * pl.col("got").fill_null(0)).cum_sum().over("market_ticker")
    )
    assert (so_far["hundredths"] >= 0).all()


def test_postings_balance_and_contracts_are_conserved_over_a_hundred_sessions() -> None:
    assert sum(conserved(day, outcome) for day, outcome in sessions(100)) > 1000


@pytest.mark.slow
def test_postings_balance_and_contracts_are_conserved_over_a_thousand_sessions() -> None:
    assert sum(conserved(day, outcome) for day, outcome in sessions(1000)) > 10_000


def frames(day: TradingDay, runs: list[Run]) -> list[pl.DataFrame]:
    return [
        records.decisions(day, runs),
        records.orders(day, runs),
        records.fills(day, runs, None),
        records.daily_pnl(day, runs, None),
    ]


def test_the_same_day_gives_the_same_bytes_in_any_order_of_strategies_and_models() -> None:
    day = generated_day(11, lively())
    one = frames(day, backtest(day))
    again = frames(generated_day(11, lively()), backtest(generated_day(11, lively())))
    other = frames(day, backtest(day, SHIPPED[::-1], FILL_MODELS[::-1]))
    for first, second, third in zip(one, again, other, strict=True):
        assert first.write_ipc(None).getvalue() == second.write_ipc(None).getvalue()
        assert_frame_equal(first, third, check_row_order=False)


def test_no_edge_means_no_orders_and_no_money() -> None:
    day = generated_day(3, lively())
    fair = day.panel.with_columns(p_calibrated="p_mkt")
    day = replace(day, panel=fair, params=lively(value={"reduce_min_edge_cents": 0.5}, honesty=1.0))
    runs = [run for run in backtest(day) if run.strategy == "value"]
    makers = records.orders(day, runs).filter(execution="maker")
    assert makers.is_empty()


def test_positions_and_losses_stay_within_their_limits() -> None:
    for seed in range(30):
        day = generated_day(seed, lively(max_position_contracts=12, max_ladder_loss_cc=30_000))
        runs = backtest(day)
        assert (records.daily_pnl(day, runs, None)["worst_case_cc"] >= -30_000).all()
        assert records.decisions(day, runs)["position"].abs().max() <= 12


@pytest.mark.parametrize("nested", [False, True])
def test_the_worst_case_is_the_least_gain_over_all_outcomes(nested: bool) -> None:
    ladder = generated_day(1, lively(), replace(SHORT, nested=nested)).terms.ladder
    random = np.random.default_rng(2)
    for _ in range(100):
        position = random.integers(-20, 21, len(ladder))
        gains = 10_000 * ladder.payoff.T.astype(np.int64) @ position - 777
        assert worst_case_cc(position, ladder.runs, ladder.count, -777) == gains.min()


def test_fills_before_a_waivers_end_are_free_and_those_after_it_are_not() -> None:
    day = generated_day(
        4, lively(), replace(SHORT, minutes=120, fee_type="quadratic_with_maker_fees")
    )
    middle = int(day.instants[60])
    terms = replace(day.terms, fee_from=(middle,) * len(day.first))
    day = replace(day, terms=terms)
    fills = records.fills(day, backtest(day), None)
    free = microseconds(fills["event_time"]) < middle
    assert 0 < free.sum() < fills.height
    assert (fills.filter(free)["fee_cc"] == 0).all()
    assert (fills.filter(~free)["fee_cc"] > 0).all()


def test_an_unknown_fill_model_or_a_name_given_twice_is_an_error() -> None:
    day = generated_day(1, lively(), SHORT)
    with pytest.raises(ValueError, match=r"optimist.*touch, through, queue"):
        backtest(day, fill_models=["optimist"])
    with pytest.raises(ValueError, match="different names"):
        backtest(day, [SHIPPED[0], SHIPPED[0]])
