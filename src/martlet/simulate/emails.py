"""E-mails: weekly letters at different hours, two subjects, a best hour for every reader."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from martlet.simulate.config import (
    COUNTRIES,
    BoolArray,
    FloatArray,
    IntArray,
    ShopConfig,
    Streams,
)
from martlet.simulate.customers import VISITOR, People
from martlet.simulate.text import mix

__all__ = ["EMAIL_EVENTS", "SUBJECTS", "VARIANT_LIFT", "Emails", "make_emails", "open_probability"]

EMAIL_EVENTS = ("open", "click", "bounce", "unsubscribe", "complaint")
OPEN, CLICK, BOUNCE, UNSUBSCRIBE, COMPLAINT = range(len(EMAIL_EVENTS))
# Variant A, variant B of each campaign's subject; B multiplies the odds of opening.
SUBJECTS = (
    ("New in the shop", "Your next trip starts here"),
    ("Weekend offers", "10 % off until Sunday"),
    ("Tips for dry feet", "Wet feet? Read this"),
    ("Member news", "Only for you: member prices"),
)
VARIANT_LIFT = (1.35, 1.60, 1.00, 0.80)
_SEND_HOURS = np.array([7, 10, 13, 16, 19, 21])
_DAYS_BETWEEN = 30


@dataclass(frozen=True)
class Emails:
    """Messages of a chunk, sorted by time, and what became of them."""

    person: IntArray
    second: IntArray
    campaign: IntArray
    subject: IntArray
    variant: IntArray
    event_message: IntArray
    event_type: IntArray
    event_second: IntArray


def machine_opens(config: ShopConfig, chunk: int, size: int) -> BoolArray:
    """Return whose mail program opens every message by itself."""
    value = mix(config.seed, chunk, np.arange(size), 61) % np.uint64(1000)
    return value < np.uint64(round(config.parameters.email_machine_open_share * 1000))


def open_probability(
    config: ShopConfig, hour: IntArray, best_hour: IntArray, subject: IntArray, variant: IntArray
) -> FloatArray:
    """Return the planted probability that a person opens: nearer to the best hour, higher."""
    p = config.parameters
    apart = np.abs(hour - best_hour)
    apart = np.minimum(apart, 24 - apart)
    lift = 1.0 + p.email_hour_amplitude * np.exp(-0.5 * (apart / p.email_hour_width) ** 2)
    base = p.email_open_base * lift
    odds = base / (1.0 - base) * np.where(variant == 1, np.array(VARIANT_LIFT)[subject], 1.0)
    return np.asarray(odds / (1.0 + odds))


def make_emails(config: ShopConfig, chunk: int, people: People) -> Emails:
    """Send every campaign to the readers there are then, each at an hour drawn anew."""
    rng = Streams(config.seed, chunk)("emails")
    begin = int(config.window_start(config.email_days))
    readers = np.flatnonzero(
        (people.accepts_email == 1) & (people.number > 0) & (people.kind < VISITOR)
    )
    days = np.arange(begin + 3, config.days - 1, _DAYS_BETWEEN)
    campaign = np.repeat(np.arange(len(days)), len(readers))
    person = np.tile(readers, len(days))
    subscribed = people.acquired[person] + 1.0 < days[campaign]
    campaign, person = campaign[subscribed], person[subscribed]
    size = len(person)
    hour = _SEND_HOURS[rng.integers(0, len(_SEND_HOURS), size)]
    offset = np.array([c[4] for c in COUNTRIES])[people.country[person]]
    second = (
        config.start_second
        + days[campaign] * 86400
        + (hour - offset) * 3600
        + rng.integers(0, 900, size)
    )
    subject = campaign % len(SUBJECTS)
    variant = rng.integers(0, 2, size)
    order = np.argsort(second, kind="stable")
    person, second, campaign = person[order], second[order], campaign[order]
    subject, variant, hour = subject[order], variant[order], hour[order]
    chance = open_probability(config, hour, people.best_hour[person], subject, variant)
    draw = rng.random(size)
    bounced = rng.random(size) < 0.008
    opened = (draw < chance) & ~bounced
    by_machine = machine_opens(config, chunk, len(people))[person] & ~bounced
    clicked = opened & (rng.random(size) < config.parameters.email_click_given_open)
    leaving = opened & (rng.random(size) < 0.004)
    angry = opened & (rng.random(size) < 0.001)
    opening = second + 60 + rng.exponential(4000.0, size).astype(np.int64)
    parts = [
        (by_machine, OPEN, second + rng.integers(1, 6, size)),
        (opened, OPEN, opening),
        (clicked, CLICK, opening + rng.integers(3, 90, size)),
        (bounced, BOUNCE, second + 2),
        (leaving, UNSUBSCRIBE, opening + 100),
        (angry, COMPLAINT, opening + 120),
    ]
    message = np.concatenate([np.flatnonzero(mask) for mask, _, _ in parts])
    kind = np.concatenate([np.full(int(mask.sum()), code) for mask, code, _ in parts])
    when = np.concatenate([moment[mask] for mask, _, moment in parts])
    known = when < config.start_second + config.days * 86400
    message, kind, when = message[known], kind[known], when[known]
    by_time = np.argsort(when, kind="stable")
    return Emails(
        person=person,
        second=second,
        campaign=campaign,
        subject=subject,
        variant=variant,
        event_message=message[by_time],
        event_type=kind[by_time],
        event_second=when[by_time],
    )
