"""Who settles an event, which values are final, and when they became known: the only rule for both.

Here: the rule, applied to the stored rows of a family's settlements and to the event, whose
`authorities` list the sources by precedence. A statement counts from its row's `known_at` on, and
no earlier. Preliminary and revised values are not final; of a publisher the first official value
counts, later ones being revisions; of the exchange the last statement counts. The legs that pay
follow from the atom that contains the settlement value; of a partition, each atom is a bracket. Not
here: requests to the sources.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import polars as pl

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.legs import Leg
from kalshi_assets.ladder.terms import atoms_of

SettledAs = Literal["bracket", "fair_price"]

FINALIZED = "finalized"
"""Status after which the exchange amends nothing."""
FINAL_OF_EXCHANGE = ("determined", "finalized")
FINAL_OF_PUBLISHER = "official"
FAILED = "failed"


class FairPrice(NamedTuple):
    """The exchange's statement that no bracket won and each pays a stated price.

    Attributes
    ----------
    payoffs_cc
        Payoff of a YES contract of each bracket, 1/10,000 dollar, lowest first.
    known_at
        When that could first be acted on.
    """

    payoffs_cc: tuple[int, ...]
    known_at: datetime

    def __str__(self) -> str:
        prices = ", ".join(f"{payoff / 10_000:.2f}" for payoff in self.payoffs_cc)
        return f"settled at a fair price ({prices}): no bracket won"


class Settled(NamedTuple):
    """The settlement of an event by the statements known so far.

    Attributes
    ----------
    source
        The source whose statement counts.
    winner
        Position of the atom that contains the settlement value, of a partition the bracket that
        pays, 0 is the lowest; None: no bracket won, see `FairPrice`.
    value
        The settlement value by that source, in ticks; None: it states only what pays.
    known_at
        When that statement was known.
    """

    source: str
    winner: int | None
    value: int | None
    known_at: datetime


def final(settlements: pl.DataFrame) -> pl.DataFrame:
    """The rows that are final; preliminary and revised ones are not.

    Of several issues with the same source and status, the first.
    """
    settlements = first_issues(settlements)
    kept = [_is_final(*said) for said in _rows(settlements, "source", "status")]
    return settlements if all(kept) else settlements.filter(pl.Series(kept))


def first_issues(settlements: pl.DataFrame) -> pl.DataFrame:
    """For every source and status the row that was known first; later issues are revisions."""
    first: dict[tuple[str, str], tuple[datetime, int]] = {}
    for row, (source, status, known_at) in enumerate(
        _rows(settlements, "source", "status", "known_at")
    ):
        first[source, status] = min(first.get((source, status), (known_at, row)), (known_at, row))
    if len(first) == settlements.height:
        return settlements
    return settlements[sorted(row for _, row in first.values())]


def fair_price(settlements: pl.DataFrame) -> FairPrice | None:
    """What the exchange paid if it settled at a fair price.

    None: it has not settled, or every leg pays a dollar or nothing.
    """
    for source, status, payoffs, known_at in _rows(
        settlements, "source", "status", "payoffs_cc", "known_at"
    ):
        if source == "exchange" and payoffs is not None and _is_final(source, status):
            return FairPrice(tuple(payoffs), known_at)
    return None


def winning_brackets(settlements: pl.DataFrame, events: pl.DataFrame) -> dict[str, list[int]]:
    """For each source the atoms of its final statement, by position: one if its rows agree.

    The exchange is not included if it settled at a fair price.

    Parameters
    ----------
    settlements, events
        A family's settlements of one event, and its `market.events`.
    """
    ladder = atoms_of(events)
    return {
        source: _won(words, ladder)
        for source, words in _by_source(_final_words(settlements))
        if not _at_fair_price(words)
    }


def settled_by(
    settlements: pl.DataFrame, events: pl.DataFrame, known_by: datetime | None = None
) -> Settled | None:
    """The settlement of an event by what was known at an instant.

    None if no source of `authorities` has made a final statement yet, or if the exchange stated
    that no bracket won (`fair_price`), which precedes the statement of any publisher.

    Parameters
    ----------
    settlements, events
        As in `winning_brackets`.
    known_by
        The instant; None: all that is stored is known.

    Raises
    ------
    ValueError
        The source's statements name no atom, or more than one.
    """
    found = _settled(_heard(_final_words(settlements), known_by), events)
    return None if found is None or found.winner is None else found


def settled_as(settlements: pl.DataFrame, events: pl.DataFrame) -> SettledAs | None:
    """Whether one bracket pays or the exchange paid a fair price; None: not settled.

    Parameters
    ----------
    settlements, events
        As in `winning_brackets`.
    """
    if fair_price(settlements) is not None:
        return "fair_price"
    return None if settled_by(settlements, events) is None else "bracket"


def outcomes(settlements: pl.DataFrame, events: pl.DataFrame) -> list[Settled]:
    """The outcome after each final statement became known, oldest first; empty: never settled.

    At an instant, the last one whose `known_at` is not later was known.

    Parameters
    ----------
    settlements, events
        As in `winning_brackets`.
    """
    words = _final_words(settlements)
    heard = (
        _settled(_heard(words, known_at), events)
        for known_at in sorted({word.known_at for word in words})
    )
    return list(dict.fromkeys(found for found in heard if found is not None))


def pays_as_known(labelled: pl.DataFrame, known_by: datetime) -> pl.DataFrame:
    """A day's labelled rows with `pays` as known at an instant; null before the first statement.

    Parameters
    ----------
    labelled
        `panel.labels` or `panel.examples` of one event.
    known_by
        The instant.
    """
    said = _outcome_times(labelled)
    heard = sum(known_at <= known_by for known_at in said)
    if heard and heard == len(said):
        return labelled
    pays = pl.col("outcome_pays").list.get(heard - 1) if heard else pl.lit(None, pl.Boolean)
    return labelled.with_columns(pays=pays)


def outcome_known_at(labelled: pl.DataFrame, known_by: datetime) -> datetime | None:
    """When the latest statement that `pays_as_known` uses was known; None: it uses none.

    Parameters
    ----------
    labelled, known_by
        As in `pays_as_known`.
    """
    return max((at for at in _outcome_times(labelled) if at <= known_by), default=None)


def official_value(
    settlements: pl.DataFrame, authorities: Sequence[str], known_by: datetime | None = None
) -> tuple[int, datetime] | None:
    """The settlement value as known at an instant, and when it became known.

    Models are fitted to this value, not to who was paid. The authority that the rules name comes
    before the exchange, which passes its value on or states only what pays; other publishers last.

    Parameters
    ----------
    settlements
        The family's settlements of one event.
    authorities
        Sources of the event by precedence, the exchange first.
    known_by
        The instant; None: all that is stored is known.
    """
    latest: dict[str, _Word] = {}
    for word in _heard(_final_words(settlements), known_by):
        if word.value is not None:
            latest[word.source] = word
    exchange, *others = authorities
    order = [*others, exchange, *sorted(latest)]
    found = next((latest[source] for source in order if source in latest), None)
    return None if found is None or found.value is None else (found.value, found.known_at)


class _Word(NamedTuple):
    source: str
    status: str
    value: int | None
    winning_market: str | None
    won: int | None
    payoffs_cc: list[int] | None
    known_at: datetime


def _final_words(settlements: pl.DataFrame) -> list[_Word]:
    """The final rows, in the order in which they became known."""
    rows = (_Word(*row) for row in _rows(final(settlements), *_Word._fields))
    return sorted(rows, key=lambda word: word.known_at)


def _heard(words: Sequence[_Word], known_by: datetime | None) -> list[_Word]:
    return [word for word in words if known_by is None or word.known_at <= known_by]


def _by_source(words: Sequence[_Word]) -> list[tuple[str, list[_Word]]]:
    """The last statements of each source: one, or several of the same instant."""
    said: dict[str, list[_Word]] = {}
    for word in words:
        said.setdefault(word.source, []).append(word)
    return [
        (source, [word for word in said[source] if word.known_at == said[source][-1].known_at])
        for source in sorted(said)
    ]


def _settled(words: Sequence[_Word], events: pl.DataFrame) -> Settled | None:
    last = dict(_by_source(words))
    if not last:
        return None
    for source in events["authorities"][0]:
        if source in last:
            word = last[source][-1]
            if _at_fair_price(last[source]):
                return Settled(source, None, None, word.known_at)
            winners = _won(last[source], atoms_of(events))
            if len(winners) != 1:
                raise ValueError(
                    f"{source} pays atoms {winners}; its value must lie in exactly one"
                )
            return Settled(source, winners[0], word.value, word.known_at)
    return None


def _at_fair_price(words: Sequence[_Word]) -> bool:
    return words[-1].payoffs_cc is not None


def _won(words: Sequence[_Word], ladder: Atoms) -> list[int]:
    """The atoms that statements name; of a ladder with gaps or overlaps, the legs that pay."""
    if ladder.shape == "other":
        legs = enumerate(ladder.legs)
        return [at for at, leg in legs if any(_pays(word, leg) for word in words)]
    return sorted({atom for word in words if (atom := _atom(word, ladder)) is not None})


def _pays(word: _Word, leg: Leg) -> bool:
    if word.winning_market is not None:
        return word.winning_market == leg.market_ticker
    return word.value is not None and leg.pays(word.value)


def _atom(word: _Word, ladder: Atoms) -> int | None:
    """The atom that a statement names; None: none."""
    if word.winning_market is not None:
        named = [leg.market_ticker == word.winning_market for leg in ladder.legs]
        return ladder.paid(named)
    if word.won is not None:
        return word.won
    return None if word.value is None else ladder.index_of(word.value)


def _outcome_times(labelled: pl.DataFrame) -> list[datetime]:
    # The same in every row of an event.
    return labelled["outcome_known_at"][0].to_list() if labelled.height else []


def _rows(frame: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    # A few rows, read many times a day: a query would cost more than reading all of them.
    return list(zip(*(frame[name].to_list() for name in columns), strict=True))


def _is_final(source: str, status: str) -> bool:
    return status in FINAL_OF_EXCHANGE if source == "exchange" else status == FINAL_OF_PUBLISHER
