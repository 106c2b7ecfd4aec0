"""Speed of the exact hazard compared with simulation, on one core, after comparing the results.

One generated day with an interval observation in each of its 288 slots, six brackets. Times are
processor time, which other load on the machine affects little; the least of several runs.
"""

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from kalshi_assets.benchmarks import print_figures
from kalshi_assets.families.temperature.bulletins.intervals import whole_f_of_whole_c
from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.families.temperature.filter.emission import WHOLE_C_ERROR, Within
from kalshi_assets.families.temperature.filter.exact import BarrierFilter, Workspace
from kalshi_assets.families.temperature.filter.mixture import MixtureFilter
from kalshi_assets.families.temperature.filter.residual_model import Grid, ResidualModel
from kalshi_assets.units import Array

if TYPE_CHECKING:
    from kalshi_assets.families.temperature.filter.monte_carlo import Estimate, Start


SEED = 20
RUNS = 9
CITY_DAYS = 1000
FINE_NODES_PER_SD = 6.0
GREATEST_EXACT_ERROR = 1e-5
GREATEST_Z = 5.0
HORIZONS = (1, 12)


@dataclass(frozen=True, kw_only=True)
class Day:
    """The day that is filtered and simulated."""

    model: ResidualModel
    baseline: Array
    edges: Array
    reports: Sequence[Within]
    new_high: Sequence[float]

    @classmethod
    def generated(cls) -> "Day":
        """Residual sd 2 °F, autocorrelation 0.985, bias sd 2 °F; reports in whole °C."""
        steps = SLOTS - 1
        model = ResidualModel(
            rho=np.full(steps, 0.985), sd=np.full(steps, 0.345), start_sd=2.0, bias_sd=2.0
        )
        baseline = 62 + 9 * np.sin(2 * np.pi * (np.arange(SLOTS) - 105) / SLOTS)
        rng = np.random.default_rng(SEED)
        residual = model.start_sd * rng.standard_normal()
        reports = []
        for k in range(SLOTS):
            shown = int(np.floor((np.floor(baseline[k] + residual + 0.5) - 32) / 1.8 + 0.5))
            reports.append(Within(*whole_f_of_whole_c(shown), WHOLE_C_ERROR))
            residual = 0.985 * residual + 0.345 * rng.standard_normal()
        highest = np.maximum.accumulate([r.hi_f for r in reports])
        middle = int(highest[-1])
        return cls(
            model=model,
            baseline=baseline,
            edges=middle + np.array([-4.5, -2.5, -0.5, 1.5, 3.5]),
            reports=reports,
            new_high=[float(h) + 0.5 for h in highest],
        )

    def grid(self, **how: float) -> Grid:
        """The filter's default grid, or a finer one."""
        return Grid.of(self.baseline, self.model, **how)

    def filtered(
        self,
        made: type[BarrierFilter] | type[MixtureFilter],
        work: Workspace,
        grid: Grid | None = None,
    ) -> BarrierFilter | MixtureFilter:
        """Filter the whole day, from parameters to the state at its end."""
        f = made(grid or self.grid(), self.baseline, self.model, self.edges, work)
        for slot, report in enumerate(self.reports):
            f.report(slot, report)
        f.advance(SLOTS - 1)
        return f


def run_bench(console: Console, *, as_json: bool) -> None:
    """Measure and print a table, or one JSON object.

    Raises
    ------
    RuntimeError
        Filter and simulation disagree, or filtering slot by slot and the whole day at once.
    """
    figures = _measured(Console(stderr=True, quiet=as_json), Day.generated())
    title = "hazard: 288 times x 6 brackets, a report in every slot, one core"
    print_figures(console, title, figures, as_json=as_json)


