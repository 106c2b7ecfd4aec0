"""The command line: parses arguments and reports every error in one sentence.

Here: names, options and help of the commands. Not here: what they do (`commands`).
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

app = typer.Typer(
    name="kalshi-assets",
    help="Data platform for Kalshi temperature markets: backfills, probabilities, backtests.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
sandbox_app = typer.Typer(
    help="Run a simulated exchange and weather service.", no_args_is_help=True
)
bench_app = typer.Typer(
    help="Measure the speed of the platform on this machine.", no_args_is_help=True
)
study_app = typer.Typer(help="Score forecasts on recorded days.", no_args_is_help=True)
kill_app = typer.Typer(
    help="Cancel everything at the exchange, and keep sessions from trading.", no_args_is_help=True
)
live_app = typer.Typer(help="Before a session at the real exchange.", no_args_is_help=True)
for name, group in (
    ("sandbox", sandbox_app),
    ("bench", bench_app),
    ("study", study_app),
    ("kill-switch", kill_app),
    ("live", live_app),
):
    app.add_typer(group, name=name)

PIPED_WIDTH = 140

STUDIED_CITIES = ["new_york", "chicago", "miami", "austin", "denver"]

console = Console(width=None if Console().is_terminal else PIPED_WIDTH)
errors = Console(stderr=True)


class Mode(StrEnum):
    """What becomes of a session's orders."""

    SHADOW = "shadow"
    PAPER = "paper"
    DEMO = "demo"
    LIVE = "live"


FirstDay = Annotated[
    datetime, typer.Option(formats=["%Y-%m-%d"], help="First climate day, YYYY-MM-DD.")
]
LastDay = Annotated[
    datetime, typer.Option(formats=["%Y-%m-%d"], help="Last climate day, included, YYYY-MM-DD.")
]
Cities = Annotated[
    list[str], typer.Option("--city", "-c", help="Name of a city; repeat for more cities.")
]
ArchiveFolder = Annotated[
    Path | None,
    typer.Option(
        "--archive",
        envvar="ARCHIVE",
        help="Recordings to serve; default: ../shared/data/archive, or a generated world.",
    ),
]
StudyArchive = Annotated[
    Path | None, typer.Option(help="Folder of recordings; default: ../shared/data/archive.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def demo(archive: ArchiveFolder = None) -> None:
    """Run the whole asset graph on recorded or generated city-days and print a summary."""
    from kalshi_assets.commands.demo import run_demo

    raise typer.Exit(0 if run_demo(console, archive) else 1)


@app.command()
def promotion(
    strategy: Annotated[str, typer.Option(help="The strategy that would trade.")] = "value",
    end: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last day of the window; default: today."),
    ] = None,
) -> None:
    """Say GO or NO-GO from weeks of shadow; exit code 1 for NO-GO."""
    from kalshi_assets.commands.promotion import run_promotion

    last = (end or datetime.now()).date()  # noqa: DTZ005 (the desk's date)
    raise typer.Exit(0 if run_promotion(console, strategy=strategy, end=last) else 1)


@app.command()
def trade(
    city: Cities,
    day: Annotated[
        datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="Climate day, YYYY-MM-DD.")
    ],
    mode: Annotated[
        Mode, typer.Option(envvar="TRADE_MODE", help="shadow, or paper: orders are simulated.")
    ] = Mode.SHADOW,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            help="Whose orders; default: in shadow the three side by side, else value.",
        ),
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Trade a past day, served by a sandbox.")
    ] = False,
    archive: ArchiveFolder = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M"],
            help="With --sandbox: begin at this time, UTC; default: open.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Of the session's page; others need KALSHI_ASSETS_PAGE_TOKEN.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Of the session's page; 0: a free one.")] = 0,
    understood: Annotated[
        bool, typer.Option("--i-understand-the-risks", help="Needed by --mode live.")
    ] = False,
) -> None:
    """Run a trading session of one day and compare its decisions with the backtest."""
    from kalshi_assets.commands.trade import Request, run_trade

    asked = Request(
        cities=city,
        day=day.date(),
        mode="shadow" if mode is Mode.PAPER else mode.value,
        strategies=strategy or [],
        sandbox=sandbox,
        archive=archive,
        since=None if since is None else since.replace(tzinfo=UTC),
        host=host,
        port=port,
        understood=understood,
    )
    raise typer.Exit(0 if run_trade(console, errors, asked) else 1)


