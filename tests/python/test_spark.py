"""The round on Sail, or on Spark itself: every table equals DuckDB's.

``make test-sail`` and ``make test-spark`` make the environments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from martlet.spark.engine import spark_server, spark_session
from martlet.spark.round import Round, write_sample
from martlet.spark.transfer import bring_features
from spark_support import needs_engine

PROJECT = Path(__file__).resolve().parents[2]
DBT = str(Path(sys.executable).with_name("dbt"))
SCHEMAS = ["shop", "intermediate", "features", "ml", "marts"]
#: Predictions that are compared with DuckDB's.
COMPARED = {
    "ml_attribution__predictions", "ml_intent__predictions", "ml_lookers__expectations",
}  # fmt: skip
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

pytestmark = needs_engine


def _dbt(done: Round, database: Path, *arguments: str) -> None:
    """Run dbt on DuckDB."""
    folder = done.folder / "duckdb"
    command = [
        DBT, *arguments, "--target", "dev",
        "--profiles-dir", str(PROJECT / "profiles"), "--project-dir", str(PROJECT),
        "--target-path", str(folder), "--log-path", str(folder),
        "--vars", json.dumps(dict(done.settings)),
    ]  # fmt: skip
    own = os.environ | {"MARTLET_DATABASE": str(database)}
    said = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout[-6000:] + said.stderr[-2000:]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Round]:
    """A whole round on Sail: features there, fits on DuckDB, predictions and marts there."""
    folder = tmp_path_factory.mktemp("spark")
    os.environ["MARTLET_HASH_KEY"] = "equal on both"
    settings = {"martlet_raw_path": str(write_sample(PROJECT, folder / "raw"))}
    with spark_server(folder) as remote, spark_session(remote) as session:
        made = Round(PROJECT, folder, remote, session, settings)
        made.run()
        yield made
    del os.environ["MARTLET_HASH_KEY"]


def test_the_round_fits_and_applies(done: Round) -> None:
    said = done.summary()
    assert done.failed == [], said
    assert len(done.fitted) >= 15, said
    assert {name for stage in done.stages[1:] for name in stage} >= COMPARED, said


def test_every_table_has_the_same_rows(done: Round) -> None:
    """What needs no fitted model, made by DuckDB from the same files."""
    database = done.folder / "warehouse.duckdb"
    _dbt(done, database, "build", "--selector", "portable")
    first = {name for name in done.stages[0] if not name.startswith("ml_")}
    compared, different = _differences(database, done.spark, first)
    assert different == {}
    assert compared > 100


def test_predictions_are_those_of_duckdb(done: Round) -> None:
    """The models that read fits, made by DuckDB from Spark's features and the same fits."""
    later = COMPARED
    inputs = {
        (done.nodes[parent]["schema"], done.nodes[parent]["alias"])
        for node in done.nodes.values()
        if node["name"] in later
        for parent in node["depends_on"]["nodes"]
        if done.nodes[parent]["name"] not in {*later, *done.fitted, *done.sent}
    }
    bring_features(done.spark, done.database, done.folder / "features", sorted(inputs))
    _dbt(done, done.database, "run", "--full-refresh", "--select", *sorted(later))
    compared, different = _differences(done.database, done.spark, later)
    assert different == {}
    assert compared == len(later)


def _differences(
    database: Path, spark: Any, names: set[str]
) -> tuple[int, dict[str, tuple[int, int]]]:
    """Return how many tables were compared, and the rows only one side has."""
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
            size = f'floor(log10(greatest(abs("{name}"::double), 1e0)))'
            shown += [f'round("{name}"::double / power(10e0, {size}) + {shift!r}, 9)', size]
        elif "[]" in kind or kind.startswith("STRUCT"):
            # Numbers in a list have no place to be rounded at.
            shown.append(f'len("{name}")' if kind.endswith("[]") else "1")
        elif kind.startswith("DECIMAL"):
            shown.append(f'"{name}"::decimal(38, 6)')
        elif kind.startswith("TIMESTAMP"):
            shown.append(f'epoch_us("{name}"::timestamptz)')
        else:
            shown.append(f'"{name}"::varchar')
    return ", ".join(shown)
