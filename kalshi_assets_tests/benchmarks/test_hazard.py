import io
import json

import numpy as np
import pytest
from rich.console import Console

from kalshi_assets.benchmarks import hazard as bench_hazard
from kalshi_assets.families.temperature.filter.monte_carlo import Estimate


@pytest.mark.slow
def test_the_hazard_benchmark_prints_one_object_with_the_figures_that_have_bars(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_hazard, "CITY_DAYS", 20)
    bench_hazard.run_bench(Console(file=io.StringIO()), as_json=True)
    figures = json.loads(capsys.readouterr().out)
    assert {
        "exact_day_s",
        "mixture_day_s",
        "live_step_s",
        "mc_1e5_s",
        "mc_1e6_s",
        "max_abs_diff_mc",
    } <= figures.keys()
    assert figures["max_abs_diff_mc"] < 5e-3
    assert figures["exact_error"] < figures["max_abs_diff_mc"] / 100
    assert figures["speedup"] > 300


def test_the_hazard_benchmark_prints_no_time_of_results_that_differ() -> None:
    told, other = np.array([[0.2, 0.5]]), np.array([[0.2, 0.55]])
    with pytest.raises(RuntimeError, match=r"bracket differ by 10\.0 standard errors"):
        bench_hazard._must_agree(told, told, Estimate(cdf=other, hazards=told, paths=9900))
