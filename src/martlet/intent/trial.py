"""What a trial says of stepping in, beside what the model says.

At a moment chance decided, with a known probability, whether the shop stepped in. The doubly robust
estimate of what that changed takes the model's answers and corrects them by what was observed,
weighed by one over the chance of what was done (Robins, Rotnitzky and Zhao 1994, "Estimation of
regression coefficients when some regressors are not always observed"): it is unbiased whatever the
model says, and the better the model, the narrower its interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.intent.waiting import Economics

__all__ = ["TRIAL", "Drawn", "trial_rows"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Columns of the companion table.
TRIAL = {
    "role": "varchar",
    "moments": "varchar",
    "moment_count": "bigint",
    "treated_count": "bigint",
    "conversion_effect": "double",
    "conversion_effect_lower": "double",
    "conversion_effect_upper": "double",
    "expected_conversion_effect": "double",
    "value_amount": "double",
    "value_lower_amount": "double",
    "value_upper_amount": "double",
    "expected_value_amount": "double",
}
#: Fewest moments of either kind that are worth an interval.
_FEWEST = 10


@dataclass(frozen=True)
class Drawn:
    """Moments at which chance decided.

    Attributes
    ----------
    treated, bought, weight : ndarray of shape (moments,)
        Whether the shop stepped in, whether a purchase followed, and one over the chance of what
        was done.
    paid : ndarray of shape (moments,)
        Amount of the order, 0 without one.
    without, with_it, amount : ndarray of shape (moments,)
        The model's probability of a purchase without and with stepping in, and expected amount.
    visitor : ndarray of shape (moments,)
        Whose moments belong together.
    """

    treated: Array
    bought: Array
    weight: Array
    paid: Array
    without: Array
    with_it: Array
    amount: Array
    visitor: NDArray[Any]


def trial_rows(
    role: str, drawn: Drawn, groups: Mapping[str, Flags], money: Economics
) -> list[tuple[Any, ...]]:
    """Estimate what stepping in changed, over groups of moments.

    Parameters
    ----------
    role : str
        Which moments these are.
    drawn : Drawn
        The moments.
    groups : mapping of str to ndarray of bool, shape (moments,)
        Which moments belong to each group.
    money : Economics
        What stepping in costs and an order earns.

    Returns
    -------
    list of tuple
        Rows of `TRIAL`; 95 % intervals; none of a group with too few moments of either kind.
    """
    margin = money.margin_share * drawn.amount
    earned = money.margin_share * drawn.paid - drawn.bought * drawn.treated * money.offer_cost
    change = _robust(drawn, drawn.bought, drawn.without, drawn.with_it)
    gain = _robust(
        drawn,
        earned - drawn.treated * money.contact_cost,
        drawn.without * margin,
        drawn.with_it * (margin - money.offer_cost) - money.contact_cost,
    )
    expected = money.value_now(drawn.without, drawn.with_it, drawn.amount)
    rows = []
    for name, within in groups.items():
        treated = int(drawn.treated[within].sum())
        if min(treated, int(within.sum()) - treated) < _FEWEST:
            continue
        said = float((drawn.with_it - drawn.without)[within].mean())
        rows.append((
            role, name, int(within.sum()), treated,
            *_interval(change[within], drawn.visitor[within]), said,
            *_interval(gain[within], drawn.visitor[within]), float(expected[within].mean()),
        ))  # fmt: skip
    return rows


def _robust(drawn: Drawn, outcome: Array, without: Array, with_it: Array) -> Array:
    """Return each moment's estimate of the difference."""
    own = np.where(drawn.treated > 0, with_it, without)
    sign = np.where(drawn.treated > 0, 1.0, -1.0)
    return np.asarray(with_it - without + sign * drawn.weight * (outcome - own))


def _interval(values: Array, visitor: NDArray[Any]) -> tuple[float, float, float]:
    mean = float(values.mean())
    _, number = np.unique(visitor, return_inverse=True)
    pulls = np.bincount(number, values - mean)
    reach = 1.96 * float(np.sqrt((pulls**2).sum())) / len(values)
    return mean, mean - reach, mean + reach
