"""Compiled fees: the arithmetic of `exchange.fees` in integers, fill by fill.

Here: the fee of one fill and what its order carries to the next. Not here: the exact formula in
decimals, which the tests compare with (`exchange.fees`).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from kalshi_assets.kernel_cache import lean, njit
from kalshi_assets.units import CC_A_CENT, CC_A_DOLLAR, Array

SHARES = 10_000
"""Units of a share of the full fee."""
DIRECT, BROKER, CONSERVATIVE = 0, 1, 2
SCHEDULES = {"direct": DIRECT, "broker": BROKER, "conservative": CONSERVATIVE}

_UNITS_A_MICRO = 100_000_000
_MICRO_A_CC = 100
_CENT_MICRO = 10_000


class FeeTerms(NamedTuple):
    """What decides a fee.

    Attributes
    ----------
    maker, taker
        Share of the full fee, multiplier included, in units of 1 / `SHARES`.
    schedule
        `DIRECT`, `BROKER` or `CONSERVATIVE`; see `exchange.fees`.
    """

    maker: int
    taker: int
    schedule: int


@lean
def fee_of_fill(
    terms: FeeTerms, carried: int, price_cc: int, contracts: int, sign: int, taker: bool
) -> tuple[int, int]:
    """Fee of an order's next fill, cc, and what the order carries to the one after.

    Parameters
    ----------
    terms
        The event's.
    carried
        From the order's fill before; 0 for the first.
    price_cc, contracts
        Price of YES; whole contracts.
    sign
        +1: YES is bought, -1: sold.
    taker
        Whether the order takes.
    """
    share = terms.taker if taker else terms.maker
    # 7/100 dollars x share x C x P (1 - P), in units of 10^-14 dollars: exact.
    unrounded = 7 * share * contracts * price_cc * (CC_A_DOLLAR - price_cc)
    if terms.schedule == CONSERVATIVE:
        cent = _CENT_MICRO * _UNITS_A_MICRO
        before = -(-carried // cent)
        after = -(-(carried + unrounded) // cent)
        return (after - before) * _CENT_MICRO // _MICRO_A_CC, carried + unrounded
    trade_fee = -(-unrounded // _UNITS_A_MICRO)
    grain = _MICRO_A_CC if terms.schedule == DIRECT else _CENT_MICRO
    # Selling YES moves whole dollars more than buying NO, which rounds the same.
    rounding = (-sign * contracts * price_cc * _MICRO_A_CC - trade_fee) % grain
    carried += rounding
    gross = trade_fee + rounding
    rebate = grain * min(carried // grain, gross // grain)
    return (gross - rebate) // _MICRO_A_CC, carried - rebate


@lru_cache(maxsize=64)
def fees_by_price(terms: FeeTerms, contracts: int) -> tuple[Array, Array]:
    """Fees per contract by price in cc, cents, of an order filled whole: maker's and taker's.

    Parameters
    ----------
    terms
        The event's fee terms.
    contracts
        Size of the order.
    """
    maker, taker = (_by_price(terms, contracts, takes) for takes in (False, True))
    for fees in (maker, taker):
        fees.flags.writeable = False
    return maker, taker


@njit(cache=True)
def _by_price(terms: FeeTerms, contracts: int, taker: bool) -> Array:
    fees = np.empty(CC_A_DOLLAR + 1)
    for price in range(CC_A_DOLLAR + 1):
        fees[price] = fee_of_fill(terms, 0, price, contracts, 1, taker)[0] / contracts / CC_A_CENT
    return fees
