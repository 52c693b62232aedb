"""Model type gamma_gamma: what a customer's next order is worth.

The training rows are one customer each, with the number of orders and their mean value. With
``as_of_col`` every date gets a fit of its own from its own rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from martlet.errors import InsufficientData
from martlet.estimators.base import Estimator, Fitted, Part, Scoring, Training
from martlet.lifetimes.spend import SpendFit, fit_spend
from martlet.options import COMMON, Option, Options
from martlet.scoring.functions import no_rows
from martlet.sqltext import PREFIX, identifier

__all__ = ["GammaGamma"]

FITS: dict[str, str] = {
    "as_of_date": "date",
    "status": "varchar",
    "reason": "varchar",
    "p": "double",
    "q": "double",
    "v": "double",
    "p_standard_error": "double",
    "q_standard_error": "double",
    "v_standard_error": "double",
    "log_likelihood": "double",
    "mean_order_value": "double",
    "frequency_value_correlation": "double",
    "customer_count": "bigint",
    "left_out_count": "bigint",
}
#: Expected value of an order, how uncertain it is, and how orders of one customer differ.
OUTPUTS = ("predicted_order_value", "predicted_order_value_variance", "order_value_variance")


class GammaGamma(Estimator):
    """Fader and Hardie's gamma-gamma model of monetary value."""

    model_type = "gamma_gamma"
    task = "custom"
    metrics = ("holdout_mean_absolute_error", "mean_log_likelihood")
    higher_is_better = frozenset({"mean_log_likelihood"})
    options = (
        *COMMON,
        Option("frequency_col", "frequency", "text"),
        Option("monetary_col", "monetary_value", "text"),
    )

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return the columns that are read."""
        return [options["frequency_col"], options["monetary_col"]]

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of the companion table."""
        return {"fits": FITS}

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return the function with the right columns and no rows."""
        return {"predict": no_rows(dict.fromkeys(OUTPUTS, "double"))}

    def fit(self, training: Training) -> Fitted:
        """Fit every date."""
        fits = _fit_dates(training)
        if not any(fit.customers for _, fit in fits):
            raise InsufficientData("no customer has spent anything")
        rows = [_row(day, fit) for day, fit in fits]
        named = [dict(zip(FITS, row, strict=True)) for row in rows]
        return Fitted(
            {"fits": [{**item, "as_of_date": str(item["as_of_date"] or "")} for item in named]},
            Scoring(None),
            parts={"fits": Part(FITS, rows)},
            functions={
                "predict": _predict(training.options),
                "evaluate": _evaluate(training.options),
                "fits": "() as table (select * exclude (model_version) from {part:fits} "
                "order by as_of_date)",
            },
            notices=_notices(fits),
        )


def _fit_dates(training: Training) -> list[tuple[Any, SpendFit]]:
    """Fit the rows of every date."""
    options = training.options
    as_of = identifier(options["as_of_col"]) if options["as_of_col"] else "null"
    count, mean = (
        f"coalesce(cast({identifier(options[name])} as double), 0)"
        for name in ("frequency_col", "monetary_col")
    )
    found = training.con.execute(
        "select *, dense_rank() over (order by d) as place from ("
        f"select cast({as_of} as date) as d, {count} as n, {mean} as mean, count(*) as weight "
        f"from ({training.query('train')}) group by all) order by place, n, mean"
    ).fetchnumpy()
    edges = [0, *(np.flatnonzero(np.diff(found["place"])) + 1).tolist(), len(found["n"])]
    fits = []
    for low, high in itertools.pairwise(edges):
        values = (np.asarray(found[name][low:high], float) for name in ("n", "mean", "weight"))
        start: Any = found["d"][low]
        day = start.astype("datetime64[D]").astype(object) if as_of != "null" else None
        fits.append((day, fit_spend(*values)))
    return fits


def _row(day: Any, fit: SpendFit) -> tuple[Any, ...]:
    parameters = [*fit.parameters, *fit.standard_errors] or [None] * 6
    return (
        day, fit.status, fit.reason or None, *(_finite(value) for value in parameters),
        _finite(fit.log_likelihood), _finite(fit.mean_order_value), _finite(fit.correlation),
        round(fit.customers), round(fit.left_out),
    )  # fmt: skip


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _steps(options: Options, more: str = "") -> str:
    """Return the steps that give rows the fit of their date: the latest that knows nothing later.

    Parameters
    ----------
    options : Options
        Of the model.
    more : str
        Further columns of the rows.
    """
    p = PREFIX
    as_of = f"cast({identifier(options['as_of_col'])} as date)" if options["as_of_col"] else "null"
    count, mean = (identifier(options[name]) for name in ("frequency_col", "monetary_col"))
    known = f"coalesce({count} > 0 and {mean} > 0, false)"
    return f"""
