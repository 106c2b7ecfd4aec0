"""The generated world's market: the event's six brackets, the traders' belief, and quotes.

Here: strikes and rules, the belief PMF by minute, the market maker's bids and asks. Not here:
trades and candles (`world_tape`), the weather itself.

All quotes of a minute enclose the same belief PMF (bid at or below it, ask at or above), so that
bids never sum to more than 100 cents and asks never to less.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.families.temperature.authorities import WEATHER_COMPANY_FROM
from kalshi_assets.families.temperature.cities import City
from kalshi_assets.ladder.brackets import Bracket, Ladder
from kalshi_assets.sandbox.world_station import (
    REPORT_EVERY,
    five_minute_mean,
    forecast,
    official_maximum,
    whole_fahrenheit,
)
from kalshi_assets.sandbox.world_weather import DAY, generator, ornstein_uhlenbeck, signal
from kalshi_assets.units import Array

Cents = NDArray[np.int16]

OPENS = time(14, 0)
PEAK_NOISE_F = 0.8
CLIMATE_REPORT_LAG_MIN = 60
DEAD = 0.002


@dataclass(frozen=True, kw_only=True)
class Market:
    """A market as listed by the exchange."""

    bracket: Bracket
    strike_type: str
    floor_strike: float | None
    cap_strike: float | None
    label: str
    rules: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """The six markets of a city-day, coldest first, and their trading hours."""

    ticker: str
    markets: tuple[Market, ...]
    ladder: Ladder
    open_time: datetime
    close_time: datetime

    @property
    def minutes(self) -> int:
        """Minutes from open to close."""
        return int((self.close_time - self.open_time) / timedelta(minutes=1))


def event(seed: int, city: City, day: date) -> Event:
    """The event: four brackets of 2 °F around the forecast, and two tails.

    It opens at 14:00Z the day before and closes one minute before the end of the climate day.
    """
    rng = generator(seed, city, day, "strikes")
    lowest = forecast(seed, city, day).value_f - int(rng.integers(2, 6))
    ticker, top = city.event_ticker(day), lowest + 7
    middle = range(lowest, lowest + 8, 2)
    # The strikes of the tails do not pay (kalshi.md 6.2).
    listed = [
        (f"T{lowest}", None, lowest - 1, f"{lowest - 1}° or below", f"less than {lowest}°"),
        *((f"B{k + 0.5}", k, k + 1, f"{k}° to {k + 1}°", f"between {k}-{k + 1}°") for k in middle),
        (f"T{top}", top + 1, None, f"{top + 1}° or above", f"greater than {top}°"),
    ]
    markets = tuple(
        Market(
            bracket=Bracket(market_ticker=f"{ticker}-{strike}", lo=lo, hi=hi),
            strike_type="less" if lo is None else "greater" if hi is None else "between",
            floor_strike=lo if lo is None or hi is not None else lo - 1,
            cap_strike=hi if hi is None or lo is not None else hi + 1,
            label=label,
            rules=rules(city, day, words),
        )
        for strike, lo, hi, label, words in listed
    )
    return Event(
        ticker=ticker,
        markets=markets,
        ladder=Ladder(tuple(m.bracket for m in markets)),
        open_time=datetime.combine(day - timedelta(days=1), OPENS, tzinfo=UTC),
        close_time=city.climate_day(day)[1] - timedelta(minutes=1),
    )


def rules(city: City, day: date, words: str) -> str:
    """`rules_primary` with the exchange's wording on `day`; it changed on 2026-08-14."""
    if day >= WEATHER_COMPANY_FROM:
        place = city.title.split(" (")[0]
        return (
            f"If the maximum temperature recorded at {place} (CLI{city.cli}) for "
            f"{day:%b} {day.day}, {day.year}, is {words} fahrenheit according to The Weather "
            "Company, then the market resolves to Yes."
        )
    place = (
        city.rules_names[0] if city.rules_names else f"{city.title.split(' (')[0]} (CLI{city.cli})"
    )
    return (
        f"If the highest temperature recorded in {place} for {day:%B %d, %Y} as reported by the "
        f"National Weather Service's Climatological Report (Daily), is {words}, then the market "
        "resolves to Yes."
    )


