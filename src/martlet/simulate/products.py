"""The catalogue: products, prices over time, demand weights, pairs and sequences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from martlet.simulate.categories import ADJECTIVES, BRANDS, CATEGORIES, descriptions
from martlet.simulate.config import BoolArray, FloatArray, IntArray, ShopConfig, Streams

__all__ = ["Catalogue", "make_catalogue"]


_PER_CATEGORY = 20
_PAIRS = 8
# Fewest products a choice is made from.
_CHOICE = 25
_SEQUENCES = 6


@dataclass(frozen=True)
class Catalogue:
    """Products (main ones sorted by list price, then the small things) and demand by day."""

    number: IntArray
    title: list[str]
    description: list[str]
    brand: IntArray
    category: IntArray
    subcategory: IntArray
    list_price: FloatArray
    unit_cost: FloatArray
    weight: FloatArray
    launch_day: IntArray
    is_active: BoolArray
    price: FloatArray
    available: BoolArray
    demand: FloatArray
    pair: IntArray
    pair_probability: FloatArray
    following: IntArray
    following_probability: FloatArray

    @property
    def main(self) -> int:
        """How many main products there are; the small things come after them."""
        return int(self.demand.shape[1])

    @property
    def least_rest(self) -> float:
        """Smallest amount main products are chosen for: enough of them cost less."""
        return float(self.list_price[_CHOICE])

    @property
    def elasticity(self) -> FloatArray:
        """Planted price elasticity of each product."""
        return np.array([CATEGORIES[c].elasticity for c in self.category])

    @property
    def return_rate(self) -> FloatArray:
        """Planted return probability of a line of each product."""
        return np.array([CATEGORIES[c].return_rate for c in self.category])

    @cached_property
    def _edges(self) -> tuple[FloatArray, FloatArray]:
        """Return each day's cumulated demand, and the same laid end to end for one search."""
        edges = np.zeros((self.demand.shape[0], self.main + 1))
        np.cumsum(self.demand, axis=1, out=edges[:, 1:])
        edges /= edges[:, -1:]
        return edges, (edges[:, 1:] + np.arange(len(edges))[:, None]).ravel()

    def draw(
        self,
        rng: np.random.Generator,
        day: IntArray,
        low: FloatArray | float = 0.0,
        high: FloatArray | float = np.inf,
    ) -> IntArray:
        """Draw a main product by the day's demand, list price between low and high; -1 if none."""
        edges, flat = self._edges
        prices = self.list_price[: self.main]
        first = np.broadcast_to(np.searchsorted(prices, low, side="left"), day.shape)
        last = np.broadcast_to(np.searchsorted(prices, high, side="right"), day.shape)
        # Never from a handful of products only: they could not react to prices.
        first = np.maximum(np.minimum(first, last - _CHOICE), 0)
        bottom, top = edges[day, first], edges[day, last]
        wanted = bottom + rng.random(len(day)) * (top - bottom)
        found = np.searchsorted(flat, wanted + day, side="right") - day * self.main
        found = np.clip(found, first, np.maximum(last - 1, first))
        return np.where(top > bottom + 1e-12, np.minimum(found, self.main - 1), -1)


