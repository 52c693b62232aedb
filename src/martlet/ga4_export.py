"""Write files in the shape of Google Analytics 4's BigQuery export, with the truth about them.

The export is one nested table a day. These files have its columns, nesting and oddities (times of
the batch instead of the event, visitors without consent, values stored by what they looked like),
so that the connector ``ga4`` can be tried and tested without an account at Google.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["Ga4Truth", "write_ga4_export"]

_PAIR = pa.struct(
    [
        ("string_value", pa.string()),
        ("int_value", pa.int64()),
        ("float_value", pa.float64()),
        ("double_value", pa.float64()),
    ]
)
_PARAMS = pa.list_(pa.struct([("key", pa.string()), ("value", _PAIR)]))
_TEXTS = {
    "privacy_info": ("analytics_storage", "ads_storage", "uses_transient_token"),
    "geo": ("city", "country", "continent", "region", "sub_continent", "metro"),
    "traffic_source": ("name", "medium", "source"),
    "collected_traffic_source": (
        "manual_campaign_id",
        "manual_campaign_name",
        "manual_source",
        "manual_medium",
        "manual_term",
        "manual_content",
        "gclid",
        "dclid",
        "srsltid",
    ),
}
_WEB_INFO = pa.struct(
    [("browser", pa.string()), ("browser_version", pa.string()), ("hostname", pa.string())]
)
_DEVICE = pa.struct(
    [
        ("category", pa.string()),
        ("mobile_brand_name", pa.string()),
        ("operating_system", pa.string()),
        ("language", pa.string()),
        ("web_info", _WEB_INFO),
    ]
)
_ECOMMERCE = pa.struct(
    [
        ("total_item_quantity", pa.int64()),
        ("purchase_revenue", pa.float64()),
        ("refund_value", pa.float64()),
        ("shipping_value", pa.float64()),
        ("tax_value", pa.float64()),
        ("unique_items", pa.int64()),
        ("transaction_id", pa.string()),
    ]
)
_ITEMS = pa.list_(
    pa.struct(
        [
            ("item_id", pa.string()),
            ("item_name", pa.string()),
            ("price", pa.float64()),
            ("quantity", pa.int64()),
        ]
    )
)


def _texts(column: str) -> pa.DataType:
    return pa.struct([(name, pa.string()) for name in _TEXTS[column]])


_SCHEMA = pa.schema(
    [
        ("event_date", pa.string()),
        ("event_timestamp", pa.int64()),
        ("event_previous_timestamp", pa.int64()),
        ("event_name", pa.string()),
        ("event_params", _PARAMS),
        ("event_value_in_usd", pa.float64()),
        ("event_bundle_sequence_id", pa.int64()),
        ("event_server_timestamp_offset", pa.int64()),
        ("user_id", pa.string()),
        ("user_pseudo_id", pa.string()),
        ("privacy_info", _texts("privacy_info")),
        ("user_properties", _PARAMS),
        ("user_first_touch_timestamp", pa.int64()),
        ("device", _DEVICE),
        ("geo", _texts("geo")),
        ("traffic_source", _texts("traffic_source")),
        ("stream_id", pa.string()),
        ("platform", pa.string()),
        ("ecommerce", _ECOMMERCE),
        ("items", _ITEMS),
        ("collected_traffic_source", _texts("collected_traffic_source")),
        ("is_active_user", pa.bool_()),
        ("batch_event_index", pa.int64()),
        ("batch_page_id", pa.int64()),
        ("batch_ordering_id", pa.int64()),
    ]
)
#: How the visitors of a day arrive: source, medium, campaign, kind of click.
_ARRIVALS: tuple[tuple[str | None, str | None, str | None, str | None], ...] = (
    (None, None, None, None),
    ("newsletter", "email", "spring", None),
    (None, None, None, "gclid"),
    (None, None, None, "srsltid"),
    ("google", "organic", None, None),
)
_COUNTRIES = ("Germany", "Austria", "Türkiye", "Czechia", "(not set)")
_DEVICES = (("desktop", "Windows", "Chrome"), ("mobile", "iOS", "Safari"))


@dataclass
class Ga4Truth:
    """What the written files contain.

    Attributes
    ----------
    files : list of Path
        The files, in the order of their days.
    event_count : int
        Rows that keep the contract, twins in an intraday file not counted twice.
    malformed_count : int
        Rows without a name, without a time, or with an impossible time.
    consentless_count : int
        Good rows of visitors who denied consent.
    visitor_count : int
        Visitors with consent and at least one good row.
    order_ids : set of str
        Orders bought.
    revenue : Decimal
        Sum of their values.
    events_by_name : dict of str to int
        Good rows by Google's event name.
    """

    files: list[Path] = field(default_factory=list)
    event_count: int = 0
    malformed_count: int = 0
    consentless_count: int = 0
    visitor_count: int = 0
    order_ids: set[str] = field(default_factory=set)
    revenue: Decimal = Decimal(0)
    events_by_name: dict[str, int] = field(default_factory=dict)


def write_ga4_export(
    path: Path,
    days: int,
    visitors: int,
    seed: int,
    *,
    start: datetime.date = datetime.date(2025, 3, 1),
    intraday: bool = False,
    malformed: int = 0,
    omit: Collection[str] = (),
) -> Ga4Truth:
    """Write ``events_YYYYMMDD.parquet`` for some days; the same arguments give the same files.

    Parameters
    ----------
    path : Path
        Folder, made when it is absent.
    days : int
        Number of days.
    visitors : int
        Visitors a day. About one in eight denies consent; some come back the next day.
    seed : int
        Seed of the random choices.
    start : datetime.date
        The first day.
    intraday : bool
        Write the last day as ``events_intraday_...`` with the events up to noon only, as the export
        does while the day lasts. They equal those of the daily file of the same seed.
    malformed : int
        Broken rows added to each day.
    omit : collection of str
        Columns and fields left out, as in older exports (``items``, ``device.web_info``).

    Returns
    -------
    Ga4Truth
        Counts and sums of what was written.
    """
    path.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([kept for f in _SCHEMA if (kept := _without(f, "", set(omit)))])
    truth = Ga4Truth()
    known_visitors: set[str] = set()
    for day_number in range(days):
        day = start + datetime.timedelta(days=day_number)
        rng = np.random.default_rng([seed, day_number])
        rows = [
            row
            for number in range(visitors)
            for row in _visit(rng, day, day_number, number, visitors)
        ]
        suffix = f"{day:%Y%m%d}"
        if intraday and day_number == days - 1:
            noon = _microseconds(day) + 12 * 3_600_000_000
            rows = [row for row in rows if row["event_timestamp"] < noon]
            suffix = f"intraday_{suffix}"
        for row in rows:
            _count(truth, known_visitors, row)
        rows += [_broken(number, day) for number in range(malformed)]
        truth.malformed_count += malformed
        file = path / f"events_{suffix}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
        truth.files.append(file)
    truth.visitor_count = len(known_visitors)
    return truth


def _without(item: pa.Field, prefix: str, omit: set[str]) -> pa.Field | None:
    """Drop a field, or fields below it, that are to be left out."""
    path = prefix + item.name
    if path in omit:
        return None
    if pa.types.is_struct(item.type):
        kept = [f for child in item.type if (f := _without(child, f"{path}.", omit))]
        return pa.field(item.name, pa.struct(kept))
    return item


def _microseconds(day: datetime.date) -> int:
    midnight = datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC)
    return int(midnight.timestamp()) * 1_000_000


def _count(truth: Ga4Truth, known_visitors: set[str], row: dict[str, Any]) -> None:
    truth.event_count += 1
    name = row["event_name"]
    truth.events_by_name[name] = truth.events_by_name.get(name, 0) + 1
    if row["user_pseudo_id"] is None:
        truth.consentless_count += 1
    else:
        known_visitors.add(row["user_pseudo_id"])
    if name == "purchase":
        truth.order_ids.add(row["ecommerce"]["transaction_id"])
        truth.revenue += Decimal(str(row["ecommerce"]["purchase_revenue"]))


def _broken(number: int, day: datetime.date) -> dict[str, Any]:
    """Make a row that breaks the contract, each in one of three ways."""
    noon = _microseconds(day) + 12 * 3_600_000_000
    return {
        "event_date": f"{day:%Y%m%d}",
        "event_name": None if number % 3 == 0 else "page_view",
        "event_timestamp": (noon + number, None, number)[number % 3],
        "event_params": [],
        "user_pseudo_id": f"broken.{number}",
    }


def _visit(
    rng: np.random.Generator, day: datetime.date, day_number: int, number: int, visitors: int
) -> list[dict[str, Any]]:
    """Make the events of one visitor on one day: some pages, perhaps a purchase."""
    # Half of the visitors of a day come back on the next one.
    identity = number + (day_number * visitors) // 2
    has_consent = identity % 8 != 5
    source, medium, campaign, click = _ARRIVALS[int(rng.integers(len(_ARRIVALS)))]
    category, system, browser = _DEVICES[identity % len(_DEVICES)]
    session = int(rng.integers(10**9, 2 * 10**9))
    # Batches are sent seconds apart; the events of a batch share its time.
    batch_time = _microseconds(day) + int(rng.integers(0, 86_000)) * 1_000_000
    steps = ["session_start", "page_view", "view_search_results", "view_item"]
    if rng.random() < 0.5:
        steps += ["add_to_cart", "begin_checkout"]
        if rng.random() < 0.6:
            steps.append("purchase")
    click_value = f"click{session}" if click else None
    rows = []
    for index, name in enumerate(steps):
        # Two events a batch.
        sent_at = batch_time + (index // 2) * 7_000_000
        items = _items(rng) if name not in ("session_start", "page_view") else []
        value = round(sum(item["price"] * item["quantity"] for item in items), 2)
        order_id = f"T{day:%Y%m%d}{number:05d}" if name == "purchase" else None
        page = f"https://shop.example/{name.replace('_', '-')}?step={index}"
        params = [
            _param("ga_session_id", session),
            _param("page_location", page),
            _param("event_time_msec", sent_at // 1000 - 1500 * (1 - index % 2)),
        ]
        if name == "view_search_results":
            # Looks like a number, so Google stores it as one.
            params.append(_param("search_term", 4711))
        if items and name != "view_search_results":
            params += [_param("currency", "EUR"), _param("value", value)]
        rows.append(
            {
                "event_date": f"{day:%Y%m%d}",
                "event_timestamp": sent_at,
                "event_name": name,
                "event_params": params,
                "event_bundle_sequence_id": session % 100_000 + index // 2,
                "event_server_timestamp_offset": int(rng.integers(0, 900_000)),
                "user_id": f"C{identity}" if has_consent and index >= 4 else None,
                "user_pseudo_id": f"{1000 + identity}.{77}" if has_consent else None,
                "privacy_info": {
                    "analytics_storage": "Yes" if has_consent else "No",
                    "ads_storage": "Yes" if has_consent else "No",
                    "uses_transient_token": "No",
                },
                "user_properties": [],
                "device": {
                    "category": category,
                    "operating_system": system,
                    "web_info": {"browser": browser},
                },
                "geo": {"country": _COUNTRIES[identity % len(_COUNTRIES)]},
                "traffic_source": {"source": "(direct)", "medium": "(none)"},
                "stream_id": "1234567",
                "platform": "WEB",
                "ecommerce": {
                    "transaction_id": order_id or "(not set)",
                    "purchase_revenue": value if order_id else None,
                },
                "items": items,
                "collected_traffic_source": {
                    "manual_source": source if index == 0 else None,
                    "manual_medium": medium if index == 0 else None,
                    "manual_campaign_name": campaign if index == 0 else None,
                    "gclid": click_value if click == "gclid" and index == 0 else None,
                    "srsltid": click_value if click == "srsltid" and index == 0 else None,
                },
                "is_active_user": True,
                "batch_event_index": index % 2 + 1,
                "batch_page_id": batch_time // 1000,
                "batch_ordering_id": index // 2 + 1,
            }
        )
    return rows


def _items(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Make one to three items."""
    return [
        {
            "item_id": f"P{int(rng.integers(1, 50)):03d}",
            "item_name": "Thing",
            "price": float(rng.integers(100, 9_000)) / 100,
            "quantity": int(rng.integers(1, 4)),
        }
        for _ in range(int(rng.integers(1, 4)))
    ]


def _param(key: str, value: str | int | float) -> dict[str, Any]:
    """Store a value in the field of its type, as the export does."""
    kind = {str: "string_value", int: "int_value", float: "double_value"}[type(value)]
    return {"key": key, "value": {kind: value}}
