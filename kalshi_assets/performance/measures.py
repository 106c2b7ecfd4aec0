"""Measures of results: totals, paths of equity, parts of a gain, whether it is more than luck.

The unit of a gain is a date with all its ladders, which share their weather. Days that are not
settled count as days and have no gain. Not here: how results are read (`results`), pictures.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from kalshi_assets.performance.results import Results
from kalshi_assets.statistics import drawdown
from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.statistics.power import city_days_needed
from kalshi_assets.statistics.selection import (
    deflated_sharpe,
    expected_best_sharpe,
    moments,
    overfitting_probability,
    romano_wolf,
    sharpe,
)
from kalshi_assets.tables import PERFORMANCE
from kalshi_assets.tables.backtest import DECIDING_MODEL, FILL_MODELS
from kalshi_assets.units import CC_A_CENT, Array, Ints

EXTRA_CENTS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
# Dates drawn together: weather lasts.
_DATES = Bootstrap(block=3)
_RUN = ("strategy", "fill_model")
FEW_DATES = 30
"""With fewer dates nothing is said of luck."""


def headline(results: Results) -> pl.DataFrame:
    """A row per strategy and fill model: counts, gains in cc, rates, cents per contract.

    All but `days` is of settled days. Rates and cents are null where nothing was filled, `net_cc`
    where no day is settled.
    """
    settled = pl.col("settled")
    days = results.days.group_by(_RUN, maintain_order=True).agg(
        days=pl.len(),
        settled_days=settled.sum(),
        days_with_orders=(settled & (pl.col("orders") > 0)).sum(),
        makers=pl.col("maker_fills").filter(settled).sum(),
        takers=pl.col("taker_fills").filter(settled).sum(),
        gross_cc=_known_sum("gross_cc"),
        fees_cc=pl.col("fees_cc").filter(settled).sum(),
        net_cc=_known_sum("net_cc"),
        worst_day_cc=pl.col("net_cc").min(),
    )
    paths = equity(results).group_by(_RUN).agg(worst_drawdown_cc=pl.col("drawdown_cc").max())
    contracts = pl.when(pl.col("contracts") > 0).then("contracts")
    sums = results.sums.filter(by="all").select(*_RUN, *_COUNTS)
    return (
        days.join(sums, on=_RUN, how="left", maintain_order="left")
        .with_columns(pl.col(_COUNTS).fill_null(0))  # no day is settled
        .join(paths, on=_RUN, how="left", maintain_order="left")
        .with_columns(
            *_rates(),
            net_cents=pl.col("net_cc") / contracts / CC_A_CENT,
        )
        .sort(pl.col("strategy"), pl.col("fill_model").replace_strict(_ORDER, return_dtype=pl.Int8))
    )


_COUNTS = (
    "orders",
    "orders_filled",
    "ordered",
    "fills",
    "contracts",
    "marked",
    "hits",
    "mark_out_1m_cc",
    "mark_out_5m_cc",
)
_ORDER = {name: position for position, name in enumerate(FILL_MODELS)}


def performance(results: Results) -> pl.DataFrame:
    """`backtest.performance`: the sums with their rates."""
    rows = results.sums.with_columns(*_rates())
    return PERFORMANCE.arranged(rows.select(list(PERFORMANCE.dtypes)))


def _rates() -> list[pl.Expr]:
    marked = pl.when(pl.col("marked") > 0).then("marked")
    return [
        (pl.col("hits") / marked).alias("hit_rate"),
        (pl.col("mark_out_1m_cc") / marked / CC_A_CENT).alias("mark_out_1m_cents"),
        (pl.col("mark_out_5m_cc") / marked / CC_A_CENT).alias("mark_out_5m_cents"),
    ]


def widths(results: Results) -> pl.DataFrame:
    """By strategy the highest less the lowest net of the fill models, `width_cc`, and both."""
    return (
        headline(results)
        .group_by("strategy", maintain_order=True)
        .agg(low_cc=pl.col("net_cc").min(), high_cc=pl.col("net_cc").max())
        .with_columns(width_cc=pl.col("high_cc") - pl.col("low_cc"))
    )


def equity(results: Results) -> pl.DataFrame:
    """By strategy, fill model and date, in cc: gain, equity, how far it is below its high."""
    gains = (
        results.days.filter("settled")
        .group_by(*_RUN, "date")
        .agg(net_cc=pl.col("net_cc").sum())
        .sort(*_RUN, "date")
    )
    total = pl.col("net_cc").cum_sum().over(_RUN)
    high = pl.max_horizontal(pl.col("equity_cc").cum_max().over(_RUN), pl.lit(0))
    return gains.with_columns(equity_cc=total).with_columns(drawdown_cc=high - pl.col("equity_cc"))


@dataclass(frozen=True, kw_only=True)
class DatedDrawdown:
    """A drawdown with its dates; `recovery` None: not yet.

    `depth_cc` is the high less the lowest equity, `dates` the number of dates below the high.
    """

    strategy: str
    start: date
    trough: date
    recovery: date | None
    depth_cc: int
    dates: int


def worst_drawdowns(results: Results, *, most: int = drawdown.MOST) -> list[DatedDrawdown]:
    """The deepest drawdowns of all strategies under `DECIDING_MODEL`, the deepest first.

    Parameters
    ----------
    results
        The results.
    most
        Greatest number returned.
    """
    found = []
    paths = equity(results).filter(fill_model=DECIDING_MODEL)
    for (strategy,), path in paths.group_by("strategy", maintain_order=True):
        dates = path["date"].to_list()
        for each in drawdown.worst_drawdowns(path["net_cc"].to_numpy(), most=most):
            dated = DatedDrawdown(
                strategy=str(strategy),
                start=dates[each.start],
                trough=dates[each.trough],
                recovery=None if each.recovery is None else dates[each.recovery],
                depth_cc=each.depth,
                dates=each.length,
            )
            found.append(dated)
    return sorted(found, key=lambda one: (-one.depth_cc, one.start, one.strategy))[:most]


def parts_of_gain(results: Results) -> pl.DataFrame:
    """Per strategy and fill model, in cc, what adds up to the net of settled days.

    `mark_out_cc`: what fills were worth after five minutes; `afterwards_cc`: from then to the
    settlement, with fills whose mark-out is not known; `fees_cc`: negative.
    """
    table = headline(results)
    return table.select(
        *_RUN,
        mark_out_cc="mark_out_5m_cc",
        afterwards_cc=pl.col("gross_cc") - pl.col("mark_out_5m_cc"),
        fees_cc=-pl.col("fees_cc"),
        net_cc="net_cc",
    ).drop_nulls("net_cc")


def with_extra_cost(results: Results) -> pl.DataFrame:
    """Net of settled days if every contract had cost `extra_cents` more, per strategy and model."""
    table = headline(results).drop_nulls("net_cc")
    extra = pl.DataFrame({"extra_cents": EXTRA_CENTS})
    lost = (pl.col("extra_cents") * CC_A_CENT * pl.col("contracts")).round().cast(pl.Int64)
    return table.join(extra, how="cross").select(
        *_RUN, "extra_cents", net_cc=pl.col("net_cc") - lost
    )


def by_calendar(results: Results) -> pl.DataFrame:
    """Net under `DECIDING_MODEL` per strategy, month (`2025-04`) and weekday (1 is Monday)."""
    return (
        results.days.filter("settled", fill_model=DECIDING_MODEL)
        .group_by(
            "strategy",
            month=pl.col("date").dt.strftime("%Y-%m"),
            weekday=pl.col("date").dt.weekday(),
        )
        .agg(net_cc=pl.col("net_cc").sum(), days=pl.len())
        .sort("strategy", "month", "weekday")
    )


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Whether a strategy's gain under `DECIDING_MODEL` is more than luck; None: cannot be said.

    Attributes
    ----------
    strategy
        Its name.
    dates
        Settled dates.
    mean_cc, lo_cc, hi_cc
        Mean gain of a date, and its 95 % interval by resampling blocks of three dates.
    sharpe
        Mean over standard deviation, per date.
    by_chance
        The greatest Sharpe ratio expected of so many trials without an edge.
    deflated
        Probability that the true ratio exceeds `by_chance`.
    p_value
        Of a mean gain above zero, adjusted for all strategies (Romano-Wolf).
    city_days_needed
        Independent ladder-days at which an edge as observed has an expected t of 2.
    """

    strategy: str
    dates: int
    mean_cc: float | None = None
    lo_cc: float | None = None
    hi_cc: float | None = None
    sharpe: float | None = None
    by_chance: float | None = None
    deflated: float | None = None
    p_value: float | None = None
    city_days_needed: int | None = None


