"""Sessions: purchases, research before them, browsing customers, anonymous visitors, lookers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from martlet.simulate.config import (
    BoolArray,
    FloatArray,
    IntArray,
    ShopConfig,
    Streams,
    choose,
)
from martlet.simulate.customers import (
    BUYER,
    LOOKER,
    REGISTERED,
    STAFF,
    VISITOR,
    People,
    time_of_day,
)
from martlet.simulate.devices import Devices
from martlet.simulate.orders import CANCELLED, REGULAR, TEST, Orders
from martlet.simulate.text import mix

__all__ = ["SESSION_KINDS", "Sessions", "add_visitors", "make_sessions", "order_devices"]

SESSION_KINDS = ("bounce", "browse", "cart", "checkout", "purchase")
BOUNCE, BROWSE, CART, CHECKOUT, PURCHASE = range(len(SESSION_KINDS))
# How a session is signed in: never, part-way, from the start, or by a new account part-way.
ANONYMOUS, LOGS_IN, SIGNED_IN, SIGNS_UP = range(4)
_SECONDS = 86400.0
_KNOWN_KINDS = [0.36, 0.49, 0.11, 0.04, 0.0]
_RESEARCH_KINDS = [0.05, 0.62, 0.25, 0.08, 0.0]
_ANONYMOUS_KINDS = [0.57, 0.335, 0.068, 0.027, 0.0]
_SESSIONS_A_VISITOR = 1.35
_LOOKER_SHARE = 0.10


@dataclass(frozen=True)
class Sessions:
    """Sessions of a chunk; ``start`` in days, or of the purchase where there is an order."""

    person: IntArray
    device: IntArray
    start: FloatArray
    kind: IntArray
    order: IntArray
    channel: IntArray
    login: IntArray

    def __len__(self) -> int:
        """How many sessions."""
        return len(self.person)


def tracked(config: ShopConfig, chunk: int, size: int) -> BoolArray:
    """Return whose clickstream the shop keeps: whole people, never parts of one."""
    value = mix(config.seed, chunk, np.arange(size), 21) % np.uint64(10000)
    return value < np.uint64(round(config.clickstream_share * 10000))


def order_devices(config: ShopConfig, chunk: int, devices: Devices, orders: Orders) -> IntArray:
    """Choose the device each order is placed on."""
    return devices.pick(Streams(config.seed, chunk)("order devices"), orders.person)


def orders_with_session(config: ShopConfig, chunk: int, orders: Orders, people: int) -> IntArray:
    """Return the positions of the orders that left a purchase session."""
    begin = config.window_start(config.clickstream_days) + 0.2
    when = (orders.second - config.start_second) / _SECONDS
    hidden = mix(config.seed, chunk, np.arange(len(orders)), 22) % np.uint64(1000)
    seen = hidden >= np.uint64(round(config.parameters.orders_without_session_share * 1000))
    kept = tracked(config, chunk, people)[orders.person]
    return np.flatnonzero((when >= begin) & seen & kept & (orders.kind != TEST))


def add_visitors(config: ShopConfig, chunk: int, people: People, orders: Orders) -> People:
    """Add anonymous visitors: so many that purchases reach the planted share of sessions."""
    rng = Streams(config.seed, chunk)("visitors")
    purchases = len(orders_with_session(config, chunk, orders, len(people)))
    wanted = purchases / config.parameters.session_conversion * 0.82
    lookers = max(2, round(wanted * _LOOKER_SHARE / 12.0))
    visitors = max(20, round(wanted * (1.0 - _LOOKER_SHARE) / _SESSIONS_A_VISITOR))
    size = lookers + visitors
    begin = config.window_start(config.clickstream_days)
    kind = np.repeat([VISITOR, LOOKER], [visitors, lookers])
    arrival = begin + rng.random(size) * (config.days - 0.1 - begin)
    zero = np.zeros(size)
    extra = {
        "kind": kind,
        "country": choose(rng, [0.66, 0.09, 0.06, 0.06, 0.05, 0.05, 0.03], size),
        "city": rng.integers(0, 5, size),
        "channel": choose(rng, [0.30, 0.20, 0.22, 0.02, 0.06, 0.06, 0.14], size),
        "acquired": np.floor(arrival) + time_of_day(rng, size),
        "purchase_rate": zero,
        "dropout_probability": zero,
        "spend_rate": zero,
        "accepts_email": zero.astype(np.int64),
        "best_hour": zero.astype(np.int64),
        "number": zero.astype(np.int64),
        "burst": np.full(size, -1),
    }
    return replace(
        people, **{name: np.concatenate([getattr(people, name), extra[name]]) for name in extra}
    )


def make_sessions(
    config: ShopConfig,
    chunk: int,
    people: People,
    devices: Devices,
    orders: Orders,
    device_of_order: IntArray,
) -> Sessions:
    """Draw all sessions of people (not robots) in the retention window."""
    rng = Streams(config.seed, chunk)("sessions")
    begin = config.window_start(config.clickstream_days)
    accounts = int(np.sum(people.kind < VISITOR))
    bought = orders_with_session(config, chunk, orders, accounts)
    when = (orders.second - config.start_second) / _SECONDS
    parts = [
        _purchases(rng, people, orders, bought, when, device_of_order),
        _research(rng, begin, devices, orders, bought, when),
        _known(rng, config, chunk, begin, people, devices, orders, accounts),
        _unknown(rng, config, begin, people, devices),
    ]
    names = ("person", "device", "start", "kind", "order", "channel", "login")
    joined = {n: np.concatenate([getattr(part, n) for part in parts]) for n in names}
    order = np.argsort(joined["start"], kind="stable")
    return Sessions(**{name: column[order] for name, column in joined.items()})


def _purchases(
    rng: np.random.Generator,
    people: People,
    orders: Orders,
    bought: IntArray,
    when: FloatArray,
    device_of_order: IntArray,
) -> Sessions:
    """Return the sessions that end in an order; a cancelled order bought first, too."""
    person = orders.person[bought]
    is_first = (orders.previous[bought] < 0) & (orders.kind[bought] != CANCELLED)
    login = np.where(is_first, SIGNS_UP, choose(rng, [0.0, 0.62, 0.38], len(person)))
    login = np.where(people.number[person] == 0, ANONYMOUS, login)
    return Sessions(
        person=person,
        device=device_of_order[bought],
        start=when[bought],
        kind=np.full(len(bought), PURCHASE),
        order=bought,
        channel=orders.channel[bought],
        login=login,
    )


def _research(
    rng: np.random.Generator,
    begin: float,
    devices: Devices,
    orders: Orders,
    bought: IntArray,
    when: FloatArray,
) -> Sessions:
    """Return visits in the week before an order, often on another device and not signed in."""
    honest = bought[orders.kind[bought] == REGULAR]
    source = np.repeat(honest, rng.poisson(0.9, len(honest)))
    day = np.floor(when[source] - rng.exponential(2.5, len(source)))
    start = day + time_of_day(rng, len(source))
    inside = (start >= begin) & (start < when[source] - 0.08)
    source, start = source[inside], start[inside]
    person = orders.person[source]
    again = orders.previous[source] >= 0
    login = choose(rng, [0.75, 0.12, 0.13], len(source))
    return Sessions(
        person=person,
        device=devices.pick(rng, person),
        start=start,
        kind=choose(rng, _RESEARCH_KINDS, len(source)),
        order=np.full(len(source), -1),
        channel=choose(rng, [0.3, 0.2, 0.15, 0.1, 0.06, 0.05, 0.14], len(source)),
        login=np.where(again, login, ANONYMOUS),
    )


def _known(
    rng: np.random.Generator,
    config: ShopConfig,
    chunk: int,
    begin: float,
    people: People,
    devices: Devices,
    orders: Orders,
    accounts: int,
) -> Sessions:
    """Return visits of account holders without an order: many while active, few afterwards."""
    kept = tracked(config, chunk, accounts)
    holds = np.isin(people.kind[:accounts], [BUYER, REGISTERED, STAFF])
    who = np.flatnonzero(holds & (kept | (people.kind[:accounts] == STAFF)))
    entry = np.maximum(people.acquired[who] + 0.1, begin)
    leaves = np.minimum(orders.left_at[who], config.days)
    rate = np.where(people.kind[who] == REGISTERED, 0.004, 0.002 + people.purchase_rate[who] * 1.2)
    rate = np.where(people.kind[who] == STAFF, 0.35, rate)
    active = np.repeat(who, rng.poisson(rate * np.maximum(leaves - entry, 0.0)))
    after = np.maximum(entry, np.minimum(leaves, config.days))
    lapsed = np.repeat(who, rng.poisson(rate * 0.25 * np.maximum(config.days - after, 0.0)))
    low, high = np.zeros(accounts), np.zeros(accounts)
    low[who], high[who] = entry, np.maximum(leaves, entry)
    start = np.concatenate(
        [
            low[active] + rng.random(len(active)) * (high[active] - low[active]),
            np.maximum(low, high)[lapsed]
            + rng.random(len(lapsed)) * (config.days - np.maximum(low, high)[lapsed]),
        ]
    )
    person = np.concatenate([active, lapsed])
    start = np.floor(start) + time_of_day(rng, len(start))
    inside = (start >= people.acquired[person] + 0.02) & (start < config.days - 0.05)
    person, start = person[inside], start[inside]
    size = len(person)
    return Sessions(
        person=person,
        device=devices.pick(rng, person),
        start=start,
        kind=choose(rng, _KNOWN_KINDS, size),
        order=np.full(size, -1),
        channel=choose(rng, [0.22, 0.12, 0.08, 0.28, 0.02, 0.02, 0.26], size),
        login=choose(rng, [0.5, 0.15, 0.35], size),
    )


def _unknown(
    rng: np.random.Generator, config: ShopConfig, begin: float, people: People, devices: Devices
) -> Sessions:
    """Return visits of people who never get an account; lookers come again and again."""
    who = np.flatnonzero(people.kind >= VISITOR)
    looks = people.kind[who] == LOOKER
    again = np.where(
        looks,
        rng.integers(6, 18, len(who)),
        rng.geometric(1.0 / _SESSIONS_A_VISITOR, len(who)) - 1,
    )
    repeated = np.repeat(who, again)
    wait = np.where(
        people.kind[repeated] == LOOKER,
        rng.uniform(-0.5, 0.5, len(repeated)) * (config.days - begin),
        rng.exponential(6.0, len(repeated)),
    )
    later = np.floor(people.acquired[repeated] + wait) + time_of_day(rng, len(repeated))
    inside = (later >= begin) & (later < config.days - 0.05)
    person = np.concatenate([who, repeated[inside]])
    start = np.concatenate([people.acquired[who], later[inside]])
    size = len(person)
    kind = choose(rng, _ANONYMOUS_KINDS, size)
    looker = people.kind[person] == LOOKER
    return Sessions(
        person=person,
        device=devices.pick(rng, person),
        start=np.minimum(start, config.days - 0.05),
        kind=np.where(looker & (kind != BOUNCE), BROWSE, kind),
        order=np.full(size, -1),
        channel=np.where(rng.random(size) < 0.7, people.channel[person], 6),
        login=np.full(size, ANONYMOUS),
    )
