"""How often a resting order of one contract would have been filled, by each fill model, on tapes.

Two kinds of probes. A *virtual maker* rests at the price and on the side of a real maker's fill,
from some minutes before it: the real fill proves that somebody was filled at that price. It is
chosen with hindsight. A *clock* probe rests at the best price of its side at a full quarter of an
hour, chosen from what was known then. Both rest for an hour or to the close. The models are those
of docs/trading.md: touch, through, and queue for several numbers of contracts ahead.

What is true is known in part. An order whose price was traded through was filled, by price-time
priority. One whose price was not reached was not. Otherwise it depends on who was ahead and stayed,
which no tape tells. What a tape tells of the queue is the size of a level when takers hit it: all
of it if they went on to the next price, else at least what they took; and the volume at a price
before it was traded through, which is at least what had been ahead and stayed.

Here: probes, levels and fills of an event. Not here: the rules (`virtual_maker_kernels`), what many
events say (`fill_study`, `queue_ahead`), reading tapes, the engine's fills (`trading`).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from kalshi_assets.instants import microseconds
from kalshi_assets.studies.virtual_maker_kernels import CONTRACT, followed
from kalshi_assets.units import CC_A_CENT, MINUTE_US, SECOND_US, Array, Bools, Ints

LEADS_MIN = (1, 5, 15)
LIFE_MIN = 60
CLOCK_MIN = 15
JUDGED_MIN = 15
"""When it is asked whether a clock probe is filled; a virtual maker: at the real fill."""
MAX_QUOTE_AGE_S = 600
KNOWN_AFTER_US = SECOND_US
"""A trade is known to those who place orders this long after the match."""
MARKS_MIN = (1, 5)

AHEAD = (0, 10, 50, 100, 300, 1000)
"""Values of `queue_ahead_contracts`."""
MODELS = ("touch", "through", *(f"queue_{n}" for n in AHEAD))

MAKER, CLOCK = "maker", "clock"
PRICE_BUCKETS = ("1-9", "10-29", "30-70", "71-90", "91-99")
SPREAD_BUCKETS = ("1", "2", "3-4", "5+", "unknown")

_EVENT_BITS = 42  # of microseconds from the first trade of an event: 50 days

_KEYS = {
    "date": pl.Date(),
    "kind": pl.String(),
    "lead_min": pl.Int16(),
    "price": pl.String(),
    "spread": pl.String(),
}
PROBES = pl.Schema(
    {
        **_KEYS,
        "placed": pl.Datetime("us", "UTC"),
        "bid": pl.Boolean(),
        "price_cc": pl.Int32(),
        "refused": pl.Boolean(),
        "improves": pl.Boolean(),
        "life_s": pl.Int32(),
        "volume": pl.Float64(),
        "reached": pl.Boolean(),
        "through": pl.Boolean(),
        "volume_before_through": pl.Float64(),
        "went_through": pl.Boolean(),
        **{f"seconds_{model}": pl.Int32() for model in MODELS},
        **{f"mark_{minutes}m_{model}": pl.Float32() for minutes in MARKS_MIN for model in MODELS},
    }
)
"""A row per probe.

`price` and `spread` are buckets in cents, the spread as inferred at placement. `refused`: it would
have crossed. `improves`: nobody was seen at its price or a better one. `volume`: contracts that
takers of the other side traded at the price until the probe is judged. `reached`, `through`:
whether there was a trade at the price or beyond it, and beyond it, until then.
`volume_before_through` is the volume until the first trade beyond the price, or the end of life if
there is none (`went_through`).
`seconds_*`: from placement to the fill, null: none. `mark_*`: inferred mid that long after the fill
less the price, cents; for an ask, the reverse.
"""

LEVELS = pl.Schema(
    {
        "date": pl.Date(),
        "price": pl.String(),
        "spread": pl.String(),
        "taken": pl.Float64(),
        "all_of_it": pl.Boolean(),
    }
)
"""A row per instant at which takers hit the best price: contracts taken there, and whether all."""

FILLS = pl.Schema(
    {
        "date": pl.Date(),
        "price": pl.String(),
        "spread": pl.String(),
        **{f"mark_{minutes}m": pl.Float32() for minutes in MARKS_MIN},
    }
)
"""A row per real maker's fill: all contracts of an instant at a price."""


@dataclass(frozen=True)
class EventProbes:
    """Probes, levels and fills of an event: schemas `PROBES`, `LEVELS`, `FILLS`."""

    probes: pl.DataFrame
    levels: pl.DataFrame
    fills: pl.DataFrame


