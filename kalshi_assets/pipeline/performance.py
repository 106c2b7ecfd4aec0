"""The performance of every backtested day of a lake: tables and pages from the catalogue.

Here: reading, writing, and in which order. Not here: measures (`performance`), the pages' content.
"""

from datetime import date

from kalshi_assets.config import load_toml
from kalshi_assets.families.temperature.cities import EVERY_CITY, city_day
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.terms import atoms_of
from kalshi_assets.lake.configurations import Configurations
from kalshi_assets.lake.store import Lake
from kalshi_assets.pages.library import PageStore
from kalshi_assets.performance.accounts import accounts_of
from kalshi_assets.performance.measures import performance
from kalshi_assets.performance.results import Results, Span, results_of, sensitivity_of
from kalshi_assets.tables import ACCOUNT, EVENTS, PERFORMANCE, SUMMARIES_DATE
from kalshi_assets.trading import account, sensitivity
from kalshi_assets.trading.account import AccountParams, LadderTerms
from kalshi_assets.trading.sensitivity import surfaces_of
from kalshi_assets.trading.terms import EventTerms


def judge_backtests(lake: Lake, pages: PageStore, configurations: Configurations) -> Results:
    """Write `backtest.performance`, `backtest.account` and both pages; return what they show.

    Parameters
    ----------
    lake
        The lake.
    pages
        Where pages are stored, and the catalogue.
    configurations
        What was ever backtested.
    """

    def terms(ladder: str, day: date) -> LadderTerms:
        events = lake.read(EVENTS, city_day(ladder, day))
        return LadderTerms(atoms_of(events), EventTerms.of(events).kernel.fee)

    every = Span(dimension=lake.family.dimension)
    caps = AccountParams(**load_toml(account.CONFIG_NAME))
    with pages.catalogue() as connection:
        results = results_of(connection, every)
        accounts = accounts_of(connection, terms, caps, ladder=every.dimension)
        surfaces = sensitivity_of(connection, every)
    pages.write_performance(
        results,
        accounts,
        configurations=max(configurations.count(), 1),
        generated=(lake.origin or "").startswith("generated"),
    )
    pages.write_sensitivity(surfaces, surfaces_of(load_toml(sensitivity.CONFIG_NAME)))
    key = LadderDay(lake.family, EVERY_CITY, SUMMARIES_DATE)
    lake.write(PERFORMANCE, key, performance(results))
    lake.write(ACCOUNT, key, accounts)
    return results
