"""Which defects each raw table gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from martlet.simulate.mess import Mess
from martlet.simulate.text import join, times

__all__ = ["IMPOSSIBLE_DATES", "add_mess"]

IMPOSSIBLE_DATES = (
    "2025-02-31T10:00:00Z",
    "1970-01-01T00:00:00Z",
    "2099-12-31T23:59:59Z",
    "not a date",
)


def add_mess(
    name: str, table: pa.Table, rng: np.random.Generator, chunk: int, earlier: Any = None
) -> tuple[pa.Table, list[pa.Table]]:
    """Make a mess of a raw table.

    Parameters
    ----------
    earlier
        Texts of an earlier ``updated_at`` of every row, for rows exported once before.

    Returns
    -------
    tuple
        The raw table and the records of every row that was added.
    """
    keys = {
        "products": "product_id",
        "events": "event_id",
        "page_requests": "request_id",
        "customers": "customer_id",
        "orders": "order_id",
        "order_lines": "line_id",
        "refunds": "refund_id",
        "payments": "payment_id",
        "email_events": "event_id",
        "stock": "product_id",
        "competitor_prices": "product_id",
        "experiment_exposures": "experiment",
    }
    mess = Mess(
        name, table, keys.get(name, "message_id"), rng, 2 if chunk == 0 else 0, chunk, earlier
    )
    if len(table):
        _DIRT[name](mess)
        # Whole rows delivered twice, last so that nothing above copies a copy.
        if name not in ("events", "page_requests"):
            mess.add("repeated_row", "duplicate_row", 0.003, new_key=False)
    return mess.finished(), mess.records


def _blanks(values: Any) -> Any:
    """Put blanks around."""
    return join(" ", values, "  ")


def _customers(mess: Mess) -> None:
    mess.restyle("email", 0.04, pc.utf8_upper)
    mess.restyle("email", 0.02, _blanks)
    mess.restyle("country", 0.05, pc.utf8_lower)
    mess.restyle("city", 0.02, lambda v: join(v, " "))
    mess.restyle("accepts_marketing", 0.1, pc.utf8_capitalize)
    mess.add(
        "outdated_row",
        "superseded_row",
        0.02,
        {"updated_at": "", "city": "Unknown"},
        new_key=False,
        near=False,
    )
    mess.add("no_key", "missing_key", 0.001, {"customer_id": ""})
    mess.add("impossible_date", "impossible_date", 0.001, {"created_at": IMPOSSIBLE_DATES})


def _products(mess: Mess) -> None:
    mess.restyle("title", 0.05, _blanks)
    mess.restyle("category", 0.05, pc.utf8_lower)
    mess.restyle("currency", 0.05, pc.utf8_lower)
    mess.restyle("status", 0.1, pc.utf8_upper)
    mess.add("no_key", "missing_key", 0.0, {"product_id": ""})
    mess.add("negative_price", "negative_price", 0.0, {"list_price": "-19.90"})
    mess.add("text_for_number", "not_a_number", 0.0, {"list_price": "on request"})
    mess.add("unknown_currency", "unknown_currency", 0.0, {"currency": "XXX"})


def _orders(mess: Mess) -> None:
    mess.restyle("email", 0.03, pc.utf8_capitalize)
    mess.restyle("status", 0.06, pc.utf8_upper)
    mess.restyle("status", 0.04, pc.utf8_capitalize)
    mess.restyle("currency", 0.05, pc.utf8_lower)
    mess.restyle("shipping_country", 0.04, pc.utf8_lower)
    mess.restyle("coupon_code", 0.02, pc.utf8_lower)
    completed = pc.equal(pc.utf8_lower(mess.table["status"]), "completed").to_numpy()
    mess.add(
        "outdated_row",
        "superseded_row",
        0.02,
        {"updated_at": "", "status": "pending"},
        new_key=False,
        near=False,
        only=completed,
    )
    mess.add("no_key", "missing_key", 0.0006, {"order_id": ""})
    mess.add("impossible_date", "impossible_date", 0.0008, {"created_at": IMPOSSIBLE_DATES})
    mess.add("unknown_currency", "unknown_currency", 0.0006, {"currency": "XXX"})
    mess.add("text_for_number", "not_a_number", 0.0006, {"total": "see invoice"})
    mess.add("negative_price", "negative_price", 0.0004, {"subtotal": "-35.00"})


def _order_lines(mess: Mess) -> None:
    mess.restyle("product_id", 0.01, _blanks)
    mess.restyle("quantity", 0.02, lambda v: join(v, ".0"))
    mess.add(
        "outdated_row",
        "superseded_row",
        0.006,
        {"updated_at": "", "quantity": "7"},
        new_key=False,
        near=False,
    )
    mess.add("no_key", "missing_key", 0.0003, {"line_id": ""})
    mess.add("negative_price", "negative_price", 0.0003, {"unit_price": "-9.90"})
    mess.add("text_for_number", "not_a_number", 0.0003, {"quantity": "two"})
    mess.add("unknown_product", "unknown_product", 0.0003, {"product_id": "P999"})
    mess.add("unknown_order", "unknown_order", 0.0003, {"order_id": "OX99999"})


def _refunds(mess: Mess) -> None:
    mess.restyle("reason", 0.05, pc.utf8_upper)
    mess.restyle("currency", 0.04, pc.utf8_lower)
    mess.add("impossible_date", "impossible_date", 0.001, {"created_at": IMPOSSIBLE_DATES})
    mess.add("unknown_order", "unknown_order", 0.002, {"order_id": "OX99998"})
    mess.add("text_for_number", "not_a_number", 0.001, {"amount": "all"})


def _payments(mess: Mess) -> None:
    mess.restyle("status", 0.05, pc.utf8_capitalize)
    mess.restyle("method", 0.03, pc.utf8_upper)
    mess.add("unknown_order", "unknown_order", 0.0005, {"order_id": "OX99997"})
    mess.add("unknown_currency", "unknown_currency", 0.0005, {"currency": "XXX"})
    mess.add("impossible_date", "impossible_date", 0.0005, {"created_at": IMPOSSIBLE_DATES})


def _events(mess: Mess) -> None:
    mess.restyle("event", 0.01, pc.utf8_capitalize)
    mess.restyle("currency", 0.02, pc.utf8_lower)
    mess.restyle("country", 0.02, pc.utf8_lower)
    mess.add("no_key", "missing_key", 0.0002, {"event_id": ""})
    mess.add("impossible_date", "impossible_date", 0.0004, {"event_time": IMPOSSIBLE_DATES})
    mess.add("text_for_number", "not_a_number", 0.0002, {"value": "NaN-EUR"})
    arrival = mess.table["received_time"]
    day = pc.cast(pc.utf8_slice_codeunits(arrival, 0, 10), pa.date32())
    last = pc.max(day)
    early = pc.less(day, pc.subtract(last, pa.scalar(10 * 86400, pa.duration("s"))))
    mess.add(
        "replayed_row",
        "",
        0.004,
        {"load_id": _later},
        new_key=False,
        only=early.to_numpy(),
    )


def _later(loads: Any) -> Any:
    """Return loads one to nine days later."""
    day = np.asarray(loads.to_pylist(), dtype="datetime64[D]").astype(np.int64)
    seconds = (day + 1 + np.arange(len(day)) % 9) * 86_400
    return pc.utf8_slice_codeunits(times(seconds), 0, 10)


def _page_requests(mess: Mess) -> None:
    mess.restyle("method", 0.005, pc.utf8_lower)
    mess.add("no_key", "missing_key", 0.0002, {"request_id": ""})
    mess.add("impossible_date", "impossible_date", 0.0002, {"time": IMPOSSIBLE_DATES})
    mess.add("text_for_number", "not_a_number", 0.0002, {"status": "OK"})


def _emails_sent(mess: Mess) -> None:
    mess.restyle("subject", 0.01, _blanks)
    mess.add("impossible_date", "impossible_date", 0.0003, {"sent_at": IMPOSSIBLE_DATES})


def _email_events(mess: Mess) -> None:
    mess.restyle("type", 0.03, pc.utf8_upper)
    mess.add("no_key", "missing_key", 0.0003, {"event_id": ""})
    mess.add("impossible_date", "impossible_date", 0.0003, {"time": IMPOSSIBLE_DATES})


def _support_messages(mess: Mess) -> None:
    mess.restyle("body", 0.05, _blanks)
    mess.restyle("channel", 0.05, pc.utf8_upper)
    mess.add("no_key", "missing_key", 0.001, {"message_id": ""})


def _stock(mess: Mess) -> None:
    mess.add("text_for_number", "not_a_number", 0.0003, {"on_hand": "n/a"}, new_key=False)
    mess.add("unknown_product", "unknown_product", 0.0003, {"product_id": "P998"})


def _competitor_prices(mess: Mess) -> None:
    mess.restyle("in_stock", 0.05, pc.utf8_capitalize)
    mess.add("text_for_number", "not_a_number", 0.0005, {"price": "ask"}, new_key=False)
    mess.add("negative_price", "negative_price", 0.0005, {"price": "-1.00"}, new_key=False)


def _experiment_exposures(mess: Mess) -> None:
    mess.restyle("variant", 0.02, pc.utf8_capitalize)
    mess.add("no_key", "missing_key", 0.0005, {"experiment": ""})


_DIRT: dict[str, Callable[[Mess], None]] = {
    "customers": _customers,
    "products": _products,
    "orders": _orders,
    "order_lines": _order_lines,
    "refunds": _refunds,
    "payments": _payments,
    "events": _events,
    "page_requests": _page_requests,
    "emails_sent": _emails_sent,
    "email_events": _email_events,
    "support_messages": _support_messages,
    "stock": _stock,
    "competitor_prices": _competitor_prices,
    "experiment_exposures": _experiment_exposures,
}