@app.command()
def ui(
    archive: ArchiveFolder = None,
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    running_day: Annotated[
        bool,
        typer.Option(
            "--running-day",
            help="The sandbox's last day is in progress, generated unless --archive is given.",
        ),
    ] = False,
    speed: Annotated[
        float, typer.Option(min=1, max=1000, help="Of the running day: seconds per second.")
    ] = 1.0,
) -> None:
    """Start the Dagster UI and daemon, with a sandbox unless services are configured."""
    from kalshi_assets.commands.ui import run_ui

    running_at = speed if running_day else None
    raise typer.Exit(run_ui(console, archive, port, running_at=running_at))


@app.command()
def backfill(
    city: Cities,
    start: FirstDay,
    end: LastDay,
    replay: Annotated[
        bool, typer.Option(help="Use stored raw responses; send no requests.")
    ] = False,
    archive: Annotated[
        Path | None,
        typer.Option(help="Recordings that a sandbox serves in place of the configured services."),
    ] = None,
) -> None:
    """Fetch and materialise every city-day from --start to --end."""
    from kalshi_assets.commands import watch

    wanted = [(name, start.date(), end.date()) for name in city]
    if replay and archive is not None:
        raise ValueError("--replay and --archive cannot be combined; choose one")
    if replay:
        finished = watch.backfill_replayed(console, wanted)
    elif archive is not None:
        finished = watch.backfill_served(console, wanted, archive)
    else:
        finished = watch.backfill_watched(console, wanted)
    raise typer.Exit(0 if finished else 1)


@app.command()
def backtest(
    city: Cities,
    start: FirstDay,
    end: LastDay,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            envvar="KALSHI_ASSETS_STRATEGY",
            help="value, move, sets or module:Class of yours; repeat for more; default: the three.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value in place of trading.toml; repeat for more."),
    ] = None,
) -> None:
    """Backtest stored city-days from --start to --end; writes nothing."""
    from kalshi_assets.commands.backtest import changes_of, run_backtest

    complete = run_backtest(
        console,
        errors,
        cities=city,
        start=start.date(),
        end=end.date(),
        strategies=strategy or [],
        changes=changes_of(set_ or []),
    )
    raise typer.Exit(0 if complete else 1)


@app.command()
def sweep(
    city: Cities,
    start: FirstDay,
    end: LastDay,
    processes: Annotated[int, typer.Option(min=1, help="Days computed at once.")] = 2,
    again: Annotated[bool, typer.Option(help="Also days that have their surfaces.")] = False,
) -> None:
    """Vary parameters of the backtest over stored city-days; resumes, and writes a page."""
    from kalshi_assets.commands.sweep import run_sweep

    complete = run_sweep(
        console,
        errors,
        cities=city,
        start=start.date(),
        end=end.date(),
        processes=processes,
        again=again,
    )
    raise typer.Exit(0 if complete else 1)


@app.command()
def performance() -> None:
    """Write the performance page of all backtested city-days, and print the result."""
    from kalshi_assets.commands.performance import run_performance

    run_performance(console)


@app.command()
def record(
    city: Cities,
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
            help="When to stop, UTC, such as 2026-11-21T06:00; default: when interrupted.",
        ),
    ] = None,
) -> None:
    """Record order books and trades of the cities' open events from the exchange's stream."""
    from kalshi_assets.commands.record import run_record

    run_record(console, city, until)


