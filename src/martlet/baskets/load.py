"""Baskets as a table of small whole numbers, ready to be counted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import duckdb

from martlet.errors import MartletError
from martlet.sqltext import identifier

__all__ = ["BasketColumns", "Baskets", "least_count", "load_baskets"]

#: Names of the temporary tables begin so.
_TABLES = "__martlet_baskets"


@dataclass(frozen=True)
class BasketColumns:
    """Which column of the rows means what.

    Attributes
    ----------
    basket, item
        The basket (order, receipt, session) and what lies in it.
    time
        When the basket was made; the same for all its rows. Without it baskets have no order.
    amount, margin
        Money the row brought.
    """

    basket: str
    item: str
    time: str | None = None
    amount: str | None = None
    margin: str | None = None


@dataclass(frozen=True)
class Baskets:
    """Loaded baskets.

    Attributes
    ----------
    con
        The connection that holds the temporary tables.
    columns
        What was given.
    baskets
        How many baskets count: those that are not skipped.
    skipped
        Baskets with more items than the limit.
    incomplete, repeated
        Rows without basket or item (left out), and rows that repeat an item of their basket (put
        together).
    boundary
        Baskets above this number are recent, the others earlier; they are numbered by time.
    """

    con: duckdb.DuckDBPyConnection
    columns: BasketColumns
    baskets: int
    skipped: int
    incomplete: int
    repeated: int
    boundary: int

    @staticmethod
    def table(name: str) -> str:
        """Name a temporary table: ``lines`` (tid, item, amount, margin), ``all_items`` (item,
        name, n, n_recent, first_tid, last_tid), ``times`` (tid, basket_at)."""  # noqa: D205, D209
        return f'"{_TABLES}_{name}"'

    def run(self, query: str) -> duckdb.DuckDBPyConnection:
        """Run a statement; ``{name}`` stands for the temporary table of that name."""
        return self.con.execute(query)

    def number(self, query: str) -> int:
        """Return the one whole number a query gives."""
        return int(self.con.execute(query).fetchall()[0][0])

    def drop(self) -> None:
        """Drop the temporary tables."""
        found = self.con.execute(
            "select table_name from duckdb_tables() where temporary and starts_with(table_name, ?)",
            [_TABLES],
        ).fetchall()
        for (name,) in found:
            self.con.execute(f"drop table temp.{identifier(name)}")


def least_count(min_support: float, baskets: int) -> int:
    """Return the count that a share of the baskets asks for, at least 1.

    A share is compared in counts: 0.001 of 9,835 baskets is 10 baskets. What floating point adds
    to a product that is whole does not count.

    Examples
    --------
    >>> least_count(0.001, 9835), least_count(0.1, 10)
    (10, 1)
    """
    return max(1, math.ceil(min_support * baskets - 1e-9))


def load_baskets(
    con: duckdb.DuckDBPyConnection,
    query: str,
    columns: BasketColumns,
    max_basket_size: int,
    recent_days: int | None = None,
) -> Baskets:
    """Read baskets into temporary tables.

    Rows without a basket or an item are left out; rows that repeat an item are put together and
    their money added; a basket with more items than the limit is skipped.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the rows are.
    query : str
        A query of the rows.
    columns : BasketColumns
        Its columns.
    max_basket_size : int
        Most different items a basket may have.
    recent_days : int, optional
        Baskets of so many days before the last one are recent; by default the later half.

    Returns
    -------
    Baskets
        Numbered by time, then by their id.
    """
    names = {
        "basket": identifier(columns.basket),
        "item": f"cast({identifier(columns.item)} as varchar)",
    }
    for field in ("time", "amount", "margin"):
        name = getattr(columns, field)
        names[field] = identifier(name) if name else "null"
    given = Baskets(con, columns, 0, 0, 0, 0, 0)
    cells, sizes = given.table("cells"), given.table("sizes")
    times, lines, items = given.table("times"), given.table("lines"), given.table("all_items")
    con.execute(
        f"create or replace temp table {cells} as select {names['basket']} as basket, "
        f"{names['item']} as item, cast(min({names['time']}) as timestamp) as basket_at, "
        f"cast(sum({names['amount']}) as double) as amount, "
        f"cast(sum({names['margin']}) as double) as margin, count(*) as n from ({query}) "
        f"where {names['basket']} is not null and {names['item']} is not null group by 1, 2"
    )
    rows = given.number(f"select count(*) from ({query})")
    told, kept = con.execute(f"select coalesce(sum(n), 0), count(*) from {cells}").fetchall()[0]
    con.execute(
        f"create or replace temp table {sizes} as select basket, count(*) as size, "
        f"min(basket_at) as basket_at from {cells} group by basket"
    )
    skipped = given.number(f"select count(*) from {sizes} where size > {max_basket_size}")
    con.execute(
        f"create or replace temp table {times} as select basket, basket_at, "
        "cast(row_number() over (order by basket_at, basket) as integer) as tid "
        f"from {sizes} where size <= {max_basket_size}"
    )
    baskets = given.number(f"select count(*) from {times}")
    boundary = _boundary(given, baskets, recent_days)
    con.execute(
        f"create or replace temp table {items} as select "
        "cast(row_number() over (order by n, item) as integer) as item, item as name, "
        "n, n_recent, first_tid, last_tid from ("
        f"select cells.item, count(*) as n, count(*) filter (tid > {boundary}) as n_recent, "
        f"min(tid) as first_tid, max(tid) as last_tid from {cells} as cells "
        f"inner join {times} using (basket) group by cells.item)"
    )
    con.execute(
        f"create or replace temp table {lines} as select times.tid, items.item, cells.amount, "
        f"cells.margin from {cells} as cells inner join {times} as times using (basket) "
        f"inner join {items} as items on cells.item = items.name order by times.tid, items.item"
    )
    con.execute(f"drop table {cells}")
    con.execute(f"drop table {sizes}")
    return Baskets(
        con, columns, baskets, skipped, rows - int(told), int(told) - int(kept), boundary
    )


def _boundary(given: Baskets, baskets: int, recent_days: int | None) -> int:
    """Return the number of the last basket that is not recent."""
    times = given.table("times")
    if given.columns.time is None:
        return baskets
    if recent_days is None:
        # Baskets of one moment stay on one side.
        return given.number(
            f"select coalesce(max(tid), 0) from {times} where basket_at < "
            f"(select basket_at from {times} where tid = {baskets // 2 + 1})"
        )
    if recent_days < 1:
        raise MartletError("recent_days must be at least 1.")
    return given.number(
        f"select coalesce(max(tid), 0) from {times} where basket_at <= "
        f"(select max(basket_at) from {times}) - to_days({int(recent_days)})"
    )