@dataclass(frozen=True, kw_only=True)
class Belief:
    """The traders' belief, by minute from open to close.

    The PMF has shape (minutes, 6); `spread_f` is the standard deviation of the maximum still to
    come, shape (minutes,), °F.
    """

    pmf: Array
    spread_f: Array


def belief(
    seed: int, city: City, day: date, market: Event, *, lag_min: int, mood_f: Array | float = 0.0
) -> Belief:
    """Belief about the final maximum, given reports that are `lag_min` minutes old.

    The maximum still to come has a logistic distribution around the forecast curve, shifted by the
    anomaly so far with a weight that grows during the morning. Brackets below the reports are
    dead. `mood_f` is the traders' own error in °F, a number or shape (minutes,).
    """
    start = city.climate_day(day)[0]
    first = int((market.open_time - start) / timedelta(minutes=1))
    k = first + 1 + np.arange(market.minutes) - lag_min
    seen = np.clip(k, 0, DAY - 1)
    before = k < 0

    trend = signal(seed, city, day)
    value_f = forecast(seed, city, day).value_f
    curve = trend + (value_f - PEAK_NOISE_F - trend.max())
    to_come = np.maximum.accumulate(curve[::-1])[::-1]
    anomaly = _trailing_mean(five_minute_mean(seed, city, day) - curve, 30)
    weight = np.where(before, 0.0, 0.95 * np.clip((seen / 60 - 2) / 11, 0, 1))
    news = 0.3 * (official_maximum(seed, city, day) - value_f) * _news(market, start)
    centre = to_come[seen] + PEAK_NOISE_F + weight * anomaly[seen] + (1 - weight) * news
    left = np.sqrt((DAY - seen) / DAY)
    spread = np.hypot(2.4 * (1 - weight), 1.15 * left)
    running = np.where(before, -np.inf, _known_maximum(seed, city, day, k, lag_min))

    upper = np.array(market.ladder.upper) + 0.5
    z = (upper - (centre + mood_f * (1 - 0.8 * weight))[:, None]) / spread[:, None]
    below = 1 / (1 + np.exp(-np.clip(z * np.pi / np.sqrt(3), -40, 40)))
    below = np.where(running[:, None] > upper, 0.0, below)
    edges = np.zeros((market.minutes, 1))
    return Belief(pmf=np.diff(np.hstack([edges, below, edges + 1]), axis=1), spread_f=spread)


def _trailing_mean(values: Array, window: int) -> Array:
    total = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, values.size + 1)
    begin = np.maximum(end - window, 0)
    mean: Array = (total[end] - total[begin]) / (end - begin)
    return mean


def _news(market: Event, start: datetime) -> Array:
    """Share of the news (0 to 1) that later forecasts reveal before the day, in hourly steps."""
    ahead = (start - market.open_time) / timedelta(minutes=1)
    at = np.arange(market.minutes) / ahead * 3
    steps = np.floor(at) + np.clip((at - np.floor(at)) * 6, 0, 1)
    return np.clip(steps - 1, 0, 3) / 3


def _known_maximum(
    seed: int, city: City, day: date, k: NDArray[np.int64], lag_min: int
) -> NDArray[np.float64]:
    """Greatest whole °F in the reports up to minute k, or in the hourly climate message."""
    whole = whole_fahrenheit(seed, city, day)
    every = np.maximum.accumulate(whole)
    reports = every.min() + np.zeros_like(whole)
    reports[::REPORT_EVERY] = whole[::REPORT_EVERY]
    reported = np.maximum.accumulate(reports)
    message = k + lag_min - CLIMATE_REPORT_LAG_MIN
    by_message = np.where(message < 0, -999, every[np.clip(message, 0, DAY - 1)])
    return np.maximum(reported[np.clip(k, 0, DAY - 1)], by_message).astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class Quotes:
    """Best bids and asks at the end of every minute, shape (minutes, 6), cents; 0, 100: none.

    `touched` says whether the book of a bracket changed during the minute, in price or size;
    `changed_at_s` is the second of the minute at which quotes changed, shape (minutes,).
    """

    bid: Cents
    ask: Cents
    touched: NDArray[np.bool_]
    changed_at_s: Array


