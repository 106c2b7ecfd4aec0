"""Days that teach nothing are named where something was learnt."""

import polars as pl
import pytest

from kalshi_assets.pipeline.backtest import outcome_of
from kalshi_assets.pipeline.beliefs import not_learnt_from
from kalshi_assets.tables import SETTLEMENTS
from kalshi_assets_tests.lake.handmade import events, frame_of


@pytest.mark.parametrize(
    ("settled_as", "reason"),
    [("fair_price", "settled at a fair price"), ("bracket", None), (None, None)],
)
def test_only_a_day_at_a_fair_price_has_a_reason(
    settled_as: str | None, reason: str | None
) -> None:
    examples = pl.DataFrame({"settled_as": [settled_as]}, schema={"settled_as": pl.String})
    found = not_learnt_from(examples)
    assert found is None if reason is None else reason in str(found)


def test_the_outcome_of_a_fair_price_is_what_each_bracket_paid() -> None:
    said = frame_of(
        SETTLEMENTS,
        source=["exchange", "climate_report"],
        status=["finalized", "official"],
        value=[None, 72],
        payoffs_cc=[[100, 2_400, 7_400, 100], None],
    )
    outcome = outcome_of(said, events())
    assert outcome is not None
    assert (outcome.settled_by, outcome.winning_bracket) == ("exchange", None)
    assert outcome.payoffs_cc == (100, 2_400, 7_400, 100)
