import base64
import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.trading import REASONS
from kalshi_assets.instants import microseconds
from kalshi_assets.pages import plots
from kalshi_assets.pages.canvas import PAPER, Panel, Pixels, Sheet, thin_out
from kalshi_assets.pages.inputs import DayInputs, MinuteGrid, hours_since, no_rows, runs
from kalshi_assets.pages.palette import ALARM, REASON_COLOURS, bracket_colours
from kalshi_assets.pages.plots.strokes import bands
from kalshi_assets.pages.svg import svg_data_uri, svg_markup
from kalshi_assets.tables import EVENTS, HAZARD_PMF, OBSERVATIONS
from kalshi_assets_tests.pages.factory import a_day

FIGURES = (
    plots.belief_figure,
    plots.hazard_figure,
    partial(plots.reason_figure, strategy="value"),
    plots.money_figure,
)


def test_importing_reports_does_not_import_matplotlib_or_jinja() -> None:
    code = (
        "import sys; import kalshi_assets.pages.day_page, kalshi_assets.pages.index_page, "
        "kalshi_assets.pages.plots, kalshi_assets.pages.summary; "
        "print([m for m in ('matplotlib', 'jinja2', 'PIL', 'dagster') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def inline(sheet: Sheet) -> str:
    """The SVG document in a picture for Dagster's markdown."""
    uri = svg_data_uri(sheet, "a picture")
    return base64.b64decode(uri.removeprefix("data:image/svg+xml;base64,")).decode()


@pytest.mark.parametrize("draw", FIGURES)
def test_an_inline_picture_is_small_and_a_document_of_its_own(draw: object) -> None:
    sheet = draw(a_day(), size=plots.INLINE_SIZE)  # type: ignore[operator]
    assert len(svg_data_uri(sheet, "a picture")) < 60_000
    document = ElementTree.fromstring(inline(sheet))
    assert document.tag == "{http://www.w3.org/2000/svg}svg"
    assert (document.get("width"), document.get("height")) == ("640", "220")
    # No page is around it whose colours it could take.
    assert "var(" not in inline(sheet)
    assert "currentColor" not in inline(sheet)


def test_a_line_with_a_gap_becomes_a_move_for_each_part() -> None:
    sheet = Sheet((1.0, 1.0))
    points = np.array([[0.0, 0.0], [0.5, 0.5], [np.nan, 0.0], [0.75, 1.0], [1.0, 0.0]])
    panel = Panel(sheet=sheet, left=0, bottom=0, width=1, height=1, x=(0, 1), y=(0, 1))
    panel.lines([points], "#000000")
    assert 'd="M0 720l360 -360M540 0l180 720"' in svg_markup(sheet, "a line")


def test_what_lies_in_front_is_written_last_and_paper_is_the_pages() -> None:
    sheet = Sheet((1.0, 1.0))
    panel = Panel(sheet=sheet, left=0, bottom=0, width=1, height=1, x=(0, 1), y=(0, 1))
    panel.box((0, 1), (0, 1), PAPER, zorder=3)
    panel.box((0, 1), (0, 1), "#123456", zorder=1)
    panel.write(0, 0, "5 < 6 & $")
    markup = svg_markup(sheet, 'a "box"')
    assert markup.index("#123456") < markup.index("var(--paper)")
    assert "5 &lt; 6 &amp; $</text>" in markup
    assert 'aria-label="a &quot;box&quot;"' in markup


def test_missing_observations_are_said_in_the_figure() -> None:
    drawn = svg_markup(plots.hazard_figure(a_day(weather=False)), "weather")
    assert "no station observations for this climate day" in drawn
    assert "no station observations" not in svg_markup(plots.hazard_figure(a_day()), "weather")


def test_the_hazard_is_drawn_where_there_is_one() -> None:
    words = "probability of a new high within 60 minutes"
    assert words in svg_markup(plots.hazard_figure(a_day()), "weather")
    assert words not in svg_markup(plots.hazard_figure(a_day(weather=False)), "weather")


def test_the_weathers_bands_need_nothing_but_events_reports_and_the_hazard() -> None:
    day = a_day()
    frames = {EVENTS: day.events, OBSERVATIONS: day.observations, HAZARD_PMF: day.hazard_pmf}
    bare = DayInputs.of(day.city, day.date, {**no_rows(), **frames})
    drawn = svg_markup(plots.hazard_figure(bare, legend=True), "weather")
    assert all(rung.label in drawn for rung in day.ladder)
    assert "official maximum" not in drawn


def test_a_withheld_pmf_leaves_a_gap_of_its_own_colour_in_the_bands() -> None:
    fed = Sheet((1.0, 1.0))
    panel = Panel(sheet=fed, left=0, bottom=0, width=1, height=1, x=(0, 24), y=(0, 1))
    grid = a_day(alarm=True).hazard
    bands(panel, grid.hours, grid.p_wx, None)
    for shape in fed.shapes:
        assert not isinstance(shape, Pixels)
        hours = shape.points[:, 0] * 24
        assert not ((hours > 10 + 1e-6) & (hours < 11)).any()
    alarmed = svg_markup(plots.hazard_figure(a_day(alarm=True)), "weather")
    assert f'fill="{ALARM}" opacity' in alarmed
    assert f'fill="{ALARM}" opacity' not in svg_markup(plots.hazard_figure(a_day()), "weather")


@given(st.lists(st.sampled_from([None, "stale", "ok"]), max_size=40))
def test_runs_cover_every_time_once_and_never_repeat_a_value(words: list[str | None]) -> None:
    found = list(runs(np.array(words, dtype=object)))
    assert [word for start, stop, word in found for _ in range(start, stop)] == words
    assert all(one[2] != next_[2] for one, next_ in pairwise(found))


def test_the_markets_own_bands_are_drawn_only_where_weather_makes_a_difference() -> None:
    with_weather = svg_markup(plots.belief_figure(a_day()), "beliefs")
    without = svg_markup(plots.belief_figure(a_day(weather=False)), "beliefs")
    assert "market probabilities" in with_weather
    assert "market probabilities" not in without


def test_an_unsettled_day_draws_contracts_and_not_money() -> None:
    drawn = svg_markup(plots.money_figure(a_day(settled=False)), "money")
    assert "the day is not settled" in drawn
    assert "$" not in drawn


def test_colours_of_brackets_get_lighter_from_cold_to_hot() -> None:
    def luminance(colour: str) -> float:
        channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ (0.2126, 0.7152, 0.0722))

    for count in range(2, 12):
        levels = [luminance(colour) for colour in bracket_colours(count)]
        assert levels == sorted(levels)
        assert len(set(levels)) == count


