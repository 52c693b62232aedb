"""The raw tables of orders, lines, refunds and payments, as clean text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from martlet.simulate.aftermath import METHODS, PAYMENT_STATES, REASONS, Payments, Refunds
from martlet.simulate.config import CHANNELS, COUNTRIES, IntArray, ShopConfig, Streams
from martlet.simulate.customers import People
from martlet.simulate.devices import Addresses, Devices
from martlet.simulate.orders import CANCELLED, CURRENCIES, TEST, Orders
from martlet.simulate.products import Catalogue
from martlet.simulate.raw_shop import emails_of, zone_form
from martlet.simulate.text import (
    blank_where,
    digits,
    hexadecimal,
    ids,
    ip_texts,
    join,
    money,
    pick,
    times,
)

__all__ = ["lines_table", "orders_table", "payments_table", "refunds_table"]

_CODES = [c[0] for c in COUNTRIES]
# Lines are final half an hour after the order.
_LINE_SAVED_AFTER = 1800
ORDER_STATES = ("completed", "pending", "cancelled")


def order_states(config: ShopConfig, orders: Orders) -> IntArray:
    """Return the state of each order at the end of the export."""
    fresh = orders.day >= config.days - 2
    return np.where(orders.kind == CANCELLED, 2, np.where(fresh, 1, 0))


def orders_table(
    config: ShopConfig,
    chunk: int,
    people: People,
    devices: Devices,
    orders: Orders,
    device: IntArray,
    addresses: Addresses,
) -> pa.Table:
    """Write the orders by time."""
    rng = Streams(config.seed, chunk)("order table")
    size = len(orders)
    states = order_states(config, orders)
    form = zone_form(orders.billing_country)
    account = people.number[orders.person] > 0
    end = config.start_second + config.days * 86400 - 1
    updated = np.minimum(orders.second + rng.integers(86400, 5 * 86400, size), end)
    updated = np.where(states == 2, orders.cancelled_second, updated)
    pending = np.minimum(orders.second + 5, end)
    updated = np.where(states == 1, pending, updated)
    codes = ("WELCOME10", "SUMMER10", "THANKS10")
    tags = np.where(orders.kind == TEST, 1, np.where(rng.random(size) < 0.03, 2, 0))
    return pa.table(
        {
            "order_id": ids("O", orders.number),
            "customer_id": blank_where(ids("C", people.number[orders.person]), ~account),
            "email": emails_of(people, orders.person),
            "created_at": times(orders.second, form),
            "status": pick(ORDER_STATES, states),
            "currency": pick(CURRENCIES, orders.currency),
            "exchange_rate": pick_rates(orders),
            "subtotal": money(orders.subtotal),
            "discount": money(orders.discount),
            "shipping": money(orders.shipping),
            "tax": money(orders.tax),
            "total": money(orders.total),
            "coupon_code": blank_where(pick(codes, rng.integers(0, 3, size)), ~orders.coupon),
            "channel": pick(CHANNELS, orders.channel),
            "cookie_id": blank_where(
                hexadecimal(devices.cookie[device], 10), ~devices.consent[device]
            ),
            "ip": ip_texts(addresses.value, addresses.is_v6),
            "device_id": join("d", hexadecimal(devices.fingerprint[device], 8)),
            "billing_country": pick(_CODES, orders.billing_country),
            "shipping_country": pick(_CODES, orders.shipping_country),
            "cancelled_at": blank_where(times(np.maximum(orders.cancelled_second, 0)), states != 2),
            "tags": pick(["", "test", "gift"], tags),
            "updated_at": times(updated),
        }
    )


def pick_rates(orders: Orders) -> Any:
    """Write exchange rates with four digits, 1 for the reporting currency."""
    scaled = np.rint(orders.rate * 10000).astype(np.int64)
    text = join(digits(scaled // 10000), ".", digits(scaled % 10000, 4))
    return pc.if_else(pa.array(scaled == 10000), "1", text)


def lines_table(
    config: ShopConfig, catalogue: Catalogue, orders: Orders, first_number: int
) -> pa.Table:
    """Write the order lines."""
    lines = orders.lines
    return pa.table(
        {
            "line_id": ids("L", first_number + np.arange(len(lines)), 7),
            "order_id": ids("O", orders.number[lines.order]),
            "product_id": ids("P", catalogue.number[lines.product], 3),
            "quantity": digits(lines.quantity),
            "unit_price": money(orders.line_price),
            "discount": blank_where(money(orders.line_discount), orders.line_discount == 0),
            "updated_at": times(orders.second[lines.order] + _LINE_SAVED_AFTER),
        }
    )


def refunds_table(
    catalogue: Catalogue, orders: Orders, refunds: Refunds, first_number: int, first_line: int
) -> pa.Table:
    """Write the refunds by time."""
    return pa.table(
        {
            "refund_id": ids("R", first_number + np.arange(len(refunds.order))),
            "order_id": ids("O", orders.number[refunds.order]),
            "line_id": ids("L", first_line + refunds.line, 7),
            "product_id": ids("P", catalogue.number[refunds.product], 3),
            "quantity": digits(refunds.quantity),
            "amount": money(refunds.cents),
            "currency": pick(CURRENCIES, orders.currency[refunds.order]),
            "created_at": times(refunds.second, zone_form(orders.billing_country[refunds.order])),
            "reason": pick(REASONS, refunds.reason),
        }
    )


def payments_table(orders: Orders, payments: Payments, first_number: int) -> pa.Table:
    """Write the payments by time."""
    cards = join("k", hexadecimal(payments.card, 8))
    return pa.table(
        {
            "payment_id": ids("Y", first_number + np.arange(len(payments.order))),
            "order_id": ids("O", orders.number[payments.order]),
            "created_at": times(payments.second),
            "method": pick(METHODS, payments.method),
            "status": pick(PAYMENT_STATES, payments.state),
            "amount": money(orders.total[payments.order]),
            "currency": pick(CURRENCIES, orders.currency[payments.order]),
            "card_fingerprint": blank_where(cards, payments.method != 0),
            "chargeback_at": blank_where(
                times(np.maximum(payments.chargeback_second, 0)), payments.chargeback_second < 0
            ),
        }
    )
