"""What settled: the contract that the settlements of every family keep, each in its own table."""

from typing import Annotated

import polars as pl

from kalshi_assets.tables.contract import Contract, UtcTime, column

Payoffs = Annotated[pl.List, pl.Int32()]


class Settlements(Contract):
    """The number of the day, a row per source, status and issue; disagreement stays visible.

    Only rows that are final in their source's eyes settle: official, or the exchange's result. Of
    several issues of one source and status the first settles. A source that was asked and could
    not be read has a row of status failed, which says why and nothing about the outcome.
    """

    source: pl.String = column("Who says so: the exchange, or an authority of the event.")
    status: pl.String = column(
        "The source's word. Final: official; of the exchange determined, finalized. failed: it "
        "could not be read.",
        isin=["determined", "finalized", "official", "preliminary", "revised", "failed"],
    )
    value: pl.Int64 = column(
        "The number; null: only a result is known.", unit="ticks", nullable=True
    )
    winning_market: pl.String = column(
        "The market that the source says pays; null: it names a value only.", nullable=True
    )
    won: pl.Int16 = column(
        "Position of the atom that the source's results mean, where more than one market may pay; "
        "null: they name a market, or are none.",
        nullable=True,
    )
    payoffs_cc: Payoffs = column(
        "What a YES contract of each bracket paid, lowest first, where the exchange settled at a "
        "fair price and no bracket won; null: one bracket pays a dollar.",
        unit="cc",
        nullable=True,
    )
    event_time: UtcTime = column("End of the day that the number is of.")
    issued_at: UtcTime = column("When the source issued it; null: it does not say.", nullable=True)
    known_at: UtcTime = column("When it could first be acted on.")
    known_at_from: pl.String = column(
        "Where that was read.", isin=["settlement_ts", "issue_time", "assumed"]
    )
    raw_sha256: pl.String = column(
        "Content hash of the answer that the row rests on; null: none could be read.",
        nullable=True,
    )
    problem: pl.String = column("Why the source could not be read; null: it was.", nullable=True)
