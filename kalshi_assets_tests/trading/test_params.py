import tomllib
from decimal import Decimal

import pytest

from kalshi_assets.config import load_toml
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.trading import (
    TemperatureTradingParams,
    trading_params,
)
from kalshi_assets.trading.params import overridden

DEFAULTS = load_toml("trading.toml")["defaults"]
LIMITS = [name for name, value in DEFAULTS.items() if isinstance(value, float)]


def test_the_shipped_file_gives_parameters_for_every_city() -> None:
    for city in CITIES:
        assert trading_params(load_toml("trading.toml"), city).order_contracts > 0, city


def test_a_citys_override_wins_over_the_defaults_and_touches_nobody_else() -> None:
    document = {"defaults": DEFAULTS, "cities": {"chicago": {"order_contracts": 3}}}
    assert trading_params(document, "chicago").order_contracts == 3
    assert trading_params(document, "miami").order_contracts == DEFAULTS["order_contracts"]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"defaults": {**DEFAULTS, "max_spred": 1}}, r"\[defaults\].*max_spred.*max_spread_cents"),
        (
            {"defaults": DEFAULTS, "cities": {"miami": {"order_size": 1}}},
            r"\[cities.miami\].*order_size.*order_contracts",
        ),
        ({"defaults": DEFAULTS, "cities": {"chicgo": {}}}, "chicgo.*chicago"),
        ({"default": DEFAULTS}, "default.*defaults"),
    ],
)
def test_what_nobody_knows_is_an_error_that_lists_the_known(document: dict, place: str) -> None:
    with pytest.raises(ValueError, match=place):
        trading_params(document, "chicago")


def test_an_unknown_key_given_directly_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"max_spred.*max_spread_cents"):
        TemperatureTradingParams(**DEFAULTS, max_spred=1)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"value": {"taker_min_edge_cents": 0.5}}, "maker_min_edge_cents"),
        ({"value": {"slipage_cents": 1}}, "slipage_cents.*slippage_cents"),
        ({"move": {"horizon_minutes": 2}}, "horizon_minutes"),
        ({"sets": {"set_min_edge_cents": -1}}, "set_min_edge_cents"),
        ({"min_probability": 0.98}, "min_probability"),
        ({"latency_s": -1}, "latency_s"),
        ({"last_minutes_without_orders": 1}, "last_minutes_without_orders"),
        ({"max_daily_loss_cc": 0}, "max_daily_loss_cc"),
        ({"kelly_fraction": 1.5}, "kelly_fraction"),
        ({"volume_share": 0.12345}, "volume_share"),
        *(({name: float(bad)}, name) for name in LIMITS for bad in ("nan", "inf")),
    ],
)
def test_incoherent_parameters_are_refused(changes: dict, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        TemperatureTradingParams(**overridden(DEFAULTS, changes))


def test_an_override_of_one_key_of_a_strategy_keeps_its_others() -> None:
    changes = {"value": {"slippage_cents": 0.0}}
    document = {"defaults": DEFAULTS, "cities": {"chicago": changes}}
    value = trading_params(document, "chicago").value
    assert value.slippage_cents == 0
    assert value.maker_min_edge_cents == DEFAULTS["value"]["maker_min_edge_cents"]


def test_a_missing_key_names_the_file_and_the_city() -> None:
    document = {"defaults": {k: v for k, v in DEFAULTS.items() if k != "honesty"}}
    with pytest.raises(ValueError, match=r"trading.toml for chicago(.|\n)*honesty"):
        trading_params(document, "chicago")


def test_a_share_is_the_decimal_that_the_file_writes() -> None:
    written = tomllib.loads("volume_share = 0.29\ntouch_share = 0.57")
    read = TemperatureTradingParams(**{**DEFAULTS, **written})
    assert (read.volume_share, read.touch_share) == (Decimal("0.29"), Decimal("0.57"))
