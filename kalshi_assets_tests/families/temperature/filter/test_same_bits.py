"""The same bits from a process that compiles the kernels and from one that finds them compiled."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DAY = """
import hashlib
import numpy as np
from kalshi_assets.families.temperature.filter.emission import Within
from kalshi_assets.families.temperature.filter.exact import BarrierFilter
from kalshi_assets.families.temperature.filter.residual_model import Grid, ResidualModel

steps = 40
model = ResidualModel(rho=np.full(steps, 0.98), sd=np.linspace(0.3, 0.6, steps), start_sd=2.0)
baseline = 60 + 5 * np.sin(np.arange(steps + 1) / 15)
day = BarrierFilter(Grid.of(baseline, model), baseline, model, [61.5, 63.5, 65.5, 67.5])
for slot in range(0, 30, 3):
    at = round(baseline[slot])
    day.report(slot, Within(at, at + 1, 1e-3))
day.advance(30)
slots = np.arange(31)
soon = day.next_hour_at(
    slots, np.zeros(31, np.int64), np.ones(31, bool), [66.5] * 31, (1, 12), day.edges
)
said = np.concatenate([day.cdf_at(slots).ravel(), soon.ravel(), day.log_likelihoods()])
print(hashlib.sha256(said.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_a_process_that_compiles_says_bit_for_bit_what_one_says_that_loads(tmp_path: Path) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", DAY],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert said[0] == said[1]
