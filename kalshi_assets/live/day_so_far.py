"""A ladder's day in progress, by the same steps as the day's partitions.

Facts of the day come from the session; fits, which rest on earlier days alone, and earlier days
come from the lake. No row uses what was known later, so the rows up to now are those of the whole
day.

Here: which steps a session runs, and running those whose inputs changed. Not here: the steps
(`pipeline`), where facts come from (`facts`), what is decided (`desks`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.instants import microseconds_of
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.backtest import trading_day
from kalshi_assets.pipeline.family import LadderFamily
from kalshi_assets.pipeline.step import Input, Step, Work, parts_of
from kalshi_assets.tables import (
    CALIBRATED,
    CANDLES,
    CLASSIFIERS,
    EVENTS,
    PREDICTIONS,
    TRADES,
    Table,
)
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.params import CONFIG_NAME
from kalshi_assets.units import DAY_US, HOUR_US, SECOND_US

# Trading ends with the day; beyond it a session gives up a ladder that never ends.
_AFTER_THE_DAY_US = 6 * HOUR_US

BY_MINUTE = frozenset({CANDLES, TRADES})
"""Tables of facts that a session reads minute by minute."""


# Steps that can leave out rows make those of the next minutes, and more before they run out: within
# a quarter of an hour most have been made anew.
_AHEAD, _NEXT_MINUTES = timedelta(minutes=15), timedelta(minutes=2)

EVER, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
Known = pl.DataFrame | None
"""What is known of a table; None: nothing."""


class DaySoFar:
    """One ladder-day in progress.

    Parameters
    ----------
    key
        The ladder-day.
    family
        Its family.
    steps
        Every step of the family, in order; see `pipeline.graph`.
    lake
        Fits of the day and partitions of earlier days.
    services
        Of steps, by name.
    warn
        Called with what the steps report.

    Raises
    ------
    MissingPartitionError
        A fit of the day was not made; the message says how to make it.
    OutdatedPartitionError
        Another version of the platform made it.
    """

    def __init__(
        self,
        key: LadderDay,
        family: LadderFamily,
        steps: Sequence[Step],
        lake: Lake,
        services: Mapping[str, Any],
        warn: Callable[[str], object],
    ) -> None:
        self.key = key
        self._family, self._lake = family, lake
        self.deadline_us = microseconds_of(family.day_start(key)) + DAY_US + _AFTER_THE_DAY_US
        self.params = family.trading_params(load_toml(CONFIG_NAME), key.ladder)
        plan = session_steps(family, steps)
        # Classifiers are fitted on request; without them `move` sends no order.
        left_out = set() if lake.has(CLASSIFIERS, key) else {CLASSIFIERS}
        self.fits = {table: lake.read(table, key) for table in plan.fits if table not in left_out}
        self._frames: dict[Table, pl.DataFrame] = dict(self.fits)
        self._work = [
            Work(each, self, services, warn)
            for each in plan.derived
            if left_out.isdisjoint(_of_the_day(each))
        ]
        self._seen: dict[Step, dict[Table, Known]] = {}
        # Up to when steps that can leave out rows have made them, and the earliest of those.
        self._reach: dict[Step, datetime] = {}
        self._until = EVER
        self._day: TradingDay | None = None

    def tell(self, table: Table, frame: pl.DataFrame) -> bool:
        """Replace what is known of a table of facts; False: it is what was known already.

        Parameters
        ----------
        table
            One of `facts`.
        frame
            Its rows so far, as the table's contract has them.
        """
        before = self._frames.get(table)
        if before is not None and before.equals(frame):
            return False
        self._frames[table] = frame
        self._day = None
        return True

    def known(self, table: Table) -> pl.DataFrame | None:
        """What is known of a table of the day; None: nothing."""
        return self._frames.get(table)

    def trading_day(self, now_us: int) -> TradingDay:
        """The day as the engine reads it; rows of later minutes hold what is known now.

        Parameters
        ----------
        now_us
            The present; not used but to leave out what is of much later minutes.
        """
        now = datetime.fromtimestamp(now_us / SECOND_US, UTC)
        if self._day is None or now + _NEXT_MINUTES > self._until:
            until = now + _AHEAD
            for work in self._work:
                self._follow(work, now, until)
            self._until = min(self._reach.values(), default=until)
            full = self._family.full
            self._day = trading_day(
                self._family,
                events=self._frames[EVENTS],
                trades=self._frames[TRADES],
                panel=full.assembled({t: self._frames[t] for t in parts_of(full)}, None),
                calibrated=self._frames[CALIBRATED],
                predictions=self._frames.get(PREDICTIONS),
                params=self.params,
            )
        return self._day

    def _follow(self, work: Work, now: datetime, until: datetime) -> None:
        """Run a step if its inputs changed, or if it has no rows of the next minutes."""
        inputs = {table: self._frames.get(table) for table in _of_the_day(work.step)}
        before, reach = self._seen.get(work.step), self._reach.get(work.step, until)
        changed = before is None or any(inputs[t] is not before[t] for t in inputs)
        if not changed and now + _NEXT_MINUTES <= reach:
            return
        if not work.step.takes_window:
            made = work.make(self.key)
            self._frames |= {table: each.frame for table, each in made.items()}
        else:
            since = EVER if before is None else first_affected(before, inputs)
            since = min(since, reach + timedelta(microseconds=1))
            for table, each in work.make(self.key, (since, until)).items():
                earlier = self._frames.get(table, each.frame).filter(pl.col("minute") < since)
                self._frames[table] = table.arranged(pl.concat([earlier, each.frame]))
            self._reach[work.step] = until
        self._seen[work.step] = inputs

    def read(self, table: Table, key: LadderDay) -> pl.DataFrame:
        """A table of this day, or a stored partition of an earlier one."""
        return self._frames[table] if key == self.key else self._lake.read(table, key)

    def if_there(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        """Like `read`; None if it is missing."""
        if key == self.key:
            return self._frames.get(table)
        return self._lake.read(table, key) if self._lake.has(table, key) else None

    stored = if_there

    def present(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        """What is known of this day's table so far."""
        return self._frames.get(table)


