"""Order and uniqueness of a key, against sorting."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.tables.limits import strictly_ascending

SCHEMA = {"name": pl.String, "hour": pl.Int8, "x": pl.Float64}
rows = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.sampled_from([0.0, 0.5, 1.0])),
    max_size=5,
)
keys = st.permutations(list(SCHEMA)).flatmap(lambda p: st.integers(1, 3).map(lambda n: p[:n]))


@given(rows, keys, st.booleans())
def test_it_is_what_sorting_without_repetition_leaves_as_it_is(
    drawn: list[tuple], key: list[str], in_order: bool
) -> None:
    frame = pl.DataFrame(drawn, schema=SCHEMA, orient="row")
    if in_order:
        frame = frame.sort(key)
    kept = frame.select(key)
    assert strictly_ascending(frame, key) == kept.equals(kept.unique().sort(key))


@pytest.mark.parametrize("name", ["name", "hour"])
def test_a_key_with_nulls_is_not_in_order(name: str) -> None:
    frame = pl.DataFrame([("a", 0, 0.0), ("b", 1, 0.0)], schema=SCHEMA, orient="row")
    assert strictly_ascending(frame, [name])
    with_null = frame.with_columns(pl.when(pl.col(name) == pl.col(name).max()).then(pl.col(name)))
    assert not strictly_ascending(with_null, [name])
