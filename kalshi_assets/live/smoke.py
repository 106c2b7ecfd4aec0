"""The first touch of an exchange before a session: read only, a finding per question.

Each failure is a bit of the exit code, so that a script can tell which (operations, section 16).
Here: the questions. Not here: clients (`commands.smoke`), the platform's own state (`doctor`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.errors import ExchangeError
from kalshi_assets.exchange.wire_account import account_limits_of, exchange_status_of
from kalshi_assets.stream.events import BookReplaced, Closed
from kalshi_assets.stream.feed import Feed
from kalshi_assets.units import SECOND_US

STATUS, AUTH, ACCOUNT, EVENTS, RESTING, CLOCK, STREAM, FEES = (2**n for n in range(8))
MAX_SKEW_S = 1.5
SNAPSHOT_WITHIN_S = 5.0
# The header is in whole seconds.
_ROUNDING_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer to a question.

    Attributes
    ----------
    bit
        Of the exit code.
    subject, ok, text
        What was asked, whether the answer is as it must be, and the answer.
    """

    bit: int
    subject: str
    ok: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Target:
    """An event that is to be traded, and the fees that it had when it was last read.

    Attributes
    ----------
    event, series
        Tickers.
    fees
        Type and multiplier; None: never read.
    """

    event: str
    series: str
    fees: tuple[str, float] | None


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The clients to ask with.

    Attributes
    ----------
    market, account
        Signed.
    feed
        Opens a connection when entered.
    now_us
        This machine's time.
    """

    market: KalshiClient
    account: AccountReader
    feed: Callable[[], Feed]
    now_us: Callable[[], int]


def smoke(of: Reached, targets: Sequence[Target]) -> list[Finding]:
    """Ask everything; a question that fails does not keep the others from being asked.

    Parameters
    ----------
    of
        The clients.
    targets
        Events of the next sessions.
    """
    questions: Mapping[int, tuple[str, Callable[[], tuple[bool, str]]]] = {
        STATUS: ("exchange", lambda: _status(of.market)),
        # Signing with the query is the mistake that only such a path shows.
        AUTH: ("signed query", lambda: (True, f"{len(of.account.orders(status='resting'))} read")),
        ACCOUNT: ("account", lambda: _account(of.account)),
        EVENTS: ("events", lambda: _events(of.market, targets)),
        RESTING: ("outstanding orders", lambda: _resting(of.account)),
        CLOCK: ("clock", lambda: _clock(of)),
        STREAM: ("stream", lambda: _stream(of, targets)),
        FEES: ("fees", lambda: _fees(of.market, targets)),
    }
    found = []
    for bit, (subject, ask) in questions.items():
        try:
            ok, text = ask()
        except (ExchangeError, httpx.HTTPError, OSError, ValueError, TimeoutError) as error:
            ok, text = False, f"{type(error).__name__}: {error}"
        found.append(Finding(bit=bit, subject=subject, ok=ok, text=text))
    return found


def exit_code(found: Sequence[Finding]) -> int:
    """0, or the sum of the bits of what failed."""
    return sum(each.bit for each in found if not each.ok)


def _status(market: KalshiClient) -> tuple[bool, str]:
    status = market.get("/exchange/status").decode(lambda a: exchange_status_of(a.payload))
    if status.exchange_active and status.trading_active:
        return True, "trading is active"
    resumes = f"; resumes about {status.resumes_at}" if status.resumes_at else ""
    return False, f"trading is not active{resumes}"


def _account(account: AccountReader) -> tuple[bool, str]:
    limits = account.get("/account/limits").decode(lambda a: account_limits_of(a.payload))
    cash = account.balance().dollars
    return (
        cash > 0,
        f"${cash}, tier {limits.usage_tier}, {limits.write.refill_rate:g} write tokens/s",
    )


def _events(market: KalshiClient, targets: Sequence[Target]) -> tuple[bool, str]:
    listed = market.listed_events([each.event for each in targets])
    missing = [each.event for each in targets if each.event not in listed]
    if missing:
        return False, f"not listed: {', '.join(missing)}"
    return bool(targets), f"{len(targets)} listed: {', '.join(sorted(listed))}"


def _resting(account: AccountReader) -> tuple[bool, str]:
    orders = account.orders(status="resting")
    where = ", ".join(sorted({order.ticker for order in orders}))
    return not orders, f"{len(orders)}" + (f" in {where}: cancel them first" if orders else "")


def _clock(of: Reached) -> tuple[bool, str]:
    answer = httpx.get(f"{of.market.base_url}/exchange/status", timeout=5.0)
    if "date" not in answer.headers:
        return False, "the exchange does not state the time"
    stated = parsedate_to_datetime(answer.headers["date"]).timestamp()
    skew = of.now_us() / SECOND_US - stated
    fine = -MAX_SKEW_S <= skew <= MAX_SKEW_S + _ROUNDING_S
    return fine, f"{skew:+.1f} s from the exchange's" + ("" if fine else ": set it by NTP")


def _stream(of: Reached, targets: Sequence[Target]) -> tuple[bool, str]:
    markets = [m.ticker for each in targets[:1] for m in of.market.event_markets(each.event)]
    if not markets:
        return False, "no market to follow"
    deadline = of.now_us() + SNAPSHOT_WITHIN_S * SECOND_US
    with of.feed() as feed:
        feed.follow(markets[:1])
        while (left := (deadline - of.now_us()) / SECOND_US) > 0:
            for event in feed.next_events(left):
                if isinstance(event, Closed):
                    return False, f"closed: {event.cause}"
                if isinstance(event, BookReplaced):
                    return True, f"snapshot of {event.book.ticker}"
    return False, f"no snapshot of {markets[0]} within {SNAPSHOT_WITHIN_S:g} s"


def _fees(market: KalshiClient, targets: Sequence[Target]) -> tuple[bool, str]:
    changed, told = [], []
    for series, known in {each.series: each.fees for each in targets}.items():
        payload = market.series(series).payload
        now = str(payload["fee_type"]), float(payload["fee_multiplier"])
        told.append(f"{series} {now[0]} x {now[1]:g}")
        if known is not None and known != now:
            changed.append(f"{series}: {known[0]} x {known[1]:g} became {now[0]} x {now[1]:g}")
    return not changed, "; ".join(changed or told)
