from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import city
from kalshi_assets.families.temperature.climate_day import ONE_HOUR, SLOTS
from kalshi_assets.families.temperature.fit import estimation
from kalshi_assets.families.temperature.fit.fitting import fit, mc_params
from kalshi_assets.families.temperature.fit.parameters import HazardParameters
from kalshi_assets.families.temperature.fit.priors import Priors, load_priors
from kalshi_assets.families.temperature.station_days import StationDays
from kalshi_assets.tables import FORECASTS, MC_PARAMS, OBSERVATIONS, SETTLEMENTS
from kalshi_assets_tests.families.temperature.fit.simulated_station import (
    AS_OF,
    Law,
    Simulated,
    simulated,
)

DAYS = 90
REPLICATES = 12
VARIED = Law(rho=0.99, sd=(0.2, 0.2, 0.3, 0.4, 0.45, 0.4, 0.3, 0.25))
BIASED = Law(bias=(0.5, 0.0, 0.0, -0.5, 0.8, 0.8, 0.0, 0.0))


@pytest.fixture(scope="module")
def priors() -> Priors:
    return load_priors()


def fitted(
    station: Simulated, priors: Priors, baseline: np.ndarray | None = None
) -> HazardParameters:
    return fit(station.days, station.official_f, as_of=AS_OF, priors=priors, baseline=baseline)


def errors(found: HazardParameters, name: str, truth: float | tuple[float, ...]) -> np.ndarray:
    """Distance from the truth in standard errors, one per block."""
    return (found[name] - np.array(truth)) / found.parameters[name].standard_error


@pytest.mark.parametrize("whole_c", [True, False], ids=["whole_c", "whole_f"])
@pytest.mark.parametrize("law", [Law(), VARIED, Law(rho=0.9965, sd=(0.3,) * 8)], ids=str)
def test_rho_and_sd_of_a_rounded_station_are_recovered_within_their_standard_errors(
    law: Law, whole_c: bool, priors: Priors
) -> None:
    found = [
        fitted(simulated(law, DAYS, np.random.default_rng(seed), whole_c=whole_c), priors)
        for seed in range(REPLICATES)
    ]
    for name, truth in (("rho", law.rho), ("sd", law.sd)):
        distances = np.array([errors(each, name, truth) for each in found])
        assert np.abs(distances).max() < 4.5, name
        assert (np.abs(distances) < 2).mean() > 0.8, name
        assert np.sqrt((distances**2).mean()) < 1.5, name
        assert np.abs(distances.mean(axis=0)).max() < 1.25, name


def test_ordinary_least_squares_on_displayed_values_is_the_wrong_answer(priors: Priors) -> None:
    law = Law()
    station = simulated(law, DAYS, np.random.default_rng(1))
    residual = station.displayed_f - law.profile()
    before, after = residual[:, :-1].ravel(), residual[:, 1:].ravel()
    naive = float((before * after).sum() / (before**2).sum())
    naive_sd = float((after - naive * before).std())
    assert naive == pytest.approx(0.94, abs=0.015)
    assert naive_sd == pytest.approx(0.71, abs=0.06)
    found = fitted(station, priors)
    rho = found.parameters["rho"]
    assert abs(naive - law.rho) > 10 * rho.standard_error[0]
    assert abs(found.rho - law.rho) < 2.5 * rho.standard_error[0]


def test_regression_and_hourly_pairs_agree_on_rho() -> None:
    law = Law()
    for seed in range(4):
        days = simulated(law, DAYS, np.random.default_rng(seed)).days
        residual = days.mid_f - law.profile()
        before, after = residual[:, :-ONE_HOUR], residual[:, ONE_HOUR:]
        both = ~np.isnan(before) & ~np.isnan(after)
        variance = (before[both] ** 2).mean() - days.rounding_variance
        by_pairs = float(((before[both] * after[both]).mean() / variance) ** (1 / ONE_HOUR))
        assert float(estimation.autocorrelation(residual).value) == pytest.approx(
            by_pairs, abs=0.004
        )


def test_a_regression_at_its_bound_does_not_pretend_to_know_rho_exactly(priors: Priors) -> None:
    level = np.random.default_rng(0).normal(60, 8, (20, 1))
    found = estimation.autocorrelation(np.tile(level - level.mean(), (1, SLOTS)))
    assert found.value == estimation.GREATEST_RHO
    assert np.isnan(found.standard_error)


