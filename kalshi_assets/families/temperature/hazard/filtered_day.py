"""The filter applied to a day's news in the order in which it became known.

Here: passing reports, maxima and forecasts to the filter, and querying it at evaluation times, all
at once or one by one with identical results. Not here: the filter (`filter`), the parameters
(`fit`), the rows of the table (`pmf`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.families.temperature.climate_day import FIVE_MINUTES, ONE_HOUR, SLOT_US, SLOTS
from kalshi_assets.families.temperature.evidence import of_climate_day
from kalshi_assets.families.temperature.filter.emission import KnownMaximum, emission
from kalshi_assets.families.temperature.filter.exact import IMPOSSIBLE, BarrierFilter, Workspace
from kalshi_assets.families.temperature.filter.mixture import MissedPeaks, MixtureFilter
from kalshi_assets.families.temperature.filter.residual_model import ResidualModel
from kalshi_assets.families.temperature.fit.baseline import Baseline
from kalshi_assets.families.temperature.fit.parameters import HazardParameters
from kalshi_assets.families.temperature.hazard.corridor import (
    DEPART_F,
    allowed,
    corridor,
    paths_through,
)
from kalshi_assets.instants import NEVER, microseconds, microseconds_of
from kalshi_assets.units import Array, Ints

# Share of the greatest weight; nodes with less are not asked about the next hour.
LEAST_WEIGHT = 1e-5
# Number of reports by which the feed is judged.
RECENT = 12

_WORKSPACE = Workspace()


@dataclass(frozen=True, kw_only=True)
class News:
    """A report, a maximum of a window, or a forecast that became known.

    Attributes
    ----------
    slot
        The first slot that it affects; a report affects only this one.
    tell
        Passes it to the filter.
    reported_f
        Middle of a report's interval, degrees F; None: not a report.
    baseline
        The new baseline; None: not a forecast.
    """

    known_at: datetime
    slot: int
    tell: Callable[[MixtureFilter], None]
    reported_f: float | None = None
    baseline: Baseline | None = None


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """The filter's results at evaluation times.

    Attributes
    ----------
    pmf
        Shape (times, brackets).
    hazard_5m, hazard_60m
        P(a temperature above the highest that the reports allow within 5, 60 minutes), (times,).
    passing_60m
        P(the maximum is above the bracket, now or within 60 minutes), shape (times, brackets - 1).
    log_likelihood
        Mean predictive log probability of the last twelve reports, shape (times,); NaN if there are
        fewer. Reports that the filter ignored because no path agrees with them count as
        `IMPOSSIBLE`, and then fewer than twelve suffice.
    """

    pmf: Array
    hazard_5m: Array
    hazard_60m: Array
    passing_60m: Array
    log_likelihood: Array


class FilteredDay:
    """One city-day with its parameters.

    News may be late, and times may be queried one by one: the result at a time depends only on the
    news told before, not on how queries are grouped.

    Parameters
    ----------
    upper
        Highest whole degree of every bracket except the last, shape (brackets - 1,).
    baseline, parameters
        As of the start of the day.
    shape_nodes
        Number of nodes of the mixture over the baseline's shape.
    workspace
        Memory to reuse, by one day at a time.
    """

    def __init__(
        self,
        upper: Array,
        baseline: Baseline,
        parameters: HazardParameters,
        *,
        shape_nodes: int,
        workspace: Workspace | None = None,
    ) -> None:
        shares = parameters["missed_peak"]
        self.peaks = MissedPeaks(tuple(shares / shares.sum()))
        self.edges = upper + 0.5
        self.known_edges = self.peaks.edges(self.edges)
        self._parameters, self._baselines, self._nodes = parameters, [(0, baseline)], shape_nodes
        self._work = workspace or Workspace()
        self._begun: MixtureFilter | None = None
        self._told: list[News] = []
        self._through: list[tuple[int, float]] = []
        self._latest: tuple[int, float] | None = None
        self._reached = -1
        self._reports: list[int] = []
        self._waiting: list[tuple[tuple[int, int, int, int], float]] = []
        self._said: list[Outlook] = []

    @property
    def mixture(self) -> MixtureFilter:
        """The filter with all news told so far."""
        if self._begun is None:
            self._begun = _mixture(
                self._baselines,
                self._parameters,
                self.known_edges,
                self._nodes,
                self._through,
                self._work,
            )
            self._allowed = allowed(self._begun.grid, self._begun.model)
            for each in self._told:
                each.tell(self._begun)
        return self._begun

    def tell(self, news: News) -> None:
        """Add news; it does not affect earlier queries."""
        if news.reported_f is None or news.slot <= self._reached:
            self._answer()
        if self._fits(news):
            news.tell(self.mixture)
        else:
            self._answer()
            self._begin_again(news)
        self._told.append(news)
        if news.baseline is not None:
            self._baselines.append((news.slot, news.baseline))
        self._reached = max(self._reached, self.mixture.head)
        if news.reported_f is not None:
            self._latest = (news.slot, news.reported_f)
            self._reached = max(self._reached, news.slot)
            self._reports = sorted([*self._reports, news.slot])[-RECENT:]

    def _fits(self, news: News) -> bool:
        """Whether the news fits on the grid, which is centred on the day's first report."""
        if news.reported_f is None and news.baseline is None:
            return True
        if not self._through:
            return False
        low, high = self._allowed
        if news.baseline is None:
            return low[news.slot] <= news.reported_f <= high[news.slot]
        latest = [self._latest] if self._latest else self._through
        ahead = slice(news.slot, None)
        paths = paths_through(latest, news.baseline, self.mixture.offsets, self._parameters.rho)[
            :, ahead
        ]
        return bool(
            (low[ahead] + DEPART_F <= paths).all() and (paths <= high[ahead] - DEPART_F).all()
        )

    def _begin_again(self, news: News) -> None:
        """Filter all news from the start on a grid that also fits this one."""
        if news.reported_f is not None:
            self._through.append((news.slot, news.reported_f))
        elif self._latest and self._latest not in self._through:
            self._through.append(self._latest)
        self._begun = None

    def ask(self, slot: int, highest_f: float) -> None:
        """Queue a query of the present state.

        Parameters
        ----------
        slot
            The present slot; after the day's end the last one.
        highest_f
            The highest whole degree that the reports so far allow.
        """
        head = max(self._reached, 0)
        lead = max(min(slot, SLOTS - 1) - head, 0)
        first = self._reports[0] if self._reports else 0
        self._waiting.append(((head, lead, first, len(self._reports)), highest_f))

    def answers(self) -> Outlook:
        """The results of the queries since the last call, in order."""
        self._answer()
        said, self._said = self._said, []
        if not said:
            return _nothing(len(self.edges))
        fields = Outlook.__dataclass_fields__
        return Outlook(**{f: np.concatenate([getattr(o, f) for o in said]) for f in fields})

    def _answer(self) -> None:
        """Evaluate the queued queries, before news that affects their past."""
        if not self._waiting:
            return
        places = np.array([place for place, _ in self._waiting], dtype=np.int64)
        highest = np.array([highest for _, highest in self._waiting], dtype=np.float64)
        self._waiting = []
        heads, leads, first, reports = np.ascontiguousarray(places.T)
        rows = Rows(heads=heads, leads=leads, first=first, reports=reports, highest_f=highest)
        self.mixture.advance(int(rows.heads.max()))
        known = self.mixture.at(rows.heads, lambda node, _: node.cdf_at(rows.heads))
        soon = np.clip(self._soon(rows), 0.0, 1.0)
        cdf = self.peaks.cdf(self.edges, self.known_edges, known)
        pmf = np.maximum(np.diff(cdf, axis=1, prepend=0.0, append=1.0), 0.0)
        self._said.append(
            Outlook(
                pmf=pmf / pmf.sum(axis=1, keepdims=True),
                hazard_5m=soon[:, 0],
                hazard_60m=soon[:, 1],
                passing_60m=soon[:, 2:],
                log_likelihood=self._recent_log_likelihood(rows),
            )
        )

    def _soon(self, rows: "Rows") -> Array:
        """P(new high within 5 and 60 minutes), and P(each bracket edge passed within 60).

        Shape (times, 2 + brackets - 1).
        """

        def of_node(node: BarrierFilter, wanted: NDArray[np.bool_]) -> Array:
            new_high, horizons = rows.highest_f + 0.5, (FIVE_MINUTES, ONE_HOUR)
            return node.next_hour_at(rows.heads, rows.leads, wanted, new_high, horizons, self.edges)

        return self.mixture.at(rows.heads, of_node, LEAST_WEIGHT)

    def _recent_log_likelihood(self, rows: "Rows") -> Array:
        total = self.mixture.log_likelihoods()
        before = np.where(rows.first > 0, total[rows.first - 1], 0.0)
        recent = np.minimum((total[rows.heads] - before) / RECENT, 0.0)
        too_few = (rows.reports < RECENT) & (recent > IMPOSSIBLE / RECENT)
        return np.where(too_few, np.nan, recent)


