"""The contract's one pass over a frame must say what Pandera says."""

from collections.abc import Callable

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.tables import OBSERVATIONS, TABLES, ContractViolationError, Table
from kalshi_assets.tables.contract import Contract, UtcTime, column
from kalshi_assets_tests.lake.handmade import events, fused, observations, settlements


class Sample(Contract):
    """A row."""

    name: pl.String = column("Its name.", isin=["a", "b", "c"])
    amount: pl.Float64 = column("How much.", unit="f", ge=0, le=10)
    perhaps: pl.Float64 = column("Perhaps how much.", gt=0, nullable=True)
    count: pl.Int16 = column("How many.", lt=5)


SAMPLE = Table("test", "sample", Sample, key=("name",))

samples = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", None]),
        st.one_of(st.none(), st.floats(-1, 11), st.just(float("nan"))),
        st.one_of(st.none(), st.floats(-1, 11)),
        st.one_of(st.none(), st.integers(3, 6)),
    ),
    max_size=3,
    unique_by=lambda row: row[0],
)


@given(samples)
def test_one_pass_says_what_pandera_says(rows: list[tuple]) -> None:
    frame = pl.DataFrame(rows, schema=SAMPLE.dtypes, orient="row")
    try:
        Sample.to_schema().validate(frame, lazy=True)
        keeps = True
    except pa.errors.SchemaErrors:
        keeps = False
    if keeps:
        assert SAMPLE.conform(frame).height == len(rows)
    else:
        with pytest.raises(ContractViolationError, match=r"test\.sample"):
            SAMPLE.conform(frame)


@given(st.lists(st.sampled_from("abc"), max_size=5))
def test_a_repeated_key_is_refused(names: list[str]) -> None:
    frame = pl.DataFrame(
        {"name": names, "amount": 1.0, "perhaps": None, "count": 1}, schema=SAMPLE.dtypes
    )
    if len(set(names)) == len(names):
        assert SAMPLE.conform(frame)["name"].to_list() == sorted(names)
    else:
        with pytest.raises(ContractViolationError, match="key"):
            SAMPLE.conform(frame)


def test_columns_come_in_the_contracts_order_and_rows_by_key() -> None:
    frame = observations([61, 62, 63]).reverse()
    conformed = OBSERVATIONS.conform(frame.select(sorted(frame.columns)))
    assert conformed.equals(observations([61, 62, 63]))


def test_the_error_names_every_offending_column() -> None:
    frame = observations([61, 62]).with_columns(temp_f=pl.lit(900.0), kind=pl.lit("guess"))
    with pytest.raises(ContractViolationError) as error:
        OBSERVATIONS.conform(frame)
    assert "temp_f" in str(error.value)
    assert "kind" in str(error.value)


@pytest.mark.parametrize("make", [observations, events, fused, settlements])
def test_the_handmade_frames_keep_their_contracts(make: Callable[..., pl.DataFrame]) -> None:
    table = next(t for t in TABLES if t.name in (make.__name__, f"{make.__name__}_pmf"))
    frame = make([61]) if make is observations else make()
    assert table.conform(frame).sort(table.key).equals(frame.select(*table.dtypes).sort(table.key))


@pytest.mark.parametrize("table", TABLES, ids=Table.full_name.fget)
def test_every_table_says_what_it_is(table: Table) -> None:
    assert len(table.description) > 20
    assert set(table.key) <= set(table.dtypes)
    assert set(table.pmfs) <= set(table.dtypes)
    for name, spec in table.columns.items():
        assert spec.description, f"{table.full_name}.{name}"
    units = {name: (spec.metadata or {}).get("unit") for name, spec in table.columns.items()}
    for suffix, unit in (("_cc", "cc"), ("_f", "f"), ("_s", "s"), ("_cents", "cents")):
        wrong = [name for name in units if name.endswith(suffix) and units[name] != unit]
        assert wrong == [], f"{table.full_name}: unit of {wrong}"


@pytest.mark.parametrize("table", TABLES, ids=Table.full_name.fget)
def test_times_are_utc_and_raw_rows_say_when_they_were_known(table: Table) -> None:
    for dtype in table.dtypes.values():
        if isinstance(dtype, pl.Datetime):
            assert dtype == pl.Datetime("us", "UTC")
    if table.schema in ("market", "weather"):
        assert {"event_time", "known_at", "raw_sha256"} <= set(table.dtypes)


def test_the_same_quantity_has_the_same_type_everywhere() -> None:
    seen: dict[str, tuple[pl.DataType, str]] = {}
    for table in TABLES:
        for name, dtype in table.dtypes.items():
            if name == "value":  # of a parameter or quantile a float, of what settled ticks
                continue
            first, where = seen.setdefault(name, (dtype, table.full_name))
            assert dtype == first, f"{name}: {dtype} in {table.full_name}, {first} in {where}"


def test_utc_time_is_what_the_tables_mean_by_time() -> None:
    assert UtcTime.__metadata__ == ("us", "UTC")
