"""Opening and running a session: its ladders from the lake and the services, its journal.

Here: putting the parts together. Not here: the parts, or who starts a session (`commands`, `defs`).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.live.clock import Clock
from kalshi_assets.live.day_so_far import DaySoFar, session_steps
from kalshi_assets.live.exchange_ladder import ExchangeLadder
from kalshi_assets.live.exchange_session import ExchangeSession
from kalshi_assets.live.facts import LadderFacts
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.kill_switch import read_switch
from kalshi_assets.live.ladder_session import LadderSession
from kalshi_assets.live.session import Progress, ShadowSession
from kalshi_assets.live.session_page import LOOPBACK, last_page, served
from kalshi_assets.live.status import Board
from kalshi_assets.live.venue import Venue
from kalshi_assets.pipeline.graph import FAMILIES
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.trading.strategies import SHIPPED, MinuteStrategy, Strategy
from kalshi_assets.units import MINUTE_US, SECOND_US

SHADOW_ACCOUNT = "shadow"
WEATHER_EVERY_US = 5 * MINUTE_US
_LONGEST = 60


@dataclass(frozen=True, kw_only=True)
class PagePlace:
    """Where a session's page is served.

    Attributes
    ----------
    tell
        Told of the address.
    host, port, token
        See `session_page.served`.
    """

    tell: Callable[[str], object]
    host: str = LOOPBACK[0]
    port: int = 0
    token: str | None = None


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What a shadow session needs of the world.

    Attributes
    ----------
    lake
        Holds the days' fits and earlier days.
    kalshi
        The exchange, with the session's clock.
    services
        The other services of steps, by name, with the session's clock.
    clock
        The session's time.
    strategies
        Run side by side.
    weather_every_us
        How often a model's sources are asked.
    page
        Where the session's page is served; None: nowhere.
    """

    lake: Lake
    kalshi: KalshiService
    services: Mapping[str, Any]
    clock: Clock
    strategies: Sequence[Strategy | MinuteStrategy] = SHIPPED
    weather_every_us: int = WEATHER_EVERY_US
    page: PagePlace | None = None

    def run_shadow(
        self,
        keys: Sequence[LadderDay],
        progress: Progress = lambda key, ladder, said: None,
    ) -> str:
        """Run a session of some ladder-days in shadow, until their trading ends.

        A session of the same day and ladders that was killed goes on in its journal.

        Parameters
        ----------
        keys
            Ladder-days of one date.
        progress
            Told of every ladder's minute.

        Returns
        -------
        str
            Why it ended.

        Raises
        ------
        MissingPartitionError, OutdatedPartitionError
            A fit of a day is missing or was made by another version; the message says how to make
            it.
        JournalError
            The journal cannot be used.
        """
        session_id = session_name(keys)
        with ExitStack() as stack:
            client = stack.enter_context(self.kalshi.watcher())
            journal = stack.enter_context(
                Journal.of(self.lake.files, session_id, clock_us=self.clock.now_us)
            )
            board = self._board(session_id, "shadow")
            ladders = {
                key: LadderSession(*self._day(key, client, journal, board), self.strategies)
                for key in keys
            }
            journal.begin(
                session_id, account=SHADOW_ACCOUNT, mode="shadow", versions=versions_of(ladders)
            )
            self._serve(stack, board)
            try:
                return ShadowSession(ladders, journal, self.clock, board, progress).run()
            finally:
                self._keep_page(board)

    def run_exchange(self, keys: Sequence[LadderDay], venue: Venue, mode: str) -> str:
        """Run a session that trades at an exchange, until trading ends.

        Parameters
        ----------
        keys
            Ladder-days of one date.
        venue
            The account.
        mode
            demo or live.

        Returns
        -------
        str
            Why it ended.

        Raises
        ------
        CannotStartError, LeaseError, MissingPartitionError, OutdatedPartitionError, JournalError
            It must not trade; nothing was sent.
        """
        if len(self.strategies) != 1:
            raise ValueError("one strategy trades an account; choose it with --strategy")
        session_id = session_name(keys, venue.account)
        with ExitStack() as stack:
            client = stack.enter_context(self.kalshi.watcher())
            journal = stack.enter_context(
                Journal.of(
                    self.lake.files,
                    session_id,
                    clock_us=self.clock.now_us,
                    on_write=venue.on_write,
                    key_id=venue.signer.key_id,
                )
            )
            board = self._board(session_id, mode)
            ladders = {}
            for key in keys:
                day, facts = self._day(key, client, journal, board)
                (strategy,) = self.strategies
                ladders[key] = ExchangeLadder(day, facts, strategy, journal, venue.account)
            journal.begin(
                session_id, account=venue.account, mode=mode, versions=versions_of(ladders)
            )
            for ladder in ladders.values():
                ladder.facts.refresh(self.clock.now_us())
            self._serve(stack, board)
            trading = stack.enter_context(
                venue.trading(self.lake.files, session_id, journal, ladders, self.clock.now_us)
            )
            try:
                return ExchangeSession(ladders, trading, self.clock, board).run()
            finally:
                self._keep_page(board)

    def _day(
        self, key: LadderDay, client: KalshiClient, journal: Journal, board: Board
    ) -> tuple[DaySoFar, LadderFacts]:
        family, steps = FAMILIES[key.family]
        services = {"kalshi": self.kalshi, **self.services}
        day = DaySoFar(key, family, steps, self.lake, services, lambda text: None)

        def failed(name: str, error: Exception) -> None:
            said = f"{type(error).__name__}: {error}"
            journal.event("not_read", {"ladder": str(key), "table": name, "error": said})
            board.failure(key, f"{name} not read: {said}", self.clock.now_us())

        facts = LadderFacts(
            day,
            session_steps(family, steps).fetched,
            services,
            client,
            weather_every_us=self.weather_every_us,
            failed=failed,
            errors=family.errors,
        )
        return day, facts

    def _board(self, session_id: str, mode: str) -> Board:
        def switch() -> str:
            return "on" if read_switch(self.lake.files).on else "off"

        return Board(session_id, mode, self.clock.now_us(), kill_switch=switch)

    def _keep_page(self, board: Board) -> None:
        page = last_page(board).encode()
        self.lake.files.write(page_name(board.session), page, flush=False)

    def _serve(self, stack: ExitStack, board: Board) -> None:
        """Serve the session's page until the stack is closed, if it has a place."""
        if self.page is not None:
            address = stack.enter_context(
                served(
                    board,
                    clock_us=self.clock.now_us,
                    host=self.page.host,
                    port=self.page.port,
                    token=self.page.token,
                )
            )
            self.page.tell(address)


