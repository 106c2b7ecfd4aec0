"""Whether weeks of shadow allow an account to trade live: a verdict of named tests.

What cannot be computed fails its test: nothing is promoted for want of data. Here: the queries and
the tests. Not here: who asks (`pipeline.promotion`, `commands`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from kalshi_assets.performance.results import Span
from kalshi_assets.tables import LIVE_PROMOTION
from kalshi_assets.tables.live import TRADING_ENDED
from kalshi_assets.units import CC_A_CENT

CONFIG_NAME = "promotion.toml"
JUDGED_MODEL = "through"


class Bars(BaseModel):
    """What must be reached; see promotion.toml.

    Raises
    ------
    ValidationError
        An unknown, missing or impossible value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    window_days: int = Field(ge=14, le=60)
    days: int = Field(ge=10)
    ladder_days: int = Field(ge=20)
    fills: int = Field(ge=300)
    net_bps: float = Field(ge=6)
    t_value: float = Field(ge=2)
    realised_share: float = Field(ge=0.25)
    drawdown_cc: int = Field(ge=0)
    equal_share: float = Field(ge=0.95, le=1)
    log_loss_excess: float = Field(le=0.02)
    ended_share: float = Field(ge=0.9, le=1)


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """What sessions did in the window.

    Attributes
    ----------
    sessions
        A row per session and ladder-day: ladder, date, end_reason, failures.
    parity
        Rows of `live.parity` with ladder and date.
    fills
        Executions of settled ladder-days under `JUDGED_MODEL`, of orders that were decided in time:
        ladder, date, cost_cc, net_cc.
    expected
        Gain expected of those orders: ladder, date, expected_cents.
    scores
        Log losses of hours: ladder, date, market, fused.
    """

    sessions: pl.DataFrame
    parity: pl.DataFrame
    fills: pl.DataFrame
    expected: pl.DataFrame
    scores: pl.DataFrame


_SESSIONS = """
select {ladder} as ladder, date, session_id, end_reason, failures
from live.sessions where {days} and mode = 'shadow'
"""

_PARITY = """
select {ladder} as ladder, date, strategy, cause, rows
from live.parity where {days}
"""

_FILLS = """
with paid as (
    select {ladder} as ladder, e.date, e.market_ticker,
        case when p.winning_bracket = e.bracket then 10000 else 0 end as paid_cc
    from (select distinct {ladder}, date, market_ticker, bracket from market.events where {days}) e
    join (
        select distinct {ladder}, date, winning_bracket from backtest.daily_pnl
        where winning_bracket is not null
    ) p using ({ladder}, date)
), timely as (
    -- What was decided while it was the present, not made up for by a session that began later.
    select distinct {ladder}, date, session_id, market_ticker, minute
    from live.decisions
    where strategy = $strategy and recorded_at - minute <= interval 5 minutes
), once as (
    -- A ladder-day counts once, however many sessions traded it.
    select f.* from live.fills f
    join live.orders o using ({ladder}, date, session_id, strategy, fill_model, order_id)
    semi join timely t on t.{ladder} = f.{ladder} and t.date = f.date
        and t.session_id = f.session_id and t.market_ticker = f.market_ticker
        and t.minute = o.decided_at
    where strategy = $strategy and fill_model = $model
    qualify row_number() over (
        partition by f.{ladder}, f.date, order_id, fill order by session_id
    ) = 1
)
select p.ladder, p.date,
    (contracts * case f.side when 'bid' then price_cc else 10000 - price_cc end)::bigint as cost_cc,
    (case f.side when 'bid' then 1 else -1 end * contracts * (paid_cc - price_cc) - fee_cc)::bigint
        as net_cc
from once f join paid p on f.{ladder} = p.ladder and f.date = p.date
    and f.market_ticker = p.market_ticker
"""

