"""Events: what people do in their sessions, when it happened and when it arrived."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from martlet.simulate.baskets import Lines
from martlet.simulate.config import FloatArray, IntArray, ShopConfig, Streams
from martlet.simulate.orders import Orders
from martlet.simulate.products import Catalogue
from martlet.simulate.traffic import (
    BOUNCE,
    CART,
    CHECKOUT,
    LOGS_IN,
    PURCHASE,
    SIGNED_IN,
    SIGNS_UP,
    Sessions,
)

__all__ = ["EVENT_NAMES", "Events", "make_events"]

EVENT_NAMES = (
    "page_view",
    "view_item_list",
    "search",
    "login",
    "sign_up",
    "view_item",
    "add_to_cart",
    "add_to_wishlist",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "add_shipping_info",
    "add_payment_info",
    "purchase",
)
_CODE = {name: position for position, name in enumerate(EVENT_NAMES)}
_MOST_CARTED = 6
_LONGEST_GAP_MS = 900_000


@dataclass(frozen=True)
class Events:
    """Events of a chunk, sorted by session and time; moments in milliseconds since 1970."""

    session: IntArray
    stage: IntArray
    name: IntArray
    product: IntArray
    quantity: IntArray
    cents: IntArray
    order: IntArray
    moment: IntArray
    received: IntArray
    signed_in: IntArray
    is_first: IntArray

    def __len__(self) -> int:
        """How many events."""
        return len(self.session)

    def take(self, rows: IntArray) -> Events:
        """Return some of the rows."""
        return Events(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


class _Blocks:
    """Collects rows of one kind after another."""

    def __init__(self) -> None:
        self.columns: list[tuple[IntArray, ...]] = []

    def add(
        self,
        session: IntArray,
        stage: IntArray | int,
        name: str,
        product: IntArray | int = -1,
        quantity: IntArray | int = 0,
        cents: IntArray | int = -1,
    ) -> None:
        """Add events of one name."""
        values = (stage, _CODE[name], product, quantity, cents)
        self.columns.append(
            (session, *(np.broadcast_to(np.int64(v), session.shape) for v in values))
        )

    def joined(self) -> list[IntArray]:
        """Return all rows as columns."""
        return [np.concatenate(column) for column in zip(*self.columns, strict=True)]


def make_events(
    config: ShopConfig, chunk: int, catalogue: Catalogue, orders: Orders, sessions: Sessions
) -> Events:
    """Spell sessions out into events."""
    rng = Streams(config.seed, chunk)("events")
    blocks = _Blocks()
    everyone = np.arange(len(sessions))
    day = np.floor(sessions.start).astype(np.int64)
    price = (catalogue.price * 100).round().astype(np.int64)
    blocks.add(everyone, 0, "page_view")
    moving = everyone[(sessions.kind != BOUNCE) & (rng.random(len(sessions)) < 0.3)]
    blocks.add(moving, 1, "view_item_list", catalogue.draw(rng, day[moving]))
    looking = everyone[(sessions.kind != BOUNCE) & (rng.random(len(sessions)) < 0.16)]
    blocks.add(looking, 2, "search", catalogue.draw(rng, day[looking]))
    _sign_ins(rng, blocks, sessions)
    _browsing(rng, blocks, catalogue, sessions, day, price)
    _buying(rng, blocks, catalogue, orders, sessions, day, price)
    session, stage, name, product, quantity, cents = blocks.joined()
    order = np.lexsort((stage, session))
    session, stage, name = session[order], stage[order], name[order]
    product, quantity, cents = product[order], quantity[order], cents[order]
    is_first = np.concatenate([[True], session[1:] != session[:-1]])
    gap = np.exp(rng.normal(np.log(19_000), 1.05, len(session)))
    gap = np.clip(gap, 900, _LONGEST_GAP_MS).astype(np.int64)
    moment = _moments(config, sessions, orders, session, name, gap, is_first)
    start_of_sign_in = _sign_in_stage(sessions)
    return Events(
        session=session,
        stage=stage,
        name=name,
        product=product,
        quantity=quantity,
        cents=cents,
        order=np.where(name == _CODE["purchase"], sessions.order[session], -1),
        moment=moment,
        received=_arrival(rng, config, session, moment),
        signed_in=(stage >= start_of_sign_in[session]).astype(np.int64),
        is_first=is_first.astype(np.int64),
    )


def _sign_ins(rng: np.random.Generator, blocks: _Blocks, sessions: Sessions) -> None:
    """Log-ins come early in a visit, before the checkout of a purchase; so do new accounts."""
    logs_in = np.flatnonzero(sessions.login == LOGS_IN)
    stage = np.where(sessions.kind[logs_in] == PURCHASE, 60, 3)
    blocks.add(logs_in, stage, "login")
    blocks.add(np.flatnonzero(sessions.login == SIGNS_UP), 60, "sign_up")


def _sign_in_stage(sessions: Sessions) -> IntArray:
    """Return the stage from which each session's events carry the account."""
    late = np.where(sessions.kind == PURCHASE, 60, 3)
    never = np.full(len(sessions), 1000)
    stage = np.where(sessions.login == SIGNED_IN, 0, never)
    stage = np.where(sessions.login == LOGS_IN, late, stage)
    return np.where(sessions.login == SIGNS_UP, 60, stage)


