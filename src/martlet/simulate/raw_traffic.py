"""The raw tables of traffic: events and server log."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from martlet.simulate.categories import CATEGORIES
from martlet.simulate.config import COUNTRIES, RAW_COLUMNS, IntArray, ShopConfig, Streams
from martlet.simulate.customers import People
from martlet.simulate.devices import AGENTS, Addresses, Devices
from martlet.simulate.events import EVENT_NAMES, Events
from martlet.simulate.orders import CURRENCIES, Orders
from martlet.simulate.products import Catalogue
from martlet.simulate.robots import ROBOTS, RobotHits
from martlet.simulate.text import (
    blank_where,
    digits,
    hexadecimal,
    ids,
    ip_texts,
    join,
    mix,
    money,
    pick,
    times,
)
from martlet.simulate.traffic import Sessions

__all__ = ["SITE", "events_table", "requests_table"]

SITE = "https://shop.example"
_SOURCES = ("google", "google", "instagram", "newsletter", "", "partnerkiste", "")
_MEDIA = ("organic", "cpc", "paid_social", "email", "referral", "affiliate", "")
_REFERRERS = (
    "https://www.google.com/",
    "https://www.google.com/",
    "https://www.instagram.com/",
    "",
    "https://outdoor-blog.example/",
    "https://partnerkiste.example/",
    "",
)
_CAMPAIGNS = ("", "brand", "summer", "weekly", "", "deals", "")
_TAGGED = (False, True, True, True, False, True, False)
_PATHS = {
    "page_view": "/",
    "login": "/account",
    "sign_up": "/account",
    "view_cart": "/cart",
    "remove_from_cart": "/cart",
    "begin_checkout": "/checkout",
    "add_shipping_info": "/checkout",
    "add_payment_info": "/checkout",
    "purchase": "/thanks",
}
_PAGES = (
    "page_view",
    "view_item_list",
    "search",
    "view_item",
    "view_cart",
    "begin_checkout",
    "purchase",
)


def paths(name: IntArray, product: IntArray, catalogue: Catalogue) -> Any:
    """Return the path of each event's page."""
    fixed = pick([_PATHS.get(n, "") for n in EVENT_NAMES], name)
    number = np.where(product >= 0, catalogue.number[product], 0)
    item = join("/p/", digits(number))
    shelf = pick(
        ["/c/" + c.name.lower().replace(" ", "-") for c in CATEGORIES],
        catalogue.category[np.maximum(product, 0)],
    )
    listing = np.isin(name, [EVENT_NAMES.index("view_item_list")])
    search = np.isin(name, [EVENT_NAMES.index("search")])
    on_item = (product >= 0) & ~listing & ~search & (name != EVENT_NAMES.index("remove_from_cart"))
    result: Any = np.where(on_item, 1, np.where(listing, 2, np.where(search, 3, 0)))
    return pc.choose(pa.array(result), fixed, item, shelf, "/search")


