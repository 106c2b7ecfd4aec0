"""Parameters of trading, read from config/trading.toml.

Here: what a trader may tune of any ladder, its limits and its overrides per ladder. Not here: what
a family adds (`families`), or facts of an event (fees, ticks, close), which the exchange states.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

CONFIG_NAME = "trading.toml"

P = TypeVar("P", bound="TradingParams")


class _Params(BaseModel):
    """Parameters whose unknown keys are errors that list the known ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _names_unknown_keys(cls, fields: Any) -> Any:
        if isinstance(fields, Mapping) and (unknown := sorted(set(fields) - set(cls.model_fields))):
            raise ValueError(f"unknown {unknown}; known: {', '.join(cls.model_fields)}")
        return fields


class ValueParams(_Params):
    """Parameters of the strategy `value`; edges are cents per contract after fees.

    Attributes
    ----------
    adverse_selection_cents
        Loss of a maker's fill against its fair price, beyond half the spread.
    slippage_cents
        How much worse than the quote a taker order may fill; its limit price is that far out.
    maker_min_edge_cents, taker_min_edge_cents
        Least edge of an order; the taker's is the greater.
    reduce_min_edge_cents
        Least edge at which held contracts are reduced.
    """

    adverse_selection_cents: float = Field(ge=0)
    slippage_cents: float = Field(ge=0)
    maker_min_edge_cents: float = Field(gt=0)
    taker_min_edge_cents: float = Field(gt=0)
    reduce_min_edge_cents: float

    @model_validator(mode="after")
    def _taking_costs_more(self) -> "ValueParams":
        if self.taker_min_edge_cents <= self.maker_min_edge_cents:
            raise ValueError(
                f"taker_min_edge_cents {self.taker_min_edge_cents} must exceed "
                f"maker_min_edge_cents {self.maker_min_edge_cents}"
            )
        return self


class MoveParams(_Params):
    """Parameters of the strategy `move`; see docs/trading.md.

    Attributes
    ----------
    weight_ras, weight_velocity, weight_flow, weight_pressure
        Weights of the signal's components; 0: not needed.
    min_signal
        Least absolute signal.
    horizon_minutes
        Horizon of the predicted move, and time until held contracts leave.
    maker_min_move_cents, taker_min_move_cents
        Least predicted move after fees; the taker's also after the spread.
    maker_offset_ticks
        Ticks by which a maker's order improves the best price of its side; negative: stays behind.
    slippage_cents
        As of `value`.
    """

    weight_ras: float
    weight_velocity: float
    weight_flow: float
    weight_pressure: float
    min_signal: float = Field(ge=0)
    horizon_minutes: Literal[1, 5]
    maker_min_move_cents: float = Field(gt=0)
    taker_min_move_cents: float = Field(gt=0)
    maker_offset_ticks: int
    slippage_cents: float = Field(ge=0)


class SetParams(_Params):
    """Parameters of the strategy `sets`.

    Attributes
    ----------
    set_min_edge_cents
        Least gain of a complete set after fees: the price of the leg that may be missing.
    """

    set_min_edge_cents: float = Field(ge=0)


