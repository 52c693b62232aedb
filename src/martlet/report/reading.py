"""Reading marts for people: texts are cut and cleaned, addresses never shown."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb

__all__ = ["Marts", "clean"]

#: Longest text of a cell; longer ones are cut.
LONGEST = 280

# Control characters (NUL breaks XML), marks that turn the direction of what follows, and
# non-characters; an attacker's name must not reorder the sentence it stands in.
_UNSEEN = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]+"
)
_EMAIL = re.compile(r"[^\s@<>\"'(),;:]{1,64}@[^\s@<>\"'(),;:]{1,255}")
_ADDRESS = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?(?![\w.]*\d)"
    r"|(?<![\w:])(?=[0-9a-fA-F:]*[0-9a-fA-F])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}(?:/\d{1,3})?(?![\w:])"
)


def clean(text: str) -> str:
    """Cut a text and take out what must not be shown.

    Parameters
    ----------
    text : str
        Anything a shop's systems may hold.

    Returns
    -------
    str
        One line of at most 281 characters without control characters, e-mail or IP addresses.
    """
    head = _UNSEEN.sub(" ", text[: LONGEST + 320])
    head = _ADDRESS.sub("[address]", _EMAIL.sub("[e-mail]", head))
    return head if len(head) <= LONGEST else head[:LONGEST].rstrip() + "…"


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    return float(value) if isinstance(value, Decimal) else value


class Marts:
    """The marts of a built database, and what all sections need to know.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Of the built database; it is only read.

    Attributes
    ----------
    currency
        Reporting currency, None where no order tells it.
    as_of_date
        The day everything is told as of.
    built_at
        Start of the build (UTC), None when no prediction tells it.
    yearly_revenue
        Net revenue of the last 365 days, at least 1: what stakes are shares of.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._columns: dict[str, set[str]] = {}
        for name, column in con.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = 'marts'"
        ).fetchall():
            self._columns.setdefault(name, set()).add(column)
        self.currency: str | None = self._one(
            "fct_orders",
            "select mode(currency_code) from marts.fct_orders "
            "where exchange_rate = 1 and regexp_full_match(currency_code, '[A-Z]{3}')",
        )
        self.as_of_date: date = self._as_of_date()
        self.built_at: datetime | None = self._built_at()
        self.yearly_revenue: float = self._yearly_revenue()

    def rows(self, mart: str, query: str, parameters: Any = None) -> list[dict[str, Any]] | None:
        """Return the rows of a query, None when the mart it reads is not there.

        Parameters
        ----------
        mart : str
            Name of the mart, without the schema.
        query : str
            The query. Decimals come back as floats, texts cut and cleaned.
        parameters : list, optional
            Of the query.
        """
        if mart not in self._columns:
            return None
        found = self._con.execute(query, parameters)
        names = [item[0] for item in found.description or ()]
        return [
            {name: _plain(value) for name, value in zip(names, row, strict=True)}
            for row in found.fetchall()
        ]

    def money(self, value: float) -> str:
        """Return an amount in the shop's currency."""
        from martlet.report.words import money

        return money(value, self.currency)

    @property
    def unit(self) -> str:
        """Currency for the title of an axis."""
        return self.currency or "shop's currency"

    def _one(self, mart: str, query: str) -> Any:
        if mart not in self._columns:
            return None
        return self._con.execute(query).fetchall()[0][0]

    def _as_of_date(self) -> date:
        found: list[date | None] = [
            self._one(mart, f"select max(as_of_date) from marts.{mart}")
            for mart in ("fct_customer_rfm", "dim_ml_models")
            if "as_of_date" in self._columns.get(mart, ())
        ]
        known = [value for value in found if value is not None]
        if known:
            return max(known)
        last: date | None = self._one("fct_orders", "select max(order_date) from marts.fct_orders")
        return last + timedelta(days=1) if last else date.today()

    def _built_at(self) -> datetime | None:
        found = [
            self._one(mart, f"select max(predicted_at) from marts.{mart}")
            for mart, columns in sorted(self._columns.items())
            if "predicted_at" in columns
        ]
        found.append(self._one("dim_ml_models", "select max(trained_at) from marts.dim_ml_models"))
        return max((value for value in found if value is not None), default=None)

    def _yearly_revenue(self) -> float:
        if "fct_orders" not in self._columns:
            return 1.0
        revenue = self._con.execute(
            "select sum(net_revenue_amount) from marts.fct_orders "
            "where is_revenue_order and order_date >= ?",
            [self.as_of_date - timedelta(days=365)],
        ).fetchall()[0][0]
        return max(float(revenue or 0), 1.0)
