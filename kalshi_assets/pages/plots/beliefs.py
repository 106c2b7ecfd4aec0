"""The fused and market PMFs as bands, and each source's probability of the winner."""

import numpy as np

from kalshi_assets.pages.canvas import Panel, Sheet, Size, hour_ticks, panels
from kalshi_assets.pages.inputs import DayInputs
from kalshi_assets.pages.palette import SOURCE_COLOURS
from kalshi_assets.pages.plots.strokes import (
    LEGEND_TOP,
    PERCENT,
    bands,
    bracket_legend,
    line,
    mark_climate_day,
    mark_deaths,
    trading_hours,
)


def belief_figure(day: DayInputs, *, size: Size = (9.6, 4.4), legend: bool = False) -> Sheet:
    """The fused and the market PMF as stacked bands, and each source's probability of the winner.

    The market's panel is omitted if no weather was used, because it would repeat the fused one.
    With `legend` there is only the fused panel.
    """
    sheet, x, grid = Sheet(size), trading_hours(day), day.grid
    stacks = [("fused probabilities, the coldest bracket at the bottom", grid.p_fused)]
    if grid.has_weather and not legend:
        stacks.append(("market probabilities", grid.p_mkt))
    shares = [1.0] if legend else [1.6] + [0.9] * len(stacks)
    made = panels(
        sheet, x=x, ys=[(0.0, 1.0)] * len(shares), shares=shares, top=LEGEND_TOP if legend else 0.2
    )
    for panel, (title, pmf) in zip(made, stacks, strict=False):
        panel.scales(
            y_ticks=PERCENT,
            x_ticks=hour_ticks(day.date, x, labels=legend),
            title="" if legend else title,
        )
        if len(grid):
            bands(panel, grid.hours, pmf, day.winner)
        else:
            panel.remark("no minute panel")
        mark_climate_day(panel)
    mark_deaths(made[0], day, day.grid)
    if legend:
        bracket_legend(sheet, day)
    else:
        _winner_panel(made[-1], day)
    return sheet


def _winner_panel(panel: Panel, day: DayInputs) -> None:
    grid = day.grid
    followed, title = day.winner, "probability given to the bracket that paid"
    if followed is None and len(grid):
        followed = int(np.nan_to_num(grid.p_fused[:, -1]).argmax())
        title = "not settled: probability of the latest favourite"
    panel.scales(y_ticks=PERCENT, x_ticks=hour_ticks(day.date, panel.x, labels=True), title=title)
    mark_climate_day(panel)
    if followed is None or not len(grid):
        return
    line(panel, grid.hours, grid.p_wx[followed], SOURCE_COLOURS["weather"], width=1.0)
    line(panel, grid.hours, grid.p_fused[followed], SOURCE_COLOURS["fused"], width=2.2)
    line(panel, grid.hours, grid.p_mkt[followed], SOURCE_COLOURS["market"], width=1.0)
