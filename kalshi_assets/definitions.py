"""The code location that Dagster loads, and variants of it. Not here: any definition (`defs`)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from kalshi_assets.defs.in_process import EXECUTOR
from kalshi_assets.defs.lake_io import LakeIOManager
from kalshi_assets.defs.resources import (
    KalshiResource,
    WeatherResource,
    catalogue,
    configurations,
    journals,
    models,
    pages,
    recordings,
)
from kalshi_assets.pipeline.garbage_collection import relax

STANDARD: Mapping[str, Any] = {
    "lake": LakeIOManager(),
    "kalshi": KalshiResource(),
    "weather": WeatherResource(),
    "catalogue": catalogue,
    "configurations": configurations,
    "journals": journals,
    "models": models,
    "pages": pages,
    "recordings": recordings,
}


def build(
    *,
    checks: Iterable[dg.AssetChecksDefinition] | None = None,
    jobs: Iterable[dg.JobDefinition] | None = None,
    schedules: Iterable[dg.ScheduleDefinition] | None = None,
    sensors: Iterable[dg.SensorDefinition] | None = None,
    **resources: Any,
) -> dg.Definitions:
    """All definitions in `defs/`, or a variant of them.

    Tests, benchmarks and the command line build variants with it instead of patching.

    Parameters
    ----------
    checks, jobs, schedules, sensors
        Replace all definitions of their kind; None: those of `defs/`. Jobs of a schedule or sensor
        are included.
    resources
        Replace the resources of the same names.
    """
    relax()
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions(
        assets=loaded.assets,
        asset_checks=loaded.asset_checks if checks is None else list(checks),
        jobs=loaded.jobs if jobs is None else list(jobs),
        schedules=loaded.schedules if schedules is None else list(schedules),
        sensors=loaded.sensors if sensors is None else list(sensors),
        resources={**STANDARD, **resources},
        executor=EXECUTOR,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions of the code location."""
    return build()
