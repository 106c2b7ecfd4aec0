import math

import pytest

from kalshi_assets.families.temperature.trading import veto
from kalshi_assets_tests.trading.panels import panel, params


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
    import polars as pl

    frame = panel(1, 1).with_columns(hazard_next_5m=pl.lit(hazard, pl.Float64))
    assert veto(frame, params(max_hazard_5m=0.02)).to_list() == [said]
