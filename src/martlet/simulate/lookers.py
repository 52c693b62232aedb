"""Traffic of known kinds of address, to judge the looker list: people, robots, and the hard cases.

Nineteen kinds of address visit a shop for ninety days. People come from homes (fixed, dynamic,
IPv6), offices, carriers and VPNs; some block scripts and cookies and still buy, some look for
months and never do, some research long and buy late. Robots are verified and false crawlers, six
kinds of scrapers from the crude to one that behaves almost like a person, monitors, and probes.
Tables are in the columns of the shop layer (`shop_page_requests`, `shop_events`, `shop_orders`);
the truth says which kind each address is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

__all__ = ["KINDS", "Kind", "make_looker_traffic"]

Numbers = NDArray[np.int64]

_BROWSERS = tuple(
    f"Mozilla/5.0 ({system}) {engine}/{version}.0"
    for system in ("Windows NT 10.0", "Macintosh; Mac OS X 14_5", "X11; Linux x86_64",
                   "iPhone; iOS 18_5", "Linux; Android 15", "iPad; iPadOS 18_4")
    for engine in ("Chrome", "Firefox", "Safari")
    for version in (131, 134, 137)
)  # fmt: skip
_GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_BING = "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"


@dataclass(frozen=True)
class Kind:
    """A kind of address and how it behaves.

    Attributes
    ----------
    name
        What the truth calls it.
    network, spread
        First address and how many addresses it may lie in; a network of None is IPv6.
    addresses
        How many at scale 1.
    people
        Browsers behind one address.
    visits_per_day, pages, gap_seconds, gap_spread
        Of an address; pages and gaps are means, the gap is lognormal with that spread.
    night
        Share of visits between midnight and six.
    product, step, asset, referrer
        Share of pages that are products, shares of visits with a person's step and so on.
    scripts, cookies
        Whether it runs scripts; whether a browser is kept, new each visit, or none.
    buys
        Orders a visit.
    agents
        User agents it takes one from (for each browser) or, rotating, for each visit.
    role
        person, scraper, crawler or monitor: what the list may do with it.
    """

    name: str
    network: str | None
    spread: int
    addresses: int
    visits_per_day: float
    pages: float
    gap_seconds: float
    gap_spread: float
    role: str
    people: int = 1
    night: float = 0.06
    product: float = 0.4
    step: float = 0.25
    asset: float = 4.0
    referrer: float = 0.75
    scripts: float = 1.0
    cookies: str = "kept"
    buys: float = 0.0
    shared: bool = False
    agents: Sequence[str] = field(default=_BROWSERS)
    rotating: bool = False
    buys_from_day: int = 0
    target: str = "page"


_ROBOT: dict[str, Any] = {
    "night": 0.25, "product": 0.95, "step": 0.0, "asset": 0.0, "referrer": 0.0, "scripts": 0.0,
    "cookies": "none",
}  # fmt: skip
#: Volumes are so that half of the hits are scrapers' and a fifth crawlers', as shops report.
KINDS: tuple[Kind, ...] = (
    Kind("home_fixed", "81.0.0.0", 1 << 22, 4000, 0.12, 5, 25, 1.0, "person", 2, buys=0.03),
    Kind("home_dynamic", "84.0.0.0", 1 << 22, 4000, 0.06, 5, 25, 1.0, "person", buys=0.03),
    Kind("home_ipv6", None, 1 << 22, 3200, 0.12, 5, 25, 1.0, "person", 2, buys=0.03),
    Kind("office", "62.10.0.0", 1 << 14, 140, 3.0, 5, 22, 1.0, "person", 20, night=0.01, buys=0.02,
         shared=True),
    Kind("carrier", "109.40.0.0", 1 << 12, 27, 20.0, 5, 22, 1.0, "person", 300, buys=0.02,
         shared=True),
    Kind("vpn_exit", "185.7.0.0", 1 << 10, 27, 5.0, 5, 22, 1.0, "person", 60, night=0.22,
         buys=0.015, shared=True, referrer=0.4),
    Kind("privacy_buyer", "87.0.0.0", 1 << 20, 360, 0.35, 6, 25, 1.0, "person", scripts=0.0,
         cookies="none", referrer=0.0, buys=0.03),
    Kind("night_owl", "88.0.0.0", 1 << 20, 180, 0.4, 8, 12, 1.0, "person", night=0.7, buys=0.02),
    Kind("heavy_looker", "89.0.0.0", 1 << 20, 270, 1.2, 10, 15, 1.0, "person", step=0.08),
    Kind("long_researcher", "90.0.0.0", 1 << 20, 220, 0.6, 12, 15, 1.0, "person", step=0.12,
         buys=0.12, buys_from_day=55),
    Kind("verified_crawler", "66.249.64.0", 1 << 12, 27, 60.0, 20, 8, 0.8, "crawler",
         agents=(_GOOGLE,), target="crawl", **_ROBOT),
    Kind("false_googlebot", "198.51.100.0", 1 << 8, 6, 30.0, 30, 3, 0.6, "scraper",
         agents=(_GOOGLE,), **_ROBOT),
    Kind("crude_scraper", "45.12.0.0", 1 << 10, 18, 24.0, 90, 1.0, 0.3, "scraper",
         agents=("python-requests/2.32.3", "Go-http-client/2.0", ""), **_ROBOT),
    Kind("masked_scraper", "45.80.0.0", 1 << 11, 70, 10.0, 40, 2.5, 0.6, "scraper", **_ROBOT),
    Kind("interface_scraper", "46.4.0.0", 1 << 10, 14, 20.0, 60, 2.0, 0.2, "scraper",
         target="api", **_ROBOT),
    Kind("scripted_scraper", "51.15.0.0", 1 << 11, 36, 6.0, 25, 4.0, 0.5, "scraper",
         **(_ROBOT | {"scripts": 1.0, "cookies": "new", "asset": 3.0})),
    Kind("rotating_scraper", "91.200.0.0", 1 << 12, 1100, 0.8, 12, 3.0, 0.7, "scraper",
         rotating=True, **_ROBOT),
    Kind("stealth_scraper", "92.60.0.0", 1 << 16, 27, 1.2, 9, 9.0, 0.9, "scraper",
         **(_ROBOT | {"scripts": 1.0, "cookies": "new", "asset": 4.0, "night": 0.2,
                      "referrer": 0.3})),
    Kind("uptime_monitor", "192.0.2.64", 1 << 5, 3, 280.0, 1, 5, 0.1, "monitor",
         agents=("Mozilla/5.0 (probe)",), target="one", **_ROBOT),
)  # fmt: skip
_PAGES = ["/", "/about", "/c/tents", "/c/shoes", "/c/lamps", "/blog"]
_STEPS = ["/search", "/cart", "/checkout", "/account/login"]
_PRODUCTS = [f"/p/{number}" for number in range(1, 1501)]
_ASSETS = [f"/static/{number}.{kind}" for number in range(40) for kind in ("css", "js", "jpg")]
_INTERFACE = [f"/api/products/{number}" for number in range(1, 301)]
_PATHS = pa.array([*_PAGES, *_STEPS, *_PRODUCTS, *_ASSETS, *_INTERFACE, "/robots.txt", "/status"])
_FIRST = {
    "page": 0, "step": len(_PAGES), "product": len(_PAGES) + len(_STEPS),
    "asset": len(_PAGES) + len(_STEPS) + len(_PRODUCTS),
    "api": len(_PAGES) + len(_STEPS) + len(_PRODUCTS) + len(_ASSETS),
}  # fmt: skip
_ROBOTS_TXT, _STATUS = len(_PATHS) - 2, len(_PATHS) - 1
_DAY = 86_400_000_000


def make_looker_traffic(
    folder: Path, seed: int, scale: float = 1.0, start: str = "2026-05-02", days: int = 90
) -> int:
    """Write page_requests, events, orders and truth_addresses as Parquet.

    Parameters
    ----------
    folder : Path
        Where to; made when absent.
    seed : int
        For everything random; addresses, too.
    scale : float
        1 makes about 21 million requests.
    start : str
        First day. The default puts the 60th day on the first of a month.
    days : int
        How many days.

    Returns
    -------
    int
        How many requests were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = int(datetime.fromisoformat(start + "T00:00:00+00:00").timestamp()) * 1_000_000
    writers: dict[str, pq.ParquetWriter] = {}
    total, truth = 0, []
    for place, kind in enumerate(KINDS):
        count = max(2, round(kind.addresses * scale))
        # Slices of addresses keep the memory small.
        size = max(1, int(400_000 / (kind.visits_per_day * kind.pages * (1 + kind.asset) * days)))
        for part, begin in enumerate(range(0, count, size)):
            rng = np.random.default_rng([seed, place, part])
            made, networks = _slice(rng, kind, min(size, count - begin), begin, first, days)
            total += len(made["page_requests"])
            truth += [(network, kind.name, kind.role, kind.shared) for network in networks]
            for name, table in made.items():
                if name not in writers:
                    writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", table.schema)
                writers[name].write_table(table)
    for writer in writers.values():
        writer.close()
    columns = zip(*dict.fromkeys(truth), strict=True)
    names = ("address", "kind", "role", "is_shared")
    pq.write_table(
        pa.table(dict(zip(names, map(list, columns), strict=True))),
        folder / "truth_addresses.parquet",
    )
    return total


