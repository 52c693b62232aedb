"""BigQuery ML's SQL in, BigQuery ML's number out: converted, built by dbt, compared."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import reset_adapters
from dbt.cli.main import dbtRunner

from bqml_support import FIXTURES
from martlet.bqml import Settings, convert
from martlet.bqml.project import write_project

ROOT = Path(__file__).resolve().parents[2]
PENGUINS = ROOT.parent / "shared" / "data" / "penguins" / "penguins.csv"


def run(folder: Path, *words: str) -> None:
    command = [*words, "--project-dir", str(folder), "--profiles-dir", str(folder)]
    try:
        outcome = dbtRunner().invoke([*command, "--log-level", "none"])
    finally:
        if DuckDBConnectionManager._ENV is not None:
            DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager.close_all_connections()
        reset_adapters()
    if outcome.exception is not None:
        raise outcome.exception
    assert outcome.success, [
        result.message for result in getattr(outcome.result, "results", []) if result.message
    ]


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not PENGUINS.is_file(), reason="penguins.csv is not in ../shared/data")
def test_penguins_script_gives_googles_numbers(tmp_path: Path) -> None:
    database = tmp_path / "lab.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("create schema ml_datasets")
        connection.execute(
            "create table ml_datasets.penguins as from read_csv(?, nullstr = ['', 'NA'])",
            [str(PENGUINS)],
        )
    (tmp_path / "dbt_project.yml").write_text(
        "name: lab\nprofile: lab\nflags: {send_anonymous_usage_stats: false}\n"
    )
    (tmp_path / "packages.yml").write_text(f"packages: [{{local: '{ROOT}'}}]\n")
    (tmp_path / "profiles.yml").write_text(
        f"lab: {{target: dev, outputs: {{dev: {{type: duckdb, path: '{database}'}}}}}}\n"
    )
    script = (FIXTURES / "penguins.sql").read_text(encoding="utf-8")
    write_project(convert({"p.sql": script}, Settings(package="martlet")), tmp_path / "models")
    run(tmp_path, "deps")
    run(tmp_path, "build", "--select", "package:lab")

    with duckdb.connect(str(database), read_only=True) as connection:
        metrics = connection.execute(
            "select mean_absolute_error, mean_squared_error, median_absolute_error, r2_score "
            "from p_01_evaluate"
        ).fetchone()
        weights = connection.execute("select count(*) from p_05_weights").fetchone()
    assert metrics == pytest.approx((227.012237, 81838.15989, 173.080816, 0.872377), rel=1e-6)
    assert weights is not None
    assert weights[0] > 0
