"""The study of market, pool, calibration and classifiers over many city-days.

Here: combining days into the scoreboard, reliability, controls and classifier skill. Not here: the
frames of a day (`evaluations`), reading them, documents (`pages`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.statistics.reliability import Diagram, reliability
from kalshi_assets.studies.classifier_skill import CLASSIFIER_DAYS, classifier_skill
from kalshi_assets.studies.evaluations import EVALUATIONS, MarketDay, evaluations
from kalshi_assets.studies.negative_controls import controls
from kalshi_assets.studies.scoreboard import scoreboard
from kalshi_assets.studies.slices import Instants

BOOTSTRAP = Bootstrap(seed=20250401)
JUDGED = ("market", "weather", "fused", "calibrated")


@dataclass(frozen=True, kw_only=True)
class MarketStudy:
    """Evaluated city-days (schema `EVALUATIONS`), and their combined results.

    `classifier_days` has schema `CLASSIFIER_DAYS`, and so has `control_days` for classifiers fitted
    to, and scored on, the labels of other days. `bootstrap` is over dates.
    """

    evaluations: pl.DataFrame
    classifier_days: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema=CLASSIFIER_DAYS)
    )
    control_days: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CLASSIFIER_DAYS))
    bootstrap: Bootstrap = BOOTSTRAP

    @classmethod
    def of(
        cls,
        days: Iterable[MarketDay],
        classifier_days: Iterable[pl.DataFrame] = (),
        control_days: Iterable[pl.DataFrame] = (),
    ) -> "MarketStudy":
        """From settled days in any order, each of which is released after its evaluation.

        The frames are of `learning.classifiers.scores.daily_scores`, with columns city and date.
        """
        return cls(
            evaluations=pl.concat([pl.DataFrame(schema=EVALUATIONS), *map(evaluations, days)]),
            classifier_days=_gathered(classifier_days),
            control_days=_gathered(control_days),
        )

    @cached_property
    def days(self) -> pl.DataFrame:
        """Columns city and date of the scored city-days, sorted."""
        return self.evaluations.select("city", "date").unique().sort("city", "date")

    @cached_property
    def scoreboard(self) -> pl.DataFrame:
        """`learning.scoreboard`."""
        return scoreboard(self.evaluations, self.bootstrap)

    @cached_property
    def diagrams(self) -> dict[str, Diagram]:
        """Reliability by source, at instants where market, fused and calibrated have PMFs too."""
        instants = Instants.of(self.evaluations)
        _, common = next(iter(instants.samples()))
        found = {}
        for source in JUDGED:
            if source in instants.scores and (at := common & instants.has(source)).any():
                f = instants.forecasts[source].at(at)
                pairs = f.probability, f.outcome, f.day_of_pair, f.date_of_pair
                found[source] = reliability(*pairs, bootstrap=self.bootstrap)
        return found

    @cached_property
    def controls(self) -> pl.DataFrame:
        """Schema `negative_controls.CONTROLS`."""
        return controls(self.evaluations, self.bootstrap)

    @cached_property
    def classifier_skill(self) -> pl.DataFrame:
        """Schema `classifier_skill.CLASSIFIER_SKILL`."""
        return classifier_skill(self.classifier_days, self.bootstrap)

    @cached_property
    def control_skill(self) -> pl.DataFrame:
        """`classifier_skill` with the labels of other days."""
        return classifier_skill(self.control_days, self.bootstrap)


def _gathered(days: Iterable[pl.DataFrame]) -> pl.DataFrame:
    wanted = (day.select(CLASSIFIER_DAYS.names()) for day in days)
    return pl.concat([pl.DataFrame(schema=CLASSIFIER_DAYS), *wanted])