def judgements(results: Results, *, configurations: int) -> list[Judgement]:
    """Judge every strategy, on the dates of which all that have results have one.

    With fewer than thirty dates only the mean gain is given.

    Parameters
    ----------
    results
        The results.
    configurations
        Configurations ever run, at least 1; each strategy of each is a trial.
    """
    names, _, gains = daily_gains(results)
    dates = len(gains)
    means = {name: float(gains[:, n].mean()) for n, name in enumerate(names)} if dates else {}
    every = results.days["strategy"].unique(maintain_order=True).to_list()
    if dates < FEW_DATES:
        return [
            Judgement(strategy=name, dates=dates if name in means else 0, mean_cc=means.get(name))
            for name in every
        ]
    interval = _DATES.ratios(gains, np.ones_like(gains))
    ratios = [sharpe(gains[:, n]) for n in range(len(names))]
    by_chance = _best_by_chance(dates, max(configurations, 1) * len(every))
    p_values = _p_values(gains, ratios)
    judged = {
        name: Judgement(
            strategy=name,
            dates=dates,
            mean_cc=means[name],
            lo_cc=float(interval.lo[n]),
            hi_cc=float(interval.hi[n]),
            sharpe=ratios[n],
            by_chance=by_chance,
            deflated=_deflated(gains[:, n], ratios[n], by_chance),
            p_value=p_values[n],
            city_days_needed=_needed(results, name),
        )
        for n, name in enumerate(names)
    }
    return [judged.get(name, Judgement(strategy=name, dates=0)) for name in every]