def make_catalogue(config: ShopConfig) -> Catalogue:
    """Make the catalogue of a shop: the same for every chunk of customers."""
    rng = Streams(config.seed, -1)("catalogue")
    mains = len(CATEGORIES) - 1
    category = np.repeat(np.arange(mains), _PER_CATEGORY)
    slot = np.tile(np.arange(_PER_CATEGORY), mains)
    base = np.array([CATEGORIES[c].price for c in category])
    raw = np.maximum(base * np.exp(rng.normal(0.0, 0.45, len(base))), 8.0)
    list_price = np.floor(raw) + rng.choice([0.90, 0.95, 0.50], len(raw))
    order = np.argsort(list_price, kind="stable")
    category, slot, list_price = category[order], slot[order], list_price[order]
    small = CATEGORIES[-1].nouns
    small_price = np.round(np.geomspace(0.70, 16.0, len(small)), 1)
    all_category = np.concatenate([category, np.full(len(small), mains)])
    all_slot = np.concatenate([slot, np.arange(len(small))])
    all_price = np.concatenate([list_price, small_price])
    total = len(all_price)
    title = [
        f"{ADJECTIVES[s % len(ADJECTIVES)]} {CATEGORIES[c].nouns[s % len(CATEGORIES[c].nouns)]}"
        for c, s in zip(all_category, all_slot, strict=True)
    ]
    launch = np.where(rng.random(total) < 0.12, rng.integers(60, 61 + config.days // 2, total), 0)
    launch[len(category) :] = 0
    price, available = _prices(rng, config, list_price, launch[: len(category)])
    weight = rng.lognormal(0.0, 0.45, len(category))
    pair, following = _partners(rng, weight)
    # What pulls others is sold often, so that even a small shop shows it.
    weight = np.where((pair >= 0) | (following >= 0), 2.0 * weight, weight)
    pair_probability = np.where(pair >= 0, rng.uniform(0.25, 0.45, len(pair)), 0.0)
    following_probability = np.where(following >= 0, rng.uniform(0.30, 0.5, len(pair)), 0.0)
    return Catalogue(
        number=rng.permutation(total) + 1,
        title=title,
        description=descriptions(rng, title, all_category),
        brand=rng.integers(0, len(BRANDS), total),
        category=all_category,
        subcategory=all_slot % 2,
        list_price=all_price,
        unit_cost=np.round(all_price * rng.uniform(0.42, 0.66, total), 2),
        weight=np.concatenate([weight, np.zeros(len(small))]),
        launch_day=launch,
        is_active=rng.random(total) > 0.03,
        price=np.concatenate([price, np.tile(small_price, (config.days, 1))], axis=1),
        available=available,
        demand=_demand(config, category, list_price, weight, price, available),
        pair=pair,
        pair_probability=pair_probability,
        following=following,
        following_probability=following_probability,
    )


def _prices(
    rng: np.random.Generator, config: ShopConfig, list_price: FloatArray, launch: IntArray
) -> tuple[FloatArray, BoolArray]:
    """Return the price of every product on every day, and whether it could be bought."""
    days, count = config.days, len(list_price)
    level = np.ones((days, count))
    available = np.arange(days)[:, None] >= launch
    for product in range(count):
        changes = rng.integers(0, days, rng.integers(0, 3))
        for day in changes:
            # Steps before the end: the list price is today's, older prices were lower or higher.
            level[:day, product] *= 1.0 + rng.uniform(-0.10, 0.06)
        day = int(rng.integers(0, 70))
        while day < days:
            length = int(rng.integers(7, 22))
            level[day : day + length, product] *= 1.0 - rng.choice([0.1, 0.15, 0.2, 0.3, 0.4])
            day += length + int(rng.integers(28, 90))
        day = int(rng.integers(30, 330))
        while day < days:
            length = int(rng.integers(4, 13))
            available[day : day + length, product] = False
            day += length + int(rng.integers(120, 500))
    return np.round(list_price * level, 2), available


def _demand(
    config: ShopConfig,
    category: IntArray,
    list_price: FloatArray,
    weight: FloatArray,
    price: FloatArray,
    available: BoolArray,
) -> FloatArray:
    """Return the weight of every main product on every day: log-log in its own price."""
    kinds = [CATEGORIES[c] for c in category]
    year_day = np.array([config.day(d).timetuple().tm_yday for d in range(config.days)])[:, None]
    years = (np.arange(config.days) / 365.25)[:, None]
    amplitude = np.array([k.season_amplitude for k in kinds])
    peak = np.array([k.season_peak_day for k in kinds])
    season = np.exp(amplitude * np.cos(2 * np.pi * (year_day - peak) / 365.25))
    trend = np.exp(np.array([k.trend_per_year for k in kinds]) * years)
    reaction = (price / list_price) ** np.array([k.elasticity for k in kinds])
    popularity = weight * (list_price / 50.0) ** -0.2
    return np.asarray(popularity * season * trend * reaction * available, dtype=np.float64)


def _partners(rng: np.random.Generator, weight: FloatArray) -> tuple[IntArray, IntArray]:
    """Choose which product pulls which: popular ones pull cheaper, less usual ones.

    Products are sorted by list price.
    """
    count = len(weight)
    pair = np.full(count, -1)
    following = np.full(count, -1)
    # Pullers are popular and not cheap; what they pull is cheap, so that it fits most orders.
    level = np.arange(count) / count
    pullers = np.argsort(-weight * ((level > 0.35) & (level < 0.75)), kind="stable")
    pulled = np.argsort(weight + 99.0 * ((level < 0.1) | (level > 0.3)), kind="stable")
    used = rng.permutation(_PAIRS + _SEQUENCES)
    for place in range(_PAIRS):
        pair[pullers[place]] = pulled[used[place]]
    for place in range(_SEQUENCES):
        following[pullers[_PAIRS + place]] = pulled[used[_PAIRS + place]]
    return pair, following
