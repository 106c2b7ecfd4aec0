from pathlib import Path

from kalshi_assets.benchmarks.gateway import intent_to_socket
from kalshi_assets.lake.files import Files


def test_the_way_of_an_order_to_the_socket_is_measured_with_both_kinds_of_key(
    tmp_path: Path,
) -> None:
    figures = intent_to_socket(Files(tmp_path), orders=5)
    assert set(figures) == {
        f"intent_to_socket{key}_p{percent}_s" for key in ("", "_rsa") for percent in (50, 99)
    }
    assert all(0 < seconds < 5 for seconds in figures.values())
