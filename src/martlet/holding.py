"""Whether a model is kept although its rows have changed: `retrain_after_days`.

Without the option a model is fitted again whenever something has changed. With it new rows alone
wait until the latest fit is so many days old, by the clock or by the as-of date. What makes it
another model fits at once: another query, other columns, options or another version of the
package. So does what makes it another data set: a tenth more or fewer rows, or an as-of date that
goes back, as a model must not predict a past that it has learned from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb

from martlet.options import Options
from martlet.sqltext import identifier

__all__ = ["changed_parts", "extent", "holding_reason"]

#: A larger change of the number of rows does not wait.
_LITTLE = 0.1


def changed_parts(before: str, now: str) -> list[str]:
    """Return the names of the parts in which two fingerprints differ."""
    old = dict(part.split(":", 1) for part in before.split("/"))
    new = dict(part.split(":", 1) for part in now.split("/"))
    return [name for name, value in new.items() if old.get(name) != value]


def extent(con: duckdb.DuckDBPyConnection, query: str, options: Options) -> dict[str, Any]:
    """Return how many rows there are, and their latest as-of date where there is one.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the rows are.
    query : str
        What to read them from.
    options : Options
        With ``as_of_col``.

    Returns
    -------
    dict
        ``rows`` and ``as_of`` (``YYYY-MM-DD HH:MM:SS`` or None).
    """
    latest = "null"
    if options.get("as_of_col"):
        latest = f"max({identifier(options['as_of_col'])})"
    counted = f"select count(*) as n, {latest} as latest from ({query})"
    dated = str(con.query(counted).types[1]).startswith(("DATE", "TIMESTAMP"))
    shown = "strftime(cast(latest as timestamp), '%Y-%m-%d %H:%M:%S')" if dated else "null"
    rows, as_of = con.execute(f"select n, {shown} from ({counted})").fetchall()[0]
    return {"rows": int(rows), "as_of": as_of}


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
    if not days or not versions or versions[-1]["status"] == "insufficient_data":
        return None
    last = versions[-1]
    if changed_parts(last["training_fingerprint"], printed) != ["rows"]:
        return None
    learned, current = json.loads(last["split"])["extent"], extent(con, query, options)
    if abs(current["rows"] - learned["rows"]) > _LITTLE * learned["rows"]:
        return None
    ages = [now - last["trained_at"]]
    if learned["as_of"] and current["as_of"]:
        as_of, before = (datetime.fromisoformat(each["as_of"]) for each in (current, learned))
        ages.append(as_of - before)
    if min(ages) < timedelta(0) or max(ages) >= timedelta(days=days):
        return None
    return f"rows have changed, but the last fit is {max(ages).days} of {days:g} days old"
