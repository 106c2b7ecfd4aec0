"""An event from the exchange: its contract, candles, trades and settlement.

Here: which reads make up an event, and errors that name it. Not here: sending (rest, client),
decoding (wire), storing (lake). Every function takes the client it reads through.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.contract import ContractError, EventContract
from kalshi_assets.exchange.contract_reading import read_event_contract, series_of_event
from kalshi_assets.exchange.errors import ExchangeError, MalformedAnswerError, NotFoundError
from kalshi_assets.exchange.listing import Listing
from kalshi_assets.exchange.rest import Answer
from kalshi_assets.exchange.wire import Market
from kalshi_assets.exchange.wire_values import leading_number
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.legs import LadderError
from kalshi_assets.tables import CANDLES, TRADES, Table
from kalshi_assets.tables.limits import Limits
from kalshi_assets.units import CC_A_DOLLAR

SETTLED = ("determined", "finalized")
FAIR_PRICE = "scalar"
SETTLEMENT_LAG = timedelta(hours=12)

# The last candle of a short market ends one minute after the close.
_AFTER_CLOSE = timedelta(minutes=1)


class IngestError(Exception):
    """An event could not be read; names ladder, date, endpoint and cause."""

    def __init__(self, key: LadderDay, cause: str) -> None:
        super().__init__(f"{key}: {cause}")
        self.key = key


class EventNotFoundError(IngestError):
    """The exchange has no such event."""


def fetch_event(client: KalshiClient, listing: Listing) -> EventContract:
    """The event's contract, under the name that the exchange has.

    Series were renamed: the name valid on the day is requested first, then the others.

    Parameters
    ----------
    client
        The client to read through.
    listing
        The expected event.

    Raises
    ------
    EventNotFoundError
        The exchange has no such event, or it has no markets.
    IngestError
        A read failed, or the responses do not describe one event.
    """
    missing: list[str] = []
    for ticker in listing.tickers:
        with _naming(listing.key, f"contract of {ticker}"):
            try:
                event = client.event(ticker)
            except NotFoundError as error:
                missing.append(f"no event {ticker}: {error}")
                continue
            markets = client.event_markets(ticker)
            if not markets:
                missing.append(f"event {ticker} has no markets in either tier")
                continue
            series, changes = _series(client, listing, series_of_event(listing, event.payload))
            return read_event_contract(
                listing, event.payload, markets, series.payload, changes.payload
            )
    raise EventNotFoundError(listing.key, "; ".join(missing))


def fetch_candles(client: KalshiClient, contract: EventContract) -> pl.DataFrame:
    """All one-minute candles of the event, open to close: `tables.CANDLES`.

    A candle that is not complete (its `known_at` is after the client's clock) is left out.

    Parameters
    ----------
    client
        The client to read through.
    contract
        The event.
    """
    start, end = contract.open_time, contract.close_time + _AFTER_CLOSE
    with _naming(contract.key, f"candles of {contract.event_ticker}"):
        known = _archived(client, contract)
        archived = [ticker for ticker in contract.market_tickers if ticker in known]
        live = [ticker for ticker in contract.market_tickers if ticker not in known]
        frames = [
            read(tickers, start, end)
            for read, tickers in (
                (client.batch_candles, live),
                (client.archived_candles, archived),
            )
            if tickers
        ]
        return _known(client, CANDLES, pl.concat(frames))


def fetch_trades(client: KalshiClient, contract: EventContract) -> pl.DataFrame:
    """All trades of the event, open to close: `tables.TRADES`.

    Parameters
    ----------
    client, contract
        As in `fetch_candles`.
    """
    start, end = contract.open_time, contract.close_time + _AFTER_CLOSE
    with _naming(contract.key, f"trades of {contract.event_ticker}"):
        return _known(client, TRADES, client.event_trades(contract.market_tickers, start, end))


def fetch_settlement(client: KalshiClient, contract: EventContract, table: Table) -> pl.DataFrame:
    """The exchange's settlement of the event: one row, none before it settled.

    Parameters
    ----------
    client, contract
        As in `fetch_candles`.
    table
        The family's settlements.
    """
    with _naming(contract.key, f"settlement of {contract.event_ticker}"):
        return settlement_of(contract, client.event_markets(contract.event_ticker), table)


def settlement_of(contract: EventContract, markets: list[Market], table: Table) -> pl.DataFrame:
    """The settlement row from the event's markets; see `fetch_settlement`.

    The value is the one that the markets state; in 2024 and 2025 only the winner did. If it is
    stated in words, it is the number at their beginning, provided that it agrees with the markets
    that paid; else it is null. For a partition the row names the market that pays, for other legs
    the atom that the results imply. If the exchange settled at a fair price (result scalar), the
    row holds the payoff of each leg.

    Parameters
    ----------
    contract
        The event.
    markets
        Its markets as read, any order.
    table
        The family's settlements.

    Raises
    ------
    ContractError
        No value would pay exactly the legs that paid, stated values disagree or would pay others, a
        market is missing, or a fair price is not stated.
    MalformedAnswerError
        The value is out of the table's range.
    """
    by_ticker = {market.ticker: market for market in markets}
    if missing := [ticker for ticker in contract.market_tickers if ticker not in by_ticker]:
        raise ContractError(f"{contract.event_ticker}: the exchange left out {', '.join(missing)}")
    markets = [by_ticker[ticker] for ticker in contract.market_tickers]
    if not all(market.status in SETTLED and market.result for market in markets):
        return table.empty()
    results = {market.ticker: market.result for market in markets}
    if FAIR_PRICE in results.values():
        payoffs = _payoffs(contract, markets)
        return _row(contract, markets, _least_final(markets), table, payoffs_cc=payoffs)
    atom = contract.ladder.paid([result == "yes" for result in results.values()])
    if atom is None or not {"yes", "no"}.issuperset(results.values()):
        partition = contract.ladder.shape == "partition"
        wrong = "without exactly one winner" if partition else "as no settlement value pays"
        raise ContractError(f"{contract.event_ticker} is settled {wrong}: {results}")
    stated = _Stated(contract, markets, atom, Limits.of(table.columns["value"]))
    value = stated.value()
    if contract.ladder.shape == "partition":
        winner = next(market for market in markets if market.result == "yes")
        return _row(contract, markets, winner, table, value=value, winning_market=winner.ticker)
    return _row(contract, markets, _least_final(markets), table, value=value, won=atom)


def _least_final(markets: list[Market]) -> Market:
    """The market that speaks for all where no single one decides: one that may still change."""
    return next((market for market in markets if market.status != "finalized"), markets[0])


def _row(
    contract: EventContract,
    markets: list[Market],
    spokesman: Market,
    table: Table,
    *,
    value: int | None = None,
    winning_market: str | None = None,
    won: int | None = None,
    payoffs_cc: list[int] | None = None,
) -> pl.DataFrame:
    """The exchange's row, with status and response of one market for all."""
    known_at, known_at_from = _known_at(contract, markets)
    row = {
        "source": "exchange",
        "status": spokesman.status,
        "value": value,
        "winning_market": winning_market,
        "won": won,
        "payoffs_cc": payoffs_cc,
        "event_time": contract.day_end,
        "issued_at": known_at if known_at_from == "settlement_ts" else None,
        "known_at": known_at,
        "known_at_from": known_at_from,
        "raw_sha256": spokesman.raw_sha256,
        "problem": None,
    }
    return table.conform(pl.DataFrame([row], schema=table.dtypes))


def _payoffs(contract: EventContract, markets: list[Market]) -> list[int]:
    """Payoff of a YES contract of each market, cc, where at least one has a fair price."""
    whole = {"yes": CC_A_DOLLAR, "no": 0}
    payoffs = [whole.get(market.result, market.settlement_value_cc) for market in markets]
    stated = [payoff for payoff in payoffs if payoff is not None]
    if len(stated) < len(markets):
        silent = [m.ticker for m, payoff in zip(markets, payoffs, strict=True) if payoff is None]
        raise ContractError(
            f"{contract.event_ticker} is settled at a fair price, but "
            f"{', '.join(silent)} state no settlement_value_dollars"
        )
    return stated


def _series(client: KalshiClient, listing: Listing, stated: str) -> tuple[Answer, Answer]:
    """The event's series and its fee changes; the present series if it no longer exists."""
    try:
        return client.series(stated), client.fee_changes(stated)
    except NotFoundError:
        if stated == listing.series[0]:
            raise
        return client.series(listing.series[0]), client.fee_changes(listing.series[0])


def _archived(client: KalshiClient, contract: EventContract) -> frozenset[str]:
    # Nothing settles before its close, so what closed after the cutoff is in the live tier.
    if contract.close_time >= client.cutoff().market_settled_ts:
        return frozenset()
    return client.archived_tickers(contract.event_ticker)


@dataclass(frozen=True)
class _Stated:
    """The settlement value that settled markets state, where exactly the legs of `atom` paid."""

    contract: EventContract
    markets: list[Market]
    atom: int
    range: Limits

    def value(self) -> int | None:
        """The value in ticks; None: not stated, or in words that do not agree."""
        event = self.contract.event_ticker
        stated = {
            market.ticker: market.expiration_value
            for market in self.markets
            if market.expiration_value is not None
        }
        if not stated:
            return self._value_of_words()
        values = set(stated.values())
        if len(values) > 1:
            shown = ", ".join(f"{ticker} {value}" for ticker, value in stated.items())
            raise ContractError(f"{event}: expiration values disagree: {shown}")
        value = values.pop()
        try:
            ticks = self.contract.grid.ticks(value)
        except LadderError as error:
            raise ContractError(f"{event} settled at {value}: {error}") from error
        if not self._is_possible(ticks):
            raise MalformedAnswerError(
                f"{value} is out of range",
                record=f"market {next(iter(stated))}",
                field="expiration_value",
            )
        if self.contract.ladder.index_of(ticks) != self.atom:
            paid = [m.ticker for m in self.markets if m.result == "yes"]
            raise ContractError(
                f"{event} settled at {value}, but {', '.join(paid) or 'no market'} paid"
            )
        return ticks

    def _value_of_words(self) -> int | None:
        words = (m.expiration_words for m in self.markets if m.expiration_words is not None)
        read = {number for each in words if (number := leading_number(each)) is not None}
        if len(read) != 1:
            return None
        try:
            ticks = self.contract.grid.ticks(read.pop())
        except LadderError:
            return None
        agrees = self._is_possible(ticks) and self.contract.ladder.index_of(ticks) == self.atom
        return ticks if agrees else None

    def _is_possible(self, ticks: int) -> bool:
        return all(bound.holds(ticks, bound.limit) for bound in self.range.bounds)


def _known_at(contract: EventContract, markets: list[Market]) -> tuple[datetime, str]:
    settled = [m.settlement_ts for m in markets if m.settlement_ts is not None]
    if len(settled) == len(markets):
        return max(settled), "settlement_ts"
    expected = [
        m.expected_expiration_time for m in markets if m.expected_expiration_time is not None
    ]
    return max(expected, default=contract.close_time + SETTLEMENT_LAG), "assumed"


def _known(client: KalshiClient, table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    return table.conform(frame.filter(pl.col("known_at") <= client.now()))


@contextmanager
def _naming(key: LadderDay, what: str) -> Iterator[None]:
    try:
        yield
    except (ExchangeError, ContractError, LadderError) as error:
        raise IngestError(key, f"{what}: {error}") from error
