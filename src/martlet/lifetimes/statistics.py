"""Sufficient statistics of purchase histories, grouped.

Of a customer the models need three numbers: repeat purchases x, the time t_x from the first to the
last purchase, and the time T from the first purchase to the end of the observation. Customers with
the same three count as one row with a weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["PurchaseStatistics"]

Vector = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class PurchaseStatistics:
    """Grouped histories.

    Attributes
    ----------
    x, recency, age, weight
        One entry a group, shape (groups,): repeat purchases, time of the last one and of the end of
        the observation, both counted from the first purchase, and the number of customers.
    """

    x: Vector
    recency: Vector
    age: Vector
    weight: Vector

    @classmethod
    def of(
        cls, x: Vector, recency: Vector, age: Vector, weight: Vector | None = None
    ) -> PurchaseStatistics:
        """Take histories as they are, without grouping equal ones.

        Parameters
        ----------
        x, recency, age : array of shape (n,)
            Repeat purchases, time of the last, time observed.
        weight : array of shape (n,), optional
            Number of customers; 1 each when left out.
        """
        counts = np.ones(len(x)) if weight is None else weight
        return cls(*(np.asarray(v, float) for v in (x, recency, age, counts)))

    def __len__(self) -> int:
        return len(self.x)

    @property
    def customers(self) -> float:
        """Number of customers."""
        return float(self.weight.sum())

    @property
    def repeats(self) -> float:
        """Number of repeat purchases."""
        return float((self.weight * self.x).sum())

    def rescaled(self, unit: float) -> PurchaseStatistics:
        """Return the same histories with time counted in other units."""
        return PurchaseStatistics(self.x, self.recency / unit, self.age / unit, self.weight)

    def subset(self, chosen: NDArray[np.bool_] | Places) -> PurchaseStatistics:
        """Return some of the groups."""
        return PurchaseStatistics(
            self.x[chosen], self.recency[chosen], self.age[chosen], self.weight[chosen]
        )

    # What the likelihoods share: distinct values, so that logarithms and gamma functions are
    # computed once for each of them and not once for each group.

    @cached_property
    def by_x(self) -> tuple[Vector, Places]:
        """Distinct x and the place of each group's."""
        return np.unique(self.x, return_inverse=True)

    @cached_property
    def by_age(self) -> tuple[Vector, Places]:
        """Distinct ages and the place of each group's."""
        return np.unique(self.age, return_inverse=True)

    @cached_property
    def by_recency(self) -> tuple[Vector, Places]:
        """Distinct recencies and the place of each group's."""
        return np.unique(self.recency, return_inverse=True)

    @cached_property
    def x_and_age(self) -> tuple[Vector, Vector, Places]:
        """Distinct pairs of x and age, and the place of each group's."""
        return _pairs(self.by_x, self.by_age)

    @cached_property
    def x_and_recency(self) -> tuple[Vector, Vector, Places]:
        """Distinct pairs of x and recency, and the place of each group's."""
        return _pairs(self.by_x, self.by_recency)

    @cached_property
    def weight_by_x(self) -> Vector:
        """Customers for each distinct x."""
        return np.asarray(np.bincount(self.by_x[1], self.weight), float)

    @cached_property
    def weight_by_age(self) -> Vector:
        """Customers for each distinct age."""
        return np.asarray(np.bincount(self.by_age[1], self.weight), float)

    @cached_property
    def repeats_by_age(self) -> Vector:
        """Repeat purchases for each distinct age."""
        return np.asarray(np.bincount(self.by_age[1], self.weight * self.x), float)


def _pairs(first: tuple[Vector, Places], second: tuple[Vector, Places]) -> tuple:  # type: ignore[type-arg]
    codes = first[1] * len(second[0]) + second[1]
    distinct, places = np.unique(codes, return_inverse=True)
    return first[0][distinct // len(second[0])], second[0][distinct % len(second[0])], places
