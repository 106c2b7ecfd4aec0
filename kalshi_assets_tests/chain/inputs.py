"""A city-day's inputs as the clients read them from a sandbox, and all that is computed from them.

The tests of the whole chain attack these inputs and compare what comes out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.ingest import fetch_candles, fetch_event, fetch_trades
from kalshi_assets.exchange.wire import TRADE_LAG
from kalshi_assets.families.temperature.cities import city
from kalshi_assets.families.temperature.features import model_features
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.priors import load_priors
from kalshi_assets.families.temperature.hazard.method import HazardMethod, load_method
from kalshi_assets.families.temperature.hazard.pmf import hazard_pmf
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.families.temperature.official import Publisher, with_publishers
from kalshi_assets.families.temperature.panel import with_weather
from kalshi_assets.families.temperature.pool import WEATHER
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.climate_report import (
    fetch_climate_report,
)
from kalshi_assets.families.temperature.sources.visual_crossing import (
    VisualCrossingClient,
    fetch_forecasts,
    fetch_observations,
)
from kalshi_assets.families.temperature.sources.weather_company import (
    fetch_weather_company,
)
from kalshi_assets.families.temperature.steps import FAMILY, LOOK_BACK_DAYS
from kalshi_assets.families.temperature.trading import (
    TemperatureTradingParams,
    trading_params,
)
from kalshi_assets.features.activity import activity
from kalshi_assets.features.panel import minute_panel
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.market_pmf import market_pmf
from kalshi_assets.learning.calibration.calibrators import calibrated, calibrators
from kalshi_assets.learning.calibration.maps import FAMILIES, CalibrationMap
from kalshi_assets.pipeline.backtest import trading_day
from kalshi_assets.pooling.fused import fused_pmf
from kalshi_assets.pooling.weights import PoolWeights
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.tables import (
    CALIBRATED,
    CANDLES,
    DECISIONS,
    FORECASTS,
    FUSED_PMF,
    HAZARD_PMF,
    MARKET_PMF,
    MINUTE_PANEL,
    MINUTE_PANEL_FULL,
    MINUTE_PANEL_WITH_WEATHER,
    MODEL_FEATURES,
    OBSERVATIONS,
    TRADES,
    Table,
)
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.engine import backtest
from kalshi_assets.trading.params import CONFIG_NAME
from kalshi_assets.trading.records import decisions

Chain = Mapping[Table, pl.DataFrame]
Earlier = tuple[tuple[datetime, pl.DataFrame], ...]


LIVELY = PoolWeights(model=WEATHER, coefficients=(0.5, 0.2, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1))
"""Weights that follow every condition."""

SHARPER = CalibrationMap(family=FAMILIES["temperature"], theta=np.array([0.2]))
"""A map that moves every probability."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Inputs:
    """What the chain of one city-day is computed from; shown as its key alone.

    A property that fails shows all its arguments, and the frames of a day are 189 kB of them:
    hypothesis warns of that, a warning is an error, and what had failed was not to be seen.

    Attributes
    ----------
    earlier, settled, expected
        Start of the climate day and observations, settlements, forecasts of the days of the
        look-back window.
    params
        Of the engine that decides.
    method
        Of the hazard.
    usual
        `panel.activity` of earlier days.
    weights, packaged
        Of the pool, and the calibration map in force.
    predictions
        `learning.predictions` of the day; None: there are none.
    """

    key: LadderDay
    events: pl.DataFrame
    candles: pl.DataFrame
    trades: pl.DataFrame
    observations: pl.DataFrame
    forecasts: pl.DataFrame
    earlier: Earlier
    params: TemperatureTradingParams
    settled: Earlier = ()
    expected: Earlier = ()
    method: HazardMethod = field(default_factory=load_method)
    usual: Sequence[pl.DataFrame] = ()
    weights: PoolWeights = LIVELY
    packaged: CalibrationMap = SHARPER
    predictions: pl.DataFrame | None = None

    def __repr__(self) -> str:
        return f"Inputs({self.key})"

    @property
    def start(self) -> datetime:
        """Start of the climate day."""
        return self.events["day_start"][0]

    @property
    def tables(self) -> Mapping[Table, pl.DataFrame]:
        """The inputs that arrive during the day."""
        return {
            CANDLES: self.candles,
            TRADES: self.trades,
            OBSERVATIONS: self.observations,
            FORECASTS: self.forecasts,
        }

    def after(self, change: Callable[[Table, pl.DataFrame], pl.DataFrame]) -> "Inputs":
        """The same day with every arriving input changed."""
        changed = {table.name: change(table, frame) for table, frame in self.tables.items()}
        return replace(self, **changed)


