"""`kalshi-assets live smoke`: the first command that touches the real exchange; read only."""

import json
from contextlib import ExitStack
from datetime import UTC, datetime

from rich.console import Console

from kalshi_assets.commands.kill_switch import now_us
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.families.temperature.cities import CITIES, city, city_day, event_ticker
from kalshi_assets.lake.store import Lake
from kalshi_assets.live.smoke import Reached, Target, exit_code, smoke
from kalshi_assets.pipeline.services import read_bucket, signer_of
from kalshi_assets.settings import Settings
from kalshi_assets.stream.feed import Feed
from kalshi_assets.tables import EVENTS

TIMEOUT_S = 5.0


def run_smoke(console: Console, *, as_json: bool) -> int:
    """Ask the exchange, print the findings, and return the exit code.

    Parameters
    ----------
    console
        For the findings.
    as_json
        Print JSON instead of lines.

    Raises
    ------
    ValueError
        No key is set.
    """
    settings = Settings()
    signer = signer_of(settings)
    if signer is None:
        raise ValueError("set KALSHI_API_KEY_ID and KALSHI_PRIVATE_KEY_PEM_PATH")
    targets = _targets(the_lake(), settings, datetime.now(UTC))
    url, once = settings.kalshi_api_url, RetryPolicy(attempts=1)
    bucket = read_bucket(url, signer)
    with ExitStack() as stack:
        market = stack.enter_context(
            KalshiClient(url, signer=signer, bucket=bucket, timeout_s=TIMEOUT_S, retry=once)
        )
        account = stack.enter_context(
            AccountReader(url, signer=signer, bucket=bucket, timeout_s=TIMEOUT_S, retry=once)
        )
        reached = Reached(
            market=market,
            account=account,
            feed=lambda: Feed(settings.kalshi_ws_url, signer),
            now_us=now_us,
        )
        found = smoke(reached, targets)
    code = exit_code(found)
    if as_json:
        print(json.dumps({"code": code, "findings": [vars(each) for each in found]}))
        return code
    for each in found:
        mark = "[green]ok[/green]  " if each.ok else f"[red]{each.bit:3d}[/red] "
        console.print(f"{mark} {each.subject:18s} {each.text}", highlight=False)
    console.print(f"OK {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" if not code else f"exit code {code}")
    return code


def _targets(lake: Lake, settings: Settings, now: datetime) -> list[Target]:
    """The present climate day's event of every active city."""
    found, days = [], lake.keys(EVENTS)
    for name in settings.cities:
        if name not in CITIES:
            continue
        key = city_day(name, city(name).climate_date(now))
        known = max((day for day in days if day.ladder == name), key=lambda d: d.date, default=None)
        fees = None
        if known is not None:
            row = lake.read(EVENTS, known).sort("known_at").row(-1, named=True)
            fees = (str(row["fee_type"]), float(row["fee_multiplier"]))
        found.append(Target(event=event_ticker(key), series=city(name).series, fees=fees))
    return found
