"""The table contracts: every table of the lake, declared once.

One module per schema. The IO manager, the asset checks, Dagster's column schema, the catalogue's
views and the docs page all read these declarations; no other module defines what a column means.
"""

from datetime import date

from kalshi_assets.tables.backtest import (
    ACCOUNT,
    DAILY_PNL,
    DECISIONS,
    FILLS,
    LEDGER,
    METRICS,
    ORDERS,
    PERFORMANCE,
    REPORT,
    SENSITIVITY,
)
from kalshi_assets.tables.calibration import CALIBRATED, CALIBRATORS
from kalshi_assets.tables.classifiers import CLASSIFIERS, PREDICTIONS
from kalshi_assets.tables.contract import ContractViolationError, Table
from kalshi_assets.tables.live import (
    LIVE_DECISIONS,
    LIVE_FILLS,
    LIVE_ORDERS,
    LIVE_PARITY,
    LIVE_PROMOTION,
    LIVE_SESSIONS,
)
from kalshi_assets.tables.market import CANDLES, EVENTS, ORDER_BOOK, TRADES
from kalshi_assets.tables.pages import DAY_PAGE
from kalshi_assets.tables.panel import (
    ACTIVITY,
    EXAMPLES,
    LABELS,
    MINUTE_PANEL,
    MINUTE_PANEL_FULL,
    MINUTE_PANEL_WITH_WEATHER,
    MODEL_FEATURES,
)
from kalshi_assets.tables.probability import (
    FUSED_PMF,
    FUSION_WEIGHTS,
    HAZARD_PMF,
    MARKET_PMF,
    MC_PARAMS,
)
from kalshi_assets.tables.quality import VERDICTS
from kalshi_assets.tables.scoreboard import SCOREBOARD
from kalshi_assets.tables.weather import (
    DROPPED_FORECASTS,
    DROPPED_OBSERVATIONS,
    FORECASTS,
    OBSERVATIONS,
    SETTLEMENTS,
    VERIFICATION,
)

TABLES: tuple[Table, ...] = (
    EVENTS,
    CANDLES,
    TRADES,
    ORDER_BOOK,
    OBSERVATIONS,
    DROPPED_OBSERVATIONS,
    FORECASTS,
    DROPPED_FORECASTS,
    SETTLEMENTS,
    MINUTE_PANEL,
    ACTIVITY,
    MINUTE_PANEL_WITH_WEATHER,
    LABELS,
    MARKET_PMF,
    MC_PARAMS,
    HAZARD_PMF,
    MODEL_FEATURES,
    EXAMPLES,
    FUSION_WEIGHTS,
    FUSED_PMF,
    CLASSIFIERS,
    PREDICTIONS,
    CALIBRATORS,
    CALIBRATED,
    DECISIONS,
    ORDERS,
    FILLS,
    LEDGER,
    DAILY_PNL,
    METRICS,
    REPORT,
    DAY_PAGE,
)
"""Tables that a backfill writes for every city-day."""

SWEEPS: tuple[Table, ...] = (SENSITIVITY,)
"""Tables of a ladder-day that are made on request alone: they take as long as all others."""

OF_SESSIONS: tuple[Table, ...] = (
    LIVE_SESSIONS,
    LIVE_DECISIONS,
    LIVE_ORDERS,
    LIVE_FILLS,
    LIVE_PARITY,
)
"""Tables of a ladder-day that a session traded, made from its journal."""

VIEWS: tuple[Table, ...] = (MINUTE_PANEL_FULL,)
"""Views: all their columns are stored with other tables."""

STUDIES: tuple[Table, ...] = (VERIFICATION, SCOREBOARD)
"""Tables that a command writes from many days; a partition's date is the last of them."""

SUMMARIES: tuple[Table, ...] = (ACCOUNT, PERFORMANCE, LIVE_PROMOTION)
"""Tables that an asset makes from all days of the catalogue, one partition each."""

SUMMARIES_DATE = date(2000, 1, 1)
"""The date of their partition, which is replaced each time; no day has it."""

EVERY_TABLE: tuple[Table, ...] = (
    *TABLES,
    *SWEEPS,
    *OF_SESSIONS,
    *VIEWS,
    *STUDIES,
    *SUMMARIES,
    VERDICTS,
)
"""All tables and views of the catalogue."""

__all__ = [
    "ACCOUNT",
    "ACTIVITY",
    "CALIBRATED",
    "CALIBRATORS",
    "CANDLES",
    "CLASSIFIERS",
    "DAILY_PNL",
    "DAY_PAGE",
    "DECISIONS",
    "DROPPED_FORECASTS",
    "DROPPED_OBSERVATIONS",
    "EVENTS",
    "EVERY_TABLE",
    "EXAMPLES",
    "FILLS",
    "FORECASTS",
    "FUSED_PMF",
    "FUSION_WEIGHTS",
    "HAZARD_PMF",
    "LABELS",
    "LEDGER",
    "LIVE_DECISIONS",
    "LIVE_FILLS",
    "LIVE_ORDERS",
    "LIVE_PARITY",
    "LIVE_PROMOTION",
    "LIVE_SESSIONS",
    "MARKET_PMF",
    "MC_PARAMS",
    "METRICS",
    "MINUTE_PANEL",
    "MINUTE_PANEL_FULL",
    "MINUTE_PANEL_WITH_WEATHER",
    "MODEL_FEATURES",
    "OBSERVATIONS",
    "OF_SESSIONS",
    "ORDERS",
    "ORDER_BOOK",
    "PERFORMANCE",
    "PREDICTIONS",
    "REPORT",
    "SCOREBOARD",
    "SENSITIVITY",
    "SETTLEMENTS",
    "STUDIES",
    "SUMMARIES",
    "SUMMARIES_DATE",
    "SWEEPS",
    "TABLES",
    "TRADES",
    "VERDICTS",
    "VERIFICATION",
    "VIEWS",
    "ContractViolationError",
    "Table",
]
