"""`kalshi-assets study weather`: the weather hazard verified on recorded days.

Here: reading recordings through the real clients, progress, printing, writing. Not here: the
evaluation (`studies`), the page (`pages.verification_page`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path

import dagster as dg
import polars as pl
from rich.console import Console
from rich.table import Table as RichTable

from kalshi_assets.commands.services import find_archive, recordings, unlimited_sandbox
from kalshi_assets.commands.study_output import keep, print_json, print_paths, rich_table, tracked
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.ingest import (
    EventNotFoundError,
    fetch_candles,
    fetch_event,
    fetch_settlement,
    fetch_trades,
)
from kalshi_assets.exchange.versions import with_reading
from kalshi_assets.families.temperature.cities import City, city, city_days
from kalshi_assets.families.temperature.evidence import temperatures
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.priors import load_priors
from kalshi_assets.families.temperature.hazard.method import load_method
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.climate_report import (
    fetch_climate_report,
)
from kalshi_assets.families.temperature.sources.visual_crossing import (
    VisualCrossingClient,
    fetch_forecasts,
    fetch_observations,
)
from kalshi_assets.families.temperature.steps import LOOK_BACK_DAYS
from kalshi_assets.features.panel import minute_panel
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.market_pmf import load_market_pmf_params, market_pmf
from kalshi_assets.pages.markdown import estimate
from kalshi_assets.pages.svg import svg_data_uri
from kalshi_assets.pages.verification_page import log_loss_figure, write_page
from kalshi_assets.settings import Settings
from kalshi_assets.studies.artificial_ladders import centre, synthetic_events
from kalshi_assets.studies.references import maxima_around
from kalshi_assets.studies.scoring import ALL_HOURS, NOTHING
from kalshi_assets.studies.weather_days import StudyDay, evaluated
from kalshi_assets.studies.weather_study import WEATHER_METHODS, WeatherStudy
from kalshi_assets.tables import SETTLEMENTS, VERIFICATION


@dataclass(frozen=True, kw_only=True)
class RecordedCity:
    """A city's recordings, read through the clients of a sandbox.

    `observations`, `settlements` (from climate reports only) and `forecasts` return the tables of a
    climate day, cached; `maxima` holds the official maxima of all years: date, tmax_f.
    """

    city: City
    exchange: KalshiClient
    observations: Callable[[date], pl.DataFrame]
    settlements: Callable[[date], pl.DataFrame]
    forecasts: Callable[[date], pl.DataFrame]
    maxima: pl.DataFrame

    def study_day(self, key: LadderDay) -> StudyDay:
        """All frames of a day, with its recorded ladder and market, or else a synthetic ladder."""
        start, _ = self.city.climate_day(key.date)
        days = [day.date for day in key.earlier(LOOK_BACK_DAYS)]
        earlier = [
            (self.city.climate_day(day)[0], day) for day in days if self.observations(day).height
        ]
        observed = [(at, self.observations(day)) for at, day in earlier]
        settled = [(at, self.settlements(day)) for at, day in earlier]
        expected = [(at, self.forecasts(day)) for at, day in earlier]
        events, settlements, market = self._event(key)
        return StudyDay(
            date=key.date,
            events=events,
            observations=self.observations(key.date),
            forecasts=self.forecasts(key.date),
            settlements=settlements,
            mc_params=mc_params(start, observed, settled, expected, load_priors()),
            earlier=observed,
            earlier_settlements=settled,
            maxima=self.maxima,
            market=market,
        )

    def _event(self, key: LadderDay) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame | None]:
        """Events, settlements and market PMF of a day."""
        official = self.settlements(key.date)
        try:
            listing = listing_of(self.city, key.date)
            contract = fetch_event(self.exchange, listing)
        except EventNotFoundError:
            return self._synthetic(key.date), official, None
        events = with_reading(None, contract, self.exchange.now(), listing.regular_closes)
        settlements = pl.concat([fetch_settlement(self.exchange, contract, SETTLEMENTS), official])
        panel = minute_panel(
            events, fetch_candles(self.exchange, contract), fetch_trades(self.exchange, contract)
        )
        return events, settlements, market_pmf(panel, load_market_pmf_params())

    def _synthetic(self, day: date) -> pl.DataFrame:
        before = day - timedelta(days=1)
        start, _ = self.city.climate_day(day)
        known = temperatures(self.observations(before)).filter(pl.col("known_at") <= start)
        highest = known["hi_f"].cast(pl.Float64).to_list()
        return synthetic_events(
            self.city,
            day,
            centre(
                maxima_around(self.maxima, day),
                maxima_around(self.maxima, before),
                max(highest, default=None),
            ),
        )


def run_weather_study(
    console: Console,
    *,
    archive: Path | None,
    out: Path,
    name: str,
    start: date,
    end: date,
    as_json: bool,
) -> None:
    """Score the weather hazard on recorded days; print, and write the page and its figures.

    Without an `archive` it uses the recordings next to the project. `verification.md` is written to
    the folder `out`, its figures to the subfolder `pictures`. `name` is the city.

    Raises
    ------
    FileNotFoundError
        There is no archive.
    ValueError
        No day could be scored.
    """
    keys = city_days([name], start, end)
    root = recordings(archive)
    progress = Console(stderr=True, quiet=as_json)
    in_force = load_method()
    study = WeatherStudy([evaluated(day, in_force) for day in _read(progress, root, keys)])
    if not study.scored_days:
        raise ValueError(
            f"no day of {name} from {start} to {end} could be scored: "
            f"{', '.join(sorted({str(day.left_out) for day in study.days}))}; ten earlier days "
            "with reports and official maxima are needed"
        )
    written = write_page(study, city(name), out)
    kept = _keep(study, keys[-1], find_archive(archive, Settings().data).origin)
    if as_json:
        print_json(study.summary.with_columns(city=pl.lit(name)))
        return
    console.print(_table(study))
    print_paths(console, *written, kept)


def _keep(study: WeatherStudy, key: LadderDay, origin: str) -> str:
    """Write the scores to the lake and report them to Dagster, if the lake has the same origin."""
    lake = the_lake()
    if lake.origin not in (None, origin):
        return (
            f"{VERIFICATION.full_name} not written: {lake.root} holds {lake.origin}, not {origin}"
        )
    lake.claim(origin)
    picture = svg_data_uri(log_loss_figure(study.summary), "log loss by hour")
    keep(
        lake,
        VERIFICATION,
        key,
        study.summary,
        city=key.ladder,
        days=len(study.scored_days),
        **{"log loss": dg.MetadataValue.md(f"![mean log loss by hour]({picture})")},
    )
    return f"{VERIFICATION.full_name} {key}"


def _read(progress: Console, root: Path, keys: Sequence[LadderDay]) -> Iterator[StudyDay]:
    place = city(keys[0].ladder)
    maxima = (
        pl.read_parquet(root / "settlements.parquet")
        .filter(pl.col("station") == place.station)
        .select("date", "tmax_f")
    )
    with ExitStack() as stack:
        sandbox = stack.enter_context(unlimited_sandbox(root))
        weather = VisualCrossingClient(sandbox.url, sandbox.weather_key)
        reports = WeatherClient(sandbox.url)
        exchange = KalshiClient(sandbox.api_url)
        for client in (weather, reports, exchange):
            stack.enter_context(client)
        recorded = RecordedCity(
            city=place,
            exchange=exchange,
            observations=cache(partial(fetch_observations, weather, place)),
            settlements=cache(partial(fetch_climate_report, reports, place)),
            forecasts=cache(partial(fetch_forecasts, weather, place)),
            maxima=maxima,
        )
        what = f"{place.name} {keys[0].date}..{keys[-1].date}"
        for key in tracked(progress, keys, what, len(keys)):
            yield recorded.study_day(key)


def _table(study: WeatherStudy) -> RichTable:
    """Mean log loss by method and hour, with intervals."""
    rows = study.summary.filter(days="all", score="log_loss", against=NOTHING).sort("lst_hour")
    methods = [method for method in WEATHER_METHODS if (rows["method"] == method).any()]
    title = f"mean log loss of {len(study.scored_days)} days, 95 % intervals"
    table = rich_table(title, ["LST"], [*methods, "days"])
    for (hour,), cells in rows.group_by("lst_hour", maintain_order=True):
        of = {row["method"]: row for row in cells.to_dicts()}
        table.add_row(
            "all" if hour == ALL_HOURS else f"{hour}:00",
            *(estimate(of[method]) for method in methods),
            str(cells["n_days"][0]),
        )
    return table
