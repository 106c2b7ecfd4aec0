import math
import statistics
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kurtosis, skew

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.statistics.selection import (
    deflated_sharpe,
    effective_trials,
    expected_best_sharpe,
    moments,
    overfitting_probability,
    romano_wolf,
    sharpe,
)

RETURNS = arrays(np.float64, st.integers(2, 40), elements=st.integers(-1000, 1000))
YEAR = 250


def noise(seed: int, days: int, strategies: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(days, strategies))


# Sharpe ratio and moments


@given(RETURNS)
def test_oracle_sharpe_ratio_and_moments(returns: np.ndarray) -> None:
    found = sharpe(returns)
    if np.ptp(returns) == 0:
        assert found is None
        assert moments(returns) is None
        return
    values = returns.tolist()
    assert found == pytest.approx(statistics.mean(values) / statistics.stdev(values))
    assert moments(returns) == pytest.approx((skew(returns), kurtosis(returns, fisher=False)))


@pytest.mark.parametrize("returns", [[], [3.0], [0.1, 0.1, 0.1], [0.3, 0.1 + 0.2], [0.0, 0.0]])
def test_one_day_or_equal_days_have_no_sharpe_ratio(returns: list[float]) -> None:
    assert sharpe(np.array(returns)) is None
    assert moments(np.array(returns)) is None


@pytest.mark.parametrize("returns", [[1.0, np.nan], [1.0, np.inf], [[1.0, 2.0]], [np.nan]])
def test_returns_are_finite_numbers_of_days(returns: list[float]) -> None:
    for function in (sharpe, moments):
        with pytest.raises(ValueError, match="finite numbers"):
            function(np.array(returns))


# Deflated Sharpe ratio


@pytest.mark.parametrize(
    ("trials", "skewness", "raw", "known"),
    [(100, -3, 10, 0.9004), (46, -3, 10, 0.9505), (88, 0, 3, 0.9505)],
)
def test_oracle_example_of_bailey_and_lopez_de_prado(
    trials: int, skewness: float, raw: float, known: float
) -> None:
    by_chance = expected_best_sharpe(0.5 / YEAR, trials)
    observed = 2.5 / math.sqrt(YEAR)
    found = deflated_sharpe(observed, by_chance, days=1250, skewness=skewness, kurtosis=raw)
    assert found == pytest.approx(known, abs=5e-5)
    if trials == 100:
        assert by_chance == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(("trials", "within"), [(2, 0.08), (5, 0.05), (20, 0.02), (1000, 0.01)])
def test_oracle_the_expected_best_is_the_mean_maximum_of_normals(
    trials: int, within: float
) -> None:
    x = np.linspace(-8, 10, 20_001)
    below = np.array([(1 + math.erf(v / math.sqrt(2))) / 2 for v in x])
    exact = float(np.trapezoid(1 - below**trials - (x < 0), x))
    assert expected_best_sharpe(0.04, trials) == pytest.approx(0.2 * exact, rel=within)


def test_one_trial_is_not_selected() -> None:
    assert expected_best_sharpe(math.nan, 1) == 0
    assert expected_best_sharpe(0.1, 1.1) == 0
    even = {"days": 101, "skewness": 0.0, "kurtosis": 3.0}
    assert deflated_sharpe(0.0, 0.0, **even) == 0.5
    # z = 0.1 * 10 / sqrt(1 + 0.01 / 2)
    assert deflated_sharpe(0.1, 0.0, **even) == pytest.approx(
        statistics.NormalDist().cdf(1 / math.sqrt(1.005))
    )


def test_the_best_of_noise_is_as_good_as_chance() -> None:
    found = []
    for seed in range(300):
        returns = noise(seed, 250, 50)
        all_ratios = np.array([sharpe(each) for each in returns.T])
        best = int(all_ratios.argmax())
        skewness, raw = moments(returns[:, best])
        by_chance = expected_best_sharpe(all_ratios.var(ddof=1), 50)
        found.append(
            deflated_sharpe(all_ratios[best], by_chance, days=250, skewness=skewness, kurtosis=raw)
        )
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)
    assert (np.array(found) > 0.95).mean() <= 0.01