with {p}rows as (
    select *, cast({as_of} as date) as {p}date,
        case when {known} then cast({count} as double) else 0 end as {p}x,
        case when {known} then cast({mean} as double) else 0 end as {p}mean{more}
    from query_table(input)
),
{p}dates as (select distinct {p}date from {p}rows),
{p}sets as (
    select d.{p}date as {p}day, f.p as {p}p, f.q as {p}q, f.v as {p}v,
        f.mean_order_value as {p}mean_value,
        row_number() over (
            partition by d.{p}date order by f.as_of_date desc nulls last
        ) as {p}place
    from {p}dates as d
    inner join {{part:fits}} as f on f.as_of_date is null or f.as_of_date <= d.{p}date
),
{p}fitted as (
    select *, {p}p * {p}x + {p}q as {p}shape, {p}v + {p}x * {p}mean as {p}spent
    from {p}rows left join {p}sets on {p}place = 1 and {p}date is not distinct from {p}day
)"""


def _value() -> str:
    """Return SQL of the expected value of an order."""
    p = PREFIX
    return (
        f"case when {p}p is null or {p}shape <= 1 then {p}mean_value "
        f"else {p}p * {p}spent / ({p}shape - 1) end"
    )


def _predict(options: Options) -> str:
    """Return the function that adds the expected value of an order to rows.

    A customer's rate of spend is gamma distributed with shape and rate known from their orders; the
    mean of orders is p over it, and their variance p over its square.
    """
    p = PREFIX
    square = f"pow({p}spent, 2) / (({p}shape - 1) * ({p}shape - 2))"
    uncertain = f"pow({p}p, 2) * {square} / ({p}shape - 1)"
    return f"""(input) as table ({_steps(options)}
select {{inputs:{",".join(OUTPUTS)}}},
    {_value()} as {OUTPUTS[0]},
    case when {p}shape > 2 then {uncertain} end as {OUTPUTS[1]},
    case when {p}shape > 2 then {p}p * {square} end as {OUTPUTS[2]}
from {p}fitted)"""


def _evaluate(options: Options) -> str:
    """Return the function that judges a fit on rows.

    ``holdout_mean_absolute_error`` is about the mean value of the orders that came between a date
    and the next; NULL without dates or a key.
    """
    p = PREFIX
    later = f", cast(null as double) as {p}next_x, cast(null as double) as {p}next_mean"
    if options["as_of_col"] and options["entity_cols"]:
        key, day = identifier(options["entity_cols"][0]), identifier(options["as_of_col"])
        later = "".join(
            f", lead(cast({identifier(options[column])} as double)) "
            f"over (partition by {key} order by {day}) as {p}next_{name}"
            for name, column in (("x", "frequency_col"), ("mean", "monetary_col"))
        )
    came = f"({p}next_x * {p}next_mean - {p}x * {p}mean) / nullif({p}next_x - {p}x, 0)"
    density = (
        f"lgamma({p}shape) - lgamma({p}p * {p}x) - lgamma({p}q) + {p}q * ln({p}v) "
        f"+ ({p}p * {p}x - 1) * ln({p}mean) + {p}p * {p}x * ln({p}x) - {p}shape * ln({p}spent)"
    )
    return f"""(input) as table ({_steps(options, later)}
select
    avg(abs({_value()} - {came})) filter (where {p}next_x > {p}x and {p}x > 0)
        as holdout_mean_absolute_error,
    avg(case when {p}x > 0 and {p}p is not null then {density} end) as mean_log_likelihood
from {p}fitted)"""


def _notices(fits: list[tuple[Any, SpendFit]]) -> list[str]:
    notices = []
    unusual: dict[tuple[str, str], int] = {}
    for _, fit in fits:
        if fit.status != "ok":
            unusual[fit.status, fit.reason] = unusual.get((fit.status, fit.reason), 0) + 1
    for (status, reason), count in list(unusual.items())[:5]:
        notices.append(f"{count} of {len(fits)} fits: {status}, {reason}")
    last = fits[-1][1]
    if last.left_out:
        notices.append(f"{last.left_out:.0f} customers without positive spend are left out")
    if np.isfinite(last.correlation) and abs(last.correlation) > 0.3:
        notices.append(
            f"number and value of orders are correlated ({last.correlation:.2f}); the model takes "
            "them to be independent"
        )
    return notices
