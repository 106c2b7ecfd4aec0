"""What the documents show is there: settings, commands, links, tables, rooms."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from kalshi_assets.cli import app
from kalshi_assets.config import load_toml
from kalshi_assets.families.temperature.trading import REASONS, trading_params
from kalshi_assets.settings import Settings
from kalshi_assets.tables import TABLES
from kalshi_assets.tables.documentation import rendered
from kalshi_assets.tables.probability import WEATHER_STATUSES
from kalshi_assets.trading.params import CONFIG_NAME

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
SETTINGS = DOCS / "settings.md"
COMMANDS = DOCS / "commands.md"
HONESTY = DOCS / "honesty.md"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]

PROGRAM = "kalshi-assets"
COMMAND: Any = typer.main.get_command(app)


def _section(page: Path, heading: str) -> str:
    return page.read_text("utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def _first_cells(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def _leaves(command: Any, name: str = PROGRAM) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for word, child in children.items():
        yield from _leaves(child, f"{name} {word}")


def _shown() -> list[str]:
    """Every command line of README and docs, in blocks and in the text."""
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    shells = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines = [line for block in shells for line in _lines(block)]
    lines += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]
    return [line for line in lines if line.split()[0] in ("make", PROGRAM)]


def _lines(block: str) -> list[str]:
    # A quoted statement runs over several lines.
    joined = re.sub(r'"[^"]*"', lambda quoted: " ".join(quoted[0].split()), block)
    return [line.partition("  #")[0].rstrip(" &") for line in joined.splitlines() if line.strip()]


def test_the_readme_can_be_read_in_five_minutes() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 120


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)", README.read_text("utf-8")))
    assert linked == {page.name for page in DOCS.glob("*.md")}


def test_the_differences_that_the_readme_states_are_the_scoreboards() -> None:
    stated = re.findall(r"[+−][\d.]+\s\[[+−][\d.]+, [+−][\d.]+\]", README.read_text("utf-8"))
    scoreboard = (DOCS / "scoreboard.md").read_text("utf-8")
    assert len(stated) == 3
    assert [figure for figure in stated if figure not in scoreboard] == []


def test_the_settings_page_lists_every_setting() -> None:
    aliases = {field.validation_alias for field in Settings.model_fields.values()}
    assert set(_first_cells(_section(SETTINGS, "Environment variables"))) == aliases


def test_the_settings_page_states_the_defaults_in_force() -> None:
    section = _section(SETTINGS, "Environment variables")
    rows = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section, re.MULTILINE))
    for name, field in Settings.model_fields.items():
        stated = rows[str(field.validation_alias)].strip().strip("`")
        if name == "cities":
            assert stated == f"all {len(field.default)}"
        else:
            assert stated == ("none" if field.default is None else str(field.default))


def test_the_settings_page_lists_every_configuration_file() -> None:
    files = {path.name for path in (ROOT / "kalshi_assets" / "config").glob("*.toml")}
    assert set(_first_cells(_section(SETTINGS, "Configuration files"))) == files


def test_the_commands_page_lists_every_command() -> None:
    named = set(_first_cells(_section(COMMANDS, "Overview")))
    assert named == {name for name, _ in _leaves(COMMAND)}


@pytest.mark.parametrize("name", [name for name, _ in _leaves(COMMAND)])
def test_the_commands_page_lists_every_option(name: str) -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", _section(COMMANDS, name), re.MULTILINE)
    listed = {tuple(re.findall(r"`([^`]+)`", cell)) for cell in rows}
    # An option that can be switched off is listed by what switches it on.
    assert listed == {tuple(parameter.opts) for parameter in dict(_leaves(COMMAND))[name].params}


def test_the_reasons_and_statuses_are_explained_in_their_order() -> None:
    assert _first_cells(_section(HONESTY, "Reasons for no order")) == REASONS
    assert _first_cells(_section(HONESTY, "Status of the weather")) == WEATHER_STATUSES


def test_the_limits_of_trading_are_stated_as_they_are_set() -> None:
    stated = dict(
        re.findall(
            r"^\| `(\w+)` \| (.+) \|$", _section(HONESTY, "Reasons for no order"), re.MULTILINE
        )
    )
    limits = trading_params(load_toml(CONFIG_NAME), "new_york")
    for reason, values in {
        "stale_quote": [limits.max_quote_age_s],
        "extreme_probability": [limits.min_probability, limits.max_probability],
        "wide_spread": [limits.max_spread_cents],
        "low_volume": [limits.min_volume_15m],
        "hazard": [limits.max_hazard_5m],
        "signal_too_weak": [limits.move.min_signal],
        "move_too_small": [limits.move.maker_min_move_cents, limits.move.taker_min_move_cents],
        "no_set": [limits.sets.set_min_edge_cents],
        "edge_too_small": [limits.value.maker_min_edge_cents, limits.value.taker_min_edge_cents],
        "too_late": [limits.last_minutes_without_orders],
        "position_limit": [limits.max_position_contracts],
        "open_orders_limit": [limits.max_open_orders],
        "order_rate_limit": [limits.max_orders_a_minute],
        "price_collar": [limits.collar_cents],
        "loss_limit": [limits.max_ladder_loss_cc / 10_000, limits.max_daily_loss_cc / 10_000],
    }.items():
        numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", stated[reason])]
        assert set(values) <= set(numbers), reason


def test_the_status_page_speaks_of_every_command_and_every_asset() -> None:
    named = set(_first_cells((DOCS / "status.md").read_text("utf-8")))
    assert {name for name, _ in _leaves(COMMAND)} <= named
    assert {table.full_name for table in TABLES} <= named


@pytest.mark.parametrize("line", sorted(set(_shown())))
def test_every_command_shown_is_understood(line: str) -> None:
    program, *words = shlex.split(line)
    if program == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert [word for word in words if "=" not in word and word not in targets] == []
        return
    if words[:1] == ["COMMAND"]:
        return
    command, path = COMMAND, [program]
    while words and words[0] in getattr(command, "commands", {}):
        path.append(words.pop(0))
        command = command.commands[path[-1]]
    assert not hasattr(command, "commands"), f"{line}: no such command"
    if words:
        command.make_context(" ".join(path), words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_picture_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    inside = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in inside if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_named_exists(page: Path) -> None:
    named = re.findall(
        r"`((?:kalshi_assets|kalshi_assets_tests|docs)/[\w./-]+)`", page.read_text("utf-8")
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_page_of_tables_is_made_from_the_declarations() -> None:
    remedy = "run: python -m kalshi_assets.tables.documentation > docs/tables.md"
    assert (DOCS / "tables.md").read_text("utf-8") == rendered(), remedy


def test_every_room_is_on_the_map_and_every_room_on_the_map_exists() -> None:
    on_the_map = set(_first_cells(_section(DOCS / "architecture.md", "Rooms")))
    rooms = {
        f"kalshi_assets/{path.parent.name}"
        for path in (ROOT / "kalshi_assets").glob("*/__init__.py")
    }
    assert on_the_map == rooms


def test_the_map_says_which_rooms_a_room_imports() -> None:
    rooms = [path.parent.name for path in (ROOT / "kalshi_assets").glob("*/__init__.py")]
    imports = {
        room: sorted(
            {
                module.split(".")[1]
                for path in (ROOT / "kalshi_assets" / room).rglob("*.py")
                for module in _imported_modules(path)
                if module.startswith("kalshi_assets.")
            }
            & set(rooms) - {room}
        )
        for room in rooms
    }
    rows = _section(DOCS / "architecture.md", "Rooms").splitlines()
    cells = [row.split("|") for row in rows if row.startswith("| `kalshi_assets/")]
    on_the_map = {row[1].strip(" `").split("/")[1]: row[3].strip() for row in cells}
    assert on_the_map == {room: ", ".join(imports[room]) or "nothing" for room in rooms}


def _imported_modules(path: Path) -> list[str]:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
