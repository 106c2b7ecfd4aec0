"""A day of one event as arrays: what was known at each row, the tape, the event's terms.

Here: turning tables into the kernels' input. Not here: what is done with it.

Rows keep the order of their tables, by market and minute, so that columns are read in place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.instants import microseconds
from kalshi_assets.ladder.grid import Grid, gridded
from kalshi_assets.trading.exchange_kernels import Tape
from kalshi_assets.trading.params import TradingParams
from kalshi_assets.trading.signal_kernels import Gates, MoveInputs, Rows
from kalshi_assets.trading.terms import EventTerms
from kalshi_assets.units import CC_A_CENT, CC_A_DOLLAR, MINUTE_US, Array, Bools, Ints

Kind = TypeVar("Kind", bound=np.generic)

NO_VETO = ""

_KEY = ("market_ticker", "minute")
# Properties of a day that do not depend on parameters.
_WITHOUT_PARAMS = ("instants", "markets", "first", "vetoes", "rows", "volume_1m", "mid_cc")
_NEVER_BELOW_0 = ("quote_age_s", "volume_15m", "minutes_to_close")
_NEEDED = ("known_at", "quote_source", "market_valid", "impossible")
_SIGN = {"yes": 1, "no": -1}


def priced(
    panel: pl.DataFrame,
    calibrated: pl.DataFrame,
    veto: pl.Series,
    *,
    pressure: pl.Series | None = None,
    predictions: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The panel with the other columns that trading reads.

    Parameters
    ----------
    panel
        The family's full panel of one event.
    calibrated
        `learning.calibrated` of the event.
    veto
        For every row of the panel why no order may rest or be sent, in the family's terms; empty:
        orders are allowed. Null: not known, and treated as a veto.
    pressure
        For every row the family's component of the signal of `move`; None: it has none.
    predictions
        `learning.predictions` of the event; None: there are none.

    Returns
    -------
    DataFrame
        The panel's rows and columns, `p_calibrated`, `impossible`, `veto`, `pressure` and the
        predicted directions; its `known_at` is the latest of all, null where one is.

    Raises
    ------
    ValueError
        A row of the panel has no calibrated probability.
    """
    beside = _in_rows_of(panel, calibrated)
    if beside["p_calibrated"].null_count():
        ticker, minute = panel.filter(beside["p_calibrated"].is_null()).select(_KEY).row(0)
        raise ValueError(
            f"{ticker} at {minute:%Y-%m-%dT%H:%MZ} has no calibrated probability; "
            "materialise learning.calibrated of the day again"
        )
    both_known = pl.col("known_at").is_not_null() & beside["known_at"].is_not_null()
    known_at = pl.max_horizontal("known_at", beside["known_at"])
    nothing = pl.lit(None, pl.Float64)
    directions: Mapping[str, pl.Expr | pl.Series] = dict.fromkeys(_DIRECTIONS, nothing)
    if predictions is not None:
        predicted = _in_rows_of(panel, predictions)
        directions = {name: predicted[name] for name in _DIRECTIONS}
        known_at = pl.max_horizontal(known_at, predicted["known_at"])
    return panel.with_columns(
        known_at=pl.when(both_known).then(known_at),
        p_calibrated=beside["p_calibrated"],
        impossible=beside["impossible"],
        veto=veto,
        pressure=nothing if pressure is None else pressure,
        **directions,
    )


_DIRECTIONS = ("p_up_1m", "p_down_1m", "p_up_5m", "p_down_5m")


