"""The page of a ladder's day: probabilities, scores, and why it did or did not trade.

For families without a page of their own. Here: figures and tables from the generic tables alone.
Not here: what one family adds to them (`day_page` has the weather).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.grid import gridded
from kalshi_assets.ladder.terms import atoms_of, latest_terms
from kalshi_assets.pages.canvas import Sheet, hour_ticks, panels
from kalshi_assets.pages.inputs import hours_since, winner_of
from kalshi_assets.pages.page import render
from kalshi_assets.pages.plots.strokes import PERCENT, bands
from kalshi_assets.pages.results import results_of, strategies_in, with_gains
from kalshi_assets.pages.svg import svg_markup
from kalshi_assets.units import Array


@dataclass(frozen=True, kw_only=True)
class LadderPage:
    """The frames of a page; each except `events` may be empty.

    Attributes
    ----------
    events, fused_pmf, decisions, orders, fills, daily_pnl, report
        Partitions of the tables of these names.
    """

    key: LadderDay
    events: pl.DataFrame
    fused_pmf: pl.DataFrame
    decisions: pl.DataFrame
    orders: pl.DataFrame
    fills: pl.DataFrame
    daily_pnl: pl.DataFrame
    report: pl.DataFrame

    @property
    def outcome(self) -> str | None:
        """The value that settled the event, with its unit; None: not settled, or no value."""
        stated = self.daily_pnl["value"].drop_nulls()
        if stated.is_empty():
            return None
        terms = self.events.row(0, named=True)
        return f"{stated[0] / terms['scale']:g} {terms['unit']}"

    def render(self) -> str:
        """One self-contained HTML page."""
        strategies = strategies_in(results_of(self.daily_pnl))
        counted = self.decisions.group_by("reason", "strategy").len()
        reasons = counted.pivot(on="strategy", index="reason", values="len").fill_null(0)
        decided = [name for name in strategies if name in reasons.columns]
        return render(
            "ladder.html.j2",
            page=self,
            terms=latest_terms(self.events).sort("bracket").to_dicts(),
            figure=svg_markup(self._beliefs(), "fused and market probabilities over the day"),
            scores=self._scores(),
            strategies=decided,
            reasons=reasons.sort(pl.sum_horizontal(decided), descending=True).to_dicts(),
            pnl=self.daily_pnl.sort("strategy", "fill_model").to_dicts(),
            filled=with_gains(self.orders.filter(pl.col("filled") > 0), self.fills).to_dicts(),
        )

    def _beliefs(self) -> Sheet:
        """The fused and the market PMF as stacked bands of atoms, the lowest at the bottom."""
        sheet, ladder = Sheet((9.6, 4.4)), atoms_of(self.events)
        stacks = self._stacks(ladder)
        hours = stacks[0][1]
        x = (float(min(hours[0], 0.0)), float(hours[-1])) if len(hours) else (0.0, 24.0)
        made = panels(sheet, x=x, ys=[(0.0, 1.0)] * 2, shares=[1.0, 1.0], top=0.2)
        for panel, (title, hours, pmf) in zip(made, stacks, strict=True):
            ticks = hour_ticks(self.key.date, x, labels=panel is made[-1])
            panel.scales(y_ticks=PERCENT, x_ticks=ticks, title=title)
            if len(hours):
                bands(panel, hours, pmf, winner_of(self.daily_pnl))
            else:
                panel.remark("no probabilities")
        return sheet

    def _stacks(self, ladder: Atoms) -> list[tuple[str, Array, Array]]:
        """Title, hours since the day's start, and PMF over the atoms, shape (atoms, minutes)."""
        named = {"p_fused": "fused probabilities", "p_mkt": "market probabilities"}
        if self.fused_pmf.is_empty():
            return [(title, np.empty(0), np.empty((0, 0))) for title in named.values()]
        rows, grid = gridded(self.fused_pmf)
        hours = hours_since(grid.minutes, self.events["day_start"][0])
        return [
            (title, hours, ladder.atom_probabilities(grid.in_ladder(grid.matrix(rows[name]))))
            for name, title in named.items()
        ]

    def _scores(self) -> list[dict[str, object]]:
        """Log loss of every source, a row per hour."""
        if self.report.is_empty():
            return []
        return self.report.pivot(on="source", index="lst_hour", values="log_loss").to_dicts()
