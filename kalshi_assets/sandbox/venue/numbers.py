"""Numbers on the wire of the order path, exact.

Here: conversion between texts and integers. Prices are in 1/10,000 dollar (cc), contracts in
hundredths, amounts of money in millionths of a dollar (micro): cc times hundredths. Not here: the
recordings' texts (`exchange_wire`).
"""

import re

from kalshi_assets.units import CC_A_DOLLAR

MICRO_A_DOLLAR = 1_000_000
MICRO_A_CC = MICRO_A_DOLLAR // CC_A_DOLLAR
A_CONTRACT = 100
"""Hundredths."""

_DECIMAL = re.compile(r"\d{1,12}(\.\d{1,6})?")


def scaled(text: str, digits: int) -> int | None:
    """A plain decimal as an integer of 10**-digits; None: not a decimal, or finer than that."""
    if not _DECIMAL.fullmatch(text):
        return None
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > digits:
        return None
    return int(whole + fraction.ljust(digits, "0"))


def price_text(cc: int) -> str:
    """Four decimals."""
    return _fixed(cc, 4)


def money_text(micro: int) -> str:
    """Six decimals."""
    return _fixed(micro, 6)


def count_text(hundredths: int) -> str:
    """Two decimals."""
    return _fixed(hundredths, 2)


def _fixed(value: int, digits: int) -> str:
    whole, fraction = divmod(abs(value), 10**digits)
    return f"{'-' if value < 0 else ''}{whole}.{fraction:0{digits}d}"