def _browsing(
    rng: np.random.Generator,
    blocks: _Blocks,
    catalogue: Catalogue,
    sessions: Sessions,
    day: IntArray,
    price: IntArray,
) -> None:
    """Add product views and carts of sessions that end without an order."""
    viewing = np.flatnonzero((sessions.kind > BOUNCE) & (sessions.kind < PURCHASE))
    views = np.minimum(rng.geometric(0.48, len(viewing)), 12)
    session = np.repeat(viewing, views)
    place = np.arange(len(session)) - np.repeat(np.cumsum(views) - views, views)
    product = catalogue.draw(rng, day[session])
    cents = price[day[session], product]
    blocks.add(session, 10 + 2 * place, "view_item", product, 0, cents)
    wished = rng.random(len(session)) < 0.02
    blocks.add(session[wished], 11 + 2 * place[wished], "add_to_wishlist", product[wished])
    # The first product viewed goes into the cart; others now and then.
    carts = (sessions.kind[session] >= CART) & ((place == 0) | (rng.random(len(session)) < 0.3))
    quantity = np.where(rng.random(len(session)) < 0.1, 2, 1)
    blocks.add(
        session[carts],
        11 + 2 * place[carts],
        "add_to_cart",
        product[carts],
        quantity[carts],
        (cents * quantity)[carts],
    )
    removed = carts & (rng.random(len(session)) < 0.14)
    blocks.add(session[removed], 46, "remove_from_cart", product[removed], quantity[removed])
    carting = np.flatnonzero((sessions.kind == CART) | (sessions.kind == CHECKOUT))
    blocks.add(carting[rng.random(len(carting)) < 0.4], 50, "view_cart")
    checkout = np.flatnonzero(sessions.kind == CHECKOUT)
    blocks.add(checkout, 61, "begin_checkout")
    further = checkout[rng.random(len(checkout)) < 0.5]
    blocks.add(further, 62, "add_shipping_info")
    blocks.add(further[rng.random(len(further)) < 0.45], 63, "add_payment_info")


def _buying(
    rng: np.random.Generator,
    blocks: _Blocks,
    catalogue: Catalogue,
    orders: Orders,
    sessions: Sessions,
    day: IntArray,
    price: IntArray,
) -> None:
    """Add the views, carts and checkout of the sessions with an order: its own lines."""
    buying = np.flatnonzero(sessions.kind == PURCHASE)
    session_of_order = np.full(len(orders), -1)
    session_of_order[sessions.order[buying]] = buying
    lines: Lines = orders.lines
    session = session_of_order[lines.order]
    starts = np.searchsorted(lines.order, lines.order, side="left")
    place = np.arange(len(lines)) - starts
    carted = (session >= 0) & (place < _MOST_CARTED)
    session, place = session[carted], place[carted]
    product, quantity = lines.product[carted], lines.quantity[carted]
    cents = price[day[session], product]
    seen = (product < catalogue.main) & (rng.random(len(product)) < 0.75)
    blocks.add(session[seen], 10 + 2 * place[seen], "view_item", product[seen], 0, cents[seen])
    blocks.add(session, 11 + 2 * place, "add_to_cart", product, quantity, cents * quantity)
    blocks.add(buying[rng.random(len(buying)) < 0.3], 50, "view_cart")
    for stage, name in (
        (61, "begin_checkout"),
        (62, "add_shipping_info"),
        (63, "add_payment_info"),
    ):
        blocks.add(buying, stage, name)
    blocks.add(buying, 70, "purchase", -1, 0, orders.total[sessions.order[buying]])


def _moments(
    config: ShopConfig,
    sessions: Sessions,
    orders: Orders,
    session: IntArray,
    name: IntArray,
    gap: IntArray,
    is_first: FloatArray,
) -> IntArray:
    """Return when events happened; a purchase event has the time of its order."""
    passed = np.cumsum(np.where(is_first, 0, gap))
    since_start = passed - np.repeat(passed[is_first], np.diff(np.flatnonzero([*is_first, True])))
    start = (config.start_second * 1000 + sessions.start * 86_400_000).astype(np.int64)
    bought = name == _CODE["purchase"]
    at_order = orders.second[sessions.order[session[bought]]] * 1000 + 400
    start[session[bought]] = at_order - since_start[bought]
    return np.asarray(start[session] + since_start, dtype=np.int64)


def _arrival(
    rng: np.random.Generator, config: ShopConfig, session: IntArray, moment: IntArray
) -> IntArray:
    """Return when events reached the shop: at once, up to three days late, or many weeks late."""
    p = config.parameters
    size = len(moment)
    at_once = moment + rng.integers(100, 3000, size)
    sessions = int(session.max()) + 1 if size else 0
    # A device that was offline sends the last part of the visit later.
    offline = (rng.random(sessions) < 2.2 * p.event_late_days_share)[session]
    offline &= rng.random(size) < 0.5
    days_late = at_once + rng.uniform(3.6e6, 2.59e8, sessions)[session].astype(np.int64)
    weeks_late = at_once + rng.uniform(1.2e9, 6.9e9, size).astype(np.int64)
    received = np.where(offline, days_late, at_once)
    received = np.where(rng.random(size) < p.event_late_weeks_share, weeks_late, received)
    # What had not arrived by the end of the export cannot stand in it.
    end = (config.start_second + config.days * 86400) * 1000
    return np.where(received < end, received, at_once)
