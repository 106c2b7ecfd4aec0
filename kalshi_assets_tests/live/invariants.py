"""What must hold after every session: its journal against the exchange's own books.

Here: the comparison, over the books as the sandbox kept them and not as it serves them. Not here:
sessions, faults.
"""

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.terms import atoms_of
from kalshi_assets.lake.store import Lake
from kalshi_assets.live.comparison import cash_expected
from kalshi_assets.live.gate import GateLimits, Ladder, worst_case_millionths
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.journal_records import Holding
from kalshi_assets.live.opening import session_name
from kalshi_assets.pipeline.graph import FAMILIES
from kalshi_assets.sandbox.venue.books import Books, Kept
from kalshi_assets.sandbox.venue.orders import Fill, Order
from kalshi_assets.tables import EVENTS
from kalshi_assets.units import CC_A_DOLLAR, HUNDREDTHS, MILLIONTHS

_MILLIONTHS_A_CC = MILLIONTHS // CC_A_DOLLAR


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How much there was to go wrong: orders and fills at the exchange, and why it ended."""

    orders: int
    fills: int
    ended: str | None


def limits_of(lake: Lake, archive: Path, key: LadderDay) -> GateLimits:
    """The limits of a ladder-day, from the contract and the parameters by themselves.

    Parameters
    ----------
    lake, archive, key
        Where the contract is, where the parameters are, and the day.
    """
    events = lake.read(EVENTS, key)
    atoms = atoms_of(events)
    markets = tuple(leg.market_ticker for leg in atoms.legs)
    config = tomllib.loads((archive / "trading.toml").read_text("utf-8"))
    family, _ = FAMILIES[key.family]
    params = family.trading_params(config, key.ladder)
    ladder = Ladder(
        markets=markets,
        outcomes=tuple(
            frozenset(np.array(markets)[atoms.payoff[:, atom] > 0].tolist())
            for atom in range(atoms.count)
        ),
    )
    return GateLimits(
        ladders={str(events["event_ticker"][0]): ladder},
        max_open_orders=params.max_open_orders,
        max_order_contracts=params.order_contracts,
        max_position_contracts=params.max_position_contracts,
        max_event_loss_cc=params.max_ladder_loss_cc,
        max_account_loss_cc=params.max_daily_loss_cc,
    )


def must_agree(lake: Lake, archive: Path, books: Path, key: LadderDay, account: str) -> Outcome:
    """Fail unless journal, books and limits agree about a session that has ended.

    Parameters
    ----------
    lake, archive
        Of the session.
    books
        The exchange's own, whose process has ended.
    key, account
        The ladder-day and the account.
    """
    file = Books(books)
    kept = file.load(0)
    file.close()
    with Journal.of(lake.files, session_name([key], account), clock_us=lambda: 0) as journal:
        _orders_agree(journal, kept)
        _fills_agree(journal, kept)
        _money_agrees(journal, kept)
        session = journal.session()
    _within_limits(kept, limits_of(lake, archive, key))
    assert session is not None
    return Outcome(orders=len(kept.orders), fills=len(kept.fills), ended=session.end_reason)


def _orders_agree(journal: Journal, kept: Kept) -> None:
    times = Counter(order.client_order_id for order in kept.orders)
    assert [name for name, count in times.items() if count > 1] == [], "sent twice"
    there = {order.client_order_id: order for order in kept.orders}
    ours = {order.client_order_id: order for order in journal.orders()}
    assert there.keys() - ours.keys() == set(), "orders that the journal does not know"
    assert [o for o in kept.orders if o.status == "resting"] == [], "orders that rest"
    for name, order in ours.items():
        if name not in there:
            assert order.state == "rejected", f"{order} never reached the exchange"
            continue
        found = there[name]
        assert (order.state, order.order_id) == ("done", found.order_id)
        assert (order.filled, order.booked) == (found.filled, found.filled)
        terms = (found.ticker, found.side, found.price_cc, found.initial)
        assert terms == (order.market_ticker, order.side, order.price_cc, order.size)


def _fills_agree(journal: Journal, kept: Kept) -> None:
    ours = {
        f.trade_id: (f.client_order_id, f.size, f.price_cc, f.fee_millionths, f.is_taker)
        for f in journal.fills()
    }
    there = {
        f.trade_id: (f.client_order_id, f.size, f.price_cc, f.fee, f.is_taker) for f in kept.fills
    }
    assert ours == there


def _money_agrees(journal: Journal, kept: Kept) -> None:
    account = kept.account
    account.check_conservation()
    held = {market: size for market, size in journal.positions().items() if size}
    there = {p.ticker: p.contracts for p in account.positions.values() if p.contracts}
    assert held == there, "positions that the journal does not know"
    session, holdings = journal.session(), journal.holdings()
    assert session is not None
    if session.opening_cash_millionths is None:
        assert (kept.orders, holdings) == ([], []), "it traded before it had read the account"
        return
    expected = cash_expected(
        session.opening_cash_millionths,
        sum(each.cash_millionths for each in holdings),
        held,
        {each.market_ticker: each.opening for each in holdings},
        sum(each.revenue for each in account.settlements),
    )
    assert account.cash == expected, "money that the journal does not know"


def _within_limits(kept: Kept, limits: GateLimits) -> None:
    """At every instant at which something changed, with every order that rests filled."""
    if not kept.orders:
        return
    instants = {o.created_us for o in kept.orders} | {o.updated_us for o in kept.orders}
    ended = {o.order_id: o.updated_us for o in kept.orders if o.status != "resting"}
    assert max(o.initial for o in kept.orders) <= limits.max_order_contracts * HUNDREDTHS
    for at_us in sorted(instants | {f.at_us for f in kept.fills}):
        fills = [f for f in kept.fills if f.at_us <= at_us]
        done: Counter[str] = Counter()
        for fill in fills:
            done[fill.order_id] += fill.size
        working = {
            o.order_id: (o, o.initial - done[o.order_id])
            for o in kept.orders
            if o.created_us <= at_us < ended.get(o.order_id, at_us + 1)
        }
        assert len(working) <= limits.max_open_orders, f"{len(working)} open at {at_us}"
        holdings = _holdings(fills)
        _positions_within(holdings, working.values(), limits, at_us)
        exposed = [
            (o.ticker, _sign(o), left, _sign(o) * o.price_cc + limits.maker_fee_cc)
            for o, left in working.values()
        ]
        for event, ladder in limits.ladders.items():
            worst = worst_case_millionths(ladder, exposed, holdings.values())
            least = -limits.max_event_loss_cc * _MILLIONTHS_A_CC
            assert worst >= least, f"{event} could lose {-worst / MILLIONTHS} dollars at {at_us}"


def _positions_within(
    holdings: Mapping[str, Holding],
    working: Iterable[tuple[Order, int]],
    limits: GateLimits,
    at_us: int,
) -> None:
    bought: defaultdict[str, int] = defaultdict(int)
    sold: defaultdict[str, int] = defaultdict(int)
    for order, left in working:
        side = bought if order.side == "bid" else sold
        side[order.ticker] += left
    most = limits.max_position_contracts * HUNDREDTHS
    for market in holdings.keys() | bought.keys() | sold.keys():
        held = holdings[market].size if market in holdings else 0
        assert held + bought[market] <= most, f"{market} at {at_us}"
        assert sold[market] - held <= most, f"{market} at {at_us}"


def _holdings(fills: Iterable[Fill]) -> dict[str, Holding]:
    sizes: defaultdict[str, int] = defaultdict(int)
    cash: defaultdict[str, int] = defaultdict(int)
    for fill in fills:
        sizes[fill.ticker] += _sign(fill) * fill.size
        cash[fill.ticker] -= _sign(fill) * fill.price_cc * fill.size + fill.fee
    return {
        market: Holding(
            market_ticker=market,
            opening=0,
            opening_cash_millionths=0,
            size=size,
            cash_millionths=cash[market],
        )
        for market, size in sizes.items()
    }


def _sign(of: Order | Fill) -> int:
    return 1 if of.side == "bid" else -1
