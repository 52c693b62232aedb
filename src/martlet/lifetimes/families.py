"""The purchase processes: likelihood with gradient, and what follows for a customer.

All say that a customer buys at a constant rate while alive, that rates differ between customers
as a gamma distribution (shape r, rate alpha), and differ in how customers leave:

- ``nbd``: never (Ehrenberg 1959).
- ``bg_nbd``: after each repeat purchase with a probability of their own, beta (a, b)
  distributed (Fader, Hardie and Lee 2005, Marketing Science 24(2), section 4).
- ``mbg_nbd``: also right after the first purchase (Batislam, Denizel and Filiztekin 2007,
  section 3; Hoppe and Wagner 2007).
- ``pareto_nbd``: at any time, at a rate that is gamma distributed (shape s, rate beta)
  (Schmittlein, Morrison and Colombo 1987; Fader and Hardie 2005, "A note on deriving the
  Pareto/NBD model").

A process is told by the likelihood of a history with the customer alive at its end, and by the
odds R of having left: L = L_alive (1 + R). All families give R without cancellation. What is
expected given alive comes from sums of positive terms (beta-geometric) or closed forms
(Pareto).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, expit, gammaln

from martlet.lifetimes.hypergeometric import fraction, fraction_with_gradient
from martlet.lifetimes.statistics import PurchaseStatistics

__all__ = ["FAMILIES", "BetaGeometric", "Family", "NegativeBinomial", "ParetoNBD"]

Vector = NDArray[np.float64]


class Family:
    """One purchase process. Parameters are arrays in the order of `names`."""

    model_type: ClassVar[str]
    names: ClassVar[tuple[str, ...]]

    def log_odds_gone(self, p: Vector, data: PurchaseStatistics) -> Vector:
        """Return the logarithm of the odds R of having left, one a group."""
        return np.full(len(data), -np.inf)

    def log_alive(self, p: Vector, data: PurchaseStatistics) -> Vector:
        """Return the log-likelihood of each history with the customer alive at its end."""
        r, alpha = p[:2]
        return np.asarray(
            gammaln(r + data.x) - gammaln(r) + r * np.log(alpha)
            - (r + data.x) * np.log(alpha + data.age)
        )  # fmt: skip

    def log_likelihoods(self, p: Vector, data: PurchaseStatistics) -> Vector:
        """Return the log-likelihood of each history, without weights."""
        return self.log_alive(p, data) + np.logaddexp(0, self.log_odds_gone(p, data))

    def objective(self, p: Vector, data: PurchaseStatistics) -> tuple[float, Vector]:
        """Return the log-likelihood of all and its gradient by the parameters."""
        raise NotImplementedError

    def alive_probability(self, p: Vector, data: PurchaseStatistics) -> Vector:
        """Return the probability that each customer has not left."""
        return np.asarray(expit(-self.log_odds_gone(p, data)))

    def no_purchase_probability(
        self, p: Vector, data: PurchaseStatistics, horizon: float
    ) -> Vector:
        """Return the probability of no purchase within the horizon after the observation.

        It is the likelihood of the history observed so much longer, over that of the history.
        """
        longer = PurchaseStatistics(data.x, data.recency, data.age + horizon, data.weight)
        return np.exp(self.log_likelihoods(p, longer) - self.log_likelihoods(p, data))

    def moments_alive(
        self, p: Vector, data: PurchaseStatistics, horizon: float
    ) -> tuple[Vector, Vector]:
        """Return E[Y] and E[Y(Y-1)] of the purchases within the horizon, given alive."""
        r, alpha = p[:2]
        shape, rate = r + data.x, horizon / (alpha + data.age)
        return shape * rate, shape * (shape + 1) * rate**2

    def expected_purchases(self, p: Vector, data: PurchaseStatistics, horizon: float) -> Vector:
        """Return the expected purchases of each customer within the horizon."""
        return self.alive_probability(p, data) * self.moments_alive(p, data, horizon)[0]

    def expected_total(self, p: Vector, age: Vector) -> Vector:
        """Return the repeat purchases expected of a new customer by each age."""
        zero = np.zeros_like(age)
        newcomers = PurchaseStatistics.of(zero, zero, zero)
        return np.array([self._new(p, newcomers, place, t) for place, t in enumerate(age)])

    def _new(self, p: Vector, data: PurchaseStatistics, place: int, horizon: float) -> float:
        one = data.subset(np.array([place]))
        return float(self.expected_purchases(p, one, horizon)[0]) if horizon > 0 else 0.0

    def mean_dropout(self, p: Vector) -> float:
        """Return the mean probability (beta-geometric) or rate (Pareto) of leaving."""
        return 0.0


def _dot(first: Vector, second: Vector) -> float:
    """Return the inner product of long vectors: BLAS would wake threads for each, and they idle."""
    return float(np.einsum("i,i->", first, second))


def _rate_part(p: Vector, data: PurchaseStatistics) -> tuple[float, Vector]:
    """Return what the purchase rate adds to the log-likelihood, and its gradient by r, alpha."""
    r, alpha = p[:2]
    x, count = data.by_x[0], data.weight_by_x
    ages, by_age = data.by_age[0], data.weight_by_age
    logs, customers = np.log(alpha + ages), data.customers
    shapes = r * by_age + data.repeats_by_age
    value = count @ gammaln(r + x) + customers * (r * np.log(alpha) - gammaln(r)) - shapes @ logs
    slope_r = count @ digamma(r + x) + customers * (np.log(alpha) - digamma(r)) - by_age @ logs
    slope_alpha = customers * r / alpha - shapes @ (1 / (alpha + ages))
    return float(value), np.array([slope_r, slope_alpha])


class NegativeBinomial(Family):
    """Nobody leaves."""

    model_type = "nbd"
    names = ("r", "alpha")

    def objective(self, p: Vector, data: PurchaseStatistics) -> tuple[float, Vector]:
        """Return the log-likelihood of all and its gradient by the parameters."""
        return _rate_part(p, data)


class BetaGeometric(Family):
    """Customers leave right after a purchase.

    Attributes
    ----------
    first
        1 when they may leave after the first purchase already (the modified model), else 0.
    """

    names = ("r", "alpha", "a", "b")
    first: ClassVar[int] = 0
    model_type = "bg_nbd"

    def _log_share(self, p: Vector, x: Vector) -> Vector:
        """Return the log odds of leaving at the last purchase, before time has passed."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.log(p[2] / (p[3] + x - 1 + self.first))
        return np.where((x > 0) | bool(self.first), share, -np.inf)

    def log_odds_gone(self, p: Vector, data: PurchaseStatistics) -> Vector:
        """Return the logarithm of the odds R of having left, one a group."""
        r, alpha = p[:2]
        passed = np.log(alpha + data.age) - np.log(alpha + data.recency)
        return np.asarray(self._log_share(p, data.x) + (r + data.x) * passed)

    def log_alive(self, p: Vector, data: PurchaseStatistics) -> Vector:
        """Return the log-likelihood of each history with the customer alive at its end."""
        return super().log_alive(p, data) + self._log_loyal(p, data.x)

    def _log_loyal(self, p: Vector, x: Vector) -> Vector:
        a, b = p[2:]
        n = x + self.first
        return np.asarray(gammaln(b + n) - gammaln(b) + gammaln(a + b) - gammaln(a + b + n))

    def objective(self, p: Vector, data: PurchaseStatistics) -> tuple[float, Vector]:
        """Return the log-likelihood of all and its gradient by the parameters."""
        r, alpha, a, b = p
        value, rate = _rate_part(p, data)
        (xs, at_x), (ages, at_age) = data.by_x, data.by_age
        times, at_time = data.by_recency
        passed = np.log(alpha + ages)[at_age] - np.log(alpha + times)[at_time]
        shape = r + data.x
        log_odds = self._log_share(p, xs)[at_x] + shape * passed
        gone = expit(log_odds)
        # log(1 + R) = -log(1 - gone), but exact where R is small or large.
        value += _dot(data.weight, np.logaddexp(0, log_odds))
        weighted = data.weight * gone
        gone_by_x = np.bincount(at_x, weighted, len(xs))
        slowing = (1 / (alpha + ages))[at_age] - (1 / (alpha + times))[at_time]
        n, count = xs + self.first, data.weight_by_x
        value += float(count @ self._log_loyal(p, xs))
        both = digamma(a + b) - digamma(a + b + n)
        with np.errstate(divide="ignore", invalid="ignore"):
            share_b = np.where(gone_by_x > 0, gone_by_x / (b + n - 1), 0.0)
        return value, np.array(
            [
                rate[0] + _dot(weighted, passed),
                rate[1] + _dot(weighted * shape, slowing),
                count @ both + gone_by_x.sum() / a,
                count @ (both + digamma(b + n) - digamma(b)) - share_b.sum(),
            ]
        )

    def moments_alive(
        self, p: Vector, data: PurchaseStatistics, horizon: float
    ) -> tuple[Vector, Vector]:
        """Return E[Y] and E[Y(Y-1)] of the purchases within the horizon, given alive.

        N, the purchases of a customer who never left, is negative binomial; purchase j + 1 happens
        when N > j and the customer stayed after each of the j before. Sums of positive terms, good
        for any a and b, where the formula with 2F1 divides 0 by 0 at a = 1.
        """
        r, alpha, a, b = p
        x, age, places = data.x_and_age
        shape, loyal = r + x, b + x + self.first
        z = horizon / (alpha + age + horizon)
        mean, log_z = shape * horizon / (alpha + age), np.log(z)
        spread = np.sqrt(mean / (1 - z))
        terms = np.ceil(mean + 10 * spread + 34 / -log_z).astype(int)
        log_w = shape * np.log1p(-z)
        first, second = np.zeros_like(x), np.zeros_like(x)
        stayed, happen, pairs = np.ones_like(x), np.zeros_like(x), np.zeros_like(x)
        for n in range(1, int(terms.max(initial=0)) + 1):
            happen += stayed
            pairs += 2 * (n - 1) * stayed
            stayed *= (loyal + n - 1) / (a + loyal + n - 1)
            log_w += log_z + np.log((shape + n - 1) / n)
            w = np.exp(log_w)
            first += w * happen
            second += w * pairs
        return first[places], second[places]

    def mean_dropout(self, p: Vector) -> float:
        """Return the mean probability of leaving at a purchase."""
        return float(p[2] / (p[2] + p[3]))


