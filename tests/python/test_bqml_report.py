"""What cannot be carried over is named, with its line, and leaves the rest working."""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import pytest
import yaml

from bqml_support import Doubles
from martlet.bqml import Conversion, Settings, convert
from martlet.bqml.cli import add_arguments, run
from martlet.bqml.render import sources_file
from martlet.errors import MartletError


def notes(sql: str) -> list[str]:
    """Report of one file, without the file's name."""
    return [line.removeprefix("f.sql:") for line in convert({"f.sql": sql}).report.lines()]


def texts(conversion: Conversion) -> dict[str, str]:
    return {file.name: file.text for file in conversion.files}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DECLARE x INT64;", "2: not carried over: DECLARE x"),
        ("SET x = 3;", "2: not carried over: SET x"),
        ("SET (x, y) = (1, 2);", "2: not carried over: SET (x, y)"),
        ("IF a THEN SELECT 1; SELECT 2; END IF;", "2: not carried over: IF block"),
        ("WHILE a DO SELECT 1; END WHILE;", "2: not carried over: WHILE block"),
        ("INSERT INTO a.b VALUES (1);", "2: not carried over: INSERT INTO"),
        ("MERGE a.t USING s ON TRUE WHEN MATCHED THEN DELETE;", "2: not carried over: MERGE A"),
        ("EXPORT MODEL a.m OPTIONS(uri='x');", "2: not carried over: EXPORT MODEL"),
        ("ALTER MODEL a.m SET OPTIONS(x=1);", "2: not carried over: ALTER MODEL"),
        ("EXECUTE IMMEDIATE 'SELECT 1';", "2: not carried over: EXECUTE IMMEDIATE"),
        ("CREATE PROCEDURE a.p() BEGIN SELECT 1; END;", "2: not carried over: CREATE PROCEDURE"),
        ("CREATE TABLE a.t (x INT64);", "2: not carried over: CREATE TABLE without a query"),
        (
            "CREATE FUNCTION a.f(x STRING) RETURNS STRING LANGUAGE js AS 'return x';",
            "2: not carried over: function f is not SQL",
        ),
        ("SELECT * FROM t WHERE;", "2: not carried over: cannot be read near"),
        ("SELECT\n NET.HOST(u) FROM a.t;", "3: not carried over: function NET.HOST"),
        ("SELECT 1,\n OWN_THING(u) FROM a.t;", "3: not carried over: function OWN_THING"),
        (
            "SELECT *\nFROM ML.GENERATE_TEXT(MODEL a.m, TABLE a.t, STRUCT(1 AS x));",
            "3: not carried over: ML.GENERATE_TEXT has no counterpart",
        ),
        (
            "SELECT * FROM ML.PREDICT(MODEL a.m, TABLE a.t, STRUCT(RAND() AS threshold));",
            "2: not carried over: ML.PREDICT: the argument RAND() is not a constant",
        ),
        (
            "SELECT * FROM ML.PREDICT(MODEL a.m, TABLE a.t, STRUCT(3 AS trial_id));",
            "2: not carried over: ML.PREDICT: the option trial_id",
        ),
        (
            "CREATE MODEL a.m OPTIONS(model_type='automl_classifier') AS SELECT 1 AS x;",
            "2: not carried over: model_type 'automl_classifier' has no counterpart",
        ),
        (
            "CREATE MODEL a.m OPTIONS(model_type='tensorflow', model_path='gs://x');",
            "2: not carried over: model_type 'tensorflow' has no counterpart",
        ),
        (
            "CREATE MODEL a.m REMOTE WITH CONNECTION `us.c` OPTIONS(endpoint='e');",
            "2: not carried over: CREATE MODEL ... REMOTE",
        ),
        (
            "SELECT * FROM a.t FOR SYSTEM_TIME AS OF TIMESTAMP '2021-01-01';",
            "2: not carried over: FOR SYSTEM_TIME AS OF",
        ),
        ("DROP MODEL IF EXISTS a.m;", "2: note: DROP MODEL: left out"),
        ("CREATE SCHEMA IF NOT EXISTS a;", "2: note: CREATE SCHEMA: left out"),
        ("SELECT FARM_FINGERPRINT(x) FROM a.t;", "2: changed: FARM_FINGERPRINT"),
        ("SELECT * FROM a.t WHERE x = @least;", "2: changed: query parameter @least"),
        ("SELECT * FROM ML.WEIGHTS(MODEL a.m);", "2: note: model a.m is not created"),
    ],
)
def test_is_named_and_the_rest_works(statement: str, expected: str) -> None:
    sql = f"SELECT 1 AS before_it;\n{statement}\nSELECT 2 AS after_it;"
    assert [line for line in notes(sql) if line.startswith(expected)], notes(sql)
    whole = " ".join(texts(convert({"f.sql": sql})).values())
    assert "before_it" in whole
    assert "after_it" in whole


