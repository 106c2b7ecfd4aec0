"""Temperature's veto: a new high that may come, and the minutes of the hourly report."""

import math
from datetime import UTC, datetime

import polars as pl
import pytest

from kalshi_assets.config import load_toml
from kalshi_assets.families.temperature.trading import (
    TemperatureTradingParams,
    pressure,
    trading_params,
    veto,
)
from kalshi_assets.trading.params import CONFIG_NAME

PARAMS = trading_params(load_toml(CONFIG_NAME), "new_york").model_copy(
    update={"max_hazard_5m": 0.02, "quiet_from_minute": 48, "quiet_minutes": 12}
)


def _said(
    hazard: float | None, minute: int, params: TemperatureTradingParams = PARAMS
) -> list[str]:
    at = datetime(2026, 6, 1, 15, minute, tzinfo=UTC)
    frame = pl.DataFrame({"hazard_next_5m": pl.Series([hazard], dtype=pl.Float64), "minute": [at]})
    return veto(frame, params).to_list()


@pytest.mark.parametrize(
    ("hazard", "said"),
    [
        (0.0, ""),
        (0.02, ""),
        (0.021, "hazard"),
        (1.0, "hazard"),
        *((unknown, "hazard_unknown") for unknown in (None, math.nan, math.inf, -0.01, 1.01)),
    ],
)
def test_a_new_high_that_is_likely_or_unknown_forbids_orders(
    hazard: float | None, said: str
) -> None:
    assert _said(hazard, 10) == [said]


def test_no_order_rests_while_the_hourly_report_comes() -> None:
    quiet = {minute for minute in range(60) if _said(0.0, minute) == ["quiet_time"]}
    assert quiet == set(range(48, 60))
    assert _said(0.5, 50) == ["hazard"]
    assert _said(None, 50) == ["hazard_unknown"]


def test_quiet_minutes_go_past_the_full_hour_and_may_be_none() -> None:
    late = PARAMS.model_copy(update={"quiet_from_minute": 58, "quiet_minutes": 4})
    assert [m for m in range(60) if _said(0.0, m, late) == ["quiet_time"]] == [0, 1, 58, 59]
    never = PARAMS.model_copy(update={"quiet_minutes": 0})
    assert all(_said(0.0, minute, never) == [""] for minute in range(60))


def test_a_likely_new_high_presses_prices_above_it_up_and_those_that_it_leaves_down() -> None:
    frame = pl.DataFrame(
        {
            # Below the running maximum, around it, above it; the last without reports.
            "to_lower_edge_f": [4.0, 1.0, -2.0, None],
            "to_upper_edge_f": [-2.0, 1.0, 4.0, None],
            "running_max_lo_f": [70.0, 70.0, 70.0, None],
            "hazard_next_5m": [0.3, 0.3, 0.3, 0.3],
        }
    )
    assert pressure(frame).to_list() == [0.0, -0.3, 0.3, None]