@dataclass(frozen=True)
class Tape:
    """Trades of an event by market and time; those of an instant from the best price to the worst.

    `key` orders market and time in one number; `of_bid` and `of_ask` are the trades that show the
    quotes after each trade, -1: none.
    """

    key: Ints
    at: Ints
    price: Ints
    size: Ints
    lifts: Bools
    market: Ints
    of_bid: Ints
    of_ask: Ints
    origin: int

    @classmethod
    def of(cls, trades: pl.DataFrame, tickers: pl.Series) -> "Tape":
        """From `market.trades`; blocks negotiated off the book are left out."""
        if "is_block_trade" in trades.columns:
            trades = trades.filter(~pl.col("is_block_trade"))
        lifts = pl.col("taker_side") == "yes"
        rows = (
            trades.select(
                market=pl.col("market_ticker").replace_strict(
                    tickers, range(len(tickers)), return_dtype=pl.Int64
                ),
                at=pl.col("event_time").dt.epoch("us"),
                lifts=lifts,
                price=pl.col("yes_price_cc").cast(pl.Int64),
                size=(pl.col("count") * CONTRACT).round().cast(pl.Int64),
            )
            .group_by("market", "at", "lifts", "price")
            .agg(pl.col("size").sum())
            .sort(
                "market",
                "at",
                "lifts",
                pl.when("lifts").then(pl.col("price")).otherwise(-pl.col("price")),
            )
        )
        market, at, price, size = (
            rows[name].to_numpy() for name in ("market", "at", "price", "size")
        )
        taken_asks = rows["lifts"].to_numpy()
        origin = int(at.min()) - 1 if at.size else 0
        place = np.arange(at.size)
        start = np.searchsorted(market, market)
        shown = [
            np.maximum.accumulate(np.where(shows, place, -1)) for shows in (~taken_asks, taken_asks)
        ]
        of_bid, of_ask = (np.where(last >= start, last, -1) for last in shown)
        crossed = (of_bid >= 0) & (of_ask >= 0) & (price[of_bid] >= price[of_ask])
        older = at[of_bid] <= at[of_ask]
        return cls(
            key=(market << _EVENT_BITS) + (at - origin),
            at=at,
            price=price,
            size=size,
            lifts=taken_asks,
            market=market,
            of_bid=np.where(crossed & older, -1, of_bid),
            of_ask=np.where(crossed & ~older, -1, of_ask),
            origin=origin,
        )

    def until(self, market: Ints, at: Ints) -> Ints:
        """The number of the first trade of the market after `at`, or of the next market."""
        offset = np.clip(at - self.origin, 0, (1 << _EVENT_BITS) - 1)
        return np.searchsorted(self.key, (market << _EVENT_BITS) + offset, side="right")

    def quotes(self, market: Ints, at: Ints) -> tuple[Array, Array, Array]:
        """Inferred bid and ask, cc, NaN if none, and the age of the older side, microseconds."""
        last = self.until(market, at) - 1
        there = (last >= 0) & (self.market[last] == market)
        bid, ask = (np.where(there, shows[last], -1) for shows in (self.of_bid, self.of_ask))
        age = at - np.minimum(self.at[bid], self.at[ask])
        return (
            np.where(bid >= 0, self.price[bid], np.nan),
            np.where(ask >= 0, self.price[ask], np.nan),
            np.where((bid >= 0) & (ask >= 0), age, np.nan),
        )


def probed(trades: pl.DataFrame, markets: pl.DataFrame) -> EventProbes:
    """The probes of an event, the levels that takers met, and the fills of real makers.

    Parameters
    ----------
    trades
        `market.trades` of the event.
    markets
        market_ticker, date, open_time and close_time of its markets.
    """
    markets = markets.sort("market_ticker")
    tape = Tape.of(trades, markets["market_ticker"])
    if not tape.at.size:
        empty = (pl.DataFrame(schema=schema) for schema in (PROBES, LEVELS, FILLS))
        return EventProbes(*empty)
    opened, closed = (microseconds(markets[name]) for name in ("open_time", "close_time"))
    date = markets["date"][0]
    sign = np.where(tape.lifts, -1, 1)
    frames = [
        _probes(
            tape,
            closed,
            kind=(MAKER, lead),
            market=tape.market[there],
            sign=sign[there],
            price=tape.price[there],
            placed=placed[there],
            judged=tape.at[there],
        )
        for lead in LEADS_MIN
        for placed in [tape.at - lead * MINUTE_US]
        for there in [placed >= opened[tape.market]]
    ]
    market, placed, sign_of, price = clock_orders(tape, opened, closed)
    judged = placed + JUDGED_MIN * MINUTE_US
    frames.append(
        _probes(tape, closed, kind=(CLOCK, 0), market=market, sign=sign_of, price=price,
                placed=placed, judged=judged)
    )  # fmt: skip
    dated = pl.lit(date).alias("date")
    return EventProbes(
        probes=pl.concat(frames).with_columns(dated).select(PROBES.names()).cast(PROBES),
        levels=_levels(tape).with_columns(dated).select(LEVELS.names()).cast(LEVELS),
        fills=_fills(tape, closed).with_columns(dated).select(FILLS.names()).cast(FILLS),
    )


