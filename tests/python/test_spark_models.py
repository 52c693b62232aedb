"""Stored functions of fitted models say the same on Sail; what has no equal is refused by name.

``make test-sail`` and ``make test-spark`` make the environments.
"""

from __future__ import annotations

import json
import math

import pytest

from martlet.spark.round import Round
from martlet.spark.transfer import copy_table
from martlet.spark.translate import INPUT, spark_functions
from ml_support import rows
from spark_support import needs_engine, started
from test_export import FEATURES, MODELS, fitted_models

LABELLED = "from shown where y is not null and two is not null and three is not null"
#: Functions that are compared, beside predict.
MORE = ("explain_predict", "evaluate")


@pytest.fixture(scope="module")
def con():
    """One fitted model of each type, and rows to apply them to."""
    con = fitted_models()
    con.execute(
        f"create table shown as select {FEATURES}, y, two, three from training union all by name "
        f"select id + 1000 as id, x, n, colour, flag from hostile"
    )
    con.execute(f"create view labelled as {LABELLED}")
    return con


@pytest.fixture(scope="module")
def spark(tmp_path_factory, con):
    """A session with the same rows, and the companion tables that the functions read."""
    parts = con.execute(
        "select table_name from duckdb_tables() where contains(table_name, '__paths')"
    ).fetchall()
    with started(tmp_path_factory.mktemp("engine")) as session:
        session.sql("create schema if not exists main")
        for (part,) in parts:
            copy_table(session, con, "main", part)
        for name in ("shown", "labelled"):
            rows_there = session.createDataFrame(con.query(f"from {name}").to_arrow_table())
            rows_there.createOrReplaceTempView(name)
        yield session


def translated(con, name):
    version, text = con.execute(
        f"select model_version, functions from {name} where is_champion"
    ).fetchall()[0]
    return spark_functions(json.loads(text), f"{name}_v{version}_")


def query(made, table):
    text = made.query.replace(INPUT, table)
    for argument, value in made.defaults.items():
        text = text.replace(f"__martlet_argument_{argument}", value)
    return text


def same(ours, theirs):
    """Tell whether two values are the same, numbers within 1e-9."""
    if isinstance(ours, dict):
        return all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, float) and theirs is not None:
        if math.isnan(ours) or math.isinf(ours):
            return str(ours) == str(theirs)
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs


class TestOnAnEngine:
    pytestmark = needs_engine

    @pytest.mark.parametrize("name", MODELS)
    def test_every_type_predicts_the_same(self, con, spark, name):
        function = "predict_with_input" if name == "axes" else "predict"
        ours = {row["id"]: row for row in rows(con, f"from {name}_{function}('shown')")}
        answer = spark.sql(query(translated(con, name)[function], "shown")).toArrow().to_pylist()
        theirs = {row["id"]: row for row in answer}
        assert len(answer) == len(ours)
        for place, row in ours.items():
            for column, value in row.items():
                assert same(value, theirs[place][column]), (column, row, theirs[place])

    @pytest.mark.parametrize("name", [n for n, (_, label, _) in MODELS.items() if label])
    @pytest.mark.parametrize("function", MORE)
    def test_what_else_a_type_says_is_the_same_or_refused(self, con, spark, name, function):
        made = translated(con, name).get(function)
        if made is None or made.problem:
            pytest.skip(made.problem if made else "this type has no such function")
        ours = sorted(
            rows(con, f"from {name}_{function}('labelled')"), key=lambda row: row.get("id", 0)
        )
        answer = spark.sql(query(made, "labelled")).toArrow().to_pylist()
        theirs = sorted(answer, key=lambda row: row.get("id", 0))
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            for column, value in one.items():
                assert same(value, other[column]), (column, value, other[column])


def test_what_has_no_equal_is_refused_by_name():
    functions = {
        "predict": ["(input) as table (select jaccard(x, x) as y from query_table(input))"],
        "evaluate": [
            "(input) as table (select avg(y) as y from m_v1_predict(input))",
            "() as table (select 1.5 as y)",
        ],
        "lists": [
            "(input) as table (select list_reduce(x, lambda a, b: a + b) as y "
            "from query_table(input))"
        ],
    }
    made = spark_functions(functions, "m_v1_")
    assert made["predict"].problem == "jaccard() has no equal on Spark"
    assert made["evaluate"].problem == "jaccard() has no equal on Spark"
    assert "list_reduce" in made["lists"].problem.lower()
    assert made["evaluate_stored"].query == "SELECT 1.5e0 AS y"
    assert not made["lists"].query


