"""Model types for customers' purchase processes: bg_nbd, mbg_nbd, pareto_nbd and a choice of them.

The training rows are one customer each: repeat purchases, time of the last one and time observed,
both from the first purchase. With ``as_of_col`` one customer has a row a date and every date gets a
fit of its own, which sees that date's rows only, so that no answer knows of later purchases. With
``cohort_cols`` every cohort gets a fit, and those too small fall back on the fit of all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from martlet.errors import InsufficientData
from martlet.estimators.base import Estimator, Fitted, Part, Scoring, Training
from martlet.lifetimes.choice import DateFits, fit_dates
from martlet.lifetimes.histories import read_histories
from martlet.lifetimes.hypergeometric import steps_needed
from martlet.lifetimes.scoring import (
    HistoryColumns,
    alive_function,
    evaluate_function,
    expectation_function,
    predict_function,
)
from martlet.options import COMMON, Option, Options
from martlet.scoring.functions import no_rows

__all__ = ["BetaGeometricNBD", "ModifiedBetaGeometricNBD", "ParetoNBD", "PurchaseProcess"]

FITS: dict[str, str] = {
    "set_number": "integer",
    "as_of_date": "date",
    "cohort": "varchar",
    "model_family": "varchar",
    "predicting_family": "varchar",
    "is_chosen": "boolean",
    "status": "varchar",
    "reason": "varchar",
    "r": "double",
    "alpha": "double",
    "a": "double",
    "b": "double",
    "s": "double",
    "beta": "double",
    "r_standard_error": "double",
    "alpha_standard_error": "double",
    "a_standard_error": "double",
    "b_standard_error": "double",
    "s_standard_error": "double",
    "beta_standard_error": "double",
    "log_covariance": "json",
    "log_likelihood": "double",
    "nbd_log_likelihood": "double",
    "mean_dropout": "double",
    "holdout_log_score": "double",
    "holdout_customers": "bigint",
    "customer_count": "bigint",
    "repeat_purchase_count": "bigint",
    "group_count": "bigint",
    "starts_agreeing": "integer",
    "is_left_truncated": "boolean",
    "early_arrival_ratio": "double",
    "mean_dropout_after_burn_in": "double",
}

_PARAMETERS = ("r", "alpha", "a", "b", "s", "beta")

#: Horizons longer than so many times what has been seen are warned about.
_FAR = 3.0


class PurchaseProcess(Estimator):
    """Chooses the family by the likelihood and, with dates, by how it foretold later dates."""

    model_type = "purchase_process"
    task = "custom"
    families: ClassVar[tuple[str, ...]] = ("bg_nbd", "mbg_nbd", "pareto_nbd")
    metrics = ("holdout_log_score", "mean_log_likelihood")
    higher_is_better = frozenset({"holdout_log_score", "mean_log_likelihood"})
    options = (
        *COMMON,
        Option("frequency_col", "frequency", "text"),
        Option("recency_col", "recency", "text"),
        Option("age_col", "age", "text"),
        Option("cohort_cols", (), "columns"),
        Option("horizons", (30, 90, 180, 365), "numbers", low=1, high=100_000),
        Option("interval_level", 0.9, "number", low=0.01, high=0.999),
        Option("burn_in", 0.0, "number", low=0),
        Option("backtest_horizon", 90.0, "number", low=1),
    )

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return the columns that are read."""
        named = [options[name] for name in ("frequency_col", "recency_col", "age_col")]
        return [*named, *options["cohort_cols"]]

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of the companion tables."""
        return {"fits": FITS}

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return functions with the right columns and no rows."""
        alive = {"predicted_alive_probability": "double"}
        listed = {"fit_family": "varchar", "fit_as_of_date": "date", **alive}
        for h in options["horizons"]:
            listed |= {
                f"predicted_purchases_{h}": "double",
                f"predicted_purchases_{h}_variance": "double",
                f"predicted_purchases_{h}_lower": "bigint",
                f"predicted_purchases_{h}_upper": "bigint",
                f"predicted_purchases_{h}_interval_probability": "double",
                f"predicted_no_purchase_probability_{h}": "double",
            }
        return {
            "predict": no_rows(listed),
            "alive_probability": no_rows(alive),
            "expected_purchases": no_rows({"predicted_purchases": "double"}, "input, horizon"),
        }

    def fit(self, training: Training) -> Fitted:
        """Fit every date and cohort."""
        options = training.options
        histories = read_histories(training)
        found = fit_dates(
            histories,
            self.families,
            burn_in=options["burn_in"],
            horizon=options["backtest_horizon"],
            seed=training.seed,
        )
        chosen = [item.chosen for item in found if item.chosen is not None]
        if not chosen:
            raise InsufficientData(
                found[-1].fits[0].reason if found else "there is no usable history"
            )
        columns = _columns(options, chosen, found)
        rows = [row for place, item in enumerate(found) for row in _rows(place, item)]
        fits = {name: [row[place] for row in rows] for place, name in enumerate(FITS)}
        return Fitted(
            {"fits": [_plain(dict(zip(FITS, row, strict=True))) for row in rows]},
            Scoring(None),
            parts={"fits": Part(FITS, rows)},
            functions={
                "predict": predict_function(
                    columns, options["horizons"], options["interval_level"]
                ),
                "alive_probability": alive_function(columns),
                "expected_purchases": expectation_function(columns),
                "evaluate": evaluate_function(
                    columns, next(iter(options["entity_cols"]), None), options["backtest_horizon"]
                ),
                "fits": "() as table (select * exclude (model_version) from {part:fits} "
                "order by as_of_date, cohort nulls first, model_family)",
            },
            baseline_metrics=_baseline(found),
            notices=[
                *histories.notices,
                *_notices(fits, found),
                *_far_ahead(found, max(options["horizons"])),
            ],
        )