def _measured(progress: Console, day: Day) -> dict[str, float]:
    work, mixed = Workspace(), Workspace()
    progress.print("compiling ...")
    exact = day.filtered(BarrierFilter, work).cdfs()[0]
    fine = day.filtered(BarrierFilter, Workspace(), day.grid(nodes_per_sd=FINE_NODES_PER_SD))
    error = float(np.abs(_pmf(exact) - _pmf(fine.cdfs()[0])).max())
    if error > GREATEST_EXACT_ERROR:
        raise RuntimeError(f"the grid differs by {error:.1e} from one three times as fine")
    day.filtered(MixtureFilter, mixed).cdfs()
    progress.print("slot by slot ...")
    live, starts, hazards = _live(day, work, mixed, exact)
    progress.print("the exact filter ...")
    exact_s = _least(lambda: day.filtered(BarrierFilter, work).cdfs())
    mixture_s = _least(lambda: day.filtered(MixtureFilter, mixed).cdfs())
    grown_kb = _memory(day, mixed)
    mc = {}
    for paths in (100_000, 1_000_000):
        progress.print(f"{paths:,} paths from each slot ...")
        mc[paths], seconds = _simulated(day, starts, paths)
        live[f"mc_1e{len(str(paths)) - 1}_s"] = seconds
    _must_agree(exact, hazards, mc[1_000_000])
    difference = float(np.abs(_pmf(mc[1_000_000].cdf) - _pmf(exact)).max())
    return {
        "exact_day_s": round(exact_s, 4),
        "mixture_day_s": round(mixture_s, 4),
        **{name: float(f"{seconds:.4g}") for name, seconds in live.items()},
        "max_abs_diff_mc": float(f"{difference:.3g}"),
        "exact_error": float(f"{error:.3g}"),
        "speedup": round(live["mc_1e6_s"] / exact_s, 1),
        "error_ratio": round(difference / error, 1),
        "rss_growth_kb": grown_kb,
        "city_days": CITY_DAYS,
    }


def _live(
    day: Day, work: Workspace, mixed: Workspace, exact: Array
) -> tuple[dict[str, float], dict[int, "Start"], Array]:
    """Times of adding a report and of the hazards; filter states and hazards slot by slot."""
    from kalshi_assets.families.temperature.filter.monte_carlo import Start

    alone = BarrierFilter(day.grid(), day.baseline, day.model, day.edges, work)
    mixture = MixtureFilter(day.grid(), day.baseline, day.model, day.edges, mixed)
    steps, hazards_s, mixture_hazards_s = [], 0.0, 0.0
    starts, hazards = {}, []
    for slot, (report, high) in enumerate(zip(day.reports, day.new_high, strict=True)):
        steps.append(_seconds(partial(_step, mixture, slot, report)))
        _step(alone, slot, report)
        starts[slot] = Start.of(alone)
        if (alone.cdf() != exact[slot]).any():
            raise RuntimeError(f"slot by slot and whole day differ at slot {slot}")
        hazards.append(alone.hazards(high, 0, HORIZONS))
        hazards_s += _seconds(partial(alone.hazards, high, 0, HORIZONS))
        mixture_hazards_s += _seconds(partial(mixture.hazards, high, 0, HORIZONS))
    return (
        {
            "live_step_s": float(np.median(steps)),
            "live_step_worst_s": max(steps),
            "hazards_60m_s": hazards_s,
            "mixture_hazards_60m_s": mixture_hazards_s,
        },
        starts,
        np.array(hazards),
    )


def _step(f: BarrierFilter | MixtureFilter, slot: int, report: Within) -> Array:
    f.report(slot, report)
    f.advance(slot)
    return f.cdf()


def _simulated(day: Day, starts: Mapping[int, "Start"], paths: int) -> tuple["Estimate", float]:
    from kalshi_assets.families.temperature.filter.monte_carlo import simulate

    source = np.random.SeedSequence(SEED)
    few = dict(list(starts.items())[:1])
    simulate(day.model, day.baseline, day.edges, few, source, paths=2, new_high=day.new_high[:1])
    found = []
    seconds = _seconds(
        lambda: found.append(
            simulate(
                day.model,
                day.baseline,
                day.edges,
                starts,
                source,
                paths=paths,
                new_high=day.new_high,
                horizons=HORIZONS,
            )
        )
    )
    return found[0], seconds


def _must_agree(exact: Array, hazards: Array, mc: "Estimate") -> None:
    for name, told, simulated, error in (
        ("bracket", exact, mc.cdf, mc.cdf_error),
        ("hazard", hazards, mc.hazards, mc.hazards_error),
    ):
        undecided = (told > 1e-4) & (told < 1 - 1e-4)
        z = float(np.abs((simulated - told)[undecided] / error[undecided]).max())
        if z > GREATEST_Z:
            raise RuntimeError(f"exact and simulated {name} differ by {z:.1f} standard errors")


def _memory(day: Day, work: Workspace) -> float:
    """Growth of peak resident memory over 1,000 city-days, kB."""
    for _ in range(10):
        day.filtered(BarrierFilter, work.part(0)).cdfs()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(CITY_DAYS):
        day.filtered(BarrierFilter, work.part(0)).cdfs()
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def _pmf(cdf: Array) -> Array:
    return np.diff(cdf, axis=1, prepend=0.0, append=1.0)


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _least(work: Callable[[], object]) -> float:
    return min(_seconds(work) for _ in range(RUNS))
