"""Every event day from the first partition to 2025-04-30, over HTTP, with the oddities of its time.

755 recorded events of five series (2024-12-01 on) and 1,340 made round the official maximum of the
four series that had former names (2024-01-01 to 2024-11-30): what the exchange had of Denver before
is not known.
"""

from collections import Counter
from datetime import date

import polars.selectors as cs
import pytest

from kalshi_assets.defs.partitions import FIRST_DAY
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.ingest import (
    fetch_candles,
    fetch_event,
    fetch_settlement,
    fetch_trades,
)
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.sandbox.oddities import (
    FORMER_TICKER,
    VALUE_IN_WORDS,
    WINNER_WITHOUT_STRIKES,
    Oddities,
    Oddity,
)
from kalshi_assets.sandbox.server import running
from kalshi_assets.tables import EVENTS, SETTLEMENTS
from kalshi_assets_tests.exchange.event_days import LAST_DAY, write_event_days
from kalshi_assets_tests.sandbox.conftest import ENDLESS
from kalshi_assets_tests.shared import ARCHIVE, needs_archive

RECORDED, MADE, SETTLED = 755, 1_340, 701
AS_SEEN = (
    Oddity(kind=FORMER_TICKER, last=date(2024, 10, 23)),
    Oddity(kind=WINNER_WITHOUT_STRIKES, first=date(2025, 1, 16), last=date(2025, 2, 9)),
    Oddity(kind=VALUE_IN_WORDS, first=date(2024, 7, 1), last=date(2025, 1, 31)),
)
ON_EVERY_DAY = (
    Oddity(kind=FORMER_TICKER),
    Oddity(kind=WINNER_WITHOUT_STRIKES),
    Oddity(kind=VALUE_IN_WORDS),
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = tmp_path_factory.mktemp("event_days")
    return root, write_event_days(ARCHIVE, root)


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs_archive
@pytest.mark.parametrize(
    ("oddities", "without_strikes"),
    [(AS_SEEN, 5 * 25), (ON_EVERY_DAY, SETTLED + MADE)],
    ids=["as_seen", "on_every_day"],
)
def test_every_event_day_is_read_with_its_ladder_and_its_settlement(
    archive, oddities, without_strikes
):
    root, markets = archive
    days, settled, origins = set(), 0, Counter()
    with (
        running(root, oddities=Oddities(oddities), anonymous_bucket=ENDLESS) as sandbox,
        KalshiClient(sandbox.api_url) as client,
    ):
        for (city, day), rows in markets.group_by("city", "event_date", maintain_order=True):
            truth = Truth(rows.to_dicts(), Oddities(oddities))
            contract = fetch_event(client, listing_of(CITIES[city], day))
            ladder = {b.market_ticker: (b.lo, b.hi) for b in contract.ladder.brackets}
            assert ladder == truth.ladder
            assert (contract.event_ticker, contract.series_ticker) == (truth.event, truth.series)
            events = EVENTS.conform(contract.to_frame())
            settlement = fetch_settlement(client, contract, SETTLEMENTS)
            assert settlement.select("winning_market", "value").rows() == truth.settlement
            days.add((city, day))
            settled += settlement.height
            origins.update(events["bracket_from"])
    assert (len(days), settled) == (RECORDED + MADE, SETTLED + MADE)
    assert (min(d for _, d in days), max(d for _, d in days)) == (FIRST_DAY, LAST_DAY)
    assert origins == {
        "strikes": 6 * len(days) - without_strikes,
        "label_rules_gap": without_strikes,
    }


class Truth:
    """What the archive says of an event, under the name that the switches give it."""

    def __init__(self, rows: list[dict], switches: Oddities) -> None:
        place, recorded = CITIES[rows[0]["city"]], rows[0]["event_ticker"]
        former = place.history and switches.of(FORMER_TICKER, recorded)
        names = {
            t: t.replace(place.series, place.history[0]) if former else t
            for t in (recorded, *(row["market_ticker"] for row in rows))
        }
        self.event, self.series = names[recorded], place.series
        self.ladder = {names[row["market_ticker"]]: self._bounds(row) for row in rows}
        self.settlement = [
            (names[row["market_ticker"]], row["expiration_value"])
            for row in rows
            if row["result"] == "yes" and row["result_source"] == "exchange"
        ]

    @staticmethod
    def _bounds(row: dict) -> tuple[float | None, float | None]:
        lo, hi = row["floor_strike"], row["cap_strike"]
        if row["strike_type"] == "less":
            return None, hi - 1
        return (lo + 1, None) if row["strike_type"] == "greater" else (lo, hi)


@needs_archive
def test_candles_and_trades_of_a_former_ticker_are_those_of_the_event():
    place, day = CITIES["chicago"], date(2025, 5, 5)
    switches = Oddities()
    with (
        running(ARCHIVE, oddities=switches, anonymous_bucket=ENDLESS) as sandbox,
        KalshiClient(sandbox.api_url) as client,
    ):
        present = tables_of(client, place, day)
        switches.set([Oddity(kind=FORMER_TICKER)])
        former = tables_of(client, place, day)
    for before, after in zip(present, former, strict=True):
        assert before.height
        renamed = before.with_columns(cs.string().str.replace("^KXHIGHCHI-", "HIGHCHI-"))
        own = [name for name in after.columns if name != "raw_sha256"]
        assert after.select(own).equals(renamed.select(own))


def tables_of(client, place, day):
    contract = fetch_event(client, listing_of(place, day))
    return [
        contract.to_frame(),
        fetch_candles(client, contract),
        fetch_trades(client, contract),
    ]