class BetaGeometricNBD(PurchaseProcess):
    """Customers leave after a repeat purchase (Fader, Hardie and Lee 2005)."""

    model_type = "bg_nbd"
    families = ("bg_nbd",)


class ModifiedBetaGeometricNBD(PurchaseProcess):
    """Customers leave after any purchase, the first included (Batislam et al. 2007)."""

    model_type = "mbg_nbd"
    families = ("mbg_nbd",)


class ParetoNBD(PurchaseProcess):
    """Customers leave at any time (Schmittlein, Morrison and Colombo 1987)."""

    model_type = "pareto_nbd"
    families = ("pareto_nbd",)


def _columns(options: Options, chosen: Sequence[Any], found: Sequence[DateFits]) -> HistoryColumns:
    steps = 6
    for fit in chosen:
        if fit.process.model_type == "pareto_nbd":
            alpha, beta = fit.parameters[1], fit.parameters[3]
            steps = max(steps, steps_needed(np.array([(alpha - beta) / alpha])))
    return HistoryColumns(
        options["frequency_col"],
        options["recency_col"],
        options["age_col"],
        options["as_of_col"],
        tuple(options["cohort_cols"]),
        frozenset(fit.process.model_type for fit in chosen),
        steps,
    )


def _rows(place: int, item: DateFits) -> list[tuple[Any, ...]]:
    """Return the rows of the companion table: one a family."""
    rows = []
    for fit in item.fits:
        values = dict(zip(fit.process.names, fit.parameters, strict=False))
        errors = dict(zip(fit.process.names, fit.standard_errors, strict=False))
        covariance = fit.covariance
        score = item.scores.get(fit.family)
        rows.append(
            (
                place, item.as_of, item.cohort, fit.family, fit.process.model_type,
                fit is item.chosen, fit.status, fit.reason or None,
                *(_number(values.get(name)) for name in _PARAMETERS),
                *(_number(errors.get(name)) for name in _PARAMETERS),
                json.dumps(covariance.tolist()) if covariance is not None else None,
                _number(fit.log_likelihood), _number(fit.nbd_log_likelihood),
                fit.process.mean_dropout(fit.parameters) if len(fit.parameters) else None,
                score, item.scored if score is not None else None,
                round(fit.customers), round(item.data.repeats), fit.groups, fit.starts_agreeing,
                item.is_truncated, _number(item.arrival_ratio), item.later_dropout,
            )
        )  # fmt: skip
    return rows


def _number(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "as_of_date": str(row["as_of_date"]) if row["as_of_date"] else None}


def _baseline(found: Sequence[DateFits]) -> dict[str, float | None]:
    """Return the log-likelihood of the histories if nobody ever left."""
    fits = [item.chosen for item in found if item.cohort is None and item.chosen is not None]
    customers = sum(fit.customers for fit in fits)
    if not customers:
        return {}
    return {"mean_log_likelihood": sum(fit.nbd_log_likelihood for fit in fits) / customers}


def _notices(fits: Mapping[str, list[Any]], found: Sequence[DateFits]) -> list[str]:
    """Say what the log should: fits that are not plain, and a table that opens mid-life."""
    notices = []
    unusual: dict[tuple[str, str], int] = {}
    for status, reason, is_chosen in zip(
        fits["status"], fits["reason"], fits["is_chosen"], strict=True
    ):
        if status != "ok" and (is_chosen or status == "too_few"):
            unusual[status, reason] = unusual.get((status, reason), 0) + 1
    for (status, reason), count in list(unusual.items())[:5]:
        notices.append(f"{count} of {len(found)} fits: {status}, {reason}")
    truncated = [item for item in found if item.is_truncated and item.cohort is None]
    if truncated:
        last = truncated[-1]
        text = (
            "the data open in the middle of the shop's life: customers appear "
            f"{last.arrival_ratio:.1f} times as fast at first as later, so old customers pass for "
            "new ones and drop-out is understated; set burn_in to leave out those seen first"
        )
        if last.later_dropout is not None and last.chosen is not None:
            before = last.chosen.process.mean_dropout(last.chosen.parameters)
            text += (
                f" (mean drop-out {before:.3f}, without the first quarter {last.later_dropout:.3f})"
            )
        notices.append(text)
    return notices


def _far_ahead(found: Sequence[DateFits], horizon: float) -> list[str]:
    """Say when a young shop is asked about a time many times as long as it has been watched."""
    seen = max((float(item.data.age.max()) for item in found if len(item.data)), default=0.0)
    if horizon <= _FAR * seen:
        return []
    return [
        f"the longest history is {seen:g}, the horizon {horizon:g}: so far ahead the forecast only "
        "carries on what was seen, and how many leave has hardly shown yet"
    ]
