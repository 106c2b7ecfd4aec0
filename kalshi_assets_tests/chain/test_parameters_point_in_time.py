"""The hazard's parameters of a day rest on what was known when it began, and on nothing later."""

from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl
import pytest

from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.ingest import fetch_event, fetch_settlement
from kalshi_assets.families.temperature.cities import city
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.priors import load_priors
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.climate_report import (
    fetch_climate_report,
)
from kalshi_assets.families.temperature.sources.visual_crossing import (
    VisualCrossingClient,
    fetch_forecasts,
)
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.tables import SETTLEMENTS
from kalshi_assets_tests.chain.inputs import Inputs

DAYS = 11

Earlier = list[tuple[datetime, pl.DataFrame]]
Change = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.fixture(scope="module")
def earlier(generated_day: Inputs, sandbox: Sandbox) -> tuple[Earlier, Earlier, Earlier]:
    """Observations, settlements and forecasts of the days before the generated one."""
    of, settled, expected = city(generated_day.key.ladder), [], []
    with (
        KalshiClient(sandbox.api_url) as exchange,
        VisualCrossingClient(sandbox.url, sandbox.weather_key) as weather,
        WeatherClient(sandbox.url) as reports,
    ):
        for day in generated_day.key.earlier(DAYS):
            start, _ = of.climate_day(day.date)
            said = [
                fetch_settlement(
                    exchange, fetch_event(exchange, listing_of(of, day.date)), SETTLEMENTS
                ),
                fetch_climate_report(reports, of, day.date),
            ]
            settled.append((start, pl.concat(said)))
            expected.append((start, fetch_forecasts(weather, of, day.date)))
    return list(generated_day.earlier[-DAYS:]), settled, expected


def _fitted(day: Inputs, earlier: tuple[Earlier, Earlier, Earlier]) -> pl.DataFrame:
    return mc_params(day.start, *earlier, load_priors())


def _changed(
    earlier: tuple[Earlier, Earlier, Earlier], change: Change
) -> tuple[Earlier, Earlier, Earlier]:
    observed, settled, expected = (
        [(start, change(frame)) for start, frame in days] for days in earlier
    )
    return observed, settled, expected


def _hotter(where: pl.Expr) -> Change:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        names = [n for n in ("temp_f", "lo_f", "hi_f", "value", "value_f") if n in frame.columns]
        return frame.with_columns(
            pl.when(where).then(pl.col(name) + 7).otherwise(pl.col(name)).alias(name)
            for name in names
        )

    return change


def test_what_became_known_after_the_day_began_does_not_matter(
    generated_day: Inputs, earlier: tuple[Earlier, Earlier, Earlier]
) -> None:
    late = pl.col("known_at") > generated_day.start
    assert sum(frame.filter(late).height for days in earlier for _, frame in days) > 0
    fitted = _fitted(generated_day, earlier)
    assert fitted.equals(_fitted(generated_day, _changed(earlier, _hotter(late))))
    assert fitted.equals(_fitted(generated_day, _changed(earlier, lambda f: f.filter(~late))))


def test_the_settlement_of_the_day_before_comes_too_late(
    generated_day: Inputs, earlier: tuple[Earlier, Earlier, Earlier]
) -> None:
    observed, settled, expected = earlier
    start, eve = settled[-1]
    assert start == generated_day.start - timedelta(days=1)
    assert (eve["known_at"] > generated_day.start).all()
    without = settled[:-1]
    assert _fitted(generated_day, earlier).equals(
        _fitted(generated_day, (observed, without, expected))
    )


@pytest.mark.parametrize("days_before", [2, 4])
def test_a_settlement_five_days_late_reaches_no_fit_before_it_was_known(
    generated_day: Inputs, earlier: tuple[Earlier, Earlier, Earlier], days_before: int
) -> None:
    observed, settled, expected = earlier
    start, said = settled[-days_before]
    assert start == generated_day.start - timedelta(days=days_before)
    others = [day for day in settled if day[0] != start]
    without = _fitted(generated_day, (observed, others, expected))
    late = said.with_columns(pl.col("known_at") + timedelta(days=5))
    assert _fitted(generated_day, (observed, [*others, (start, late)], expected)).equals(without)
    assert not _fitted(generated_day, earlier).equals(without)


def test_a_revised_maximum_settles_nothing_and_is_not_learnt(
    generated_day: Inputs, earlier: tuple[Earlier, Earlier, Earlier]
) -> None:
    def revised(frame: pl.DataFrame) -> pl.DataFrame:
        of_report = frame.filter(source="climate_report").with_columns(
            pl.col("value") + 5,
            pl.col("known_at") + timedelta(hours=1),
            status=pl.lit("revised"),
        )
        return pl.concat([frame, of_report])

    observed, settled, expected = earlier
    again = [(start, revised(frame)) for start, frame in settled]
    assert _fitted(generated_day, (observed, again, expected)).equals(
        _fitted(generated_day, earlier)
    )


def test_what_was_known_before_does_matter(
    generated_day: Inputs, earlier: tuple[Earlier, Earlier, Earlier]
) -> None:
    early = pl.col("known_at") <= generated_day.start - timedelta(days=3)
    fitted = _fitted(generated_day, earlier)
    assert not fitted.equals(_fitted(generated_day, _changed(earlier, _hotter(early))))


def test_no_parameter_is_known_after_the_day_began(
    generated_day: Inputs, earlier: tuple[Earlier, Earlier, Earlier]
) -> None:
    assert (_fitted(generated_day, earlier)["known_at"] <= generated_day.start).all()
