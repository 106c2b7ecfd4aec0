"""The present of schedules, sensors, services and sessions: one for all processes of a deployment.

It is this machine's time, or that of the sandbox that the settings name. Not here: clocks
themselves (`live.clock`).
"""

from datetime import datetime

from kalshi_assets.live.clock import SandboxTime, WallClock
from kalshi_assets.live.opening import present
from kalshi_assets.settings import Settings


def the_clock() -> WallClock:
    """The time of this machine, or of the sandbox named by `KALSHI_ASSETS_SANDBOX_CLOCK`.

    Raises
    ------
    httpx.HTTPError
        The sandbox does not answer.
    ValueError
        Its time stands still.
    """
    url = Settings().sandbox_clock_url
    return WallClock() if url is None else SandboxTime(url)


def time_of_tick(scheduled: datetime) -> datetime:
    """The time for which a schedule's tick asks: the scheduled one, or the sandbox's present."""
    return scheduled if Settings().sandbox_clock_url is None else present(the_clock())()
