"""Measure what a build takes: parsing, the sample shop twice, and Online Retail twice.

``python benchmarks/build.py`` runs each step in a process of its own, on a database of its own, and
prints CPU and wall seconds (user and system time of the process; the peer of each second build is
the first), then the nodes that took longest. ``--online-retail PATH`` names the Parquet file with
the 541,909 lines of the UCI data; without it those steps are left out. ``--unit-tests`` adds a
build with the unit tests. Nodes run two at a time: their seconds add up to more than the build's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
DBT = str(Path(sys.executable).with_name("dbt"))


def measure(*arguments: str, database: Path, target: Path) -> tuple[float, float]:
    """Run one dbt command and return its CPU and wall seconds."""
    command = [DBT, *arguments, "--project-dir", str(PROJECT)]
    command += ["--profiles-dir", str(PROJECT / "profiles"), "--target-path", str(target)]
    command += ["--log-path", str(target / "logs"), "--quiet"]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, "MARTLET_DATABASE": str(database)})
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, wall


def nodes(target: Path) -> list[tuple[float, str]]:
    """Return the nodes of the last build with their wall seconds, longest first."""
    results = json.loads((target / "run_results.json").read_text())["results"]
    return sorted(((item["execution_time"], item["unique_id"]) for item in results), reverse=True)


def steps(options: argparse.Namespace) -> Mapping[str, tuple[str, Any]]:
    """Return the steps: the folder they share with others, and the arguments of dbt."""
    found: dict[str, tuple[str, Any]] = {
        "parse": ("nothing", ["parse"]),
        "sample shop, first build": ("sample", ["build"]),
        "sample shop, second build": ("sample", ["build"]),
    }
    if options.unit_tests:
        found["sample shop, with unit tests"] = ("sample", ["build", "--selector", "everything"])
    if options.online_retail:
        settings = {
            "martlet_connector": "online_retail",
            "martlet_raw_path": str(options.online_retail.resolve()),
            "martlet_currency": "GBP",
            "martlet_time_zone": "Europe/London",
        }
        command = ["build", "--vars", json.dumps(settings)]
        found["Online Retail, first build"] = ("online_retail", command)
        found["Online Retail, second build"] = ("online_retail", command)
    return found


def main() -> None:
    """Run the steps and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--online-retail", type=Path, help="the Parquet file of the UCI data")
    parser.add_argument("--unit-tests", action="store_true", help="also build with the unit tests")
    parser.add_argument("--slowest", type=int, default=10, help="nodes to print a build (10)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        print("| step | CPU s | wall s |\n|---|---|---|")
        slowest: dict[str, list[tuple[float, str]]] = {}
        for name, (shop, arguments) in steps(options).items():
            folder = Path(temporary) / shop
            folder.mkdir(exist_ok=True)
            spent, wall = measure(
                *arguments, database=folder / "martlet.duckdb", target=folder / "target"
            )
            print(f"| {name} | {spent:.1f} | {wall:.1f} |", flush=True)
            if "build" in arguments:
                slowest[name] = nodes(folder / "target")[: options.slowest]
    for name, taken in slowest.items():
        print(f"\n{name}: the slowest nodes, wall seconds")
        for seconds, node in taken:
            print(f"  {seconds:6.2f}  {node}")


if __name__ == "__main__":
    main()
