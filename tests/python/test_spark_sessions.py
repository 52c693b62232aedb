"""A second build on Sail: what comes later, late or twice ends as on DuckDB and as made anew.

``make test-sail`` makes the environment. Spark itself merges into Delta, which is a jar of its own;
without it everything is built whole each time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from martlet.spark.engine import spark_server, spark_session
from spark_support import ENGINE, differences, needs_engine
from test_sessions import HOUR, MINUTE, START, Event, random_events, write_raw

PROJECT = Path(__file__).resolve().parents[2]
DBT = str(Path(sys.executable).with_name("dbt"))
#: What is carried from build to build, and what is made of it.
KEPT = {
    "int_event_batches__observed", "shop_events", "int_session_buckets__counted",
    "int_events__marking_sessions", "int_sessions__cut", "int_sessions__described",
    "ftr_sessions__intent", "fct_sessions",
}  # fmt: skip

pytestmark = [
    *needs_engine,
    pytest.mark.skipif(ENGINE == "spark", reason="Spark merges into Delta, a jar of its own"),
]


@dataclass
class Both:
    """One shop, built by both engines from the same files."""

    folder: Path
    remote: str
    spark: Any

    def load(self, events: list[Event]) -> None:
        """Let events come in."""
        write_raw(self.folder / "raw", events)

    def build(self, *arguments: str) -> Path:
        """Build on DuckDB and on Sail; return DuckDB's file."""
        path = self.folder / "kept.duckdb"
        self._dbt("dev", {"MARTLET_DATABASE": str(path)}, *arguments)
        self._dbt("spark", {"MARTLET_SPARK_REMOTE": self.remote}, *arguments)
        return path

    def _dbt(self, target: str, own: dict[str, str], *arguments: str) -> None:
        folder = self.folder / f"dbt-{target}"
        command = [
            DBT, "build", "--select", "+fct_sessions", "int_sessions__described",
            "+ftr_sessions__intent", "--exclude-resource-type", "unit_test",
            "--exclude-resource-type", "test", *arguments, "--target", target,
            "--profiles-dir", str(PROJECT / "profiles"), "--project-dir", str(PROJECT),
            "--target-path", str(folder), "--log-path", str(folder),
            "--vars", json.dumps({"martlet_raw_path": str(self.folder / "raw")}),
        ]  # fmt: skip
        said = subprocess.run(
            command, env=os.environ | own, capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stdout[-6000:] + said.stderr[-2000:]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    """A shop without orders or products: only events matter."""
    (tmp_path / "raw").mkdir()
    with duckdb.connect() as con:
        for table in ("orders", "customers", "products"):
            seed = PROJECT / "seeds" / "sample" / f"raw_{table}.csv"
            con.execute(
                f"copy (from read_csv('{seed}', all_varchar = true) limit 5) "
                f"to '{tmp_path}/raw/raw_{table}.parquet'"
            )
    with spark_server(tmp_path) as remote, spark_session(remote) as session:
        yield Both(tmp_path, remote, session)


def test_a_second_build_equals_duckdb_and_a_full_refresh(both: Both) -> None:
    events = random_events(5, visitors=40, days=60, timeout=30 * MINUTE)
    loads = sorted({event.load for event in events})
    missing = set(loads[::10])
    delivered = [event for event in events if event.load in set(loads[: len(loads) * 3 // 4])]
    first = [event for event in delivered if event.load not in missing]
    both.load(first)
    database = both.build()
    compared, different = differences(database, both.spark, KEPT)
    assert different == {}
    assert compared == len(KEPT)

    # New days, days that were missing, events that come twice and say something else, and one load
    # that was written anew.
    rng = np.random.default_rng(5)
    rewritten = sorted({event.load for event in first})[3]
    again = [
        replace(
            event, load=f"replay-{number % 4}", page=event.page + 1,
            received=event.received - (HOUR if number % 3 else 0),
            customer="C9" if number % 5 == 0 else event.customer,
        )
        for number, event in enumerate(rng.permutation(np.array(first, dtype=object))[:40])
    ]  # fmt: skip
    late = [
        Event(f"late-{visitor}", f"v{visitor}", START + 20 * 24 * HOUR, START + 70 * 24 * HOUR,
              "very-late", customer=f"C{visitor}", campaign=("bing", "cpc", None))
        for visitor in range(20)
    ]  # fmt: skip
    kept = [
        replace(event, page=event.page + 7, campaign=("google", "cpc", "spring"))
        if event.load == rewritten
        else event
        for event in events
    ]
    both.load([*kept, *again, *late])
    both.build()
    compared, different = differences(database, both.spark, KEPT)
    assert different == {}
    assert compared == len(KEPT)
    with duckdb.connect(str(database), read_only=True) as con:
        (versions,) = con.execute(
            "select count(*) from shop.shop_events where event_version > 1"
        ).fetchall()[0]
    assert versions > 0
    stored = _sessions(both.spark)

    # Nothing new: nothing changes.
    both.build()
    assert _sessions(both.spark) == stored

    # All made anew, on both.
    both.build("--full-refresh")
    _, different = differences(database, both.spark, KEPT)
    assert different == {}
    assert _sessions(both.spark) == stored


def _sessions(spark: Any) -> list[tuple[Any, ...]]:
    """Return the sessions without the number of the build that has cut them."""
    table = spark.sql("select * from marts.fct_sessions").toArrow().drop_columns(["ingest_number"])
    return sorted(tuple(map(str, row.values())) for row in table.to_pylist())
