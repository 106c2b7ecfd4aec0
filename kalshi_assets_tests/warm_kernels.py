"""Call what is compiled once, with the types that the platform calls it with.

Run as a program, so that numba keeps the machine code for the processes that follow. A kernel that
is missing here is compiled by whoever calls it first.
"""

import numpy as np

from kalshi_assets.features.activity import activity
from kalshi_assets.features.panel import minute_panel
from kalshi_assets.ladder.market_pmf import market_pmf
from kalshi_assets.ladder.thresholds import coherent_curve, market_curve
from kalshi_assets_tests.families.temperature.hazard.days import (
    DAY,
    at,
    frame,
    hazard,
    ladder,
    report,
    told,
    truth,
)
from kalshi_assets_tests.features.tapes import OPEN, busy_tape, short_event


def of_the_weather() -> None:
    """Fit, filter, next hour."""
    temps = truth(DAY)
    maximum = report(82, "max_6h", int(temps[10:83].max()), max_since=at(10))
    hazard(frame([*told(temps).to_dicts(), maximum]), ladder(temps))


def of_the_market() -> None:
    """Panel, its market PMF and its activity."""
    panel = minute_panel(short_event(90), *busy_tape(1, 90))
    market_pmf(panel)
    activity(panel, OPEN)


def of_thresholds() -> None:
    """Curves of given centres, and of books."""
    bid, ask = np.array([[0.6], [0.2]]), np.array([[0.64], [0.24]])
    coherent_curve(bid, ask, bid)
    market_curve(bid, ask, bid, 0 * bid)


if __name__ == "__main__":
    of_the_weather()
    of_the_market()
    of_thresholds()
