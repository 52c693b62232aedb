"""Orders: when customers buy (BG/NBD), for how much (gamma-gamma), and what stands on the bill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from martlet.simulate.baskets import Lines, build_baskets
from martlet.simulate.config import (
    CHANNELS,
    COUNTRIES,
    BoolArray,
    FloatArray,
    IntArray,
    ShopConfig,
    Streams,
    choose,
)
from martlet.simulate.customers import BUYER, FRAUD, GUEST, STAFF, People, time_of_day
from martlet.simulate.products import Catalogue
from martlet.simulate.text import mix, to_cents

__all__ = ["ORDER_KINDS", "Orders", "exchange_rate", "make_orders"]

ORDER_KINDS = ("regular", "cancelled", "guest", "test", "fraud")
REGULAR, CANCELLED, GUEST_ORDER, TEST, FRAUD_ORDER = range(len(ORDER_KINDS))
CURRENCIES = ("EUR", "CHF", "GBP", "USD")
_BASE_RATE = np.array([1.0, 1.05, 1.17, 0.92])
_FREE_SHIPPING_FROM = 6000
_SHIPPING = 490


@dataclass(frozen=True)
class Orders:
    """Orders of a chunk, sorted by time. Amounts are cents of the order's currency."""

    person: IntArray
    second: IntArray
    day: IntArray
    kind: IntArray
    target: FloatArray
    channel: IntArray
    currency: IntArray
    rate: FloatArray
    number: IntArray
    previous: IntArray
    subtotal: IntArray
    discount: IntArray
    coupon: BoolArray
    shipping: IntArray
    tax: IntArray
    total: IntArray
    cancelled_second: IntArray
    billing_country: IntArray
    shipping_country: IntArray
    lines: Lines
    line_price: IntArray
    line_discount: IntArray
    left_at: FloatArray

    def __len__(self) -> int:
        """How many orders."""
        return len(self.person)


