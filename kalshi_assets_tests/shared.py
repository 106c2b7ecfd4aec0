"""Where the recordings lie that tests read but the project does not carry."""

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"

ARCHIVE = _SHARED / "data" / "archive"
SAMPLES = _SHARED / "data" / "samples"

needs_archive = pytest.mark.skipif(
    not (ARCHIVE / "markets.parquet").is_file(),
    reason="needs the recorded city-days of ../shared/data/archive, which are not here",
)
needs_samples = pytest.mark.skipif(
    not (SAMPLES / "kalshi").is_dir(),
    reason="needs the recorded payloads of ../shared/data/samples, which are not here",
)
