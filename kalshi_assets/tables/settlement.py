"""Settlements: the contract that the settlement tables of all families share."""

from typing import Annotated

import polars as pl

from kalshi_assets.tables.contract import Contract, UtcTime, column

Payoffs = Annotated[pl.List, pl.Int32()]


class Settlements(Contract):
    """Settlement values of a day: one row per source, status and issue, disagreements included.

    Only final rows settle an event: status official, or the exchange's result. Of several issues
    with the same source and status, the first counts. A source that was requested and could not be
    read has a row with status failed and the reason, and no outcome.
    """

    source: pl.String = column(
        "Source of the statement: the exchange, or an authority of the event."
    )
    status: pl.String = column(
        "Status given by the source. Final: official, and for the exchange determined, finalized. "
        "failed: it could not be read.",
        isin=["determined", "finalized", "official", "preliminary", "revised", "failed"],
    )
    value: pl.Int64 = column(
        "Settlement value; null: only a result is known.", unit="ticks", nullable=True
    )
    winning_market: pl.String = column(
        "The market that pays by this source; null: the source states only a value.", nullable=True
    )
    won: pl.Int16 = column(
        "Position of the atom that the source's results imply, if more than one market may pay; "
        "null: winning_market is given, or there are no results.",
        nullable=True,
    )
    payoffs_cc: Payoffs = column(
        "Payoff of a YES contract of each bracket, lowest first, if the exchange settled at a "
        "fair price and no bracket won; null: one bracket pays a dollar.",
        unit="cc",
        nullable=True,
    )
    event_time: UtcTime = column("End of the day that the value refers to.")
    issued_at: UtcTime = column("When the source issued it; null: not stated.", nullable=True)
    known_at: UtcTime = column("When it could first be acted on.")
    known_at_from: pl.String = column(
        "Where that was read.", isin=["settlement_ts", "issue_time", "assumed"]
    )
    raw_sha256: pl.String = column(
        "Content hash of the response that the row was decoded from; null: none could be read.",
        nullable=True,
    )
    problem: pl.String = column("Why the source could not be read; null: it was.", nullable=True)
