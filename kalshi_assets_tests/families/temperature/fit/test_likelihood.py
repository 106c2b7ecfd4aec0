"""The likelihood of days is the filter's, and what it adds to the regression is an improvement."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.signal import lfilter
from scipy.stats import chi2

from kalshi_assets.families.temperature.cities import city
from kalshi_assets.families.temperature.climate_day import SLOTS, slot_of
from kalshi_assets.families.temperature.filter.emission import EXACT_ERROR, WHOLE_C_ERROR, Within
from kalshi_assets.families.temperature.filter.exact import BarrierFilter
from kalshi_assets.families.temperature.filter.residual_model import Grid, ResidualModel
from kalshi_assets.families.temperature.fit.fitting import fit
from kalshi_assets.families.temperature.fit.likelihood import log_likelihoods
from kalshi_assets.families.temperature.fit.parameters import HazardParameters
from kalshi_assets.families.temperature.fit.priors import Priors, load_priors
from kalshi_assets.families.temperature.station_days import StationDays
from kalshi_assets_tests.families.temperature.decoding import decode_temp_f
from kalshi_assets_tests.families.temperature.fit.simulated_station import (
    AS_OF,
    Law,
    Simulated,
    simulated,
)
from kalshi_assets_tests.shared import ARCHIVE, needs_archive

VARIED = Law(rho=0.99, sd=(0.2, 0.2, 0.3, 0.4, 0.45, 0.4, 0.3, 0.25))
SLOW = Law(rho=0.9965, sd=(0.3,) * 8)
# As many as the look-back of the hazard.
DAYS = 45
REPLICATES = 24
START_SD = 2.0


@pytest.fixture(scope="module")
def priors() -> Priors:
    return load_priors()


def without(days: StationDays, gone: np.ndarray) -> StationDays:
    """The same days with no report in some slots."""
    return replace(
        days,
        mid_f=np.where(gone, np.nan, days.mid_f),
        width_f=np.where(gone, np.nan, days.width_f),
    )


def of_filter(days: StationDays, law: Law, tail_share: float = 0.0) -> np.ndarray:
    """Log likelihood of each day by the filter that the hazard runs."""
    model = ResidualModel(
        rho=np.full(SLOTS - 1, law.rho),
        sd=np.repeat(law.sd, SLOTS // 8)[1:],
        start_sd=START_SD,
        tail_share=tail_share,
    )
    found = []
    for mid, width in zip(days.mid_f, days.width_f, strict=True):
        each = BarrierFilter(Grid.of(law.profile(), model), law.profile(), model, np.array([50.5]))
        for slot in np.flatnonzero(~np.isnan(mid)):
            low = int(mid[slot] - (width[slot] - 1) / 2)
            wrong = EXACT_ERROR if width[slot] == 1 else WHOLE_C_ERROR
            each.report(int(slot), Within(low, low + int(width[slot]) - 1, wrong))
        each.advance(SLOTS - 1)
        found.append(each.log_likelihood)
    return np.array(found)


def of_kernels(days: StationDays, law: Law, tail_share: float = 0.0) -> np.ndarray:
    found = log_likelihoods(
        days,
        law.profile(),
        rho=law.rho,
        sd=np.array(law.sd),
        start_sd=START_SD,
        tail_share=tail_share,
    )
    assert np.array_equal(np.isnan(found), np.isnan(days.mid_f))
    return np.nansum(found, axis=1)


@pytest.mark.parametrize("whole_c", [True, False], ids=["whole_c", "whole_f"])
@pytest.mark.parametrize("law", [Law(), VARIED], ids=["plain", "varied"])
def test_the_likelihood_of_a_day_is_that_of_the_filter(law: Law, whole_c: bool) -> None:
    days = simulated(law, 8, np.random.default_rng(1), whole_c=whole_c).days
    away = of_kernels(days, law) - of_filter(days, law)
    # Of 100 to 200 nats. Paths beside a report that may well be right are given up; that it was
    # wrong is likelier by far of whole degrees Celsius.
    assert np.abs(away).max() < (0.8 if whole_c else 0.05)
    assert abs(away.mean()) < 0.15


def test_hours_without_a_report_and_a_station_of_hourly_reports_are_crossed_exactly() -> None:
    days = simulated(VARIED, 4, np.random.default_rng(2), whole_c=False).days
    slots = np.arange(SLOTS)
    hole = without(days, (slots >= 100) & (slots < 172))
    hourly = without(days, slots % 12 != 10)
    for each in (hole, hourly):
        assert of_kernels(each, VARIED) == pytest.approx(of_filter(each, VARIED), abs=0.05)


def test_innovations_of_two_widths_agree_with_the_filter_too() -> None:
    days = simulated(Law(), 3, np.random.default_rng(3), whole_c=False).days
    assert of_kernels(days, Law(), 0.1) == pytest.approx(of_filter(days, Law(), 0.1), abs=0.1)


def test_one_absurd_report_costs_what_the_filter_says() -> None:
    days = simulated(Law(), 3, np.random.default_rng(4), whole_c=False).days
    mid = days.mid_f.copy()
    mid[:, 150] += 25
    absurd = replace(days, mid_f=mid)
    found = of_kernels(absurd, Law())
    assert found == pytest.approx(of_filter(absurd, Law()), abs=0.3)
    assert np.abs(found - of_kernels(days, Law()) - np.log(EXACT_ERROR)).max() < 5


def test_reports_of_unknown_origin_are_not_in_the_likelihood() -> None:
    days = simulated(Law(), 3, np.random.default_rng(5), whole_c=False).days
    blended = replace(days, width_f=np.full_like(days.width_f, 3.0))
    found = log_likelihoods(
        blended, Law().profile(), rho=0.99, sd=np.full(8, 0.3), start_sd=START_SD
    )
    assert np.isnan(found).all()


def fitted(
    station: Simulated, law: Law, priors: Priors, likelihood_days: int = DAYS
) -> HazardParameters:
    return fit(
        station.days,
        station.official_f,
        as_of=AS_OF,
        priors=replace(priors, likelihood_days=likelihood_days),
        baseline=np.tile(law.profile(), (len(station.days), 1)),
    )


def replicates(law: Law, whole_c: bool) -> list[Simulated]:
    return [
        simulated(law, DAYS, np.random.default_rng([7, seed]), whole_c=whole_c)
        for seed in range(REPLICATES)
    ]


@pytest.mark.parametrize("whole_c", [True, False], ids=["whole_c", "whole_f"])
@pytest.mark.parametrize("law", [Law(), VARIED, SLOW], ids=["plain", "varied", "slow"])
def test_rho_and_sd_by_likelihood_are_nearer_the_truth_and_as_near_as_they_say(
    law: Law, whole_c: bool, priors: Priors
) -> None:
    stations = replicates(law, whole_c)
    refined = [fitted(each, law, priors) for each in stations]
    regression = [fitted(each, law, priors, 0) for each in stations]
    for name, truth, gain in (("rho", law.rho, 1.0), ("sd", law.sd, 0.85)):
        away, before = (
            np.array([each[name] - np.array(truth) for each in found])
            for found in (refined, regression)
        )
        assert np.sqrt((away**2).mean()) < gain * np.sqrt((before**2).mean()), name
        distances = away / [each.parameters[name].standard_error for each in refined]
        assert (np.abs(distances) < 2).mean() > 0.88, name
        # Were they normal of unit spread, one in a thousand would be above the quantile.
        n = distances.size
        assert (distances**2).sum() < 1.3 * chi2.ppf(0.999, n), name
        assert np.abs(distances.mean(axis=0)).max() < 4 / np.sqrt(REPLICATES), name


def test_bias_is_as_near_the_truth_as_it_says_beside_refined_sds(priors: Priors) -> None:
    law = Law(bias=(0.5, 0.0, 0.0, -0.5, 0.8, 0.8, 0.0, 0.0))
    distances = []
    for station in replicates(law, whole_c=True):
        found = fitted(station, Law(), priors)
        error = found.parameters["bias"].standard_error
        distances.append((found["bias"] - np.array(law.bias)) / error)
    squares = np.square(distances)
    assert squares.sum() < 1.3 * chi2.ppf(0.999, squares.size)
    assert (squares < 4).mean() > 0.88


@pytest.mark.parametrize("whole_c", [True, False], ids=["whole_c", "whole_f"])
def test_kappa_is_as_near_the_truth_as_it_says_beside_refined_sds(
    whole_c: bool, priors: Priors
) -> None:
    found = [fitted(each, Law(), priors) for each in replicates(Law(), whole_c)]
    distances = np.array(
        [(f["kappa"][0] - 1) / f.parameters["kappa"].standard_error[0] for f in found]
    )
    assert (distances**2).sum() < 1.3 * chi2.ppf(0.999, REPLICATES)
    assert (np.abs(distances) < 2).mean() > 0.85


def test_a_station_rougher_than_its_law_ends_between_regression_and_likelihood_and_says_so(
    priors: Priors,
) -> None:
    rng = np.random.default_rng(9)
    law = Law(rho=0.995, sd=(0.25,) * 8)
    station = simulated(law, DAYS, rng, whole_c=False)
    rough = lfilter([1.0], [1.0, -0.6], rng.normal(0, 0.35, station.days.mid_f.shape), axis=1)
    days = replace(
        station.days,
        mid_f=np.floor(station.temp_f + rough + 0.5),
        width_f=np.ones_like(station.temp_f),
    )
    seen = replace(station, days=days)
    regression, both = fitted(seen, law, priors, 0), fitted(seen, law, priors)
    per_step = np.sqrt(0.25**2 + 2 * 0.35**2 / (1 + 0.6))
    assert (both["sd"] > 1.05 * regression["sd"]).all()
    assert (both["sd"] < 0.9 * per_step).all()
    assert (
        both.parameters["sd"].standard_error > regression.parameters["sd"].standard_error
    ).mean() > 0.7


def test_without_likelihood_days_the_regression_stands(priors: Priors) -> None:
    station = simulated(Law(), 20, np.random.default_rng(6), whole_c=False)
    regression = fitted(station, Law(), priors, 0)
    refined = fitted(station, Law(), priors, 20)
    assert not np.array_equal(regression["sd"], refined["sd"])
    unknown = replace(station.days, width_f=np.full_like(station.days.width_f, 3.0))
    blended = replace(station, days=unknown)
    none, some = fitted(blended, Law(), priors, 0), fitted(blended, Law(), priors, 20)
    assert np.array_equal(none["sd"], some["sd"])
    assert np.array_equal(none["rho"], some["rho"])


def recorded(station: str, first: date, last: date) -> StationDays:
    """Recorded days, a report known ten minutes after its time."""
    of = city("new_york")
    shown = (pl.col("temp_c").fill_null(pl.col("temp_c_whole")) * 1.8 + 32).round(1)
    rows = pl.read_parquet(ARCHIVE / "observations" / f"station={station}" / "part.parquet").select(
        "valid_utc", shown=shown
    )
    starts = [of.climate_day(first + timedelta(days=n))[0] for n in range((last - first).days + 1)]
    mid, width = (np.full((len(starts), SLOTS), np.nan) for _ in range(2))
    for n, start in enumerate(starts):
        end = start + timedelta(days=1)
        day = rows.filter(pl.col("valid_utc").is_between(start, end, closed="left")).drop_nulls()
        read = day.select(
            slot=slot_of(pl.col("valid_utc"), start), r=decode_temp_f(pl.col("shown"))
        )
        for slot, _, lo_f, hi_f in read.unnest("r").iter_rows():
            mid[n, slot] = (lo_f + hi_f) / 2
            width[n, slot] = hi_f - lo_f + 1
    return StationDays(starts=tuple(starts), mid_f=mid, width_f=width, known_at=None)


def foretold(days: StationDays, n: int, as_of: datetime, priors: Priors) -> float:
    """Log probability of day `n` with the parameters of the 45 before it."""
    earlier = np.arange(len(days))
    found = fit(
        days.take((earlier < n) & (earlier >= n - DAYS)),
        np.full(min(n, DAYS), np.nan),
        as_of=as_of,
        priors=priors,
    )
    climatology = found.climatology
    assert climatology is not None
    return float(
        np.nansum(
            log_likelihoods(
                days.take(earlier == n),
                climatology.profile,
                rho=found.rho,
                sd=found["sd"],
                start_sd=found.start_sd,
            )
        )
    )


@needs_archive
def test_recorded_days_are_foretold_better_than_by_the_regression_alone(priors: Priors) -> None:
    days = recorded("KNYC", date(2025, 4, 1), date(2025, 7, 31))
    days = days.take(days.usable())
    alone = replace(priors, likelihood_days=0)
    gain = np.array(
        [
            foretold(days, n, days.starts[n], priors) - foretold(days, n, days.starts[n], alone)
            for n in range(20, len(days), 2)
        ]
    )
    assert gain.mean() > 0
    assert (gain > 0).mean() > 0.6