def test_a_missing_semicolon_is_seen() -> None:
    sql = "SELECT 1 AS a\nLIMIT 5\n\n-- next\nWITH t AS (SELECT 2 AS b)\nSELECT b\nFROM t"
    files = convert({"f.sql": sql}).files
    assert [file.line for file in files] == [1, 5]
    assert "-- next\nWITH t AS" in files[1].text
    assert notes(sql) == ["5: note: read as a new statement: a semicolon is missing before"]


def test_an_unreadable_statement_is_one_statement() -> None:
    sql = "CREATE TABLE a.t AS\nSELECT 1 UNION ALL\nSELECT x FROM\nWHERE y"
    assert convert({"f.sql": sql}).files == []
    assert len(notes(sql)) == 1


def test_named_columns_of_a_view_are_kept() -> None:
    (file,) = convert({"f.sql": "CREATE VIEW a.v(x, y) AS SELECT 1, 2"}).files
    with duckdb.connect() as connection:
        cursor = connection.execute(Doubles().render(file.text))
        assert [column[0] for column in cursor.description] == ["x", "y"]


def test_variables_are_written_where_they_are_used() -> None:
    sql = (
        "DECLARE since DATE DEFAULT '2021-01-01';\nDECLARE top INT64;\nSET top = 2 + 1;\n"
        "SELECT x FROM a.t WHERE d >= since AND x < top;"
    )
    (text,) = texts(convert({"f.sql": sql})).values()
    assert "d >= CAST('2021-01-01' AS DATE)" in text
    assert "x < CAST(2 + 1 AS BIGINT)" in text


def test_a_variable_without_known_value_is_named_where_it_is_used() -> None:
    sql = "DECLARE a, b INT64;\nSET (a, b) = (SELECT AS STRUCT 1, 2);\nSELECT a + 1;"
    assert "3: not carried over: the value of variable a" in notes(sql)


def test_models_that_duckdb_would_refuse_are_disabled_and_not_referred_to() -> None:
    sql = "CREATE TABLE a.t AS SELECT NET.HOST(u) AS h FROM a.raw;\nSELECT * FROM a.t;"
    conversion = convert({"f.sql": sql})
    table, query = conversion.files
    assert not table.enabled
    assert "enabled=false" in table.text
    assert query.enabled
    assert "source('a', 't')" in query.text


def test_names_refer_to_what_was_created_last() -> None:
    sql = (
        "CREATE TABLE a.t AS SELECT 1 AS x;\n"
        "CREATE OR REPLACE TABLE a.t AS SELECT x + 1 AS x FROM a.t;\n"
        "SELECT * FROM `p.a.t`;\nSELECT * FROM b.t;"
    )
    files = texts(convert({"f.sql": sql}))
    assert "ref('t')" in files["t_2"]
    assert "ref('t_2')" in files["f_01_query"]
    assert "source('b', 't')" in files["f_02_query"]


def test_files_refer_to_each_other_in_any_order_but_never_in_circles() -> None:
    first = (
        "SELECT * FROM ML.PREDICT(MODEL a.m, TABLE a.late);"
        "CREATE TABLE a.early AS SELECT * FROM a.late;"
    )
    second = (
        "CREATE MODEL a.m OPTIONS(model_type='pca') AS SELECT * FROM a.early;"
        "CREATE TABLE a.late AS SELECT * FROM a.early;"
    )
    files = texts(convert({"one.sql": first, "two.sql": second}))
    assert "ml_predict(ref('m'), ref('late'))" in files["one"]
    assert "source('a', 'late')" in files["early"]
    assert "ref('early')" in files["late"]
    assert "ref('early')" in files["m"]


def test_ctes_hide_tables_of_their_name() -> None:
    sql = (
        "WITH t AS (SELECT * FROM a.t), u AS (SELECT * FROM t) "
        "SELECT t.x FROM t JOIN u ON t.x = u.x;"
    )
    (text,) = texts(convert({"f.sql": sql})).values()
    assert text.count("source(") == 1


