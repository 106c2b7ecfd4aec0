import polars as pl
import pytest

from kalshi_assets.pooling.comparison import POOLS, log_losses
from kalshi_assets_tests.pooling.worlds import HOURS, examples, settled_days

WORLD = settled_days(75, (1.3,) * 5, seed=0)


@pytest.fixture(scope="module")
def losses() -> pl.DataFrame:
    return log_losses([examples(day, WORLD)[1] for day in range(75)])


def test_every_pool_is_judged_at_the_same_instants(losses: pl.DataFrame) -> None:
    assert set(losses["pool"]) == {"market", "weather", "prior", *POOLS}
    counted = losses.group_by("pool").agg(pl.len(), pl.n_unique("date"))
    assert set(counted["len"]) == {75 * len(HOURS)}
    assert set(counted["date"]) == {75}
    assert set(losses["hour_lst"]) == set(HOURS)


def test_a_weather_that_knows_more_lowers_the_loss_of_every_pool(losses: pl.DataFrame) -> None:
    mean = dict(losses.group_by("pool").agg(pl.mean("log_loss")).iter_rows())
    assert all(mean[pool] < mean["market"] for pool in ("prior", *POOLS))


def test_without_settled_days_there_is_nothing_to_compare() -> None:
    assert log_losses([]).is_empty()
    assert log_losses([examples(0, WORLD, pays=False)[1]]).is_empty()
