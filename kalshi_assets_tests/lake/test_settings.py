import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from kalshi_assets.defs.resources import KalshiResource, WeatherResource
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.pipeline.services import signer_of
from kalshi_assets.settings import KALSHI_API, Settings

NAMES = ("KALSHI_", "VISUAL_CROSSING_", "CLIMATE_REPORT_", "TRADE_MODE")


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(NAMES):
            monkeypatch.delenv(name)


def test_nothing_needs_to_be_set() -> None:
    settings = Settings()
    assert settings.data == Path("data")
    assert settings.cities == tuple(CITIES)
    assert settings.kalshi_api_url == KALSHI_API
    assert settings.trade_mode == "shadow"
    assert not settings.names_services


def test_the_environment_wins_over_env_local_which_wins_over_env(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("KALSHI_ASSETS_DATA", "KALSHI_API_URL", "KALSHI_WS_URL")
    Path(".env").write_text("".join(f"{name}=env\n" for name in names))
    Path(".env.local").write_text("".join(f"{name}=local\n" for name in names[:2]))
    monkeypatch.setenv(names[0], "environment")
    settings = Settings()
    assert str(settings.data) == "environment"
    assert settings.kalshi_api_url == "local"
    assert settings.kalshi_ws_url == "env"


def test_cities_are_a_list_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_ASSETS_CITIES", " new_york, chicago ,")
    assert Settings().cities == ("new_york", "chicago")


def test_an_unknown_city_is_kept_apart_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_ASSETS_CITIES", "new_york,atlantis")
    assert Settings().cities == ("new_york", "atlantis")
    assert Settings().unknown_cities == ("atlantis",)


def test_only_shadow_and_live_are_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADE_MODE", "yolo")
    with pytest.raises(ValidationError, match="TRADE_MODE"):
        Settings()


def test_a_blank_key_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_API_KEY_ID", "")
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PEM_PATH", "")
    assert signer_of(Settings()) is None


def test_half_a_key_is_an_error_that_names_both_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_API_KEY_ID", "some-id")
    with pytest.raises(ValueError, match=r"KALSHI_API_KEY_ID and KALSHI_PRIVATE_KEY_PEM_PATH"):
        signer_of(Settings())


def test_a_key_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_API_KEY_ID", "some-id")
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PEM_PATH", "/no/such.pem")
    with pytest.raises(ValueError, match=r"KALSHI_PRIVATE_KEY_PEM_PATH=/no/such\.pem: No such"):
        signer_of(Settings())


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL_CROSSING_KEY", "hunter2")
    settings = Settings()
    assert "hunter2" not in repr(settings)
    assert settings.names_services


def test_no_resource_has_a_field_for_a_secret() -> None:
    for resource in (KalshiResource, WeatherResource):
        assert {field.annotation for field in resource.model_fields.values()} == {bool}


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().trade_mode = "live"


def test_the_example_names_every_setting_that_people_set() -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text("utf-8")
    inner = {"KALSHI_ASSETS_ORIGIN"}  # what a sandbox says of itself
    aliases = {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert [name for name in sorted(aliases - inner) if name not in example] == []