def session_name(keys: Sequence[LadderDay], account: str = SHADOW_ACCOUNT) -> str:
    """The name of a session: the same for the same account and ladder-days.

    Parameters
    ----------
    keys, account
        Ladder-days of one date, and whose orders they are.
    """
    date = keys[0].date
    ladders = "-".join(sorted(key.ladder for key in keys))
    if len(ladders) > _LONGEST:  # names of files have an end
        ladders = f"{len(keys)}-ladders-{_hash(ladders)}"
    return f"{account}-{date}-{ladders}"


def page_name(session_id: str) -> str:
    """Name of the page that an ended session leaves, below the data folder."""
    return f"reports/sessions/{session_id}.html"


def versions_of(
    ladders: Mapping[LadderDay, LadderSession] | Mapping[LadderDay, ExchangeLadder],
) -> dict[str, dict[str, str]]:
    """What each ladder loaded from the lake: a hash of every fit, and of the trading parameters."""
    return {
        str(key): {
            **{
                table.full_name: _hash(frame.write_json()) for table, frame in each.day.fits.items()
            },
            "trading.toml": _hash(each.day.params.model_dump_json()),
        }
        for key, each in ladders.items()
    }


def present(clock: Clock) -> Callable[[], datetime]:
    """The session's time for services."""
    return lambda: datetime.fromtimestamp(clock.now_us() / SECOND_US, UTC)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
