"""What a customer spends on an order: the gamma-gamma model.

The value of an order is gamma distributed around the customer's own mean (shape p), and the means
differ between customers (scale gamma distributed with shape q, rate v). A mean over few orders is
drawn to the mean of all.

References
----------
Fader and Hardie (2013), "The gamma-gamma model of monetary value", equations (1a) and (5).
Colombo and Jiang (1999), "A stochastic RFM model".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

from martlet.lifetimes.climbing import Slope, climb, hessian

__all__ = ["SpendFit", "expected_order_value", "fit_spend"]

Vector = NDArray[np.float64]

FEWEST_CUSTOMERS = 20
BOUND = 9.0


@dataclass(frozen=True)
class SpendFit:
    """What came of a fit.

    Attributes
    ----------
    status
        ``ok``, ``at_bound``, ``infinite_mean`` (q at most 1: the mean of all has no value),
        ``not_converged`` or ``too_few``.
    reason
        In words; empty when ``ok``.
    parameters, standard_errors
        p, q, v (v in money); empty with ``too_few``.
    log_likelihood
        Of all customers with spend.
    customers, left_out
        Used, and left out because nothing positive was spent.
    correlation
        Between number and mean value of orders, which the model takes to be independent.
    mean_order_value
        Mean over orders; what is expected when nothing was fitted.
    """

    status: str
    reason: str
    parameters: Vector
    standard_errors: Vector
    log_likelihood: float
    customers: float
    left_out: float
    correlation: float
    mean_order_value: float


def _slope(
    logs: Vector, x: Vector, mean: Vector, weight: Vector, total: float
) -> tuple[float, Vector]:
    """Return minus the mean log-likelihood and its gradient by the logarithms."""
    p, q, v = np.exp(logs)
    spent = v + x * mean
    shape = p * x + q
    log_spent = np.log(spent)
    value = weight @ (
        gammaln(shape) - gammaln(p * x) - gammaln(q) + q * np.log(v)
        + (p * x - 1) * np.log(mean) + p * x * np.log(x) - shape * log_spent
    )  # fmt: skip
    top = digamma(shape)
    by_p = weight @ (x * (top - digamma(p * x) + np.log(mean) + np.log(x) - log_spent))
    by_q = weight @ (top - digamma(q) + np.log(v) - log_spent)
    by_v = weight @ (q / v - shape / spent)
    return -float(value) / total, -np.array([by_p * p, by_q * q, by_v * v]) / total


def fit_spend(count: Vector, mean: Vector, weight: Vector | None = None) -> SpendFit:
    """Fit the gamma-gamma model.

    Parameters
    ----------
    count, mean : array of shape (n,)
        Number of orders and their mean value, a customer. Rows without a positive value are left
        out and counted.
    weight : array of shape (n,), optional
        Customers of each row.
    """
    every = np.ones(len(count)) if weight is None else np.asarray(weight, float)
    with np.errstate(invalid="ignore"):
        good = (count > 0) & (mean > 0) & np.isfinite(mean)
    x, z, w = np.asarray(count, float)[good], np.asarray(mean, float)[good], every[good]
    total, left = float(w.sum()), float(every.sum() - w.sum())
    overall = float((w * x) @ z / (w @ x)) if total else float("nan")
    correlation = _correlation(x, z, w) if total > 1 else float("nan")
    empty = np.array([])
    if total < FEWEST_CUSTOMERS or x.max() <= 1:
        reason = f"{total:.0f} customers with spend; at least {FEWEST_CUSTOMERS} are needed"
        if total >= FEWEST_CUSTOMERS:
            reason = "no customer has two orders: how values differ within one is not known"
        return SpendFit(
            "too_few", reason, empty, empty, float("nan"), total, left, correlation, overall
        )
    scaled = z / overall

    def slope(logs: Vector) -> tuple[float, Vector]:
        return _slope(logs, x, scaled, w, total)

    starts = [np.log([5.0, 4.0, 0.8]), np.log([1.0, 2.0, 1.0]), np.log([20.0, 10.0, 0.5])]
    found = [climb(slope, start, (-BOUND, BOUND), 1e-2 / total) for start in starts]
    logs = min(found, key=lambda item: item[1])[0]
    logs, covariance = _finish(slope, logs, total)
    value, gradient = slope(logs)
    parameters = np.exp(logs) * np.array([1, 1, overall])
    errors = np.full(3, np.nan)
    if covariance is not None:
        errors = parameters * np.sqrt(np.maximum(np.diag(covariance), 0))
    status, reason = _status(logs, covariance, gradient)
    # The density of a value scaled by its mean, in the data's own unit again.
    level = -value * total - total * np.log(overall)
    return SpendFit(status, reason, parameters, errors, level, total, left, correlation, overall)


def _finish(slope: Slope, logs: Vector, total: float) -> tuple[Vector, Vector | None]:
    """Take Newton steps as long as they help, and read the covariance where they end."""
    covariance: Vector | None = None
    value, gradient = slope(logs)
    for _ in range(3):
        matrix = hessian(slope, logs)
        if np.linalg.eigvalsh(matrix)[0] <= 1e-10:
            return logs, None
        covariance = np.asarray(np.linalg.inv(matrix) / total, float)
        move = np.linalg.solve(matrix, gradient)
        if np.abs(move).max() < 1e-5 or np.abs(move).max() > 1:
            break
        # Cut off at a bound, the rest of a step may lead away from the top.
        tried = np.clip(logs - move, -BOUND, BOUND)
        new, new_gradient = slope(tried)
        if not new <= value + 1e-13:
            break
        logs, value, gradient = tried, new, new_gradient
    return logs, covariance


def _status(logs: Vector, covariance: Vector | None, gradient: Vector) -> tuple[str, str]:
    if logs[0] > BOUND - 2:
        return "at_bound", "orders of one customer hardly differ in value: p grows without end"
    if logs[1] > BOUND - 2:
        return "at_bound", "customers hardly differ in the value of their orders: q grows on"
    if covariance is None or np.abs(logs).max() > BOUND - 0.01:
        return "at_bound", "the likelihood is flat around the best parameters"
    if logs[1] <= 0:
        return "infinite_mean", "q is at most 1: the mean of all customers has no finite value"
    if np.abs(gradient).max() > 1e-4:
        return "not_converged", f"the slope is still {np.abs(gradient).max():.2g} a customer"
    return "ok", ""


def _correlation(x: Vector, z: Vector, w: Vector) -> float:
    total = w.sum()
    dx, dz = x - w @ x / total, z - w @ z / total
    spread = np.sqrt((w @ dx**2) * (w @ dz**2))
    return float((w @ (dx * dz)) / spread) if spread > 0 else float("nan")


def expected_order_value(fit: SpendFit, count: Vector, mean: Vector) -> Vector:
    """Return the expected value of a customer's next order.

    Parameters
    ----------
    fit : SpendFit
        The model. Without parameters everybody gets the mean over orders, and so do customers
        without spend when the mean of all is infinite.
    count, mean : array of shape (n,)
        Orders and their mean value so far; 0 orders are allowed.
    """
    if not len(fit.parameters):
        return np.full(len(count), fit.mean_order_value)
    p, q, v = fit.parameters
    known = (count > 0) & (mean > 0)
    x = np.where(known, count, 0.0)
    shape = p * x + q - 1
    value = p * (v + x * np.where(known, mean, 0.0)) / np.where(shape > 0, shape, np.nan)
    return np.where(shape > 0, value, fit.mean_order_value)
