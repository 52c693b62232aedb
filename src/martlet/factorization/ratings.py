"""The ratings of one fit, as codes of users and items with one value a pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from martlet.errors import MartletError
from martlet.sqltext import identifier

__all__ = ["RatingColumns", "Ratings", "load_ratings"]

_IDS = {
    "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger",
    "ubigint", "uhugeint", "decimal", "float", "double", "varchar", "uuid", "date", "enum",
    "boolean",
}  # fmt: skip
_NUMBERS = {
    "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger",
    "ubigint", "uhugeint", "decimal", "float", "double", "boolean",
}  # fmt: skip


@dataclass(frozen=True)
class RatingColumns:
    """The columns of a rating and their DuckDB types."""

    user: str
    item: str
    rating: str
    user_type: str = "varchar"
    item_type: str = "varchar"

    def query(self, source: str) -> str:
        """Return SQL of `source` as ``u``, ``i`` (text) and ``r`` (number), incomplete rows out."""
        user, item, rating = map(identifier, (self.user, self.item, self.rating))
        return (
            f"select cast({user} as varchar) as u, cast({item} as varchar) as i, "
            f"cast({rating} as double) as r from {source} where {user} is not null "
            f"and {item} is not null and isfinite(cast({rating} as double))"
        )


@dataclass(frozen=True)
class Ratings:
    """One value for each pair of user and item.

    Attributes
    ----------
    users, items
        Ids as text, ascending.
    user, item
        Place in ``users`` and ``items``, one a pair, ascending.
    value
        The rating: the mean of repeated pairs, or their sum for implicit feedback.
    incomplete, repeated, empty
        Rows left out for a missing id or rating, rows put together with another of their pair,
        and pairs of implicit feedback with a rating of 0, which say nothing.
    """

    users: list[str]
    items: list[str]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    value: NDArray[np.float64]
    incomplete: int = 0
    repeated: int = 0
    empty: int = 0


def read_types(con: duckdb.DuckDBPyConnection, query: str, columns: RatingColumns) -> RatingColumns:
    """Return the columns with their types, refusing what is no id or no number.

    Raises
    ------
    MartletError
        If a column has a type that cannot be used.
    """
    relation = con.query(query)
    kinds = dict(zip(relation.columns, relation.types, strict=True))
    for role, name in (("user_col", columns.user), ("item_col", columns.item)):
        if str(kinds[name].id).lower() not in _IDS:
            raise MartletError(
                f"{role} '{name}' is {kinds[name]}, which is no id: use a number or text."
            )
    if str(kinds[columns.rating].id).lower() not in _NUMBERS:
        raise MartletError(
            f"rating_col '{columns.rating}' is {kinds[columns.rating]}: it must be a number."
        )
    return RatingColumns(
        columns.user, columns.item, columns.rating, str(kinds[columns.user]),
        str(kinds[columns.item]),
    )  # fmt: skip


def load_ratings(
    con: duckdb.DuckDBPyConnection, query: str, columns: RatingColumns, implicit: bool
) -> Ratings:
    """Read the ratings of a query.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the rows are.
    query : str
        Its rows are ratings.
    columns : RatingColumns
        Their columns.
    implicit : bool
        Whether ratings count events: repeated pairs are then added up, and 0 is no event.

    Raises
    ------
    MartletError
        If an implicit rating is negative.
    """
    together = "sum(r)" if implicit else "avg(r)"
    con.execute(
        "create or replace temporary table __martlet_ratings as "
        f"select u, i, {together} as r, min(r) as low, count(*) as n "
        f"from ({columns.query(f'({query})')}) group by u, i"
    )
    pairs, rows, low, empty, given = con.execute(
        "select count(*), coalesce(sum(n), 0), min(low), count(*) filter (where r = 0), "
        f"(select count(*) from ({query})) from __martlet_ratings"
    ).fetchall()[0]
    if implicit and low is not None and low < 0:
        raise MartletError(
            f"{columns.rating} is negative ({low:g}) in a row: implicit feedback counts events, so "
            "it cannot be below 0. Leave such rows out (returns, say), or use feedback_type "
            "'explicit'."
        )
    kept = "r > 0" if implicit else "true"
    names: list[list[str]] = []
    for column in ("u", "i"):
        con.execute(
            f"create or replace temporary table __martlet_rating_{column} as "
            f"select {column} as id, row_number() over (order by {column}) - 1 as place "
            f"from (select distinct {column} from __martlet_ratings where {kept})"
        )
        found = con.execute(f"select id from __martlet_rating_{column} order by place")
        names.append([str(name) for (name,) in found.fetchall()])
    values: dict[str, Any] = con.execute(
        "select u.place as u, i.place as i, r from __martlet_ratings as p "
        "inner join __martlet_rating_u as u on u.id = p.u "
        f"inner join __martlet_rating_i as i on i.id = p.i where {kept} order by 1, 2"
    ).fetchnumpy()
    for table in ("__martlet_ratings", "__martlet_rating_u", "__martlet_rating_i"):
        con.execute(f"drop table {table}")
    return Ratings(
        names[0],
        names[1],
        np.asarray(values["u"], dtype=np.int64),
        np.asarray(values["i"], dtype=np.int64),
        np.asarray(values["r"], dtype=np.float64),
        incomplete=int(given) - int(rows),
        repeated=int(rows) - int(pairs),
        empty=int(empty) if implicit else 0,
    )