class TradingParams(_Params):
    """Parameters that a trader may tune.

    Attributes
    ----------
    min_probability, max_probability
        Brackets outside are tails: not traded.
    max_spread_cents, min_volume_15m, max_quote_age_s
        Liquidity gate.
    honesty
        Share of the disagreement with the market that is believed:
        ``p_used = p_mkt + honesty (p_calibrated - p_mkt)``.
    order_contracts, max_position_contracts
        Greatest size of an order; limit of YES or NO contracts held in a bracket.
    bankroll_cc, kelly_fraction
        Wealth and share of the joint Kelly size that an order may have.
    max_open_orders, max_orders_a_bracket, max_orders_a_minute
        Working orders in the ladder and in a bracket; orders sent within a minute.
    collar_cents
        How far beyond the mid an order's price may be.
    max_ladder_loss_cc, max_daily_loss_cc
        Limits on the loss under the worst outcome, with the worst fills of working orders, of the
        ladder and of the account's day over all ladders.
    order_lifetime_s, latency_s
        A maker order expires after the first; orders and cancels take effect after the second.
    last_minutes_without_orders
        Minutes before the close in which no order is sent.
    volume_share
        Share of a minute's volume that a taker order may take. Decimal, since 100 x .29 in binary
        is below 29.
    displayed_contracts
        Least size assumed for a standing quote, whatever the minute's volume.
    touch_share
        Share of a trade at an order's price that fills it under `touch`.
    queue_ahead_contracts
        Contracts assumed ahead of an order at a standing price under `queue`.
    value, move, sets
        Parameters of the strategies.
    """

    min_probability: float = Field(ge=0, le=1)
    max_probability: float = Field(ge=0, le=1)
    max_spread_cents: float = Field(gt=0)
    min_volume_15m: float = Field(ge=0)
    max_quote_age_s: float = Field(gt=0)
    honesty: float = Field(ge=0, le=1)
    order_contracts: int = Field(gt=0, le=10_000)
    max_position_contracts: int = Field(gt=0, le=1_000_000)
    bankroll_cc: int = Field(gt=0)
    kelly_fraction: float = Field(gt=0, le=1)
    max_open_orders: int = Field(ge=1, le=10_000)
    max_orders_a_bracket: int = Field(ge=1)
    max_orders_a_minute: int = Field(ge=1)
    collar_cents: float = Field(gt=0)
    max_ladder_loss_cc: int = Field(gt=0)
    max_daily_loss_cc: int = Field(gt=0)
    order_lifetime_s: float = Field(gt=0)
    latency_s: float = Field(ge=0)
    last_minutes_without_orders: int = Field(ge=1)
    volume_share: Decimal = Field(gt=0, le=1, decimal_places=4)
    displayed_contracts: int = Field(ge=0)
    touch_share: Decimal = Field(gt=0, le=1, decimal_places=4)
    queue_ahead_contracts: float = Field(ge=0)
    value: ValueParams
    move: MoveParams
    sets: SetParams

    @model_validator(mode="after")
    def _is_coherent(self) -> "TradingParams":
        if self.min_probability >= self.max_probability:
            raise ValueError(
                f"min_probability {self.min_probability} must be below "
                f"max_probability {self.max_probability}"
            )
        if self.last_minutes_without_orders * 60 <= self.latency_s:
            raise ValueError(
                f"last_minutes_without_orders {self.last_minutes_without_orders} must exceed "
                f"latency_s {self.latency_s}: an order must arrive before the close"
            )
        return self


def params_of(
    document: Mapping[str, Any],
    ladder: str,
    ladders: Collection[str],
    *,
    section: str,
    of: type[P],
) -> P:
    """Parameters of a ladder: the defaults of trading.toml under its own overrides.

    Parameters
    ----------
    document
        The parsed file: a table ``defaults``, and one of overrides by ladder.
    ladder
        Name in the registry.
    ladders
        The registry's names; overrides of any other are an error.
    section
        Name of the table of overrides, such as ``cities``.
    of
        The family's class of parameters.

    Raises
    ------
    ValueError
        An unknown section, ladder or key, or a value out of range; the message names the place in
        the file.
    """
    known = ("defaults", section)
    if unknown := sorted(set(document) - set(known)):
        raise ValueError(f"{CONFIG_NAME}: unknown sections {unknown}; known: {', '.join(known)}")
    overrides = document.get(section, {})
    if unknown := sorted({*overrides, ladder} - set(ladders)):
        raise ValueError(f"{CONFIG_NAME}: unknown {section} {unknown}; known: {', '.join(ladders)}")
    defaults: Mapping[str, Any] = document.get("defaults", {})
    tables = {"[defaults]": defaults}
    tables |= {f"[{section}.{name}]": keys for name, keys in overrides.items()}
    for place, keys in tables.items():
        if unknown := sorted(set(keys) - set(of.model_fields)):
            raise ValueError(
                f"{CONFIG_NAME} {place}: unknown {unknown}; known: {', '.join(of.model_fields)}"
            )
    try:
        return of(**overridden(defaults, overrides.get(ladder, {})))
    except ValidationError as error:
        raise ValueError(f"{CONFIG_NAME} for {ladder}: {error}") from error


def overridden(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Values with some of them changed; tables within are changed key by key.

    Parameters
    ----------
    values, changes
        Parsed TOML.
    """
    both = dict(values)
    for name, change in changes.items():
        old = both.get(name)
        if isinstance(old, Mapping) and isinstance(change, Mapping):
            change = overridden(old, change)
        both[name] = change
    return both
