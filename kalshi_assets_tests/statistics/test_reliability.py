import numpy as np
import polars as pl
import pytest

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.statistics.reliability import reliability

DAYS, HOURS = 80, 15


def forecasts_and_days(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are alike within a day."""
    level = rng.normal(0, 1.5, size=(DAYS, 1))
    p = 1 / (1 + np.exp(-(level + rng.normal(0, 1, size=(DAYS, HOURS)))))
    return p.ravel(), np.repeat(np.arange(DAYS), HOURS)


def inside(table: pl.DataFrame) -> float:
    within = pl.col("frequency").is_between(pl.col("lo"), pl.col("hi"))
    return table.select(within.mean()).item()


def test_bands_hold_for_calibrated_forecasts() -> None:
    shares = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p, day = forecasts_and_days(rng)
        happened = rng.random(len(p)) < p
        shares.append(
            inside(
                reliability(p, happened, day, bootstrap=Bootstrap(seed=seed, resamples=300)).bins
            )
        )
    assert np.mean(shares) == pytest.approx(0.95, abs=0.02)


def test_bands_reject_bold_forecasts_at_both_ends() -> None:
    table = misjudged(2.5)
    assert table["frequency"][0] > table["hi"][0]
    assert table["frequency"][-1] < table["lo"][-1]


def test_bands_reject_timid_forecasts_on_both_sides_of_a_half() -> None:
    table = misjudged(0.4)
    assert table["frequency"][0] < table["lo"][0]
    assert table["frequency"][-1] > table["hi"][-1]


def misjudged(factor: float) -> pl.DataFrame:
    """Reliability of forecasts whose log odds are `factor` times the true ones."""
    rng = np.random.default_rng(7)
    truth, day = forecasts_and_days(rng)
    happened = rng.random(len(truth)) < truth
    logit = factor * np.log(truth / (1 - truth))
    bins = (0.0, 0.3, 0.5, 0.7, 1.0)
    return reliability(
        1 / (1 + np.exp(-logit)), happened, day, bins=bins, bootstrap=Bootstrap(resamples=300)
    ).bins


def test_bins_count_what_falls_into_them() -> None:
    p = np.array([0.0, 0.1, 0.3, 0.5, 1.0])
    happened = np.array([False, True, False, True, True])
    table = reliability(
        p, happened, np.arange(5), bins=(0.0, 0.3, 1.0), bootstrap=Bootstrap(resamples=50)
    ).bins
    assert table["n"].to_list() == [2, 3]
    assert table["probability"].to_list() == pytest.approx([0.05, 0.6])
    assert table["frequency"].to_list() == pytest.approx([1 / 2, 2 / 3])


def test_certain_forecasts_have_no_room_to_stray() -> None:
    p = np.repeat([0.0, 1.0], 20)
    table = reliability(p, p > 0.5, np.arange(40) % 10, bootstrap=Bootstrap(resamples=100)).bins
    assert (table["lo"] == table["hi"]).all()
    assert inside(table) == 1.0


def test_an_unknown_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="remove unknown ones"):
        reliability(np.array([np.nan]), np.array([True]), np.array([0]))
