"""Statements in the manner of public labs and notebooks: none may be lost, and they run."""

# ruff: noqa: E501  (cases read best on one line)

from __future__ import annotations

import duckdb
import pytest

from bqml_support import FIXTURES, build, connect
from martlet.bqml import Conversion, convert
from martlet.bqml.report import Kind

FILES = sorted((FIXTURES / "published").glob("*.sql"))
#: What cannot be carried over, by file.
MISSING = {
    # Written whole, but there is no such type yet.
    "forecasting": [
        *("ML.ARIMA_COEFFICIENTS", "ML.ARIMA_EVALUATE", "ML.EXPLAIN_FORECAST"),
        *("ML.FORECAST", "ML.FORECAST", "ML.HOLIDAY_INFO"),
        "custom_holiday of CREATE MODEL",
        *("model_type 'arima_plus'", "model_type 'arima_plus'"),
    ],
    "mixed": ["ML.RECONSTRUCTION_LOSS", "model_type 'autoencoder'"],
    "rfm": ["DECLARE as_of", "DECLARE k", "SET as_of"],
}
#: Files whose tables are in schema/published.sql.
RUN = ("functions", "ga4_sessions", "gaming", "rfm")


@pytest.fixture(scope="module")
def conversions() -> dict[str, Conversion]:
    return {path.stem: convert({path.name: path.read_text(encoding="utf-8")}) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_but_the_named_is_lost(path, conversions) -> None:
    conversion = conversions[path.stem]
    lost = [note.text for note in conversion.report.notes if note.kind is Kind.MISSING]
    wanted = MISSING.get(path.stem, [])
    assert len(lost) == len(wanted), lost
    assert all(text.startswith(want) for text, want in zip(sorted(lost), wanted, strict=True))
    assert all(file.enabled for file in conversion.files)


def test_the_corpus_is_large(conversions) -> None:
    assert sum(len(conversion.files) for conversion in conversions.values()) >= 90


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    connection = connect()
    connection.execute((FIXTURES / "schema" / "published.sql").read_text(encoding="utf-8"))
    return connection


@pytest.mark.parametrize("name", RUN)
def test_what_comes_out_runs(name, conversions, database) -> None:
    build(database, conversions[name])


def run(database: duckdb.DuckDBPyConnection, expression: str) -> object:
    """Convert one expression and return its value on DuckDB."""
    (file,) = convert({"one.sql": f"SELECT {expression} AS value"}).files
    sql = file.text.split("}}", 1)[1]
    return database.execute(sql).fetchall()[0][0]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("RANGE_BUCKET(20, [0, 10, 20, 30])", 3),
        ("RANGE_BUCKET(-1, [0, 10])", 0),
        ("ARRAY_LAST([1, 2, 3])", 3),
        ("SAFE_ADD(9223372036854775807, 1)", None),
        ("NULLIFZERO(0)", None),
        ("LAX_INT64(JSON '\"12\"')", 12),
        ("CAST(TIMESTAMP '2021-03-04 05:06:07' AS STRING FORMAT 'DD MON YYYY HH24:MI')", "04 Mar 2021 05:06"),
        ("SAFE_CAST('nonsense' AS DATE FORMAT 'YYYY-MM-DD')", None),
        ("CAST(TIMESTAMP_TRUNC(TIMESTAMP '2021-03-04 05:06:07', WEEK) AS STRING)", "2021-02-28 00:00:00+00"),
        ("CAST(TIMESTAMP_TRUNC(TIMESTAMP '2021-03-04 05:06:07', WEEK(TUESDAY)) AS STRING)", "2021-03-02 00:00:00+00"),
        ("CAST(TIMESTAMP_TRUNC(TIMESTAMP '2021-03-04 05:06:07', HOUR) AS STRING)", "2021-03-04 05:00:00+00"),
        ("CAST(EXTRACT(TIME FROM TIMESTAMP '2021-03-04 05:06:07') AS STRING)", "05:06:07"),
        ("BYTE_LENGTH('h\u00e9')", 3),
        ("(SELECT AS STRUCT s.* FROM (SELECT 1 AS a, 'x' AS b) AS s)", {"a": 1, "b": "x"}),
    ],
)  # fmt: skip
def test_functions_give_bigquerys_value(database, expression, expected) -> None:
    assert run(database, expression) == expected


def test_a_javascript_function_is_named_and_its_query_switched_off() -> None:
    script = (
        'CREATE TEMP FUNCTION f(x INT64) RETURNS INT64 LANGUAGE js AS r"return x;"; SELECT f(1);'
    )
    conversion = convert({"js.sql": script})
    assert [file.enabled for file in conversion.files] == [False]
    assert any("not SQL" in note.text for note in conversion.report.notes)


def test_one_statement_that_cannot_be_read_does_not_take_the_others(monkeypatch) -> None:
    import sys

    module = sys.modules["martlet.bqml.convert"]

    original = module.finish

    def odd(query, *rest):
        if "odd" in query.sql():
            raise KeyError("odd")
        return original(query, *rest)

    monkeypatch.setattr(module, "finish", odd)
    conversion = convert({"two.sql": "SELECT odd FROM t;\nSELECT 1 AS one;"})
    assert [file.line for file in conversion.files] == [2]
    (lost,) = [note for note in conversion.report.notes if note.kind is Kind.MISSING]
    assert lost.line == 1
