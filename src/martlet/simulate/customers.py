"""The people of a chunk: buyers, accounts without an order, guests, staff, fraudsters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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

__all__ = ["KINDS", "People", "daily_acquisition", "make_people", "time_of_day"]

# What a person is. Anonymous visitors and lookers never get an account.
KINDS = ("buyer", "registered_only", "guest", "staff", "fraud", "visitor", "looker")
BUYER, REGISTERED, GUEST, STAFF, FRAUD, VISITOR, LOOKER = range(len(KINDS))

# How strongly a channel attracts frequent buyers, loyal buyers and big spenders (tilt of the
# standardised log rate, stay probability and spend level): the whole stays BG/NBD.
_TILT = np.array(
    [
        [0.0, 0.0, 0.1],
        [-0.1, 0.0, 0.2],
        [-0.5, -0.4, -0.4],
        [0.5, 0.4, 0.1],
        [0.4, 0.5, 0.3],
        [-0.3, -0.3, -0.5],
        [0.3, 0.2, 0.1],
    ]
)
_CHANNEL_SHARES = np.array([0.28, 0.22, 0.16, 0.07, 0.08, 0.06, 0.13])
_HOURS = np.array(
    [6, 3, 2, 1, 1, 2, 5, 12, 20, 28, 34, 36, 38, 36, 34, 34, 36, 40, 46, 54, 58, 48, 30, 14.0]
)


@dataclass(frozen=True)
class People:
    """People of a chunk as columns; times in days since the start."""

    kind: IntArray
    country: IntArray
    city: IntArray
    channel: IntArray
    acquired: FloatArray
    purchase_rate: FloatArray
    dropout_probability: FloatArray
    spend_rate: FloatArray
    accepts_email: IntArray
    best_hour: IntArray
    number: IntArray
    burst: IntArray

    def __len__(self) -> int:
        """How many people."""
        return len(self.kind)

    @property
    def has_account(self) -> BoolArray:
        """Whether the person stands in the customer table."""
        return np.isin(self.kind, [BUYER, REGISTERED, STAFF, FRAUD])


def daily_acquisition(config: ShopConfig) -> FloatArray:
    """Return the relative number of new customers on each day: trend, year and week."""
    p = config.parameters
    day = np.arange(config.days)
    year_day = np.array([config.day(int(d)).timetuple().tm_yday for d in day])
    weekday = (day + config.start.weekday()) % 7
    week = np.array([1.1, 1.0, 0.95, 0.95, 0.85, 0.9, 1.25])[weekday]
    season = np.exp(
        p.acquisition_season_amplitude
        * np.cos(2 * np.pi * (year_day - p.acquisition_season_peak_day) / 365.25)
    )
    return np.asarray(week * season * np.exp(p.acquisition_growth_per_year * day / 365.25))


def time_of_day(rng: np.random.Generator, size: int) -> FloatArray:
    """Draw a time of the day, as a part of it, from the shop's hours."""
    return (choose(rng, _HOURS, size) + rng.random(size)) / 24.0


def make_people(config: ShopConfig, chunk: int, customers: int, first_number: int) -> People:
    """Draw the people of a chunk. Staff accounts exist in the first chunk only."""
    rng = Streams(config.seed, chunk)("people")
    p = config.parameters
    registered = rng.binomial(customers, p.registered_only_share)
    buyers = customers - registered
    orders = buyers * 2.2
    guests = round(p.guest_order_share * orders)
    frauds = max(6, round(p.fraud_order_share * orders))
    counts = [buyers, registered, guests, 4 if chunk == 0 else 0, frauds]
    kind = np.repeat(np.arange(5), counts)
    size = len(kind)
    daily = daily_acquisition(config)
    # An arrival lies at least an hour before the end.
    acquired = choose(rng, daily, size) + time_of_day(rng, size)
    acquired = np.minimum(acquired, config.days - 1 / 24)
    burst = _bursts(rng, config, kind, acquired)
    rate = rng.gamma(p.bgnbd_r, 1.0 / p.bgnbd_alpha, size)
    dropout = rng.beta(p.bgnbd_a, p.bgnbd_b, size)
    spend_rate = rng.gamma(p.spend_q, 1.0 / p.spend_gamma, size)
    traits = np.column_stack([_ranks(np.log(rate + 1e-300)), _ranks(-dropout), _ranks(-spend_rate)])
    tilt = np.exp(traits @ _TILT.T) * _CHANNEL_SHARES
    # Paid social grows over the years: later cohorts have another mix.
    tilt[:, 2] *= 0.7 + 0.6 * acquired / config.days
    edges = np.cumsum(tilt, axis=1)
    channel = (rng.random((size, 1)) * edges[:, -1:] > edges).sum(axis=1)
    number = np.zeros(size, dtype=np.int64)
    account = np.isin(kind, [BUYER, REGISTERED, STAFF, FRAUD])
    # Account numbers grow with time.
    arrival = np.argsort(np.argsort(acquired[account], kind="stable"), kind="stable")
    number[account] = first_number + arrival
    return People(
        kind=kind.astype(np.int64),
        country=choose(rng, [c[1] for c in COUNTRIES], size),
        city=rng.integers(0, 5, size),
        channel=np.minimum(channel, len(CHANNELS) - 1).astype(np.int64),
        acquired=acquired,
        purchase_rate=rate,
        dropout_probability=dropout,
        spend_rate=spend_rate,
        accepts_email=(rng.random(size) < 0.5).astype(np.int64),
        best_hour=choose(
            rng, [0] * 6 + [1, 3, 4, 3, 2, 1, 2, 2, 1, 1, 2, 3, 4, 5, 4, 3, 1, 0], size
        ),
        number=number,
        burst=burst,
    )


def _bursts(
    rng: np.random.Generator, config: ShopConfig, kind: IntArray, acquired: FloatArray
) -> IntArray:
    """Gather most fraud accounts into bursts of two days (moving their arrival); -1: alone."""
    burst = np.full(len(kind), -1)
    frauds = np.flatnonzero(kind == FRAUD)
    together = frauds[: round(0.75 * len(frauds))]
    number = np.arange(len(together)) // 9
    starts = rng.uniform(10.0, config.days - 4.0, number.max() + 1 if len(number) else 0)
    # One burst always lies where its events and server log are still there, before the last weeks.
    starts[:1] = config.days - min(25.0, config.days / 2)
    burst[together] = number
    acquired[together] = starts[number] + rng.uniform(0.0, 2.0, len(together))
    return burst


def _ranks(values: FloatArray) -> FloatArray:
    """Return ranks spread evenly over -1.5 to 1.5."""
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return (order + 0.5) / max(len(values), 1) * 3.0 - 1.5
