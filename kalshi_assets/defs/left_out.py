"""Days of a window that learning leaves out, by name, as metadata of what was learnt.

Here: their words. Not here: leaving them out, which follows from what was settled
(`ladder.settlement`): a day without a winner teaches nothing of who pays.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from kalshi_assets.partitions import CityDay

AT_FAIR_PRICE = "the exchange settled at a fair price: no bracket won"


def reason_of(examples: pl.DataFrame | None) -> str | None:
    """Why a day of `panel.examples` is left out; None: it is not, or not settled yet."""
    if examples is None or examples["settled_as"].first() != "fair_price":
        return None
    return AT_FAIR_PRICE


def left_out(key: CityDay, days: int, reasons: Mapping[CityDay, str]) -> Mapping[str, Any]:
    """Metadata that names the days left out of the `days` before `key`; none: all count."""
    lines = [f"- {day}: {reasons[day]}" for day in key.earlier(days) if day in reasons]
    return {"left out": dg.MetadataValue.md("\n".join(lines))} if lines else {}