@app.command()
def catalog() -> None:
    """Create the DuckDB catalogue, or update it after tables were added."""
    from kalshi_assets.families.temperature.cities import TEMPERATURE
    from kalshi_assets.lake.catalogue import CATALOGUE, create_catalogue
    from kalshi_assets.lake.store import Lake
    from kalshi_assets.settings import Settings

    files = Settings().files
    for view in create_catalogue(Lake(files, TEMPERATURE)):
        console.print(view)
    path = files.address(CATALOGUE)
    console.print(f"[dim]in {path}; any client may open it read-only[/dim]")


@app.command()
def sql(
    statement: Annotated[
        str, typer.Argument(help="One SELECT over the catalogue; times are in UTC.")
    ],
    format_: Annotated[
        str, typer.Option("--format", "-f", help="Output format: table, csv or json.")
    ] = "table",
) -> None:
    """Query the lake in SQL."""
    from kalshi_assets.commands.query import Format, query, rendered
    from kalshi_assets.settings import Settings

    if format_ not in list(Format):
        raise ValueError(f"unknown format {format_!r}; known: {', '.join(Format)}")
    typer.echo(rendered(query(Settings().files, statement), Format(format_)))


@app.command()
def doctor() -> None:
    """Check configuration, disk, lake, catalogue, services and clock; suggest fixes."""
    from kalshi_assets.commands.doctor import examine

    failed = False
    for line in examine():
        failed |= not line.ok
        mark = "[green]ok[/green]" if line.ok else "[red]!![/red]"
        console.print(
            f"{mark}  [bold]{line.subject:<16}[/bold] {escape(line.text)}", soft_wrap=True
        )
    raise typer.Exit(int(failed))


@sandbox_app.command("serve")
def sandbox_serve(
    archive: Annotated[Path, typer.Option(help="Folder of recordings.")],
    port: Annotated[int, typer.Option(help="Port; 0 selects a free one.")] = 8750,
    state_dir: Annotated[
        Path, typer.Option(help="Folder for the private key and sandbox.json.")
    ] = Path("data/sandbox"),
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="Also stop when standard input ends.")
    ] = False,
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            help="Accept orders and stream, from this time on, such as 2025-05-05T12:00:00Z.",
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(help="Simulated seconds per second; 0: time stands until it is moved.")
    ] = 1.0,
    balance: Annotated[int, typer.Option(help="Cash of a new account, dollars.")] = 1_000,
    books: Annotated[
        Path | None, typer.Option(help="File that keeps the account; default: in memory.")
    ] = None,
    read_lag: Annotated[
        float, typer.Option(help="Seconds until reads show that an order was cancelled.")
    ] = 0.4,
    write_rate: Annotated[
        float, typer.Option(help="Tokens per second for writes; an order costs 10.")
    ] = 100.0,
    read_rate: Annotated[
        float, typer.Option(help="Tokens per second for reads; most cost 10.")
    ] = 200.0,
) -> None:
    """Serve recordings as the exchange and the weather services would, until interrupted."""
    from kalshi_assets.sandbox.app import Trading
    from kalshi_assets.sandbox.buckets import BucketSize
    from kalshi_assets.sandbox.server import serve
    from kalshi_assets.units import CC_A_DOLLAR

    def announce(state: Mapping[str, object]) -> None:
        console.print(f"serving {archive} at {state['url']}; stop with Ctrl-C", soft_wrap=True)
        console.print(f"key id {state['key_id']}, private key {state['pem']}", soft_wrap=True)
        console.print(
            f"weather key {state['weather_key']}; addresses are in {state_dir}/sandbox.json",
            soft_wrap=True,
        )

    trading = None
    if start is not None:
        trading = Trading(
            start=start,
            speed=speed,
            balance_cc=balance * CC_A_DOLLAR,
            books=books,
            read_lag_s=read_lag,
            write_bucket=BucketSize(refill_rate=write_rate, capacity=write_rate),
        )
    serve(
        archive,
        port=port,
        state_dir=state_dir,
        until_eof=until_eof,
        announce=announce,
        trading=trading,
        read_bucket=BucketSize(refill_rate=read_rate, capacity=read_rate),
    )


