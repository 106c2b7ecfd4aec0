"""Figures of one city-day: beliefs, weather, decisions, money; one module each.

Here: what is drawn. Not here: legends and captions of pages (the page writes them as text, where
a reader can search and a screen reader can read them), or any number that is not in a frame.
`legend=True` writes the brackets into the figure, for places without a page around it.
"""

from kalshi_assets.pages.plots.beliefs import belief_figure
from kalshi_assets.pages.plots.decisions import reason_figure
from kalshi_assets.pages.plots.money import money_figure
from kalshi_assets.pages.plots.strokes import INLINE_SIZE
from kalshi_assets.pages.plots.weather import hazard_figure

__all__ = ["INLINE_SIZE", "belief_figure", "hazard_figure", "money_figure", "reason_figure"]
