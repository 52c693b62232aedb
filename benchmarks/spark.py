"""Measure how sessions are cut on DuckDB and on Sail, on one machine, from the same Parquet file.

``python benchmarks/spark.py`` (in the environment that ``make test-spark`` makes) makes 20 million
events, lets each engine read them, cut sessions after 30 minutes without an event and write one row
a session to Parquet, each in a process of its own, and prints CPU seconds, wall seconds and peak
memory: medians over the rounds. What both have written must be equal. With ``pyspark`` and Java
installed, ``--spark`` runs Spark itself (local mode) in the same rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

THREADS = 2
ENGINES = ("duckdb", "sail")

#: The same text on every engine: no function in it has two meanings.
SESSIONS = """
with gaps as (
    select
        visitor_id,
        event_id,
        event_at,
        page_number,
        lag(event_at) over (partition by visitor_id order by event_at, event_id) as before_at
    from {events}
),

marked as (
    select
        *,
        case when before_at >= event_at - interval 30 minutes then 0 else 1 end as is_first
    from gaps
),

numbered as (
    select
        *,
        sum(is_first) over (
            partition by visitor_id order by event_at, event_id
            rows between unbounded preceding and current row
        ) as session_number
    from marked
)

select
    visitor_id,
    session_number,
    min(event_at) as session_started_at,
    max(event_at) as session_ended_at,
    count(*) as event_count,
    count(distinct page_number) as page_count
from numbered
group by visitor_id, session_number
"""


def make_events(path: Path, count: int) -> None:
    """Write events: bursts of a visitor's clicks, spread over a year, in no order.

    Parameters
    ----------
    path : Path
        Parquet file to write.
    count : int
        Number of events; a visitor has about 20, a visit about 5.
    """
    visits = count // 5
    duckdb.sql(
        f"""
        copy (
            select
                row_number() over () as event_id,
                cast(hash(visit) % {max(count // 20, 1)} as bigint) as visitor_id,
                timestamp '2025-01-01' + to_seconds(
                    cast(hash(visit + 1000000007) % 31536000 as bigint) + click * 1000
                    + cast(hash(visit * 5 + click) % 900 as bigint)
                ) as event_at,
                cast(hash(visit * 7 + click) % 50 as integer) as page_number
            from range({visits}) as v(visit), range(5) as c(click)
            order by hash(visit * 11 + click)
        ) to '{path}'
        """
    )


def run_duckdb(events: Path, out: Path) -> dict[str, float]:
    """Cut sessions with DuckDB, in this process."""
    start = time.perf_counter()
    with duckdb.connect(config={"threads": THREADS}) as con:
        query = SESSIONS.format(events=f"'{events}'")
        con.execute(f"copy ({query}) to '{out}' (format parquet)")
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": used.ru_utime + used.ru_stime, "wall": wall, "peak": used.ru_maxrss / 1024}


def run_sail(events: Path, out: Path) -> dict[str, float]:
    """Cut sessions with Sail; what its server takes is counted, not this client."""
    from pyspark.sql import SparkSession

    from martlet.spark.engine import spark_server

    with tempfile.TemporaryDirectory() as folder, spark_server(Path(folder)) as remote:
        port = remote.split(":")[2].split("/")[0]
        spark = SparkSession.builder.remote(remote).getOrCreate()
        server = _server(port)
        start, before = time.perf_counter(), _cpu(server)
        query = SESSIONS.format(events=f"parquet.`{events}`")
        spark.sql(query).write.parquet(str(out))
        found = {
            "cpu": _cpu(server) - before,
            "wall": time.perf_counter() - start,
            "peak": _peak(server),
        }
        # A client that outlives its server waits for it.
        spark.stop()
        return found


def run_spark(events: Path, out: Path) -> dict[str, float]:
    """Cut sessions with Spark itself, in local mode, its start included in neither figure."""
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master(f"local[{THREADS}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "6g")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    spark.sql("select 1").collect()
    server = int(spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())
    start, before = time.perf_counter(), _cpu(server)
    query = SESSIONS.format(events=f"parquet.`{events}`")
    spark.sql(query).write.parquet(str(out))
    found = {
        "cpu": _cpu(server) - before,
        "wall": time.perf_counter() - start,
        "peak": _peak(server),
    }
    spark.stop()
    return found


def _server(port: str) -> int:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"server" in words and port.encode() in words:
            return int(folder.name)
    raise SystemExit("The server is not among the processes of this machine.")


def _cpu(process: int) -> float:
    words = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _peak(process: int) -> float:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def _difference(folder: Path, engines: list[str]) -> int:
    """Return how many sessions are not the same everywhere."""
    columns = (
        "visitor_id, session_number, epoch_us(session_started_at::timestamp), "
        "epoch_us(session_ended_at::timestamp), event_count, page_count"
    )

    def read(engine: str) -> str:
        path = folder / engine
        files = f"{path}/*.parquet" if path.is_dir() else path
        return f"select {columns} from read_parquet('{files}')"

    with duckdb.connect(config={"threads": THREADS}) as con:
        con.execute("set TimeZone = 'UTC'")
        return sum(
            con.execute(
                f"select count(*) from (({read(first)} except all {read(second)}) "
                f"union all ({read(second)} except all {read(first)}))"
            ).fetchall()[0][0]
            for first, second in [(engines[0], other) for other in engines[1:]]
        )


def main() -> None:
    """Run the rounds, or one contender of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--spark", action="store_true", help="Spark itself, too")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        engine, events, out = options.one
        runs = {"duckdb": run_duckdb, "sail": run_sail, "spark": run_spark}
        print("figures", json.dumps(runs[engine](Path(events), Path(out))))
        return
    engines = [*ENGINES, *(["spark"] if options.spark else [])]
    figures: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_events(folder / "events.parquet", options.events)
        for place in range(options.rounds):
            out = folder / str(place)
            out.mkdir()
            for engine in engines:
                own = ["--one", engine, str(folder / "events.parquet"), str(out / engine)]
                command = [sys.executable, __file__, *own]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                line = next(text for text in said.splitlines() if text.startswith("figures"))
                figures[engine].append(json.loads(line.removeprefix("figures")))
        different = _difference(out, engines)
    print(f"{options.events:,} events, {THREADS} threads, {options.rounds} rounds, medians")
    for engine, found in figures.items():
        shown = {key: statistics.median(item[key] for item in found) for key in found[0]}
        print(
            f"{engine:8} CPU {shown['cpu']:7.1f} s   wall {shown['wall']:7.1f} s   "
            f"peak {shown['peak']:7.0f} MB"
        )
    print(f"sessions that differ: {different}")


if __name__ == "__main__":
    main()
