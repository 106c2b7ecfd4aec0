import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.features.lead_lag import LAGS, lead_lag
from kalshi_assets.units import Array


def _moves(seed: int, brackets: int = 1, minutes: int = 400) -> Array:
    rng = np.random.default_rng(seed)
    return rng.choice([-0.1, 0.0, 0.0, 0.1], (brackets, minutes))


def _follower(moves: Array, lag: int, sign: float = 1.0) -> Array:
    return sign * np.concatenate([np.zeros(lag), moves[:-lag]])


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_who_moves_first_leads_and_who_moves_later_follows(lag: int, sign: float) -> None:
    first = _moves(1)[0]
    lead = lead_lag(np.cumsum([first, _follower(first, lag, sign)], axis=1))
    assert (lead[0, 150:] == lag).all()
    assert (lead[1, 150:] == -lag).all()


def test_of_two_neighbours_the_more_strongly_coupled_one_decides() -> None:
    middle = _moves(2)[0]
    noisy = _follower(middle, 2) + _moves(3)[0]
    lead = lead_lag(np.cumsum([noisy, middle, _follower(middle, 4)], axis=1))
    assert (lead[1, 150:] == 4).all()
    assert (lead[2, 150:] == -4).all()


def test_the_ladder_upside_down_says_the_same_of_every_bracket() -> None:
    odds = np.cumsum(_moves(4, brackets=6), axis=1)
    assert np.array_equal(lead_lag(odds[::-1])[::-1], lead_lag(odds), equal_nan=True)


def test_brackets_that_stand_still_do_not_lead() -> None:
    lead = lead_lag(np.zeros((3, 100)))
    assert (lead[:, 40:] == 0).all()


def test_fewer_than_thirty_pairs_tell_nothing() -> None:
    lead = lead_lag(np.cumsum(_moves(5, brackets=2), axis=1))
    # The change needs one minute and the lag another.
    assert np.isnan(lead[:, :31]).all()
    assert not np.isnan(lead[:, 31:]).any()


def test_a_bracket_without_quotes_leads_nobody_and_hides_nobody() -> None:
    first = _moves(6)[0]
    unknown = np.full(first.shape, np.nan)
    lead = lead_lag(np.cumsum([first, _follower(first, 1), unknown, unknown], axis=1))
    assert (lead[0, 150:] == 1).all()
    assert (lead[1, 150:] == -1).all()
    assert np.isnan(lead[2:]).all()


def test_a_single_bracket_has_no_neighbour() -> None:
    assert np.isnan(lead_lag(_moves(7))).all()


def _direct(odds: Array, bracket: int, t: int) -> float:
    """The same by numpy's own correlation, one cell."""
    change = np.round(np.diff(odds, axis=1, prepend=np.nan) * 1000)
    found = [(0.0, 0)]
    for lag in LAGS:
        for sign in (1, -1):
            for other in (bracket - 1, bracket + 1):
                if 0 <= other < len(odds):
                    leader, led = (bracket, other) if sign > 0 else (other, bracket)
                    at = np.arange(max(t - 119, lag), t + 1)
                    x, y = change[leader, at - lag], change[led, at]
                    known = ~np.isnan(x + y)
                    if x[known].std() and y[known].std():
                        rho = abs(np.corrcoef(x[known], y[known])[0, 1])
                        if rho > 2 / np.sqrt(known.sum()):
                            found.append((rho, sign * lag))
    return float(max(found, key=lambda each: each[0])[1])


def test_the_sums_give_the_correlation_that_numpy_gives() -> None:
    odds = np.cumsum(_moves(8, brackets=4) + 0.02 * _moves(9, brackets=4), axis=1)
    odds[2, 100:140] = np.nan
    lead = lead_lag(odds)
    for bracket in range(4):
        for t in range(60, 400, 17):
            assert lead[bracket, t] == _direct(odds, bracket, t)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.integers(1, 250))
def test_the_past_does_not_know_the_future(seed: int, t: int) -> None:
    odds = np.cumsum(_moves(seed, brackets=4, minutes=250), axis=1)
    whole = lead_lag(odds)[:, :t]
    assert np.array_equal(lead_lag(odds[:, :t]), whole, equal_nan=True)
    other = np.hstack([odds[:, :t], np.cumsum(_moves(seed + 9, brackets=4), axis=1)[:, t:250]])
    assert np.array_equal(lead_lag(other)[:, :t], whole, equal_nan=True)