@dataclass(frozen=True, kw_only=True)
class SessionSteps:
    """What a session fetches, reads and runs.

    Attributes
    ----------
    fetched
        Steps that read services, but those of candles and trades, which a session reads minute by
        minute.
    fits
        Tables that rest on earlier days alone, which are read from the lake.
    derived
        Steps that a session runs, in order.
    """

    fetched: tuple[Step, ...]
    fits: tuple[Table, ...]
    derived: tuple[Step, ...]


def session_steps(family: LadderFamily, steps: Sequence[Step]) -> SessionSteps:
    """The steps behind what the engine reads.

    Parameters
    ----------
    family
        The family.
    steps
        Every step of it, in order.
    """
    wanted = {EVENTS, CANDLES, TRADES, CALIBRATED, *parts_of(family.full)}
    if family.classified is not None:
        wanted.add(PREDICTIONS)
    fetched: list[Step] = []
    fits: list[Table] = []
    derived: list[Step] = []
    for each in reversed(steps):
        if wanted.isdisjoint(each.makes):
            continue
        if _reads_services(each):
            fetched.append(each)
        elif not _of_the_day(each):
            fits += each.makes
        else:
            derived.append(each)
            wanted.update(_of_the_day(each))
    fetched = [each for each in reversed(fetched) if BY_MINUTE.isdisjoint(each.makes)]
    return SessionSteps(fetched=tuple(fetched), fits=tuple(fits), derived=tuple(derived[::-1]))


def first_affected(before: Mapping[Table, Known], inputs: Mapping[Table, Known]) -> datetime:
    """The first minute whose rows can differ with the new inputs; `EVER`: any can.

    Parameters
    ----------
    before, inputs
        The inputs of a step by table. A row that is new or is no longer there affects the minutes
        from its `known_at` on; of the contract it affects all.
    """
    known: list[datetime] = []
    for table, new in inputs.items():
        old = before[table]
        if old is new:
            continue
        if table is EVENTS or old is None or new is None or "known_at" not in new.columns:
            return EVER
        for some, others in ((old, new), (new, old)):
            changed = some.join(others, on=some.columns, how="anti", nulls_equal=True)["known_at"]
            if changed.null_count():
                return EVER
            known += changed.to_list()
    return min(known, default=NEVER)


def _of_the_day(of: Step) -> list[Table]:
    inputs = (a for a in of.arguments.values() if isinstance(a, Input))
    return [part for each in inputs for part in parts_of(each.table)]


def _reads_services(of: Step) -> bool:
    return bool({"kalshi", "weather"}.intersection(of.services))