def test_impossible_trials_are_refused() -> None:
    for trials in (0, 0.5, math.nan, math.inf):
        with pytest.raises(ValueError, match="at least one trial"):
            expected_best_sharpe(0.1, trials)
    for variance in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="variance of the trials"):
            expected_best_sharpe(variance, 10)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"days": 1}, "two days"),
        ({"observed": math.nan}, "finite"),
        ({"by_chance": math.inf}, "finite"),
        ({"kurtosis": math.nan}, "finite"),
        ({"kurtosis": 0.0}, "excess kurtosis"),
        ({"skewness": -3.0, "kurtosis": 7.0}, "excess kurtosis"),
        ({"observed": 1.0, "skewness": 2.0, "kurtosis": 5.0}, "no standard error"),
    ],
)
def test_impossible_moments_are_refused(changed: dict[str, float], message: str) -> None:
    given = {"observed": 0.1, "by_chance": 0.0, "days": 100, "skewness": 0.0, "kurtosis": 3.0}
    with pytest.raises(ValueError, match=message):
        deflated_sharpe(**(given | changed))


# Effective number of trials


def groups(k: int, members: int, correlation: float) -> np.ndarray:
    matrix = np.kron(np.eye(k), np.full((members, members), correlation))
    np.fill_diagonal(matrix, 1.0)
    return matrix


@pytest.mark.parametrize(("k", "members"), [(1, 1), (1, 30), (30, 1), (4, 25), (10, 3)])
def test_oracle_groups_of_identical_trials_count_once(k: int, members: int) -> None:
    assert effective_trials(groups(k, members, 1.0)) == pytest.approx(k, rel=1e-12)


def test_oracle_two_trials_by_hand() -> None:
    # Eigenvalues 1.6 and 0.4: (1.265 + 0.632)^2 / 2.
    assert effective_trials(groups(1, 2, 0.6)) == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("k", "members", "correlation"), [(10, 10, 0.9), (10, 10, 0.5), (1, 100, 0.3), (5, 20, 0.95)]
)
def test_the_best_of_correlated_trials_is_expected_from_their_effective_number(
    k: int, members: int, correlation: float
) -> None:
    rng = np.random.default_rng(1)
    shared = np.repeat(rng.normal(size=(4000, k)), members, axis=1)
    own = rng.normal(size=(4000, k * members))
    ratios = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own
    trials = effective_trials(groups(k, members, correlation))
    by_chance = [expected_best_sharpe(float(v), trials) for v in ratios.var(axis=1, ddof=1)]
    assert np.mean(by_chance) == pytest.approx(ratios.max(axis=1).mean(), rel=0.05)


