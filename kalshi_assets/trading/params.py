"""Parameters of trading, read from config/trading.toml.

Here: what a trader may tune of any ladder, its limits and its overrides per ladder. Not here: what
a family adds (`families`), or facts of an event (fees, ticks, close), which the exchange states.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

CONFIG_NAME = "trading.toml"

P = TypeVar("P", bound="TradingParams")


class TradingParams(BaseModel):
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
    adverse_selection_cents
        Loss of a maker's fill against its fair price, beyond half the spread.
    slippage_cents
        How much worse than the quote a taker order may fill; its limit price is that far out.
    maker_min_edge_cents, taker_min_edge_cents
        Least edge per contract after fees; the taker's is the greater.
    order_contracts, max_position_contracts
        Size of an order; limit of YES or NO contracts held in a bracket.
    max_daily_loss_cc
        Limit on the day's loss under the worst outcome, with the worst fills of resting orders.
    order_lifetime_minutes, latency_minutes
        A maker order expires after the first; orders and cancels take effect after the second.
    last_minutes_without_orders
        Minutes before the close in which no order is sent.
    volume_share, touch_share
        Share of a minute's volume that a fill may take: conservative and taker; touch. Decimal,
        since 100 x .29 in binary is below 29.
    displayed_contracts
        Least size assumed for a standing quote, whatever the minute's volume.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min_probability: float = Field(ge=0, le=1)
    max_probability: float = Field(ge=0, le=1)
    max_spread_cents: float = Field(gt=0)
    min_volume_15m: float = Field(ge=0)
    max_quote_age_s: float = Field(gt=0)
    honesty: float = Field(ge=0, le=1)
    adverse_selection_cents: float = Field(ge=0)
    slippage_cents: float = Field(ge=0)
    maker_min_edge_cents: float = Field(gt=0)
    taker_min_edge_cents: float = Field(gt=0)
    order_contracts: int = Field(gt=0)
    max_position_contracts: int = Field(gt=0)
    max_daily_loss_cc: int = Field(gt=0)
    order_lifetime_minutes: int = Field(ge=1)
    latency_minutes: int = Field(ge=1)
    last_minutes_without_orders: int = Field(ge=1)
    volume_share: Decimal = Field(gt=0, le=1, decimal_places=4)
    touch_share: Decimal = Field(gt=0, le=1, decimal_places=4)
    displayed_contracts: int = Field(ge=0)

    @model_validator(mode="before")
    @classmethod
    def _names_unknown_keys(cls, fields: Any) -> Any:
        if isinstance(fields, Mapping) and (unknown := sorted(set(fields) - set(cls.model_fields))):
            raise ValueError(f"unknown {unknown}; known: {', '.join(cls.model_fields)}")
        return fields

    @model_validator(mode="after")
    def _is_coherent(self) -> "TradingParams":
        if self.min_probability >= self.max_probability:
            raise ValueError(
                f"min_probability {self.min_probability} must be below "
                f"max_probability {self.max_probability}"
            )
        if self.taker_min_edge_cents <= self.maker_min_edge_cents:
            raise ValueError(
                f"taker_min_edge_cents {self.taker_min_edge_cents} must exceed "
                f"maker_min_edge_cents {self.maker_min_edge_cents}"
            )
        if self.touch_share < self.volume_share:
            raise ValueError(
                f"touch_share {self.touch_share} must be at least volume_share "
                f"{self.volume_share}: touch is the optimistic bound"
            )
        if self.last_minutes_without_orders <= self.latency_minutes:
            raise ValueError(
                f"last_minutes_without_orders {self.last_minutes_without_orders} must exceed "
                f"latency_minutes {self.latency_minutes}: an order must arrive before the close"
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
    tables = {"[defaults]": document.get("defaults", {})}
    tables |= {f"[{section}.{name}]": keys for name, keys in overrides.items()}
    for place, keys in tables.items():
        if unknown := sorted(set(keys) - set(of.model_fields)):
            raise ValueError(
                f"{CONFIG_NAME} {place}: unknown {unknown}; known: {', '.join(of.model_fields)}"
            )
    try:
        return of(**{**tables["[defaults]"], **overrides.get(ladder, {})})
    except ValidationError as error:
        raise ValueError(f"{CONFIG_NAME} for {ladder}: {error}") from error
