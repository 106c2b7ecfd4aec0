import numpy as np
import pytest

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.statistics.calibration_error import calibration_error
from kalshi_assets.statistics.ladder_forecasts import LadderForecasts
from kalshi_assets_tests.studies.forecasts import perfect

# methods.md 6: plug-in error of a perfect forecaster by number of pairs, mean and 95 % quantile.
NULL = {120: (0.073, 0.103), 360: (0.041, 0.060), 1200: (0.023, 0.033), 6000: (0.010, 0.015)}


@pytest.mark.parametrize("pairs", NULL)
def test_oracle_perfect_forecasts_have_the_known_plug_in_error_and_the_band_says_so(
    pairs: int,
) -> None:
    rng = np.random.default_rng(pairs)
    errors = [
        calibration_error(
            perfect(pairs // 6, rng), Bootstrap(seed=1, resamples=2), null_resamples=2
        ).plug_in
        for _ in range(150)
    ]
    banded = calibration_error(perfect(pairs // 6, rng), Bootstrap(seed=1, resamples=2))
    mean, high = NULL[pairs]
    # The known figures are of another law of forecasts; they agree to a tenth.
    assert np.mean(errors) == pytest.approx(mean, rel=0.1)
    assert np.quantile(errors, 0.95) == pytest.approx(high, rel=0.15)
    assert banded.null_mean == pytest.approx(mean, rel=0.15)
    assert banded.null_hi == pytest.approx(high, rel=0.2)


def test_oracle_the_debiased_error_of_perfect_forecasts_is_about_zero() -> None:
    rng = np.random.default_rng(5)
    squares = []
    for _ in range(200):
        found = calibration_error(
            perfect(60, rng, hours=4), Bootstrap(seed=1, resamples=2), null_resamples=2
        )
        squares.append(np.sign(found.debiased) * found.debiased**2)
    assert abs(np.mean(squares)) < 3 * np.std(squares) / np.sqrt(200)


def test_hours_of_one_day_do_not_count_as_days() -> None:
    rng = np.random.default_rng(6)
    once = perfect(40, rng)
    day = np.repeat(np.arange(40), 24)
    often = LadderForecasts(p=once.p[day], winner=once.winner[day], day=day, date=day)
    apart, together = (
        calibration_error(once, Bootstrap(seed=1)),
        calibration_error(often, Bootstrap(seed=1)),
    )
    assert together.plug_in == pytest.approx(apart.plug_in)
    assert together.null_hi == pytest.approx(apart.null_hi, rel=1e-9)
    assert together.hi - together.lo == pytest.approx(apart.hi - apart.lo)
    assert together.debiased == pytest.approx(apart.debiased, abs=1e-9)


def test_forecasts_that_are_too_sure_lie_beyond_the_band() -> None:
    rng = np.random.default_rng(7)
    found = calibration_error(perfect(300, rng, sharpened=2.5), Bootstrap(seed=1))
    assert found.plug_in > found.null_hi
    assert found.debiased > 0.03
    right = calibration_error(perfect(300, rng), Bootstrap(seed=1))
    assert right.plug_in < 1.5 * right.null_hi


def test_with_one_pair_a_date_the_variance_is_the_textbook_one() -> None:
    n, happened = 40, 13
    outcome = np.arange(n) < happened
    p = np.tile([0.25, 0.75], (n, 1))
    day = np.arange(n)
    found = calibration_error(
        LadderForecasts(p=p, winner=np.where(outcome, 0, 1), day=day, date=day),
        Bootstrap(seed=1, resamples=2),
    )
    y = happened / n
    square = (y - 0.25) ** 2 - y * (1 - y) / (n - 1)  # both brackets' bins say the same
    assert found.debiased == pytest.approx(np.sign(square) * np.sqrt(abs(square)))


def test_a_shorter_ladder_never_pays_the_bracket_that_it_lacks() -> None:
    p = np.array([[0.5, 0.5, np.nan], [0.2, 0.3, 0.5]] * 20)
    day = np.arange(40)
    forecasts = LadderForecasts(p=p, winner=np.zeros(40, dtype=int), day=day, date=day)
    found = calibration_error(forecasts, Bootstrap(seed=1))
    assert np.isfinite([found.null_mean, found.null_hi, found.debiased]).all()
    assert len(forecasts.probability) == 100


def test_the_same_seed_gives_the_same_error() -> None:
    forecasts = perfect(30, np.random.default_rng(8))
    assert calibration_error(forecasts, Bootstrap(seed=3)) == calibration_error(
        forecasts, Bootstrap(seed=3)
    )
