"""How stepping in changes the odds of a purchase, and in which state of a visit.

Without an experiment the answer is an assumption: one odds ratio where the one rule holds
(something is in the cart), nothing elsewhere. With moments at which chance decided, the assumption
is the centre of a prior and the experiment moves it: a logistic regression on the model's log-odds
p of buying and l of leaving,

    log-odds of a purchase = a + b p + t (c0 + c1 rule + c2 p + c3 l),

where t is 1 when the shop stepped in and rule is 1 where the one rule holds. Gaussian priors lie
around no correction (a = 0, b = 1) and the assumption (c1 = its logarithm, the rest 0); the most
probable values come by Newton's method (Bishop 2006, "Pattern recognition and machine learning",
section 4.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from martlet.churn.calibration import probability

__all__ = ["Response", "learn_response"]

Array = NDArray[np.float64]

#: Standard deviations of the priors: a, b, c0, c1, c2, c3.
_SPREADS = np.array([0.5, 0.25, 0.5, 1.0, 0.5, 0.5])


@dataclass(frozen=True)
class Response:
    """What stepping in adds to the log-odds of a purchase.

    Attributes
    ----------
    weights
        Of one, the rule, and the log-odds of buying and of leaving, less their `centres`.
    centres
        Means of those log-odds where the weights were learned.
    moment_count
        Moments at which chance decided; 0 when it is an assumption.
    """

    weights: tuple[float, float, float, float]
    centres: tuple[float, float] = (0.0, 0.0)
    moment_count: int = 0

    def shift(self, rule: Array, buy: Array, leave: Array) -> Array:
        """Return what is added, from whether the rule holds and both log-odds."""
        one, two, three, four = self.weights
        return np.asarray(
            one + two * rule + three * (buy - self.centres[0]) + four * (leave - self.centres[1])
        )


def learn_response(
    odds_ratio: float,
    rule: Array,
    buy: Array,
    leave: Array,
    treated: Array,
    bought: Array,
    weight: Array | None = None,
) -> Response:
    """Learn from moments at which chance decided.

    Parameters
    ----------
    odds_ratio : float
        What is assumed before.
    rule, treated, bought : ndarray of shape (moments,)
        0 or 1: whether the rule held, whether the shop stepped in, whether a purchase followed.
    buy, leave : ndarray of shape (moments,)
        Log-odds by models that have not seen these moments.
    weight : ndarray of shape (moments,), optional
        One over the chance of what was done. The weighted regression is right when the chances are,
        or when the regression is (Bang and Robins 2005, "Doubly robust estimation in missing data
        and causal inference models", section 3).

    Returns
    -------
    Response
        The assumption when there is no moment of either kind.
    """
    assumed = float(np.log(odds_ratio))
    if not treated.any() or treated.all():
        return Response((0.0, assumed, 0.0, 0.0))
    centres = (float(buy.mean()), float(leave.mean()))
    ones = np.ones(len(buy))
    own = np.column_stack([ones, rule, buy - centres[0], leave - centres[1]])
    design = np.column_stack([ones, buy, own * treated[:, None]])
    prior = np.array([0.0, 1.0, 0.0, assumed, 0.0, 0.0])
    precision = np.diag(1 / _SPREADS**2)
    weights = prior.copy()
    # Of the mean 1: they must not make the moments look more than they are.
    share = ones if weight is None else weight / weight.mean()
    for _ in range(50):
        said = probability(design @ weights)
        slope = design.T @ (share * (said - bought)) + precision @ (weights - prior)
        spread = np.maximum(share * said * (1 - said), 1e-9)
        bend = design.T @ (design * spread[:, None]) + precision
        step = np.linalg.solve(bend, slope)
        weights = weights - np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    first, second, third, fourth = (float(value) for value in weights[2:])
    return Response((first, second, third, fourth), centres, len(buy))
