"""The account step: a date's orders of all ladders in order of time under the account's caps.

Every ladder and date is backtested alone, from an empty account, so that it depends on nothing
else. This step then leaves out the orders that one account could not have carried for all ladders,
with everything they filled; the others stay as they were. Positions held to settlement do not come
back within a date; balances of other dates do not matter, only the stated opening balance.

Here: one date. Not here: the orders (`engine`), what is read and for which dates.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.trading.fee_kernels import FeeTerms, fee_of_fill
from kalshi_assets.units import CC_A_DOLLAR, Ints

CONFIG_NAME = "account.toml"
# At one instant fills are booked first, then orders end, then decisions are made, and what they
# send may fill and end.
_FILL, _END, _ORDER = range(3)


class AccountParams(BaseModel):
    """Caps of the account over all ladders, cc.

    Attributes
    ----------
    opening_cc
        Balance at the start of every date.
    max_daily_loss_cc
        Greatest loss of a date under the worst outcome of every ladder, working orders included.
    max_exposure_cc
        Greatest sum over ladders of what each can lose, gains of other ladders not counted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    opening_cc: int = Field(gt=0)
    max_daily_loss_cc: int = Field(gt=0)
    max_exposure_cc: int = Field(gt=0)


@dataclass(frozen=True)
class LadderTerms:
    """What a ladder pays and costs.

    Attributes
    ----------
    atoms
        Its legs.
    fee
        Its fees.
    """

    atoms: Atoms
    fee: FeeTerms


SCHEMA = pl.Schema(
    {
        "strategy": pl.String(),
        "fill_model": pl.String(),
        "opening_cc": pl.Int64(),
        "orders": pl.Int64(),
        "left_out": pl.Int64(),
        "alone_cc": pl.Int64(),
        "net_cc": pl.Int64(),
        "worst_cc": pl.Int64(),
        "exposure_cc": pl.Int64(),
    }
)