class ModifiedBetaGeometric(BetaGeometric):
    """Customers leave right after a purchase, the first one included."""

    model_type = "mbg_nbd"
    first = 1


class ParetoNBD(Family):
    """Customers leave at any time."""

    model_type = "pareto_nbd"
    names = ("r", "alpha", "s", "beta")

    def log_odds_gone(self, p: Vector, data: PurchaseStatistics) -> Vector:
        """Return the logarithm of the odds R of having left, one a group.

        R = s / (r + s + x) (E C(t_x) - C(T)) with C(y) = 2F1(1, r + x; r + s + x + 1; z(y)), z(y) =
        (alpha - beta) / (alpha + y): the usual form after Euler's transformation.
        """
        r, alpha, s, beta = p
        x_a, ages, at_age = data.x_and_age
        x_t, times, at_time = data.x_and_recency
        later = fraction(r + x_a, r + s + x_a + 1, (alpha - beta) / (alpha + ages))[at_age]
        then = fraction(r + x_t, r + s + x_t + 1, (alpha - beta) / (alpha + times))[at_time]
        grown = (r + data.x) * np.log((alpha + data.age) / (alpha + data.recency))
        grown += s * np.log((beta + data.age) / (beta + data.recency))
        with np.errstate(divide="ignore"):
            inner = np.log(np.maximum(then - later * np.exp(-grown), 0.0))
        return np.asarray(np.log(s / (r + s + data.x)) + grown + inner)

    def log_alive(self, p: Vector, data: PurchaseStatistics) -> Vector:
        """Return the log-likelihood of each history with the customer alive at its end."""
        return np.asarray(super().log_alive(p, data) + p[2] * np.log(p[3] / (p[3] + data.age)))

    def objective(self, p: Vector, data: PurchaseStatistics) -> tuple[float, Vector]:
        """Return the log-likelihood of all and its gradient by the parameters."""
        r, alpha, s, beta = p
        value, slope = _rate_part(p, data)
        w, x, (ages, at) = data.weight, data.x, data.by_age
        staying = np.log(beta / (beta + ages))
        value += float(s * (data.weight_by_age @ staying))
        slope_s = data.weight_by_age @ staying
        slope_beta = data.weight_by_age @ (s / beta - s / (beta + ages))
        times, at_time = data.by_recency
        passed_a = np.log(alpha + ages)[at] - np.log(alpha + times)[at_time]
        passed_b = np.log(beta + ages)[at] - np.log(beta + times)[at_time]
        grown = (r + x) * passed_a + s * passed_b
        (later, later_slopes), (then, then_slopes) = self._parts(p, data)
        m = r + s + x
        inner = np.maximum(then - later * np.exp(-grown), 0.0)
        with np.errstate(divide="ignore"):
            log_odds = np.log(s / m) + grown + np.log(inner)
        more = np.logaddexp(0, log_odds)
        value += _dot(w, more)
        by_then = w * np.exp(np.log(s / m) + grown - more)
        by_later = w * s / m * np.exp(-more)
        gone = w * expit(log_odds)
        pull = by_then * then
        slow_a = (1 / (alpha + ages))[at] - (1 / (alpha + times))[at_time]
        slow_b = (1 / (beta + ages))[at] - (1 / (beta + times))[at_time]
        growth = (
            _dot(pull, passed_a),
            _dot(pull, (r + x) * slow_a),
            _dot(pull, passed_b),
            _dot(pull, s * slow_b),
        )
        slopes = [
            _dot(by_then, then_slopes[place]) - _dot(by_later, later_slopes[place]) + growth[place]
            for place in range(4)
        ]
        slopes[0] -= _dot(gone, 1 / m)
        slopes[2] += _dot(gone, 1 / s - 1 / m)
        return value, np.array([*slope, slope_s, slope_beta]) + np.array(slopes)

    @staticmethod
    def _parts(p: Vector, data: PurchaseStatistics) -> list[tuple[Vector, list[Vector]]]:
        """Return C at each group's age and recency, with its derivatives by r, alpha, s, beta."""
        r, alpha, s, beta = p
        pairs = data.x_and_age, data.x_and_recency
        x, time = (np.concatenate([pair[place] for pair in pairs]) for place in (0, 1))
        z = (alpha - beta) / (alpha + time)
        value, by_b, by_c, by_z = fraction_with_gradient(r + x, r + s + x + 1, z)
        slopes = (
            by_b + by_c,
            by_z * (beta + time) / (alpha + time) ** 2,
            by_c,
            -by_z / (alpha + time),
        )
        places = pairs[0][2], pairs[1][2] + len(pairs[0][0])
        return [(value[at], [slope[at] for slope in slopes]) for at in places]

    def moments_alive(
        self, p: Vector, data: PurchaseStatistics, horizon: float
    ) -> tuple[Vector, Vector]:
        """Return E[Y] and E[Y(Y-1)] of the purchases within the horizon, given alive.

        Rate and lifetime are independent: powers of the rate times powers of the time alive.
        """
        r, alpha, s, beta = p
        shape, rate, rest = r + data.x, alpha + data.age, beta + data.age
        growth = np.log1p(horizon / rest)
        once, twice = _power_gap(1 - s, growth), _power_gap(2 - s, growth)
        first = shape / rate * rest * once
        return first, shape * (shape + 1) / rate**2 * 2 * rest**2 * (twice - once)

    def mean_dropout(self, p: Vector) -> float:
        """Return the mean rate of leaving a unit of time."""
        return float(p[2] / p[3])


def _power_gap(power: float, growth: Vector) -> Vector:
    """Return (exp(power growth) - 1) / power, its limit at 0 included."""
    if abs(power) < 1e-12:
        return growth
    return np.asarray(np.expm1(power * growth) / power)


#: The families by model type.
FAMILIES: dict[str, Family] = {
    family.model_type: family
    for family in (NegativeBinomial(), BetaGeometric(), ModifiedBetaGeometric(), ParetoNBD())
}
