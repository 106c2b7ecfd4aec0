"""Labels: outcomes of a bracket after a minute, for fits and evaluation, never for decisions.

Here: moves and leaders after the latency, brackets ruled out by observations, the settlement. Not
here: features, which use nothing known after the minute.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.exchange.contract import tick_ranges
from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.grid import KEY, Grid, gridded
from kalshi_assets.ladder.terms import atoms_of, terms_at, versions
from kalshi_assets.settlement.rule import Settled, SettledAs, outcomes, settled_as
from kalshi_assets.tables.panel import LABELS
from kalshi_assets.units import CC_A_DOLLAR, Array

# In minutes. A candle of a minute is known two seconds after its end, so the panel's next row is
# the first that shows the book that an order decided now would meet.
LATENCY = 1
HORIZONS = (1, 5)
CROSS = "y_cross_"
LATEST = timedelta(minutes=LATENCY + max(HORIZONS))

# Of a mid; further digits of a difference of two mids are rounding errors.
_DECIMALS_OF_CENTS = 4


Crossings = Callable[[Grid, pl.DataFrame], dict[str, Array]]
"""From a panel's grid and the event's terms by market to the columns y_cross_*."""


def no_crossings(grid: Grid, ladder: pl.DataFrame) -> dict[str, Array]:
    """The columns y_cross_* of a family without such observations: unknown.

    Parameters
    ----------
    grid
        Markets and minutes.
    ladder
        The event's terms, sorted by market; not used.
    """
    return {name: np.full(grid.shape, np.nan) for name in LABELS.dtypes if name.startswith(CROSS)}


def labels(
    panel: pl.DataFrame,
    events: pl.DataFrame,
    settlements: pl.DataFrame,
    crossings: Crossings = no_crossings,
) -> pl.DataFrame:
    """The labels of every bracket and minute of one event.

    Parameters
    ----------
    panel
        `panel.minute_panel` of the event, or a panel that extends it.
    events
        `market.events` of the event: upper edges, tick grids, climate day.
    settlements
        The family's settlements of the event; without a final row, or at a fair price, `pays` is
        null.
    crossings
        The labels of observations that rule a bracket out; by default there are none.

    Returns
    -------
    DataFrame
        `panel.labels`, with the panel's rows. Except the outcome and `settled_as`, a row uses
        nothing that happened after its minute plus latency and horizon; y_cross_sensor uses no
        report that was measured later.
    """
    panel, grid = gridded(panel)
    ladder = atoms_of(events)
    columns = {
        **_moves(panel, grid, events),
        **_leaders(panel, grid, ladder),
        **crossings(grid, terms_at(events).sort("market_ticker")),
    }
    found = [
        pl.Series(name, values.ravel(), nan_to_null=True).cast(LABELS.dtypes[name])
        for name, values in columns.items()
    ]
    known_at = panel["minute"] + LATEST
    said, how = outcomes(settlements, events), settled_as(settlements, events)
    outcome = _outcome(grid, ladder, said, how)
    return LABELS.arranged(
        panel[[*KEY, "bracket"]].hstack([*found, *outcome, known_at.alias("known_at")])
    )


def _outcome(
    grid: Grid, ladder: Atoms, said: Sequence[Settled], how: SettledAs | None
) -> list[pl.Series]:
    """The outcome of every row by each statement and by the last, and how it was settled."""
    paid = [
        [None if each.winner is None else bool(ladder.payoff[leg, each.winner]) for each in said]
        for leg in grid.brackets
    ]
    of_market: dict[str, list[Any]] = {
        "pays": [words[-1] if words else None for words in paid],
        "outcome_known_at": [[each.known_at for each in said]] * len(paid),
        "outcome_pays": paid,
        "settled_as": [how] * len(paid),
    }
    markets = np.repeat(np.arange(len(paid)), len(grid.minutes))
    return [
        pl.Series(name, values, LABELS.dtypes[name])[markets] for name, values in of_market.items()
    ]


def _ahead(x: Array, minutes: int) -> Array:
    """`x` as it will be in `minutes`; NaN beyond the grid."""
    out = np.full_like(x, np.nan)
    out[:, : max(x.shape[1] - minutes, 0)] = x[:, minutes:]
    return out


def _moves(panel: pl.DataFrame, grid: Grid, events: pl.DataFrame) -> dict[str, Array]:
    mid = grid.matrix(panel["mid"])
    entry = _ahead(mid, LATENCY)
    half_spread = _ahead(grid.matrix(panel["spread_cents"]), LATENCY) / 2
    tick = np.concatenate(
        [
            [
                _tick_cents(each, at)
                for each, at in zip(terms["tick_grid"], entry[:, minutes], strict=True)
            ]
            for minutes, terms in versions(events, grid.minutes)
        ],
        axis=1,
    )
    zone = np.maximum(tick, half_spread)
    found = {"entry_mid": entry}
    for minutes in HORIZONS:
        move = np.round((_ahead(mid, LATENCY + minutes) - entry) * 100, _DECIMALS_OF_CENTS)
        found[f"move_{minutes}m_cents"] = move
        found[f"y_dir_{minutes}m"] = np.where(np.abs(move) < zone, 0.0, np.sign(move))
    return found


def _tick_cents(grid: str, price: Array) -> Array:
    """The price step at a price in dollars, in cents."""
    ticks = [(each.start, each.step) for each in tick_ranges(grid)]
    starts, steps = np.array(ticks, dtype=np.float64).T
    band = np.searchsorted(starts, np.round(price * CC_A_DOLLAR), side="right") - 1
    return steps[np.clip(band, 0, steps.size - 1)] / 100


def _leaders(panel: pl.DataFrame, grid: Grid, ladder: Atoms) -> dict[str, Array]:
    """Which bracket has the greatest price of the ladder, where that is determined.

    Prices of a partition sum to about one, so a price above a half exceeds any unquoted one. Nested
    legs have no leader.
    """
    if ladder.shape != "partition":
        return {f"y_win_{minutes}m": np.full(grid.shape, np.nan) for minutes in HORIZONS}
    bid, ask = (grid.matrix(panel[f"{side}_cc"]) / CC_A_DOLLAR for side in ("bid", "ask"))
    unquoted = np.isnan(bid) & np.isnan(ask)
    price = (np.where(np.isnan(bid), 0.0, bid) + np.where(np.isnan(ask), 1.0, ask)) / 2
    price = np.where(unquoted, -1.0, np.round(price, 6))
    greatest = price.max(axis=0)
    leads = price == greatest
    told = (leads.sum(axis=0) == 1) & (~unquoted.any(axis=0) | (greatest > 0.5))
    outcome = np.where(told, leads.astype(np.float64), np.nan)
    return {f"y_win_{minutes}m": _ahead(outcome, LATENCY + minutes) for minutes in HORIZONS}