def test_bias_around_a_given_baseline_is_recovered_less_its_shrinkage(priors: Priors) -> None:
    distances, values = [], []
    for seed in range(REPLICATES):
        station = simulated(BIASED, DAYS, np.random.default_rng(seed))
        found = fitted(station, priors, np.tile(BIASED.profile(), (DAYS, 1)))
        distances.append(errors(found, "bias", BIASED.bias))
        values.append(found["bias"])
    assert np.abs(distances).max() < 3.5
    assert (np.abs(distances) < 2).mean() > 0.85
    assert np.abs(np.mean(values, axis=0) - np.array(BIASED.bias)).max() < 0.35


@pytest.mark.parametrize("whole_c", [True, False], ids=["whole_c", "whole_f"])
def test_the_missed_peak_of_a_path_without_memory_between_minutes_has_kappa_one(
    whole_c: bool, priors: Priors
) -> None:
    law = Law()
    distances = []
    for seed in range(REPLICATES):
        station = simulated(law, DAYS, np.random.default_rng(seed), whole_c=whole_c)
        found = fitted(station, priors)
        assert found["missed_peak"].sum() == pytest.approx(1)
        distances.append(errors(found, "kappa", 1.0)[0])
    assert np.abs(distances).max() < 4
    assert abs(np.mean(distances)) < 1.25


def test_what_whole_degrees_celsius_prove_is_further_below_the_official_maximum(
    priors: Priors,
) -> None:
    station = simulated(Law(), DAYS, np.random.default_rng(0))
    found = fitted(station, priors)
    lo, _ = station.days.highest()
    counted = np.bincount((station.official_f - lo).astype(int), minlength=4)[:4] / DAYS
    assert np.abs(found["above_evidence"] - counted).max() < 0.1
    assert found["above_evidence"][1] > found["missed_peak"][1] + 0.1


def test_the_spread_of_forecasts_from_day_to_day_is_recovered(priors: Priors) -> None:
    rng = np.random.default_rng(5)
    station = simulated(Law(), 30, rng)
    found = fit(
        station.days,
        station.official_f,
        as_of=AS_OF,
        priors=priors,
        forecast_error_f=rng.normal(0.5, 1.6, 400),
    )
    assert abs(errors(found, "bias_sd", 1.6)[0]) < 2.5
    assert abs(errors(found, "forecast_bias", 0.5)[0]) < 2.5


def test_days_of_hourly_reports_only_are_enough(priors: Priors) -> None:
    law = Law()
    full = simulated(law, DAYS, np.random.default_rng(2), whole_c=False).days
    kept = np.arange(SLOTS) % 12 == 11
    hourly = StationDays(
        starts=full.starts,
        mid_f=np.where(kept, full.mid_f, np.nan),
        width_f=np.where(kept, full.width_f, np.nan),
        known_at=full.known_at,
    )
    found = fit(hourly, np.full(DAYS, np.nan), as_of=AS_OF, priors=priors)
    assert found.n_days == DAYS
    assert abs(errors(found, "rho", law.rho)[0]) < 3
    assert np.abs(errors(found, "sd", law.sd)).max() < 3.5
    assert found.parameters["missed_peak"].parent == "default"


def test_too_few_days_leave_the_packaged_values_and_say_so(priors: Priors) -> None:
    station = simulated(Law(), priors.min_days - 1, np.random.default_rng(0))
    found = fitted(station, priors)
    assert found.n_days == 0
    assert found.rho == priors.rho
    assert tuple(found["sd"]) == priors.sd_of_season["jja"]
    of_station = ("rho", "sd", "start_sd", "bias", "profile", "shape")
    assert {found.parameters[name].parent for name in of_station} == {"default"}
    climatology = found.climatology
    assert climatology is not None
    assert climatology.profile.mean() == pytest.approx(np.nanmean(station.days.mid_f), abs=0.5)


def test_the_packaged_sds_are_those_of_the_season_or_of_none(priors: Priors) -> None:
    none = StationDays.of([], AS_OF)
    sds = {
        month: tuple(fit(none, np.zeros(0), as_of=AS_OF.replace(month=month), priors=priors)["sd"])
        for month in (1, 2, 3, 5, 6, 8, 9, 11, 12)
    }
    of = priors.sd_of_season
    assert sds[12] == sds[1] == sds[2] == of["djf"]
    assert sds[3] == sds[5] == of["mam"]
    assert sds[6] == sds[8] == of["jja"]
    assert sds[9] == sds[11] == priors.sd


