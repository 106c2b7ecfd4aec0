"""The chain of one city-day without Dagster: the same functions, called in order.

What the benchmark measures Dagster against; its lake must equal the one that the assets make.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path

import polars as pl

from kalshi_assets.cities import city
from kalshi_assets.collector import relax
from kalshi_assets.defs.backtest.assets import outcome_of, params_for, terms_of
from kalshi_assets.defs.probability.assets import LOOK_BACK_DAYS
from kalshi_assets.defs.resources import KalshiResource, WeatherResource
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.ingest import (
    fetch_candles,
    fetch_event,
    fetch_settlement,
    fetch_trades,
)
from kalshi_assets.features.panel import minute_panel
from kalshi_assets.features.weather import full_panel, with_weather
from kalshi_assets.ladder.market_pmf import market_pmf
from kalshi_assets.ladder.pooling import fused_pmf
from kalshi_assets.ladder.scoreboard import scoreboard
from kalshi_assets.lake.behind import WriteBehind
from kalshi_assets.lake.store import Lake
from kalshi_assets.partitions import CityDay
from kalshi_assets.reports.inputs import DayInputs
from kalshi_assets.reports.library import write_day
from kalshi_assets.tables import (
    CANDLES,
    DAILY_PNL,
    DECISIONS,
    EVENTS,
    FILLS,
    FORECASTS,
    FUSED_PMF,
    HAZARD_PMF,
    MARKET_PMF,
    MC_PARAMS,
    MINUTE_PANEL,
    MINUTE_PANEL_FULL,
    MINUTE_PANEL_WITH_WEATHER,
    OBSERVATIONS,
    REPORT,
    SETTLEMENTS,
    TRADES,
    Table,
)
from kalshi_assets.trading.engine import DayResult, run_day
from kalshi_assets.weather.fit.fitting import mc_params
from kalshi_assets.weather.fit.priors import load_priors
from kalshi_assets.weather.hazard.method import load_method
from kalshi_assets.weather.hazard.pmf import hazard_pmf
from kalshi_assets.weather.sources.climate_report import fetch_climate_report
from kalshi_assets.weather.sources.visual_crossing import fetch_forecasts, fetch_observations
from kalshi_assets.weather.sources.weather_company import fetch_weather_company


class DirectChain:
    """Makes city-days into a lake, keeping time per table.

    Parameters
    ----------
    data
        Folder of lake, raw answers and reports.
    kalshi, weather
        The services; replaying ones for a benchmark.
    clock
        Seconds.
    """

    def __init__(
        self,
        data: Path,
        kalshi: KalshiResource,
        weather: WeatherResource,
        clock: Callable[[], float],
    ) -> None:
        relax()
        self.data = data
        self.lake = Lake(data / "lake")
        self.kalshi = kalshi
        self.weather = weather
        self.clock = clock
        self.method = load_method()
        self.seconds: dict[str, float] = {}
        self._kept: dict[tuple[Table, CityDay], pl.DataFrame] = {}
        self._disk = WriteBehind(self.lake)
        self._writing: list[Future[None]] = []

    def observe(self, key: CityDay) -> pl.DataFrame:
        """Make the observations of a city-day."""

        def fetch() -> pl.DataFrame:
            with self.weather.visual_crossing(key, "observations") as client:
                return fetch_observations(client, city(key.city), key.date)

        return self._put(OBSERVATIONS, key, fetch)

    def make(self, key: CityDay) -> None:
        """Make every table of a city-day, and its page."""
        made = self.ingest(key)
        made |= self._probabilities(key, made)
        made |= self._backtest(key, made)
        began = self.clock()
        write_day(self.data, DayInputs.of(city(key.city), key.date, made))
        self.seconds["page"] = self.seconds.get("page", 0.0) + self.clock() - began
        self.settle()

    def settle(self) -> None:
        """Wait until everything made is on disk."""
        while self._writing:
            self._writing.pop().result()

    def _put(self, table: Table, key: CityDay, compute: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        began = self.clock()
        frame, writing = self._disk.write(table, key, compute())
        self._writing.append(writing)
        name = table.full_name
        self.seconds[name] = self.seconds.get(name, 0.0) + self.clock() - began
        return frame

    def ingest(self, key: CityDay) -> dict[Table, pl.DataFrame]:
        """Make what comes from the services."""
        contract: list[EventContract] = []

        def fetch_contract() -> pl.DataFrame:
            with self.kalshi.client(key, "events") as client:
                contract.append(fetch_event(client, city(key.city), key.date))
            return contract[0].to_frame()

        def fetch(
            read: Callable[[KalshiClient, EventContract], pl.DataFrame], purpose: str
        ) -> pl.DataFrame:
            with self.kalshi.client(key, purpose) as client:
                return read(client, contract[0])

        def fetch_expected() -> pl.DataFrame:
            with self.weather.visual_crossing(key, "forecasts") as client:
                return fetch_forecasts(client, city(key.city), key.date)

        def fetch_settled() -> pl.DataFrame:
            with (
                self.weather.climate_reports(key, "settlement") as reports,
                self.weather.weather_company(key, "settlement") as portal,
            ):
                published = [
                    fetch_climate_report(reports, city(key.city), key.date),
                    fetch_weather_company(portal, city(key.city), key.date),
                ]
            return pl.concat([fetch(fetch_settlement, "settlement"), *published])

        return {
            EVENTS: self._put(EVENTS, key, fetch_contract),
            CANDLES: self._put(CANDLES, key, lambda: fetch(fetch_candles, "candles")),
            TRADES: self._put(TRADES, key, lambda: fetch(fetch_trades, "trades")),
            OBSERVATIONS: self.observe(key),
            FORECASTS: self._put(FORECASTS, key, fetch_expected),
            SETTLEMENTS: self._put(SETTLEMENTS, key, fetch_settled),
        }

    def _probabilities(
        self, key: CityDay, made: Mapping[Table, pl.DataFrame]
    ) -> dict[Table, pl.DataFrame]:
        events, observations = made[EVENTS], made[OBSERVATIONS]
        panel = self._put(
            MINUTE_PANEL, key, lambda: minute_panel(events, made[CANDLES], made[TRADES])
        )
        weather = self._put(
            MINUTE_PANEL_WITH_WEATHER,
            key,
            lambda: with_weather(panel, events, observations, made[FORECASTS]),
        )
        market = self._put(MARKET_PMF, key, lambda: market_pmf(panel))
        parameters = self._put(MC_PARAMS, key, lambda: self._parameters(key))
        hazard = self._put(
            HAZARD_PMF,
            key,
            lambda: hazard_pmf(
                events,
                observations,
                made[FORECASTS],
                self._earlier_days(OBSERVATIONS, key),
                parameters,
                self.method,
            ),
        )
        fused = self._put(FUSED_PMF, key, lambda: fused_pmf(market, hazard))
        full = self._put(MINUTE_PANEL_FULL, key, lambda: full_panel(weather, market, hazard, fused))
        return {HAZARD_PMF: hazard, FUSED_PMF: fused, MINUTE_PANEL_FULL: full}

    def _parameters(self, key: CityDay) -> pl.DataFrame:
        start, _ = city(key.city).climate_day(key.date)
        return mc_params(
            start,
            self._earlier_days(OBSERVATIONS, key),
            self._earlier_days(SETTLEMENTS, key),
            self._earlier_days(FORECASTS, key),
            load_priors(),
        )

    def _earlier_days(self, table: Table, key: CityDay) -> list[tuple[datetime, pl.DataFrame]]:
        return [
            (city(day.city).climate_day(day.date)[0], frame)
            for day in key.earlier(LOOK_BACK_DAYS)
            if (frame := self._read(table, day)) is not None
        ]

    def _read(self, table: Table, key: CityDay) -> pl.DataFrame | None:
        """A partition of an earlier day, if it is there; kept, since windows overlap."""
        if (table, key) not in self._kept and self.lake.has(table, key):
            self._kept[table, key] = self.lake.read(table, key)
        return self._kept.get((table, key))

    def _backtest(
        self, key: CityDay, made: Mapping[Table, pl.DataFrame]
    ) -> dict[Table, pl.DataFrame]:
        events, panel = made[EVENTS], made[MINUTE_PANEL_FULL]
        outcome = outcome_of(made[SETTLEMENTS], events)
        winner = None if outcome is None else outcome.winning_bracket
        traded: list[DayResult] = []

        def trade() -> pl.DataFrame:
            terms, params = terms_of(events), params_for(key)
            traded.append(run_day(panel, terms=terms, params=params, outcome=outcome))
            return traded[0].decisions

        return {
            DECISIONS: self._put(DECISIONS, key, trade),
            FILLS: self._put(FILLS, key, lambda: traded[0].fills),
            DAILY_PNL: self._put(DAILY_PNL, key, lambda: traded[0].daily_pnl),
            REPORT: self._put(
                REPORT,
                key,
                lambda: scoreboard(made[FUSED_PMF], events["climate_start"][0], winner),
            ),
        }
