"""Maximum likelihood that ends with a status and a reason, never with an exception.

Parameters are searched as logarithms, so that they stay positive; time is counted in units of the
mean age, so that the same bounds suit days and weeks. Starts race on a sample of the groups and the
best goes on with all of them; Newton steps finish, and their Hessian gives the standard errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from martlet.lifetimes.climbing import climb, hessian
from martlet.lifetimes.families import FAMILIES, Family
from martlet.lifetimes.statistics import PurchaseStatistics

__all__ = ["FEWEST_CUSTOMERS", "NO_GAIN", "ProcessFit", "fit_process", "maximize"]

Vector = NDArray[np.float64]

#: Fewer customers or repeat purchases are not fitted.
FEWEST_CUSTOMERS = 20
FEWEST_REPEATS = 10
#: Likelihood gained over the process that nobody leaves; below, no drop-out is identified.
NO_GAIN = 0.01
#: Bounds of the logarithms, time in units of the mean age. A gamma distribution of shape 50 is one
#: of hardly any differences: going on would only cost time.
BOUND = 7.0
MOST = {"r": 5.0, "a": 5.0, "s": 4.0}
#: A climb ends when a step promises less likelihood than this; Newton steps do the rest.
PROMISE = 2e-2
#: Groups that the starts race on.
RACE = 20_000


@dataclass(frozen=True)
class ProcessFit:
    """What came of a fit.

    Attributes
    ----------
    family
        Model type asked for.
    status
        ``ok``, ``no_drop_out``, ``at_bound``, ``too_few`` or ``not_converged``.
    reason
        In words; empty when ``ok``.
    parameters, standard_errors
        In the order of the family's names and the unit of the data; NaN where not identified. With
        ``no_drop_out`` those of the NBD, which then predicts; empty with ``too_few``.
    covariance
        Of the logarithms of the parameters, None where not identified.
    log_likelihood, nbd_log_likelihood
        Of all customers.
    customers, groups, starts_agreeing
        Size of the data, and how many starts reached the best likelihood.
    """

    family: str
    status: str
    reason: str
    parameters: Vector
    standard_errors: Vector
    covariance: NDArray[np.float64] | None
    log_likelihood: float
    nbd_log_likelihood: float
    customers: float
    groups: int
    starts_agreeing: int = 0

    @property
    def process(self) -> Family:
        """The process that predicts: the family, or the NBD when no drop-out is identified."""
        return FAMILIES["nbd" if self.status == "no_drop_out" else self.family]


@dataclass(frozen=True)
class _Maximum:
    logs: Vector
    value: float
    covariance: NDArray[np.float64] | None
    agreeing: int
    slope: float


def fit_process(
    family: str,
    data: PurchaseStatistics,
    before: ProcessFit | None = None,
    seed: int = 0,
    thorough: bool = True,
) -> ProcessFit:
    """Fit a purchase process.

    Parameters
    ----------
    family : str
        ``nbd``, ``bg_nbd``, ``mbg_nbd`` or ``pareto_nbd``.
    data : PurchaseStatistics
        The histories.
    before : ProcessFit, optional
        Fit of the same family to similar data, in the same unit: a start besides the usual ones.
    seed : int
        For the sample that starts race on.
    thorough : bool
        Take the usual starts too when the fit before is a good one.
    """
    process = FAMILIES[family]
    problem = _too_little(data)
    if problem:
        empty = np.array([])
        return ProcessFit(
            family, "too_few", problem, empty, empty, None, np.nan, np.nan,
            data.customers, len(data),
        )  # fmt: skip
    unit = float(data.weight @ data.age) / data.customers
    scaled = data.rescaled(unit)
    shift = -data.repeats * np.log(unit)
    plain = maximize(FAMILIES["nbd"], scaled, _starts(FAMILIES["nbd"], scaled), seed)
    if family == "nbd":
        return _told(process, plain, plain, data, unit, shift)
    units = _units(process, unit)
    given: list[Vector] = []
    inverse = None
    if before is not None and before.status == "ok" and before.covariance is not None:
        given = [np.log(before.parameters / units)]
        inverse = before.covariance * before.customers
    usual = [] if given and not thorough else _starts(process, scaled)
    best = maximize(process, scaled, [*usual, *given], seed, inverse)
    if best.value - plain.value < NO_GAIN:
        fit = _told(FAMILIES["nbd"], plain, plain, data, unit, shift)
        reason = (
            "no drop-out identified: the likelihood gains "
            f"{max(best.value - plain.value, 0.0):.4f} over customers who never leave"
        )
        return ProcessFit(
            family, "no_drop_out", reason, fit.parameters, fit.standard_errors, fit.covariance,
            fit.log_likelihood, fit.nbd_log_likelihood, data.customers, len(data), best.agreeing,
        )  # fmt: skip
    return _told(process, best, plain, data, unit, shift)


def maximize(
    process: Family,
    data: PurchaseStatistics,
    starts: Sequence[Vector],
    seed: int = 0,
    inverse: NDArray[np.float64] | None = None,
) -> _Maximum:
    """Return the best maximum found from several starts.

    Parameters
    ----------
    process : Family
        The process.
    data : PurchaseStatistics
        With time in units of the mean age.
    starts : sequence of array
        Logarithms of parameters.
    seed : int
        For the sample that starts race on.
    inverse : array, optional
        What is known of the inverse Hessian around the last start.
    """
    racing = data
    if len(data) > RACE:
        chosen = np.random.default_rng(seed).choice(len(data), RACE, replace=False)
        racing = data.subset(np.sort(chosen))
    known: list[NDArray[np.float64] | None] = [None] * len(starts)
    known[-1] = inverse
    found = [
        _climb(process, racing, start, shape) for start, shape in zip(starts, known, strict=True)
    ]
    values = np.array([value for _, value in found])
    best = found[int(values.argmax())][0]
    agreeing = int((values > values.max() - 0.1).sum())
    if racing is not data:
        best = _climb(process, data, best)[0]
    return _finish(process, data, best, agreeing)


def _slope(process: Family, logs: Vector, data: PurchaseStatistics) -> tuple[float, Vector]:
    """Return minus the mean log-likelihood and its gradient by the logarithms."""
    p = np.exp(logs)
    with np.errstate(over="ignore", invalid="ignore"):
        value, gradient = process.objective(p, data)
    if not np.isfinite(value) or not np.isfinite(gradient).all():
        return 1e10, np.zeros_like(logs)
    return -value / data.customers, -gradient * p / data.customers


def _climb(
    process: Family,
    data: PurchaseStatistics,
    start: Vector,
    inverse: NDArray[np.float64] | None = None,
) -> tuple[Vector, float]:
    def slope(logs: Vector) -> tuple[float, Vector]:
        return _slope(process, logs, data)

    most = _most(process)
    begin = np.clip(start, 1 - BOUND, most - 1)
    logs, value = climb(slope, begin, (-BOUND, most), PROMISE / data.customers, inverse)
    return logs, -value * data.customers


def _most(process: Family) -> Vector:
    """Return the upper bounds of the logarithms."""
    return np.array([MOST.get(name, BOUND) for name in process.names])


def _finish(process: Family, data: PurchaseStatistics, logs: Vector, agreeing: int) -> _Maximum:
    """Take Newton steps to the top and read the covariance there."""
    value, slope = _slope(process, logs, data)
    matrix: NDArray[np.float64] | None = None
    for turn in range(6):
        if matrix is None:
            matrix = hessian(lambda point: _slope(process, point, data), logs)
            if np.linalg.eigvalsh(matrix)[0] <= 1e-9:
                matrix = None
                break
        move = np.linalg.solve(matrix, slope)
        if np.abs(move).max() < 1e-6:
            break
        tried = np.clip(logs - move, -BOUND, _most(process))
        new, new_slope = _slope(process, tried, data)
        if not new <= value + 1e-13:
            break
        logs, value, slope = tried, new, new_slope
        # Close to the top the Hessian holds; further away it is worth another.
        if np.abs(move).max() > 3e-3 and turn < 2:
            matrix = None
    covariance = None
    if matrix is not None:
        covariance = np.asarray(np.linalg.inv(matrix) / data.customers, float)
    return _Maximum(logs, -value * data.customers, covariance, agreeing, float(np.abs(slope).max()))


def _told(
    process: Family,
    best: _Maximum,
    plain: _Maximum,
    data: PurchaseStatistics,
    unit: float,
    shift: float,
) -> ProcessFit:
    """Put a maximum into the data's unit and give it a status."""
    parameters = np.exp(best.logs) * _units(process, unit)
    errors = np.full(len(parameters), np.nan)
    if best.covariance is not None:
        errors = parameters * np.sqrt(np.maximum(np.diag(best.covariance), 0))
    status, reason = "ok", ""
    outside = (best.logs < 0.01 - BOUND) | (best.logs > _most(process) - 0.01)
    names = [name for name, out in zip(process.names, outside, strict=True) if out]
    if names or best.covariance is None or np.nanmax(errors / parameters) > 50:
        status = "at_bound"
        reason = _bound_reason(process, names, best)
    elif best.slope > 1e-4:
        status, reason = "not_converged", f"the slope is still {best.slope:.2g} a customer"
    return ProcessFit(
        process.model_type, status, reason, parameters, errors,
        best.covariance if status == "ok" else None,
        best.value + shift, plain.value + shift, data.customers, len(data), best.agreeing,
    )  # fmt: skip


