import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kalshi_assets.families.temperature.cities import TEMPERATURE, city_day
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import (
    Lake,
    MissingPartitionError,
    OriginMismatchError,
    OutdatedPartitionError,
    Partitions,
    SpoiltPartitionError,
)
from kalshi_assets.tables import FORECASTS, OBSERVATIONS, ContractViolationError
from kalshi_assets_tests.lake.handmade import KEY, observations


def _path(lake: Lake, key: LadderDay) -> Path:
    return Path(lake.address(OBSERVATIONS, key))


def test_what_is_written_is_read_back(lake: Lake) -> None:
    written = lake.write(OBSERVATIONS, KEY, observations([61, 62.5]))
    assert_frame_equal(lake.read(OBSERVATIONS, KEY), written, check_exact=True)
    assert lake.files.exists("lake/weather/observations/city=new_york/date=2025-04-25/part.parquet")


def test_a_partition_is_replaced_whole(lake: Lake) -> None:
    lake.write(OBSERVATIONS, KEY, observations([61, 62, 63]))
    lake.write(OBSERVATIONS, KEY, observations([50]))
    assert lake.read(OBSERVATIONS, KEY)["temp_f"].to_list() == [50.0]


def test_writing_the_same_again_gives_the_same_bytes(lake: Lake) -> None:
    lake.write(OBSERVATIONS, KEY, observations([61, 62, 63]))
    before = _path(lake, KEY).read_bytes()
    lake.write(OBSERVATIONS, KEY, observations([61, 62, 63]).reverse())
    assert _path(lake, KEY).read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda f: f.with_columns(temp_f=pl.lit(500.0)), ["temp_f", "row 0", "500.0"]),
        (lambda f: f.with_columns(source=pl.lit(None, pl.String)), ["source", "null"]),
        (lambda f: f.with_columns(kind=pl.lit("guess")), ["kind", "guess"]),
        (lambda f: f.drop("lo_f"), ["missing columns ['lo_f']"]),
        (lambda f: f.with_columns(extra=1), ["unexpected columns ['extra']"]),
        (lambda f: f.cast({"lo_f": pl.Int64}), ["lo_f", "Int64 instead of Int16"]),
        (lambda f: pl.concat([f, f]), ["key", "event_time", "2025"]),
        (lambda f: f.with_columns(temp_f=pl.lit(float("nan"))), ["temp_f"]),
    ],
)
def test_a_violated_contract_names_the_offender_and_keeps_the_old_partition(
    lake: Lake, spoil: Callable[[pl.DataFrame], pl.DataFrame], named: list[str]
) -> None:
    old = lake.write(OBSERVATIONS, KEY, observations([61, 62]))
    with pytest.raises(ContractViolationError) as error:
        lake.write(OBSERVATIONS, KEY, spoil(observations([63, 64])))
    for text in ["weather.observations", *named]:
        assert text in str(error.value)
    assert_frame_equal(lake.read(OBSERVATIONS, KEY), old, check_exact=True)


def test_a_missing_partition_says_how_to_make_it(lake: Lake) -> None:
    assert not lake.has(OBSERVATIONS, KEY)
    with pytest.raises(MissingPartitionError, match=r"weather\.observations .*new_york 2025-04-25"):
        lake.read(OBSERVATIONS, KEY)
    with pytest.raises(MissingPartitionError, match="backfill --city new_york --start 2025-04-25"):
        lake.read(OBSERVATIONS, KEY)


def _as_an_older_version(lake: Lake, key: LadderDay) -> None:
    old = observations([61], key).drop("lo_f").cast({"hi_f": pl.Int64}).with_columns(humidity=0.5)
    path = _path(lake, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    old.write_parquet(path)


def test_a_partition_of_another_version_says_so_and_how_to_renew_it(lake: Lake) -> None:
    _as_an_older_version(lake, KEY)
    with pytest.raises(OutdatedPartitionError) as error:
        lake.read(OBSERVATIONS, KEY)
    assert str(error.value) == (
        "weather.observations, partition new_york 2025-04-25: written by another version of the "
        "platform, whose columns differ: lo_f missing; humidity unknown; hi_f Int64 instead of "
        "Int16. Materialise again: kalshi-assets backfill --city new_york --start 2025-04-25 "
        "--end 2025-04-25"
    )
    lake.write(OBSERVATIONS, KEY, observations([61]))
    assert lake.read(OBSERVATIONS, KEY).height == 1


def test_a_partition_of_another_version_is_not_passed_over_as_missing(lake: Lake) -> None:
    earlier = KEY.earlier(2)
    _as_an_older_version(lake, earlier[0])
    with pytest.raises(OutdatedPartitionError, match=f"{earlier[0]}"):
        Partitions(lake, OBSERVATIONS, earlier).if_there(earlier[0])


def test_neither_temporary_files_nor_placeholders_count_as_partitions(lake: Lake) -> None:
    lake.write(OBSERVATIONS, KEY, observations([61]))
    _path(lake, KEY).with_name(".part.parquet.1.ab.tmp").write_bytes(b"PAR1 half")
    tomorrow = city_day(KEY.ladder, KEY.date + timedelta(days=1))
    _path(lake, tomorrow).parent.mkdir()
    _path(lake, tomorrow).with_name(".part.parquet.2.cd.tmp").write_bytes(b"PAR1")
    lake.write_placeholder(OBSERVATIONS)
    assert lake.keys(OBSERVATIONS) == [KEY]
    assert not lake.has(OBSERVATIONS, tomorrow)


def test_city_days_are_those_of_any_of_the_tables_whatever_else_lies_there(lake: Lake) -> None:
    earlier, later = KEY.earlier(1)[0], KEY.on(KEY.date + timedelta(days=1))
    for table, key in ((OBSERVATIONS, KEY), (OBSERVATIONS, earlier), (FORECASTS, KEY)):
        lake.files.write(lake.name(table, key), b"")
    lake.files.write("lake/weather/observations/notes.txt", b"")
    lake.files.write(f"lake/weather/forecasts/city=new_york/date={later.date}/notes.txt", b"")
    assert lake.keys(OBSERVATIONS, FORECASTS) == [earlier, KEY]
    assert lake.keys(FORECASTS) == [KEY]


def test_a_lake_belongs_to_the_origin_that_filled_it_first(lake: Lake) -> None:
    lake.claim("exchange")
    lake.claim("exchange")
    with pytest.raises(OriginMismatchError) as error:
        lake.claim("generated world, seed 7")
    for text in ["'exchange'", "'generated world, seed 7'", "KALSHI_ASSETS_DATA", lake.root]:
        assert text in str(error.value)


CLAIMS = """
import sys
from pathlib import Path
from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake, OriginMismatchError

print("ready", flush=True)
for line in sys.stdin:
    try:
        Lake(Files(Path(line.strip())), TEMPERATURE).claim(sys.argv[1])
        print("mine", flush=True)
    except OriginMismatchError as error:
        print(error, flush=True)
"""


def test_of_processes_that_claim_a_lake_at_once_for_two_origins_one_wins(tmp_path: Path) -> None:
    origins = ("exchange", "recordings", "exchange", "recordings")
    with ExitStack() as stack:
        claimants = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", CLAIMS, origin],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for origin in origins
        ]
        for each in claimants:
            assert each.stdout.readline() == "ready\n"
        for n in range(100):
            root = tmp_path / str(n)
            for each in claimants:
                each.stdin.write(f"{root}\n")
                each.stdin.flush()
            answers = [each.stdout.readline() for each in claimants]
            winner = Lake(Files(root), TEMPERATURE).origin
            for origin, answer in zip(origins, answers, strict=True):
                refusal = f"{root}/lake was filled from {winner!r} and must"
                assert answer.startswith("mine" if origin == winner else refusal)
            assert [path.name for path in (root / "lake").iterdir()] == ["origin.txt"]


