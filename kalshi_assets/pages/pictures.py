"""Small pictures of a city-day, as Markdown that Dagster shows with a partition."""

from collections.abc import Callable

from kalshi_assets.pages.canvas import Sheet
from kalshi_assets.pages.inputs import DayInputs


def belief_picture(day: DayInputs) -> str:
    """The fused PMF over the day."""
    from kalshi_assets.pages.plots import belief_figure

    return _picture(day, belief_figure, "fused PMF over the day")


def hazard_picture(day: DayInputs) -> str:
    """Temperature and the weather PMF over the day."""
    from kalshi_assets.pages.plots import hazard_figure

    return _picture(day, hazard_figure, "temperature and weather PMF over the day")


def _picture(day: DayInputs, draw: Callable[..., Sheet], alt: str) -> str:
    from kalshi_assets.pages.plots import INLINE_SIZE
    from kalshi_assets.pages.svg import svg_data_uri

    return f"![{alt}]({svg_data_uri(draw(day, size=INLINE_SIZE, legend=True), alt)})"
