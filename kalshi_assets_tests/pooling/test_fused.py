from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from kalshi_assets.families.temperature.pool import WEATHER
from kalshi_assets.ladder.market_pmf import market_pmf
from kalshi_assets.pooling.fused import fused_pmf
from kalshi_assets.pooling.simplex import log_pool
from kalshi_assets.pooling.weights import PoolWeights
from kalshi_assets.tables import FUSED_PMF
from kalshi_assets_tests.ladder.books import NOON, book

QUOTED = [(0.10, 0.12), (0.58, 0.60), (0.29, 0.31)]
MINUTES = 12
P_WX = (0.2, 0.2, 0.6)
PANEL = book(*[QUOTED] * MINUTES)
MARKET = market_pmf(PANEL)
PRIOR = PoolWeights.prior(WEATHER)
WEIGHTS = PoolWeights(
    model=WEATHER,
    coefficients=(0.5, 0.3, 0.0, 0.0, 0.2, 0.0, 0.4, 0.0),
    shares=(0.0, 0.0, 1.0, 0.0, 0.0),
)


def _hazard(
    *, status: str = "ok", p_wx: tuple[float, ...] | None = P_WX, dead: int | None = None
) -> pl.DataFrame:
    """The weather from the third minute on, every five."""
    return pl.DataFrame(
        [
            {
                "market_ticker": f"B{i}",
                "bracket": i,
                "minute": NOON + timedelta(minutes=2 + late),
                "known_at": NOON + timedelta(minutes=1 + late),
                "status": status,
                "p_wx": None if p_wx is None else p_wx[i],
                "dead": i == dead,
                "hazard_next_60m": 0.3,
            }
            for late in (0, 5)
            for i in range(3)
        ],
        schema_overrides={
            "p_wx": pl.Float64,
            "minute": pl.Datetime("us", "UTC"),
            "known_at": pl.Datetime("us", "UTC"),
        },
    )


def _conditions(hour: float) -> pl.DataFrame:
    return PANEL.with_columns(
        hour_lst=pl.lit(hour),
        volume_percentile=(pl.col("minute") - NOON).dt.total_minutes() / MINUTES,
        volatility_percentile=pl.lit(0.25),
        spread_percentile=pl.lit(None, pl.Float64),
        observation_age_s=pl.lit(600.0),
    )


def _by_minute(frame: pl.DataFrame, name: str) -> np.ndarray:
    return frame.sort("minute", "bracket")[name].to_numpy().reshape(MINUTES, 3)


def test_the_fused_pmf_keeps_its_contract_and_sums_to_one() -> None:
    fused = fused_pmf(MARKET, _hazard(), _conditions(13.0), PRIOR)
    FUSED_PMF.conform(fused)
    assert _by_minute(fused, "p_fused").sum(axis=1) == pytest.approx(1, abs=1e-12)


def test_before_the_first_weather_the_pool_is_the_market_and_says_why() -> None:
    fused = fused_pmf(MARKET, _hazard(), _conditions(13.0), PRIOR)
    early = fused.filter(pl.col("minute") < NOON + timedelta(minutes=2))
    assert (early["p_fused"] == early["p_mkt"]).all()
    assert set(early["model_status"]) == {"before_climate_day"}
    assert set(early["market_weight"]) == {1.0}
    assert set(early["model_weight"]) == {0.0}


def test_without_fitted_weights_the_prior_is_in_force() -> None:
    fused = fused_pmf(MARKET, _hazard(), _conditions(13.0), PRIOR)
    p_mkt = _by_minute(fused, "p_mkt")[2:]
    weather = np.tile(P_WX, (MINUTES - 2, 1))
    expected = log_pool(p_mkt, weather, 0.65, 0.35)
    assert _by_minute(fused, "p_fused")[2:] == pytest.approx(expected)
    late = fused.filter(pl.col("model_status") == "ok")
    assert late.select("market_weight", "model_weight").unique().row(0) == (0.65, 0.35)