def read_inputs(sandbox: Sandbox, key: LadderDay, look_back: int = LOOK_BACK_DAYS) -> Inputs:
    """Read a city-day and its look-back window through the real clients."""
    of = city(key.ladder)
    before = [day.date for day in key.earlier(look_back)]
    with (
        KalshiClient(sandbox.api_url) as exchange,
        VisualCrossingClient(sandbox.url, sandbox.weather_key) as weather,
        WeatherClient(sandbox.url) as reports,
        WeatherClient(sandbox.url) as portal,
    ):

        def settlements(day: date) -> pl.DataFrame:
            publishers: dict[str, Publisher] = {
                "climate_report": lambda: fetch_climate_report(reports, of, day),
                "weather_company": lambda: fetch_weather_company(portal, of, day),
            }
            return with_publishers(None, publishers, of, day)

        def of_days(read: Callable[[date], pl.DataFrame]) -> Earlier:
            return tuple((of.climate_day(day)[0], read(day)) for day in before)

        contract = fetch_event(exchange, listing_of(of, key.date))
        return Inputs(
            key=key,
            events=contract.to_frame(),
            candles=fetch_candles(exchange, contract),
            trades=fetch_trades(exchange, contract),
            observations=fetch_observations(weather, of, key.date),
            forecasts=fetch_forecasts(weather, of, key.date),
            earlier=of_days(lambda day: fetch_observations(weather, of, day)),
            settled=of_days(settlements),
            expected=of_days(lambda day: fetch_forecasts(weather, of, day)),
            params=trading_params(load_toml(CONFIG_NAME), key.ladder),
        )


def with_usual_activity(inputs: Inputs, days: int = 6) -> Inputs:
    """The day with as many earlier ones, each as active as itself."""
    panel = minute_panel(inputs.events, inputs.candles, inputs.trades)
    one = activity(panel, inputs.start)
    opened = inputs.events["open_time"][0]
    before = (opened - timedelta(days=n) for n in range(days))
    return replace(
        inputs,
        usual=tuple(
            one.with_columns(pl.lit(at, pl.Datetime("us", "UTC")).alias("event_time")).with_columns(
                known_at="event_time"
            )
            for at in before
        ),
    )


_fitted: dict[tuple[int, ...], tuple[Inputs, pl.DataFrame]] = {}


def parameters_of(inputs: Inputs) -> pl.DataFrame:
    """`mc_params` of the day, fitted once for all attacks that leave the earlier days alone."""
    earlier = inputs.earlier, inputs.settled, inputs.expected
    name = tuple(map(id, earlier))
    if name not in _fitted:
        _fitted[name] = inputs, mc_params(inputs.start, *earlier, load_priors())
    return _fitted[name][1]


def day_of(inputs: Inputs, full: pl.DataFrame, calibrated_pmf: pl.DataFrame) -> TradingDay:
    """The day as the engine reads it.

    Its tape has trades a feed's delay before they were known: what an attack claims for the past,
    though known later, did not happen then.
    """
    happened = pl.col("known_at") - TRADE_LAG
    return trading_day(
        FAMILY,
        events=inputs.events,
        trades=inputs.trades.with_columns(event_time=happened),
        panel=full,
        calibrated=calibrated_pmf,
        predictions=inputs.predictions,
        params=inputs.params,
    )


def chain_of(inputs: Inputs) -> Chain:
    """Everything computed from the inputs, by the functions that the assets call."""
    events = inputs.events
    panel = minute_panel(events, inputs.candles, inputs.trades)
    seen = with_weather(panel, events, inputs.observations, inputs.forecasts, inputs.usual)
    market = market_pmf(panel)
    hazard = hazard_pmf(
        events,
        inputs.observations,
        inputs.forecasts,
        inputs.earlier,
        parameters_of(inputs),
        inputs.method,
    )
    fused = fused_pmf(market, hazard, seen, inputs.weights)
    features = model_features(seen, market, hazard)
    full = MINUTE_PANEL_FULL.assembled({MODEL_FEATURES: features, FUSED_PMF: fused}, None)
    maps = calibrators(inputs.start, [], inputs.packaged)
    calibrated_pmf = calibrated(fused, maps, inputs.start)
    day = day_of(inputs, full, calibrated_pmf)
    runs = backtest(day)
    return {
        MINUTE_PANEL: panel,
        MINUTE_PANEL_WITH_WEATHER: seen,
        MARKET_PMF: market,
        HAZARD_PMF: hazard,
        MODEL_FEATURES: features,
        FUSED_PMF: fused,
        MINUTE_PANEL_FULL: full,
        CALIBRATED: calibrated_pmf,
        DECISIONS: decisions(day, runs),
    }
