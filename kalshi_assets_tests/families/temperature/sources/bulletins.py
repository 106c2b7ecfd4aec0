"""A Daily Climate Report written from its description, as far as the parser reads it."""

from datetime import UTC, date, datetime, timedelta, timezone

ZONES = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}


def clock(time: datetime) -> str:
    return f"{(time.hour + 11) % 12 + 1}{time:%M} {'AM' if time.hour < 12 else 'PM'}"


def bulletin(
    issued_at: datetime,
    day: date,
    maximum: str,
    *,
    cli: str = "NYC",
    zone: str = "EDT",
    valid_at: datetime | None = None,
    minimum: str = "  64    440 AM  56    1894  70     -6       73",
) -> str:
    """`maximum` is the row after its name; `valid_at` makes it an issue of the day itself."""
    civil = timezone(timedelta(hours=ZONES[zone]))
    local = issued_at.astimezone(civil)
    valid = ""
    if valid_at is not None:
        said = valid_at.astimezone(civil)
        valid = f"VALID TODAY AS OF {clock(said).zfill(7)} LOCAL TIME.\n"
    return f"""
000
CDUS41 KOKX {issued_at.astimezone(UTC):%d%H%M}
CLI{cli}

CLIMATE REPORT
NATIONAL WEATHER SERVICE SOMEWHERE
{clock(local)} {zone} {local:%a %b %d %Y}

...................................

...THE SOMEWHERE CLIMATE SUMMARY FOR {day:%B} {day.day} {day:%Y}...
{valid}
CLIMATE NORMAL PERIOD 1991 TO 2020

WEATHER ITEM   OBSERVED TIME   RECORD YEAR NORMAL DEPARTURE LAST
                VALUE   (LST)  VALUE       VALUE  FROM      YEAR
...................................................................
TEMPERATURE (F)
 {"YESTERDAY" if valid_at is None else "TODAY"}
  MAXIMUM  {maximum}
  MINIMUM  {minimum}
  AVERAGE         75                        77     -2       83

PRECIPITATION (IN)
  YESTERDAY        0.00          2.27 2021   0.13  -0.13     0.09

THE SOMEWHERE CLIMATE NORMALS FOR TODAY
 MAXIMUM TEMPERATURE (F)   85       106      1936
$$
""".upper()
