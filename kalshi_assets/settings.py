"""Addresses, secrets and switches, from the environment, `.env.local` and `.env`.

Here: settings that differ between machines. Not here: cities and parameters (config/), which are
the same everywhere unless a folder overrides them.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.lake.files import Files

KALSHI_API = "https://external-api.kalshi.com/trade-api/v2"
KALSHI_WS = "wss://external-api-ws.kalshi.com/trade-api/ws/v2"
VISUAL_CROSSING = "https://weather.visualcrossing.com"
CLIMATE_REPORTS = "https://mesonet.agron.iastate.edu"
WEATHER_COMPANY = "https://weather.com"


class Settings(BaseSettings):
    """The settings of a process; read where they are needed, never at import.

    The environment overrides `.env.local`, which overrides `.env`. Secrets are not fields of
    Dagster resources, so they reach neither the UI nor the event log.
    """

    model_config = SettingsConfigDict(
        env_file=(".env", ".env.local"), extra="ignore", frozen=True, populate_by_name=True
    )

    data: Path = Field(Path("data"), validation_alias="KALSHI_ASSETS_DATA")
    cities: Annotated[tuple[str, ...], NoDecode] = Field(
        tuple(CITIES), validation_alias="KALSHI_ASSETS_CITIES"
    )
    kalshi_api_url: str = Field(KALSHI_API, validation_alias="KALSHI_API_URL")
    kalshi_ws_url: str = Field(KALSHI_WS, validation_alias="KALSHI_WS_URL")
    kalshi_api_key_id: str | None = Field(None, validation_alias="KALSHI_API_KEY_ID")
    kalshi_private_key_pem_path: Path | None = Field(
        None, validation_alias="KALSHI_PRIVATE_KEY_PEM_PATH"
    )
    visual_crossing_url: str = Field(VISUAL_CROSSING, validation_alias="VISUAL_CROSSING_URL")
    visual_crossing_key: SecretStr | None = Field(None, validation_alias="VISUAL_CROSSING_KEY")
    climate_report_url: str = Field(CLIMATE_REPORTS, validation_alias="CLIMATE_REPORT_URL")
    weather_company_url: str = Field(WEATHER_COMPANY, validation_alias="WEATHER_COMPANY_URL")
    origin: str = Field("exchange", validation_alias="KALSHI_ASSETS_ORIGIN")
    sandbox_clock_url: str | None = Field(None, validation_alias="KALSHI_ASSETS_SANDBOX_CLOCK")
    session_page_port: int = Field(8787, validation_alias="KALSHI_ASSETS_SESSION_PORT")
    page_token_secret: SecretStr | None = Field(None, validation_alias="KALSHI_ASSETS_PAGE_TOKEN")
    trade_mode: Literal["shadow", "paper", "demo", "live"] = Field(
        "shadow", validation_alias="TRADE_MODE"
    )

    @field_validator("cities", mode="before")
    @classmethod
    def _split_cities(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("kalshi_api_key_id", "kalshi_private_key_pem_path", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return value or None

    @property
    def files(self) -> Files:
        """The files in the data folder."""
        return Files(self.data)

    @property
    def page_token(self) -> str | None:
        """What the session's page asks of its readers; None: nothing."""
        secret = self.page_token_secret
        return secret.get_secret_value() if secret else None

    @property
    def unknown_cities(self) -> tuple[str, ...]:
        """Names in `cities` that the registry does not have; the other cities are used."""
        return tuple(name for name in self.cities if name not in CITIES)

    @property
    def names_services(self) -> bool:
        """Whether services are configured; otherwise `make ui` starts a sandbox."""
        return self.visual_crossing_key is not None or self.kalshi_api_url != KALSHI_API
