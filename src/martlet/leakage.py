"""The leakage guard: with an as-of column, no date in the training rows may be later than it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from martlet.errors import MartletError
from martlet.schema import find_column
from martlet.sqltext import identifier

__all__ = ["refuse_later_columns"]


def _is_moment(kind: Any) -> bool:
    return str(kind) == "DATE" or str(kind).startswith("TIMESTAMP")


def refuse_later_columns(
    con: duckdb.DuckDBPyConnection,
    table: str,
    as_of: str,
    columns: Sequence[tuple[str, Any]],
    exempt: Iterable[str],
) -> None:
    """Refuse rows that know something from after their as-of date.

    Dates and timestamps are compared as they stand, in every column, a feature or only carried
    along: a count cannot be dated, but the latest moment it knows of can stand beside it.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the rows are.
    table : str
        The prepared rows.
    as_of : str
        Name of the as-of column; when it holds no dates (a number of a period, say) nothing is
        checked.
    columns : sequence of (str, DuckDBPyType)
        The raw columns.
    exempt : iterable of str
        Columns that may be later: label and split column.

    Raises
    ------
    MartletError
        If a column is later in any row.
    """
    kinds = dict(columns)
    anchor = find_column(as_of, list(kinds), "as_of_col")
    free = {name.lower() for name in (anchor, *exempt)}
    dated = [n for n, kind in columns if _is_moment(kind) and n.lower() not in free]
    if not dated or not _is_moment(kinds[anchor]):
        return
    moment = f"cast({identifier(anchor)} as timestamp)"
    counts = ", ".join(
        f"count(*) filter (where cast({identifier(name)} as timestamp) > {moment})"
        for name in dated
    )
    found = con.execute(f"select count(*), {counts} from {table}").fetchall()[0]
    for name, later in zip(dated, found[1:], strict=True):
        if later:
            raise MartletError(
                f"Column '{name}' is later than '{anchor}' (as_of_col) in {later:,} of "
                f"{found[0]:,} rows: what is known only afterwards must not be learned from. "
                "Compute the features as of that date, or leave the column out."
            )
