"""What BigQuery's expressions give must be what the converted ones give."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import dbt_extractor
import duckdb
import jinja2
import pytest

from bqml_support import Doubles
from martlet.bqml import convert
from martlet.bqml.jinja import jinja

SUNDAY = "DATE '2021-01-03'"
STAMP = "TIMESTAMP '2021-03-06 23:45:10.250 UTC'"

CASES: list[tuple[str, Any]] = [
    # Parts of dates: Sunday is 1, weeks start on Sunday, days before the first one are week 0.
    (f"EXTRACT(DAYOFWEEK FROM {SUNDAY})", 1),
    ("EXTRACT(DAYOFWEEK FROM DATE '2021-01-09')", 7),
    ("EXTRACT(WEEK FROM DATE '2021-01-02')", 0),
    (f"EXTRACT(WEEK FROM {SUNDAY})", 1),
    ("EXTRACT(WEEK(MONDAY) FROM DATE '2021-01-03')", 0),
    ("EXTRACT(WEEK(MONDAY) FROM DATE '2021-01-04')", 1),
    ("EXTRACT(WEEK(WEDNESDAY) FROM DATE '2021-01-06')", 1),
    (f"EXTRACT(ISOWEEK FROM {SUNDAY})", 53),
    (f"EXTRACT(ISOYEAR FROM {SUNDAY})", 2020),
    ("EXTRACT(DAYOFYEAR FROM DATE '2021-02-01')", 32),
    (f"EXTRACT(DATE FROM {STAMP})", dt.date(2021, 3, 6)),
    (f"EXTRACT(SECOND FROM {STAMP})", 10),
    (f"EXTRACT(MILLISECOND FROM {STAMP})", 250),
    (f"EXTRACT(MICROSECOND FROM {STAMP})", 250000),
    (f"EXTRACT(HOUR FROM {STAMP} AT TIME ZONE 'Asia/Tokyo')", 8),
    # Arithmetic on dates stays a date.
    ("DATE_SUB(DATE '2021-03-31', INTERVAL 1 MONTH)", dt.date(2021, 2, 28)),
    ("DATE_ADD(DATE '2021-01-31', INTERVAL 2 WEEK)", dt.date(2021, 2, 14)),
    ("DATE '2021-01-31' + 1", dt.date(2021, 2, 1)),
    ("DATE_TRUNC(DATE '2021-03-10', MONTH)", dt.date(2021, 3, 1)),
    ("DATE_TRUNC(DATE '2021-03-10', WEEK)", dt.date(2021, 3, 7)),
    ("DATE_TRUNC(DATE '2021-03-10', WEEK(MONDAY))", dt.date(2021, 3, 8)),
    ("DATE_TRUNC(DATE '2021-03-07', ISOWEEK)", dt.date(2021, 3, 1)),
    ("LAST_DAY(DATE '2021-02-10')", dt.date(2021, 2, 28)),
    ("DATE_DIFF(DATE '2021-03-01', DATE '2021-02-27', DAY)", 2),
    ("DATE_DIFF(DATE '2021-03-07', DATE '2021-03-06', WEEK)", 1),
    ("DATE_DIFF(DATE '2021-03-07', DATE '2021-03-06', WEEK(MONDAY))", 0),
    ("DATE_DIFF(DATE '2021-03-01', DATE '2021-02-28', MONTH)", 1),
    ("DATE_DIFF(DATE '2022-01-01', DATE '2021-12-31', YEAR)", 1),
    # Timestamps: whole units, not crossed boundaries; datetimes: boundaries.
    ("TIMESTAMP_DIFF(TIMESTAMP '2021-01-01 01:00:00', TIMESTAMP '2021-01-01 00:30:00', HOUR)", 0),
    ("TIMESTAMP_DIFF(TIMESTAMP '2021-01-02 00:00:00', TIMESTAMP '2021-01-01 00:00:01', DAY)", 0),
    ("TIMESTAMP_DIFF('2021-01-03 00:00:00', '2021-01-01 00:00:00', DAY)", 2),
    ("DATETIME_DIFF(DATETIME '2021-01-01 01:00:00', DATETIME '2021-01-01 00:30:00', HOUR)", 1),
    ("EXTRACT(MINUTE FROM TIMESTAMP_TRUNC(TIMESTAMP '2021-01-01 01:59:00+00', HOUR))", 0),
    ("EXTRACT(HOUR FROM TIMESTAMP_ADD(TIMESTAMP '2021-01-01', INTERVAL 90 MINUTE))", 1),
    ("UNIX_SECONDS(TIMESTAMP '1970-01-02 00:00:01.9+00')", 86401),
    ("UNIX_MILLIS(TIMESTAMP '1970-01-01 00:00:01+00')", 1000),
    ("UNIX_DATE(DATE '1970-02-01')", 31),
    ("DATE(TIMESTAMP_MICROS(1604225000000000))", dt.date(2020, 11, 1)),
    ("DATE(TIMESTAMP_SECONDS(86400))", dt.date(1970, 1, 2)),
    ("DATE(2021, 2, 3)", dt.date(2021, 2, 3)),
    ("DATE(TIMESTAMP '2021-01-01 23:30:00+00', 'Asia/Tokyo')", dt.date(2021, 1, 2)),
    ("DATETIME(TIMESTAMP '2021-01-01 00:00:00+00', 'Asia/Tokyo')", dt.datetime(2021, 1, 1, 9)),
    ("DATETIME(2021, 1, 2, 3, 4, 5)", dt.datetime(2021, 1, 2, 3, 4, 5)),
    ("PARSE_DATE('%Y%m%d', '20210203')", dt.date(2021, 2, 3)),
    ("PARSE_DATE('%m/%d', '02/03')", dt.date(1970, 2, 3)),
    ("SAFE.PARSE_DATE('%Y%m%d', 'soon')", None),
    ("FORMAT_DATE('%Y-%m', DATE '2021-02-03')", "2021-02"),
    ("FORMAT_DATE('%A %b', DATE '2021-02-03')", "Wednesday Feb"),
    ("FORMAT_TIMESTAMP('%F %T', TIMESTAMP '2021-02-03 04:05:06+00')", "2021-02-03 04:05:06"),
    ("FORMAT_TIMESTAMP('%H', TIMESTAMP '2021-02-03 04:05:06+00', 'Asia/Tokyo')", "13"),
    ("DATE(PARSE_TIMESTAMP('%Y-%m-%d %H:%M:%S', '2021-02-03 04:05:06'))", dt.date(2021, 2, 3)),
    ("ARRAY_LENGTH(GENERATE_DATE_ARRAY('2021-01-01', '2021-01-31', INTERVAL 1 WEEK))", 5),
    ("CURRENT_DATETIME() > DATETIME '2021-01-01'", True),
    # Numbers.
    ("7 / 2", 3.5),
    ("SAFE_DIVIDE(1, 0)", None),
    ("SAFE_DIVIDE(1 + 2, 3 * 2) * 10", 5.0),
    ("1 / x", None),
    ("IEEE_DIVIDE(1, 0)", float("inf")),
    ("DIV(-7, 2)", -3),
    ("MOD(-7, 3)", -1),
    ("CAST(2.5 AS INT64)", 3),
    ("CAST(-2.5 AS INT64)", -3),
    ("CAST(7 / 2 AS INT64)", 4),
    ("CAST('42' AS INT64)", 42),
    ("SAFE_CAST('many' AS INT64)", None),
    ("CAST('1.23456' AS NUMERIC)", Decimal("1.234560000")),
    ("0.1 + 0.2", 0.1 + 0.2),
    ("ROUND(2.5)", 3.0),
    ("LOG(EXP(1.0))", 1.0),
    ("LOG(8, 2)", 3.0),
    ("GREATEST(1, NULL)", None),
    ("LEAST(1, 2)", 1),
    ("ABS(MOD(FARM_FINGERPRINT('a'), 10)) BETWEEN 0 AND 9", True),
    ("FARM_FINGERPRINT('a') = FARM_FINGERPRINT('b')", False),
    ("ST_DISTANCE(ST_GEOGPOINT(0, 0), ST_GEOGPOINT(0, 1)) BETWEEN 111194 AND 111196", True),
    # Texts.
    ("CONCAT('a', NULL)", None),
    ("CONCAT('a', 'b', 'c')", "abc"),
    ("REGEXP_CONTAINS('abc', r'b')", True),
    (r"REGEXP_EXTRACT('page=12', r'page=(\d+)')", "12"),
    (r"REGEXP_EXTRACT('none', r'page=(\d+)')", None),
    ("REGEXP_REPLACE('a-b-c', '-', '')", "abc"),
    ("FORMAT('%03d|%.1f|%s', 7, 2.25, 'x')", "007|2.2|x"),
    ("FORMAT('%t%%', 7)", "7%"),
    ("SPLIT('a,b')[OFFSET(1)]", "b"),
    ("LPAD('7', 3, '0')", "007"),
    ("INITCAP('red mug')", "Red Mug"),
    ("SUBSTR('abcdef', -3, 2)", "de"),
    ("TO_HEX(MD5('a'))", "0cc175b9c0f1b6a831c399e269772661"),
    ('JSON_EXTRACT_SCALAR(\'{"a": {"b": "x"}}\', \'$.a.b\')', "x"),
    ("'it\\'s ' || \"fine\"", "it's fine"),
    # Arrays and structs.
    ("[10, 20, 30][OFFSET(0)]", 10),
    ("[10, 20, 30][ORDINAL(1)]", 10),
    ("[10, 20][SAFE_OFFSET(5)]", None),
    ("[10, 20, 30][OFFSET(x)]", 10),
    ("[10, 20, 30][OFFSET(x + 1)]", 20),
    ("[10, 20, 30][ORDINAL(x + 1)]", 10),
    ("[10, 20, 30][1]", 20),
    ("(SELECT SUM([1, 2][OFFSET(i)]) FROM UNNEST(GENERATE_ARRAY(0, 1)) AS i)", 3),
    ("STRUCT(1 AS a, 'x' AS b).b", "x"),
    ("[STRUCT('no' AS label, 0.25 AS prob), ('yes', 0.75)][OFFSET(1)].prob", 0.75),
    ("ARRAY_LENGTH(GENERATE_ARRAY(1, 10, 3))", 4),
    ("GENERATE_ARRAY(0.1, 0.5, 0.2)", [0.1, 0.3, 0.5]),
    ("ARRAY(SELECT n * 2 FROM UNNEST([1, 2]) AS n ORDER BY n)", [2, 4]),
    ("2 IN UNNEST([1, 2])", True),
    (
        "ARRAY(SELECT AS STRUCT k, COUNT(*) AS n FROM UNNEST(['a', 'b', 'b']) AS k "
        "GROUP BY k ORDER BY n DESC)[OFFSET(0)].n",
        2,
    ),
    ("ARRAY_TO_STRING(['a', 'b'], '-')", "a-b"),
    ("IF(NULL, 1, 2)", 2),
    ("IFNULL(NULL, 5)", 5),
    ("COALESCE(NULLIF(1, 1), 4)", 4),
]

AGGREGATES: list[tuple[str, Any]] = [
    ("APPROX_QUANTILES(v, 4)[OFFSET(2)]", 3),
    ("APPROX_QUANTILES(v, 2)", [1, 3, 5]),
    ("ARRAY_AGG(v ORDER BY v DESC LIMIT 2)", [5, 4]),
    ("ARRAY_AGG(v ORDER BY v LIMIT 1)[OFFSET(0)]", 1),
    ("ARRAY_AGG(k IGNORE NULLS ORDER BY v)", ["a", "b", "b"]),
    ("ARRAY_AGG(DISTINCT k IGNORE NULLS ORDER BY k)", ["a", "b"]),
    ("STRING_AGG(k, '|' ORDER BY v)", "a|b|b"),
    ("STRING_AGG(CAST(v AS STRING), '' ORDER BY v DESC LIMIT 3)", "543"),
    ("APPROX_TOP_COUNT(k, 1)", [{"value": "b", "count": 2}]),
    ("ANY_VALUE(k HAVING MAX v)", None),
    ("ANY_VALUE(v HAVING MIN v)", 1),
    ("COUNTIF(v > 2)", 3),
    ("LOGICAL_OR(v > 4)", True),
    ("AVG(IF(k IS NULL, 1, 0)) * 5", 2.0),
    ("SUM(v) / COUNT(k)", 5.0),
    ("SUM(v) / SUM(v - v)", None),
    ("STDDEV(v)", pytest.approx(1.5811388300841898)),
    ("COUNT(DISTINCT k)", 2),
]


NUMBERS = """
create schema lab;
create table lab.numbers as
select * from (values (1, 'a'), (2, 'b'), (3, null), (4, 'b'), (5, null)) t (v, k);
"""


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("set TimeZone = 'UTC'")
        opened.execute(NUMBERS)
        yield opened


def value_of(connection: duckdb.DuckDBPyConnection, expression: str, source: str) -> Any:
    """Return the one value of an expression, converted and run."""
    conversion = convert({"case.sql": f"SELECT {expression} AS answer FROM {source}"})
    assert [file.enabled for file in conversion.files] == [True], conversion.report.notes
    row = connection.execute(Doubles().render(conversion.files[0].text)).fetchone()
    assert row is not None
    return row[0]


def check(value: Any, expected: Any) -> None:
    fractions = isinstance(expected, float) or (
        isinstance(expected, list) and isinstance(expected[0], float)
    )
    assert value == (pytest.approx(expected) if fractions else expected)
    if isinstance(expected, dt.date):
        assert type(value) is type(expected)


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_value_is_bigquerys(
    connection: duckdb.DuckDBPyConnection, expression: str, expected: Any
) -> None:
    check(value_of(connection, expression, "(SELECT 0 AS x)"), expected)


@pytest.mark.parametrize(("expression", "expected"), AGGREGATES)
def test_aggregate_is_bigquerys(
    connection: duckdb.DuckDBPyConnection, expression: str, expected: Any
) -> None:
    check(value_of(connection, expression, "lab.numbers"), expected)


def test_texts_of_a_config_are_read_alike_with_and_without_jinja() -> None:
    """dbt reads a plain config by itself and does not undo escapes; else it leaves it to Jinja."""
    read_without = dbt_extractor.py_extract_from_source
    for parts in itertools.product(["a", "'", '"', "\\", "\n", "{x}", "\r"], repeat=3):
        value = ["".join(parts), "z"]
        written = jinja(value)
        rendered = jinja2.Environment(autoescape=False).from_string(f"{{{{ f({written}) }}}}")
        assert rendered.render(f=repr) == repr(value)
        with contextlib.suppress(dbt_extractor.ExtractionError):
            found = read_without(f"{{{{ config(x={written}) }}}}")
            assert found["configs"] == [("x", value)]
    written = jinja(["ml_feature_cross({'a': a, 'b': b}) AS c"])
    assert read_without(f"{{{{ config(transform={written}) }}}}")["configs"]
