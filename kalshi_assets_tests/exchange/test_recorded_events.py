"""Every event of the archive makes a contract, and every settled one a settlement."""

from decimal import Decimal

import polars as pl
import pytest

from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.contract_reading import read_event_contract
from kalshi_assets.exchange.ingest import settlement_of
from kalshi_assets.exchange.wire import Market
from kalshi_assets.families.temperature.cities import CITIES, city_day
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.tables import SETTLEMENTS
from kalshi_assets_tests.exchange.fake_exchange import SERIES
from kalshi_assets_tests.shared import ARCHIVE, needs_archive

pytestmark = needs_archive


def recorded(row):
    value = row["expiration_value"]
    return Market(
        ticker=row["market_ticker"],
        event_ticker=row["event_ticker"],
        strike_type=row["strike_type"],
        floor_strike=row["floor_strike"],
        cap_strike=row["cap_strike"],
        yes_sub_title=row["yes_sub_title"],
        open_time=row["open_time"],
        close_time=row["close_time"],
        settlement_ts=None,
        expected_expiration_time=None,
        status=row["status"],
        result=row["result"],
        expiration_value=None if value is None else Decimal(value),
        rules_primary=row["rules_primary"],
        price_ranges=None,
        yes_bid_cc=0,
        yes_ask_cc=10_000,
        raw_sha256="sha",
    )


@pytest.fixture(scope="module")
def events():
    frame = pl.read_parquet(ARCHIVE / "markets.parquet")
    return {
        key: [recorded(row) for row in rows.to_dicts()]
        for key, rows in frame.group_by("city", "event_date", maintain_order=True)
    }


@pytest.fixture(scope="module")
def contracts(events):
    return {
        (city, day): read_event_contract(
            listing_of(CITIES[city], day),
            {"event_ticker": markets[0].event_ticker},
            markets,
            SERIES,
            [],
        )
        for (city, day), markets in events.items()
    }


def test_every_recorded_event_is_a_whole_ladder_of_six_on_its_citys_station(contracts):
    assert len(contracts) == 775
    assert {len(contract.ladder) for contract in contracts.values()} == {6}
    origins = {contract.place_from for contract in contracts.values()}
    assert origins == {"rules_name", "registry"}
    without_rules = [c for c in contracts.values() if c.place_from == "registry"]
    assert len(without_rules) == 12


def test_every_recorded_contract_comes_back_from_its_table(contracts):
    for (city, day), contract in list(contracts.items())[::25]:
        assert EventContract.from_frame(city_day(city, day), contract.to_frame()) == contract


def test_every_recorded_settlement_names_one_winner_that_its_value_pays(events, contracts):
    settled = {
        key: settlement_of(contracts[key], markets, SETTLEMENTS) for key, markets in events.items()
    }
    rows = {key: frame.row(0, named=True) for key, frame in settled.items() if len(frame)}
    assert len(rows) == 719
    for key, row in rows.items():
        if row["value"] is not None:
            ladder = contracts[key].ladder
            winner = ladder.brackets[ladder.index_of(row["value"])]
            assert winner.market_ticker == row["winning_market"]
