"""Settings of a simulated shop and the parameters planted in it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "CHANNELS",
    "COUNTRIES",
    "RAW_COLUMNS",
    "BoolArray",
    "FloatArray",
    "IntArray",
    "Parameters",
    "ShopConfig",
    "Streams",
    "choose",
]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CHANNELS = ("organic", "paid_search", "paid_social", "email", "referral", "affiliate", "direct")

# Country, share of customers, currency, tax rate, time zone offset in winter (hours).
COUNTRIES: tuple[tuple[str, float, str, float, int], ...] = (
    ("DE", 0.62, "EUR", 0.19, 1),
    ("AT", 0.10, "EUR", 0.20, 1),
    ("CH", 0.07, "CHF", 0.081, 1),
    ("NL", 0.06, "EUR", 0.21, 1),
    ("FR", 0.05, "EUR", 0.20, 1),
    ("GB", 0.06, "GBP", 0.20, 0),
    ("US", 0.04, "USD", 0.0, -5),
)

RAW_COLUMNS: dict[str, tuple[str, ...]] = {
    table: tuple(columns.split())
    for table, columns in {
        "customers": "customer_id email created_at country city accepts_marketing channel campaign"
        " is_test updated_at",
        "products": "product_id title description category subcategory brand list_price unit_cost"
        " currency created_at status",
        "orders": "order_id customer_id email created_at status currency exchange_rate subtotal"
        " discount shipping tax total coupon_code channel cookie_id ip device_id billing_country"
        " shipping_country cancelled_at tags updated_at",
        "order_lines": "line_id order_id product_id quantity unit_price discount updated_at",
        "refunds": "refund_id order_id line_id product_id quantity amount currency created_at"
        " reason",
        "payments": "payment_id order_id created_at method status amount currency"
        " card_fingerprint chargeback_at",
        "events": "event_id cookie_id user_id event_time received_time event url referrer"
        " product_id quantity value currency order_id search_term utm_source utm_medium"
        " utm_campaign device os browser country ip user_agent load_id",
        "page_requests": "request_id time ip cookie_id method path query status bytes referrer"
        " user_agent duration_ms load_id",
        "emails_sent": "message_id customer_id sent_at campaign subject variant",
        "email_events": "event_id message_id type time url",
        "support_messages": "message_id customer_id order_id created_at channel body intent",
        "stock": "product_id counted_at on_hand",
        "competitor_prices": "product_id competitor seen_at price currency in_stock",
        "experiment_exposures": "experiment variant cookie_id customer_id exposed_at",
    }.items()
}


@dataclass(frozen=True)
class Parameters:
    """The planted truths that are single numbers.

    Times are in days. BG/NBD: purchase rate ~ gamma(shape r, rate alpha), drop-out probability
    after every repeat purchase ~ beta(a, b). Gamma-gamma: an order's items amount ~
    gamma(shape p, rate nu), a customer's nu ~ gamma(shape q, rate gamma).
    """

    bgnbd_r: float = 0.62
    bgnbd_alpha: float = 120.0
    bgnbd_a: float = 0.8
    bgnbd_b: float = 2.4
    spend_p: float = 5.5
    spend_q: float = 4.2
    spend_gamma: float = 41.0
    acquisition_growth_per_year: float = 0.25
    acquisition_season_amplitude: float = 0.35
    acquisition_season_peak_day: float = 335.0
    registered_only_share: float = 0.08
    guest_order_share: float = 0.01
    cancelled_order_share: float = 0.03
    fraud_order_share: float = 0.011
    friendly_chargeback_share: float = 0.002
    session_conversion: float = 0.034
    orders_without_session_share: float = 0.06
    consent_refused_share: float = 0.03
    event_late_days_share: float = 0.012
    event_late_weeks_share: float = 0.0015
    event_replay_share: float = 0.004
    email_open_base: float = 0.16
    email_hour_amplitude: float = 1.4
    email_hour_width: float = 2.0
    email_click_given_open: float = 0.22
    email_machine_open_share: float = 0.2
    support_message_share: float = 0.11


@dataclass(frozen=True)
class ShopConfig:
    """What to simulate. The same settings always give the same rows.

    Parameters
    ----------
    customers
        Customers with an account, without staff and fraud accounts.
    start, end
        First and last day of the export.
    seed
        Any whole number from 0.
    chunk_customers
        Customers simulated at a time: bounds the memory. Part of what decides the rows.
    clickstream_days, request_days, email_days, stock_days, competitor_days
        How many days before the end the shop still has events, server log, e-mails, stock counts
        and competitor prices for.
    clickstream_share
        Share of visitors whose clickstream is kept (whole visitors, never parts of one).
    """

    customers: int = 2000
    start: date = date(2024, 7, 1)
    end: date = date(2026, 6, 30)
    seed: int = 20260701
    chunk_customers: int = 20000
    clickstream_days: int = 120
    clickstream_share: float = 0.26
    request_days: int = 35
    email_days: int = 365
    stock_days: int = 365
    competitor_days: int = 180
    parameters: Parameters = field(default_factory=Parameters)

    def __post_init__(self) -> None:
        """Refuse settings no shop can be made of."""
        if self.customers < 1:
            raise ValueError(f"customers must be at least 1, not {self.customers}")
        if self.end < self.start:
            raise ValueError(f"the end {self.end} is before the start {self.start}")
        if self.days < 60:
            raise ValueError(f"a shop needs at least 60 days, not {self.days}")
        if self.start.year < 2000 or self.end.year > 2090:
            raise ValueError("start and end must lie between the years 2000 and 2090")
        if self.seed < 0:
            raise ValueError(f"the seed must not be negative, not {self.seed}")
        if self.chunk_customers < 1:
            raise ValueError(f"chunk-customers must be at least 1, not {self.chunk_customers}")
        if not 0.0 < self.clickstream_share <= 1.0:
            raise ValueError(
                f"clickstream-share must be above 0 and at most 1, not {self.clickstream_share}"
            )
        for name in ("clickstream", "request", "email", "stock", "competitor"):
            if getattr(self, f"{name}_days") < 1:
                raise ValueError(f"{name}-days must be at least 1")

    @property
    def days(self) -> int:
        """Days of the export, both ends included."""
        return (self.end - self.start).days + 1

    @property
    def chunks(self) -> list[int]:
        """Customers of each chunk."""
        full, rest = divmod(self.customers, self.chunk_customers)
        return [self.chunk_customers] * full + ([rest] if rest else [])

    @property
    def start_second(self) -> int:
        """Midnight of the first day in seconds since 1970, UTC."""
        return (self.start - date(1970, 1, 1)).days * 86400

    def window_start(self, days: int) -> float:
        """Return the day number a retention window of so many days begins with."""
        return float(max(0, self.days - days))

    def day(self, number: int) -> date:
        """Return the date of a day number."""
        return self.start + timedelta(days=number)


@dataclass(frozen=True)
class Streams:
    """Independent random generators: one for each part of each chunk."""

    seed: int
    chunk: int

    def __call__(self, part: str) -> np.random.Generator:
        """Return the generator of a part, always the same for the same names."""
        key = (self.chunk + 1, zlib.crc32(part.encode()))
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def choose(rng: np.random.Generator, shares: Any, size: int) -> IntArray:
    """Draw positions with the given weights."""
    edges = np.cumsum(np.asarray(shares, dtype=np.float64))
    drawn = np.searchsorted(edges, rng.random(size) * edges[-1], side="right")
    return np.asarray(drawn, dtype=np.int64)
