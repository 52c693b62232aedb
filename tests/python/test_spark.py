"""The SQL models on Sail, an engine that speaks Spark's protocol, equal those on DuckDB.

Needs the extra ``spark``: ``make test-spark`` makes its environment.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

PROJECT = Path(__file__).resolve().parents[2]
DBT = str(Path(sys.executable).with_name("dbt"))
SCHEMAS = ("shop", "intermediate", "features", "marts")
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
    "shop_quarantine": {"quarantine_id", "source_key", "source_row"},
}  # fmt: skip

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("pysail") is None,
        reason="the extra spark is not installed: make test-spark",
    ),
    pytest.mark.filterwarnings("ignore"),
]


def _dbt(folder: Path, engine: str, environment: dict[str, str], *arguments: str) -> None:
    command = [
        DBT, *arguments, "--selector", "portable", "--target", engine,
        "--profiles-dir", str(PROJECT / "profiles"), "--project-dir", str(PROJECT),
        "--target-path", str(folder / engine), "--log-path", str(folder / engine),
        "--vars", f"{{martlet_raw_path: '{folder / 'raw'}'}}",
    ]  # fmt: skip
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def _raw_files(folder: Path) -> None:
    """Write the sample shop as Parquet; what is a seed in parts becomes one file."""
    folder.mkdir()
    parts: dict[str, list[str]] = {}
    for file in sorted((PROJECT / "seeds" / "sample").glob("*.csv")):
        parts.setdefault(file.stem.rstrip("0123456789").rstrip("_"), []).append(str(file))
    for name, files in parts.items():
        duckdb.sql(
            f"copy (from read_csv({files!r}, all_varchar = true, header = true)) "
            f"to '{folder / name}.parquet'"
        )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """Both warehouses, built from the same files: a DuckDB connection and a Spark session."""
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    _raw_files(folder / "raw")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sail = Path(sys.executable).with_name("sail")
    server = subprocess.Popen(
        [sail, "spark", "server", "--ip", "127.0.0.1", "--port", str(port)],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    remote = f"sc://127.0.0.1:{port}/;session_id=0f6b1d3c-58a8-4f0b-8c39-6f5b8d9a7e21"
    environment = {
        "MARTLET_SPARK_REMOTE": remote,
        "MARTLET_DATABASE": str(folder / "warehouse.duckdb"),
        "MARTLET_HASH_KEY": "equal on both",
    }
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        _dbt(folder, "dev", environment, "build")
        _dbt(folder, "spark", environment, "build")
        with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as con:
            con.execute("set TimeZone = 'UTC'")
            yield con, SparkSession.builder.remote(remote).getOrCreate()
    finally:
        server.terminate()
        server.wait(20)


def _compared(columns: list[tuple[str, str]], skipped: set[str]) -> str:
    """Return what is compared: numbers to nine digits after the point, the rest as text."""
    shown = []
    for name, kind in columns:
        if name in skipped:
            continue
        if kind in ("DOUBLE", "FLOAT"):
            shown.append(f'round("{name}"::double, 9)')
        elif kind.startswith("DECIMAL"):
            shown.append(f'"{name}"::decimal(38, 6)')
        elif kind.startswith("TIMESTAMP"):
            shown.append(f'epoch_us("{name}"::timestamptz)')
        else:
            shown.append(f'"{name}"::varchar')
    return ", ".join(shown)


def test_every_table_has_the_same_rows(built: tuple[Any, Any]) -> None:
    con, spark = built
    compared, different = 0, {}
    for schema in SCHEMAS:
        found = {row[1] for row in spark.sql(f"show tables in {schema}").collect()}
        tables = con.execute(
            "select table_name from information_schema.tables where table_schema = ? order by 1",
            [schema],
        ).fetchall()
        assert found == {name for (name,) in tables}
        for (name,) in tables:
            con.register("theirs", spark.sql(f"select * from {schema}.{name}").toArrow())
            columns = con.execute(
                "select column_name, data_type from information_schema.columns "
                "where table_schema = ? and table_name = ? order by ordinal_position",
                [schema, name],
            ).fetchall()
            shown = _compared(columns, OWN_FORM.get(name, set()))
            ours = f"select {shown} from {schema}.{name}"
            theirs = f"select {shown} from theirs"
            (counts,) = con.execute(
                f"select (select count(*) from ({ours} except all {theirs})), "
                f"(select count(*) from ({theirs} except all {ours}))"
            ).fetchall()
            compared += 1
            if counts != (0, 0):
                different[f"{schema}.{name}"] = counts
    assert different == {}
    assert compared > 80
