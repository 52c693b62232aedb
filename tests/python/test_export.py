"""An exported query gives the stored function's numbers in other engines."""

from __future__ import annotations

import getpass
import math
import os
import shutil
import sqlite3
import subprocess

import numpy as np
import pytest
import sqlglot

from martlet import cli
from martlet.errors import MartletError
from martlet.export import export_model
from martlet.models_cli import find_model, find_version
from ml_support import HOSTILE, TRAINING, connect, fit, rows

FEATURES = "id, x, n, colour, flag"
MODELS = {
    "line": ("linear_reg", "y", {}),
    "pair": ("logistic_reg", "two", {}),
    "trio": ("logistic_reg", "three", {}),
    "groups": ("kmeans", None, {"num_clusters": 3}),
    "angles": ("kmeans", None, {"num_clusters": 3, "distance_type": "cosine"}),
    "axes": ("pca", None, {"num_principal_components": 3}),
    "net": ("dnn_regressor", "y", {"hidden_units": [4], "max_iterations": 5}),
    "net_trio": ("dnn_classifier", "three", {"hidden_units": [4], "max_iterations": 5}),
    "boosted": ("boosted_tree_regressor", "y", {"max_iterations": 3}),
    "boosted_pair": ("boosted_tree_classifier", "two", {"max_iterations": 3}),
    "boosted_trio": ("boosted_tree_classifier", "three", {"max_iterations": 3}),
    "forest": ("random_forest_regressor", "y", {"num_parallel_tree": 3}),
    "forest_pair": ("random_forest_classifier", "two", {"num_parallel_tree": 3}),
    "forest_trio": ("random_forest_classifier", "three", {"num_parallel_tree": 3}),
}


def fitted_models():
    """A database with a fitted model of each type, and hostile rows."""
    con = connect()
    con.execute(TRAINING)
    con.execute(HOSTILE)
    for name, (model_type, label, options) in MODELS.items():
        settings = {"model_type": model_type, "entity_cols": ["id"], **options}
        if label:
            settings |= {"labels": label, "data_split_method": "NO_SPLIT"}
        listed = f"{FEATURES}, {label}" if label else FEATURES
        fit(con, name, f"select {listed} from training", **settings)
    return con


@pytest.fixture(scope="module")
def con():
    con = fitted_models()
    # Infinities and NaN are left to the engines that have them; numbers beyond 1e15 to all.
    con.execute(
        f"create table shown as select {FEATURES} from training union all by name "
        f"select id + 1000 as id, x, n, colour, flag from hostile where id not in (3, 4, 5, 7)"
    )
    return con


def exported(con, name, dialect, table="shown"):
    store = find_model(con, name)
    return export_model(con, store, find_version(store, None), dialect, table)


def wanted(con, name):
    """Return what the stored function says, one list of values a row, by id."""
    _, label, _ = MODELS[name]
    found = rows(con, f"from {name}_predict('shown')" if name != "axes"
                 else "from axes_predict_with_input('shown')")  # fmt: skip
    result = {}
    for row in found:
        if name == "axes":
            values = [row[f"principal_component_{place}"] for place in (1, 2, 3)]
        elif label is None:
            values = [row["CENTROID_ID"], row["NEAREST_CENTROIDS_DISTANCE"][0]["DISTANCE"]]
        else:
            values = [row[f"predicted_{label}"]]
            values += [e["prob"] for e in (row.get(f"predicted_{label}_probs") or [])][::-1]
        result[row["id"]] = values
    return result


def check(con, name, answer):
    """Compare rows of (id, four features, answers ...) with the stored function."""
    expected = wanted(con, name)
    assert len(answer) == len(expected)
    for row in answer:
        for got, want in zip(row[5:], expected[row[0]], strict=True):
            if isinstance(want, str):
                assert got == want, (row, expected[row[0]])
            else:
                assert math.isclose(got, want, rel_tol=1e-9, abs_tol=1e-9), (row, want)


def shown(con):
    return con.execute(f"select {FEATURES} from shown").fetchall()


@pytest.mark.parametrize("name", MODELS)
def test_sqlite_gives_the_same(con, name):
    other = sqlite3.connect(":memory:")
    try:
        other.execute("select exp(1)")
    except sqlite3.OperationalError:
        pytest.skip("this SQLite was built without exp() and sqrt()")
    other.execute("create table shown (id integer, x real, n integer, colour text, flag integer)")
    other.executemany("insert into shown values (?, ?, ?, ?, ?)", shown(con))
    check(con, name, other.execute(exported(con, name, "sqlite")).fetchall())