def test_a_stations_sds_are_shrunk_towards_its_season(priors: Priors) -> None:
    station = simulated(Law(), priors.min_days, np.random.default_rng(3))
    summer = fitted(station, priors)
    wide = {**priors.sd_of_season, "jja": tuple(2 * sd for sd in priors.sd_of_season["jja"])}
    shrunk = fitted(station, replace(priors, sd_of_season=wide))
    assert (shrunk["sd"] > summer["sd"]).all()
    assert (shrunk["sd"] < 1.4 * summer["sd"]).all()
    assert summer.parameters["sd"].parent == "season"
    nowhere = fitted(station, replace(priors, sd_of_season={}))
    assert nowhere.parameters["sd"].parent == "block"


def test_two_fits_agree_in_every_bit_whatever_the_order_of_rows(
    history: Simulated, priors: Priors
) -> None:
    observed, settled, expected = inputs(history)
    first = mc_params(AS_OF, observed, settled, expected, priors)
    assert mc_params(AS_OF, observed, settled, expected, priors).equals(first)
    turned = [[(start, frame.reverse()) for start, frame in days] for days in (settled, expected)]
    assert mc_params(AS_OF, observed, *turned, priors).equals(first)


def test_without_any_day_there_is_no_climatology(priors: Priors) -> None:
    none = StationDays.of([], AS_OF)
    found = fit(none, np.zeros(0), as_of=AS_OF, priors=priors)
    assert found.climatology is None
    frame = MC_PARAMS.conform(found.to_frame())
    assert frame.filter(pl.col("parameter") == "profile")["value"].null_count() == 49
    assert HazardParameters.from_frame(frame).climatology is None


def test_the_table_gives_back_what_was_fitted(priors: Priors) -> None:
    found = fitted(simulated(Law(), 40, np.random.default_rng(4)), priors)
    frame = MC_PARAMS.conform(found.to_frame())
    again = HazardParameters.from_frame(frame)
    assert again.to_frame().equals(frame)
    assert again.window == found.window
    assert (again.rho, again.start_sd, again.n_days) == (found.rho, found.start_sd, found.n_days)
    mine, theirs = found.climatology, again.climatology
    assert mine is not None
    assert theirs is not None
    assert np.array_equal(mine.profile, theirs.profile)
    assert np.array_equal(found.sd_by_step(), again.sd_by_step())
    assert found.sd_by_step().shape == (SLOTS - 1,)


def test_parameters_that_rest_on_the_future_are_refused(priors: Priors) -> None:
    station = simulated(Law(), 40, np.random.default_rng(4))
    with pytest.raises(ValueError, match="exclude them"):
        fit(
            station.days,
            station.official_f,
            as_of=AS_OF - timedelta(hours=1),
            priors=priors,
        )


def test_rewriting_an_unknown_parameter_is_an_error_that_lists_the_known(priors: Priors) -> None:
    frame = fitted(simulated(Law(), 20, np.random.default_rng(4)), priors).to_frame()
    with pytest.raises(ValueError, match=r"\['rho'\]; known: rho, sd"):
        HazardParameters.from_frame(frame.filter(pl.col("parameter") != "rho"))


CITY = city("new_york")


def day(n: int) -> tuple:
    """Start and end of the climate day `n` days before the one that is fitted."""
    return AS_OF - timedelta(days=n), AS_OF - timedelta(days=n - 1)


def observations(
    values: np.ndarray, n: int, late: timedelta = timedelta(minutes=10)
) -> pl.DataFrame:
    start, _ = day(n)
    times = [start + timedelta(minutes=5 * k) for k in range(SLOTS)]
    whole = np.round(values).astype(int)
    columns = {
        "event_time": times,
        "known_at": [t + late for t in times],
        "station": CITY.station,
        "temp_f": whole.astype(float),
        "kind": "tgroup",
        "lo_f": whole,
        "hi_f": whole,
        "source": "obs",
        "raw_sha256": "0",
    }
    frame = pl.DataFrame(columns)
    absent = [
        pl.lit(None, dtype).alias(c) for c, dtype in OBSERVATIONS.dtypes.items() if c not in columns
    ]
    return OBSERVATIONS.arranged(frame.with_columns(absent).cast(pl.Schema(OBSERVATIONS.dtypes)))


def settlement(tmax: int, n: int, source: str, status: str, hours: float) -> pl.DataFrame:
    _, end = day(n)
    columns = {
        "source": [source],
        "status": [status],
        "value": [tmax],
        "event_time": [end],
        "known_at": [end + timedelta(hours=hours)],
        "known_at_from": ["assumed"],
        "raw_sha256": ["0"],
    }
    absent = [
        pl.lit(None, dtype).alias(c) for c, dtype in SETTLEMENTS.dtypes.items() if c not in columns
    ]
    frame = pl.DataFrame(columns).with_columns(absent)
    return frame.select(SETTLEMENTS.dtypes.keys()).cast(pl.Schema(SETTLEMENTS.dtypes))


