"""The chain of one city-day without Dagster: the same functions, called in order.

What the benchmark measures Dagster against; its lake must equal the one that the assets make.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

import polars as pl

from kalshi_assets.cities import city
from kalshi_assets.collector import relax
from kalshi_assets.defs.backtest.assets import outcome_of, params_for, terms_of
from kalshi_assets.defs.learning.assets import (
    CALIBRATION_DAYS,
    CLASSIFIER_DAYS,
    calibration_days,
    calibrators_of,
    classifiers_of,
    the_models,
)
from kalshi_assets.defs.panel.assets import ACTIVITY_DAYS
from kalshi_assets.defs.probability.assets import FUSION_DAYS, LOOK_BACK_DAYS, learnt_from
from kalshi_assets.defs.resources import KalshiResource, WeatherResource
from kalshi_assets.defs.weather.assets import publishers_of
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.ingest import (
    fetch_candles,
    fetch_event,
    fetch_settlement,
    fetch_trades,
)
from kalshi_assets.exchange.versions import with_reading
from kalshi_assets.features.activity import activity
from kalshi_assets.features.examples import examples, model_features
from kalshi_assets.features.labels import labels
from kalshi_assets.features.panel import load_panel_params, minute_panel
from kalshi_assets.features.weather import full_panel, with_weather
from kalshi_assets.ladder.market_pmf import load_market_pmf_params, market_pmf
from kalshi_assets.ladder.pooling import fused_pmf
from kalshi_assets.ladder.pools.weights import PoolWeights, fusion_weights
from kalshi_assets.ladder.scoreboard import scoreboard
from kalshi_assets.lake.behind import WriteBehind
from kalshi_assets.lake.history import History
from kalshi_assets.lake.store import Lake
from kalshi_assets.learning.calibration.calibrators import calibrated
from kalshi_assets.learning.classifiers.predict import predictions
from kalshi_assets.partitions import CityDay
from kalshi_assets.reports.inputs import DayInputs
from kalshi_assets.reports.library import write_day
from kalshi_assets.tables import (
    ACTIVITY,
    CALIBRATED,
    CALIBRATORS,
    CANDLES,
    CLASSIFIERS,
    DAILY_PNL,
    DECISIONS,
    EVENTS,
    EXAMPLES,
    FILLS,
    FORECASTS,
    FUSED_PMF,
    FUSION_WEIGHTS,
    HAZARD_PMF,
    LABELS,
    MARKET_PMF,
    MC_PARAMS,
    MINUTE_PANEL,
    MINUTE_PANEL_FULL,
    MINUTE_PANEL_WITH_WEATHER,
    OBSERVATIONS,
    PREDICTIONS,
    REPORT,
    SETTLEMENTS,
    TRADES,
    Table,
)
from kalshi_assets.trading.engine import DayResult, run_day
from kalshi_assets.trading.signal import priced
from kalshi_assets.weather.fit.fitting import mc_params
from kalshi_assets.weather.fit.priors import load_priors
from kalshi_assets.weather.hazard.method import load_method
from kalshi_assets.weather.hazard.pmf import hazard_pmf
from kalshi_assets.weather.official import with_publishers
from kalshi_assets.weather.sources.visual_crossing import fetch_forecasts, fetch_observations

WINDOWS = {
    ACTIVITY: ACTIVITY_DAYS,
    OBSERVATIONS: LOOK_BACK_DAYS,
    SETTLEMENTS: LOOK_BACK_DAYS,
    FORECASTS: LOOK_BACK_DAYS,
    EXAMPLES: CLASSIFIER_DAYS,
}
"""Earlier days that are read as they are."""

BESIDE_THE_REPORT = (CLASSIFIERS, PREDICTIONS)
"""Nothing in the report rests on them."""

SETTLED = (FUSED_PMF, EVENTS, SETTLEMENTS)
"""What calibrators learn of a day from."""


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
        self.method, self.priors = load_method(), load_priors()
        self.of_panel, self.of_market = load_panel_params(), load_market_pmf_params()
        self.seconds: dict[str, float] = {}
        self._earlier = {
            table: History(days, self._if_there(table)) for table, days in WINDOWS.items()
        }
        self._half_hours = History(
            FUSION_DAYS, lambda day: learnt_from(self._if_there(EXAMPLES)(day))
        )
        self._settled = History(
            CALIBRATION_DAYS,
            lambda day: calibration_days(day, *(self._if_there(table)(day) for table in SETTLED)),
        )
        self._disk = WriteBehind(self.lake)
        self._writing: list[Future[None]] = []

    def observe(self, key: CityDay) -> pl.DataFrame:
        """Make the observations of a city-day."""

        def fetch() -> pl.DataFrame:
            with self.weather.visual_crossing(key, "observations") as client:
                return fetch_observations(client, city(key.city), key.date)

        return self._put(OBSERVATIONS, key, fetch)

    def make(self, key: CityDay) -> None:
        """Make every table that the report rests on, and its page."""
        made = self._believed(key)
        made |= self._backtest(key, made)
        began = self.clock()
        write_day(self.data, DayInputs.of(city(key.city), key.date, made))
        self.seconds["page"] = self.seconds.get("page", 0.0) + self.clock() - began
        self.settle()

    def learn(self, key: CityDay) -> None:
        """Make what is known, believed and predicted; nothing is traded and no page written."""
        self._predicted(key, self._believed(key))
        self.settle()

    def _believed(self, key: CityDay) -> dict[Table, pl.DataFrame]:
        made = self.ingest(key)
        made |= self._probabilities(key, made)
        made[CALIBRATED] = self._calibrated(key, made)
        return made

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
                stored = self.lake.read_current(EVENTS, key)
                return with_reading(stored, contract[0], client.now())

        def fetch(
            read: Callable[[KalshiClient, EventContract], pl.DataFrame], purpose: str
        ) -> pl.DataFrame:
            with self.kalshi.client(key, purpose) as client:
                return read(client, contract[0])

        def fetch_expected() -> pl.DataFrame:
            with self.weather.visual_crossing(key, "forecasts") as client:
                return fetch_forecasts(client, city(key.city), key.date)

        def fetch_settled() -> pl.DataFrame:
            paid = fetch(fetch_settlement, "settlement")
            publishers = publishers_of(self.weather, key)
            stored = self.lake.read_current(SETTLEMENTS, key)
            return with_publishers(paid, publishers, city(key.city), key.date, stored)

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
        events, observations, forecasts = made[EVENTS], made[OBSERVATIONS], made[FORECASTS]
        climate_start = events["climate_start"][0]
        panel = self._put(
            MINUTE_PANEL,
            key,
            lambda: minute_panel(events, made[CANDLES], made[TRADES], self.of_panel),
        )
        usual = [frame for _, frame in self._earlier[ACTIVITY].before(key)]
        self._put(ACTIVITY, key, lambda: activity(panel, climate_start))
        weather = self._put(
            MINUTE_PANEL_WITH_WEATHER,
            key,
            lambda: with_weather(panel, events, observations, forecasts, usual),
        )
        market = self._put(MARKET_PMF, key, lambda: market_pmf(panel, self.of_market))
        hazard = self._hazard(key, made)
        weights = self._weights(key)
        fused = self._put(FUSED_PMF, key, lambda: fused_pmf(market, hazard, weather, weights))
        full = self._put(MINUTE_PANEL_FULL, key, lambda: full_panel(weather, market, hazard, fused))
        labelled = self._put(
            LABELS, key, lambda: labels(panel, events, observations, made[SETTLEMENTS])
        )
        self._put(EXAMPLES, key, lambda: examples(weather, market, hazard, labelled))
        return {
            MINUTE_PANEL_WITH_WEATHER: weather,
            MARKET_PMF: market,
            HAZARD_PMF: hazard,
            FUSED_PMF: fused,
            MINUTE_PANEL_FULL: full,
        }

    def _hazard(self, key: CityDay, made: Mapping[Table, pl.DataFrame]) -> pl.DataFrame:
        start, _ = city(key.city).climate_day(key.date)
        observed, settled, expected = (
            self._earlier[table].with_starts(key)
            for table in (OBSERVATIONS, SETTLEMENTS, FORECASTS)
        )
        parameters = self._put(
            MC_PARAMS, key, lambda: mc_params(start, observed, settled, expected, self.priors)
        )
        return self._put(
            HAZARD_PMF,
            key,
            lambda: hazard_pmf(
                made[EVENTS],
                made[OBSERVATIONS],
                made[FORECASTS],
                observed,
                parameters,
                self.method,
            ),
        )

    def _weights(self, key: CityDay) -> PoolWeights:
        start, _ = city(key.city).climate_day(key.date)
        earlier = self._half_hours.with_starts(key)
        return PoolWeights.from_frame(
            self._put(FUSION_WEIGHTS, key, lambda: fusion_weights(start, earlier))
        )

    def _calibrated(self, key: CityDay, made: Mapping[Table, pl.DataFrame]) -> pl.DataFrame:
        settled = self._settled.before(key)
        maps = self._put(CALIBRATORS, key, lambda: calibrators_of(key, settled))
        start, _ = city(key.city).climate_day(key.date)
        return self._put(CALIBRATED, key, lambda: calibrated(made[FUSED_PMF], maps, start))

    def _predicted(self, key: CityDay, made: Mapping[Table, pl.DataFrame]) -> None:
        seen = {day.date: frame for day, frame in self._earlier[EXAMPLES].before(key)}
        models = self._put(CLASSIFIERS, key, lambda: classifiers_of(key, seen))
        self._put(
            PREDICTIONS,
            key,
            lambda: predictions(key.date, self._features(made), models, the_models()),
        )

    def _features(self, made: Mapping[Table, pl.DataFrame]) -> pl.DataFrame:
        return model_features(made[MINUTE_PANEL_WITH_WEATHER], made[MARKET_PMF], made[HAZARD_PMF])

    def _if_there(self, table: Table) -> Callable[[CityDay], pl.DataFrame | None]:
        return lambda day: self.lake.read(table, day) if self.lake.has(table, day) else None

    def _backtest(
        self, key: CityDay, made: Mapping[Table, pl.DataFrame]
    ) -> dict[Table, pl.DataFrame]:
        events, panel = made[EVENTS], priced(made[MINUTE_PANEL_FULL], made[CALIBRATED])
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