def clock_orders(tape: Tape, opened: Ints, closed: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Market, time, sign and price of clock probes: where both quotes were known and young."""
    step = CLOCK_MIN * MINUTE_US
    first = -(-tape.at.min() // step)
    times = np.arange(first, closed.max() // step + 1) * step
    market = np.repeat(np.arange(len(opened)), len(times))
    placed = np.tile(times, len(opened))
    bid, ask, age = tape.quotes(market, placed - KNOWN_AFTER_US)
    there = (age <= MAX_QUOTE_AGE_S * SECOND_US) & (placed >= opened[market])
    there &= placed + step < closed[market]
    market, placed = np.tile(market[there], 2), np.tile(placed[there], 2)
    price = np.concatenate([bid[there], ask[there]]).astype(np.int64)
    sign = np.repeat(np.array([1, -1]), there.sum())
    return market, placed, sign, price


def _probes(
    tape: Tape,
    closed: Ints,
    *,
    kind: tuple[str, int],
    market: Ints,
    sign: Ints,
    price: Ints,
    placed: Ints,
    judged: Ints,
) -> pl.DataFrame:
    bid, ask, _ = tape.quotes(market, placed)
    own, other = np.where(sign > 0, bid, ask), np.where(sign > 0, ask, bid)
    with np.errstate(invalid="ignore"):
        refused = sign * (other - price) <= 0
        improves = sign * (price - own) > 0
    end = np.minimum(placed + LIFE_MIN * MINUTE_US, closed[market])
    begin, stop = tape.until(market, placed), tape.until(market, end)
    taking, volume, flags, before = followed(
        (tape.at, tape.price, tape.size, tape.lifts),
        begin,
        np.where(refused, begin, stop),
        price,
        sign,
        placed,
        judged,
        improves,
        np.array(AHEAD) * CONTRACT,
    )
    frame = {
        "price": _price_bucket(price),
        "spread": _spread_bucket(bid, ask),
        "placed": pl.Series(placed).cast(pl.Datetime("us", "UTC")),
        "bid": sign > 0,
        "price_cc": price,
        "refused": refused,
        "improves": improves,
        "life_s": (end - placed) // SECOND_US,
        "volume": volume / CONTRACT,
        "reached": flags[:, 0],
        "through": flags[:, 1],
        "went_through": flags[:, 2],
        "volume_before_through": before / CONTRACT,
    }
    for k, model in enumerate(MODELS):
        filled = taking[:, k] >= 0
        at = placed + taking[:, k]
        seconds = np.where(filled, -(-taking[:, k] // SECOND_US), np.nan)
        frame[f"seconds_{model}"] = pl.Series(seconds, nan_to_null=True)
        for minutes in MARKS_MIN:
            mark = _marks(tape, closed, market, sign, price, at + minutes * MINUTE_US)
            mark = np.where(filled, mark, np.nan)
            frame[f"mark_{minutes}m_{model}"] = pl.Series(mark, nan_to_null=True)
    named = pl.lit(kind[0]).alias("kind"), pl.lit(kind[1]).alias("lead_min")
    return pl.DataFrame(frame).with_columns(named)


def _marks(tape: Tape, closed: Ints, market: Ints, sign: Ints, price: Ints, at: Ints) -> Array:
    """Inferred mid less price by sign, cents; NaN without a mid or after the close."""
    bid, ask, _ = tape.quotes(market, at)
    mark = sign * ((bid + ask) / 2 - price) / CC_A_CENT
    return np.where(at <= closed[market], mark, np.nan)


def _levels(tape: Tape) -> pl.DataFrame:
    """Schema `LEVELS` without the date."""
    instant = 2 * tape.key + tape.lifts
    first = np.flatnonzero(np.diff(instant, prepend=-1))
    levels = np.diff(np.append(first, instant.size))
    bid, ask, _ = tape.quotes(tape.market[first], tape.at[first] - 1)
    return pl.DataFrame(
        {
            "price": _price_bucket(tape.price[first]),
            "spread": _spread_bucket(bid, ask),
            "taken": tape.size[first] / CONTRACT,
            "all_of_it": levels > 1,
        }
    )


def _fills(tape: Tape, closed: Ints) -> pl.DataFrame:
    """Schema `FILLS` without the date."""
    bid, ask, _ = tape.quotes(tape.market, tape.at - 1)
    sign = np.where(tape.lifts, -1, 1)
    frame = {"price": _price_bucket(tape.price), "spread": _spread_bucket(bid, ask)}
    for minutes in MARKS_MIN:
        at = tape.at + minutes * MINUTE_US
        mark = _marks(tape, closed, tape.market, sign, tape.price, at)
        frame[f"mark_{minutes}m"] = pl.Series(mark, nan_to_null=True)
    return pl.DataFrame(frame)


def _price_bucket(price_cc: Ints) -> pl.Series:
    cents = price_cc / CC_A_CENT
    place = np.searchsorted([10, 30, 70.0001, 90.0001], cents, side="right")
    return pl.Series(PRICE_BUCKETS).gather(place)


def _spread_bucket(bid: Array, ask: Array) -> pl.Series:
    spread = np.nan_to_num((ask - bid) / CC_A_CENT, nan=np.inf)
    place = np.searchsorted([1.0001, 2.0001, 4.0001], spread)
    return pl.Series(SPREAD_BUCKETS).gather(np.where(np.isinf(spread), 4, place))
