"""What follows an order: payments, charge-backs, returns and refunds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from martlet.simulate.config import BoolArray, FloatArray, IntArray, ShopConfig, Streams, choose
from martlet.simulate.orders import CANCELLED, FRAUD_ORDER, TEST, Orders
from martlet.simulate.products import Catalogue
from martlet.simulate.text import mix

__all__ = [
    "METHODS",
    "PAYMENT_STATES",
    "REASONS",
    "Payments",
    "Refunds",
    "make_payments",
    "make_refunds",
]

METHODS = ("card", "paypal", "invoice", "klarna")
PAYMENT_STATES = ("captured", "failed", "refunded", "charged_back")
CAPTURED, FAILED, REFUNDED, CHARGED_BACK = range(len(PAYMENT_STATES))
REASONS = ("too_small", "too_large", "defective", "not_as_described", "changed_mind", "late")


@dataclass(frozen=True)
class Payments:
    """Payments of a chunk, sorted by time; charge-backs after the export's end are not known."""

    order: IntArray
    second: IntArray
    method: IntArray
    state: IntArray
    card: npt.NDArray[np.uint64]
    chargeback_second: IntArray
    disputed_order: BoolArray


@dataclass(frozen=True)
class Refunds:
    """Returned lines of a chunk, sorted by time."""

    order: IntArray
    line: IntArray
    product: IntArray
    quantity: IntArray
    cents: IntArray
    second: IntArray
    reason: IntArray


def end_second(config: ShopConfig) -> int:
    """Return the moment the export ends."""
    return config.start_second + config.days * 86400


def make_payments(
    config: ShopConfig, chunk: int, orders: Orders, fingerprints: npt.NDArray[np.uint64]
) -> Payments:
    """Draw the payments of every order; fraud is charged back 10 to 80 days later."""
    rng = Streams(config.seed, chunk)("payments")
    p = config.parameters
    size = len(orders)
    fraud = orders.kind == FRAUD_ORDER
    method = choose(rng, [0.42, 0.34, 0.14, 0.10], size)
    method = np.where(fraud, 0, method)
    # Customers keep their card; fraudsters use one of three for each device.
    card = mix(config.seed, chunk, orders.person, 51)
    stolen = mix(fingerprints, mix(orders.person, 52) % np.uint64(3), 53)
    card = np.where(fraud, stolen, card)
    disputed = fraud & (rng.random(size) < 0.93)
    friendly = (method == 0) & (orders.kind == 0)
    disputed |= friendly & (rng.random(size) < p.friendly_chargeback_share / 0.42)
    paid = orders.second + rng.integers(2, 40, size)
    back = paid + rng.integers(10 * 86400, 80 * 86400, size)
    known = disputed & (back < end_second(config))
    state = np.where(known, CHARGED_BACK, CAPTURED)
    state = np.where(orders.kind == CANCELLED, REFUNDED, state)
    tries = rng.random(size) < np.where(fraud, 0.45, 0.035)
    failed = np.flatnonzero(tries)
    order = np.concatenate([np.arange(size), failed])
    second = np.concatenate([paid, orders.second[failed] - rng.integers(20, 200, len(failed))])
    states = np.concatenate([state, np.full(len(failed), FAILED)])
    chargeback = np.concatenate([np.where(known, back, -1), np.full(len(failed), -1)])
    by_time = np.argsort(second, kind="stable")
    return Payments(
        order=order[by_time],
        second=second[by_time],
        method=method[order][by_time],
        state=states[by_time],
        card=card[order][by_time],
        chargeback_second=chargeback[by_time],
        disputed_order=disputed,
    )


def make_refunds(config: ShopConfig, chunk: int, orders: Orders, catalogue: Catalogue) -> Refunds:
    """Draw which lines come back, by the category's return rate, 3 to 28 days later."""
    rng = Streams(config.seed, chunk)("refunds")
    lines = orders.lines
    can = ~np.isin(orders.kind, [CANCELLED, TEST, FRAUD_ORDER])[lines.order]
    returned = can & (rng.random(len(lines)) < catalogue.return_rate[lines.product])
    second = orders.second[lines.order] + rng.integers(3 * 86400, 28 * 86400, len(lines))
    line = np.flatnonzero(returned & (second < end_second(config)))
    line = line[np.argsort(second[line], kind="stable")]
    order = lines.order[line]
    net = orders.line_price * lines.quantity - orders.line_discount
    share: FloatArray = 1.0 - np.where(orders.coupon[order], 0.1, 0.0)
    apparel = np.isin(catalogue.category[lines.product[line]], [2, 3])
    reason = np.where(
        apparel,
        choose(rng, [0.33, 0.27, 0.05, 0.1, 0.2, 0.05], len(line)),
        choose(rng, [0.02, 0.03, 0.35, 0.2, 0.32, 0.08], len(line)),
    )
    return Refunds(
        order=order,
        line=line,
        product=lines.product[line],
        quantity=lines.quantity[line],
        cents=np.rint(net[line] * share).astype(np.int64),
        second=second[line],
        reason=reason,
    )
