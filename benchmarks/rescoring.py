"""Measure what recommendations for many customers cost, first and when few customers have changed.

``python benchmarks/rescoring.py --customers 100000 --products 10000`` makes invoice lines in the
layout of Online Retail (twelve months, ten lines a customer in three orders, products drawn from
forty groups with unequal shares), builds up to ``ml_recommendations__predictions`` in a temporary
database, appends one order of every hundredth customer on the day after, and builds again. CPU
seconds (user and system) of dbt running ``ml_recommendations__scores`` alone, less those of dbt
running a table of one step; peak memory of the process. Then the stored rows are compared with
those of a full refresh, row by row. Needs `DBT_PROFILES_DIR` or the project's own folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

PROJECT = Path(__file__).resolve().parents[1]

LINES = """
select
    'I' || lpad((c * 10 + o)::varchar, 9, '0') as "InvoiceNo",
    'P' || lpad(p::varchar, 6, '0') as "StockCode",
    'PRODUCT ' || p as "Description",
    1 + hash(c, o, l) % 3 as "Quantity",
    {moment} as "InvoiceDate",
    2.5 + p % 7 as "UnitPrice",
    (100000 + c)::varchar as "CustomerID",
    'United Kingdom' as "Country"
from (
    select c, o, l,
        least({products} - 1, (
            case when hash(c, o, l, 'g') % 100 < 70 then c % 40 else hash(c, o, l, 'h') % 40 end
            + 40 * floor({products} / 40 * power((hash(c, o, l, 'p') % 1000000) / 1e6, 2.0))
        )::bigint) as p
    from {source}
)
"""


def dbt(folder: Path, *arguments: str) -> tuple[float, float]:
    """Run dbt; return CPU seconds and the peak memory in gigabytes."""
    settings = {
        "martlet_connector": "online_retail", "martlet_currency": "GBP",
        "martlet_raw_path": str(folder / "raw"),
    }  # fmt: skip
    command = [
        str(Path(sys.executable).parent / "dbt"), "build", *arguments,
        "--exclude-resource-type", "unit_test", "test",
        "--vars", json.dumps(settings),
        "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT / "profiles"),
        "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"),
    ]  # fmt: skip
    environment = {**os.environ, "MARTLET_DATABASE": str(folder / "m.duckdb")}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        said = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(said)
    for line in said.splitlines():
        if "customers scored" in line or "is reused" in line or "is the champion" in line:
            print("   ", line.split("  ", 1)[-1], flush=True)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def main() -> None:
    """Build, append, build again, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--products", type=int, default=2_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "raw").mkdir()
        first = (
            f"(select c, o, l from range({given.customers}) as c(c), range(3) as o(o), "
            "range(4) as l(l) where o < 2 or l < 2)"
        )
        later = f"(select c * 100 as c, 4 as o, l from range({given.customers // 100}) as c(c), "
        parts = {
            "first": (first, "timestamp '2025-01-01' + interval (hash(c, o) % 525600) minute"),
            "later": (later + "range(3) as l(l))", "timestamp '2026-01-01 10:00:00'"),
        }
        others = [
            "+ml_recommendations__fit",
            "int_products__listed",
            "ml_recommendations__histories",
        ]
        scores = ["--select", "ml_recommendations__scores"]
        for part, (source, moment) in parts.items():
            text = LINES.format(products=given.products, source=source, moment=moment)
            duckdb.sql(text).write_parquet(str(folder / "raw" / f"{part}.parquet"))
            print(f"{part} build, {given.customers:,} customers, {given.products:,} products")
            used, peak = dbt(folder, "--select", *others)
            print(f"  up to the fit: {used:.0f} CPU seconds, {peak:.1f} GB", flush=True)
            idle, _ = dbt(folder, "--select", "int_as_of_dates__spine")
            used, peak = dbt(folder, *scores)
            print(f"  scores: {used - idle:.1f} CPU seconds, {peak:.1f} GB", flush=True)
        with duckdb.connect(str(folder / "m.duckdb")) as con:
            con.execute("create table ml.kept as from ml.ml_recommendations__scores")
        used, peak = dbt(folder, *scores, "--full-refresh")
        print(f"full refresh: {used - idle:.1f} CPU seconds, {peak:.1f} GB")
        with duckdb.connect(str(folder / "m.duckdb")) as con:
            columns = "* exclude (predicted_at, as_of_date)"
            tables = ("ml.kept", "ml.ml_recommendations__scores")
            for one, other in (tables, tables[::-1]):
                count = con.execute(
                    f"select count(*) from (select {columns} from {one} "
                    f"except all select {columns} from {other})"
                ).fetchall()[0][0]
                print(f"rows of {one} that {other} has not: {count:,}")


if __name__ == "__main__":
    main()