def account_day(
    params: AccountParams,
    ladders: Mapping[str, LadderTerms],
    orders: pl.DataFrame,
    fills: pl.DataFrame,
) -> pl.DataFrame:
    """The account's date: `SCHEMA`, a row per strategy and fill model that sent an order.

    Parameters
    ----------
    params
        The caps.
    ladders
        The terms of every ladder of the date, by name.
    orders, fills
        `backtest.orders` and `backtest.fills` of these ladders, with their name as `ladder`.

    Returns
    -------
    DataFrame
        `left_out`: orders that the account could not carry; `alone_cc` and `net_cc`: gain of all
        orders, and of those carried, null while one of their fills is not settled; `worst_cc`: the
        lowest gain of the date under the worst outcomes, at any time; `exposure_cc`: the greatest
        sum of what ladders could lose.
    """
    rows = []
    for (strategy, model), own in orders.group_by("strategy", "fill_model", maintain_order=True):
        filled = fills.filter(strategy=strategy, fill_model=model)
        account = _Account(params, {name: _Held.of(terms) for name, terms in ladders.items()})
        for event in _events(own, filled):
            account.book(event)
        rows.append(
            {
                "strategy": strategy,
                "fill_model": model,
                "opening_cc": params.opening_cc,
                "orders": own.height,
                "left_out": len(account.left_out),
                "alone_cc": _gain(filled),
                "net_cc": _gain(filled.filter(~pl.col("order_id").is_in(sorted(account.left_out)))),
                "worst_cc": account.worst,
                "exposure_cc": account.exposure,
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)


@dataclass(kw_only=True)
class _Held:
    """A ladder's part of the account.

    Attributes
    ----------
    legs
        Row of `pays` by ticker.
    pays
        Payoff of a contract of each leg on each atom, cc, shape (legs, atoms).
    fee
        Terms of the fee.
    gain
        Gain of positions and fees so far by atom, cc.
    working
        Per order what a contract filled alone gains by atom, and how many have not filled.
    """

    legs: Mapping[str, int]
    pays: Ints
    fee: FeeTerms
    gain: Ints
    working: dict[str, tuple[Ints, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, terms: LadderTerms) -> "_Held":
        pays = CC_A_DOLLAR * terms.atoms.payoff.astype(np.int64)
        legs = {leg.market_ticker: row for row, leg in enumerate(terms.atoms.legs)}
        return cls(legs=legs, pays=pays, fee=terms.fee, gain=np.zeros(pays.shape[1], np.int64))

    def gain_of(self, event: Mapping[str, Any]) -> Ints:
        """What a contract of an order or fill gains by atom, before fees."""
        sign = 1 if event["side"] == "bid" else -1
        return sign * (self.pays[self.legs[event["market_ticker"]]] - event["price_cc"])

    def gain_alone(self, order: Mapping[str, Any]) -> Ints:
        """The same after the fee of a contract filled alone, which is the most it can cost."""
        sign, takes = (1 if order["side"] == "bid" else -1), order["execution"] == "taker"
        fee, _ = fee_of_fill(self.fee, 0, order["price_cc"], 1, sign, takes)
        return self.gain_of(order) - fee

    def worst(self, also: tuple[Ints, int] | None = None) -> int:
        """Least gain over atoms, if every working order that loses there fills whole."""
        total = self.gain.copy()
        for each, contracts in (*self.working.values(), *(() if also is None else (also,))):
            total += contracts * np.minimum(each, 0)
        return int(total.min())


class _Account:
    def __init__(self, params: AccountParams, ladders: Mapping[str, _Held]) -> None:
        self._params = params
        self._ladders = ladders
        self._worst = dict.fromkeys(ladders, 0)
        self.left_out: set[str] = set()
        self.worst = 0
        self.exposure = 0

    def book(self, event: Mapping[str, Any]) -> None:
        """Take an order, a fill, or an order's end, in order of time."""
        name, order = event["ladder"], event["order_id"]
        held = self._ladders[name]
        kind = event["kind"] % 3
        if kind == _ORDER:
            added = (held.gain_alone(event), event["contracts"])
            if not self._carries(name, held.worst(added)):
                self.left_out.add(order)
                return
            held.working[order] = added
        elif order in self.left_out:
            return
        elif kind == _FILL:
            each, left = held.working[order]
            held.gain += event["contracts"] * held.gain_of(event) - event["fee_cc"]
            held.working[order] = (each, left - event["contracts"])
        else:
            held.working.pop(order, None)
        self._worst[name] = held.worst()
        self.worst = min(self.worst, sum(self._worst.values()))
        self.exposure = max(self.exposure, -sum(min(each, 0) for each in self._worst.values()))

    def _carries(self, name: str, worst: int) -> bool:
        """Whether the caps hold if a ladder's worst gain becomes `worst`, or it does not fall."""
        if worst >= self._worst[name]:
            return True
        others = [each for ladder, each in self._worst.items() if ladder != name]
        exposed = -sum(min(each, 0) for each in (*others, worst))
        return (
            sum(others) + worst >= -self._params.max_daily_loss_cc
            and exposed <= self._params.max_exposure_cc
        )


def _events(orders: pl.DataFrame, fills: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Orders, fills and ends in order of time."""
    shared = ("ladder", "order_id", "market_ticker", "side", "execution", "price_cc", "contracts")
    nothing, at = pl.lit(0, pl.Int64).alias("fee_cc"), pl.col("event_time").alias("at")
    decided = orders.select("order_id", "decided_at")
    sent = orders.select(*shared, nothing, "decided_at", at="decided_at")
    filled = fills.join(decided, on="order_id").select(*shared, "fee_cc", "decided_at", at)
    ended = orders.select(*shared, nothing, "decided_at", at)
    every = pl.concat(
        [
            sent.with_columns(kind=pl.lit(_ORDER)),
            *(
                frame.with_columns(kind=kind + 3 * (pl.col("at") == pl.col("decided_at")))
                for kind, frame in ((_FILL, filled), (_END, ended))
            ),
        ],
        how="vertical_relaxed",
    )
    yield from every.sort("at", "kind", "ladder", "order_id").iter_rows(named=True)


def _gain(fills: pl.DataFrame) -> int | None:
    return None if fills["pnl_cc"].null_count() else int(fills["pnl_cc"].sum())
