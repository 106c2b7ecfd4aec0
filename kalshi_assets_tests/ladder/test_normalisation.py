import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kalshi_assets.ladder.market_pmf import MarketPmfParams, market_pmf
from kalshi_assets.ladder.normalisation import Rule, normalised
from kalshi_assets_tests.ladder.books import book

Array = NDArray[np.float64]

RULES: tuple[Rule, ...] = ("multiplicative", "power", "shin")
# methods.md 4.4
PRICES = np.array([0.02, 0.10, 0.38, 0.36, 0.14, 0.05])
EXPECTED = {
    "multiplicative": [0.0190, 0.0952, 0.3619, 0.3429, 0.1333, 0.0476],
    "power": [0.0174, 0.0922, 0.3673, 0.3473, 0.1307, 0.0450],
    "shin": [0.0151, 0.0930, 0.3676, 0.3480, 0.1322, 0.0441],
}
prices = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=8).map(np.array)


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_give_the_test_vector_of_the_methods(rule: Rule) -> None:
    assert normalised(PRICES, rule) == pytest.approx(EXPECTED[rule], abs=5e-5)


@pytest.mark.parametrize("rule", RULES)
@given(m=prices)
def test_a_normalised_ladder_is_a_pmf_in_the_order_of_its_prices(rule: Rule, m: Array) -> None:
    p = normalised(m, rule)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert (p >= 0).all()
    assert (np.diff(p[np.argsort(m)]) >= -1e-12).all()


@pytest.mark.parametrize("rule", RULES)
@given(m=prices, seed=st.integers(0, 100))
def test_the_order_of_brackets_does_not_matter_to_a_rule(rule: Rule, m: Array, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(m))
    assert normalised(m[order], rule) == pytest.approx(normalised(m, rule)[order], abs=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_prices_that_sum_to_one_stay_as_they_are(rule: Rule) -> None:
    assert normalised(PRICES / PRICES.sum(), rule) == pytest.approx(PRICES / 1.05, abs=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_every_minute_is_normalised_for_itself(rule: Rule) -> None:
    minutes = np.stack([PRICES, PRICES[::-1] * 0.9, PRICES / PRICES.sum()])
    together = normalised(minutes, rule)
    for t, row in enumerate(minutes):
        assert together[t] == pytest.approx(normalised(row, rule), abs=1e-12)


def test_prices_below_one_in_sum_leave_no_room_for_insiders() -> None:
    low = PRICES * 0.9
    assert normalised(low, "shin") == pytest.approx(normalised(low, "multiplicative"))


def test_an_unknown_rule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'insider'.*known: multiplicative, power, shin"):
        normalised(PRICES, "insider")  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", RULES)
def test_the_market_pmf_follows_the_rule_that_it_is_given(rule: Rule) -> None:
    quoted = [(0.05, 0.07), (0.30, 0.34), (0.40, 0.44), (0.20, 0.24)]
    box = market_pmf(book(quoted)).sort("bracket")
    other = market_pmf(book(quoted), MarketPmfParams(method=rule)).sort("bracket")
    assert other["p_mkt"].to_numpy() == pytest.approx(normalised(box["centre"].to_numpy(), rule))
    assert other.drop("p_mkt").equals(box.drop("p_mkt"))
