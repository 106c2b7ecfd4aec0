"""Who settles an event, what is final, and when it was known: said once, for all who learn or pay.

Here: the rule, from the stored rows of `weather.settlements` and the event. A word counts from its
row's `known_at` on, and no earlier; of one source the latest final word replaces those before it;
preliminary and revised values are not final. Not here: asking the sources.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

import polars as pl

from kalshi_assets.ladder.terms import terms_at

Source = Literal["exchange", "weather_company", "climate_report", "climate_bulletin"]

# Events of this climate day and later name The Weather Company, earlier ones the Daily Climate
# Report of the National Weather Service.
WEATHER_COMPANY_FROM = date(2026, 8, 14)
FINAL_OF_EXCHANGE = ("determined", "finalized")
FINAL_OF_PUBLISHER = "official"


class Settled(NamedTuple):
    """What settled an event, by the words heard so far.

    Attributes
    ----------
    source
        Whose word counts.
    winner
        Position of the bracket that pays, 0 is the coldest.
    tmax_f
        The maximum by that source; None: it names only the market that pays.
    known_at
        When that word was known.
    """

    source: Source
    winner: int
    tmax_f: int | None
    known_at: datetime


def precedence(day: date) -> tuple[Source, ...]:
    """Whose word settles events of climate day `day`, the first that has spoken.

    The exchange pays; the authority that its rules name stands in where its result is not known.
    Since the rules name The Weather Company, the climate report only checks it.
    """
    if day >= WEATHER_COMPANY_FROM:
        return ("exchange", "weather_company")
    return ("exchange", "climate_report", "climate_bulletin")


def final(settlements: pl.DataFrame) -> pl.DataFrame:
    """The rows that are final in their source's eyes; preliminary and revised ones are not."""
    kept = [_is_final(*said) for said in _rows(settlements, "source", "status")]
    return settlements if all(kept) else settlements.filter(pl.Series(kept))


def winning_brackets(settlements: pl.DataFrame, events: pl.DataFrame) -> dict[str, list[int]]:
    """Positions of the brackets that each source's final word says pay."""
    ladder = _ladder(events)
    return {source: _paid(words, ladder) for source, words in _by_source(_final_words(settlements))}


def settled_by(
    settlements: pl.DataFrame, events: pl.DataFrame, known_by: datetime | None = None
) -> Settled | None:
    """What settles the event, by what was known at an instant; None: all that is stored.

    None where no source has said its final word yet; see `precedence`.

    Raises
    ------
    ValueError
        The source's value pays no bracket, or more than one.
    """
    return _settled(_heard(_final_words(settlements), known_by), events)


def outcomes(settlements: pl.DataFrame, events: pl.DataFrame) -> list[Settled]:
    """The outcome as every final word on it became known, oldest first; empty: never settled.

    The last one with a `known_at` that is not after an instant is what was known at it.
    """
    words = _final_words(settlements)
    heard = (
        _settled(_heard(words, known_at), events)
        for known_at in sorted({word.known_at for word in words})
    )
    return list(dict.fromkeys(found for found in heard if found is not None))


def pays_as_known(labelled: pl.DataFrame, known_by: datetime) -> pl.DataFrame:
    """A day's labelled rows with `pays` by the words heard at an instant; null before the first.

    Parameters
    ----------
    labelled
        `panel.labels` or `panel.examples` of one event.
    """
    said = _outcome_times(labelled)
    heard = sum(known_at <= known_by for known_at in said)
    if heard and heard == len(said):
        return labelled
    pays = pl.col("outcome_pays").list.get(heard - 1) if heard else pl.lit(None, pl.Boolean)
    return labelled.with_columns(pays=pays)


def outcome_known_at(labelled: pl.DataFrame, known_by: datetime) -> datetime | None:
    """When the latest of the words that `pays_as_known` heard was known; None: it heard none."""
    return max((at for at in _outcome_times(labelled) if at <= known_by), default=None)


def official_maximum(
    settlements: pl.DataFrame, day: date, known_by: datetime | None = None
) -> tuple[int, datetime] | None:
    """The station's maximum of climate day `day` by what was known at an instant, and since when.

    What models of the weather learn: the number, not who is paid. The authority that the rules
    name before the exchange, which passes its number on or only names a winner; other publishers
    last.
    """
    latest: dict[str, _Word] = {}
    for word in _heard(_final_words(settlements), known_by):
        if word.tmax_f is not None:
            latest[word.source] = word
    exchange, *authorities = precedence(day)
    order = [*authorities, exchange, *sorted(latest)]
    found = next((latest[source] for source in order if source in latest), None)
    return None if found is None or found.tmax_f is None else (found.tmax_f, found.known_at)


class _Word(NamedTuple):
    source: str
    status: str
    tmax_f: int | None
    winning_market: str | None
    known_at: datetime


class _Rung(NamedTuple):
    market_ticker: str
    bracket: int
    lo_f: int | None
    hi_f: int | None


def _final_words(settlements: pl.DataFrame) -> list[_Word]:
    """The final rows, in the order in which they became known."""
    rows = (_Word(*row) for row in _rows(settlements, *_Word._fields))
    return sorted(
        (word for word in rows if _is_final(word.source, word.status)),
        key=lambda word: word.known_at,
    )


def _heard(words: Sequence[_Word], known_by: datetime | None) -> list[_Word]:
    return [word for word in words if known_by is None or word.known_at <= known_by]


def _by_source(words: Sequence[_Word]) -> list[tuple[str, list[_Word]]]:
    """Of each source what it said last: one word, or those of the same instant."""
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
    # A climate day begins at 04:00 to 10:00 UTC of its own date.
    for source in precedence(events["climate_start"][0].date()):
        if source in last:
            winners = _paid(last[source], _ladder(events))
            if len(winners) != 1:
                raise ValueError(f"{source} pays brackets {winners}; exactly one must pay")
            word = last[source][-1]
            return Settled(source, winners[0], word.tmax_f, word.known_at)
    return None


def _paid(words: Sequence[_Word], ladder: Sequence[_Rung]) -> list[int]:
    return sorted({rung.bracket for word in words for rung in ladder if _pays(word, rung)})


def _pays(word: _Word, rung: _Rung) -> bool:
    if word.winning_market is not None:
        return word.winning_market == rung.market_ticker
    return _inside(word.tmax_f, rung.lo_f, rung.hi_f)


def _ladder(events: pl.DataFrame) -> list[_Rung]:
    return [_Rung(*row) for row in _rows(terms_at(events), *_Rung._fields)]


def _outcome_times(labelled: pl.DataFrame) -> list[datetime]:
    # The same in every row of an event.
    return labelled["outcome_known_at"][0].to_list() if labelled.height else []


def _rows(frame: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    # A handful of rows, asked for many times a day: a query costs more than all of them.
    return list(zip(*(frame[name].to_list() for name in columns), strict=True))


def _is_final(source: str, status: str) -> bool:
    return status in FINAL_OF_EXCHANGE if source == "exchange" else status == FINAL_OF_PUBLISHER


def _inside(value: int | None, lo: int | None, hi: int | None) -> bool:
    return value is not None and (lo is None or value >= lo) and (hi is None or value <= hi)
