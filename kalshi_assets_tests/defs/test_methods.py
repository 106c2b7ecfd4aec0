"""What methods.toml says is what the assets do, and what it cannot say is refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets import config
from kalshi_assets.config import ENV_VARIABLE, METHODS, load_toml
from kalshi_assets.families.temperature.hazard.method import load_method
from kalshi_assets.ladder.market_pmf import MarketPmfParams, load_market_pmf_params


def test_the_packaged_file_says_what_the_functions_take_by_themselves() -> None:
    assert load_market_pmf_params() == MarketPmfParams()


def test_a_folder_s_file_is_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = Path(config.__file__).parent / METHODS
    text = packaged.read_text("utf-8").replace("stale_min = 10.0", "stale_min = 5.0")
    (tmp_path / METHODS).write_text(text, "utf-8")
    monkeypatch.setenv(ENV_VARIABLE, str(tmp_path))
    assert load_market_pmf_params().stale_min == 5.0
    assert load_method().method == "exact"


@pytest.mark.parametrize(
    ("load", "section", "key", "value", "says"),
    [
        (load_market_pmf_params, "panel", "proxy", "roll", r"missing or unknown \['panel'\]"),
        (load_market_pmf_params, "market_pmf", "method", "box", r"unknown \['method'\]"),
        (load_market_pmf_params, "market_pmf", "tight_spread", 0.5, "tight 0.5, wide 0.15"),
        (load_market_pmf_params, "market_pmf", "tight", 0.05, r"unknown \['tight'\]; \[market_pmf"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    load: Callable[..., object], section: str, key: str, value: object, says: str
) -> None:
    document: dict[str, Any] = load_toml(METHODS)
    document.setdefault(section, {})[key] = value
    with pytest.raises(ValueError, match=says):
        load(document)
