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

import duckdb
import pytest

from martlet.spark.engine import spark_server, spark_session
from martlet.spark.round import Round, write_sample
from martlet.spark.transfer import bring_features
from spark_support import differences, needs_engine

PROJECT = Path(__file__).resolve().parents[2]
DBT = str(Path(sys.executable).with_name("dbt"))
#: Predictions that Spark must make itself.
PREDICTED = {
    "ml_attribution__predictions", "ml_churn__predictions", "ml_intent__predictions",
    "ml_lookers__expectations", "ml_retention__predictions", "ml_return_visits__predictions",
    "ml_segments__predictions",
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
    assert {name for stage in done.stages[1:] for name in stage} >= PREDICTED, said


def test_every_table_has_the_same_rows(done: Round) -> None:
    """What needs no fitted model, made by DuckDB from the same files."""
    database = done.folder / "warehouse.duckdb"
    _dbt(done, database, "build", "--selector", "portable")
    first = {name for name in done.stages[0] if not name.startswith("ml_")}
    compared, different = differences(database, done.spark, first)
    assert different == {}
    assert compared > 100


def test_predictions_are_those_of_duckdb(done: Round) -> None:
    """All that reads fits, to the marts, made by DuckDB from Spark's features and the same fits."""
    later = {name for stage in done.stages[1:] for name in stage}
    # Which of the pairs that were not bought are kept to teach, each engine draws by its own hash.
    drawn = "ml_propensity__training_set"
    inputs = {
        (done.nodes[parent]["schema"], done.nodes[parent]["alias"])
        for node in done.nodes.values()
        if node["name"] in later
        for parent in node["depends_on"]["nodes"]
        if done.nodes[parent]["name"] not in {*later, *done.fitted, *done.sent}
    }
    bring_features(done.spark, done.database, done.folder / "features", sorted(inputs))
    _dbt(done, done.database, "run", "--full-refresh", "--select", *sorted(later))
    compared, different = differences(done.database, done.spark, later - {drawn})
    assert different == {}
    assert compared == len(later) - 1
    assert compared > 70
    count = f"select count(*) from ml.{drawn}"
    (theirs,) = done.spark.sql(count).collect()[0]
    with duckdb.connect(str(done.database), read_only=True) as con:
        (ours,) = con.execute(count).fetchall()[0]
    assert theirs == pytest.approx(ours, rel=0.05)