_EXPECTED = """
select d.{ladder} as ladder, d.date, sum(f.contracts * d.edge_cents) as expected_cents
from (select distinct on ({ladder}, date, strategy, market_ticker, minute) *
    from live.decisions where {days} and strategy = $strategy and reason = 'trade'
        and recorded_at - minute <= interval 5 minutes) d
join (
    select {ladder}, date, market_ticker, decided_at, sum(filled) as contracts
    from (select distinct on ({ladder}, date, order_id) *
        from live.orders where strategy = $strategy and fill_model = $model)
    group by all
) f on f.{ladder} = d.{ladder} and f.date = d.date and f.market_ticker = d.market_ticker
    and f.decided_at = d.minute
group by all
"""

_SCORES = """
select {ladder} as ladder, date, lst_hour,
    any_value(log_loss) filter (source = 'market') as market,
    any_value(log_loss) filter (source = 'fused') as fused
from backtest.report semi join live.sessions using ({ladder}, date) where {days}
group by all
"""


def shadow_of(
    catalogue: duckdb.DuckDBPyConnection, dimension: str, *, strategy: str, end: date, days: int
) -> Shadow:
    """Read what sessions did.

    Parameters
    ----------
    catalogue
        An open catalogue.
    dimension
        The family's name for a ladder.
    strategy
        The one that would trade.
    end, days
        Last date of the window, and its length.
    """
    span = Span(dimension=dimension, start=end - timedelta(days=days - 1), end=end)
    named = {"strategy": strategy, "model": JUDGED_MODEL}
    return Shadow(
        sessions=span.rows(catalogue, _SESSIONS),
        parity=span.rows(catalogue, _PARITY),
        fills=_named(catalogue, span, _FILLS, named),
        expected=_named(catalogue, span, _EXPECTED, named),
        scores=span.rows(catalogue, _SCORES),
    )


def _named(
    catalogue: duckdb.DuckDBPyConnection, span: Span, sql: str, named: dict[str, str]
) -> pl.DataFrame:
    filled = sql.format(days="date between $start and $end", ladder=span.dimension)
    return catalogue.sql(filled, params={"start": span.start, "end": span.end, **named}).pl()


def promotion(shadow: Shadow, bars: Bars) -> pl.DataFrame:
    """`live.promotion`: a row per test.

    Parameters
    ----------
    shadow
        What sessions did.
    bars
        What must be reached.
    """
    rows = [{"number": n, **test(shadow, bars)} for n, test in enumerate(_TESTS, 1)]
    return LIVE_PROMOTION.arranged(pl.DataFrame(rows, schema=LIVE_PROMOTION.dtypes, orient="row"))


def may_trade_live(rows: pl.DataFrame) -> bool:
    """Whether every test of a `live.promotion` passed; none: it may not."""
    return not rows.is_empty() and bool(rows["passed"].all())


def _row(
    test: str, found: float | None, bar: float, *, most: bool = False, missing: str = ""
) -> dict[str, Any]:
    known = found is not None and math.isfinite(found)
    passed = known and (found <= bar if most else found >= bar)  # type: ignore[operator]
    return {
        "test": test,
        "passed": passed,
        "found": found if known else None,
        "bar": float(bar),
        "missing": "" if passed else (missing or "unknown" if known else "not known yet"),
    }


def _days(shadow: Shadow, bars: Bars) -> dict[str, Any]:
    found = shadow.sessions["date"].n_unique()
    return _row("days", found, bars.days, missing=f"{bars.days - found} more days of shadow")


def _ladder_days(shadow: Shadow, bars: Bars) -> dict[str, Any]:
    found = shadow.sessions.select("ladder", "date").n_unique()
    more = bars.ladder_days - found
    days = max(shadow.sessions["date"].n_unique(), 1)
    wait = math.ceil(more / max(found / days, 1e-9)) if found else None
    said = f"{more} more ladder-days" + (
        "" if wait is None else f", about {wait} days at this rate"
    )
    return _row("ladder_days", found, bars.ladder_days, missing=said)


