"""Errors of the lake that rooms without Dagster tell apart."""


class NotRecordedError(LookupError):
    """A replayed client asked for something that was never recorded."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; backfill once without --replay")