def forecast(tmax: float, n: int, known_before_h: float) -> pl.DataFrame:
    start, _ = day(n)
    known = start - timedelta(hours=known_before_h)
    return pl.DataFrame(
        {
            "event_time": [known - timedelta(hours=1)],
            "known_at": [known],
            "station": [CITY.station],
            "variable": ["tmax"],
            "valid_time": [start],
            "value_f": [tmax],
            "source": ["test"],
            "raw_sha256": ["0"],
        }
    ).cast(pl.Schema(FORECASTS.dtypes))


@pytest.fixture(scope="module")
def history() -> Simulated:
    return simulated(Law(), 30, np.random.default_rng(8), whole_c=False)


def inputs(history: Simulated) -> tuple[list, list, list]:
    n = len(history.days)
    observed = [(day(n - i)[0], observations(history.temp_f[i], n - i)) for i in range(n)]
    settled = [
        (
            day(n - i)[0],
            settlement(int(history.official_f[i]), n - i, "climate_report", "official", 9),
        )
        for i in range(n)
    ]
    expected = [(day(n - i)[0], forecast(history.official_f[i] - 2.0, n - i, 5)) for i in range(n)]
    return observed, settled, expected


def test_nothing_known_after_the_climate_day_began_touches_the_parameters(
    history: Simulated, priors: Priors
) -> None:
    observed, settled, expected = inputs(history)
    whole = mc_params(AS_OF, observed, settled, expected, priors)
    assert (whole["known_at"] <= AS_OF).all()
    assert (whole["event_time"] == AS_OF).all()
    late = pl.lit(AS_OF + timedelta(microseconds=1)).cast(pl.Datetime("us", "UTC"))

    def spoilt(days: list, value: str) -> list:
        return [
            (start, pl.concat([frame, frame.with_columns(pl.col(value) + 30, known_at=late)]))
            for start, frame in days
        ]

    def without(days: list) -> list:
        return [(start, frame.filter(pl.col("known_at") <= AS_OF)) for start, frame in days]

    hotter = [
        (start, pl.concat([frame, frame.with_columns(pl.col("lo_f", "hi_f") + 30, known_at=late)]))
        for start, frame in observed
    ]
    attacked = mc_params(
        AS_OF, hotter, spoilt(settled, "value"), spoilt(expected, "value_f"), priors
    )
    assert attacked.equals(whole)
    assert mc_params(AS_OF, without(observed), without(settled), without(expected), priors).equals(
        whole
    )


def test_a_forecast_counts_only_if_it_was_known_when_its_day_began(
    history: Simulated, priors: Priors
) -> None:
    observed, settled, expected = inputs(history)
    n = len(expected)
    hindsight = [
        (start, pl.concat([frame, forecast(150.0, n - i, -2)]))
        for i, (start, frame) in enumerate(expected)
    ]
    whole = mc_params(AS_OF, observed, settled, expected, priors)
    assert mc_params(AS_OF, observed, settled, hindsight, priors).equals(whole)
    found = HazardParameters.from_frame(whole)
    assert found["forecast_bias"][0] == pytest.approx(2.0, rel=0.4)
    assert found.parameters["forecast_bias"].n_days == n - 1


def test_the_weather_service_is_heard_before_others_and_a_preliminary_value_never(
    history: Simulated, priors: Priors
) -> None:
    observed, settled, _ = inputs(history)
    n = len(settled)
    others = [
        (
            start,
            pl.concat(
                [
                    settlement(120, n - i, "exchange", "finalized", 11),
                    settlement(121, n - i, "climate_bulletin", "preliminary", 11),
                    frame,
                ]
            ),
        )
        for i, (start, frame) in enumerate(settled)
    ]
    assert mc_params(AS_OF, observed, others, [], priors)["value"].equals(
        mc_params(AS_OF, observed, settled, [], priors)["value"]
    )


def test_the_packaged_priors_are_checked(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hazard.toml").write_text("[priors]\nrho = 0.99\nkapa = 1\n")
    monkeypatch.setenv("KALSHI_ASSETS_CONFIG", str(tmp_path))
    with pytest.raises(ValueError, match=r"missing or unknown .*kapa"):
        load_priors()


def test_a_season_that_nobody_knows_is_refused(priors: Priors) -> None:
    with pytest.raises(ValueError, match=r"unknown \['may'\]; known: djf, mam, jja, son"):
        replace(priors, sd_of_season={"may": priors.sd})
    with pytest.raises(ValueError, match="8 values each"):
        replace(priors, sd_of_season={"son": (0.3,)})
