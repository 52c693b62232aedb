"""Robots: crawlers, false crawlers, scrapers, price monitors and probes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from martlet.simulate.config import IntArray, ShopConfig, Streams
from martlet.simulate.products import Catalogue
from martlet.simulate.text import mix

__all__ = ["ROBOTS", "RobotHits", "make_robot_hits"]


@dataclass(frozen=True)
class Robot:
    """A kind of robot: where it comes from and how it behaves."""

    kind: str
    network: int
    size: int
    agents: int
    sessions_per_day: float
    hits: int
    gap_seconds: float
    user_agent: str
    target: str
    runs_scripts: bool
    good: bool


_GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_BING = "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"
_CHROME = "Mozilla/5.0 (Windows NT 10.0) Chrome/137.0"
_HEADLESS = "Mozilla/5.0 (X11; Linux) HeadlessChrome/131.0"
# Googlebot and bingbot: published ranges (66.249.64.0/19, 157.55.39.0/24). All others:
# documentation and benchmark ranges.
ROBOTS: tuple[Robot, ...] = (
    Robot("googlebot", 0x42F94000, 13, 5, 1.1, 5, 40.0, _GOOGLE, "product", False, True),
    Robot("bingbot", 0x9D372700, 8, 1, 1.0, 5, 30.0, _BING, "product", False, True),
    Robot("fake_googlebot", 0xC6336400, 8, 2, 1.0, 12, 3.0, _GOOGLE, "product", False, False),
    Robot(
        "scraper", 0xC6130000, 14, 3, 0.9, 22, 1.2, "python-requests/2.32", "product", False, False
    ),
    Robot("stealth_scraper", 0xC6134000, 14, 2, 0.55, 9, 7.0, _CHROME, "product", True, False),
    Robot("price_monitor", 0xC0000280, 5, 1, 0.9, 12, 2.0, _HEADLESS, "product", True, False),
    Robot("uptime_monitor", 0xC0000240, 5, 1, 6.0, 1, 1.0, "UptimeProbe/3.2", "home", False, True),
    Robot(
        "payment_monitor", 0xC0000220, 5, 1, 3.0, 2, 1.0, "PayProbe/1.4", "checkout", False, True
    ),
)
_CUSTOMERS_PER_SET = 2000


@dataclass(frozen=True)
class RobotHits:
    """Requests of robots, sorted by session and time."""

    robot: IntArray
    address: npt.NDArray[np.uint64]
    session: IntArray
    first: IntArray
    moment: IntArray
    product: IntArray


def make_robot_hits(
    config: ShopConfig, chunk: int, customers: int, catalogue: Catalogue
) -> RobotHits:
    """Draw the visits of all robots in the longer of the two traffic windows."""
    rng = Streams(config.seed, chunk)("robots")
    sets = max(1, round(customers / _CUSTOMERS_PER_SET))
    parts = []
    sessions = 0
    for position, robot in enumerate(ROBOTS):
        window = max(config.clickstream_days, config.request_days)
        days = window if robot.runs_scripts else config.request_days
        begin = config.window_start(days)
        agents = robot.agents * sets
        address = np.uint64(robot.network) + mix(
            config.seed, chunk, np.arange(agents), position, 31
        ) % np.uint64(1 << robot.size)
        visits = rng.poisson(robot.sessions_per_day * (config.days - begin), agents)
        agent = np.repeat(np.arange(agents), visits)
        hits = np.maximum(1, rng.poisson(robot.hits, len(agent)))
        start = begin + rng.random(len(agent)) * (config.days - 0.02 - begin)
        session = np.repeat(np.arange(len(agent)), hits)
        place = np.arange(len(session)) - np.repeat(np.cumsum(hits) - hits, hits)
        gap = rng.exponential(robot.gap_seconds, len(session)) + 0.3
        passed = np.cumsum(gap)
        passed -= passed[np.searchsorted(session, session)]
        moment = (config.start_second + start[session] * 86400 + passed) * 1000
        end = (config.start_second + config.days * 86400) * 1000 - 1
        # Robots walk through the catalogue evenly, whatever people like.
        product = rng.integers(0, len(catalogue.list_price), len(session))
        kept = moment < end
        parts.append(
            (
                np.full(len(session), position)[kept],
                address[agent[session]][kept],
                sessions + session[kept],
                (place == 0)[kept].astype(np.int64),
                moment[kept].astype(np.int64),
                (product if robot.target == "product" else np.full(len(session), -1))[kept],
            )
        )
        sessions += len(agent)
    return RobotHits(*(np.concatenate(column) for column in zip(*parts, strict=True)))
