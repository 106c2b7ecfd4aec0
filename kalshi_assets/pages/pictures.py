"""Small pictures of a city-day, as Markdown that Dagster shows beside a partition."""

from kalshi_assets.pages.inputs import DayInputs


def belief_picture(day: DayInputs) -> str:
    """The fused PMF over the day."""
    from kalshi_assets.pages.plots import INLINE_SIZE, belief_figure
    from kalshi_assets.pages.svg import svg_data_uri

    picture = svg_data_uri(
        belief_figure(day, size=INLINE_SIZE, legend=True), "fused PMF over the day"
    )
    return f"![fused PMF over the day]({picture})"


def hazard_picture(day: DayInputs) -> str:
    """Temperature and the weather's PMF over the day."""
    from kalshi_assets.pages.plots import INLINE_SIZE, hazard_figure
    from kalshi_assets.pages.svg import svg_data_uri

    picture = svg_data_uri(
        hazard_figure(day, size=INLINE_SIZE, legend=True), "the weather's PMF over the day"
    )
    return f"![temperature and weather PMF over the day]({picture})"