def quotes(rng: np.random.Generator, view: Belief, lively: Array) -> Quotes:
    """The market maker's quotes around the belief.

    All brackets are requoted together, at random minutes; each side of each bracket has its own
    slowly changing margin. `lively` is the relative activity per minute, shape (minutes,), 0 to 1.
    """
    n, brackets = view.pmf.shape
    requote = rng.random(n) < 0.1 + 0.5 * lively
    requote[0] = True
    fair = 100 * view.pmf[_last_true(requote)]
    unsure = view.spread_f / 2.4
    margin = np.empty((2, n, brackets))
    for side in range(2):
        fresh = rng.random((n, brackets)) < (0.03 + 0.12 * lively)[:, None]
        fresh[0] = True
        drawn = 0.1 + rng.exponential(0.4, (n, brackets)) + 0.5 * unsure[:, None]
        drawn += 0.6 * ((fair < 8) | (fair > 92)) * unsure[:, None]
        rows = _last_true(fresh)
        margin[side] = np.take_along_axis(drawn, rows, axis=0)
    bid = np.clip(np.floor(fair - margin[0]), 0, 99).astype(np.int16)
    ask = np.clip(np.ceil(fair + margin[1]), 1, 100).astype(np.int16)
    _settle(rng, fair / 100, bid, ask)
    # No quotes before the market maker arrives, some minutes after the open.
    for j in range(brackets):
        arrives = int(rng.integers(1, 6))
        bid[:arrives, j], ask[:arrives, j] = 0, 100
    moved = _moved(bid) | _moved(ask)
    resized = rng.random((n, brackets)) < (0.1 + 0.4 * lively)[:, None]
    quoted = (bid > 0) | (ask < 100)
    asleep = (bid == 0) & (ask <= 1) | (bid >= 99)
    touched = moved | (resized & quoted & (~asleep | (rng.random((n, brackets)) < 0.05)))
    return Quotes(bid=bid, ask=ask, touched=touched, changed_at_s=rng.uniform(2.0, 58.0, (n,)))


def _settle(rng: np.random.Generator, p: Array, bid: Cents, ask: Cents) -> None:
    """Quotes of practically decided brackets: 0/1, 99/100, or none for some dead ones."""
    dead, sure = p < DEAD, p > 1 - DEAD
    bid[dead], ask[dead] = 0, 1
    bid[sure], ask[sure] = 99, 100
    for j in np.flatnonzero(rng.random(p.shape[1]) < 0.25):
        since = np.flatnonzero(dead[:, j])
        if since.size:
            pulled = since[0] + int(rng.integers(60, 240))
            ask[pulled:, j] = np.where(dead[pulled:, j], 100, ask[pulled:, j])


def _last_true(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index of the latest True at or before each position along the first axis."""
    index = np.arange(flags.shape[0]).reshape(-1, *([1] * (flags.ndim - 1)))
    return np.maximum.accumulate(np.where(flags, index, 0), axis=0)


def _moved(quote: Cents) -> NDArray[np.bool_]:
    moved = np.zeros(quote.shape, dtype=bool)
    moved[1:] = quote[1:] != quote[:-1]
    return moved


def liveliness(city: City, day: date, market: Event) -> Array:
    """Relative activity per minute, 0.1 to 1: low at night, highest from 9 to 17 on the day."""
    start = city.climate_day(day)[0]
    first = (market.open_time - start) / timedelta(hours=1)
    hour = first + np.arange(market.minutes) / 60
    eve = 0.35 * np.exp(-(((hour + 8) / 5) ** 2))
    own = np.exp(-(((hour - 12.5) / 4.5) ** 4)) + 0.25 * np.exp(-(((hour - 19.5) / 4) ** 2))
    return np.clip(0.06 + eve + own, 0, 1)


TRADERS_ERROR_F = 0.35
"""Standard deviation of the traders' common error: about what recorded markets show."""


def mood(rng: np.random.Generator, minutes: int, error_f: float = TRADERS_ERROR_F) -> Array:
    """The traders' common error in °F, shape (minutes,); the greater, the longer it lasts."""
    lasting = 75.0 * max(error_f / TRADERS_ERROR_F, 1.0)
    return error_f * ornstein_uhlenbeck(rng.standard_normal(minutes), time_constant=lasting)
