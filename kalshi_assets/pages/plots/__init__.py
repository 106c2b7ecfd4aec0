"""Figures of one city-day: beliefs, weather, decisions, money; one module each.

Here: the figures. Not here: legends and captions of pages (these are text on the page, which can be
searched and read aloud), or computing numbers that are not in a frame. `legend=True` draws a legend
of the brackets, for use outside a page.
"""

from kalshi_assets.pages.plots.beliefs import belief_figure
from kalshi_assets.pages.plots.decisions import reason_figure
from kalshi_assets.pages.plots.money import money_figure
from kalshi_assets.pages.plots.strokes import INLINE_SIZE
from kalshi_assets.pages.plots.weather import hazard_figure

__all__ = ["INLINE_SIZE", "belief_figure", "hazard_figure", "money_figure", "reason_figure"]
