"""Measure how fast the rows of a model are fingerprinted.

``python benchmarks/fingerprint.py`` makes a table of 4 million rows and 10 columns (whole numbers,
doubles, text, booleans) in memory and prints CPU seconds of the fingerprint that decides whether a
model is fitted again, beside two other ways to tell that rows have changed: a checksum of each row
as text, inside DuckDB, and pandas' row hashes with the fetch they need. Medians
over the rounds; a value is one column of one row.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import duckdb

from martlet.options import Options
from martlet.rows import fingerprint, read_columns

QUERY = "select * from facts"
TABLE = """
create table facts as
select i as id, random() as a, random() as b, random() as c, random() as d, random() as e,
    (random() * 100)::integer as n, 'category ' || (i % 50) as category, random() < 0.5 as flag,
    timestamp '2025-01-01' + to_seconds(i) as happened_at
from range({rows}) as r(i)
"""


def _martlet(con: duckdb.DuckDBPyConnection) -> None:
    fingerprint(con, QUERY, read_columns(con, QUERY), Options("linear_reg", {}))


def _md5(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "select count(*), bit_xor(md5_number(cast(facts as varchar))) from facts"
    ).fetchall()


def _pandas(con: duckdb.DuckDBPyConnection) -> None:
    import pandas as pd

    int(pd.util.hash_pandas_object(con.query(QUERY).df(), index=False).sum())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    con = duckdb.connect(config={"threads": 2})
    con.execute(TABLE.format(rows=options.rows))
    values = options.rows * 10
    ways: dict[str, Callable[[duckdb.DuckDBPyConnection], None]] = {
        "martlet": _martlet,
        "md5 of rows as text": _md5,
        "fetch, pandas row hash": _pandas,
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            started = time.process_time()
            way(con)
            taken[name].append(time.process_time() - started)
    print(f"{options.rows:,} rows of 10 columns, median of {options.rounds} rounds")
    for name, seconds in taken.items():
        middle = statistics.median(seconds)
        print(f"{name:24} {middle:7.3f} CPU s   {values / middle / 1e6:8.1f} million values/s")


if __name__ == "__main__":
    main()
