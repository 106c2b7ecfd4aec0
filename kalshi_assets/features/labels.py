"""What became of a bracket after a minute: to fit and judge by, never to decide by.

Here: moves and leaders after the latency, the evidence that passed a bracket, what settled. Not
here: features, which know nothing after the minute.
"""

import json
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.evidence import counted, evidence_floor, of_climate_day
from kalshi_assets.features.facts import CC_A_DOLLAR
from kalshi_assets.instants import MINUTE_US, Array, Ints, microseconds
from kalshi_assets.ladder.grid import KEY, Grid, gridded
from kalshi_assets.ladder.terms import terms_at, versions
from kalshi_assets.settlement.rule import Settled, outcomes, settled_as
from kalshi_assets.tables.panel import LABELS

# In minutes. A candle of a minute is known two seconds after its end, so the panel's next row is
# the first that shows what an order decided now would meet.
LATENCY = 1
HORIZONS = (1, 5)
LATEST = timedelta(minutes=LATENCY + max(HORIZONS))

# Of a mid; what remains of a difference of two of them is rounding.
_DECIMALS_OF_CENTS = 4


def labels(
    panel: pl.DataFrame,
    events: pl.DataFrame,
    observations: pl.DataFrame,
    settlements: pl.DataFrame,
) -> pl.DataFrame:
    """The labels of every bracket and minute of one event.

    Parameters
    ----------
    panel
        `panel.minute_panel` of the event; with weather or in full serves as well.
    events
        `market.events` of it: upper edges, tick grids, climate day.
    observations
        `weather.observations` of its climate day.
    settlements
        `weather.settlements` of it; without a final row, or at a fair price, `pays` is null.

    Returns
    -------
    DataFrame
        `panel.labels`, the panel's rows. But for the outcome and `settled_as`, a row rests on
        nothing that happened after its minute, the latency of a minute and its horizon; of the
        evidence by measurement, on no report measured later.
    """
    panel, grid = gridded(panel)
    columns = {
        **_moves(panel, grid, events),
        **_leaders(panel, grid),
        **_crossings(grid, terms_at(events).sort("market_ticker"), observations),
    }
    found = [
        pl.Series(name, values.ravel(), nan_to_null=True).cast(LABELS.dtypes[name])
        for name, values in columns.items()
    ]
    return LABELS.arranged(
        panel[[*KEY, "bracket"]]
        .hstack(found)
        .with_columns(
            *_outcome(outcomes(settlements, events)),
            settled_as=pl.lit(settled_as(settlements, events), pl.String),
            known_at=pl.col("minute") + LATEST,
        )
    )


def _outcome(said: Sequence[Settled]) -> list[pl.Expr]:
    """The outcome by every word on it, and by the last."""
    times = [each.known_at for each in said]
    unknown = pl.lit(None, pl.Boolean)
    paid = [unknown if each.winner is None else pl.col("bracket") == each.winner for each in said]
    none = pl.lit([], LABELS.dtypes["outcome_pays"])
    return [
        (paid[-1] if paid else unknown).alias("pays"),
        pl.lit(times, LABELS.dtypes["outcome_known_at"]).alias("outcome_known_at"),
        (pl.concat_list(paid) if paid else none).alias("outcome_pays"),
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
    starts, _, steps = np.array(json.loads(grid), dtype=np.float64).T
    band = np.searchsorted(starts, np.round(price * CC_A_DOLLAR), side="right") - 1
    return steps[np.clip(band, 0, steps.size - 1)] / 100


def _leaders(panel: pl.DataFrame, grid: Grid) -> dict[str, Array]:
    """Which bracket has the greatest price of the curve, where that can be told.

    Prices of an event sum to about one, so nothing unquoted is dearer than one above a half.
    """
    bid, ask = grid.matrix(panel["bid"]), grid.matrix(panel["ask"])
    unquoted = np.isnan(bid) & np.isnan(ask)
    price = (np.where(np.isnan(bid), 0.0, bid) + np.where(np.isnan(ask), 1.0, ask)) / 2
    price = np.where(unquoted, -1.0, np.round(price, 6))
    greatest = price.max(axis=0)
    leads = price == greatest
    told = (leads.sum(axis=0) == 1) & (~unquoted.any(axis=0) | (greatest > 0.5))
    outcome = np.where(told, leads.astype(np.float64), np.nan)
    return {f"y_win_{minutes}m": _ahead(outcome, LATENCY + minutes) for minutes in HORIZONS}


def _crossings(grid: Grid, ladder: pl.DataFrame, observations: pl.DataFrame) -> dict[str, Array]:
    """Whether the evidence passes each bracket soon, by both clocks of the reports."""
    reports = of_climate_day(observations, ladder["climate_start"][0])
    clocks = {"sensor": reports.with_columns(known_at="event_time"), "known": reports}
    upper = ladder["hi_f"].cast(pl.Float64).to_numpy()
    found = {}
    for clock, seen in clocks.items():
        floors = counted(seen).select("known_at", floor=evidence_floor().cast(pl.Float64))
        times, floor = microseconds(floors["known_at"]), floors["floor"].to_numpy()
        for minutes in HORIZONS:
            found[f"y_cross_{clock}_{minutes}m"] = _crossed(
                grid.minutes, grid.minutes + minutes * MINUTE_US, times, floor, upper
            )
    return found


def _crossed(now: Ints, until: Ints, times: Ints, floor: Array, upper: Array) -> Array:
    """1 where the floor first exceeds the edge after `now` and not after `until`, else 0.

    NaN where no report was there by `until`, and for a bracket without an upper edge.
    """
    crossed = np.full((upper.size, now.size), np.nan)
    if times.size:
        for row, edge in zip(crossed, upper, strict=True):
            passed = times[floor > edge]
            row[:] = (now < passed[0]) & (passed[0] <= until) if passed.size else 0.0
        crossed[np.isnan(upper)] = np.nan
        crossed[:, until < times[0]] = np.nan
    return crossed
