"""A handmade archive of four events, small enough to know by heart.

KXHIGHNY-25APR20 (archived, settled at 73, tape only), KXHIGHNY-25APR21 (archived, never settled by
the exchange, nothing recorded), KXHIGHCHI-25MAY05 (live, settled at 56, candles and tape),
KXHIGHCHI-25MAY06 (live, settled, nothing recorded).
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

NY_DAY, CHI_DAY = date(2025, 4, 20), date(2025, 5, 5)
NY_EVENT, CHI_EVENT = "KXHIGHNY-25APR20", "KXHIGHCHI-25MAY05"
NY_BIN, CHI_BIN = "KXHIGHNY-25APR20-B72.5", "KXHIGHCHI-25MAY05-B55.5"
CHI_LOW = "KXHIGHCHI-25MAY05-T55"
CHI_OPEN = datetime(2025, 5, 4, 14, tzinfo=UTC)
CHI_CLOSE = datetime(2025, 5, 6, 4, 59, tzinfo=UTC)
CANDLES = 90
"""Minutes with a candle of CHI_BIN from the open; the last trade is in minute 60."""


def write_archive(root: Path) -> Path:
    """Write the archive into `root` and return it."""
    _write(root / "markets.parquet", pl.concat(_markets()))
    _write(root / "settlements.parquet", _settlements())
    _write(root / "forecasts.parquet", _forecasts())
    _write(_event_path(root, "candles", "KXHIGHCHI", CHI_DAY), _candles())
    _write(_event_path(root, "trades", "KXHIGHCHI", CHI_DAY), _trades(CHI_BIN, CHI_OPEN, 5))
    ny_open = datetime(2025, 4, 19, 14, tzinfo=UTC)
    _write(_event_path(root, "trades", "KXHIGHNY", NY_DAY), _trades(NY_BIN, ny_open, 25))
    _write(root / "observations" / "station=KNYC" / "part.parquet", _observations())
    return root


def _write(path: Path, frame: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path)


def _event_path(root: Path, kind: str, series: str, day: date) -> Path:
    return root / kind / f"series={series}" / f"event_date={day}" / "part.parquet"


def _markets() -> list[pl.DataFrame]:
    return [
        _event("KXHIGHNY", "new_york", NY_DAY, low=72, settled=73, from_exchange=True),
        _event("KXHIGHNY", "new_york", date(2025, 4, 21), low=60, settled=58, from_exchange=False),
        _event("KXHIGHCHI", "chicago", CHI_DAY, low=55, settled=56, from_exchange=True),
        _event("KXHIGHCHI", "chicago", date(2025, 5, 6), low=60, settled=70, from_exchange=True),
    ]


def _event(
    series: str, city: str, day: date, *, low: int, settled: int, from_exchange: bool
) -> pl.DataFrame:
    event = f"{series}-{day:%y%b%d}".upper()
    offset = timedelta(hours=4 if city == "new_york" else 5)
    noon = datetime(day.year, day.month, day.day, tzinfo=UTC)
    strikes = [
        (f"{event}-T{low}", "less", None, float(low), settled < low),
        (f"{event}-B{low}.5", "between", float(low), low + 1.0, low <= settled <= low + 1),
        (f"{event}-T{low + 1}", "greater", low + 1.0, None, settled > low + 1),
    ]
    return pl.DataFrame(
        {
            "series_ticker": series,
            "city": city,
            "event_ticker": event,
            "market_ticker": ticker,
            "event_date": day,
            "strike_type": kind,
            "floor_strike": floor,
            "cap_strike": cap,
            "yes_sub_title": "words" if from_exchange else None,
            "open_time": noon - timedelta(hours=10),
            "close_time": noon + timedelta(days=1) + offset - timedelta(minutes=1),
            "status": "finalized",
            "result": "yes" if pays else "no",
            "expiration_value": float(settled) if pays else None,
            "volume": 50,
            "open_interest": 40,
            "rules_primary": "If it is warm, the market resolves to Yes." if pays else None,
            "source": "handmade",
            "result_source": "exchange" if from_exchange else "official daily maximum",
        }
        for ticker, kind, floor, cap, pays in strikes
    ).with_columns(
        pl.col("floor_strike", "cap_strike", "expiration_value").cast(pl.Float64),
        pl.col("yes_sub_title", "rules_primary").cast(pl.String),
        pl.col("open_time", "close_time").cast(pl.Datetime("us", "UTC")),
    )


def _candles() -> pl.DataFrame:
    minutes = range(1, CANDLES + 1)
    traded = [m <= 60 and m % 10 == 0 for m in minutes]
    last = [None if m <= 10 else 40 + min((m - 1) // 10, 6) for m in minutes]
    price = [40.0 + m // 10 if t else None for m, t in zip(minutes, traded, strict=True)]
    return pl.DataFrame(
        {
            "market_ticker": CHI_BIN,
            "end_period_ts": [CHI_OPEN + timedelta(minutes=m) for m in minutes],
            **{f"yes_bid_{p}": [30 + m % 3 for m in minutes] for p in ("open", "close")},
            "yes_bid_low": 30,
            "yes_bid_high": 32,
            **{f"yes_ask_{p}": [50 + m % 3 for m in minutes] for p in ("open", "close")},
            "yes_ask_low": 50,
            "yes_ask_high": 52,
            **{f"price_{p}": price for p in ("open", "low", "high", "close", "mean")},
            "price_previous": last,
            "volume": [7 if t else 0 for t in traded],
            "open_interest": list(minutes),
        },
        schema_overrides={
            "end_period_ts": pl.Datetime("ns", "UTC"),
            "price_previous": pl.Float64,
            **{f"price_{p}": pl.Float64 for p in ("open", "low", "high", "close", "mean")},
        },
    )


def _trades(ticker: str, opened: datetime, number: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "trade_id": [f"id-{n:02d}" for n in range(number)],
            "market_ticker": ticker,
            "created_time": [
                opened + timedelta(minutes=n // 2, microseconds=600_000) for n in range(number)
            ],
            "yes_price": [40 + n for n in range(number)],
            "count": [n + 1 for n in range(number)],
            "taker_side": ["yes" if n % 2 else "no" for n in range(number)],
        }
    )


def _observations() -> pl.DataFrame:
    start = datetime(2025, 4, 20, 4, tzinfo=UTC)
    steps = range(0, 24 * 60, 5)
    return pl.DataFrame(
        {
            "station": "KNYC",
            "valid_utc": [start + timedelta(minutes=m) for m in steps if not 120 <= m < 180],
            "temp_c": [
                None if m == 5 else round(10 + m / 144, 1) for m in steps if not 120 <= m < 180
            ],
            "temp_c_whole": [10.0 for m in steps if not 120 <= m < 180],
            "source": "handmade",
        }
    )


def _settlements() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "station": ["KMDW", "KMDW", "KNYC"],
            "date": [CHI_DAY, date(2024, 5, 5), NY_DAY],
            "tmax_f": [56, 71, 73],
            "source": "handmade",
        }
    )


def _forecasts() -> pl.DataFrame:
    def issued(day: int, hour: int) -> datetime:
        return datetime(2025, 4, day, hour, tzinfo=UTC)

    rows = [
        ("ecmwf", issued(19, 1), "daily maximum", 70.0),
        ("nws", issued(18, 1), "daily maximum", 71.0),
        ("nws", issued(19, 13), "daily maximum", 72.5),
        ("nws", issued(20, 0), "daily maximum", 80.0),
        ("HRRR", issued(19, 12), "temperature at 15:00 local", 68.2),
        ("NBM", issued(19, 12), "temperature at 15:00 local", 69.1),
    ]
    return pl.DataFrame(
        [("KNYC", model, at, NY_DAY, variable, value, "h") for model, at, variable, value in rows],
        schema=[
            "station",
            "model",
            "issued_utc",
            "target_date",
            "variable",
            "value_f",
            "source",
        ],
        orient="row",
    )