def _slice(
    rng: np.random.Generator, kind: Kind, count: int, begin: int, first: int, days: int
) -> tuple[dict[str, pa.Table], list[str]]:
    """Draw the visits of some addresses of one kind, their requests, events and orders."""
    rate = kind.visits_per_day * rng.gamma(4.0, 0.25, count)
    visits = rng.poisson(rate * days)
    address = np.repeat(np.arange(count), visits)
    size = len(address)
    hour = np.where(
        rng.random(size) < kind.night, rng.random(size) * 6, 6 + 18 * rng.beta(2.2, 1.6, size)
    )
    # Two hours behind the shop's clock, so that the planted night is the local one.
    start = first + ((rng.integers(0, days, size) + hour / 24) * _DAY).astype(np.int64)
    start -= 2 * _DAY // 24
    browser = address * kind.people + rng.integers(0, kind.people, size)
    pages = 1 + rng.poisson(max(kind.pages - 1, 0), size)
    visit = np.repeat(np.arange(size), pages)
    order = np.arange(len(visit)) - np.repeat(np.cumsum(pages) - pages, pages)
    gap = kind.gap_seconds * np.exp(rng.normal(0, kind.gap_spread, len(visit)))
    passed = np.cumsum(gap)
    passed -= passed[np.searchsorted(visit, visit)]
    when = start[visit] + (passed * 1e6).astype(np.int64)
    path = _page_paths(rng, kind, visit, order, size)
    files = rng.poisson(kind.asset, len(visit))
    page = np.repeat(np.arange(len(visit)), files)
    asset = rng.integers(_FIRST["asset"], _FIRST["api"], len(page))
    networks, texts, number = _addresses(rng, kind, address, start, first, begin, count)
    cookie = {
        "kept": (np.int64(begin) << 24) + browser,
        "new": (np.int64(begin) << 24) + np.arange(size),
        "none": np.full(size, -1),
    }[kind.cookies]
    agent = (np.arange(size) if kind.rotating else browser) * 7919 % len(kind.agents)
    if kind.rotating:
        agent = rng.integers(0, len(kind.agents), size)
    everything = np.concatenate([visit, visit[page]])
    moment = np.concatenate([when, when[page] + rng.integers(50_000, 900_000, len(page))])
    referred = np.concatenate(
        [(rng.random(len(visit)) < kind.referrer), np.ones(len(page), dtype=bool)]
    )
    agents = pa.array([text or None for text in kind.agents], pa.string())
    cookies = pa.array(
        [f"{kind.name}{value:x}" if value >= 0 else None for value in cookie], pa.string()
    )
    requests = pa.table(
        {
            "requested_at": pa.array(moment, pa.timestamp("us")),
            "ip_address": texts.take(pa.array(number[everything])),
            "user_agent": agents.take(pa.array(agent[everything])),
            "visitor_id": cookies.take(pa.array(everything)),
            "request_path": _PATHS.take(pa.array(np.concatenate([path, asset]))),
            "status_code": pa.array(np.where(rng.random(len(moment)) < 0.02, 404, 200), pa.int32()),
            "referrer": pa.array(["https://shop.example/", None]).take(
                pa.array(np.where(referred, 0, 1))
            ),
        }
    )
    scripted = rng.random(len(visit)) < kind.scripts
    events = pa.table(
        {
            "event_at": pa.array(when[scripted] + 300_000, pa.timestamp("us")),
            "ip_address": texts.take(pa.array(number[visit[scripted]])),
            "user_agent": agents.take(pa.array(agent[visit[scripted]])),
            "visitor_id": cookies.take(pa.array(visit[scripted])),
            "event_name": _event_names(path[scripted]),
            "page_referrer": pa.array(["https://shop.example/", None]).take(
                pa.array(np.where(referred[: len(visit)][scripted], 0, 1))
            ),
        }
    )
    late = start >= first + kind.buys_from_day * _DAY
    bought = np.flatnonzero((rng.random(size) < kind.buys) & late)
    # One in eight orders is placed elsewhere: only the browser's cookie knows.
    away = rng.random(len(bought)) < 0.125
    orders = pa.table(
        {
            "ordered_at": pa.array(start[bought] + 1_800_000_000, pa.timestamp("us")),
            "ip_address": pa.array(
                [
                    None if elsewhere else text
                    for text, elsewhere in zip(
                        texts.take(pa.array(number[bought])).to_pylist(), away, strict=True
                    )
                ],
                pa.string(),
            ),
            "visitor_id": cookies.take(pa.array(bought)),
            "total_amount": pa.array(np.round(rng.gamma(4.0, 18.0, len(bought)), 2)),
        }
    )
    return {"page_requests": requests, "events": events, "orders": orders}, networks