def test_query_argument_joins_the_ctes_it_reads() -> None:
    sql = (
        "WITH big AS (SELECT * FROM a.t WHERE x > 1),\n"
        "hits AS (SELECT * FROM ML.PREDICT(MODEL a.m, (SELECT x FROM big WHERE x < 9)))\n"
        "SELECT * FROM hits"
    )
    (text,) = texts(convert({"f.sql": sql})).values()
    assert text.index("big AS") < text.index("predict_input AS") < text.index("hits AS")


def test_calls_inside_calls_get_their_own_ctes() -> None:
    sql = (
        "SELECT * FROM ML.EVALUATE(MODEL a.m, (SELECT predicted_y AS y, x FROM "
        "ML.PREDICT(MODEL a.m, (SELECT x + 1 AS x FROM a.t)))), "
        "ML.EVALUATE(MODEL a.m, (SELECT y FROM a.u WHERE y > 1))"
    )
    (text,) = texts(convert({"f.sql": sql})).values()
    assert text.index("predict_input AS") < text.index("evaluate_input AS")
    assert "evaluate_input_2 AS" in text


def test_texts_that_look_like_jinja_stay_texts() -> None:
    sql = "SELECT '{{ x }}' AS a, '{% if %}' AS b, '{#' AS c /* {{ y }} */ FROM a.t -- {% z %}"
    (file,) = convert({"f.sql": sql}).files
    assert "'{{ x }}' AS a" in Doubles().render(file.text)


def test_sources_are_declared() -> None:
    sql = (
        "SELECT * FROM `p-1.Raw Data.Orders`;"
        "SELECT * FROM p2.web.visits; SELECT * FROM p3.web.visits"
    )
    names = convert({"f.sql": sql}, Settings(schemas={"p2.web": "landing"})).names
    document = yaml.safe_load(sources_file(names) or "")
    assert {s["name"]: s["schema"] for s in document["sources"]} == {
        "raw_data": "raw_data",
        "web": "landing",
        "p3__web": "web",
    }
    tables = {s["name"]: s["tables"] for s in document["sources"]}
    assert tables["raw_data"] == [{"name": "orders", "identifier": "Orders"}]


def test_macros_may_be_in_a_package() -> None:
    (file,) = convert(
        {"f.sql": "SELECT * FROM ML.WEIGHTS(MODEL a.m)"}, Settings(package="martlet")
    ).files
    assert "{{ martlet.ml_weights(source('a', 'm')) }}" in file.text


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["convert", *words])


def test_command_writes_files_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "lab.sql"
    script.write_text("CREATE TABLE a.t AS SELECT * FROM b.raw;\nINSERT INTO a.t VALUES (1);\n")
    output = tmp_path / "models"
    words = [str(script), "--output", str(output), "--dataset-map", "b=landing"]
    assert run(arguments(*words)) == 0
    printed = capsys.readouterr().out
    assert f"{script}:2: not carried over: INSERT INTO" in printed
    assert sorted(path.name for path in output.iterdir()) == ["_bigquery__sources.yml", "t.sql"]
    assert "schema: landing" in (output / "_bigquery__sources.yml").read_text()
    # Its own files are replaced, and --strict minds what is missing.
    assert run(arguments(*words, "--strict")) == 1


def test_command_fails_when_nothing_can_be_converted(tmp_path: Path) -> None:
    script = tmp_path / "lab.sql"
    script.write_text("INSERT INTO a.t VALUES (1);")
    assert run(arguments(str(script), "--output", str(tmp_path / "models"))) == 1
    assert not (tmp_path / "models").exists()


def test_somebodys_own_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "t.sql").write_text("select 1")
    script = tmp_path / "in" / "lab.sql"
    script.parent.mkdir()
    script.write_text("CREATE TABLE a.t AS SELECT 1 AS x, 2 AS y FROM b.c")
    with pytest.raises(MartletError, match="not written by this command"):
        run(arguments(str(script.parent), "--output", str(tmp_path)))
    assert (tmp_path / "t.sql").read_text() == "select 1"
    assert not (tmp_path / "_bigquery__sources.yml").exists()


@pytest.mark.parametrize("words", [["missing.sql"], [".", "--dataset-map", "oops"]])
def test_mistakes_in_the_call_are_told(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(MartletError):
        run(arguments(*[str(tmp_path / words[0]), *words[1:]]))


@pytest.mark.parametrize("sql", ["", ";;", "-- nothing\n", "SELECT 'open", "SELECT (", "`"])
def test_nothing_to_read_is_no_crash(sql: str) -> None:
    assert convert({"f.sql": sql}).files == []
