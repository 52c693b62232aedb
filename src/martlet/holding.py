"""Whether a model is kept although its rows have changed: `retrain_after_days`.

Without the option a model is fitted again whenever something has changed. With it new rows alone
wait until the latest fit is so many days old; another query, other columns, options or another
version of the package still fit at once, and so does an as-of date that goes back: a model must
not predict a past that it has learned from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb

from martlet.options import Options
from martlet.sqltext import identifier

__all__ = ["changed_parts", "holding_reason", "latest_as_of"]


def changed_parts(before: str, now: str) -> list[str]:
    """Return the names of the parts in which two fingerprints differ."""
    old = dict(part.split(":", 1) for part in before.split("/"))
    new = dict(part.split(":", 1) for part in now.split("/"))
    return [name for name, value in new.items() if old.get(name) != value]


def latest_as_of(con: duckdb.DuckDBPyConnection, query: str, options: Options) -> str | None:
    """Return the latest as-of date of some rows as text; None where there is none.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the rows are.
    query : str
        What to read them from.
    options : Options
        With ``as_of_col``.
    """
    if not options.get("as_of_col"):
        return None
    column = identifier(options["as_of_col"])
    relation = con.query(f"select max({column}) as latest from ({query})")
    if not str(relation.types[0]).startswith(("DATE", "TIMESTAMP")):
        return None
    found = con.execute(
        f"select strftime(cast(max({column}) as timestamp), '%Y-%m-%d %H:%M:%S') from ({query})"
    ).fetchall()[0][0]
    return None if found is None else str(found)


def holding_reason(
    con: duckdb.DuckDBPyConnection,
    query: str,
    versions: Sequence[Mapping[str, Any]],
    printed: str,
    options: Options,
    now: datetime,
) -> str | None:
    """Say why the champion is kept although rows have changed; None when it is time to fit.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the rows are.
    query : str
        The training query.
    versions : sequence of mapping
        All versions of the model, oldest first.
    printed : str
        Fingerprint of the rows, query, options and package as they are now.
    options : Options
        With ``retrain_after_days`` and ``as_of_col``.
    now : datetime
        The moment (UTC, without a zone).
    """
    days = options.get("retrain_after_days")
    if not days or not versions:
        return None
    last = versions[-1]
    age = now - last["trained_at"]
    if last["status"] == "insufficient_data" or not timedelta(0) <= age < timedelta(days=days):
        return None
    if changed_parts(last["training_fingerprint"], printed) != ["rows"]:
        return None
    learned, current = json.loads(last["split"]).get("as_of"), latest_as_of(con, query, options)
    if learned is not None and (current is None or current < learned):
        return None
    return f"rows have changed, but the last fit is {age.days} of {days:g} days old"
