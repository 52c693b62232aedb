"""Measure how sessions are cut on DuckDB, Sail and Spark, on one machine, from one Parquet file.

``python benchmarks/spark.py`` (in the environment that ``make test-sail`` makes) makes 20 million
events, lets each engine read them, cut sessions after 30 minutes without an event and write one row
a session to Parquet, each in a process of its own, and prints CPU seconds, wall seconds and peak
memory: medians over the rounds. What all have written must be equal. Sail runs in its local mode
and as a cluster on this machine (``local-cluster``); ``--spark`` adds Spark itself (local mode),
which needs Java and the extra ``spark-local``.
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

from martlet.spark.engine import spark_server, spark_session

THREADS = 2
ENGINES = ("duckdb", "sail", "sail-cluster")

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


def run_connect(engine: str, events: Path, out: Path) -> dict[str, float]:
    """Cut sessions with a Spark Connect server; its start and this client are not counted."""
    if engine == "sail-cluster":
        os.environ["SAIL_MODE"] = "local-cluster"
    with (
        tempfile.TemporaryDirectory() as folder,
        spark_server(Path(folder), engine.split("-")[0]) as remote,
        spark_session(remote) as spark,
    ):
        spark.sql("select 1").collect()
        servers = _servers()
        start, before = time.perf_counter(), _cpu(servers)
        query = SESSIONS.format(events=f"parquet.`{events}`")
        spark.sql(query).write.parquet(str(out))
        return {
            "cpu": _cpu(servers) - before,
            "wall": time.perf_counter() - start,
            "peak": _peak(servers),
        }


def _servers(parent: int | str = "self") -> list[int]:
    """Return the processes that this one started, and those that they started."""
    found = []
    for file in Path(f"/proc/{parent}/task").glob("*/children"):
        for child in file.read_text().split():
            found += [int(child), *_servers(child)]
    return found


def _cpu(processes: list[int]) -> float:
    ticks = 0
    for process in processes:
        words = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _peak(processes: list[int]) -> float:
    lines = [
        line
        for process in processes
        for line in Path(f"/proc/{process}/status").read_text().splitlines()
    ]
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


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
        paths = Path(events), Path(out)
        found = run_duckdb(*paths) if engine == "duckdb" else run_connect(engine, *paths)
        print("figures", json.dumps(found))
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
            f"{engine:12} CPU {shown['cpu']:7.1f} s   wall {shown['wall']:7.1f} s   "
            f"peak {shown['peak']:7.0f} MB"
        )
    print(f"sessions that differ: {different}")


if __name__ == "__main__":
    main()
