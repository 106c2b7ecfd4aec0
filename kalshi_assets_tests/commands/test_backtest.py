"""`kalshi-assets backtest`: stored days, other parameters, a strategy of the user's."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from kalshi_assets.families.temperature.cities import TEMPERATURE, city_day
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.tables import EVENTS, SETTLEMENTS, TRADES
from kalshi_assets_tests.chain.inputs import chain_of, read_inputs
from kalshi_assets_tests.commands.conftest import LAST, PROJECT, Command

EXAMPLE = PROJECT / "docs" / "example_strategy.py"
DAY = city_day("new_york", LAST - timedelta(days=1))
EAGER = (
    *("--set", "max_spread_cents=30", "--set", "min_volume_15m=0", "--set", "max_hazard_5m=1"),
    *("--set", "value.maker_min_edge_cents=0.1"),
)


@pytest.fixture(scope="module")
def stored(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the features of one day, which is not settled."""
    folder = tmp_path_factory.mktemp("stored") / "data"
    lake, inputs = Lake(Files(folder), TEMPERATURE), read_inputs(sandbox, DAY, look_back=5)
    frames = {EVENTS: inputs.events, TRADES: inputs.trades, **chain_of(inputs)}
    for table, frame in frames.items():
        if table.stored:
            lake.write(table, DAY, frame)
    return folder


@pytest.fixture
def lake(home: Path, stored: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("KALSHI_ASSETS_DATA", str(stored))
    return Lake(Files(stored), TEMPERATURE)


def of_days(first: int = 0) -> tuple[str, ...]:
    start = DAY.date + timedelta(days=first)
    return ("backtest", "--city", "new_york", "--start", f"{start}", "--end", f"{DAY.date}")


def rows(text: str) -> dict[tuple[str, str], list[str]]:
    """The cells of the table by strategy and fill model."""
    found, strategy = {}, ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("│")[1:-1]]
        if len(cells) > 2:
            strategy = cells[0] or strategy
            found[strategy, cells[1]] = cells[2:]
    return found


def test_every_strategy_stands_under_every_fill_model(lake: Lake, command: Command) -> None:
    said = command(*of_days(), *EAGER)
    assert said.code == 0, said.err
    found = rows(said.out)
    assert list(found) == [
        (strategy, model)
        for strategy in ("value", "move", "sets")
        for model in ("touch", "through", "queue")
    ]
    days, orders, *_, net, worst, _ = found["value", "through"]
    assert days == "1 (0 settled)"
    assert int(orders.replace(",", "")) > 0
    assert (net, worst) == ("–", "–")
    assert not lake.has(SETTLEMENTS, DAY)


def test_a_parameter_that_is_set_counts(lake: Lake, command: Command) -> None:
    said = command(*of_days(), *EAGER, "--strategy", "value", "--set", "min_volume_15m=1e9")
    assert said.code == 0, said.err
    assert {cells[1] for cells in rows(said.out).values()} == {"0"}


def test_a_wrong_parameter_is_answered_by_the_nearest_right_one(
    lake: Lake, command: Command
) -> None:
    said = command(*of_days(), "--set", "value.maker_min_edge=1")
    assert said.code == 2
    assert "no parameter 'value.maker_min_edge'" in said.text
    assert "nearest is 'value.maker_min_edge_cents'" in said.text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("honesty", "is not key=value"),
        ("honesty=much", "is no number"),
        ("honesty=2", "less than or equal to 1"),
    ],
)
def test_a_value_that_cannot_be_says_why(lake: Lake, command: Command, text: str, why: str) -> None:
    said = command(*of_days(), "--set", text)
    assert said.code == 2
    assert why in said.text


def test_a_day_without_features_is_named_and_the_others_go_on(lake: Lake, command: Command) -> None:
    said = command(*of_days(-1), *EAGER, "--strategy", "sets")
    assert said.code == 1
    assert f"new_york {DAY.date - timedelta(days=1)} is left out" in said.text
    assert "1 of 2 days are left out" in said.text
    assert rows(said.out)["sets", "touch"][0] == "1 (0 settled)"


def test_the_documents_example_is_a_strategy_that_trades(
    lake: Lake, home: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(EXAMPLE, home / "my_strategy.py")
    monkeypatch.setenv("KALSHI_ASSETS_STRATEGY", "my_strategy:Cheap")
    said = command(*of_days(), *EAGER)
    assert said.code == 0, said.err
    found = rows(said.out)
    assert {strategy for strategy, _ in found} == {"cheap"}
    assert all(int(cells[1]) > 0 for cells in found.values())


@pytest.mark.parametrize(
    ("quote", "why"),
    [
        ("Quote(6, 'bid', 100)", "the ladder has brackets 0 to 5"),
        ("Quote(0, 'buy', 100)", "a side is 'bid' or 'ask'"),
        ("Quote(0, 'bid', 150)", "not on the market's price grid"),
        ("Quote(0, 'bid', 0.55)", "not on the market's price grid"),
        ("Quote(0, 'bid', 10_000)", "not on the market's price grid"),
    ],
)
def test_an_order_that_cannot_be_names_the_strategy_and_the_order(
    lake: Lake, home: Path, command: Command, quote: str, why: str
) -> None:
    module = f"wrong_{abs(hash(quote))}"
    (home / f"{module}.py").write_text(
        "from kalshi_assets.trading.strategies import Quote\n"
        "class Wrong:\n"
        "    name = 'wrong'\n"
        "    def quotes(self, now):\n"
        f"        return [{quote}]\n"
    )
    said = command(*of_days(), "--strategy", f"{module}:Wrong")
    assert said.code == 2
    assert "wrong wants Quote(" in said.text
    assert why in said.text


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("valeu", "no strategy is called 'valeu'; known: value, move, sets"),
        ("my_absent:Strategy", "cannot be made"),
        ("shutil:Error", "has no name and quotes(minute)"),
    ],
)
def test_a_strategy_that_is_not_there_says_what_was_looked_for(
    lake: Lake, command: Command, path: str, why: str
) -> None:
    said = command(*of_days(), "--strategy", path)
    assert said.code == 2
    assert why in said.text
