"""Addresses that look and never buy: how rarely an address buys, and whether a machine sits there.

Two small models, fitted anew for each as-of date on the rows of that date alone, so that nothing a
date says of itself was learned later:

- **Evidence that it does not buy.** Orders k of n visits of an address are beta-binomial: each
  address has a conversion rate of its own, beta distributed over the addresses of people
  (Skellam 1948). Fitted by maximum likelihood, it turns "no order in n visits" into the rate still
  to be expected, (alpha + k) / (alpha + beta + n): three clean visits prove nothing, three hundred
  a lot.
- **Automation.** A logistic regression of the signs, with a Gaussian prior around weights an
  expert would give (MAP; Gelman et al. 2008 on weakly informative priors) and no weight of the
  wrong direction. It learns from addresses whose nature is known without a look at their
  behaviour: programs that say so, and customers. With few of them the prior holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.errors import InsufficientData
from martlet.estimators.base import Estimator, Fitted, Part, Scoring, Training
from martlet.options import COMMON, SPLITTING, Option, Options
from martlet.scoring.functions import no_rows
from martlet.sqltext import PREFIX

__all__ = ["LookerModel", "fit_automation", "fit_order_rate"]

Vector = NDArray[np.float64]

#: Log-odds that a clear sign adds, before any data. Negative: a sign of people.
PRIOR_WEIGHTS: dict[str, float] = {
    "no_scripts_sign": 1.5,
    "no_assets_sign": 2.5,
    "no_cookies_sign": 1.5,
    "regular_pace_sign": 2.5,
    "fast_pace_sign": 2.0,
    "night_sign": 2.0,
    "no_person_steps_sign": 2.0,
    "no_referrer_sign": 1.5,
    "robots_txt_sign": 2.0,
    "interface_sign": 2.5,
    "many_user_agents_sign": 2.0,
    "neighbours_sign": 2.0,
    "returning_visitors_sign": -2.5,
    "person_steps_sign": -3.0,
}
#: Not learned: they are how machines are known in the first place.
FIXED_WEIGHTS = {"declared_sign": 4.0, "false_crawler_sign": 5.0}
PRIOR_INTERCEPT = -4.0
#: Standard deviation of the prior of a weight and of the intercept.
PRIOR_SPREAD, INTERCEPT_SPREAD = 0.5, 1.0
#: However many rows there are, each side weighs at most as much as so many.
MOST_ROWS = 200.0
#: Log-odds beyond are not believed: the signs are not independent.
MOST_LOG_ODDS = 8.0
_ANSWER = {
    "automation_probability": "double",
    "person_order_rate": "double",
    "order_rate_upper": "double",
}


@dataclass(frozen=True)
class OrderRate:
    """Beta distribution of the orders per visit over addresses."""

    alpha: float
    beta: float


def fit_order_rate(visits: Vector, orders: Vector) -> OrderRate:
    """Fit the beta-binomial distribution of orders among visits by maximum likelihood.

    Parameters
    ----------
    visits, orders : array of shape (addresses,)
        Counts; orders at most visits.

    Returns
    -------
    OrderRate
        alpha + beta is kept between 2 and 5,000.
    """
    from scipy.optimize import minimize
    from scipy.special import betaln

    pairs, times = np.unique(np.column_stack([visits, orders]), axis=0, return_counts=True)
    n, k = pairs[:, 0], pairs[:, 1]

    def loss(point: Vector) -> float:
        mean, size = 1.0 / (1.0 + np.exp(-point[0])), np.exp(point[1])
        alpha, beta = mean * size, (1.0 - mean) * size
        return -float(np.sum(times * (betaln(alpha + k, beta + n - k) - betaln(alpha, beta))))

    share = (orders.sum() + 0.5) / (visits.sum() + 1.0)
    start = np.array([np.log(share / (1.0 - share)), np.log(50.0)])
    found = minimize(
        loss, start, method="L-BFGS-B", bounds=[(-12.0, 2.0), (np.log(2.0), np.log(5000.0))]
    )
    mean, size = 1.0 / (1.0 + np.exp(-found.x[0])), np.exp(found.x[1])
    return OrderRate(float(mean * size), float((1.0 - mean) * size))


def fit_automation(signs: Vector, machine: Vector) -> tuple[float, Vector]:
    """Fit the weights of the signs: logistic regression, most probable a posteriori.

    Parameters
    ----------
    signs : array of shape (addresses, signs)
        Between 0 and 1, in the order of `PRIOR_WEIGHTS`.
    machine : array of shape (addresses,)
        1 for machines, 0 for people.

    Returns
    -------
    intercept : float
    weights : array of shape (signs,)
        Of the direction of the prior, or 0.
    """
    from scipy.optimize import minimize

    prior = np.array([PRIOR_INTERCEPT, *PRIOR_WEIGHTS.values()])
    spread = np.array([INTERCEPT_SPREAD, *[PRIOR_SPREAD] * len(PRIOR_WEIGHTS)])
    design = np.column_stack([np.ones(len(signs)), signs])
    counts = np.array([np.sum(machine == 0), np.sum(machine == 1)], dtype=float)
    weight = np.minimum(1.0, MOST_ROWS / np.maximum(counts, 1.0))[machine.astype(int)]

    def loss(point: Vector) -> tuple[float, Vector]:
        score = design @ point
        value = np.sum(weight * (np.logaddexp(0.0, score) - machine * score))
        shift = (point - prior) / spread
        slope = design.T @ (weight * (1.0 / (1.0 + np.exp(-score)) - machine)) + shift / spread
        return float(value + 0.5 * np.sum(shift**2)), slope

    bounds: list[tuple[float | None, float | None]] = [(None, -1.0)]
    bounds += [(0.0, None) if value > 0 else (None, 0.0) for value in PRIOR_WEIGHTS.values()]
    found = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), np.asarray(found.x[1:])


class LookerModel(Estimator):
    """Conversion evidence and automation weights of each as-of date; scored in SQL."""

    model_type = "looker"
    task = "custom"
    metrics = ("known_roc_auc", "known_log_loss", "orders_per_visit")
    higher_is_better = frozenset({"known_roc_auc"})
    options = (
        *COMMON,
        *SPLITTING,
        Option("min_orders", 20, "integer", low=1),
        Option("min_addresses", 50, "integer", low=2),
    )

    @classmethod
    def carried_columns(cls, options: Options) -> list[str]:
        """Return the date."""
        return ["as_of_date"]

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return every column it reads; none of them is encoded."""
        counts = ["as_of_date", "trial_count", "order_in_window_count", "known_as"]
        return [*counts, "is_ordinary_address", "sign_count", *FIXED_WEIGHTS, *PRIOR_WEIGHTS]

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of the table of dates."""
        return {"dates": _columns()}

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return a predict function without rows."""
        return {"predict": no_rows(_ANSWER)}

    def fit(self, training: Training) -> Fitted:
        """Fit both models on each date that knows enough.

        Before the first date with enough orders, or in a server log without any, the rate of orders
        stays unknown: such rows are watched, never acted on.
        """
        rows, parameters = [], {}
        known_signs: list[Vector] = []
        rate: OrderRate | None = None
        dates = training.con.execute(
            f"select distinct as_of_date from {training.table} order by 1"
        ).fetchall()
        for (date,) in dates:
            data = _read(training, date)
            orders = np.minimum(data["order_in_window_count"], data["trial_count"])
            person = (data["machine"] != 1) & (data["sign_count"] < 2) & (data["trial_count"] > 0)
            if person.sum() < training.options["min_addresses"]:
                continue
            if orders[person].sum() >= training.options["min_orders"]:
                rate = fit_order_rate(data["trial_count"][person], orders[person])
            elif rate is not None:
                continue
            known = data["machine"] >= 0
            intercept, weights = fit_automation(data["signs"][known], data["machine"][known])
            score = intercept + data["signs"][known] @ weights
            known_signs = [score, data["machine"][known]]
            machines = int(np.sum(data["machine"] == 1))
            rows.append(
                (
                    *(date, int(known.sum()) - machines, machines),
                    *((rate.alpha, rate.beta) if rate else (None, None)),
                    *(intercept, *map(float, weights)),
                    *FIXED_WEIGHTS.values(),
                )
            )
            parameters[str(date)] = list(rows[-1][3:])
        if not rows:
            raise InsufficientData(
                f"no as-of date knows {training.options['min_addresses']} addresses of people"
            )
        return Fitted(
            {"dates": parameters},
            Scoring(None),
            parts={"dates": Part(_columns(), rows)},
            functions={"predict": _predict()},
            metrics=_metrics(*known_signs)
            | {"orders_per_visit": rate.alpha / (rate.alpha + rate.beta) if rate else None},
        )


