from datetime import date, timedelta

import numpy as np
import polars as pl

from kalshi_assets.studies.weather_days import MISSED_PEAKS
from kalshi_assets.studies.weather_study import missed_counts

SHARES = [0.9, 0.08, 0.02, 0.0]


def days(missed: list[int], *, doubt: int = 0) -> pl.DataFrame:
    rows = [
        {
            "date": date(2025, 6, 1) + timedelta(days=n),
            "official_f": 70 + degrees,
            "reported_lo_f": 70 - doubt,
            "reported_hi_f": 70,
            "missed_peak": SHARES,
        }
        for n, degrees in enumerate(missed)
    ]
    return pl.DataFrame(rows, schema=MISSED_PEAKS)


def test_degrees_missed_are_counted_beside_what_was_expected() -> None:
    table = missed_counts(days([0] * 90 + [1] * 8 + [2] * 2))
    assert table["days"].to_list() == [90, 8, 2, 0]
    np.testing.assert_allclose(table["expected"].to_numpy(), [90, 8, 2, 0])
    assert ((table["lo"] <= table["days"]) & (table["days"] <= table["hi"])).all()


def test_far_more_missed_peaks_than_expected_lie_outside() -> None:
    table = missed_counts(days([0] * 60 + [1] * 40))
    assert table["days"][1] > table["hi"][1]


def test_days_in_doubt_and_impossible_days_do_not_count() -> None:
    doubtful, below = days([0] * 5, doubt=1), days([-1] * 3)
    assert missed_counts(pl.concat([doubtful, below])).is_empty()
    assert missed_counts(pl.concat([doubtful, days([0, 1])]))["days"].sum() == 2
