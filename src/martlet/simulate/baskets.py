"""Baskets: which products make up an order of a given value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from martlet.simulate.config import BoolArray, FloatArray, IntArray
from martlet.simulate.products import Catalogue

__all__ = ["Lines", "build_baskets"]

_ROUNDS = 7
_SMALL_QUANTITY = 6
# A rest below this part of the order's value is left.
_CLOSE_ENOUGH = 0.012


@dataclass(frozen=True)
class Lines:
    """Order lines, sorted by order; ``order`` is the position of the order."""

    order: IntArray
    product: IntArray
    quantity: IntArray

    def __len__(self) -> int:
        """How many lines."""
        return len(self.order)


def build_baskets(
    rng: np.random.Generator,
    catalogue: Catalogue,
    day: IntArray,
    target: FloatArray,
    previous: IntArray,
) -> Lines:
    """Choose products until each order is worth its target.

    Main products are drawn by the day's demand among those whose *list* price fits, so that the
    price of the day moves demand by the planted elasticity alone. Then planted followers of the
    customer's previous order come in, and small things fill the rest.

    Parameters
    ----------
    day
        Day number of each order.
    target
        Items amount each order should have, in the reporting currency.
    previous
        Position of the customer's previous order, -1 for the first one.
    """
    rest = target.copy()
    dearest = catalogue.list_price[catalogue.main - 1]
    taste = np.minimum(rng.uniform(0.15, 0.75, len(target)) * target, 0.5 * dearest)
    orders: list[IntArray] = []
    products: list[IntArray] = []
    open_orders = np.arange(len(target))
    for turn in range(_ROUNDS):
        open_orders = open_orders[rest[open_orders] >= catalogue.least_rest]
        low = taste[open_orders] if turn == 0 else 0.1 * np.minimum(target[open_orders], dearest)
        drawn = catalogue.draw(rng, day[open_orders], low, rest[open_orders])
        open_orders, drawn = open_orders[drawn >= 0], drawn[drawn >= 0]
        rest[open_orders] -= catalogue.price[day[open_orders], drawn]
        orders.append(open_orders)
        products.append(drawn)
        pulls = rng.random(len(drawn)) < catalogue.pair_probability[drawn]
        buyer, partner = open_orders[pulls], catalogue.pair[drawn[pulls]]
        fits = _fits(catalogue, day[buyer], partner, rest[buyer])
        buyer, partner = buyer[fits], partner[fits]
        rest[buyer] -= catalogue.price[day[buyer], partner]
        orders.append(buyer)
        products.append(partner)
    order, product = np.concatenate(orders), np.concatenate(products)
    order, product = _add_followers(rng, catalogue, day, rest, previous, order, product)
    quantity = np.ones(len(order), dtype=np.int64)
    small_order, small_product, small_quantity = _fill(rng, catalogue, target, rest)
    return _merge(
        np.concatenate([order, small_order]),
        np.concatenate([product, small_product]),
        np.concatenate([quantity, small_quantity]),
        len(catalogue.list_price),
    )


def _fits(catalogue: Catalogue, day: IntArray, product: IntArray, rest: FloatArray) -> BoolArray:
    """Return whether a product is to be had on the day and its list price is within the rest."""
    return catalogue.available[day, product] & (catalogue.list_price[product] <= rest)


def _add_followers(
    rng: np.random.Generator,
    catalogue: Catalogue,
    day: IntArray,
    rest: FloatArray,
    previous: IntArray,
    order: IntArray,
    product: IntArray,
) -> tuple[IntArray, IntArray]:
    """Let the next order of who bought a product hold its follower, in place of another line."""
    successor = np.full(len(rest), -1)
    successor[previous[previous >= 0]] = np.flatnonzero(previous >= 0)
    pulls = (
        (catalogue.following[product] >= 0)
        & (successor[order] >= 0)
        & (rng.random(len(order)) < catalogue.following_probability[product])
    )
    buyer, follower = successor[order[pulls]], catalogue.following[product[pulls]]
    # One follower an order; the line that gives way is the order's last that pulls nothing itself.
    buyer, first = np.unique(buyer, return_index=True)
    follower = follower[first]
    plain = (catalogue.following[product] < 0) & (catalogue.pair[product] < 0)
    giving_way = np.full(len(rest), -1)
    giving_way[order[plain]] = np.flatnonzero(plain)
    line = giving_way[buyer]
    freed = np.where(line >= 0, catalogue.price[day[buyer], product[line]], 0.0)
    fits = _fits(catalogue, day[buyer], follower, rest[buyer] + freed)
    buyer, follower, line, freed = buyer[fits], follower[fits], line[fits], freed[fits]
    rest[buyer] += freed - catalogue.price[day[buyer], follower]
    keep = np.ones(len(order), dtype=bool)
    keep[line[line >= 0]] = False
    return np.concatenate([order[keep], buyer]), np.concatenate([product[keep], follower])


def _fill(
    rng: np.random.Generator, catalogue: Catalogue, target: FloatArray, rest: FloatArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Choose the small thing and quantity that come closest to what is left of each order."""
    empty = rest >= target
    unfilled = np.flatnonzero((rest > _CLOSE_ENOUGH * target) | empty)
    price = catalogue.list_price[catalogue.main :]
    left = rest[unfilled, None]
    quantity = np.clip(np.rint(left / price), 1, _SMALL_QUANTITY)
    miss = np.abs(left - quantity * price)
    best = np.argmin(miss + 0.015 * left * rng.random(miss.shape), axis=1)
    rows = np.arange(len(unfilled))
    better = (miss[rows, best] < left[:, 0]) | empty[unfilled]
    return (
        unfilled[better],
        (catalogue.main + best)[better],
        quantity[rows, best][better].astype(np.int64),
    )


def _merge(order: IntArray, product: IntArray, quantity: IntArray, products: int) -> Lines:
    """Put lines with the same product together and sort by order."""
    key, inverse = np.unique(order * products + product, return_inverse=True)
    total = np.bincount(inverse, weights=quantity, minlength=len(key)).astype(np.int64)
    return Lines(order=key // products, product=key % products, quantity=total)