def events_table(
    config: ShopConfig,
    people: People,
    devices: Devices,
    sessions: Sessions,
    orders: Orders,
    catalogue: Catalogue,
    events: Events,
    addresses: Addresses,
    first_number: int,
) -> pa.Table:
    """Write the events of people as raw text columns."""
    device = sessions.device[events.session]
    person = sessions.person[events.session]
    channel = sessions.channel[events.session]
    later = events.is_first == 0
    known = (events.signed_in == 1) & (people.number[person] > 0)
    searched = events.name == EVENT_NAMES.index("search")
    bought = events.order >= 0
    has_product = (events.product >= 0) & ~searched
    has_product &= events.name != EVENT_NAMES.index("view_item_list")
    currency = np.where(bought, orders.currency[events.order], 0)
    agents = devices.agent[device]
    untagged = later | ~np.array(_TAGGED)[channel]
    noun = pick(
        [c.nouns[0].lower() for c in CATEGORIES], catalogue.category[np.maximum(events.product, 0)]
    )
    # Whole seconds, rounded up so that nothing arrives before it happened.
    last = config.start_second + config.days * 86400 - 1
    received = times(np.minimum(-(-events.received // 1000), last))
    columns = {
        "event_id": ids("e", first_number + np.arange(len(events)), 7),
        "cookie_id": blank_where(hexadecimal(devices.cookie[device], 10), ~devices.consent[device]),
        "user_id": blank_where(ids("C", people.number[person]), ~known),
        "event_time": times(events.moment // 1000, 0, events.moment % 1000),
        "received_time": received,
        "event": pick(EVENT_NAMES, events.name),
        "url": join(SITE, paths(events.name, events.product, catalogue)),
        "referrer": blank_where(pick(_REFERRERS, channel), later),
        "product_id": blank_where(
            ids("P", catalogue.number[np.maximum(events.product, 0)], 3), ~has_product
        ),
        "quantity": blank_where(digits(events.quantity), events.quantity == 0),
        "value": blank_where(money(np.maximum(events.cents, 0)), events.cents < 0),
        "currency": blank_where(pick(CURRENCIES, currency), events.cents < 0),
        "order_id": blank_where(ids("O", orders.number[events.order]), ~bought),
        "search_term": blank_where(noun, ~searched),
        "utm_source": blank_where(pick(_SOURCES, channel), untagged),
        "utm_medium": blank_where(pick(_MEDIA, channel), untagged),
        "utm_campaign": blank_where(pick(_CAMPAIGNS, channel), untagged),
        "device": pick([a[0] for a in AGENTS], agents),
        "os": pick([a[1] for a in AGENTS], agents),
        "browser": pick([a[2] for a in AGENTS], agents),
        "country": pick([c[0] for c in COUNTRIES], people.country[person]),
        "ip": ip_texts(addresses.value, addresses.is_v6),
        "user_agent": pick([a[4] for a in AGENTS], agents),
        "load_id": pc.utf8_slice_codeunits(received, 0, 10),
    }
    return pa.table(columns)


def robot_events_table(
    config: ShopConfig, catalogue: Catalogue, hits: RobotHits, first_number: int
) -> pa.Table:
    """Write the events of robots that run the page's script; each visit has a new cookie."""
    scripted = np.array([r.runs_scripts for r in ROBOTS])[hits.robot]
    rows = np.flatnonzero(scripted)
    robot, product, moment = hits.robot[rows], hits.product[rows], hits.moment[rows]
    size = len(rows)
    empty = pa.array([""] * size, type=pa.string())
    name = np.full(size, EVENT_NAMES.index("view_item"))
    seconds = moment // 1000
    last = config.start_second + config.days * 86400 - 1
    received = times(np.minimum(seconds + 1, last))
    cents = (catalogue.list_price[product] * 100).round().astype(np.int64)
    filled = {
        "event_id": ids("e", first_number + np.arange(size), 7),
        "cookie_id": hexadecimal(mix(hits.session[rows], first_number, 41), 10),
        "event_time": times(seconds, 0, moment % 1000),
        "received_time": received,
        "event": pick(EVENT_NAMES, name),
        "url": join(SITE, paths(name, product, catalogue)),
        "product_id": ids("P", catalogue.number[product], 3),
        "value": money(cents),
        "currency": pick(["EUR"], np.zeros(size, dtype=np.int64)),
        "device": pick(["desktop"], np.zeros(size, dtype=np.int64)),
        "os": pick(["Linux" if "Linux" in r.user_agent else "Windows" for r in ROBOTS], robot),
        "browser": pick(["Chrome"], np.zeros(size, dtype=np.int64)),
        "country": pick(["DE"], np.zeros(size, dtype=np.int64)),
        "ip": ip_texts(hits.address[rows], np.zeros(size, dtype=bool)),
        "user_agent": pick([r.user_agent for r in ROBOTS], robot),
        "load_id": pc.utf8_slice_codeunits(received, 0, 10),
    }
    return pa.table({column: filled.get(column, empty) for column in RAW_COLUMNS["events"]})


def requests_table(
    config: ShopConfig,
    chunk: int,
    devices: Devices,
    sessions: Sessions,
    catalogue: Catalogue,
    events: Events,
    addresses: Addresses,
    hits: RobotHits,
    first_number: int,
) -> pa.Table:
    """Write the server log: pages people loaded and all requests of robots, by time."""
    rng = Streams(config.seed, chunk)("requests")
    begin = (config.start_second + config.window_start(config.request_days) * 86400) * 1000
    is_page = np.isin(events.name, [EVENT_NAMES.index(n) for n in _PAGES])
    human = np.flatnonzero(is_page & (events.moment >= begin))
    robot = np.flatnonzero(hits.moment >= begin)
    device = sessions.device[events.session[human]]
    size = len(human) + len(robot)
    landing = np.concatenate([events.is_first[human] == 1, np.zeros(len(robot), dtype=bool)])
    moment = np.concatenate([events.moment[human] - 150, hits.moment[robot]])
    order = np.argsort(moment, kind="stable")
    target = [r.target for r in ROBOTS]
    robot_path = pick(
        [{"home": "/", "checkout": "/checkout"}.get(t, "") for t in target], hits.robot[robot]
    )
    walked = paths(
        np.full(len(robot), EVENT_NAMES.index("view_item")), hits.product[robot], catalogue
    )
    robot_path = pc.if_else(pa.array(hits.product[robot] >= 0), walked, robot_path)
    # Polite crawlers begin with the rules for robots.
    polite = np.isin(hits.robot[robot], [0, 1]) & (hits.first[robot] == 1)
    robot_path = pc.if_else(pa.array(polite), "/robots.txt", robot_path)
    human_path = paths(events.name[human], events.product[human], catalogue)
    robotic = np.concatenate([np.zeros(len(human), dtype=bool), np.ones(len(robot), dtype=bool)])
    failing = rng.random(size)
    status = np.where(failing < np.where(robotic, 0.03, 0.006), 1, 0)
    status = np.where((failing > 0.985) & ~landing, 2, status)
    channel = sessions.channel[events.session[human]]
    tag = [
        "",
        "utm_source=google",
        "utm_source=instagram",
        "utm_source=newsletter",
        "",
        "utm_source=partnerkiste",
        "",
    ]
    blank = pa.array([""] * len(robot), type=pa.string())
    second = moment // 1000
    columns = {
        "time": times(second),
        "ip": pa.concat_arrays(
            [
                ip_texts(addresses.value[human], addresses.is_v6[human]),
                ip_texts(hits.address[robot], np.zeros(len(robot), dtype=bool)),
            ]
        ),
        "cookie_id": pa.concat_arrays(
            [blank_where(hexadecimal(devices.cookie[device], 10), ~devices.consent[device]), blank]
        ),
        "method": pick(
            ["GET", "HEAD"],
            np.concatenate(
                [
                    np.zeros(len(human), dtype=np.int64),
                    np.array([r.kind == "uptime_monitor" for r in ROBOTS])[
                        hits.robot[robot]
                    ].astype(int),
                ]
            ),
        ),
        "path": pa.concat_arrays([human_path, robot_path]),
        "query": pa.concat_arrays(
            [blank_where(pick(tag, channel), events.is_first[human] == 0), blank]
        ),
        "status": pick(["200", "404", "304"], status),
        "bytes": digits(np.where(status == 0, rng.integers(9000, 60000, size), 320)),
        "referrer": pa.concat_arrays(
            [
                blank_where(pick(_REFERRERS, channel), events.is_first[human] == 0),
                blank,
            ]
        ),
        "user_agent": pa.concat_arrays(
            [
                pick([a[4] for a in AGENTS], devices.agent[device]),
                pick([r.user_agent for r in ROBOTS], hits.robot[robot]),
            ]
        ),
        "duration_ms": digits(np.exp(rng.normal(4.2, 0.6, size)).astype(np.int64) + 5),
        "load_id": pc.utf8_slice_codeunits(times(second), 0, 10),
    }
    table = pa.table(columns).take(pa.array(order))
    return table.add_column(0, "request_id", ids("q", first_number + np.arange(size), 7))
