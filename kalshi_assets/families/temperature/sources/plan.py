"""The plan of an account: what it has cost, and whether it is used up for today.

Here: how a service says that a plan is used up, and the file by which all processes of a machine
know it. Not here: requests (`service`), or who asks (`visual_crossing`).
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kalshi_assets.lake.files import Files

# As seen: "Maximum daily cost exceeded"; "You have exceeded the maximum number of daily result
# records for your account."; with a monthly plan the same of months.
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
    """Whether a refusal says that too much was asked at once."""
    return CONCURRENT.search(text.lower()) is not None


@dataclass(kw_only=True)
class Budget:
    """The account's plan; clients of one account share one.

    Attributes
    ----------
    cost
        Records charged to this process so far: the sum of `queryCost` over the answers.
    files, account
        Where other processes, and this one after a restart, know from that the plan is used up;
        None: this process alone knows it.
    """

    cost: float = 0.0
    files: Files | None = None
    account: str = ""
    _spent_until: datetime | None = None

    @classmethod
    def kept(cls, files: Files, url: str, key: str) -> "Budget":
        """That of an account, known to all processes that share the files."""
        account = hashlib.sha256(f"{url}\n{key}".encode()).hexdigest()[:12]
        return cls(files=files, account=f"plans/visual_crossing-{account}")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One request of the account at a time, over all processes.

        The provider allows one at once on most plans; and of two processes that meet a used-up
        plan the second finds it marked.
        """
        with self.files.lock(f"{self.account}.lock") if self.files else nullcontext():
            yield

    @property
    def spent_until(self) -> datetime | None:
        """When the plan may be asked again, after the service said that it is used up."""
        if self.files is None:
            return self._spent_until
        try:
            said = json.loads(self.files.read(f"{self.account}.json"))["spent_until"]
        except FileNotFoundError:
            return None
        return datetime.fromisoformat(said)

    def spend(self, now: datetime) -> datetime:
        """Mark the plan as used up until the next UTC day, which is returned."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        until = midnight + timedelta(days=1)
        self._spent_until = until
        if self.files is not None:
            text = json.dumps({"spent_until": until.isoformat()})
            self.files.write(f"{self.account}.json", text.encode())
        return until
