"""Numbers, amounts and dates as people write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

__all__ = [
    "NAME",
    "change",
    "count",
    "day",
    "listed",
    "money",
    "month",
    "number",
    "plural",
    "share",
    "short",
    "show",
]

#: Longest name within a sentence.
NAME = 60

_SIGNS = {
    "EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥", "INR": "₹", "KRW": "₩", "ILS": "₪", "UAH": "₴",
}  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def count(value: float) -> str:
    """Return a whole number with separators: 12,345."""
    return f"{round(value):,}"


def plural(value: float, noun: str, many: str | None = None) -> str:
    """Return ``1 order`` or ``2 orders``."""
    return f"{count(value)} {noun if round(value) == 1 else many or noun + 's'}"


def number(value: float) -> str:
    """Return a number with three digits that count, or whole from a thousand on."""
    if value != value:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def share(value: float) -> str:
    """Return a share as per cent; with one place below a tenth."""
    if 0 < abs(value) < 0.0005:
        return "<0.1%"
    return f"{value:.1%}" if 0 < abs(value) < 0.1 else f"{value:.0%}"


def change(value: float) -> str:
    """Return a change as per cent with its sign."""
    sign = "+" if value > 0 else "\N{MINUS SIGN}" if value < 0 else ""
    return sign + share(abs(value))


def money(value: float, currency: str | None) -> str:
    """Return an amount: cents only below a hundred.

    Parameters
    ----------
    value : float
        Amount.
    currency : str or None
        ISO 4217 code; None writes the bare number.
    """
    amount = f"{abs(value):,.0f}" if abs(value) >= 100 else f"{abs(value):,.2f}"
    minus = "\N{MINUS SIGN}" if value < 0 and amount.strip("0.,") else ""
    sign = _SIGNS.get(currency or "", f"{currency} " if currency else "")
    return f"{minus}{sign}{amount}"


def day(value: date) -> str:
    """Return ``2 July 2026``."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def month(value: date) -> str:
    """Return ``July 2026``."""
    return f"{_MONTHS[value.month - 1]} {value.year}"


def listed(texts: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def short(text: str, length: int) -> str:
    """Cut a text for a label."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def show(value: Any, kind: str, currency: str | None) -> str:
    """Return a value of a table's column as text; a dash when there is none."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, int | float | Decimal):
        amount = float(value)
        if kind == "money":
            return money(amount, currency)
        return {"count": count, "share": share, "change": change}.get(kind, number)(amount)
    return str(value)
