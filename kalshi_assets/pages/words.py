"""How numbers and codes are shown: money, degrees, times, reasons.

Here: one format for each kind of value, on pages and in the terminal. Not here: the values.
"""

import datetime as dt

REASON_WORDS = {
    "trade": "an order was sent",
    "no_quote": "no bid or no ask was known",
    "inferred_quote": "the quote was inferred from trades, not recorded",
    "market_invalid": "too few two-sided quotes to read a market probability",
    "stale_quote": "the quote was too old",
    "extreme_probability": "the probability was too close to 0 or 1",
    "wide_spread": "the spread was too wide",
    "low_volume": "too little was traded recently",
    "hazard": "a new high was too likely within minutes",
    "quiet_time": "an hourly report was about to come",
    "hazard_unknown": "the probability of a new high within minutes was not known",
    "input_unknown": "a value needed for the decision was not known",
    "dead_bracket": "the bracket could no longer pay",
    "no_prediction": "the classifiers gave no prediction",
    "signal_unknown": "a component of the signal was not known",
    "signal_too_weak": "the signal was too weak",
    "move_too_small": "the predicted move was too small after fees",
    "no_set": "complete sets cost what they pay, or more",
    "edge_too_small": "the expected gain after fees was too small",
    "too_late": "too close to the end of trading",
    "not_wanted": "the strategy wanted no order",
    "order_working": "an order was already in the book",
    "size_zero": "the size of the order was less than one contract",
    "position_limit": "the position was at its limit",
    "open_orders_limit": "too many orders were in the book",
    "order_rate_limit": "too many orders were sent within a minute",
    "price_collar": "the price was too far from the middle of the quotes",
    "loss_limit": "the day's loss limit was reached: only orders that reduce the loss",
}


def reason_words(reason: str) -> str:
    """A reason in words; that of another family, by its name."""
    return REASON_WORDS.get(reason, reason.replace("_", " "))


WEATHER_WORDS = {
    "ok": "weather known",
    "before_climate_day": "before the climate day",
    "no_observations": "no station observations",
    "not_yet": "no report known yet",
    "stale": "last report too old",
    "short_history": "too few earlier days",
    "day_ahead": "day-ahead guidance only",
    "feed_alarm": "the reports contradict the model",
}
METHOD_WORDS = {
    "exact": "those of the filter",
    "analogue": "those of similar earlier days",
    "emos": "day-ahead ones",
}
BASELINE_WORDS = {
    "forecast_hourly": "the hourly forecast",
    "forecast_max": "the forecast maximum",
    "climatology": "the climatological day",
    "guidance": "the guidance",
}
SHORT_WEATHER_WORDS = {
    **WEATHER_WORDS,
    "no_observations": "no observations",
    "not_yet": "no report yet",
    "stale": "stale",
    "feed_alarm": "feed alarm",
}

KIND_WORDS = {
    "whole_c": "whole °C",
    "tgroup": "tenths of °C",
    "interp": "interpolated",
    "filled": "copies of an earlier report",
    "max_6h": "maximum of six hours",
    "max_so_far": "maximum so far",
}


def dollars(cc: int | None, *, signed: bool = False) -> str:
    """An amount given in 1/10,000 dollars, exact: with two decimals if they suffice, else four."""
    if cc is None:
        return "–"
    digits = 2 if cc % 100 == 0 else 4
    sign = "−" if cc < 0 else "+" if signed and cc > 0 else ""
    return f"{sign}${abs(cc) / 10_000:,.{digits}f}"


def number(value: float | None, digits: int = 3) -> str:
    """A number with `digits` decimals, or a dash for None."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def percent(value: float | None) -> str:
    """A share or probability in per cent; never rounded to 0 or 100 unless it is exactly that."""
    if value is None:
        return "–"
    shown = f"{value * 100:.0f}"
    if 0 < value < 0.005:
        shown = "<1"
    elif 0.995 < value < 1:
        shown = ">99"
    return f"{shown}\u00a0%"


def utc(instant: dt.datetime | None) -> str:
    """A time, UTC."""
    return "–" if instant is None else f"{instant:%Y-%m-%d %H:%M}Z"


def local_standard(instant: dt.datetime, offset_h: int, day: dt.date) -> str:
    """A time in local standard time; with the date if it is not `day`."""
    local = instant + dt.timedelta(hours=offset_h)
    prefix = "" if local.date() == day else f"{local.day} {local:%b} "
    return f"{prefix}{local:%H:%M}"


def hours_and_minutes(hours: float) -> str:
    """An hour as HH:MM."""
    minutes = round(hours * 60) % (24 * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def counted(count: int, noun: str) -> str:
    """`3 orders`, `1 order`, `no orders`."""
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