def _best_by_chance(dates: int, trials: int) -> float:
    """The greatest ratio expected of trials without an edge.

    Their variance is that of estimates from so many dates, 1 / (dates - 1): the few strategies that
    are known may be close by chance, or apart because one is good.
    """
    return expected_best_sharpe(1 / (dates - 1), trials)


def _deflated(gains: Array, ratio: float | None, by_chance: float) -> float | None:
    shape = moments(gains)
    if ratio is None or shape is None:
        return None
    return deflated_sharpe(ratio, by_chance, days=len(gains), skewness=shape[0], kurtosis=shape[1])


def overfitting(results: Results) -> float | str:
    """Probability of backtest overfitting over the strategies, or why it cannot be computed."""
    names, _, gains = daily_gains(results)
    traded = [n for n in range(len(names)) if np.ptp(gains[:, n]) > 0] if len(gains) else []
    if len(traded) < 2:
        return "fewer than two strategies have gains"
    if len(gains) < FEW_DATES:
        return f"{len(gains)} dates are too few; {FEW_DATES} are required"
    try:
        return overfitting_probability(gains[:, traded]).probability
    except ValueError as error:
        return str(error)


def daily_gains(results: Results) -> tuple[list[str], list[date], Array]:
    """Strategies with a settled date, dates, and gains under `DECIDING_MODEL`.

    Gains are in cc, shape (dates, strategies), of the dates on which every one has a result.
    """
    days = equity(results).filter(fill_model=DECIDING_MODEL)
    if days.is_empty():
        return [], [], np.empty((0, 0))
    wide = days.pivot("strategy", index="date", values="net_cc").sort("date").drop_nulls()
    names = [name for name in wide.columns if name != "date"]
    return names, wide["date"].to_list(), wide.select(names).to_numpy().astype(np.float64)


def _p_values(gains: Array, ratios: list[float | None]) -> list[float | None]:
    varying = [n for n, ratio in enumerate(ratios) if ratio is not None]
    found: list[float | None] = [None] * len(ratios)
    if varying:
        for n, p_value in zip(varying, romano_wolf(gains[:, varying], _DATES), strict=True):
            found[n] = float(p_value)
    return found


def _needed(results: Results, strategy: str) -> int | None:
    """Ladder-days needed, from the mean and spread of those with a fill; None: there is no edge."""
    days = results.days.filter(
        pl.col("settled") & (pl.col("contracts") > 0),
        strategy=strategy,
        fill_model=DECIDING_MODEL,
    )
    cents: Ints = days["net_cc"].to_numpy()
    each = cents / days["contracts"].to_numpy() / CC_A_CENT
    if len(each) < 2 or each.mean() <= 0 or each.std(ddof=1) == 0:
        return None
    return city_days_needed(float(each.mean()), float(each.std(ddof=1)))


def _known_sum(name: str) -> pl.Expr:
    """The sum of settled days; null if there is none."""
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum())