def _page_paths(
    rng: np.random.Generator, kind: Kind, visit: Numbers, order: Numbers, size: int
) -> Numbers:
    """Choose the page of each request that is no file."""
    length = len(visit)
    if kind.target == "one":
        return np.full(length, _STATUS)
    if kind.target == "api":
        return rng.integers(_FIRST["api"], _ROBOTS_TXT, length)
    product = rng.integers(_FIRST["product"], _FIRST["asset"], length)
    path = np.where(
        rng.random(length) < kind.product, product, rng.integers(0, _FIRST["step"], length)
    )
    stepping = (rng.random(size) < kind.step)[visit] & (order > 0) & (rng.random(length) < 0.5)
    path = np.where(stepping, rng.integers(_FIRST["step"], _FIRST["product"], length), path)
    if kind.target == "crawl":
        path = np.where(order == 0, _ROBOTS_TXT, path)
    return path


def _addresses(
    rng: np.random.Generator,
    kind: Kind,
    address: Numbers,
    start: Numbers,
    first: int,
    begin: int,
    count: int,
) -> tuple[list[str], pa.Array, Numbers]:
    """Return the networks, the texts of addresses and which of them each visit comes from."""
    place = (begin + np.arange(count)) * 40503 % kind.spread
    if kind.network is None:
        # A home keeps its /64; each visit may come from another address in it.
        networks = [f"2a02:{0x8100 + int(p >> 16):x}:{int(p & 65535):x}::/64" for p in place]
        host = rng.integers(1, 1 << 16, len(address))
        texts = [
            f"{networks[a][:-3]}{h:x}" for a, h in zip(address.tolist(), host.tolist(), strict=True)
        ]
        return networks, pa.array(texts, pa.string()), np.arange(len(address))
    octets = [int(part) for part in kind.network.split(".")]
    base = ((octets[0] * 256 + octets[1]) * 256 + octets[2]) * 256 + octets[3]
    if kind.name == "home_dynamic":
        # Another address every nine days, from the same provider.
        period = (start - first) // (9 * _DAY)
        key = (place[address] + period * 7_368_787) % kind.spread
        values, number = np.unique(key, return_inverse=True)
    else:
        values, number = place, address
    texts = [".".join(str((base + int(v)) >> s & 255) for s in (24, 16, 8, 0)) for v in values]
    return texts, pa.array(texts, pa.string()), number


def _event_names(path: Numbers) -> pa.Array:
    names = pa.array(["page_view", "view_item", "search", "add_to_cart", "begin_checkout", "login"])
    step = path - _FIRST["step"]
    is_step = (step >= 0) & (step < len(_STEPS))
    is_product = (path >= _FIRST["product"]) & (path < _FIRST["asset"])
    return names.take(pa.array(np.where(is_step, 2 + step, np.where(is_product, 1, 0))))
