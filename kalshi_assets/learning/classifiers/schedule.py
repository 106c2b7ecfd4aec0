"""Which days a model is fitted to, is validated on, and may predict.

The calendar alone decides, so that every partition of a fold, on any machine and in any order, uses
the same days. Models are fitted to the past only: no training day follows a prediction day, so no
embargo is needed.
"""

from dataclasses import dataclass
from datetime import date, timedelta

PREDICTION_DAYS = 5
VALIDATION_DAYS = 10
TRAINING_DAYS = 60
MIN_TRAINING_DAYS = 30
MIN_VALIDATION_DAYS = 5
# Labels settle the next morning and fronts persist: the day before a prediction is left out.
PURGED_DAYS = 1
LOOK_BACK_DAYS = PREDICTION_DAYS - 1 + PURGED_DAYS + VALIDATION_DAYS + TRAINING_DAYS
"""Days from a partition back to the earliest day of its fold, at most."""


@dataclass(frozen=True)
class Fold:
    """One step of the walk: train, validate, leave a day out, predict.

    Attributes
    ----------
    start
        First prediction day; its ordinal is a multiple of `PREDICTION_DAYS`.
    """

    start: date

    def __post_init__(self) -> None:
        if self.start.toordinal() % PREDICTION_DAYS:
            raise ValueError(
                f"no fold starts on {self.start}; the fold of that day starts on "
                f"{fold_of(self.start).start}"
            )

    @property
    def prediction(self) -> tuple[date, ...]:
        """Days that the fold's models predict, oldest first."""
        return _days(self.start, PREDICTION_DAYS)

    @property
    def validation(self) -> tuple[date, ...]:
        """Days that determine the number of trees and whether they come into force."""
        return _days(self.start - timedelta(days=PURGED_DAYS + VALIDATION_DAYS), VALIDATION_DAYS)

    @property
    def training(self) -> tuple[date, ...]:
        """Days that trees and baselines are fitted to."""
        return _days(self.validation[0] - timedelta(days=TRAINING_DAYS), TRAINING_DAYS)


def fold_of(day: date) -> Fold:
    """The fold whose models predict `day`."""
    return Fold(day - timedelta(days=day.toordinal() % PREDICTION_DAYS))


def recent_days(day: date) -> tuple[date, ...]:
    """The last days before `day` that were over when it began, for drift: as many as in a fold.

    A market may close after the next climate day has begun, so the day before is left out.
    """
    return _days(day - timedelta(days=PURGED_DAYS + PREDICTION_DAYS), PREDICTION_DAYS)


def _days(first: date, count: int) -> tuple[date, ...]:
    return tuple(first + timedelta(days=n) for n in range(count))