def test_arguments_and_decimals_are_written_for_spark():
    text = "select x > threshold as y, [1, 2][i] as z, 0.1 * x as w from query_table(input) as r"
    functions = {"predict": [f"(input, threshold := 0.5) as table ({text})"]}
    made = spark_functions(functions, "m_v1_")["predict"]
    assert made.defaults == {"threshold": "0.5"}
    assert "x > __martlet_argument_threshold" in made.query
    assert "GET(ARRAY(1, 2), ((i) - 1))" in made.query
    assert "0.1e0" in made.query


def test_what_makes_rows_and_lists_is_written_for_spark():
    def spark(text):
        return spark_functions({"f": [f"(input) as table ({text})"]}, "m_v1_")["f"].query

    assert spark("select k, unnest([a, b]) as f, unnest([c, d]) as g from t") == (
        "SELECT k, __martlet_element.f, __martlet_element.g FROM (SELECT k, EXPLODE(ARRAY("
        "STRUCT(a AS f, c AS g), STRUCT(b AS f, d AS g))) AS __martlet_element FROM t) "
        "AS __martlet_rows_of"
    )
    assert "EXPLODE(TRANSFORM(ARRAY(1, 2), v -> CAST(v AS DOUBLE)))" in spark(
        "select cast(unnest([1, 2]) as double) as h from t"
    )
    assert "TRANSFORM(ARRAY_SORT(COLLECT_LIST(STRUCT(y AS k0, x AS v0))), e -> e.v0)" in spark(
        "select list(x order by y) as l from t"
    )
    assert "LEFT ANTI JOIN" in spark("select a.* from a anti join b on a.x = b.x")
    assert "SEQUENCE(3, 1, -1)" in spark("select range(3, 0, -1) as l from t")
    for text in (
        "select row_number() over () as n from t", "select t.* exclude (a) from t",
        "select a from t union all by name select b from t",
        "select * from a asof join b on a.x >= b.x", "select range(0, 9, 2) as l from t",
    ):  # fmt: skip
        assert not spark(text), text


def node(name, parents=(), kind="table", code=""):
    return {
        "name": name,
        "resource_type": "model",
        "config": {"materialized": kind},
        "depends_on": {"nodes": list(parents)},
        "original_file_path": f"models/{name}.sql",
        "raw_code": code,
    }


def test_the_round_leaves_to_duckdb_what_spark_cannot(tmp_path):
    done = Round(tmp_path, tmp_path, "sc://nowhere", None, {})
    done.nodes = {
        "features": node("features"),
        "fit": node("fit", ["features"], "model"),
        "scored": node("scored", ["fit", "features"], code="{{ ml_predict(ref('fit'), 'rows') }}"),
        "told": node("told", ["fit"], code="{{ ml_evaluate(ref('fit')) }}"),
        "mart": node("mart", ["scored"]),
    }
    done.done = {"features"}
    assert done._ready_fits() == {"fit"}
    done.done.add("fit")
    done.fitted.append("fit")
    done.problems["fit"] = {"predict": "lgamma() has no equal on Spark"}
    # What is stored needs no rows, so only the other function is missing.
    assert done._buildable() == {"told"}
    assert done._refused_ready() == {"scored"}
    result = {"unique_id": "told", "message": "Runtime Error\n  not there\n", "status": "error"}
    done._note_failure("spark", result)
    assert done._refused_ready() == {"scored", "told"}
    assert done.refused["told"] == "Runtime Error not there"
    done.done |= {"scored", "told"}
    done.sent += ["scored", "told"]
    assert done._buildable() == {"mart"}
    done._note_failure("dev", {"unique_id": "mart", "message": "x", "status": "error"})
    assert done.failed == ["mart"]
    assert "made on DuckDB: scored: predict of fit: lgamma()" in done.summary()
