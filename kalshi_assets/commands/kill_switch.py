"""`kalshi-assets kill-switch`: everything is cancelled at the exchange, and nothing new is sent.

Here: clients from the settings, and what is printed. Not here: the switch itself (live).
"""

import secrets
import time
from collections.abc import Callable

from rich.console import Console

from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.orders import OrderWriter
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.live.kill_switch import (
    ClearBounds,
    Cleared,
    Switch,
    clear_account,
    read_switch,
    release,
    trip,
)
from kalshi_assets.live.telemetry import Event, Telemetry
from kalshi_assets.pipeline.services import signer_of
from kalshi_assets.settings import Settings
from kalshi_assets.units import SECOND_US

REQUEST_TIMEOUT_S = 5.0
SESSION = "operator"


def now_us() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def switch_on(console: Console, *, by: str, reason: str, patience_s: float) -> bool:
    """Switch on and clear the account; whether nothing rests at the exchange any more."""
    settings = Settings()
    clear = _clearing(settings, patience_s)
    switch = trip(settings.files, by=by, reason=reason, clock_us=now_us, clear=clear)
    _tell(settings, switch)
    _show(console, switch)
    if switch.cleared is None:
        console.print("no key is set: there is no account to clear", style="yellow")
        return settings.trade_mode == "shadow"
    return switch.cleared.verified


def switch_off(console: Console, *, by: str) -> None:
    """Switch off, by name."""
    settings = Settings()
    before = release(settings.files, by=by, clock_us=now_us)
    _tell(settings, read_switch(settings.files))
    if not before.on:
        console.print("the kill switch was off already")
    elif before.cleared is not None and not before.cleared.verified:
        console.print(
            "switched off, although it was never verified that nothing rests", style="yellow"
        )
    else:
        console.print(f"switched off by {by}; it was on by {before.by}: {before.reason}")
    console.print("cancel-all also cancels what is placed within a minute after it")


def show_status(console: Console) -> bool:
    """Print the state; whether trading is allowed."""
    switch = read_switch(Settings().files)
    _show(console, switch)
    return not switch.on


def _clearing(settings: Settings, patience_s: float) -> Callable[[], Cleared] | None:
    signer = signer_of(settings)
    if signer is None:
        return None

    def clear() -> Cleared:
        with (
            OrderWriter(
                settings.kalshi_api_url, signer=signer, timeout_s=REQUEST_TIMEOUT_S
            ) as writer,
            AccountReader(
                settings.kalshi_api_url,
                signer=signer,
                timeout_s=REQUEST_TIMEOUT_S,
                retry=RetryPolicy(attempts=1),
            ) as reader,
        ):
            return clear_account(
                writer,
                reader,
                clock_us=now_us,
                sleep=time.sleep,
                bounds=ClearBounds(patience_us=round(patience_s * SECOND_US)),
            )

    return clear


def _show(console: Console, switch: Switch) -> None:
    state = "[bold red]on[/bold red]" if switch.on else "[green]off[/green]"
    who = f" by {switch.by}: {switch.reason}" if switch.by or switch.reason else ""
    console.print(f"kill switch {state}{who}", soft_wrap=True)
    cleared = switch.cleared
    if cleared is None:
        return
    resting = "an unknown number of" if cleared.resting_after is None else cleared.resting_after
    if cleared.verified:
        console.print(f"verified: no order rests, after {cleared.took_us / SECOND_US:.1f} s")
    else:
        console.print(
            f"NOT VERIFIED: {resting} orders rest after {cleared.took_us / SECOND_US:.1f} s; "
            "switch on again",
            style="red",
        )
    for error in cleared.errors:
        console.print(f"  {error}", markup=False, soft_wrap=True, style="dim")


def _tell(settings: Settings, switch: Switch) -> None:
    telemetry = Telemetry(
        settings.files,
        session_id=SESSION,
        mode=settings.trade_mode,
        random=secrets.token_bytes,
        key_id=settings.kalshi_api_key_id,
    )
    cleared = switch.cleared
    data = {
        "on": switch.on,
        "by": switch.by,
        "reason": switch.reason,
        "cancelled": None if cleared is None else cleared.seen_resting,
        "resting_after": None if cleared is None else cleared.resting_after,
    }
    telemetry.emit(Event(type="kill_switch", data=data, source="operator", at_us=now_us()))
