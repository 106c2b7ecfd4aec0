"""The kill switch: no order rests, none is sent, no session starts, until it is switched off.

It works without the session: it triggers the order groups, cancels everything, and reads the
exchange until nothing rests. All of these may be repeated without harm. It neither reads nor waits
for a journal.

Here: the switch's file, the guard before orders, clearing the account. Not here: who trips it.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.errors import ExchangeError
from kalshi_assets.exchange.orders import OrderWriter
from kalshi_assets.exchange.wire_orders import Done, Gone, Refused
from kalshi_assets.lake.files import Files
from kalshi_assets.units import SECOND_US

NAME = "live/kill-switch.json"
CLEAN_READS = 2
"""Complete reads in a row that must show nothing resting; failed ones between them do not count."""
TRIES_A_ROUND = 2
EXCHANGE_INDEX = 0


@dataclass(frozen=True, kw_only=True)
class Cleared:
    """What clearing the account came to.

    Attributes
    ----------
    verified
        Whether the groups were triggered, everything was cancelled, and nothing rests.
    seen_resting
        Orders that a read showed resting after the first cancel.
    resting_after
        Orders that rest, by the last complete read; None: none was complete.
    took_us, rounds
        How long, and how often everything was tried.
    errors
        The last failures, oldest first.
    """

    verified: bool
    seen_resting: int
    resting_after: int | None
    took_us: int
    rounds: int
    errors: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Switch:
    """The state of the switch.

    Attributes
    ----------
    on
        Whether trading is forbidden.
    by, reason, at_us
        Who switched last, why, and when, microseconds since the epoch.
    cleared
        What clearing the account came to; None: not done, or not finished.
    """

    on: bool
    by: str = ""
    reason: str = ""
    at_us: int = 0
    cleared: Cleared | None = None


@dataclass(frozen=True, kw_only=True)
class ClearBounds:
    """How long the account is cleared, and the wait between rounds."""

    patience_us: int = 60 * SECOND_US
    wait_s: float = 0.25


def read_switch(files: Files) -> Switch:
    """The state of the switch; off without a file, on if the file cannot be understood."""
    try:
        content = files.read(NAME)
    except FileNotFoundError:
        return Switch(on=False)
    except OSError as error:
        return Switch(on=True, reason=f"{files.address(NAME)} cannot be read: {error}")
    try:
        data = json.loads(content)
        cleared = data.pop("cleared")
        if cleared is not None:
            cleared = Cleared(**cleared | {"errors": tuple(cleared["errors"])})
        switch = Switch(**data, cleared=cleared)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Switch(on=True, reason=f"{files.address(NAME)} is damaged: {error}")
    return switch if isinstance(switch.on, bool) else Switch(on=True, reason="damaged")


def write_switch(files: Files, switch: Switch) -> None:
    """Record the state of the switch; on return it is on disk.

    Parameters
    ----------
    files, switch
        The data folder and the state.
    """
    files.write(NAME, json.dumps(asdict(switch), indent=2).encode() + b"\n")


def guard(files: Files) -> Callable[[str], str | None]:
    """A guard of the gateway, which also keeps sessions from starting: the switch is on.

    It reads the file before every order.
    """

    def why(market: str) -> str | None:
        switch = read_switch(files)
        if not switch.on:
            return None
        return (
            f"the kill switch is on (by {switch.by or 'nobody'}: {switch.reason}); switch it off "
            "with: kalshi-assets kill-switch off --by NAME"
        )

    return why


def trip(
    files: Files,
    *,
    by: str,
    reason: str,
    clock_us: Callable[[], int],
    clear: Callable[[], Cleared] | None,
) -> Switch:
    """Switch on, then clear the account; a disk that is full keeps nothing from being cancelled.

    Parameters
    ----------
    files
        The data folder.
    by, reason
        Who, and why.
    clock_us
        Microseconds since the epoch.
    clear
        Clears the account; None: there is no account to clear.

    Raises
    ------
    OSError
        The account was cleared, and the switch could not be recorded.
    """
    switch = Switch(on=True, by=by, reason=reason, at_us=clock_us())
    failed: OSError | None = None
    try:
        write_switch(files, switch)
    except OSError as error:
        failed = error
    if clear is not None:
        switch = Switch(**{**vars(switch), "cleared": clear()})
        write_switch(files, switch)
    elif failed is not None:
        raise failed
    return switch


def release(files: Files, *, by: str, clock_us: Callable[[], int]) -> Switch:
    """Switch off; the state before.

    Parameters
    ----------
    files, by
        The data folder, and who.
    clock_us
        Microseconds since the epoch.

    Raises
    ------
    ValueError
        No name.
    """
    if not by.strip():
        raise ValueError("the kill switch is switched off by name: --by NAME")
    before = read_switch(files)
    off = Switch(on=False, by=by.strip(), reason="switched off", at_us=clock_us())
    write_switch(files, off)
    return before


@dataclass
class _Round:
    """What has been achieved so far; `groups`: those that are not triggered yet, once read."""

    groups: set[str] | None = None
    cancelled: bool = False
    clean_reads: int = 0
    resting: int | None = None
    seen: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return self.groups == set() and self.cancelled and self.clean_reads >= CLEAN_READS


def clear_account(
    writer: OrderWriter,
    reader: AccountReader,
    *,
    clock_us: Callable[[], int],
    sleep: Callable[[float], None],
    bounds: ClearBounds | None = None,
) -> Cleared:
    """Trigger all order groups, cancel all orders, and read until nothing rests.

    Whatever fails is tried again, until it has worked or the patience has ended.

    Parameters
    ----------
    writer, reader
        The account; the reader without retries of its own.
    clock_us, sleep
        Microseconds since the epoch, and waiting for seconds.
    bounds
        See `ClearBounds`.
    """
    bounds = bounds or ClearBounds()
    started, rounds, so_far = clock_us(), 0, _Round()
    while True:
        rounds += 1
        for step in (_cancel, _trigger, _read):
            for _ in range(TRIES_A_ROUND):
                if _succeeded(step, writer, reader, so_far):
                    break
        if so_far.done or clock_us() - started >= bounds.patience_us:
            break
        sleep(bounds.wait_s)
    return Cleared(
        verified=so_far.done,
        seen_resting=len(so_far.seen),
        resting_after=so_far.resting,
        took_us=clock_us() - started,
        rounds=rounds,
        errors=tuple(so_far.errors[-5:]),
    )


_Step = Callable[[OrderWriter, AccountReader, _Round], bool]


def _succeeded(step: _Step, writer: OrderWriter, reader: AccountReader, so_far: _Round) -> bool:
    try:
        return step(writer, reader, so_far)
    except (ExchangeError, OSError, ValueError) as error:
        so_far.errors.append(f"{type(error).__name__}: {error}")
        return False


def _cancel(writer: OrderWriter, reader: AccountReader, so_far: _Round) -> bool:
    if not so_far.cancelled:
        result = writer.cancel_all()
        so_far.cancelled = isinstance(result, Done)
        _note(so_far, "cancel all", result)
    return so_far.cancelled


def _trigger(writer: OrderWriter, reader: AccountReader, so_far: _Round) -> bool:
    if so_far.groups is None:
        so_far.groups = set(reader.order_groups())
    for group in sorted(so_far.groups):
        result = writer.trigger_group(group)
        # A group that is gone holds no orders.
        if isinstance(result, Done) or (isinstance(result, Refused) and result.status == 404):
            so_far.groups.remove(group)
        else:
            _note(so_far, f"group {group}", result)
    return not so_far.groups


def _read(writer: OrderWriter, reader: AccountReader, so_far: _Round) -> bool:
    resting = [order for order in reader.orders(status="resting") if order.status == "resting"]
    so_far.resting = len(resting)
    so_far.seen |= {order.order_id for order in resting}
    so_far.clean_reads = 0 if resting else so_far.clean_reads + 1
    for order in resting:
        # The list may lag behind cancel-all: then this is a 404.
        result = writer.cancel(order.order_id, ticker=order.ticker, exchange_index=EXCHANGE_INDEX)
        if not isinstance(result, Gone):
            _note(so_far, f"order {order.order_id}", result)
    return True


def _note(so_far: _Round, what: str, result: Any) -> None:
    why = getattr(result, "why", None) or getattr(result, "message", None)
    if why is not None:
        so_far.errors.append(f"{what}: {why}")