def _bound_reason(process: Family, names: Sequence[str], best: _Maximum) -> str:
    low = best.logs[0] < -BOUND + 0.01
    if best.logs[0] > MOST["r"] - 1:
        return "customers hardly differ in their purchase rate: r and alpha grow without end"
    if low:
        return "nearly all repeat purchases come from very few customers: r goes to 0"
    if names:
        return f"{' and '.join(names)} at the bound: the data say only that it is extreme"
    return "the likelihood is flat around the best parameters: they are not identified"


def _units(process: Family, unit: float) -> Vector:
    """Return what each parameter is counted in: rates of a time, the others of nothing."""
    return np.array([unit if name in ("alpha", "beta") else 1.0 for name in process.names])


def _starts(process: Family, data: PurchaseStatistics) -> list[Vector]:
    """Return the logarithms to start from: by moments, and for a strong and a weak drop-out."""
    customers = data.customers
    rate = max(data.repeats / float(data.weight @ data.age), 1e-3)
    mean = data.repeats / customers
    variance = float(data.weight @ (data.x - mean) ** 2) / customers
    shape = float(np.clip(mean**2 / max(variance - mean, 1e-3), 0.05, 20.0))
    rates = [np.log(shape), np.log(shape / rate)]
    if process.model_type == "nbd":
        return [np.array(rates), np.log([1.0, 1 / rate])]
    if process.model_type == "pareto_nbd":
        ends = ([0.5, 0.3], [1.0, 3.0], [0.3, 0.05])
    else:
        ends = ([0.8, 2.4], [1.0, 10.0], [0.3, 0.5])
    return [np.array([*rates, *np.log(end)]) for end in ends]


def _too_little(data: PurchaseStatistics) -> str:
    if data.customers < FEWEST_CUSTOMERS:
        return f"{data.customers:.0f} customers; at least {FEWEST_CUSTOMERS} are needed"
    if data.repeats == 0:
        return "no customer has bought on a second day"
    if data.repeats < FEWEST_REPEATS:
        return f"{data.repeats:.0f} repeat purchases; at least {FEWEST_REPEATS} are needed"
    if float(data.weight @ data.age) <= 0:
        return "no time has passed since the first purchases"
    return ""