@dataclass(frozen=True)
class Rows:
    """Per time: slot of the latest report, steps since, first slot and number of recent reports.

    `highest_f` is the highest whole degree that the reports so far allow.
    """

    heads: Ints
    leads: Ints
    first: Ints
    reports: Ints
    highest_f: Array


def _nothing(edges: int) -> Outlook:
    none = np.empty(0)
    return Outlook(
        pmf=np.empty((0, edges + 1)),
        hazard_5m=none,
        hazard_60m=none,
        passing_60m=np.empty((0, edges)),
        log_likelihood=none,
    )


def _mixture(
    baselines: Sequence[tuple[int, Baseline]],
    parameters: HazardParameters,
    edges: Array,
    shape_nodes: int,
    through: Sequence[tuple[int, float]],
    work: Workspace,
) -> MixtureFilter:
    """The filter before any news.

    Its grid follows the reports `through`, slot and degrees F: with a report the first residual of
    the day is less uncertain than in the prior, so a much narrower grid is sufficient.
    """
    _, first = baselines[0]
    sd = parameters.sd_by_step()
    model = ResidualModel(
        rho=np.full(len(sd), parameters.rho),
        sd=sd,
        start_sd=parameters.start_sd if first.source == "climatology" else parameters.bias_sd,
    )
    nodes = first.nodes(shape_nodes)
    offsets = [profile - first.profile for profile, _ in nodes]
    prior = np.array([prior for _, prior in nodes])
    grid = corridor(model, baselines, offsets, through)
    return MixtureFilter(grid, first.profile, model, edges, work, nodes=(offsets, prior))