def test_a_claim_between_another_s_look_and_its_writing_wins(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        lake.claim("exchange")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    with pytest.raises(OriginMismatchError, match="filled from 'exchange'"):
        lake.claim("recordings")
    assert lake.origin == "exchange"


DIES_IN_MID_CLAIM = """
import os, signal, sys
from pathlib import Path
from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake

os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
Lake(Files(Path(sys.argv[1])), TEMPERATURE).claim("recordings")
"""


def test_a_claim_that_is_killed_claims_nothing(lake: Lake) -> None:
    died = subprocess.run(
        [sys.executable, "-c", DIES_IN_MID_CLAIM, str(lake.files.root)], check=False
    )
    assert died.returncode == -signal.SIGKILL
    assert lake.origin is None
    lake.claim("exchange")
    assert lake.origin == "exchange"


def test_partitions_are_read_when_asked_for(lake: Lake) -> None:
    keys = KEY.earlier(2)
    inputs = Partitions(lake, OBSERVATIONS, [*keys, KEY])
    assert len(inputs) == 3
    assert list(inputs) == [*keys, KEY]
    lake.write(OBSERVATIONS, KEY, observations([61]))
    assert inputs[KEY].height == 1
    with pytest.raises(MissingPartitionError):
        inputs[keys[0]]


def test_a_partition_that_was_not_asked_for_is_refused(lake: Lake) -> None:
    lake.write(OBSERVATIONS, KEY, observations([61]))
    with pytest.raises(KeyError, match="new_york 2025-04-25 is not among"):
        Partitions(lake, OBSERVATIONS, KEY.earlier(1))[KEY]


def test_a_partition_that_is_not_there_or_was_not_asked_for_is_none(lake: Lake) -> None:
    days = KEY.earlier(3)
    for key in (days[0], days[2]):
        lake.write(OBSERVATIONS, key, observations([61], key))
    asked = Partitions(lake, OBSERVATIONS, days[:2])
    assert [asked.if_there(key) is not None for key in days] == [True, False, False]


def test_a_placeholder_of_an_older_contract_is_renewed(lake: Lake) -> None:
    lake.write_placeholder(OBSERVATIONS)
    path = next(lake.files.root.rglob("part.parquet"))
    OBSERVATIONS.empty().drop("lo_f").write_parquet(path)
    lake.write_placeholder(OBSERVATIONS)
    assert "lo_f" in pl.read_parquet_schema(path)


def test_a_partition_that_failed_in_this_run_is_none_or_an_error_whatever_lies_there(
    lake: Lake,
) -> None:
    lake.write(OBSERVATIONS, KEY, observations([60]))
    failed = SpoiltPartitionError(KEY, OBSERVATIONS, "the station was on fire")
    inputs = Partitions(lake, OBSERVATIONS, [KEY], {KEY: failed})
    with pytest.raises(SpoiltPartitionError, match=r"weather.observations failed: the station was"):
        inputs[KEY]
    assert inputs.if_there(KEY) is None
    assert inputs.stored(KEY) is not None


def test_partitions_give_no_day_that_was_not_asked_for(lake: Lake) -> None:
    tomorrow = KEY.on(KEY.date + timedelta(days=1))
    for key in (KEY, tomorrow):
        lake.write(OBSERVATIONS, key, observations([61], key))
    asked = Partitions(lake, OBSERVATIONS, [KEY])
    with pytest.raises(KeyError, match="not among the partitions asked for"):
        asked[tomorrow]
    assert asked.if_there(tomorrow) is None
    assert asked.stored(tomorrow) is None
