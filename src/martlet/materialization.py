"""The Python half of the `model` materialization.

dbt runs `run` in its own process, on the connection and inside the transaction of the build. What
is to be said is left in a session variable that the Jinja half reads: sentences for the log,
warnings, and the error, so that the user sees one sentence and not a traceback.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import duckdb

from martlet.errors import MartletError
from martlet.fit import ModelSpec, fit_model
from martlet.python_model import ModelRequest
from martlet.sqltext import render, text
from martlet.store import ModelStore

__all__ = ["VARIABLE", "make_shared", "run"]

#: The session variable with the outcome, as JSON.
VARIABLE = "martlet_outcome"

_ONE_AT_A_TIME = threading.Lock()


def run(
    con: duckdb.DuckDBPyConnection, payload: str, python_model: Callable[[], Any] | None = None
) -> None:
    """Make one model.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        The build's connection, with an open transaction.
    payload : str
        JSON from the materialization: name, schema, database, sql, ml_config, full_refresh,
        retrain_after_days (from ``meta``, for models whose ``ml_config`` does not say).
    python_model : callable, optional
        Runs the user's Python model and returns what it returned.
    """
    given = json.loads(payload)
    try:
        request = _request(python_model) if python_model else None
        spec = ModelSpec(
            name=given["name"],
            schema=given["schema"],
            database=given["database"],
            sql=_query(con, request.rows, given["name"]) if request else _one_query(given["sql"]),
            ml_config=_with_patience(
                (request.ml_config if request else None) or given["ml_config"] or {},
                given.get("retrain_after_days"),
            ),
            full_refresh=bool(given["full_refresh"]),
            estimator=request.estimator if request else None,
        )
        outcome = fit_model(con, spec)
        said: dict[str, Any] = {"log": outcome.log, "warnings": outcome.warnings}
    except (MartletError, duckdb.Error, ValueError, ArithmeticError, MemoryError) as error:
        told = str(error)
        if not isinstance(error, (MartletError, duckdb.Error)):
            # What a library could not do with these rows: its words alone would say too little.
            told = f"Fitting '{given['name']}' failed with {type(error).__name__}: {error}"
        # A failed statement may have ended the transaction: leave a fresh one for dbt to roll back.
        with contextlib.suppress(duckdb.Error):
            con.execute("rollback")
        con.execute("begin")
        said = {"error": f"{told}{_still_works(con, given)}"}
    con.execute(f"set variable {VARIABLE} = {render(text(json.dumps(said)))}")


def make_shared(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Make a table that several models write to, before any of their transactions.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        The build's connection; a cursor of its own is used.
    sql : str
        Statements that may be repeated.
    """
    with _ONE_AT_A_TIME, con.cursor() as cursor:
        cursor.execute(sql)


def _with_patience(ml_config: Mapping[str, Any], days: Any) -> Mapping[str, Any]:
    """Add `retrain_after_days` of a whole folder to a model that does not say for itself."""
    if days is None or "retrain_after_days" in {str(key).lower() for key in ml_config}:
        return ml_config
    return {**ml_config, "retrain_after_days": days}


def _request(python_model: Callable[[], Any]) -> ModelRequest:
    request = python_model()
    if not isinstance(request, ModelRequest):
        raise MartletError(
            "A Python model with materialized='model' must return "
            f"martlet.python_model.fitted_model(...), not {type(request).__name__}."
        )
    return request


def _query(con: duckdb.DuckDBPyConnection, rows: Any, name: str) -> str:
    if isinstance(rows, str):
        return rows
    if isinstance(rows, duckdb.DuckDBPyRelation):
        return _steady(str(rows.sql_query()))
    given = "__martlet_given"
    con.register(given, rows)
    con.execute(f'create or replace temporary table "__martlet_given_{name}" as from {given}')
    con.unregister(given)
    return f'select * from "__martlet_given_{name}"'


def _one_query(sql: str) -> str:
    """Take the semicolon away that queries from elsewhere end with."""
    return re.sub(r"(\s*;)+\s*$", "", sql)


def _steady(sql: str) -> str:
    """Replace the random names DuckDB gives relations: the same query must read the same."""
    found = dict.fromkeys(re.findall(r"unnamed_relation_[0-9a-f]+", sql))
    for place, name in enumerate(found, start=1):
        sql = sql.replace(name, f"relation_{place}")
    return sql


def _still_works(con: duckdb.DuckDBPyConnection, given: dict[str, Any]) -> str:
    store = ModelStore(con, given["database"], given["schema"], given["name"])
    with contextlib.suppress(duckdb.Error):
        champion = store.champion()
        if champion is not None:
            return (
                f"\nNothing has changed: version {champion['model_version']} of "
                f"'{given['name']}' goes on working."
            )
    return ""
