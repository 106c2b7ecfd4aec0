"""Joint Kelly sizes are the optimum, whatever is held and however the legs nest."""

import numpy as np
import pytest
from scipy.optimize import minimize

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.legs import Leg
from kalshi_assets.trading.sizing_kernels import atom_probabilities, joint_kelly, new_memory
from kalshi_assets.units import Array

Case = tuple[Array, Array, Array, Array]


def case(seed: int) -> Case:
    """Probabilities, wealth with positions, gains of orders, greatest sizes."""
    random = np.random.default_rng(seed)
    atoms, nested = int(random.integers(2, 8)), random.random() < 0.4
    p = random.dirichlet(np.full(atoms, random.choice([0.5, 2.0, 20.0])))
    legs = atoms - 1 if nested else atoms
    pays = np.arange(atoms) > np.arange(legs)[:, None] if nested else np.eye(atoms, dtype=bool)
    seen = np.clip(pays @ p + random.normal(0, 0.03, legs), 0.01, 0.99)
    chosen = random.choice(legs, random.integers(1, legs + 1), replace=False)
    sign = random.choice([1, -1], len(chosen))[:, None]
    price = np.clip(np.round(seen[chosen] * 100) * 100, 100, 9900)[:, None]
    hair = 0.001 * (2 - 0.5 ** chosen[:, None])
    gain = sign * (10_000.0 * pays[chosen] - price) - random.choice([0, 80]) - hair
    held = random.integers(-5, 6, legs)
    wealth = float(random.choice([2e5, 5e6, 1e8])) + 10_000.0 * (pays.T @ held)
    return p, wealth, gain, np.full(len(chosen), random.choice([0.0, 10.0, 100.0, 1e5]))


def sizes_of(p: Array, wealth: Array, gain: Array, most: Array) -> Array:
    sizes = np.empty(len(most))
    joint_kelly(p, wealth, gain, most, new_memory(len(most), len(p)), sizes)
    return sizes


def test_no_size_that_could_change_would_gain_by_it() -> None:
    for seed in range(2000):
        p, wealth, gain, most = case(seed)
        sizes = sizes_of(p, wealth, gain, most)
        total = wealth + sizes @ gain
        assert (total[p > 0] > 0).all()
        # Cents of edge per contract, at the wealth after the orders.
        slope = gain @ (p / total) * wealth.mean() / 100
        assert (slope[sizes < most] < 1e-5).all(), seed
        assert (slope[sizes > 0] > -1e-5).all(), seed


@pytest.mark.parametrize("seed", range(150))
def test_no_size_that_scipy_finds_is_better(seed: int) -> None:
    p, wealth, gain, most = case(seed)
    scale = wealth.mean() / 10_000

    def worth(sizes: Array) -> float:
        change = (sizes @ gain / wealth)[p > 0]
        return float(p[p > 0] @ np.log1p(change)) if change.min() > -1 else -1000.0

    ours = sizes_of(p, wealth, gain, most)
    found = minimize(
        lambda x: -worth(x * scale) * 1e4,
        np.zeros(len(most)),
        bounds=[(0, each / scale) for each in most],
        method="L-BFGS-B",
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-10},
    )
    assert worth(ours) >= worth(found.x * scale) - 1e-12


def test_orders_that_hedge_each_other_reach_their_joint_size() -> None:
    # One of 2,000 random cases of which sweeps over single sizes were off by all.
    p = np.array([0.34, 0.66])
    wealth, most = np.full(2, 2e5), np.full(2, 40.0)
    gain = np.array([[6900.0, -3100.0], [-6400.0, 3600.0]])
    both, lone = sizes_of(p, wealth, gain, most), sizes_of(p, wealth, gain[:1], most[:1])
    assert both[0] > lone[0]


def test_one_order_has_the_closed_form() -> None:
    p, price = 0.6, 0.5
    sizes = sizes_of(
        np.array([p, 1 - p]), np.full(2, 1e6), np.array([[5000.0, -5000.0]]), np.array([1e9])
    )
    assert sizes[0] * price * 10_000 / 1e6 == pytest.approx((p - price) / (1 - price))


@pytest.mark.parametrize("above", [True, False])
def test_atoms_have_the_probabilities_of_the_ladder(above: bool) -> None:
    legs = [60, 62, 64]
    atoms = Atoms(
        tuple(
            Leg(market_ticker=f"T{n}", lo=n if above else None, hi=None if above else n)
            for n in legs
        )
    )
    of_legs = np.array([0.9, 0.5, 0.2]) if above else np.array([0.2, 0.5, 0.9])
    p = np.empty(4)
    assert atom_probabilities(of_legs, atoms.runs, False, np.empty(5), p)
    assert p == pytest.approx(atoms.atom_probabilities(of_legs))
    of_legs[1] = np.nan
    assert not atom_probabilities(of_legs, atoms.runs, False, np.empty(5), p)