def _in_rows_of(panel: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """`other` with a row per row of the panel; of whole days the rows are the same already."""
    if all(panel[name].equals(other[name]) for name in reversed(_KEY)):
        return other
    return panel.select(_KEY).join(other, on=_KEY, how="left", maintain_order="left")


@dataclass(frozen=True, kw_only=True)
class TradingDay:
    """One event's day.

    Attributes
    ----------
    panel
        The `priced` panel, sorted as in its table.
    grid
        Its markets and minutes.
    terms, params
        The event's terms; the trader's settings.
    tape
        The event's trades.
    """

    panel: pl.DataFrame
    grid: Grid
    terms: EventTerms
    params: TradingParams
    tape: Tape

    @classmethod
    def of(
        cls, panel: pl.DataFrame, trades: pl.DataFrame, terms: EventTerms, params: TradingParams
    ) -> Self:
        """The day of a `priced` panel.

        Parameters
        ----------
        panel
            One event, every bracket at every minute.
        trades
            `market.trades` of the event; empty: the tape is made from the panel's minutes.
        terms, params
            The event's terms; the trader's settings.

        Raises
        ------
        ValueError
            The panel is empty, lacks a minute or a bracket, or has brackets of several events.
        """
        if panel.is_empty():
            raise ValueError("the panel of the day has no rows")
        panel, grid = gridded(panel)
        brackets = len(grid.markets)
        if sorted(grid.brackets.tolist()) != list(range(brackets)):
            held = dict(zip(grid.markets, grid.brackets.tolist(), strict=True))
            raise ValueError(
                f"the panel must hold one event with brackets 0, 1, ...; it holds {held}"
            )
        if (np.diff(grid.minutes) != MINUTE_US).any():
            raise ValueError("the panel lacks a minute between its first and its last")
        day = cls(panel=panel, grid=grid, terms=terms, params=params, tape=_NO_TAPE)
        tape = day.tape_of_minutes() if trades.is_empty() else tape_of(trades, grid)
        return cls(panel=panel, grid=grid, terms=terms, params=params, tape=tape)

    def with_params(self, params: TradingParams) -> Self:
        """The same day under other parameters; the family's veto stays as it is."""
        other = replace(self, params=params)
        for name in _WITHOUT_PARAMS:
            # Computed once for both.
            other.__dict__[name] = getattr(self, name)
        return other

    @cached_property
    def instants(self) -> Ints:
        """The minutes, microseconds."""
        return _own(self.grid.minutes)

    @cached_property
    def markets(self) -> list[str]:
        """Tickers in ladder order."""
        return self.grid.in_ladder(self.grid.markets.to_numpy()).tolist()

    @cached_property
    def first(self) -> Ints:
        """First row of every bracket, lowest first."""
        brackets, minutes = self.grid.shape
        return self.grid.in_ladder(np.arange(brackets) * minutes)

    @cached_property
    def vetoes(self) -> list[str]:
        """The family's words, from position 1 of `Rows.veto` on."""
        words = self.panel["veto"].fill_null("veto_unknown").unique().sort().to_list()
        return [word for word in words if word != NO_VETO]

    @cached_property
    def rows(self) -> Rows:
        """What was known, per row."""
        panel = self.panel
        veto = panel["veto"].fill_null("veto_unknown")
        return Rows(
            bid=_quotes(panel["bid_cc"]),
            ask=_quotes(panel["ask_cc"]),
            recorded=_is(panel["quote_source"] == "recorded"),
            age_s=_numbers(panel["quote_age_s"]),
            volume_15m=_numbers(panel["volume_15m"]),
            market=_probabilities(panel["p_mkt"]),
            calibrated=_probabilities(panel["p_calibrated"]),
            valid=_is(panel["market_valid"]),
            impossible=_is(panel["impossible"]),
            unknown=self._something_unknown(),
            veto=veto.replace_strict([NO_VETO, *self.vetoes], range(len(self.vetoes) + 1))
            .cast(pl.Int8)
            .to_numpy(writable=True),
            to_close=_numbers(panel["minutes_to_close"]),
        )

    def _something_unknown(self) -> Bools:
        unknown = _is(self.panel["p_mkt"].is_null() | self.panel["p_calibrated"].is_null())
        for name in ("p_mkt", "p_calibrated"):
            unknown = unknown | np.isnan(_probabilities(self.panel[name]))
        for name in _NEVER_BELOW_0:
            values = _numbers(self.panel[name])
            unknown = unknown | ~((values >= 0) & (values < np.inf))
        for name in _NEEDED:
            if self.panel[name].null_count():
                unknown = unknown | self.panel[name].is_null().to_numpy()
        return unknown

    @cached_property
    def volume_1m(self) -> Array:
        """Contracts traded in each row's minute; NaN: not known."""
        return _finite(self.panel["volume_1m"])

    @cached_property
    def mid_cc(self) -> Array:
        """Middle of the quotes, per row; NaN: not two-sided."""
        return (self.rows.bid + self.rows.ask) / 2

    @cached_property
    def gates(self) -> Gates:
        """Limits of the common gates."""
        p = self.params
        return Gates(
            min_probability=p.min_probability,
            max_probability=p.max_probability,
            # In binary 100 x 4.1 is below 410.
            max_spread_cc=round(p.max_spread_cents * CC_A_CENT, 6),
            min_volume_15m=p.min_volume_15m,
            max_quote_age_s=p.max_quote_age_s,
            last_minutes_without_orders=float(p.last_minutes_without_orders),
            honesty=p.honesty,
        )

    @cached_property
    def move_inputs(self) -> MoveInputs:
        """What `move` reads."""
        horizon = self.params.move.horizon_minutes
        panel = self.panel
        return MoveInputs(
            ras=_finite(panel["relative_acceleration"]),
            velocity=_finite(panel["velocity_5m"]),
            flow=_finite(panel["flow_percentile"]) - 0.5,
            pressure=_finite(panel["pressure"]),
            up=_probabilities(panel[f"p_up_{horizon}m"]),
            down=_probabilities(panel[f"p_down_{horizon}m"]),
            mid=self.mid_cc / CC_A_CENT,
        )

    def tape_of_minutes(self) -> Tape:
        """Two trades for every minute with volume, at its lowest and its highest price, or one."""
        panel, grid = self.panel, self.grid
        low, high = (_prices(panel[f"{name}_1m_cc"]) for name in ("low", "high"))
        count = np.rint(self.volume_1m * 100)
        traded = np.flatnonzero((count > 0) & (low >= 0) & (high >= 0))
        two = traded[low[traded] < high[traded]]
        half = (count[two] // 2).astype(np.int64)
        size = count[traded].astype(np.int64)
        size[np.isin(traded, two)] -= half
        at = np.concatenate([traded, two])
        minutes = grid.shape[1]
        order = np.argsort(at % minutes, kind="stable")
        return Tape(
            # What ends with a minute is in the next row.
            at=grid.minutes[at % minutes][order] - MINUTE_US,
            bracket=grid.brackets[at // minutes].astype(np.int16)[order],
            price=np.concatenate([low[traded], high[two]]).astype(np.int32)[order],
            quantity=np.concatenate([size, half])[order],
            sign=np.zeros(len(at), np.int8),
            bar=MINUTE_US - 1,
        )


def tape_of(trades: pl.DataFrame, grid: Grid) -> Tape:
    """The trades of an event as a tape.

    Parameters
    ----------
    trades
        `market.trades` of the event; those negotiated off the book are left out.
    grid
        The event's markets.
    """
    bracket = dict(zip(grid.markets, grid.brackets.tolist(), strict=True))
    seen = (
        trades.filter(~pl.col("is_block_trade") & pl.col("market_ticker").is_in(list(bracket)))
        .sort("event_time", "trade_id")
        .select(
            "event_time",
            "yes_price_cc",
            bracket=pl.col("market_ticker").replace_strict(bracket, return_dtype=pl.Int16),
            quantity=(pl.col("count") * 100).round().cast(pl.Int64),
            sign=pl.col("taker_side").replace_strict(_SIGN, return_dtype=pl.Int8),
        )
    )
    return Tape(
        at=_own(microseconds(seen["event_time"])),
        bracket=_own(seen["bracket"].to_numpy()),
        price=_own(seen["yes_price_cc"].to_numpy()),
        quantity=_own(seen["quantity"].to_numpy()),
        sign=_own(seen["sign"].to_numpy()),
        bar=0,
    )


_NO_TAPE = Tape(
    at=np.empty(0, np.int64),
    bracket=np.empty(0, np.int16),
    price=np.empty(0, np.int32),
    quantity=np.empty(0, np.int64),
    sign=np.empty(0, np.int8),
    bar=0,
)


def _own(values: NDArray[Kind]) -> NDArray[Kind]:
    """An array that may be written to: compiled code is made anew for one that may not."""
    return np.require(values, requirements=["C", "W"])


def _numbers(values: pl.Series) -> Array:
    """NaN for null."""
    return _own(values.cast(pl.Float64).to_numpy())


def _finite(values: pl.Series) -> Array:
    """NaN for null and infinity."""
    found = _numbers(values)
    return np.where(np.isfinite(found), found, np.nan)


def _quotes(values: pl.Series) -> Array:
    """Whole cc; NaN for null and for what is no price of an order: nothing, a dollar."""
    prices = _numbers(values)
    return np.where((prices > 0) & (prices < CC_A_DOLLAR), prices, np.nan)


def _prices(values: pl.Series) -> Array:
    """Whole cc; NaN for null and for invalid prices."""
    prices = _numbers(values)
    return np.where((prices >= 0) & (prices <= CC_A_DOLLAR), prices, np.nan)


def _probabilities(values: pl.Series) -> Array:
    """NaN for null and for invalid probabilities."""
    found = _numbers(values)
    return np.where((found >= 0) & (found <= 1), found, np.nan)


def _is(flags: pl.Series) -> Bools:
    """Where a flag is known and true."""
    return _own(flags.fill_null(value=False).to_numpy())
