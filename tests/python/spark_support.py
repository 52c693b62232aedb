"""A Spark Connect engine for tests: Sail, or Spark itself if ``MARTLET_SPARK_ENGINE`` says so."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from martlet.spark.engine import spark_server, spark_session

__all__ = ["ENGINE", "differences", "needs_engine", "started"]

SCHEMAS = ["shop", "intermediate", "features", "ml", "marts"]
#: Columns whose form is the engine's own: keys to sort by, hashes, check sums, the raw row as JSON.
OWN_FORM = {
    "int_event_batches__observed": {"row_checksum"},
    "int_events__marking_sessions": {"order_key"},
    "int_ip_addresses__activity_by_day": {
        "visitor_number", "lowest_path_number", "highest_path_number",
    },
    "int_session_buckets__counted": {
        "first_key", "last_key", "traffic_key", "customer_key", "order_ids",
    },
    "int_sessions__cut": {
        "first_key", "traffic_key", "customer_key_before", "customer_key_until_end",
    },
    "ml_recommendations__histories": {"history_key"},
    "shop_quarantine": {"quarantine_id", "source_key", "source_row"},
}  # fmt: skip
ENGINE = os.environ.get("MARTLET_SPARK_ENGINE", "sail")


def _is_installed() -> bool:
    if ENGINE == "sail":
        return importlib.util.find_spec("pysail") is not None
    found = importlib.util.find_spec("pyspark")
    return bool(found and found.origin and (Path(found.origin).parent / "jars").is_dir())


needs_engine = [
    pytest.mark.skipif(
        not _is_installed(), reason=f"the engine {ENGINE} is not installed: make test-{ENGINE}"
    ),
    pytest.mark.filterwarnings("ignore"),
]


@contextmanager
def started(folder: Path) -> Iterator[Any]:
    """Give a session on an engine of its own, which keeps its tables in the folder."""
    with spark_server(folder) as remote, spark_session(remote) as session:
        yield session


def differences(
    database: Path, spark: Any, names: set[str]
) -> tuple[int, dict[str, tuple[int, int]]]:
    """Compare tables of DuckDB with those of the same names on an engine.

    Parameters
    ----------
    database : Path
        The DuckDB file.
    spark : SparkSession
        A session of the engine.
    names : set of str
        Tables to compare, where DuckDB has them.

    Returns
    -------
    compared : int
        How many there were.
    different : dict of str to tuple of int
        Rows that only DuckDB has, and only the engine, of each table that differs.
    """
    compared, different = 0, {}
    with duckdb.connect(str(database), read_only=True) as con:
        con.execute("set TimeZone = 'UTC'")
        tables = con.execute(
            "select table_schema, table_name from information_schema.tables "
            "where list_contains(?, table_schema) order by 1, 2",
            [SCHEMAS],
        ).fetchall()
        for schema, name in tables:
            if name not in names:
                continue
            con.register("theirs", spark.sql(f"select * from {schema}.{name}").toArrow())
            columns = con.execute(
                "select column_name, data_type from information_schema.columns "
                "where table_schema = ? and table_name = ? order by ordinal_position",
                [schema, name],
            ).fetchall()
            compared += 1
            # Numbers that are all but equal may lie on both sides of where one way of rounding
            # turns, not of where both do.
            for shift in (0.0, 3.7e-10):
                shown = _compared(columns, OWN_FORM.get(name, set()), shift)
                ours = f"select {shown} from {schema}.{name}"
                theirs = f"select {shown} from theirs"
                (counts,) = con.execute(
                    f"select (select count(*) from ({ours} except all {theirs})), "
                    f"(select count(*) from ({theirs} except all {ours}))"
                ).fetchall()
                if counts == (0, 0):
                    break
            else:
                different[f"{schema}.{name}"] = counts
    return compared, different


def _compared(columns: list[tuple[str, str]], skipped: set[str], shift: float) -> str:
    """Return what is compared: numbers to nine digits after the first, the rest as text."""
    shown = []
    for name, kind in columns:
        # When a prediction was made is the build's own.
        if name in skipped or name == "predicted_at":
            continue
        if kind in ("DOUBLE", "FLOAT"):
            shown += _rounded(f'"{name}"::double', shift)
        elif kind == "DOUBLE[]":
            shown += [f'list_transform("{name}", lambda v: {v})' for v in _rounded("v", shift)]
        elif kind.startswith("STRUCT"):
            # What is in a list of structs, other columns say too.
            shown.append(f'len("{name}")' if kind.endswith("[]") else "1")
        elif kind.startswith("DECIMAL"):
            shown.append(f'"{name}"::decimal(38, 6)')
        elif kind.startswith("TIMESTAMP"):
            shown.append(f'epoch_us("{name}"::timestamptz)')
        else:
            shown.append(f'"{name}"::varchar')
    return ", ".join(shown)


def _rounded(value: str, shift: float) -> list[str]:
    """Return a number to nine digits after the first, and where the first one stands."""
    size = f"floor(log10(greatest(abs({value}), 1e0)))"
    return [f"round({value} / power(10e0, {size}) + {shift!r}, 9)", size]
