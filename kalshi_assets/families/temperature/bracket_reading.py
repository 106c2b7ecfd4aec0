"""The whole degrees on which a market pays, from its strikes or, without them, from other sources.

Winning markets of 2025-01-16 to 02-09 lack their strike fields. Three other sources state the
bracket: the label, the sentence in the rules, and the gap between the other markets; two of them
must agree. Here: a market's bracket and its origin. Not here: the rest of the contract
(`exchange.contract_reading`).
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

from kalshi_assets.exchange.contract import ContractError
from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire import Market
from kalshi_assets.ladder.brackets import Bracket
from kalshi_assets.ladder.legs import STRIKES_THAT_PAY, ValueGrid, read_leg

STRIKES = "strikes"
LARGEST_STRIKE = 1000
WHOLE_DEGREES = ValueGrid("f", 1)

Bounds = tuple[int | None, int | None]
Said = dict[str, Bounds]

_N = r"([-−]?[0-9]{1,4})(?![0-9]|[.,][0-9])\s*[°º]?F?"
_LABELS = (
    (re.compile(rf"{_N}\s+to\s+{_N}", re.ASCII), 0, 0),
    (re.compile(rf"{_N}\s+or\s+(?:above|higher|more)", re.ASCII), 0, None),
    (re.compile(rf"{_N}\s+or\s+(?:below|lower|less)", re.ASCII), None, 0),
)
_SENTENCES = (
    (re.compile(rf"\bis between\s+{_N}\s*(?:[-–]|to|and)\s*{_N}", re.ASCII), 0, 0),
    (re.compile(rf"\bis (?:greater|more|higher) than\s+{_N}", re.ASCII), 1, None),
    (re.compile(rf"\bis above\s+{_N}", re.ASCII), 1, None),
    (re.compile(rf"\bis (?:less|lower) than\s+{_N}", re.ASCII), None, -1),
    (re.compile(rf"\bis below\s+{_N}", re.ASCII), None, -1),
    (re.compile(rf"\bis (?:greater than or equal to|at least)\s+{_N}", re.ASCII), 0, None),
    (re.compile(rf"\bis (?:less than or equal to|at most)\s+{_N}", re.ASCII), None, 0),
    *((re.compile(rf"\bis\s+{label.pattern}", re.ASCII), lo, hi) for label, lo, hi in _LABELS),
)


def read_brackets(markets: Sequence[Market]) -> tuple[list[Bracket], dict[str, str]]:
    """The brackets of an event's markets, and the origin of each by ticker.

    Parameters
    ----------
    markets
        All markets of the event, any order.

    Returns
    -------
    tuple
        The brackets in the order of the markets, and by ticker "strikes" or the agreeing sources,
        such as "label_rules_gap".

    Raises
    ------
    ContractError
        A strike type cannot be part of a ladder, a strike is not a whole number, or strikes are
        missing and no two of label, rules and gap agree; the message quotes all three.
    MalformedAnswerError
        A strike exceeds the limit.
    """
    found = {m.ticker: (bracket_of(m), STRIKES) for m in markets if not _lacks_strikes(m)}
    # The gap is defined only for the last unknown market, so read the others first.
    pending = [m for m in markets if m.ticker not in found]
    while pending:
        known = [bracket for bracket, _ in found.values()]
        said = {m.ticker: _said(m, known if len(pending) == 1 else None) for m in pending}
        read = {t: agreed for t, words in said.items() if (agreed := _agreed(t, words))}
        if not read:
            raise ContractError("; ".join(_disagreement(m, said[m.ticker]) for m in pending))
        found |= read
        pending = [m for m in pending if m.ticker not in found]
    for market in markets:
        _check_what_is_left(market, *found[market.ticker])
    return [found[m.ticker][0] for m in markets], {t: origin for t, (_, origin) in found.items()}


def bracket_of(market: Market) -> Bracket:
    """The whole degrees that pay, by `strike_type`: see `STRIKES_THAT_PAY` (kalshi.md 6.2).

    Raises
    ------
    ContractError
        Another strike type, or a strike that is missing or not a whole number.
    MalformedAnswerError
        A strike exceeds `LARGEST_STRIKE`.
    """
    lo, hi = STRIKES_THAT_PAY.get(market.strike_type or "", (None, None))
    if lo is None and hi is None:
        raise ContractError(
            f"{market.ticker} has strike_type {market.strike_type!r}; a ladder consists of less, "
            "less_or_equal, between, greater_or_equal and greater"
        )
    return read_leg(
        market.ticker,
        market.strike_type,
        floor=None if lo is None else Decimal(_whole(market, "floor_strike")),
        cap=None if hi is None else Decimal(_whole(market, "cap_strike")),
        grid=WHOLE_DEGREES,
    )


def _lacks_strikes(market: Market) -> bool:
    if market.strike_type is None:
        return True
    lo, hi = STRIKES_THAT_PAY.get(market.strike_type, (None, None))
    return (lo is not None and market.floor_strike is None) or (
        hi is not None and market.cap_strike is None
    )


def _whole(market: Market, name: str) -> int:
    strike = getattr(market, name)
    if strike is not None and abs(strike) > LARGEST_STRIKE:
        raise MalformedAnswerError(
            f"{strike} exceeds {LARGEST_STRIKE}", record=f"market {market.ticker}", field=name
        )
    if strike is None or strike != int(strike):
        raise ContractError(
            f"{market.ticker} is {market.strike_type!r} but its {name} is {strike}, "
            "not a whole degree"
        )
    return int(strike)


def _said(market: Market, siblings: Sequence[Bracket] | None) -> Said:
    """The bounds stated by label, rules and gap; silent or ambiguous sources are omitted."""
    read = {
        "label": _bounds(market.yes_sub_title.strip(), _LABELS, whole=True),
        "rules": _bounds(market.rules_primary or "", _SENTENCES, whole=False),
        "gap": None if siblings is None else _gap(siblings),
    }
    return {name: bounds for name, bounds in read.items() if bounds is not None}


def _bounds(
    text: str, patterns: Sequence[tuple[re.Pattern, int | None, int | None]], *, whole: bool
) -> Bounds | None:
    found: set[Bounds] = set()
    for pattern, lo, hi in patterns:
        matches = [pattern.fullmatch(text)] if whole else pattern.finditer(text)
        for match in matches:
            if match is not None:
                first, *_, last = (int(n.replace("−", "-")) for n in (match[1], *match.groups()))
                found.add((None if lo is None else first + lo, None if hi is None else last + hi))
    return found.pop() if len(found) == 1 else None


def _gap(siblings: Sequence[Bracket]) -> Bounds | None:
    """The single gap between the siblings; None if there is none or several, or they overlap.

    An end of the gap is open if no sibling is a tail on that side.
    """
    ordered = sorted(siblings, key=lambda b: (b.lo is not None, b.lo or 0))
    if not ordered:
        return None
    gaps: list[Bounds] = []
    if ordered[0].lo is not None:
        gaps.append((None, ordered[0].lo - 1))
    for below, above in pairwise(ordered):
        if below.hi is None or above.lo is None or above.lo <= below.hi:
            return None
        if above.lo > below.hi + 1:
            gaps.append((below.hi + 1, above.lo - 1))
    if ordered[-1].hi is not None:
        gaps.append((ordered[-1].hi + 1, None))
    return gaps[0] if len(gaps) == 1 else None


def _agreed(ticker: str, said: Said) -> tuple[Bracket, str] | None:
    for bounds in set(said.values()):
        sayers = [name for name in said if said[name] == bounds]
        if len(sayers) >= 2:
            return Bracket(market_ticker=ticker, lo=bounds[0], hi=bounds[1]), "_".join(sayers)
    return None


def _disagreement(market: Market, said: Mapping[str, Bounds]) -> str:
    words = {
        "label": f"the label {market.yes_sub_title!r}",
        "rules": "the rules" if market.rules_primary else "no rules",
        "gap": "the gap between the other markets",
    }
    each = [
        f"{what}: {_written(said[name]) if name in said else 'nothing'}"
        for name, what in words.items()
    ]
    return (
        f"{market.ticker} lacks its strike fields, and no two of the other sources agree "
        f"({', '.join(each)}); check the market on the exchange"
    )


def _written(bounds: Bounds) -> str:
    lo, hi = bounds
    if lo is None:
        return f"up to {hi}"
    return f"from {lo}" if hi is None else f"{lo} to {hi}"


def _check_what_is_left(market: Market, bracket: Bracket, origin: str) -> None:
    """Strike fields that are present must not contradict a bracket read from other sources."""
    if origin == STRIKES:
        return
    tails = (bracket.lo is None, bracket.hi is None)
    lo, hi = STRIKES_THAT_PAY.get(market.strike_type or "", (None, None))
    wrong = market.strike_type is not None and (lo is None, hi is None) != tails
    for strike, bound, outside in (
        (market.floor_strike, bracket.lo, -1),
        (market.cap_strike, bracket.hi, 1),
    ):
        wrong |= strike is not None and (bound is None or strike not in (bound, bound + outside))
    if wrong:
        raise ContractError(
            f"{market.ticker} lacks some strike fields: {origin.replace('_', ' and ')} say "
            f"{_written((bracket.lo, bracket.hi))}, but it has strike_type "
            f"{market.strike_type!r}, floor_strike {market.floor_strike} and cap_strike "
            f"{market.cap_strike}"
        )
