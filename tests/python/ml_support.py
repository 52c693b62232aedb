"""Small helpers for the tests of the low-code layer: fit on an in-memory DuckDB and look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from martlet.fit import ModelSpec, Outcome, fit_model

PENGUINS = Path(__file__).resolve().parents[3] / "shared" / "data" / "penguins" / "penguins.csv"

needs_penguins = pytest.mark.skipif(
    not PENGUINS.is_file(), reason=f"the penguins data set is not at {PENGUINS}"
)


def connect() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 2})
    con.execute("set TimeZone = 'UTC'")
    return con


def penguins() -> duckdb.DuckDBPyConnection:
    con = connect()
    con.execute(f"create table penguins as from read_csv('{PENGUINS}')")
    return con


def fit(con: duckdb.DuckDBPyConnection, name: str, sql: str, **ml_config: Any) -> Outcome:
    return fit_model(con, ModelSpec(name, sql, ml_config))


def refit(con: duckdb.DuckDBPyConnection, name: str, sql: str, **ml_config: Any) -> Outcome:
    return fit_model(con, ModelSpec(name, sql, ml_config, full_refresh=True))


def rows(con: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    relation = con.query(query)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def columns(con: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    return list(con.query(query).columns)


def types(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    relation = con.query(query)
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def parameters(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any]:
    found = con.execute(f"select parameters from {name} where is_champion").fetchall()
    return json.loads(found[0][0])


def values(con: duckdb.DuckDBPyConnection, query: str) -> np.ndarray:
    return np.array([row[0] for row in con.execute(query).fetchall()], dtype=float)


#: Rows that a model must survive: missing, not finite, unseen, extreme.
HOSTILE = """
create or replace table hostile as
select * from (values
    (1, 1.5::double, 10::bigint, 'red', true),
    (2, null, null, null, null),
    (3, 'nan'::double, 3, 'blue', false),
    (4, 'inf'::double, 4, 'never seen', true),
    (5, '-inf'::double, -5, '', false),
    (6, 1e15, 9007199254740993, 'green', null),
    (7, -1e100, -9223372036854775808, 'red', true),
    (8, 5e-324, 0, 'RED', true),
    (9, -0.0, 1, 'it''s', false)
) as t(id, x, n, colour, flag)
"""

#: Training rows with the same columns and labels of three kinds.
TRAINING = """
create or replace table training as
select
    i as id,
    case when i % 7 = 0 then null else sin(i) * 3 + 1 end as x,
    (i * 37) % 23 as n,
    case i % 5 when 0 then null when 1 then 'red' when 2 then 'green' else 'blue' end as colour,
    case when i % 11 = 0 then null else i % 2 = 0 end as flag,
    2 * sin(i) + (i * 37) % 23 * 0.3 + case when i % 5 = 1 then 4 else 0 end as y,
    case when sin(i) + ((i * 37) % 23) / 23.0 > 0.6 then 'yes' else 'no' end as two,
    case when sin(i) > 0.4 then 'c' when (i * 37) % 23 > 12 then 'b' else 'a' end as three
from range(400) as r(i)
"""


def encoded(con: duckdb.DuckDBPyConnection, table: str) -> np.ndarray:
    """Encode `table` by hand, with statistics of the table `training`: not through the package."""
    import pandas as pd

    train = con.query("select x, n, colour, flag from training").df()
    data = con.query(f"select x, n, colour, flag from {table} order by id").df()
    parts = []
    for name in ("x", "n"):
        seen = pd.to_numeric(train[name]).astype(float)
        seen = seen[np.isfinite(seen)]
        value = pd.to_numeric(data[name]).astype(float).to_numpy()
        if name == "n":
            exact = con.execute(f"select n::double from {table} order by id").fetchall()
            value = np.array([np.nan if item[0] is None else item[0] for item in exact])
        standard = (value - seen.mean()) / seen.std(ddof=1)
        parts.append(np.where(np.isfinite(value), standard, 0.0)[:, None])
    for name, categories in (("colour", ["blue", "green", "red"]), ("flag", ["false", "true"])):
        text = con.execute(f"select {name}::varchar from {table} order by id").fetchall()
        for category in [*categories, None]:
            parts.append(np.array([[float(item[0] == category)] for item in text]))
    return np.hstack(parts)