def filtered_outlook(
    times: pl.DataFrame, day: FilteredDay, news: Sequence[News], start: datetime
) -> Outlook:
    """Evaluate the filter at every time, with the news known then.

    Parameters
    ----------
    times
        `minute` (ascending) and `running_max_hi_f`, each with a report known.
    news
        News of the day, in the order in which it became known.
    start
        Start of the climate day, UTC.
    """
    waiting = list(reversed(news))
    slots = ((microseconds(times["minute"]) - microseconds_of(start)) // SLOT_US).tolist()
    for minute, slot, highest in zip(
        times["minute"], slots, times["running_max_hi_f"], strict=True
    ):
        while waiting and waiting[-1].known_at <= minute:
            day.tell(waiting.pop())
        day.ask(slot, highest)
    return day.answers()


def reports_of(observations: pl.DataFrame, start: datetime) -> list[News]:
    """`weather.observations` of a climate day as news, including maxima of windows."""
    rows = of_climate_day(observations, start)
    if (np.diff(microseconds(rows["known_at"])) <= 0).any():
        rows = rows.sort("known_at", "event_time", "kind")
    begin = microseconds_of(start)
    slots = (microseconds(rows["event_time"]) - begin) // SLOT_US
    since = [
        None if at == NEVER else (at - begin) // SLOT_US
        for at in microseconds(rows["max_since"]).tolist()
    ]
    said = (rows[name].to_list() for name in ("kind", "lo_f", "hi_f", "temp_f"))
    columns = (rows["known_at"].to_list(), slots.tolist(), since, *said)
    return [_news(*row) for row in zip(*columns, strict=True)]


def _news(
    known_at: datetime, slot: int, since: int | None, kind: Any, lo: int, hi: int, temp: float
) -> News:
    if since is None:
        likelihood = emission(kind, lo, hi, temp)
        return News(
            known_at=known_at,
            slot=slot,
            tell=lambda mixture: mixture.report(slot, likelihood),
            reported_f=(lo + hi) / 2,
        )
    known = KnownMaximum(first=min(since, slot), last=slot, max_f=hi)
    return News(
        known_at=known_at,
        slot=known.first,
        tell=lambda mixture: mixture.window(known),
    )


def forecast_of(known_at: datetime, slot: int, baseline: Baseline) -> News:
    """A new forecast as news, for the slots from `slot` on."""
    return News(
        known_at=known_at,
        slot=slot,
        tell=lambda mixture: mixture.rebase(slot, baseline.profile),
        baseline=baseline,
    )


def shared_workspace() -> Workspace:
    """Memory shared by days that are evaluated one after the other."""
    return _WORKSPACE