def test_every_reason_has_its_own_colour() -> None:
    assert set(REASON_COLOURS) == set(REASONS)
    assert len(set(REASON_COLOURS.values())) == len(REASONS)


@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=300),
    st.integers(min_value=1, max_value=100),
)
def test_thinning_keeps_both_ends_and_the_order(values: list[float], columns: int) -> None:
    index = thin_out(np.array([values]), columns)
    assert index[0] == 0
    assert index[-1] == len(values) - 1
    assert (np.diff(index) > 0).all()
    assert len(index) <= max(columns, 1) + 2


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=200))
def test_thinning_without_pressure_loses_nothing(values: list[float]) -> None:
    index = thin_out(np.array([values]), 1_000)
    redrawn = np.interp(np.arange(len(values)), index, np.array(values)[index])
    assert redrawn == pytest.approx(values)


def test_the_grid_holds_the_panels_numbers_whatever_the_order_of_rows() -> None:
    day = a_day()
    shuffled = day.minute_panel_full.sample(fraction=1.0, shuffle=True, seed=3)
    grid = MinuteGrid.of(shuffled, day.day_start, 6)
    assert np.array_equal(grid.p_fused, day.grid.p_fused, equal_nan=True)
    assert np.allclose(np.nansum(grid.p_fused, axis=0), 1.0)
    assert grid.hours[0] == -15.0


def test_hours_count_from_the_start_of_the_climate_day() -> None:
    day = a_day()
    start = day.events["day_start"]
    assert hours_since(microseconds(start), day.day_start) == pytest.approx(np.zeros(6))


def test_a_panel_with_a_hole_is_drawn_with_what_there_is() -> None:
    day = a_day()
    thinner = replace(day, minute_panel_full=day.minute_panel_full.slice(0, 700))
    assert "<svg" in svg_markup(plots.belief_figure(thinner), "beliefs")
