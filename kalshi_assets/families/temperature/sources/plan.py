"""The plan of an account: whether it is used up for today.

Here: recognising that a plan is used up, and sharing this with all processes of the machine. Not
here: requests (`client`, `visual_crossing`).
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kalshi_assets.lake.files import Files

# Observed: "Maximum daily cost exceeded"; "You have exceeded the maximum number of daily result
# records for your account."; the same with "monthly" for a monthly plan.
_PERIOD = r"\b(?:daily|monthly|per day|per month)\b"
_ALLOWANCE = r"\b(?:cost|records?|quota|allowance)\b"
PLAN_SPENT = (
    re.compile(r"(?<!query )cost exceeded"),
    re.compile(rf"{_PERIOD}.*{_ALLOWANCE}"),
    re.compile(rf"{_ALLOWANCE}.*{_PERIOD}"),
)
CONCURRENT = re.compile(r"concurren|simultaneous|at the same time|at once")


def says_plan_spent(text: str) -> bool:
    """Whether a refusal says that the plan's records are used up."""
    return not says_concurrency(text) and any(p.search(text.lower()) for p in PLAN_SPENT)


def says_concurrency(text: str) -> bool:
    """Whether a refusal says that there were too many concurrent requests."""
    return CONCURRENT.search(text.lower()) is not None


@dataclass(kw_only=True)
class Budget:
    """The account's plan, shared by the clients of the account.

    Attributes
    ----------
    files, account
        Where it is stored that the plan is used up, for other processes and restarts; None: in this
        process only.
    """

    files: Files | None = None
    account: str = ""
    _spent_until: datetime | None = None

    @classmethod
    def kept(cls, files: Files, url: str, key: str) -> "Budget":
        """The plan of an account, shared by all processes that use the files."""
        account = hashlib.sha256(f"{url}\n{key}".encode()).hexdigest()[:12]
        return cls(files=files, account=f"plans/visual_crossing-{account}")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Allow one request of the account at a time, over all processes.

        Most plans allow only one concurrent request. When the plan is used up, a second process
        finds it marked before its own request.
        """
        with self.files.lock(f"{self.account}.lock") if self.files else nullcontext():
            yield

    @property
    def spent_until(self) -> datetime | None:
        """Until when the plan is used up; None: the service has not said so."""
        if self.files is None:
            return self._spent_until
        try:
            text = json.loads(self.files.read(f"{self.account}.json"))["spent_until"]
        except FileNotFoundError:
            return None
        return datetime.fromisoformat(text)

    def spend(self, now: datetime) -> datetime:
        """Mark the plan as used up; return until when, the start of the next UTC day."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        until = midnight + timedelta(days=1)
        self._spent_until = until
        if self.files is not None:
            text = json.dumps({"spent_until": until.isoformat()})
            self.files.write(f"{self.account}.json", text.encode())
        return until