def _fills(shadow: Shadow, bars: Bars) -> dict[str, Any]:
    found = shadow.fills.height
    days = max(shadow.sessions["date"].n_unique(), 1)
    more, rate = bars.fills - found, found / days
    said = f"{more} more fills" + (
        f", about {math.ceil(more / rate)} days at this rate" if rate else "; none so far"
    )
    return _row("fills", found, bars.fills, missing=said)


def _net(shadow: Shadow, bars: Bars) -> dict[str, Any]:
    cost = _sum(shadow.fills["cost_cc"])
    found = 10_000 * _sum(shadow.fills["net_cc"]) / cost if cost else None
    return _row("net_bps", found, bars.net_bps, missing="the fills gain too little")


def _t_value(shadow: Shadow, bars: Bars) -> dict[str, Any]:
    nets = _by_ladder_day(shadow.fills)
    found = None
    if len(nets) > 1 and nets.std(ddof=1) > 0:
        found = float(nets.mean() / (nets.std(ddof=1) / np.sqrt(len(nets))))
    return _row("t_value", found, bars.t_value, missing="the gain may be luck")


def _realised(shadow: Shadow, bars: Bars) -> dict[str, Any]:
    expected = _sum(shadow.expected["expected_cents"]) * CC_A_CENT
    found = _sum(shadow.fills["net_cc"]) / expected if expected > 0 else None
    return _row(
        "realised_share", found, bars.realised_share, missing="orders earn less than they promised"
    )


def _drawdown(shadow: Shadow, bars: Bars) -> dict[str, Any]:
    by_date = shadow.fills.group_by("date").agg(pl.col("net_cc").sum()).sort("date")
    path = np.concatenate([[0], by_date["net_cc"].cum_sum().to_numpy()])
    fall = float((np.maximum.accumulate(path) - path).max())
    found = fall if shadow.fills.height else None
    return _row("drawdown_cc", found, bars.drawdown_cc, most=True, missing="the fall is too deep")


def _parity(shadow: Shadow, bars: Bars) -> dict[str, Any]:
    rows = _sum(shadow.parity["rows"])
    equal = _sum(shadow.parity.filter(cause="equal")["rows"])
    found = equal / rows if rows else None
    return _row("equal_share", found, bars.equal_share, missing="decisions differ: see live.parity")


def _unexplained(shadow: Shadow, bars: Bars) -> dict[str, Any]:
    known = shadow.parity.height > 0
    found = _sum(shadow.parity.filter(cause="unexplained")["rows"]) if known else None
    return _row("unexplained", found, 0, most=True, missing="a defect: see live.parity")


def _log_loss(shadow: Shadow, bars: Bars) -> dict[str, Any]:
    both = shadow.scores.drop_nulls()
    found = float((both["fused"] - both["market"]).mean()) if both.height else None  # type: ignore[arg-type]
    return _row(
        "log_loss_excess",
        found,
        bars.log_loss_excess,
        most=True,
        missing="the market forecasts better",
    )


def _ended(shadow: Shadow, bars: Bars) -> dict[str, Any]:
    of_session = shadow.sessions.unique("session_id")
    ended = of_session.filter(pl.col("end_reason") == TRADING_ENDED).height
    found = ended / of_session.height if of_session.height else None
    return _row("ended_share", found, bars.ended_share, missing="sessions ended early")


def _sum(values: pl.Series) -> float:
    return float(values.sum() or 0)


def _by_ladder_day(fills: pl.DataFrame) -> np.ndarray:
    nets = fills.group_by("ladder", "date").agg(pl.col("net_cc").sum())
    return nets["net_cc"].to_numpy().astype(float)


_TESTS: tuple[Callable[[Shadow, Bars], dict[str, Any]], ...] = (
    _days,
    _ladder_days,
    _fills,
    _net,
    _t_value,
    _realised,
    _drawdown,
    _parity,
    _unexplained,
    _log_loss,
    _ended,
)
