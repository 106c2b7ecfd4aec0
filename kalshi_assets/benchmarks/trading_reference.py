"""A second trading engine in plain Python, written from docs/trading.md, for benchmark and tests.

Here: the page's rules, step by step and slowly. Not here: anything shared with the kernels of
`trading`, so that the comparison is independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import product
from math import floor, inf, isfinite
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from kalshi_assets.exchange.contract import round_to_tick, tick_ranges
from kalshi_assets.exchange.fees import OrderFees, fee_cc
from kalshi_assets.instants import microseconds_of
from kalshi_assets.tables import DECISIONS, FILLS, ORDERS, Table
from kalshi_assets.trading.day import TradingDay

MINUTE, DOLLAR = 60_000_000, 10_000
fee_of = cache(fee_cc)


def reference(
    day: TradingDay,
    strategies: Sequence[str] = ("value", "move", "sets"),
    fill_models: Sequence[str] = ("touch", "through", "queue"),
) -> dict[str, pl.DataFrame]:
    """Columns of `backtest.decisions`, `orders` and `fills` of a day.

    A decision has a side only if an order was sent.

    Parameters
    ----------
    day
        The event's day.
    strategies, fill_models
        Names; decisions are those under `through`.
    """
    decisions, orders, fills = [], [], []
    wants: dict[str, list[list[Want]]] = {}
    for strategy, model in product(strategies, fill_models):
        run = Reference(day, strategy, model, wants.get(strategy, [])).run()
        wants[strategy] = run.wanted_at
        of: dict[str, Any] = {"strategy": strategy, "fill_model": model}
        names = []
        for o in run.orders:
            instant = _time(o.decided).strftime("%Y%m%dT%H%M%S%fZ")
            name = f"{day.terms.event}/{strategy}/{instant}/{o.bracket}/{_SIDES[o.sign]}"
            names.append(of | {"order_id": name, "execution": _KINDS[o.takes]})
            orders.append(
                names[-1]
                | {"side": _SIDES[o.sign], "price_cc": o.price, "contracts": o.contracts}
                | {"decided_at": _time(o.decided), "placed_at": _time(o.arrives)}
                | {"event_time": _time(o.ended), "end": o.outcome}
                | {"filled": o.filled, "fee_cc": o.fee}
            )
        for number, at, price, contracts, fee in run.fills:
            fill = {"event_time": _time(at), "price_cc": price, "contracts": contracts}
            fills.append(names[number] | fill | {"fee_cc": fee})
        for (b, m), (reason, sign, takes, price, contracts, held) in run.decisions.items():
            if model == "through":
                order = {"side": _SIDES[sign], "execution": _KINDS[takes], "price_cc": price}
                row = {"strategy": strategy, "bracket": b, "minute": _time(run.at[m])}
                rest = {"reason": reason, "contracts": contracts, "position": held}
                decisions.append(row | order | rest)
    found = {"decisions": (DECISIONS, decisions), "orders": (ORDERS, orders)}
    return {
        name: pl.DataFrame(rows, schema=_types(table, rows), infer_schema_length=None)
        for name, (table, rows) in (found | {"fills": (FILLS, fills)}).items()
    }


_SIDES, _KINDS = {1: "bid", -1: "ask", 0: None}, {True: "taker", False: "maker", None: None}


def _time(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def _types(table: Table, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: table.dtypes[name] for name in (rows[0] if rows else table.dtypes)}


class Want(NamedTuple):
    """What a row wants: a reason, an order if the reason is `trade`, kinds that may reduce."""

    reason: str
    pull: bool
    sign: int = 0
    takes: bool = False
    price: int = 0
    reduces: dict[int, tuple[bool, int]] = {}  # noqa: RUF012


@dataclass(kw_only=True, eq=False)
class Order:
    """An order, and what became of it."""

    bracket: int
    sign: int
    takes: bool
    price: int
    contracts: int
    decided: int
    arrives: int
    end: int
    fees: OrderFees
    filled: int = 0
    fee: int = 0
    hundredths: int = 0
    ahead: int = 0
    rests: bool = False
    cancelled: bool = False
    outcome: str = ""
    ended: int = 0

    @property
    def left(self) -> int:
        return self.contracts - self.filled


@dataclass(eq=False)
class Reference:
    """A day of one strategy under one fill model; `run` it."""

    day: TradingDay
    strategy: str
    model: str
    wanted_at: list[list[Want]] = field(default_factory=list)
    decisions: dict[tuple[int, int], tuple[Any, ...]] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    fills: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.p, self.terms = self.day.params, self.day.terms
        rows = self.day.panel.sort("bracket", "minute").to_dicts()
        minutes = len({row["minute"] for row in rows})
        self.rows = [rows[first : first + minutes] for first in range(0, len(rows), minutes)]
        self.at = [microseconds_of(row["minute"]) for row in self.rows[0]]
        self.mids = [[mid_of(row) for row in of_bracket] for of_bracket in self.rows]
        self.pays = self.terms.ladder.payoff.tolist()
        self.brackets, self.atoms = range(len(self.rows)), range(self.terms.ladder.count)
        self.grids = [tick_ranges(grid) for grid in self.terms.tick_grids]
        self.latency, self.lifetime = (
            round(s * 1_000_000) for s in (self.p.latency_s, self.p.order_lifetime_s)
        )
        self.position = [0 for _ in self.rows]
        self.last_fill = [0 for _ in self.rows]
        self.so_far_of: dict[tuple[int, str], list[tuple[int, float]]] = {}
        self.filled_at: dict[tuple[int, int], int] = {}
        self.cash, self.stopped, self.working, self.trade = 0, False, list[Order](), 0
        self.recorded = self.day.tape.bar == 0
        self.tape = self.minutes_tape()
        if self.recorded:
            tape = self.day.tape
            self.tape = list(zip(*(a.tolist() for a in tape[:5]), strict=True))

    def minutes_tape(self) -> list[tuple[int, ...]]:
        tape: list[tuple[int, ...]] = []
        for m, at in enumerate(self.at):
            for b in self.brackets:
                row = self.rows[b][m]
                volume, low, high = (row[n] for n in ("volume_1m", "low_1m_cc", "high_1m_cc"))
                valid = all(x is not None and 0 <= x <= DOLLAR for x in (low, high))
                if volume is None or not 0 < volume < inf or not valid:
                    continue
                half = round(volume * 100) // 2 if low < high else 0
                tape.append((at - MINUTE, b, low, round(volume * 100) - half, 0))
                tape += [(at - MINUTE, b, high, half, 0)] if low < high else []
        return tape

    # From a row to a wanted order.

    def fee(self, b: int, at: int, sign: int, price: int, *, takes: bool) -> Fraction:
        """Fee a contract, cc, of an order of the greatest size that is filled at once."""
        if at + self.latency + self.lifetime < self.terms.fee_from[b]:
            return Fraction(0)
        n = self.p.order_contracts
        return Fraction(self.fee_of_fill(sign, price, n, takes=takes), n)

    def fee_of_fill(self, sign: int, price: int, contracts: int, *, takes: bool) -> int:
        t, kind, bought = (
            self.terms,
            "taker" if takes else "maker",
            price if sign > 0 else DOLLAR - price,
        )
        return fee_of(bought, contracts, t.fee_type, t.fee_multiplier, kind, t.schedule)

    def limit(self, b: int, sign: int, quote: int, slippage_cents: float) -> int | None:
        price = min(max(quote + sign * round(slippage_cents * 100), 1), DOLLAR - 1)
        price = round_to_tick(self.grids[b], price, "bid" if sign > 0 else "ask")
        return price if 0 < price < DOLLAR else None

    def gate(self, row: dict[str, Any]) -> tuple[str, bool, bool, float]:
        """First gate or nothing; whether reducing is allowed; whether it pulls; p_used."""

        def known(name: str, low: float, high: float) -> bool:
            x = row[name]
            return x is not None and isfinite(x) and low <= x <= high

        p = self.p
        quoted = known("bid_cc", 1, DOLLAR - 1) and known("ask_cc", 1, DOLLAR - 1)
        complete = known("p_mkt", 0, 1) and known("p_calibrated", 0, 1)
        complete = complete and all(
            known(name, 0, inf) for name in ("quote_age_s", "volume_15m", "minutes_to_close")
        )
        for name in ("known_at", "quote_source", "market_valid", "impossible"):
            complete = complete and row[name] is not None
        vetoed = row["veto"] != ""
        used = inf
        if known("p_mkt", 0, 1) and known("p_calibrated", 0, 1):
            used = row["p_mkt"] + p.honesty * (row["p_calibrated"] - row["p_mkt"])
        pull = not quoted or not complete or bool(row["impossible"]) or vetoed
        if not quoted or not complete:
            return "no_quote" if not quoted else "input_unknown", False, True, used
        hard = {
            "market_invalid": not row["market_valid"],
            "dead_bracket": row["impossible"],
            "stale_quote": row["quote_age_s"] > p.max_quote_age_s,
        }
        soft = {
            "extreme_probability": not p.min_probability <= used <= p.max_probability,
            "wide_spread": row["ask_cc"] - row["bid_cc"] > round(p.max_spread_cents * 100, 6),
            "low_volume": row["volume_15m"] < p.min_volume_15m,
        }
        if self.strategy == "sets":
            soft = {}
        failed = [name for name, fails in (hard | soft | {"veto": vetoed}).items() if fails]
        word = "veto_unknown" if row["veto"] is None else row["veto"]
        first = (failed[0] if failed[0] != "veto" else word) if failed else ""
        may_reduce = not any(hard.values()) and not vetoed and not self.late(row)
        return first, may_reduce, pull, used

    def late(self, row: dict[str, Any]) -> bool:
        return row["minutes_to_close"] < self.p.last_minutes_without_orders

    def wants(self, m: int) -> list[Want]:
        if self.strategy == "sets":
            return self.sets(m)
        return [self.want(b, m) for b in self.brackets]

    def want(self, b: int, m: int) -> Want:
        """The order, or why none, of a row of `value` or `move`."""
        row = self.rows[b][m]
        first, may_reduce, pull, used = self.gate(row)
        if first in ("no_quote", "input_unknown"):
            return Want(first, pull)
        judge = self.value if self.strategy == "value" else self.move
        reason, sign, takes, price, reduces = judge(b, m, row, used)
        if not may_reduce:
            reduces = {}
        if first or reason != "trade":
            return Want(first or reason, pull, sign, reduces=reduces)
        if self.late(row):
            return Want("too_late", pull, sign)
        return Want("trade", pull, sign, takes, price, reduces)

    def value(self, b: int, m: int, row: dict[str, Any], used: float) -> tuple[Any, ...]:
        v, at = self.p.value, self.at[m]
        recorded, locked = row["quote_source"] == "recorded", row["ask_cc"] <= row["bid_cc"]
        mid, makes, takes, reduces = (row["bid_cc"] + row["ask_cc"]) / 200, [], [], {}
        for sign in (1, -1):
            own, other = (row["bid_cc"], row["ask_cc"])[::sign]
            limit = self.limit(b, sign, other, v.slippage_cents)
            maker = taker = -inf
            if not locked:
                gain = min(sign * (100 * used - mid), sign * 100 * (used - row["p_mkt"]))
                fee = float(self.fee(b, at, sign, own, takes=False)) / 100
                maker = gain - v.adverse_selection_cents - fee
            if limit is not None:
                fee = float(self.fee(b, at, sign, limit, takes=True)) / 100
                taker = sign * (100 * used - limit / 100) - fee
            makes.append((maker, sign, own))
            takes.append((taker, sign, limit))
            if recorded and taker >= v.reduce_min_edge_cents:
                reduces[sign] = (True, limit)
            elif maker >= v.reduce_min_edge_cents:
                reduces[sign] = (False, own)
        (maker, maker_sign, own), (taker, taker_sign, limit) = (
            max(edges, key=lambda edge: edge[0]) for edges in (makes, takes)
        )
        if taker >= v.taker_min_edge_cents and recorded:
            return "trade", taker_sign, True, limit, reduces
        if maker >= v.maker_min_edge_cents:
            return "trade", maker_sign, False, own, reduces
        reason = "inferred_quote" if taker >= v.taker_min_edge_cents else "edge_too_small"
        return reason, 0, False, 0, reduces

    def scaled(self, b: int, m: int, name: str, less: float = 0.0) -> float | None:
        """z of a column at a row; None: not known."""
        if (b, name) not in self.so_far_of:
            count, squares, before = 0, 0.0, []
            for row in self.rows[b]:
                before.append((count, squares))
                if row[name] is not None and isfinite(row[name]):
                    count, squares = count + 1, squares + (row[name] - less) ** 2
            self.so_far_of[b, name] = before
        value, (count, squares) = self.rows[b][m][name], self.so_far_of[b, name][m]
        if value is None or not isfinite(value) or count < 30 or squares == 0:
            return None
        return (value - less) / (squares / count) ** 0.5

    def predicted(self, b: int, m: int, row: dict[str, Any]) -> float | None:
        h, sizes = self.p.move.horizon_minutes, []
        up, down = row[f"p_up_{h}m"], row[f"p_down_{h}m"]
        for k in range(max(h, m - 119), m + 1):
            new, old = self.mids[b][k], self.mids[b][k - h]
            if new is not None and old is not None and new != old:
                sizes.append(abs(new - old))
        known = all(x is not None and 0 <= x <= 1 for x in (up, down))
        return (up - down) * sum(sizes) / len(sizes) if known and len(sizes) >= 10 else None

    def move(self, b: int, m: int, row: dict[str, Any], used: float) -> tuple[Any, ...]:
        v, at = self.p.move, self.at[m]
        bid, ask, recorded = row["bid_cc"], row["ask_cc"], row["quote_source"] == "recorded"
        limits = {s: self.limit(b, s, (ask, bid)[::s][0], v.slippage_cents) for s in (1, -1)}
        reduces = {}
        for s in (1, -1):
            if recorded and limits[s] is not None:
                reduces[s] = (True, limits[s])
            elif ask > bid:
                reduces[s] = (False, (bid, ask)[::s][0])
        predicted = self.predicted(b, m, row)
        parts = [
            (v.weight_ras, "relative_acceleration", 0.0),
            (v.weight_velocity, "velocity_5m", 0.0),
        ]
        parts += [(v.weight_flow, "flow_percentile", 0.5), (v.weight_pressure, "pressure", 0.0)]
        scaled = [(w, self.scaled(b, m, name, less)) for w, name, less in parts if w]
        if predicted is None:
            return "no_prediction", 0, False, 0, reduces
        if any(z is None for _, z in scaled):
            return "signal_unknown", 0, False, 0, reduces
        signal = sum(w * z for w, z in scaled if z is not None)
        if signal == 0 or abs(signal) < v.min_signal:
            return "signal_too_weak", 0, False, 0, reduces
        sign = 1 if signal > 0 else -1
        limit, price = (
            limits[sign],
            self.tick(b, (bid, ask)[::sign][0], sign * v.maker_offset_ticks),
        )
        takes = makes = False
        if limit is not None:
            both = self.fee(b, at, sign, limit, takes=True) * 2
            takes = sign * predicted > 0
            takes &= sign * predicted >= v.taker_min_move_cents + (ask - bid + float(both)) / 100
        if 0 < price < DOLLAR and bid < ask and (price < ask if sign > 0 else price > bid):
            fee = float(self.fee(b, at, sign, price, takes=False))
            makes = sign * predicted >= v.maker_min_move_cents + fee / 100
        if takes and recorded:
            return "trade", sign, True, limit, reduces
        if makes:
            return "trade", sign, False, price, reduces
        return "inferred_quote" if takes else "move_too_small", 0, False, 0, reduces

    def tick(self, b: int, price: int, ticks: int) -> int:
        """A price so many ticks further up."""
        for _ in range(abs(ticks)):
            if 0 < price < DOLLAR:
                up = ticks > 0
                near = price + 1 if up else price - 1
                price = round_to_tick(self.grids[b], near, "ask" if up else "bid")
        return price

    def sets(self, m: int) -> list[Want]:
        rows = [self.rows[b][m] for b in self.brackets]
        gates = [self.gate(row) for row in rows]
        firsts = [
            first or ("inferred_quote" if row["quote_source"] != "recorded" else "")
            for (first, *_), row in zip(gates, rows, strict=True)
        ]
        reason, sign = "no_set", 0
        if self.terms.ladder.shape == "partition" and not any(firsts):
            gains = {}
            for s, name in ((1, "ask_cc"), (-1, "bid_cc")):
                fees = [
                    self.fee(b, self.at[m], s, rows[b][name], takes=True) for b in self.brackets
                ]
                gains[s] = s * (DOLLAR - sum(row[name] for row in rows)) - sum(fees)
            sign = max(gains, key=lambda s: gains[s])
            least = Fraction(str(self.p.sets.set_min_edge_cents)) * 100
            if gains[sign] > 0 and gains[sign] >= least:
                reason = "too_late" if any(self.late(row) for row in rows) else "trade"
        name = "ask_cc" if sign > 0 else "bid_cc"
        return [
            Want(first or reason, pull, sign, True, row[name] or 0)
            for first, (_, _, pull, _), row in zip(firsts, gates, rows, strict=True)
        ]

    # The engine.

    def run(self) -> "Reference":
        self.wanted_at = self.wanted_at or [self.wants(m) for m in range(len(self.at))]
        for m, at in enumerate(self.at):
            self.advance(at)
            self.decide(m, at)
        self.advance(10**18)
        return self

    def cancel(self, order: Order, at: int) -> None:
        if at + self.latency < order.end:
            order.end, order.cancelled = at + self.latency, True

    def of(self, b: int, sign: int = 0) -> list[Order]:
        return [o for o in self.working if o.bracket == b and sign in (0, o.sign)]

    def decide(self, m: int, at: int) -> None:
        wants, held = self.wanted_at[m], list(self.position)
        for b in self.brackets:
            for order in self.of(b) if wants[b].pull else []:
                self.cancel(order, at)
        orders = [self.wanted(b, wants[b], at) for b in self.brackets]
        sizes = self.kelly(m, orders) if self.strategy == "value" and any(orders) else None
        for b in self.brackets:
            reason, wanted = wants[b].reason, orders[b]
            contracts = 0
            if wanted is not None:
                reason, contracts = self.send(b, m, at, wanted, sizes)
            said = wanted[:3] if wanted and contracts else (0, None, None)
            self.decisions[b, m] = (reason, *said, contracts, held[b])

    def wanted(self, b: int, want: Want, at: int) -> tuple[int, bool, int, bool] | None:
        """Sign, whether it takes, price, whether it reduces."""
        held = self.position[b]
        side = -1 if held > 0 else 1
        hold = self.p.move.horizon_minutes * MINUTE if self.strategy == "move" else 0
        wants_it_itself = want.reason == "trade" and want.sign == side
        due = at >= self.last_fill[b] + hold
        if held and due and not wants_it_itself and side in want.reduces:
            return side, *want.reduces[side], True
        return (want.sign, want.takes, want.price, False) if want.reason == "trade" else None

    def room(self, b: int, sign: int, *, reduces: bool) -> int:
        """Contracts that the position limit leaves, or that are left to reduce."""
        working = sum(order.left for order in self.of(b, sign))
        if reduces:
            return abs(self.position[b]) - working
        return self.p.max_position_contracts - sign * self.position[b] - working

    def send(
        self,
        b: int,
        m: int,
        at: int,
        wanted: tuple[int, bool, int, bool],
        sizes: list[float] | None,
    ) -> tuple[str, int]:
        p, (sign, takes, price, reduces) = self.p, wanted
        room = self.room(b, sign, reduces=reduces)
        if room <= 0:
            return "position_limit", 0
        for order in self.of(b):
            same = (order.sign, order.price, order.takes) == (sign, price, takes)
            if same and not order.cancelled:
                return "order_working", 0
        for order in self.of(b):
            self.cancel(order, at)
        meets = any(sign * (price - order.price) >= 0 for order in self.of(b, -sign))
        if meets or len(self.of(b)) >= p.max_orders_a_bracket:
            return "order_working", 0
        contracts = min(p.order_contracts, room)
        if sizes is not None and not reduces:
            contracts = min(contracts, floor(sizes[b] * p.kelly_fraction + 1e-6))
        if contracts < 1:
            return "size_zero", 0
        if len(self.working) >= p.max_open_orders:
            return "open_orders_limit", 0
        if sum(order.decided > at - MINUTE for order in self.orders) >= p.max_orders_a_minute:
            return "order_rate_limit", 0
        if sign * (price - (self.mids[b][m] or 0) * 100) > round(p.collar_cents * 100):
            return "price_collar", 0
        contracts = min(contracts, self.affordable(b, sign, price, takes=takes))
        if contracts < 1:
            self.stopped = True
            return "loss_limit", 0
        arrives = at + self.latency
        end = arrives if takes else min(arrives + self.lifetime, self.terms.close)
        t = self.terms
        fees = OrderFees(fee_type=t.fee_type, multiplier=t.fee_multiplier, schedule=t.schedule)
        order = Order(
            bracket=b,
            sign=sign,
            takes=takes,
            price=price,
            contracts=contracts,
            decided=at,
            arrives=arrives,
            end=end,
            fees=fees,
        )
        self.orders.append(order)
        self.working.append(order)
        return "trade", contracts

    def gains(self, b: int, sign: int, price: int, *, takes: bool) -> list[int]:
        """Gain by atom of a contract filled alone, after its fee."""
        fee = self.fee_of_fill(sign, price, 1, takes=takes)
        return [sign * (DOLLAR * self.pays[b][j] - price) - fee for j in self.atoms]

    def so_far(self) -> list[int]:
        held = enumerate(self.position)
        values = [(n, self.pays[b]) for b, n in held]
        return [self.cash + sum(DOLLAR * n * pays[j] for n, pays in values) for j in self.atoms]

    def affordable(self, b: int, sign: int, price: int, *, takes: bool) -> int:
        exposed = self.so_far()
        for o in self.working:
            for j, gain in enumerate(self.gains(o.bracket, o.sign, o.price, takes=o.takes)):
                exposed[j] += min(0, gain) * o.left
        gains, least = self.gains(b, sign, price, takes=takes), min(exposed)
        bound = -min(self.p.max_ladder_loss_cc, self.p.max_daily_loss_cc)
        if self.stopped:
            if any(exposed[j] == least and gains[j] <= 0 for j in self.atoms):
                return 0
            bound = max(bound, least + 1)
        return min(
            [10**9] + [(exposed[j] - bound) // -gains[j] for j in self.atoms if gains[j] < 0]
        )

    def kelly(self, m: int, orders: list[Any]) -> list[float]:
        """Joint Kelly sizes by bracket."""
        rows, p = [self.rows[b][m] for b in self.brackets], self.p
        useds, markets = [self.gate(row)[3] for row in rows], [row["p_mkt"] for row in rows]
        if not all(isfinite(used) for used in useds):
            return [0.0 for _ in rows]
        chosen = [b for b in self.brackets if orders[b] is not None and not orders[b][3]]
        gain = np.array(
            [
                np.array(self.gains(b, sign, price, takes=takes)) - (2 - 0.5**b) / 1000
                for b in chosen
                for sign, takes, price, _ in [orders[b]]
            ]
        )
        most = [
            max(0, min(p.order_contracts, self.room(b, orders[b][0], reduces=False)))
            / p.kelly_fraction
            for b in chosen
        ]
        wealth = np.array(self.so_far(), float) + p.bankroll_cc
        sizes = [0.0 for _ in rows]
        if chosen and wealth.min() > 0:
            mine, theirs = (
                log_optimal(
                    self.terms.ladder.atom_probabilities(np.array(q)), wealth, gain, np.array(most)
                )
                for q in (useds, markets)
            )
            for i, b in enumerate(chosen):
                sizes[b] = mine[i] if orders[b][1] else min(mine[i], theirs[i])
        return sizes

    # What fills an order.

    def ends(self, order: Order, outcome: str, at: int) -> None:
        order.outcome, order.ended = outcome, at
        self.working.remove(order)

    def after(self, b: int, at: int) -> dict[str, Any] | None:
        """The row with the quote after an instant."""
        m = -((self.at[0] - at) // MINUTE) + 1
        return self.rows[b][m] if m < len(self.at) else None

    def advance(self, until: int) -> None:
        """Arrivals, trades and ends up to and including an instant, in order of time."""
        while True:
            coming = [o.arrives for o in self.working if not o.rests]
            arrival = min(coming, default=inf)
            trade = self.tape[self.trade][0] if self.trade < len(self.tape) else inf
            at = min(arrival, trade)
            for order in [o for o in self.working if o.rests and o.end < min(at, until + 1)]:
                self.ends(order, "cancelled" if order.cancelled else "expired", order.end)
            if at > until:
                return
            if arrival <= trade:
                for order in [o for o in self.working if not o.rests and o.arrives == at]:
                    self.arrive(order, int(at))
            else:
                self.print(*self.tape[self.trade])
                self.trade += 1

    def quote(self, row: dict[str, Any], name: str) -> int | None:
        price = row[name]
        return price if price is not None and 0 < price < DOLLAR else None

    def arrive(self, order: Order, at: int) -> None:
        row = self.after(order.bracket, at)
        if at >= self.terms.close or row is None:
            self.ends(order, "closed", at)
            return
        own, other = (self.quote(row, name) for name in ("bid_cc", "ask_cc")[:: order.sign])
        if order.takes:
            self.take(order, row, other, at)
        elif other is not None and order.sign * (order.price - other) >= 0:
            self.ends(order, "crossed", at)
        else:
            order.rests = True
            better = own is not None and order.sign * (order.price - own) > 0
            order.ahead = 0 if better else round(self.p.queue_ahead_contracts * 100)

    def take(self, order: Order, row: dict[str, Any], other: int | None, at: int) -> None:
        p, age = self.p, row["quote_age_s"]
        fresh = age is not None and 0 <= age <= p.max_quote_age_s
        if other is not None and row["quote_source"] == "recorded" and fresh:
            prices = [t[2] for t in self.tape if t[1] == order.bracket and at < t[0] <= at + MINUTE]
            price = order.sign * max(order.sign * x for x in [other, *prices])
            volume = row["volume_1m"]
            known = volume is not None and isfinite(volume) and volume > 0
            share = floor(Fraction(p.volume_share) * Fraction(str(volume))) if known else 0
            most = max(p.displayed_contracts, share)
            if order.sign * (order.price - price) >= 0 and most > 0:
                self.book(order, at, price, min(order.contracts, most))
        if order.left:
            self.ends(order, "unfilled", at)

    def print(self, at: int, b: int, price: int, quantity: int, sign: int) -> None:
        """A trade meets the orders that rest."""
        bar = 0 if self.recorded else MINUTE - 1
        resting = [o for o in self.of(b) if o.rests and o.arrives < at - bar and o.end >= at]
        resting = [o for o in resting if o.sign * (o.price - price) >= 0]
        for o in sorted(resting, key=lambda o: (-o.sign * o.price, o.arrives)):
            if self.filled_at.get((b, -o.sign)) == at or quantity == 0:
                continue
            beyond, offered = o.price != price, quantity
            if beyond:
                o.ahead = 0
            elif self.model == "through":
                continue
            elif self.model == "touch":
                offered = floor(quantity * Fraction(self.p.touch_share))
            elif sign != -o.sign:
                continue
            else:
                passed = min(o.ahead, offered)
                o.ahead, offered = o.ahead - passed, offered - passed
            used = min(offered, o.left * 100 - o.hundredths)
            quantity -= used
            o.hundredths += used
            contracts = o.hundredths // 100
            if contracts:
                o.hundredths -= contracts * 100
                self.book(o, at, o.price, contracts)

    def book(self, o: Order, at: int, price: int, contracts: int) -> None:
        fee = 0
        if at >= self.terms.fee_from[o.bracket]:
            outcome = price if o.sign > 0 else DOLLAR - price
            fee = int(
                o.fees.fill(outcome, contracts, "buy", "taker" if o.takes else "maker") * DOLLAR
            )
        o.filled, o.fee = o.filled + contracts, o.fee + fee
        self.cash -= o.sign * contracts * price + fee
        self.position[o.bracket] += o.sign * contracts
        self.last_fill[o.bracket] = self.filled_at[o.bracket, o.sign] = at
        self.fills.append((self.orders.index(o), at, price, contracts, fee))
        if not o.left:
            self.ends(o, "filled", at)


def mid_of(row: dict[str, Any]) -> float | None:
    bid, ask = row["bid_cc"], row["ask_cc"]
    known = all(x is not None and 0 < x < DOLLAR for x in (bid, ask))
    return (bid + ask) / 200 if known else None


def log_optimal(p: Any, wealth: Any, gain: Any, most: Any) -> Any:
    """Sizes 0 <= n <= most with the greatest sum of p log(wealth + n gain)."""
    p, n = p / p.sum(), np.zeros(len(most))
    fixed = np.ones(len(most), bool)
    for _ in range(1000):
        total = wealth + n @ gain
        slope = gain @ (p / total)
        bend = (gain * (p / total**2)) @ gain.T
        # Newton's step of the sizes that are not at a bound, as far as the first bound.
        step, free = np.zeros(len(n)), np.flatnonzero(~fixed)
        ridge = 1e-14 * np.diag(np.diag(bend)[free])
        step[free] = np.linalg.solve(bend[np.ix_(free, free)] + ridge, slope[free])
        room = np.where(step < 0, n, most - n)
        parts = np.divide(room, np.abs(step), out=np.full(len(n), inf), where=step != 0)
        part = min(1.0, parts.min(initial=inf))
        while part > 1e-30 and not gain_of(p, part * step @ gain / total) > 0 and step.any():
            part /= 2
        if np.abs(part * step).max(initial=0) > 1e-7:
            n = np.clip(n + part * step, 0, most)
            fixed |= parts <= part
            n[parts <= part] = np.where(step < 0, 0, most)[parts <= part]
            continue
        # The best of the rest: one that leaves its bound, if any gains by it.
        leaves = np.where(n <= 0, slope, -slope) * (fixed & (most > 0)) / np.sqrt(np.diag(bend))
        if not fixed.any() or leaves.max() <= 1e-13:
            return n
        fixed[leaves.argmax()] = False
    raise ArithmeticError("the sizes do not converge")


def gain_of(p: Any, change: Any) -> float:
    """What a relative change of wealth adds to its expected logarithm."""
    change = change[p > 0]
    return float(p[p > 0] @ np.log1p(change)) if change.min() > -1 else -inf
