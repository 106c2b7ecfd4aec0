"""How many days a difference needs to show: sample sizes for gains, before any data.

Here: sample sizes from an edge, a standard deviation and a correlation (methods.md 10). Not here:
tests of observed differences (`significance`), estimates of the standard deviation.
"""

import math

T = 2.0


def city_days_needed(edge: float, daily_sd: float, *, t: float = T) -> int:
    """Independent city-days at which the expected t-statistic of the mean gain is `t`.

    (t * sd / edge)^2, rounded up. Half of such samples have a lower t-statistic.

    Parameters
    ----------
    edge
        Mean gain of a city-day, cents per contract, above 0.
    daily_sd
        Standard deviation of the gain of a city-day, cents per contract, above 0.
    t
        Above 0.
    """
    return _up(_city_days(edge, daily_sd, t))


def effective_cities(cities: int, mean_correlation: float) -> float:
    """Number of independent cities whose mean gain has the same variance as that of `cities`.

    cities / (1 + (cities - 1) * correlation): exact for the mean with equal weights and variances.

    Parameters
    ----------
    cities
        At least 1.
    mean_correlation
        Mean over pairs of cities, of the gains on a date; at most 1 and above -1 / (cities - 1).
    """
    if cities < 1:
        raise ValueError(f"there must be at least one city, got {cities}")
    share = 1 + (cities - 1) * mean_correlation
    if not (abs(mean_correlation) <= 1 and share > 0):
        raise ValueError(f"{cities} cities cannot have the mean correlation {mean_correlation}")
    return cities / share


def dates_needed(
    edge: float, daily_sd: float, *, cities: int, mean_correlation: float, t: float = T
) -> int:
    """Independent dates at which the expected t-statistic is `t` if every city trades on each date.

    Parameters
    ----------
    edge, daily_sd, t
        As in `city_days_needed`.
    cities, mean_correlation
        As in `effective_cities`.
    """
    return _up(_city_days(edge, daily_sd, t) / effective_cities(cities, mean_correlation))


def _city_days(edge: float, daily_sd: float, t: float) -> float:
    given = {"edge": edge, "daily_sd": daily_sd, "t": t}
    for name, value in given.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a number above 0, got {value}")
    return (t * daily_sd / edge) ** 2


def _up(days: float) -> int:
    # A whole number with a rounding error is not rounded up to the next one.
    return math.ceil(days * (1 - 1e-12))