@pytest.mark.parametrize("status", ["day_ahead", "stale", "feed_alarm"])
def test_weather_of_another_status_leaves_the_market(status: str) -> None:
    fused = fused_pmf(MARKET, _hazard(status=status), _conditions(13.0), PRIOR)
    assert (fused["p_fused"] == fused["p_mkt"]).all()
    assert status in set(fused["model_status"])
    assert set(fused["model_weight"]) == {0.0}


def test_a_weather_pmf_that_is_null_leaves_the_market() -> None:
    fused = fused_pmf(MARKET, _hazard(p_wx=None), _conditions(13.0), PRIOR)
    assert (fused["p_fused"] == fused["p_mkt"]).all()


def test_a_bracket_dead_by_evidence_is_zero_whatever_the_pool_says() -> None:
    for hazard in (_hazard(dead=1), _hazard(dead=1, status="stale")):
        fused = fused_pmf(MARKET, hazard, _conditions(13.0), WEIGHTS)
        p = _by_minute(fused, "p_fused")
        assert (p[2:, 1] == 0).all()
        assert (p[:2, 1] > 0).all()
        assert p.sum(axis=1) == pytest.approx(1, abs=1e-12)


def test_weights_follow_the_conditions_of_the_minute() -> None:
    fused = fused_pmf(MARKET, _hazard(), _conditions(13.0), WEIGHTS)
    minutes = np.arange(MINUTES)[2:]
    market = _by_minute(fused, "market_weight")[2:, 0]
    weather = _by_minute(fused, "model_weight")[2:, 0]
    assert market == pytest.approx(0.5 + 0.3 * minutes / MINUTES)
    assert weather == pytest.approx(np.full(len(minutes), 0.2 + 0.4 * 0.75))
    expected = log_pool(
        _by_minute(fused, "p_mkt")[2:], np.tile(P_WX, (len(minutes), 1)), market, weather
    )
    assert _by_minute(fused, "p_fused")[2:] == pytest.approx(expected)


def test_at_hours_without_a_share_the_pool_is_the_market_to_the_bit() -> None:
    fused = fused_pmf(MARKET, _hazard(), _conditions(16.0), WEIGHTS)
    assert (fused["p_fused"] == fused["p_mkt"]).all()
    assert set(fused["model_weight"]) == {0.0}
    assert "ok" in set(fused["model_status"])


def test_a_panel_of_other_minutes_is_refused() -> None:
    with pytest.raises(ValueError, match="not of the same event and minutes"):
        fused_pmf(MARKET, _hazard(), _conditions(13.0).head(12), WEIGHTS)


def test_a_pmf_is_known_when_the_last_of_its_inputs_is() -> None:
    fused = fused_pmf(MARKET, _hazard(), _conditions(13.0), WEIGHTS).sort("minute")
    assert fused["known_at"][0] == NOON
    at = fused.filter(pl.col("minute") == NOON + timedelta(minutes=3))
    assert set(at["known_at"]) == {NOON + timedelta(minutes=1)}


def test_a_minute_knows_nothing_of_later_ones() -> None:
    until = NOON + timedelta(minutes=6)

    def cut(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter(pl.col("minute") <= until)

    whole = fused_pmf(MARKET, _hazard(), _conditions(13.0), WEIGHTS)
    early = fused_pmf(cut(MARKET), cut(_hazard()), cut(_conditions(13.0)), WEIGHTS)
    assert early.equals(cut(whole))


def test_rows_may_come_in_any_order() -> None:
    def mixed(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.sample(fraction=1.0, shuffle=True, seed=1)

    whole = fused_pmf(MARKET, _hazard(), _conditions(13.0), WEIGHTS)
    assert whole.equals(
        fused_pmf(mixed(MARKET), mixed(_hazard()), mixed(_conditions(13.0)), WEIGHTS)
    )


def test_all_of_the_prior_is_in_force_at_every_hour() -> None:
    assert set(PRIOR.shares) == {1.0}
