"""A generated city-day whose orders are many, in a lake with the days behind it.

Here: writing the world and filling the lake. Not here: what is measured on it (`minutes`).
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

from kalshi_assets.commands.services import environment, unlimited_sandbox
from kalshi_assets.families.temperature.cities import TEMPERATURE, city_day, city_days
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.graph import TO_THE_PAGE, city_runner
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.sandbox.world import generate
from kalshi_assets.tables import DAY_PAGE, OBSERVATIONS

DAY = city_day("new_york", date(2026, 6, 30))
DAYS_BEHIND = 12
# Without months of proof the pool is the market: orders come from low thresholds.
EAGER = {
    "max_spread_cents": 30.0,
    "min_volume_15m": 0.0,
    "max_hazard_5m": 1.0,
    "quiet_minutes": 0,
    "maker_min_edge_cents": 0.05,
    "taker_min_edge_cents": 0.3,
    "adverse_selection_cents": 0.0,
}


def write_world(folder: Path, days: Sequence[LadderDay] = (DAY,)) -> None:
    """A generated archive that ends with some days, and the trading parameters beside it.

    Parameters
    ----------
    folder, days
        Where, and consecutive days of one city.

    Raises
    ------
    RuntimeError
        The parameters that are changed are not once in the file.
    """
    start = days[0].date - timedelta(days=DAYS_BEHIND)
    generate(folder, cities=[DAY.ladder], start=start, end=days[-1].date, seed=7, workers=1)
    text = resources.files("kalshi_assets.config").joinpath("trading.toml").read_text("utf-8")
    for name, value in EAGER.items():
        text, found = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        if found != 1:
            raise RuntimeError(f"{name} is {found} times in trading.toml, not once")
    (folder / "trading.toml").write_text(text, "utf-8")


def fill_lake(archive: Path, data: Path, days: Sequence[LadderDay] = (DAY,)) -> Lake:
    """Every table of some days but their pages, from a sandbox that serves the archive.

    Parameters
    ----------
    archive, days
        As `write_world` wrote it, and which days.
    data
        Folder of the lake.
    """
    with (
        ExitStack() as stack,
        unlimited_sandbox(archive),
        environment({"KALSHI_ASSETS_DATA": str(data), "KALSHI_ASSETS_CONFIG": str(archive)}),
    ):
        kalshi = stack.enter_context(closing(KalshiService(unthrottled=True)))
        weather = stack.enter_context(closing(WeatherService()))
        runner = city_runner(Files(data), kalshi, weather, lambda: 0.0)
        first = days[0].date
        behind = city_days(
            [DAY.ladder], first - timedelta(days=DAYS_BEHIND), first - timedelta(days=1)
        )
        runner.make_days(behind, {OBSERVATIONS})
        runner.make_days(days, TO_THE_PAGE - {DAY_PAGE})
    return Lake(Files(data), TEMPERATURE)
