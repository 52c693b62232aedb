"""What has to be counted over all chunks: pieces sold, pairs and sequences that came true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from martlet.simulate.config import IntArray, ShopConfig
from martlet.simulate.orders import CANCELLED, Orders
from martlet.simulate.products import Catalogue

__all__ = ["Tally"]


@dataclass
class Tally:
    """Counts over the chunks simulated so far.

    Parameters
    ----------
    sold
        Pieces of each main product sold on each day.
    pairs
        For each planted pair: orders with the first product, with the second, with both.
    sequences
        For each planted sequence: orders with the first product that were followed by another
        order of the customer, and how many of those had the second.
    orders
        Orders.
    """

    sold: IntArray
    pairs: IntArray
    sequences: IntArray
    orders: int = 0

    @classmethod
    def empty(cls, config: ShopConfig, catalogue: Catalogue) -> Tally:
        """Return a tally of nothing."""
        return cls(
            sold=np.zeros((config.days, catalogue.main), dtype=np.int64),
            pairs=np.zeros((int(np.sum(catalogue.pair >= 0)), 3), dtype=np.int64),
            sequences=np.zeros((int(np.sum(catalogue.following >= 0)), 2), dtype=np.int64),
        )

    def count(self, catalogue: Catalogue, orders: Orders) -> None:
        """Count the orders of a chunk."""
        lines = orders.lines
        main = (orders.kind[lines.order] != CANCELLED) & (lines.product < catalogue.main)
        day = orders.day[lines.order[main]]
        np.add.at(self.sold, (day, lines.product[main]), lines.quantity[main])
        self.orders += len(orders)
        for row, first in enumerate(np.flatnonzero(catalogue.pair >= 0)):
            with_first = lines.order[lines.product == first]
            with_second = lines.order[lines.product == catalogue.pair[first]]
            both = np.isin(with_first, with_second).sum()
            self.pairs[row] += [len(with_first), len(with_second), both]
        successor = np.full(len(orders), -1)
        later = np.flatnonzero(orders.previous >= 0)
        successor[orders.previous[later]] = later
        for row, first in enumerate(np.flatnonzero(catalogue.following >= 0)):
            following = successor[lines.order[lines.product == first]]
            following = following[following >= 0]
            with_second = lines.order[lines.product == catalogue.following[first]]
            self.sequences[row] += [len(following), np.isin(following, with_second).sum()]