def test_the_effective_number_is_that_of_any_order() -> None:
    correlation = np.corrcoef(noise(2, 50, 12).T)
    order = np.random.default_rng(0).permutation(12)
    shuffled = correlation[order][:, order]
    assert effective_trials(shuffled) == pytest.approx(effective_trials(correlation))
    assert 1 <= effective_trials(correlation) <= 12


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((0, 0)), "not a correlation"),
        (np.ones((2, 3)), "not a correlation"),
        (np.array([[1, np.nan], [np.nan, 1]]), "not finite"),
        (np.array([[2.0, 0.1], [0.1, 1]]), "diagonal"),
        (np.array([[1, 0.5], [0.1, 1]]), "symmetric"),
        (np.array([[1, 1.5], [1.5, 1]]), "semidefinite"),
        (np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]), "semidefinite"),
    ],
)
def test_other_matrices_are_refused(matrix: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        effective_trials(matrix)


# Probability of backtest overfitting


def plain_overfitting(returns: np.ndarray, blocks: int) -> tuple[list[float], float]:
    """Logits and slope, split by split."""
    days = np.array_split(np.arange(len(returns)), blocks)
    logits, before, after = [], [], []
    for half in combinations(range(blocks), blocks // 2):
        rest = [b for b in range(blocks) if b not in half]
        selecting, other = (
            np.array([sharpe(each) for each in returns[np.concatenate([days[b] for b in part])].T])
            for part in (half, rest)
        )
        best = int(selecting.argmax())
        rank = (other < other[best]).sum() + ((other == other[best]).sum() + 1) / 2
        share = rank / (returns.shape[1] + 1)
        logits.append(math.log(share / (1 - share)))
        before.append(selecting[best])
        after.append(other[best])
    return logits, float(np.polyfit(before, after, 1)[0])


@pytest.mark.parametrize(
    ("days", "configurations", "blocks"), [(60, 7, 6), (61, 8, 8), (17, 2, 4), (4, 3, 2)]
)
def test_oracle_a_plain_loop_over_splits(days: int, configurations: int, blocks: int) -> None:
    returns = noise(days, days, configurations) + 0.3
    found = overfitting_probability(returns, blocks)
    logits, slope = plain_overfitting(returns, blocks)
    assert found.logits == pytest.approx(np.array(logits), abs=1e-12)
    assert found.probability == np.mean([each <= 1e-12 for each in logits])
    assert found.slope == pytest.approx(slope)


def test_oracle_by_hand_two_configurations_that_take_turns() -> None:
    first = np.array([3.0, 1, 3, 1, -1, -3, -1, -3])
    found = overfitting_probability(np.stack([first, -first], axis=1), 2)
    # Either half selects the one that is last in the other: rank 1 of 2, w = 1/3.
    assert found.logits.tolist() == pytest.approx([-math.log(2)] * 2)
    assert found.probability == 1
    assert found.slope is None


def test_the_best_of_noise_is_above_the_median_half_of_the_time() -> None:
    found = [overfitting_probability(noise(s, 320, 50), 10).probability for s in range(1000, 1400)]
    assert np.mean(found) == pytest.approx(0.5, abs=4 * np.std(found) / 20)
    assert np.std(found) < 0.25


def test_a_configuration_that_is_better_is_not_overfitted() -> None:
    found = []
    for seed in range(20):
        returns = noise(seed, 320, 50)
        returns[:, 17] += 0.3
        found.append(overfitting_probability(returns, 10).probability)
    assert np.mean(found) < 0.05


def test_sixteen_blocks_have_all_their_splits() -> None:
    found = overfitting_probability(noise(0, 500, 100))
    assert found.logits.shape == (12_870,)
    again = overfitting_probability(noise(0, 500, 100))
    assert found.logits.tobytes() == again.logits.tobytes()


def test_neither_scale_nor_order_of_configurations_matters() -> None:
    returns = noise(5, 100, 9) + 0.1
    found = overfitting_probability(returns, 8)
    for other in (returns * 10_000, returns[:, ::-1]):
        assert overfitting_probability(other, 8).logits == pytest.approx(found.logits)


def test_identical_configurations_share_their_rank() -> None:
    returns = np.repeat(noise(6, 80, 1), 5, axis=1)
    found = overfitting_probability(returns, 8)
    assert found.logits == pytest.approx(np.zeros(70))
    assert found.probability == 1


def test_equal_returns_in_half_of_the_blocks_are_refused() -> None:
    returns = noise(7, 80, 3)
    returns[:40, 1] = 0.1
    with pytest.raises(ValueError, match=r"configurations \[1\] have equal returns"):
        overfitting_probability(returns, 8)
    returns[39, 1] = 0.2
    assert overfitting_probability(returns, 8).logits.shape == (70,)


@pytest.mark.parametrize(
    ("returns", "blocks", "message"),
    [
        (noise(0, 40, 1), 8, "2 strategies"),
        (noise(0, 1, 3), 2, "two days"),
        (noise(0, 3, 3), 2, "4 days"),
        (noise(0, 15, 3), 16, "16 days"),
        (noise(0, 40, 3), 7, "even"),
        (noise(0, 40, 3), 0, "even"),
        (noise(0, 40, 3), 20, "even"),
        (np.array([[1.0, np.nan]] * 40), 8, "finite"),
        (np.zeros(40), 8, "finite numbers of shape"),
    ],
)
def test_too_little_to_split_is_refused(returns: np.ndarray, blocks: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        overfitting_probability(returns, blocks)


# Romano and Wolf


def plain_step_down(returns: np.ndarray, bootstrap: Bootstrap) -> list[float]:
    """Adjusted p-values: reject the best, then test the others without it."""
    days, strategies = returns.shape

    def statistic(sample: np.ndarray, centre: float) -> float:
        return float((sample.mean() - centre) / (sample.std(ddof=1) / math.sqrt(len(sample))))

    observed = [statistic(each, 0.0) for each in returns.T]
    drawn = [
        [statistic(np.repeat(each, counts.astype(int)), each.mean()) for each in returns.T]
        for counts in bootstrap.weights(days)
    ]
    left, p_values, least = set(range(strategies)), [math.nan] * strategies, 0.0
    while left:
        best = max(left, key=lambda s: observed[s])
        exceeded = sum(max(row[s] for s in left) >= observed[best] for row in drawn)
        least = max(least, (exceeded + 1) / (len(drawn) + 1))
        p_values[best] = least
        left.remove(best)
    return p_values


@pytest.mark.parametrize("block", [1, 3])
def test_oracle_a_plain_step_down(block: int) -> None:
    returns = noise(8, 30, 6) + np.linspace(-0.2, 0.6, 6)
    bootstrap = Bootstrap(seed=4, resamples=199, block=block)
    found = romano_wolf(returns, bootstrap)
    assert found == pytest.approx(np.array(plain_step_down(returns, bootstrap)))
    assert len(set(found.tolist())) > 3


def test_noise_is_rejected_as_often_as_the_level_says() -> None:
    for name, draw in {
        "normal": lambda rng: rng.normal(size=(120, 8)),
        "wins 10 in 9 of 10 days, loses 90": lambda rng: np.where(
            rng.random((120, 8)) < 0.9, 10.0, -90.0
        ),
    }.items():
        rejected = [
            romano_wolf(draw(np.random.default_rng(s)), Bootstrap(seed=s, resamples=199)).min()
            <= 0.10
            for s in range(300)
        ]
        assert 0.03 <= np.mean(rejected) <= 0.15, name


def test_a_real_edge_is_found_among_noise_and_copies_cost_nothing() -> None:
    returns = noise(9, 200, 20)
    returns[:, 3] += 0.35
    found = romano_wolf(returns)
    assert found.argmin() == 3
    assert found[3] < 0.01
    assert (np.delete(found, 3) > 0.10).all()
    assert romano_wolf(np.repeat(returns, 3, axis=1)) == pytest.approx(np.repeat(found, 3))


def test_the_second_best_is_tested_without_the_best() -> None:
    rng = np.random.default_rng(10)
    returns = rng.normal(size=(100, 2)) + np.array([0.6, 0.2])
    alone = romano_wolf(returns[:, 1:])[0]
    assert romano_wolf(returns)[1] == max(alone, romano_wolf(returns)[0])


def test_a_resample_of_equal_days_counts_against_the_strategy() -> None:
    returns = np.array([[-1.0], [1.0], [0.0]])  # the mean is that of a resample of zeros
    bootstrap = Bootstrap(resamples=500)
    exceeded = (bootstrap.weights(3) @ returns >= 0).sum()
    assert romano_wolf(returns, bootstrap)[0] == (exceeded + 1) / 501
    assert 0 < romano_wolf(np.array([[1.0], [3.0]]), Bootstrap(resamples=99))[0] <= 1


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        (np.array([[1.0, 2.0]]), "two days"),
        (np.zeros((5, 0)), "1 strategies"),
        (np.array([[1.0, np.nan], [2.0, 1.0]]), "finite"),
        (np.array([[1.0, -5.0], [2.0, -5.0]]), r"strategies \[1\] have equal returns"),
    ],
)
def test_nothing_to_test_is_refused(returns: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        romano_wolf(returns)
