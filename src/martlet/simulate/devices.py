"""Devices, cookies and the addresses people and robots come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from martlet.simulate.config import BoolArray, IntArray, ShopConfig, Streams, choose
from martlet.simulate.customers import STAFF, People
from martlet.simulate.text import mix

__all__ = ["AGENTS", "HOME_KINDS", "Addresses", "Devices", "addresses_of", "make_devices"]

# Device category, operating system, browser, share, user agent.
AGENTS: tuple[tuple[str, str, str, float, str], ...] = (
    ("mobile", "iOS", "Safari", 0.26, "Mozilla/5.0 (iPhone; iOS 18_5) Safari/604.1"),
    ("mobile", "Android", "Chrome", 0.26, "Mozilla/5.0 (Linux; Android 15) Chrome/137.0 Mobile"),
    ("mobile", "Android", "Samsung", 0.06, "Mozilla/5.0 (Linux; Android 14) SamsungBrowser/27.0"),
    ("desktop", "Windows", "Chrome", 0.18, "Mozilla/5.0 (Windows NT 10.0) Chrome/137.0"),
    ("desktop", "Windows", "Edge", 0.07, "Mozilla/5.0 (Windows NT 10.0) Chrome/136.0 Edg/136.0"),
    ("desktop", "macOS", "Safari", 0.07, "Mozilla/5.0 (Macintosh; Mac OS X 14_5) Safari/605.1"),
    ("desktop", "Linux", "Firefox", 0.03, "Mozilla/5.0 (X11; Linux) Gecko Firefox/139.0"),
    ("tablet", "iPadOS", "Safari", 0.07, "Mozilla/5.0 (iPad; iOS 18_4) Safari/604.1"),
)
HOME_KINDS = ("home_fixed", "home_dynamic", "home_ipv6")
NETWORKS = (*HOME_KINDS, "office", "mobile_carrier", "staff", "fraud_proxy")
OFFICE, CARRIER, STAFF_NET, PROXY = range(3, 7)
_DYNAMIC = 1
_IPV6 = 2
_BASE = {
    "home": 0xF0000000,  # 240.0.0.0/5, reserved and routed nowhere
    "office": 0xC6120000,  # 198.18.0.0/16, set aside for benchmarks
    "proxy": 0xC6138000,  # 198.19.128.0/17
    "carrier": 0x64400000,  # 100.64.0.0/10, carriers' shared space
    "staff": 0xCB007100,  # 203.0.113.0/24, documentation
}


@dataclass(frozen=True)
class Devices:
    """Devices of a chunk, sorted by person."""

    person: IntArray
    agent: IntArray
    cookie: npt.NDArray[np.uint64]
    fingerprint: npt.NDArray[np.uint64]
    consent: BoolArray
    first: IntArray
    count: IntArray

    def pick(self, rng: np.random.Generator, person: IntArray) -> IntArray:
        """Choose one of each person's devices, the first one more often."""
        place = rng.random(len(person)) ** 1.6 * self.count[person]
        return self.first[person] + place.astype(np.int64)


@dataclass(frozen=True)
class Addresses:
    """The address of each request and the kind of network it lies in."""

    value: npt.NDArray[np.uint64]
    is_v6: BoolArray
    network: IntArray


def make_devices(config: ShopConfig, chunk: int, people: People) -> Devices:
    """Give every person one to three devices, each with a cookie of its own."""
    rng = Streams(config.seed, chunk)("devices")
    count = 1 + choose(rng, [0.58, 0.33, 0.09], len(people))
    first = np.cumsum(count) - count
    person = np.repeat(np.arange(len(people)), count)
    agent = choose(rng, [a[3] for a in AGENTS], len(person))
    place = np.arange(len(person))
    cookie = mix(config.seed, chunk, place, 1)
    fingerprint = mix(config.seed, chunk, place, 2)
    # A burst of fraud accounts shares two devices.
    burst = people.burst[person]
    shared = mix(config.seed, chunk, burst, person % 2, 3)
    fingerprint = np.where(burst >= 0, shared, fingerprint)
    consent = rng.random(len(person)) >= config.parameters.consent_refused_share
    return Devices(person, agent, cookie, fingerprint, consent, first, count)


def addresses_of(
    config: ShopConfig, chunk: int, people: People, devices: Devices, device: IntArray, second: Any
) -> Addresses:
    """Return the address a device has at a moment: home, office, mobile carrier, proxy or staff."""
    person = devices.person[device]
    owner = mix(config.seed, chunk, person, 11)
    day = second // 86400
    share = (owner % np.uint64(1000)).astype(np.int64)
    network = np.where(share < 350, 0, np.where(share < 650, _DYNAMIC, _IPV6))
    base = np.uint64(_BASE["home"])
    lease = np.where(network == _DYNAMIC, (day + share) // 9, 0)
    value = base + mix(owner, lease, 12) % np.uint64(1 << 27)
    # A home keeps its /64; the devices in it change their own half every day.
    host = mix(device, day, 13) & np.uint64(0xFFFFFFFF)
    value = np.where(network == _IPV6, (owner << np.uint64(32)) | host, value)
    local_hour = second // 3600 % 24
    is_mobile = np.array([a[0] == "mobile" for a in AGENTS])[devices.agent[device]]
    now = mix(device, second // 10800, 14) % np.uint64(100)
    on_the_move = is_mobile & (now < np.uint64(40))
    carriers = np.uint64(max(3, len(people) // 400))
    carrier = mix(config.seed, chunk, mix(device, day, 15) % carriers, 16)
    value = np.where(on_the_move, np.uint64(_BASE["carrier"]) + carrier % np.uint64(1 << 22), value)
    at_work = (
        ~is_mobile
        & (local_hour >= 8)
        & (local_hour < 16)
        & ((owner >> np.uint64(20)) % np.uint64(100) < np.uint64(40))
    )
    offices = np.uint64(max(2, len(people) // 60))
    office = mix(config.seed, chunk, (owner >> np.uint64(30)) % offices, 17)
    value = np.where(at_work, np.uint64(_BASE["office"]) + office % np.uint64(1 << 16), value)
    network = np.where(on_the_move, CARRIER, np.where(at_work, OFFICE, network))
    burst = people.burst[person]
    fraud = burst >= 0
    proxy = mix(config.seed, chunk, burst, mix(person, 18) % np.uint64(2), 19)
    value = np.where(fraud, np.uint64(_BASE["proxy"]) + proxy % np.uint64(1 << 15), value)
    staff = people.kind[person] == STAFF
    desk = np.uint64(_BASE["staff"]) + np.uint64(10) + owner % np.uint64(3)
    value = np.where(staff, desk, value)
    network = np.where(fraud, PROXY, np.where(staff, STAFF_NET, network))
    return Addresses(value.astype(np.uint64), network == _IPV6, network.astype(np.int64))