@pytest.mark.parametrize("name", MODELS)
def test_duckdb_reads_its_own_export(con, name):
    check(con, name, con.execute(exported(con, name, "duckdb")).fetchall())


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake"])
@pytest.mark.parametrize("name", MODELS)
def test_every_dialect_parses_and_uses_no_list(con, name, dialect):
    query = exported(con, name, dialect)
    tree = sqlglot.parse_one(query, dialect=dialect)
    assert tree.find(sqlglot.exp.Array, sqlglot.exp.Lambda) is None
    assert "query_table" not in query
    assert not {node.name.lower() for node in tree.find_all(sqlglot.exp.Anonymous)} - {"tanh"}


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """Start a PostgreSQL of its own on a socket, if one is installed."""
    if not shutil.which("initdb") or not shutil.which("postgres"):
        pytest.skip("PostgreSQL's initdb and postgres are not installed")
    folder = tmp_path_factory.mktemp("postgres")
    own = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.getuid() == 0 else []
    if own:
        for part in [folder, *folder.parents]:
            if part.stat().st_uid == 0 and part != part.parent:
                part.chmod(part.stat().st_mode | 0o055)
        os.chown(folder, 65534, 65534)
    user = getpass.getuser()
    data = str(folder / "data")
    made = subprocess.run([*own, "initdb", "-D", data, "-U", user, "-A", "trust", "-N"],
                          capture_output=True, text=True)  # fmt: skip
    if made.returncode:
        pytest.skip(f"initdb does not work here: {made.stderr[-200:]}")
    server = subprocess.Popen(
        [*own, "postgres", "-D", data, "-k", str(folder), "-c", "listen_addresses=", "-F"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def ask(text):
        command = ["psql", "-h", str(folder), "-U", user, "-d", "postgres", "-At", "-F", "\t",
                   "-v", "ON_ERROR_STOP=1", "-P", "null=NULL", "-f", "-"]  # fmt: skip
        return subprocess.run(command, input=text, capture_output=True, text=True)

    for _ in range(400):
        if ask("select 1").returncode == 0:
            break
    yield ask
    server.terminate()
    server.wait()


def test_postgres_gives_the_same(con, postgres):
    def literal(value):
        if isinstance(value, str):
            return "'" + value.replace("'", "''") + "'"
        return "null" if value is None else str(value)

    values = ", ".join(f"({', '.join(map(literal, row))})" for row in shown(con))
    made = postgres(
        "create table shown (id int, x double precision, n bigint, colour text, flag boolean);"
        f"insert into shown values {values};"
    )
    assert made.returncode == 0, made.stderr
    for name in MODELS:
        found = postgres(exported(con, name, "postgres") + ";")
        assert found.returncode == 0, (name, found.stderr)
        answer = []
        for line in found.stdout.splitlines():
            parts = line.split("\t")
            answer.append([int(parts[0]), *parts[1:5], *map(_read, parts[5:])])
        check(con, name, answer)


def _read(value):
    try:
        return float(value)
    except ValueError:
        return value


def test_spark_gives_the_same(con):
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    spark = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = spark.getOrCreate()
    schema = "id int, x double, n long, colour string, flag boolean"
    session.createDataFrame(shown(con), schema).createOrReplaceTempView("shown")
    for name in MODELS:
        answer = [tuple(row) for row in session.sql(exported(con, name, "spark")).collect()]
        check(con, name, answer)
    session.stop()


def test_the_command_writes_a_file_and_names_what_it_does_not_know(tmp_path, capsys):
    import duckdb

    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as own:
        own.execute(TRAINING)
        fit_here = {"model_type": "linear_reg", "labels": "y", "entity_cols": ["id"]}
        from martlet.fit import ModelSpec, fit_model

        fit_model(own, ModelSpec("line", f"select {FEATURES}, y from training", fit_here,
                                 database="shop"))  # fmt: skip
    target = tmp_path / "line.sql"
    (tmp_path / "dbt_project.yml").write_text("name: shop")
    common = ["--database", str(path), "--project-dir", str(tmp_path)]
    arguments = ["export", "line", "--dialect", "BigQuery", "--table", "shop.customers", *common]
    assert cli.main([*arguments, "-o", str(target)]) == 0
    text = target.read_text()
    assert "FLOAT64" in text
    assert "shop.customers" in text
    assert cli.main(["export", "line", "--dialect", "oracle", *common]) == 2
    assert "dialect 'oracle'" in capsys.readouterr().err


def test_what_other_engines_lack_is_named(con):
    con.execute("create table tagged as select i as id, ['a', 'b' || i % 3] as tags, i % 3 as y "
                "from range(300) as r(i)")  # fmt: skip
    fit(con, "tags", "select tags, y from tagged", model_type="linear_reg", labels="y")
    with pytest.raises(MartletError, match="cannot be exported"):
        exported(con, "tags", "postgres")
    assert np.isfinite(rows(con, "from tags_evaluate()")[0]["mean_absolute_error"])