@sandbox_app.command("generate")
def sandbox_generate(
    out: Annotated[Path, typer.Option(help="Folder to create.")],
    cities: Annotated[str, typer.Option(help="Names of cities, comma-separated.")],
    start: FirstDay,
    end: LastDay,
    seed: Annotated[
        int, typer.Option(help="Random seed; the same seed gives the same recordings.")
    ] = 7,
) -> None:
    """Generate synthetic recordings."""
    from kalshi_assets.commands.services import generate_watched

    names = [name.strip() for name in cities.split(",") if name.strip()]
    generate_watched(console, out, names, start.date(), end.date(), seed)


@bench_app.command("chain")
def bench_chain(
    json: AsJson = False,
    cities: Annotated[int, typer.Option(help="Number of generated cities.")] = 2,
    days: Annotated[int, typer.Option(help="Number of days per city.")] = 30,
) -> None:
    """Measure city-days per second from stored raw responses to the report."""
    from kalshi_assets.benchmarks.chain import run_bench

    run_bench(console, cities=cities, days=days, as_json=json)


@bench_app.command("features")
def bench_features(
    cities: Annotated[int, typer.Option(help="Number of cities in the training data.")] = 5,
    days: Annotated[int, typer.Option(help="Number of days per city.")] = 150,
    json: AsJson = False,
) -> None:
    """Measure features, market PMF, pool and classifiers against a plain reference."""
    from kalshi_assets.benchmarks.features import run_feature_bench

    run_feature_bench(console, cities=cities, days=days, as_json=json)


@bench_app.command("engine")
def bench_engine(json: AsJson = False) -> None:
    """Measure bracket-minutes per second of the trading engine, decisions included."""
    from kalshi_assets.benchmarks.engine import run_engine_bench

    run_engine_bench(console, as_json=json)


@bench_app.command("hazard")
def bench_hazard(json: AsJson = False) -> None:
    """Compare the exact hazard with a million simulated paths, by result and by time."""
    from kalshi_assets.benchmarks.hazard import run_bench

    run_bench(console, as_json=json)


@kill_app.command("on")
def kill_switch_on(
    by: Annotated[str, typer.Option(help="Who switches it on.")] = "operator",
    reason: Annotated[str, typer.Option(help="Why.")] = "switched on by hand",
    patience: Annotated[
        float, typer.Option(help="Seconds to go on until nothing rests at the exchange.")
    ] = 60.0,
) -> None:
    """Trigger the order groups, cancel all orders, and verify that none rests."""
    from kalshi_assets.commands.kill_switch import switch_on

    verified = switch_on(console, by=by, reason=reason, patience_s=patience)
    raise typer.Exit(0 if verified else 1)


@kill_app.command("off")
def kill_switch_off(by: Annotated[str, typer.Option(help="Who switches it off.")]) -> None:
    """Allow sessions to start and to trade again."""
    from kalshi_assets.commands.kill_switch import switch_off

    switch_off(console, by=by)


@kill_app.command("status")
def kill_switch_status() -> None:
    """Print the state of the kill switch; exit code 1 if it is on."""
    from kalshi_assets.commands.kill_switch import show_status

    raise typer.Exit(0 if show_status(console) else 1)


@bench_app.command("live")
def bench_live(json: AsJson = False) -> None:
    """Measure live sessions: frames to books, minutes to decisions, orders to the socket."""
    from kalshi_assets.benchmarks.live import run_live_bench

    run_live_bench(console, as_json=json)


@live_app.command("smoke")
def live_smoke(json: AsJson = False) -> None:
    """Ask the real exchange everything that a session needs; read only."""
    from kalshi_assets.commands.smoke import run_smoke

    raise typer.Exit(run_smoke(console, as_json=json))


