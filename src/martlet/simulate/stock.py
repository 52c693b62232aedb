"""Stock counts that agree with what was sold, and competitors' prices."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa

from martlet.simulate.config import BoolArray, FloatArray, IntArray, ShopConfig, Streams
from martlet.simulate.products import Catalogue
from martlet.simulate.text import digits, ids, money, pick, times, to_cents

__all__ = ["COMPETITORS", "competitor_table", "stock_levels", "stock_table"]

# Name, price level against ours, share of our products, how strongly it follows our promotions.
COMPETITORS = (
    ("Gipfelwerk", 0.97, 0.6, 0.6),
    ("OutdoorKing", 1.05, 0.5, 0.2),
)
_CYCLE_DAYS = 42


def stock_levels(config: ShopConfig, catalogue: Catalogue, sold: IntArray) -> IntArray:
    """Return the stock of every main product at the end of every day.

    Between two deliveries the stock falls by what was sold. It reaches zero exactly when a
    planted stock-out begins; otherwise a reserve is left when the next delivery comes.
    """
    rng = Streams(config.seed, -1)("stock")
    days, count = config.days, catalogue.main
    out = ~catalogue.available
    level = np.zeros((days, count), dtype=np.int64)
    for product in range(count):
        spell = out[:, product]
        begins = np.flatnonzero(np.diff(spell.astype(np.int64)) == 1) + 1
        ends = np.flatnonzero(np.diff(spell.astype(np.int64)) == -1) + 1
        shift = int(rng.integers(0, _CYCLE_DAYS))
        regular = np.arange(shift, days, _CYCLE_DAYS)
        cuts = np.unique(np.concatenate([[0], begins, ends, regular, [days]]))
        for low, high in pairwise(cuts):
            if spell[low]:
                continue
            still_to_sell = sold[low:high, product][::-1].cumsum()[::-1]
            after_day = still_to_sell - sold[low:high, product]
            runs_out = high < days and spell[high]
            reserve = 0 if runs_out else 2 + int(still_to_sell[0] * rng.uniform(0.1, 0.6))
            level[low:high, product] = after_day + reserve
    return level


def stock_table(config: ShopConfig, catalogue: Catalogue, sold: IntArray) -> pa.Table:
    """Write weekly counts, and the days a product ran out or came back, as raw text columns."""
    level = stock_levels(config, catalogue, sold)
    day = np.arange(config.days)
    counted: BoolArray = np.broadcast_to((day % 7 == 0)[:, None], level.shape).copy()
    changed = (level[1:] == 0) != (level[:-1] == 0)
    counted[1:] |= changed
    counted &= day[:, None] >= config.window_start(config.stock_days)
    counted &= day[:, None] >= catalogue.launch_day[None, : catalogue.main]
    row, product = np.nonzero(counted)
    # Counted when the shop closes.
    second = config.start_second + row.astype(np.int64) * 86400 + 86340
    return pa.table(
        {
            "product_id": ids("P", catalogue.number[product], 3),
            "counted_at": times(second),
            "on_hand": digits(level[row, product]),
        }
    )


def competitor_table(config: ShopConfig, catalogue: Catalogue) -> pa.Table:
    """Write what competitors ask each week: our list price, partly our promotions, and noise."""
    rng = Streams(config.seed, -1)("competitors")
    days = np.arange(int(config.window_start(config.competitor_days)), config.days, 7)
    list_price = catalogue.list_price[: catalogue.main]
    names, products, moments, prices, there = [], [], [], [], []
    for position, (_, level, share, follows) in enumerate(COMPETITORS):
        carried = np.flatnonzero(rng.random(catalogue.main) < share)
        own: FloatArray = level * np.exp(rng.normal(0.0, 0.05, len(carried)))
        week, product = np.meshgrid(days, carried, indexing="ij")
        # They look at our price of three days before.
        ours = catalogue.price[np.maximum(week - 3, 0), product] / list_price[product]
        noise = np.exp(rng.normal(0.0, 0.015, week.shape))
        price = list_price[product] * own[None, :] * ours**follows * noise
        names.append(np.full(week.size, position))
        products.append(product.ravel())
        moments.append(week.ravel() * 86400 + 18000 + rng.integers(0, 900, week.size))
        prices.append(to_cents(np.round(price.ravel(), 2)))
        there.append(rng.random(week.size) > 0.06)
    second = config.start_second + np.concatenate(moments)
    order = np.argsort(second, kind="stable")
    size = len(second)
    return pa.table(
        {
            "product_id": ids("P", catalogue.number[np.concatenate(products)], 3),
            "competitor": pick([c[0] for c in COMPETITORS], np.concatenate(names)),
            "seen_at": times(second),
            "price": money(np.concatenate(prices)),
            "currency": pick(["EUR"], np.zeros(size, dtype=np.int64)),
            "in_stock": pick(["false", "true"], np.concatenate(there).astype(np.int64)),
        }
    ).take(pa.array(order))