def purchase_times(
    rng: np.random.Generator, people: People, days: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Run the BG/NBD process: positions and times of orders, and when each customer dropped out.

    The first order is the acquisition. Then gaps are exponential with the customer's rate, and
    after every repeat order the customer stops with the drop-out probability.
    """
    alive = np.flatnonzero(people.kind == BUYER)
    now = people.acquired[alive].copy()
    who, when = [alive], [now]
    left_at = np.full(len(people), np.inf)
    while len(alive):
        now = now + rng.exponential(1.0, len(alive)) / people.purchase_rate[alive]
        alive, now = alive[now < days], now[now < days]
        who.append(alive)
        when.append(now)
        stays = rng.random(len(alive)) >= people.dropout_probability[alive]
        left_at[alive[~stays]] = now[~stays]
        alive, now = alive[stays], now[stays]
    return np.concatenate(who), np.concatenate(when), left_at


def exchange_rate(config: ShopConfig, currency: IntArray, day: IntArray) -> FloatArray:
    """Return reporting currency per unit of the currency: one rate a month, drifting slowly."""
    wave = 1.0 + 0.02 * np.sin(2 * np.pi * (day // 30) / 17.0 + currency)
    return np.where(currency == 0, 1.0, np.round(_BASE_RATE[currency] * wave, 4))


def make_orders(
    config: ShopConfig, chunk: int, people: People, catalogue: Catalogue, first_number: int
) -> Orders:
    """Draw all orders of a chunk: regular, cancelled, guest, test and fraudulent ones."""
    rng = Streams(config.seed, chunk)("orders")
    p = config.parameters
    person, when, left_at = purchase_times(rng, people, config.days)
    # The process decides the day, the shop's hours decide the time of it.
    when = np.floor(when) + np.where(
        when == people.acquired[person], when % 1.0, time_of_day(rng, len(when))
    )
    target = rng.gamma(p.spend_p, 1.0, len(person)) / people.spend_rate[person]
    kind = np.full(len(person), REGULAR)
    given_up = np.flatnonzero(rng.random(len(person)) < p.cancelled_order_share)
    early = when[given_up] - rng.uniform(0.01, 0.9, len(given_up))
    given_up, early = given_up[early > 0], early[early > 0]
    guests = np.flatnonzero(people.kind == GUEST)
    staff = np.repeat(np.flatnonzero(people.kind == STAFF), 3)
    frauds = np.flatnonzero(people.kind == FRAUD)
    frauds = np.concatenate([frauds, frauds[rng.random(len(frauds)) < 0.3]])
    patient = people.burst[frauds] < 0
    wait = np.where(patient, rng.uniform(0.0, 6.0, len(frauds)), rng.exponential(0.01, len(frauds)))
    extra = [
        (person[given_up], early, target[given_up], CANCELLED),
        (guests, people.acquired[guests], _spend(rng, config, people, guests), GUEST_ORDER),
        (staff, rng.uniform(1, config.days - 1, len(staff)), np.full(len(staff), 30.0), TEST),
        (frauds, people.acquired[frauds] + wait, rng.gamma(4.0, 45.0, len(frauds)), FRAUD_ORDER),
    ]
    person = np.concatenate([person, *[e[0] for e in extra]])
    when = np.concatenate([when, *[e[1] for e in extra]])
    target = np.concatenate([target, *[e[2] for e in extra]])
    kind = np.concatenate([kind, *[np.full(len(e[0]), e[3]) for e in extra]])
    when = np.minimum(when, config.days - 1e-4)
    order = np.argsort(when, kind="stable")
    person, when, target, kind = person[order], when[order], target[order], kind[order]
    day = np.floor(when).astype(np.int64)
    previous = _previous(person, kind)
    lines = build_baskets(rng, catalogue, day, target, previous)
    return _bill(
        config,
        rng,
        people,
        catalogue,
        person,
        when,
        target,
        kind,
        previous,
        lines,
        left_at,
        first_number,
    )


def _spend(
    rng: np.random.Generator, config: ShopConfig, people: People, who: IntArray
) -> FloatArray:
    """Draw gamma-gamma amounts."""
    return rng.gamma(config.parameters.spend_p, 1.0, len(who)) / people.spend_rate[who]


def _previous(person: IntArray, kind: IntArray) -> IntArray:
    """Return the position of the person's previous regular order, -1 without one."""
    previous = np.full(len(person), -1)
    regular = np.flatnonzero(kind == REGULAR)
    by_person = regular[np.argsort(person[regular], kind="stable")]
    same = person[by_person[1:]] == person[by_person[:-1]]
    previous[by_person[1:][same]] = by_person[:-1][same]
    return previous


def _bill(
    config: ShopConfig,
    rng: np.random.Generator,
    people: People,
    catalogue: Catalogue,
    person: IntArray,
    when: FloatArray,
    target: FloatArray,
    kind: IntArray,
    previous: IntArray,
    lines: Lines,
    left_at: FloatArray,
    first_number: int,
) -> Orders:
    """Price the baskets in the order's currency and add discount, shipping and tax."""
    size = len(person)
    day = np.floor(when).astype(np.int64)
    country = people.country[person]
    currency = np.array([CURRENCIES.index(c[2]) for c in COUNTRIES])[country]
    rate = exchange_rate(config, currency, day)
    unit = catalogue.price[day[lines.order], lines.product] / rate[lines.order]
    line_price = to_cents(unit)
    gross = line_price * lines.quantity
    reduced = rng.random(len(lines)) < 0.015
    line_discount = np.where(reduced, np.rint(gross * 0.1), 0).astype(np.int64)
    subtotal = np.bincount(lines.order, weights=gross - line_discount, minlength=size)
    subtotal = subtotal.astype(np.int64)
    coupon = rng.random(size) < 0.11
    discount = np.where(coupon, np.rint(subtotal * 0.1), 0).astype(np.int64)
    shipping = np.where(subtotal - discount >= _FREE_SHIPPING_FROM, 0, _SHIPPING)
    tax_rate = np.array([c[3] for c in COUNTRIES])[country]
    tax = np.rint((subtotal - discount + shipping) * tax_rate).astype(np.int64)
    second = config.start_second + np.floor(when * 86400).astype(np.int64)
    cancelled = np.where(kind == CANCELLED, second + rng.integers(300, 9000, size), np.int64(-1))
    returning = previous >= 0
    later_channel = choose(rng, [0.22, 0.14, 0.06, 0.24, 0.03, 0.03, 0.28], size)
    channel = np.where(returning, later_channel, people.channel[person])
    fraud = kind == FRAUD_ORDER
    shipping_country = np.where(
        fraud & (mix(person, 77) % np.uint64(10) < 8), (country + 3) % len(COUNTRIES), country
    )
    # Honest people send a present abroad now and then.
    shipping_country = np.where(
        ~fraud & (rng.random(size) < 0.015), (country + 1) % len(COUNTRIES), shipping_country
    )
    return Orders(
        person=person,
        second=second,
        day=day,
        kind=kind,
        target=target,
        channel=np.minimum(channel, len(CHANNELS) - 1),
        currency=currency,
        rate=rate,
        number=first_number + np.arange(size),
        previous=previous,
        subtotal=subtotal,
        discount=discount,
        coupon=coupon,
        shipping=shipping,
        tax=tax,
        total=subtotal - discount + shipping + tax,
        cancelled_second=cancelled,
        billing_country=country,
        shipping_country=shipping_country,
        lines=lines,
        line_price=line_price,
        line_discount=line_discount,
        left_at=left_at,
    )
