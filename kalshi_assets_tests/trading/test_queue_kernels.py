"""The queue of a resting order: as hftbacktest has it, and as contracts that stand in line."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.trading.queue_kernels import (
    CONTRACT,
    LOG,
    POWER,
    RISK_AVERSE,
    Queue,
    book_changed,
    filled,
    new_order,
    traded_at,
    traded_through,
)

RECORDED = Path(__file__).parent / "fixtures" / "hftbacktest_queue.json"
MODELS = {"risk_averse": (RISK_AVERSE, 0.0), "log": (LOG, 0.0), "power_3": (POWER, 3.0)}
PUT_BACK = {("cancelled behind a single contract, twice", "log"), ("random 25", "log")}
"""Scripts and models in which hftbacktest puts an order from the front to the end of the queue."""
SCRIPTS = json.loads(RECORDED.read_text("utf-8"))["scripts"]

Event = Sequence[str | int]


def moved(queue: Queue, event: Event, model: int, power: float, unit: int = 1) -> Queue:
    """The place after an event; its sizes are in units of so many hundredths."""
    kind, *sizes = event
    quantities = [int(size) * unit for size in sizes]
    if kind == "trade":
        return traded_at(queue, *quantities)
    if kind == "through":
        return traded_through(queue, *quantities)
    return book_changed(queue, *quantities, model, power)


def fills(
    displayed: int, order: int, events: Sequence[Event], model: str, *, lot: int = 1, unit: int = 1
) -> list[int]:
    """What each event fills of an order, hundredths."""
    queue, left, found = new_order(displayed * unit), order * unit, []
    for event in events:
        queue = moved(queue, event, *MODELS[model], unit)
        given_now, queue = filled(queue, lot, left)
        left -= given_now
        found.append(given_now)
    return found


def as_published(script: dict, model: str) -> tuple[int | None, bool]:
    """The event that fills by hftbacktest's own formulas, and whether the front fell below zero.

    Contracts; a probability that does not exist leaves the size of the book as the front.
    """

    def weight(quantity: float) -> float:
        if model == "log":
            return math.log(1 + quantity) if quantity > -1 else math.nan
        return quantity**3

    front, traded, fell = float(script["displayed"]), 0, False
    for number, (kind, *sizes) in enumerate(script["events"]):
        if kind == "through":
            return number, fell
        if kind == "trade":
            front, traded = front - sizes[0], traded + sizes[0]
            if front <= -0.01:
                return number, fell
            continue
        before, after = sizes
        change, traded = before - after - traded, 0
        if change < 0 or model == "risk_averse":
            front = min(front, after)
            continue
        ahead, behind = weight(front), weight(before - front)
        share = behind / (behind + ahead) if behind + ahead else math.nan
        front += min(before - front - share * change, 0) - (1 - share) * change
        front = after if math.isnan(front) else min(front, after)
        fell |= front < -1e-9
    return None, fell


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script["name"])
def test_an_order_fills_when_hftbacktest_fills_it(script: dict, model: str) -> None:
    found = fills(script["displayed"], script["contracts"], script["events"], model, unit=CONTRACT)
    first = next((number for number, quantity in enumerate(found) if quantity), None)
    published, fell = as_published(script, model)
    assert published == script["filled_by"][model], "the difference below is explained"
    if (script["name"], model) in PUT_BACK:
        assert fell
        assert first is not None
        assert published is None or first < published
    else:
        assert first == script["filled_by"][model]


def test_the_recorded_scripts_tell_the_models_apart() -> None:
    answers = [tuple(script["filled_by"].values()) for script in SCRIPTS]
    assert sum(len(set(each)) > 1 for each in answers) >= 5
    assert (None, None, None) in answers


# Streams whose sizes agree with their trades, and a plain reference.


@st.composite
def streams(draw: st.DrawFn) -> tuple[int, int, list[Event]]:
    """Size displayed, size of the order, events; hundredths."""
    displayed = draw(st.integers(0, 3000))
    shown, pending, events = displayed, 0, []
    for _ in range(draw(st.integers(1, 14))):
        kind = draw(st.sampled_from(["trade", "trade", "cancel", "add", "through"]))
        rest = shown - pending
        if kind == "through":
            events.append(("through", draw(st.integers(1, 700))))
        elif kind == "trade" and rest > 0:
            size = draw(st.integers(1, rest))
            pending += size
            events.append(("trade", size))
        elif kind == "trade":  # against what nobody showed
            events.append(("trade", draw(st.integers(1, 500))))
        else:
            change = draw(st.integers(0, 2000))
            after = rest + change if kind == "add" else max(rest - change, 0)
            events.append(("book", shown, after))
            shown, pending = after, 0
    return displayed, draw(st.integers(1, 2500)), events


def in_line(displayed: int, order: int, events: Sequence[Event], lot: int) -> list[int]:
    """Fills of the risk-averse model: hundredths that stand in line one by one, the order aside.

    A trade takes from the front of the line, and what it takes beyond those before the order it
    would have taken from the order. Cancellations leave from the end.
    """
    line = ["before"] * displayed
    unpaid, left, found = 0, order, []
    for kind, *sizes in events:
        if kind == "book":
            line = (line + ["behind"] * int(sizes[1]))[: int(sizes[1])]
        elif kind == "through":
            unpaid += int(sizes[0])
            line = [each for each in line if each != "before"]
        else:
            taken, line = line[: int(sizes[0])], line[int(sizes[0]) :]
            unpaid += int(sizes[0]) - taken.count("before")
        given_now = 0
        while unpaid >= lot:
            unpaid -= lot
            given_now += lot if left - given_now >= lot else 0
        left -= given_now
        found.append(given_now)
    return found


def shared(displayed: int, order: int, events: Sequence[Event], model: str, lot: int) -> list[int]:
    """Fills of any model: amounts ahead and behind, of which a cancellation takes its shares."""
    power = MODELS[model][1]
    ahead, pending, unpaid, left, found = float(displayed), 0, 0.0, order, []
    for kind, *sizes in events:
        size = int(sizes[0])
        if kind == "through":
            ahead, unpaid = 0.0, unpaid + size
        elif kind == "trade":
            unpaid += max(size - ahead, 0.0)
            ahead, pending = max(ahead - size, 0.0), pending + size
        else:
            before, after = map(int, sizes)
            cancelled, pending = before - pending - after, 0
            behind = max(before - ahead, 0.0)
            if cancelled > 0 and ahead > 0:
                weight_behind, weight_ahead = (
                    math.log(1 + x / CONTRACT) if model == "log" else (x / CONTRACT) ** power
                    for x in (behind, ahead)
                )
                share = weight_behind / (weight_behind + weight_ahead)
                if model == "risk_averse":
                    share = 1.0
                from_behind = min(share * cancelled, behind)
                ahead -= cancelled - from_behind
            ahead = max(min(ahead, float(after)), 0.0)
        lots = math.floor((unpaid + 1e-6) / lot)
        unpaid -= lots * lot
        given_now = min(lots, left // lot) * lot
        left -= given_now
        found.append(given_now)
    return found


@given(streams(), st.sampled_from([1, 10, CONTRACT]))
def test_risk_averse_fills_are_those_of_contracts_in_line(
    stream: tuple[int, int, list[Event]], lot: int
) -> None:
    displayed, order, events = stream
    assert fills(*stream, "risk_averse", lot=lot) == in_line(displayed, order, events, lot)


@given(streams(), st.sampled_from(sorted(MODELS)), st.sampled_from([1, 10, CONTRACT]))
def test_partial_fills_are_those_of_a_plain_reference(
    stream: tuple[int, int, list[Event]], model: str, lot: int
) -> None:
    displayed, order, events = stream
    assert fills(*stream, model, lot=lot) == shared(displayed, order, events, model, lot)


@given(streams(), st.sampled_from(sorted(MODELS)), st.sampled_from([1, 10, CONTRACT]))
def test_an_order_is_never_filled_with_more_than_was_traded_or_asked_for(
    stream: tuple[int, int, list[Event]], model: str, lot: int
) -> None:
    _, order, events = stream
    found = fills(*stream, model, lot=lot)
    traded = 0
    for number, (kind, *sizes) in enumerate(events):
        traded += 0 if kind == "book" else int(sizes[0])
        assert sum(found[: number + 1]) <= min(traded, order)
        assert found[number] == 0 or kind != "book", "a change of the book fills nothing"
        assert found[number] % lot == 0


@given(streams())
def test_trades_bring_an_order_forward_and_no_model_is_behind_the_risk_averse_one(
    stream: tuple[int, int, list[Event]],
) -> None:
    displayed, _, events = stream
    places = {name: new_order(displayed) for name in MODELS}
    for event in events:
        for name, place in places.items():
            after = moved(place, event, *MODELS[name])
            if event[0] == "book":
                assert after.front <= max(place.front, 0.0)
                assert after.front <= event[2]
            else:
                assert after.front < place.front
            places[name] = after
        assert places["risk_averse"].front == math.floor(places["risk_averse"].front)
        for name in ("log", "power_3"):
            assert places[name].front <= places["risk_averse"].front + 1e-6


def test_the_share_of_a_cancellation_behind_is_the_models() -> None:
    # 100 contracts ahead, 300 behind, 40 cancelled.
    behind = {
        "risk_averse": 1.0,
        "log": math.log(301) / (math.log(301) + math.log(101)),
        "power_3": 300**3 / (300**3 + 100**3),
    }
    for name, share in behind.items():
        queue = book_changed(new_order(10_000), 40_000, 36_000, *MODELS[name])
        assert queue.front == pytest.approx(10_000 - (1 - share) * 4_000)


def test_what_is_less_than_a_contract_waits_for_the_next_trade() -> None:
    queue = traded_at(new_order(50), 130)
    quantity, queue = filled(queue, CONTRACT, 5 * CONTRACT)
    assert (quantity, queue.front) == (0, -80.0)
    quantity, queue = filled(traded_at(queue, 30), CONTRACT, 5 * CONTRACT)
    assert (quantity, queue.front) == (CONTRACT, -10.0)


def test_what_an_order_does_not_want_is_not_kept_for_it() -> None:
    quantity, queue = filled(traded_at(new_order(0), 900), CONTRACT, 2 * CONTRACT)
    assert (quantity, queue.front) == (2 * CONTRACT, 0.0)


@pytest.mark.parametrize("power", [0.5, 3.0, 40.0, 400.0])
def test_no_power_overflows(power: float) -> None:
    for displayed, behind in ((1, 10**9), (10**9, 1), (10**9, 10**9), (100, 0)):
        queue = book_changed(new_order(displayed), displayed + behind, displayed, POWER, power)
        assert 0.0 <= queue.front <= displayed
