"""The weather hazard as a forecast to be judged: by each method alone, and as it is in force.

Here: from a day's frames to `probability.hazard_pmf` by a method's name. Not here: the methods.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

import polars as pl

from kalshi_assets.families.temperature.hazard.method import BLOCKS, HazardMethod
from kalshi_assets.families.temperature.hazard.pmf import hazard_pmf

IN_FORCE = "mixed"
EXACT = "exact"
ANALOGUE = "analogue"
HAZARD_METHODS = (IN_FORCE, EXACT, ANALOGUE)


def variants(in_force: HazardMethod) -> Mapping[str, HazardMethod]:
    """The methods judged, by name: what methods.toml has in force, and its two parts alone."""
    return MappingProxyType(
        {
            IN_FORCE: in_force,
            EXACT: replace(in_force, method="exact", analogue_share=(0.0,) * BLOCKS),
            ANALOGUE: replace(in_force, method="analogue"),
        }
    )


def hazard_by(
    name: str,
    method: HazardMethod,
    events: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
    earlier_days: Sequence[tuple[datetime, pl.DataFrame]],
    mc_params: pl.DataFrame,
) -> pl.DataFrame:
    """`probability.hazard_pmf` of one city-day; the exact method does not borrow the analogue's.

    Parameters
    ----------
    name, method
        Of `variants`.
    events, observations, forecasts, mc_params
        The tables of these names, of the climate day.
    earlier_days
        Start of the climate day and observations of earlier days.
    """
    found = hazard_pmf(events, observations, forecasts, earlier_days, mc_params, method)
    if name != EXACT:
        return found
    own = pl.col("analogue_share") == 0
    return found.with_columns(
        pl.when(own).then(pl.col(column)).alias(column) for column in ("p_wx", "hazard_next_60m")
    )