@study_app.command("weather")
def study_weather(
    archive: StudyArchive = None,
    out: Annotated[Path, typer.Option(help="Folder for verification.md.")] = Path("docs"),
    city: Annotated[
        str, typer.Option("--city", "-c", help="Name of a city with reports.")
    ] = "new_york",
    start: FirstDay = datetime(2025, 4, 1),  # noqa: DTZ001
    end: LastDay = datetime(2025, 7, 31),  # noqa: DTZ001
    json: AsJson = False,
) -> None:
    """Score the weather hazard against climatology, persistence and the market."""
    from kalshi_assets.commands.study import run_weather_study

    run_weather_study(
        console,
        archive=archive,
        out=out,
        name=city,
        start=start.date(),
        end=end.date(),
        as_json=json,
    )


@study_app.command("market")
def study_market(
    archive: StudyArchive = None,
    out: Annotated[Path, typer.Option(help="Folder for scoreboard.md.")] = Path("docs"),
    city: Cities = STUDIED_CITIES,
    start: FirstDay = datetime(2024, 12, 1),  # noqa: DTZ001
    end: LastDay = datetime(2025, 4, 30),  # noqa: DTZ001
    json: AsJson = False,
) -> None:
    """Score market, weather, pool, calibration and classifiers; resumes an interrupted study."""
    from kalshi_assets.commands.study_market import run_market_study

    run_market_study(
        console,
        archive=archive,
        out=out,
        cities=city,
        start=start.date(),
        end=end.date(),
        as_json=json,
        command=_studied("market", city, start, end),
    )


@study_app.command("backtest")
def study_backtest(
    archive: StudyArchive = None,
    out: Annotated[Path, typer.Option(help="Folder for backtest.md.")] = Path("docs"),
    city: Cities = STUDIED_CITIES,
    start: FirstDay = datetime(2024, 12, 1),  # noqa: DTZ001
    end: LastDay = datetime(2025, 4, 30),  # noqa: DTZ001
) -> None:
    """Backtest every strategy under every fill model on recorded days; resumes."""
    from kalshi_assets.commands.study_backtest import run_backtest_study

    run_backtest_study(
        console,
        archive=archive,
        out=out,
        cities=city,
        start=start.date(),
        end=end.date(),
        command=_studied("backtest", city, start, end),
    )


@study_app.command("virtual-makers")
def study_virtual_makers(
    archive: StudyArchive = None,
    out: Annotated[Path, typer.Option(help="Folder for fills.md.")] = Path("docs"),
    city: Cities = STUDIED_CITIES,
    start: FirstDay = datetime(2024, 12, 1),  # noqa: DTZ001
    end: LastDay = datetime(2025, 4, 30),  # noqa: DTZ001
    json: AsJson = False,
) -> None:
    """Place virtual orders on recorded tapes: would each fill model have filled them?"""
    from kalshi_assets.commands.study_virtual_makers import run_fill_study

    run_fill_study(
        console,
        archive=archive,
        out=out,
        cities=city,
        start=start.date(),
        end=end.date(),
        as_json=json,
        command=_studied("virtual-makers", city, start, end),
    )


def _studied(name: str, city: list[str], start: datetime, end: datetime) -> str:
    """The command line of a study, as its page shows it."""
    cities = (f"--city {each}" for each in city if city != STUDIED_CITIES)
    days = f"--start {start.date()} --end {end.date()}"
    return " ".join([f"kalshi-assets study {name}", *cities, days])


def main() -> None:
    """Run the command line; a known error prints one sentence and exits with code 2."""
    import duckdb
    import stamina

    # Do not print retries.
    stamina.instrumentation.set_on_retry_hooks([])
    try:
        app()
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        _fail(problems)
    except (ValueError, KeyError, OSError, RuntimeError, duckdb.Error) as error:
        _fail(str(error))


def _fail(sentence: str) -> NoReturn:
    errors.print(f"[red]error:[/red] {escape(sentence)}", soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
