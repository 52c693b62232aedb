"""Experiments: two with a true effect and one without.

The purchases come from the BG/NBD process, so an experiment must not change them. Instead the
variant is drawn *given* the outcome, with the probabilities Bayes' rule gives for a fair coin and
the planted effect: the data cannot be told from an experiment that caused the difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from martlet.simulate.config import BoolArray, FloatArray, IntArray, ShopConfig, Streams
from martlet.simulate.customers import BUYER, People
from martlet.simulate.devices import AGENTS, Devices
from martlet.simulate.orders import REGULAR, Orders
from martlet.simulate.traffic import PURCHASE, Sessions

__all__ = ["EXPERIMENTS", "WINBACK_DAYS", "Exposures", "make_exposures"]


@dataclass(frozen=True)
class Experiment:
    """An experiment and its planted effect: treated conversion / control conversion - 1."""

    name: str
    unit: str
    days_before_end: int
    days: int
    lift: float
    lift_other: float


# lift holds on phones (visitor experiments) or for former big customers; lift_other elsewhere.
EXPERIMENTS = (
    Experiment("one_page_checkout", "visitor", 100, 75, 0.60, 0.15),
    Experiment("button_colour", "visitor", 60, 55, 0.0, 0.0),
    Experiment("winback_voucher", "customer", 110, 1, 0.50, 0.50),
)
VARIANTS = ("control", "treatment")
WINBACK_DAYS = 60
_LAPSED_DAYS = 60


@dataclass(frozen=True)
class Exposures:
    """Exposures of a chunk: a device (visitor) or a person (customer) and the variant."""

    experiment: IntArray
    variant: IntArray
    device: IntArray
    person: IntArray
    second: IntArray
    converted: BoolArray
    segment: BoolArray


def assign(
    rng: np.random.Generator, converted: BoolArray, lift: float, fair: float = 0.5
) -> IntArray:
    """Draw variants given outcomes so that treated / control conversion is 1 + lift."""
    base = float(converted.mean()) if len(converted) else 0.0
    control = min(base / (1.0 + fair * lift), 0.999)
    treated = min(control * (1.0 + lift), 0.999)
    if base <= 0.0:
        return (rng.random(len(converted)) < fair).astype(np.int64)
    when_converted = fair * treated / (fair * treated + (1 - fair) * control)
    when_not = fair * (1 - treated) / (fair * (1 - treated) + (1 - fair) * (1 - control))
    chance: FloatArray = np.where(converted, when_converted, when_not)
    return (rng.random(len(converted)) < chance).astype(np.int64)


def make_exposures(
    config: ShopConfig,
    chunk: int,
    people: People,
    devices: Devices,
    sessions: Sessions,
    orders: Orders,
) -> Exposures:
    """Draw the exposures of all experiments."""
    rng = Streams(config.seed, chunk)("experiments")
    parts = []
    for position, experiment in enumerate(EXPERIMENTS):
        begin = max(0.0, float(config.days - experiment.days_before_end))
        if experiment.unit == "visitor":
            found = _visitors(devices, sessions, begin, begin + experiment.days)
        else:
            found = _lapsed(people, orders, config, begin)
        device, person, day, converted, segment = found
        variant = np.zeros(len(person), dtype=np.int64)
        for value, lift in ((True, experiment.lift), (False, experiment.lift_other)):
            rows = np.flatnonzero(segment == value)
            variant[rows] = assign(rng, converted[rows], lift)
        second = config.start_second + np.floor(day * 86400).astype(np.int64)
        order = np.argsort(second, kind="stable")
        columns = (
            np.full(len(person), position),
            variant,
            device,
            person,
            second,
            converted,
            segment,
        )
        parts.append(tuple(column[order] for column in columns))
    return Exposures(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _visitors(
    devices: Devices, sessions: Sessions, begin: float, end: float
) -> tuple[IntArray, IntArray, FloatArray, BoolArray, BoolArray]:
    """Return cookies with consent at their first visit, and whether they bought until the end."""
    inside = (sessions.start >= begin) & (sessions.start < end)
    inside &= devices.consent[sessions.device]
    rows = np.flatnonzero(inside)
    device, first = np.unique(sessions.device[rows], return_index=True)
    buys = np.unique(sessions.device[rows[sessions.kind[rows] == PURCHASE]])
    mobile = np.array([a[0] == "mobile" for a in AGENTS])[devices.agent[device]]
    # The page is shown as the visit begins, well before a purchase in it.
    day = sessions.start[rows[first]]
    return device, devices.person[device], day, np.isin(device, buys), mobile


def _lapsed(
    people: People, orders: Orders, config: ShopConfig, begin: float
) -> tuple[IntArray, IntArray, FloatArray, BoolArray, BoolArray]:
    """Return customers without an order for two months, and whether they came back."""
    when = (orders.second - config.start_second) / 86400.0
    regular = orders.kind == REGULAR
    last = np.full(len(people), -np.inf)
    before = regular & (when < begin)
    np.maximum.at(last, orders.person[before], when[before])
    person = np.flatnonzero(
        (people.kind == BUYER) & (last > -np.inf) & (last < begin - _LAPSED_DAYS)
    )
    after = regular & (when >= begin + 0.5) & (when < begin + WINBACK_DAYS)
    back = np.isin(person, orders.person[after])
    everyone = np.ones(len(person), dtype=bool)
    return np.full(len(person), -1), person, np.full(len(person), begin + 0.4), back, everyone
