"""What knows that the number is a sum of dice: tables, source, model, steps."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.ingest import fetch_event, fetch_settlement
from kalshi_assets.exchange.leg_reading import legs_by_strikes
from kalshi_assets.exchange.listing import Listing
from kalshi_assets.exchange.versions import with_reading
from kalshi_assets.features.activity import DAYS, minutes_since, percentiles
from kalshi_assets.features.examples import with_pmfs
from kalshi_assets.features.labels import labels
from kalshi_assets.instants import microseconds, microseconds_of
from kalshi_assets.keys import Family, LadderDay
from kalshi_assets.ladder.grid import gridded
from kalshi_assets.ladder.legs import ValueGrid
from kalshi_assets.lake.checks import one_winner
from kalshi_assets.lake.rules import Rules, with_event
from kalshi_assets.lake.trading_checks import TRADING_CHECKS
from kalshi_assets.pages.ladder_page import LadderPage
from kalshi_assets.pipeline.family import LadderFamily
from kalshi_assets.pipeline.graph import graph_of
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.pipeline.step import Input, LookBack, Service, Step, Stored, step
from kalshi_assets.pooling.model import PooledModel
from kalshi_assets.tables import (
    ACTIVITY,
    DAILY_PNL,
    DECISIONS,
    EVENTS,
    FILLS,
    FUSED_PMF,
    LABELS,
    MARKET_PMF,
    MINUTE_PANEL,
    ORDERS,
    REPORT,
    Table,
)
from kalshi_assets.tables.contract import Contract, UtcTime, column
from kalshi_assets.tables.panel import BracketMinute, MinutePanel, PanelActivity, Targets
from kalshi_assets.tables.settlement import Settlements
from kalshi_assets.trading.params import TradingParams, params_of
from kalshi_assets_tests.dice import world

DICE = Family("dice", dimension="table")
KNOWN_AFTER = timedelta(seconds=30)
WAITS = timedelta(minutes=5)
_KEY = ("market_ticker", "minute")


def key_of(day: date) -> LadderDay:
    return LadderDay(DICE, "first_table", day)


class Throws(Contract):
    """What was thrown."""

    event_time: UtcTime = column("When the die lay still.")
    known_at: UtcTime = column("When the pips could first be read.")
    pips: pl.Int64 = column("Its pips.", ge=1, le=6)


class DicePmf(BracketMinute):
    """The exact probability that the sum of all dice clears each threshold."""

    known_at: UtcTime = column("The latest known_at among the row's inputs.")
    status: pl.String = column("Always ok: the first rows rest on no throw.")
    p_model: pl.Float64 = column("Probability.", ge=0, le=1)
    impossible: pl.Boolean = column("The dice that are left cannot reach the threshold.")


class DicePanel(PanelActivity, MinutePanel):
    """The minute panel, and how unusual each minute is."""


class DiceFeatures(DicePanel):
    """What models may see, and what the engine reads."""

    p_mkt: pl.Float64 = column("Market-implied probability.", ge=0, le=1)
    market_valid: pl.Boolean = column("Whether p_mkt is based on enough two-sided quotes.")
    p_model: pl.Float64 = column("The dice's probability.", ge=0, le=1, nullable=True)
    model_status: pl.String = column("ok, or not_yet before the first evaluation.")
    impossible: pl.Boolean = column("It can no longer pay.")


class DiceExamples(Targets, DiceFeatures):
    """Features and labels every five minutes."""

    features_known_at: UtcTime = column("The latest known_at among the features' inputs.")
    known_at: UtcTime = column("When the labels were known.")


class DicePage(Contract):
    """The page of a day."""

    event: pl.String = column("The event.")
    html: pl.String = column("Its text.")


THROWS = Table("dice", "throws", Throws, key=("event_time",))
SETTLEMENTS = Table(
    "dice",
    "settlements",
    Settlements,
    key=("source", "status", "issued_at"),
    may_be_empty=True,
)
DICE_PMF = Table(
    "dice",
    "dice_pmf",
    DicePmf,
    key=_KEY,
    point_in_time="minute",
    pmfs=("p_model",),
    impossible="impossible",
)
PANEL = Table("dice", "dice_panel", DicePanel, key=_KEY, point_in_time="minute")
FEATURES = Table("dice", "dice_features", DiceFeatures, key=_KEY, point_in_time="minute")
EXAMPLES = Table("dice", "dice_examples", DiceExamples, key=_KEY)
PAGE = Table("pages", "dice_page", DicePage, key=("event",))


class DiceService:
    """The croupier; a day that is in `silent` has no one at the table."""

    def __init__(self, silent: Iterable[date] = ()) -> None:
        self.silent = frozenset(silent)

    def throws(self, day: date) -> list[tuple[datetime, int]]:
        if day in self.silent:
            raise ConnectionError(f"nobody throws dice on {day}")
        return world.throws_of(day)


def day_start(key: LadderDay) -> datetime:
    return world.start_of(key.date)


def listing_of(key: LadderDay) -> Listing:
    grid, close = ValueGrid("pip", 1), world.close_of(key.date)
    return Listing(
        key=key,
        tickers=(world.event_of(key.date),),
        series=(world.SERIES,),
        day_start=day_start(key),
        day_end=close,
        grid=grid,
        read_legs=lambda markets: legs_by_strikes(markets, grid),
        shape="thresholds",
        authorities=("exchange",),
        place="first table",
        read_place=lambda ticker, rules: "registry",
        regular_closes=frozenset({close}),
    )


def _event(key: LadderDay, kalshi: KalshiService, stored: pl.DataFrame | None) -> pl.DataFrame:
    with kalshi.client(key, "events") as client:
        listing = listing_of(key)
        contract = fetch_event(client, listing)
        return with_reading(stored, contract, client.now(), listing.regular_closes)


def _settlements(key: LadderDay, kalshi: KalshiService, events: pl.DataFrame) -> pl.DataFrame:
    with kalshi.client(key, "settlement") as client:
        return fetch_settlement(client, EventContract.from_frame(key, events), SETTLEMENTS)


def _throws(key: LadderDay, dice: DiceService) -> pl.DataFrame:
    rows = [(at, at + KNOWN_AFTER, pips) for at, pips in dice.throws(key.date)]
    return THROWS.arranged(pl.DataFrame(rows, schema=THROWS.dtypes, orient="row"))


def dice_pmf(events: pl.DataFrame, throws: pl.DataFrame) -> pl.DataFrame:
    """The PMF five minutes after the open and at the first whole minute that knows each throw."""
    known_at = microseconds(throws["known_at"])
    minutes = [
        events["open_time"][0] + WAITS,
        *throws["known_at"].dt.offset_by("59s999999us").dt.truncate("1m"),
    ]
    ladder = events.sort("bracket")
    strikes = ladder["lo"].to_list()
    frames = []
    for minute in minutes:
        seen = throws.filter(known_at <= microseconds_of(minute))
        left, total = world.remaining(world.THROWS - seen.height), int(seen["pips"].sum())
        p = np.array([left[max(strike - total, 0) :].sum() for strike in strikes])
        most = total + 6 * (world.THROWS - seen.height)
        frames.append(
            ladder.select("market_ticker", "bracket").with_columns(
                minute=pl.lit(minute, pl.Datetime("us", "UTC")),
                known_at=pl.lit(
                    seen["known_at"].max() or events["known_at"][0], pl.Datetime("us", "UTC")
                ),
                status=pl.lit("ok"),
                p_model=pl.Series(np.clip(p, 0.0, 1.0)),
                impossible=pl.Series([strike > most for strike in strikes]),
            )
        )
    return DICE_PMF.arranged(pl.concat(frames))


def dice_panel(
    panel: pl.DataFrame, events: pl.DataFrame, usual: Sequence[tuple[LadderDay, pl.DataFrame]]
) -> pl.DataFrame:
    panel, grid = gridded(panel)
    start = events["day_start"][0]
    hours = pl.Series("hour_lst", grid.of_minutes(minutes_since(grid, start) / 60))
    found = percentiles(panel, start, [rows for _, rows in usual])
    joined = panel.hstack(found).with_columns(
        hours, known_at=pl.max_horizontal("known_at", found["activity_known_at"])
    )
    return PANEL.arranged(joined)


def dice_features(panel: pl.DataFrame, market: pl.DataFrame, model: pl.DataFrame) -> pl.DataFrame:
    of_model = ("p_model", "impossible", pl.col("status").alias("model_status"))
    found = with_pmfs(panel, market, model, *of_model)
    return FEATURES.arranged(
        found.with_columns(
            pl.col("model_status").fill_null("not_yet"), pl.col("impossible").fill_null(value=False)
        )
    )


def veto(panel: pl.DataFrame, params: TradingParams) -> pl.Series:
    """A throw within the minute: nothing rests."""
    minute = panel["minute"].dt.minute()
    return pl.select(
        pl.when(minute % 30 == 29).then(pl.lit("throw_soon")).otherwise(pl.lit(""))
    ).to_series()


def _page(
    key: LadderDay,
    events: pl.DataFrame,
    fused: pl.DataFrame,
    decisions: pl.DataFrame,
    orders: pl.DataFrame,
    fills: pl.DataFrame,
    pnl: pl.DataFrame,
    report: pl.DataFrame,
) -> pl.DataFrame:
    page = LadderPage(
        key=key,
        events=events,
        fused_pmf=fused,
        decisions=decisions,
        orders=orders,
        fills=fills,
        daily_pnl=pnl,
        report=report,
    )
    return pl.DataFrame({"event": [world.event_of(key.date)], "html": [page.render()]})


def trading_params(document: Mapping[str, Any], table: str) -> TradingParams:
    ours = TradingParams.model_fields
    own = {name: value for name, value in document["defaults"].items() if name in ours}
    liquid = {"max_spread_cents": 4.0, "min_volume_15m": 20.0}
    # Forty legs at once would reach the limits of six brackets with their first orders.
    liquid |= {"max_ladder_loss_cc": 50_000_000, "max_daily_loss_cc": 50_000_000}
    return params_of(
        {"defaults": own | liquid}, table, ["first_table"], section="tables", of=TradingParams
    )


FAMILY = LadderFamily(
    family=DICE,
    day_start=day_start,
    settlements=SETTLEMENTS,
    model=PooledModel(name="dice", prior_weight=0.35),
    model_pmf=DICE_PMF,
    panel=PANEL,
    features=FEATURES,
    examples=EXAMPLES,
    full=FEATURES,
    trading_params=trading_params,
    veto=veto,
)

STEPS: tuple[Step, ...] = (
    step(EVENTS, _event, kalshi=Service(), stored=Stored(), kinds={"kalshi"}, ingest=True),
    step(SETTLEMENTS, _settlements, kalshi=Service(), events=Input(EVENTS), kinds={"kalshi"}),
    step(THROWS, _throws, dice=Service(), kinds={"dice"}, ingest=True),
    step(DICE_PMF, dice_pmf, events=Input(EVENTS), throws=Input(THROWS), kinds={"numpy"}),
    step(
        PANEL,
        dice_panel,
        panel=Input(MINUTE_PANEL),
        events=Input(EVENTS),
        usual=LookBack(DAYS, (ACTIVITY,)),
        kinds={"polars"},
    ),
    step(
        FEATURES,
        dice_features,
        panel=Input(PANEL),
        market=Input(MARKET_PMF),
        model=Input(DICE_PMF),
        kinds={"polars"},
    ),
    step(
        LABELS,
        labels,
        panel=Input(MINUTE_PANEL),
        events=Input(EVENTS),
        settlements=Input(SETTLEMENTS),
        kinds={"polars"},
    ),
    step(
        PAGE,
        _page,
        events=Input(EVENTS),
        fused=Input(FUSED_PMF),
        decisions=Input(DECISIONS),
        orders=Input(ORDERS),
        fills=Input(FILLS),
        pnl=Input(DAILY_PNL),
        report=Input(REPORT),
        kinds={"html"},
    ),
)

GRAPH = graph_of(FAMILY, STEPS)

CHECKS = Rules({**TRADING_CHECKS, SETTLEMENTS: [with_event(one_winner)]})
