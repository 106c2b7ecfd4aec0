"""The study of markets, pool, calibration and classifiers: many city-days together.

Here: evaluated days gathered into the scoreboard, reliability, controls and the classifiers' skill.
Not here: one day's frames (`evaluations`), reading them, documents (`pages`).
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
    """Evaluated city-days, and what they say together.

    Attributes
    ----------
    evaluations
        Of schema `evaluations.EVALUATIONS`.
    classifier_days
        Of schema `classifier_skill.CLASSIFIER_DAYS`; without rows where there are no classifiers.
    control_days
        The same of classifiers fitted to, and judged on, the labels of other days.
    bootstrap
        Over dates.
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
        """From settled days, each let go once evaluated, and the classifiers' daily scores.

        Parameters
        ----------
        days
            In any order.
        classifier_days
            `learning.classifiers.scores.daily_scores` with columns city and date.
        control_days
            The same, of labels that belong to other days.
        """
        return cls(
            evaluations=pl.concat(
                [pl.DataFrame(schema=EVALUATIONS), *(evaluations(day) for day in days)]
            ),
            classifier_days=_gathered(classifier_days),
            control_days=_gathered(control_days),
        )

    @cached_property
    def days(self) -> pl.DataFrame:
        """Columns city and date: the city-days that were scored, sorted."""
        return self.evaluations.select("city", "date").unique().sort("city", "date")

    @cached_property
    def scoreboard(self) -> pl.DataFrame:
        """`learning.scoreboard`."""
        return scoreboard(self.evaluations, self.bootstrap)

    @cached_property
    def diagrams(self) -> dict[str, Diagram]:
        """Reliability by source, where it has a PMF and market, fused and calibrated have."""
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
        """Of schema `negative_controls.CONTROLS`."""
        return controls(self.evaluations, self.bootstrap)

    @cached_property
    def classifier_skill(self) -> pl.DataFrame:
        """Of schema `classifier_skill.CLASSIFIER_SKILL`."""
        return classifier_skill(self.classifier_days, self.bootstrap)

    @cached_property
    def control_skill(self) -> pl.DataFrame:
        """`classifier_skill` with the labels of other days."""
        return classifier_skill(self.control_days, self.bootstrap)


def _gathered(days: Iterable[pl.DataFrame]) -> pl.DataFrame:
    wanted = (day.select(CLASSIFIER_DAYS.names()) for day in days)
    return pl.concat([pl.DataFrame(schema=CLASSIFIER_DAYS), *wanted])