def _columns() -> dict[str, str]:
    named = {"as_of_date": "date", "known_person_count": "bigint", "known_machine_count": "bigint"}
    weights = ["order_alpha", "order_beta", "intercept", *PRIOR_WEIGHTS, *FIXED_WEIGHTS]
    return named | dict.fromkeys(weights, "double")


def _read(training: Training, date: Any) -> dict[str, Vector]:
    """Read one date; machine is 1, 0 or, when unknown, -1."""
    listed = ", ".join(PRIOR_WEIGHTS)
    found = training.con.execute(
        "select trial_count::double as trial_count, sign_count::double as sign_count, "
        "order_in_window_count::double as order_in_window_count, "
        "case known_as when 'machine' then 1 when 'person' then 0 else -1 end::double as machine, "
        f"{listed} from {training.table} where as_of_date = ? and is_ordinary_address "
        "order by all",
        [date],
    ).fetchnumpy()
    columns = {name: np.asarray(np.ma.filled(value, 0.0), float) for name, value in found.items()}
    signs = np.column_stack([columns.pop(name) for name in PRIOR_WEIGHTS])
    return columns | {"signs": signs}


def _predict() -> str:
    """Write the stored function: each row is scored by the latest date not after its own."""
    weights = [*PRIOR_WEIGHTS, *FIXED_WEIGHTS]
    score = " + ".join(["p.intercept", *[f"p.{name} * coalesce(r.{name}, 0)" for name in weights]])
    orders = "least(coalesce(r.order_in_window_count, 0), r.trial_count)"
    answer = {
        "automation_probability": (
            f"1 / (1 + exp(-greatest(least({score}, {MOST_LOG_ODDS}), -{MOST_LOG_ODDS})))"
        ),
        "person_order_rate": (
            f"(p.order_alpha + {orders}) / (p.order_alpha + p.order_beta + r.trial_count)"
        ),
        # Exact for no order (rule of three), Wilson's one-sided bound else.
        "order_rate_upper": (
            "case when p.order_alpha is null then null when r.trial_count = 0 then 1 "
            f"when {orders} = 0 then 1 - power(0.05, 1.0 / r.trial_count) "
            f"else ({orders} + 1.3528 + 1.6449 * sqrt({orders} * (1 - {orders} / r.trial_count) "
            f"+ 0.6764)) / (r.trial_count + 2.7055) end"
        ),
    }
    named = ", ".join(f"cast({text} as double) as {PREFIX}{name}" for name, text in answer.items())
    shown = ", ".join(f"{PREFIX}{name} as {name}" for name in answer)
    return (
        f"(input) as table (select {{inputs:{','.join(answer)}}}, {shown} from ("
        f"select r.*, {named} from query_table(input) as r inner join ("
        "select *, lead(as_of_date) over (order by as_of_date) as next_date from {part:dates}"
        ") as p on r.as_of_date >= p.as_of_date "
        "and (p.next_date is null or r.as_of_date < p.next_date)))"
    )


def _metrics(score: Vector, machine: Vector) -> dict[str, float | None]:
    """Say how well known machines and known people are told apart on the latest date."""
    if not 0 < machine.sum() < len(machine):
        return {"known_roc_auc": None, "known_log_loss": None}
    places = np.argsort(np.argsort(score, kind="stable")) + 1.0
    # Ties share the mean of their places.
    _, group = np.unique(score, return_inverse=True)
    places = (np.bincount(group, places) / np.bincount(group))[group]
    ones = machine.sum()
    area = (places[machine == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(machine) - ones))
    loss = np.mean(np.logaddexp(0.0, score) - machine * score)
    return {"known_roc_auc": float(area), "known_log_loss": float(loss)}
