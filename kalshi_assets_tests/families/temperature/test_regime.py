import polars as pl
import pytest

from kalshi_assets.families.temperature.regime import regime
from kalshi_assets.tables.panel import MODEL_FEATURES
from kalshi_assets_tests.lake.handmade import frame_of

QUIET = {
    "minutes_to_close": 600,
    "hour_lst": 12.0,
    "hazard_next_60m": 0.4,
    "volatility_percentile": 0.5,
    "leader_logit_velocity_5m": 0.0,
}


def _regime(**changed: float | None) -> str:
    row = frame_of(MODEL_FEATURES, market_ticker=["A"], **(QUIET | changed))
    return row.select(regime()).item()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "quiet"),
        ({"volatility_percentile": 0.9}, "trending"),
        ({"leader_logit_velocity_5m": -0.05}, "trending"),
        ({"hour_lst": 16.0, "hazard_next_60m": 0.02}, "post_high"),
        ({"hour_lst": 16.0}, "quiet"),
        ({"hour_lst": 9.0, "hazard_next_60m": 0.02}, "quiet"),
        ({"hour_lst": 16.0, "hazard_next_60m": 0.02, "volatility_percentile": 0.9}, "post_high"),
        ({"hour_lst": 16.0, "hazard_next_60m": 0.02, "minutes_to_close": 30}, "late"),
        ({"volatility_percentile": 0.9, "minutes_to_close": 60}, "late"),
    ],
)
def test_the_first_regime_that_holds_is_the_one(changed: dict[str, float], expected: str) -> None:
    assert _regime(**changed) == expected


def test_what_is_unknown_makes_no_regime() -> None:
    assert _regime(hour_lst=20.0, hazard_next_60m=None) == "quiet"
    assert _regime(volatility_percentile=None, leader_logit_velocity_5m=None) == "quiet"
    assert _regime(volatility_percentile=None, leader_logit_velocity_5m=0.05) == "trending"


def test_a_row_of_nothing_known_is_quiet() -> None:
    unknown = {name: None for name in QUIET if name not in ("minutes_to_close", "hour_lst")}
    row = pl.DataFrame({**QUIET, **unknown}, schema_overrides=dict.fromkeys(unknown, pl.Float64))
    assert row.select(regime()).item() == "quiet"
