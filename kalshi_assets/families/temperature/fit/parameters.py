"""The hazard's parameters of a station, as of the start of a climate day.

Here: the parameters, and their form as the table `probability.mc_params`. Not here: fitting them
(`fitting`), the packaged priors (`priors`), the filter that uses them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.families.temperature.fit.baseline import Baseline
from kalshi_assets.families.temperature.fit.emos import Line
from kalshi_assets.families.temperature.fit.estimation import BLOCK_SLOTS
from kalshi_assets.tables import MC_PARAMS
from kalshi_assets.units import Array

Parent = Literal["own", "season", "block", "global", "default"]

# Slots at which profile and shape are stored; between them they are interpolated.
KNOTS = np.append(np.arange(0, SLOTS, 6), SLOTS - 1)
UNITS = MappingProxyType(
    {
        "rho": "1",
        "sd": "f",
        "start_sd": "f",
        "bias": "f",
        "bias_sd": "f",
        "forecast_bias": "f",
        "tail_share": "1",
        "guidance_offset": "f",
        "guidance_slope": "1",
        "guidance_sd": "f",
        "kappa": "1",
        "missed_peak": "probability",
        "above_evidence": "probability",
        "profile": "f",
        "shape": "f",
    }
)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter, a value per block.

    Attributes
    ----------
    value, standard_error
        Shape (blocks,); a single block if it does not depend on the time of day. NaN: not known.
    n_days
        Number of earlier days that inform it.
    parent
        What it is shrunk towards: nothing (own), the packaged value of its season and block
        (season) or of its block (block), one packaged value (global); default: it is that value.
    """

    value: Array
    standard_error: Array
    n_days: int
    parent: Parent


@dataclass(frozen=True, kw_only=True)
class HazardParameters:
    """Parameters of one station as of one climate day.

    Attributes
    ----------
    as_of
        Start of the climate day.
    known_at
        When the latest of their inputs became known; at most `as_of`.
    window
        First and last of the earlier days; None: none was usable.
    parameters
        By name; the names are those of `UNITS`.
    """

    as_of: datetime
    known_at: datetime
    window: tuple[date, date] | None
    parameters: Mapping[str, Parameter]

    def __post_init__(self) -> None:
        if self.known_at > self.as_of:
            raise ValueError(
                f"parameters as of {self.as_of} use inputs that were known only at "
                f"{self.known_at}; exclude them"
            )
        if set(self.parameters) != set(UNITS):
            wrong = sorted(set(self.parameters) ^ set(UNITS))
            raise ValueError(f"parameters missing or unknown: {wrong}; known: {', '.join(UNITS)}")

    def __getitem__(self, name: str) -> Array:
        """Values of a parameter, shape (blocks,)."""
        return self.parameters[name].value

    @property
    def n_days(self) -> int:
        """Usable earlier days."""
        return self.parameters["rho"].n_days

    @property
    def rho(self) -> float:
        """Autocorrelation of one step."""
        return float(self["rho"][0])

    def sd_by_step(self) -> Array:
        """Innovation sd of each step, degrees F, shape (287,): that of the step's end slot."""
        return np.repeat(self["sd"], BLOCK_SLOTS)[1:]

    @property
    def start_sd(self) -> float:
        """Spread of the day's first residual around the climatological profile, degrees F."""
        return float(self["start_sd"][0])

    @property
    def bias_sd(self) -> float:
        """Spread of a forecast baseline around the truth from day to day, degrees F."""
        return float(self["bias_sd"][0])

    @property
    def guidance(self) -> Line | None:
        """The maximum given a forecast, for a station without reports; None: not fitted."""
        offset, slope, sd = (
            float(self[f"guidance_{name}"][0]) for name in ("offset", "slope", "sd")
        )
        if np.isnan(sd):
            return None
        days = self.parameters["guidance_sd"].n_days
        return Line(offset_f=offset, slope=slope, sd_f=sd, n_days=days)

    @property
    def climatology(self) -> Baseline | None:
        """Profile and shape of the earlier days; None: there was no earlier day."""
        profile = self["profile"]
        if np.isnan(profile).any():
            return None
        slots = np.arange(SLOTS)
        return Baseline(
            profile=np.interp(slots, KNOTS, profile),
            shape=np.interp(slots, KNOTS, self["shape"]),
            source="climatology",
        )

    def to_frame(self) -> pl.DataFrame:
        """As `probability.mc_params`: a row per parameter and block."""
        names = sorted(self.parameters)
        found = [self.parameters[name] for name in names]
        sizes = [len(one.value) for one in found]
        first, last = self.window or (None, None)

        def repeated(values: Iterable[object]) -> list[object]:
            return [value for value, n in zip(values, sizes, strict=True) for _ in range(n)]

        by_row: dict[str, Any] = {
            "parameter": repeated(names),
            "block": np.concatenate([KNOTS if n == len(KNOTS) else np.arange(n) for n in sizes]),
            "value": np.concatenate([one.value for one in found]),
            "standard_error": np.concatenate([one.standard_error for one in found]),
            "n_days": repeated(one.n_days for one in found),
            "parent": repeated(one.parent for one in found),
            "unit": repeated(UNITS[name] for name in names),
        }
        same = {
            "event_time": self.as_of,
            "known_at": self.known_at,
            "window_start": first,
            "window_end": last,
        }
        return pl.DataFrame(
            {
                name: pl.Series(by_row[name], dtype=dtype, nan_to_null=True)
                if name in by_row
                else pl.Series([same[name]], dtype=dtype).new_from_index(0, sum(sizes))
                for name, dtype in MC_PARAMS.dtypes.items()
            }
        )

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> "HazardParameters":
        """From `probability.mc_params`, the inverse of `to_frame`.

        Raises
        ------
        ValueError
            A parameter is missing; the message names it.
        """
        columns = ("parameter", "block", "value", "standard_error", "n_days", "parent")
        rows = sorted(zip(*(frame[name].to_list() for name in columns), strict=True))
        parameters = {}
        for name, of_name in groupby(rows, key=itemgetter(0)):
            _, _, value, error, n_days, parent = zip(*of_name, strict=True)
            parameters[name] = Parameter(
                # None becomes NaN.
                value=np.array(value, np.float64),
                standard_error=np.array(error, np.float64),
                n_days=n_days[0],
                parent=parent[0],
            )
        first, last = frame["window_start"][0], frame["window_end"][0]
        return cls(
            as_of=frame["event_time"][0],
            known_at=frame["known_at"][0],
            window=None if first is None else (first, last),
            parameters=parameters,
        )
