"""What Dagster loads."""

from pathlib import Path
from typing import Any

import dagster as dg

from kalshi_assets.collector import relax
from kalshi_assets.defs.in_process import EXECUTOR
from kalshi_assets.defs.lake_io import LakeIOManager
from kalshi_assets.defs.resources import KalshiResource, WeatherResource


def build(**resources: Any) -> dg.Definitions:
    """Every definition below `defs/`, with `resources` in place of the resources of those names.

    Tests, benchmarks and the command line build variants with it instead of patching.
    """
    relax()
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    standard = {"lake": LakeIOManager(), "kalshi": KalshiResource(), "weather": WeatherResource()}
    edge = dg.Definitions(resources=standard | resources, executor=EXECUTOR)
    return dg.Definitions.merge(loaded, edge)


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions of the code location."""
    return build()
