"""Where DuckDB and Spark read the same text differently: each trap, and how the project avoids it.

Every case runs on DuckDB and on Sail. The way the project writes it gives one answer; the text that
looks right gives two, or an error: a case whose trap is gone fails and can be forgotten.

``make test-sail`` and ``make test-spark`` make the environments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pytest

from martlet.spark.translate import spark_functions
from spark_support import ENGINE, needs_engine, started
from support import PROJECT

pytestmark = needs_engine

Writer = Callable[[str], str]


def macro(name: str, *arguments: Any) -> Writer:
    """Return what a macro of macros/portable writes for an engine."""

    def write(engine: str) -> str:
        environment = jinja2.Environment(extensions=["jinja2.ext.do"])
        text = "\n".join(p.read_text() for p in sorted((PROJECT / "macros/portable").glob("*.sql")))
        module: list[Any] = []

        def dispatch(macro_name: str, package: str) -> Any:
            own = getattr(module[0], f"{engine}__{macro_name}", None)
            return own or getattr(module[0], f"default__{macro_name}")

        environment.globals |= {
            "adapter": SimpleNamespace(dispatch=dispatch),
            "return": lambda value: value,
            "var": lambda _: "UTC",
        }
        module.append(environment.from_string(text).module)
        return f"select {str(getattr(module[0], name)(*arguments)).strip()} as x"

    return write


def scored(expression: str) -> Writer:
    """Return what the stored function of a model becomes."""

    def write(engine: str) -> str:
        if engine == "duckdb":
            return f"select {expression} as x"
        made = spark_functions({"f": [f"() as table (select {expression} as x)"]}, "m_v1_")
        return made["f_stored"].query

    return write


def same(text: str) -> Writer:
    """Return one text for both engines."""
    return lambda engine: text


VALUES = "(select cast(1.01 as decimal(10, 2)) as v union all select cast(1.02 as decimal(10, 2)))"
MISSING = "(select 1 as v union all select null union all select 2)"
ALMOST = "(select 4.999999999999999e-2 as v)"
#: Name: how the project writes it, and the text that gives two answers.
CASES: dict[str, tuple[Writer, Writer]] = {
    "logarithm": (same("select ln(100e0) as x"), same("select log(100e0) as x")),
    "day of the week": (
        scored("extract(dow from date '2026-11-23')"),
        same("select dayofweek(date '2026-11-23') as x"),
    ),
    "logarithm of gamma": (
        scored("lgamma(0.001) + lgamma(2.5) + lgamma(9.25) + lgamma(123.4)"),
        same("select lgamma(2.5e0) as x"),
    ),
    "last of a list": (scored("[4, 5, 6][-1]"), same("select [4, 5, 6][-1] as x")),
    "NULL order": (
        same(f"select v as x from {MISSING} as t order by v nulls last limit 1"),
        same(f"select v as x from {MISSING} as t order by v limit 1"),
    ),
    "concat with NULL": (
        same("select concat('a', coalesce(cast(null as string), '')) as x"),
        same("select concat('a', cast(null as string)) as x"),
    ),
    "integer division": (
        same("select cast(floor(7 / cast(2 as double)) as bigint) as x"),
        same("select 7 // 2 as x"),
    ),
    "median of decimals": (
        same(f"select round(median(cast(v as double)), 9) as x from {VALUES} as t"),
        same(f"select round(cast(median(v) as double), 9) as x from {VALUES} as t"),
    ),
    "first match of a pattern": (
        macro("text_replace_all", "'aXbX'", "X", "-"),
        same("select regexp_replace('aXbX', 'X', '-') as x"),
    ),
    "quote within a text": (
        same("select concat('a', chr(39), 'b') as x"), same("select 'a''b' as x"),
    ),
    "share beside a decimal": (
        same(f"select case when v >= 0.05e0 then 1 else 0 end as x from {ALMOST} as t"),
        same(f"select case when v >= 0.05 then 1 else 0 end as x from {ALMOST} as t"),
    ),
    "hash is no negative number": (
        lambda engine: macro("hash_number", "'P9'")(engine).replace("select", "select 0 <=", 1),
        lambda engine: f"select 0 <= {'xxhash64' if engine == 'spark' else 'hash'}('P9') as x",
    ),
    "quoted names": (
        same("select v as x from (select 1 as v) as t"),
        same('select "v" as x from (select 1 as v) as t'),
    ),
    "decimal constants": (
        same("select 1e0 / 3e0 as x"), same("select cast(1.0 / 3.0 as double) as x"),
    ),
    "long hexadecimal numbers": (
        macro("hex_number", "'123456789abcdef'"),
        lambda engine: macro("hex_number", "'123456789abcdef'")(engine).replace("15, ", "8, "),
    ),
    "inner product": (
        macro("inner_product", "l", "m"),
        same("select list_inner_product(l, m) as x"),
    ),
}  # fmt: skip
SOURCES = {
    "inner product": {
        "duckdb": " from (select [1e0, 2e0] as l, [3e0, 4e0] as m) as t",
        "spark": " from (select array(1e0, 2e0) as l, array(3e0, 4e0) as m) as t",
    },
}


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session."""
    with started(tmp_path_factory.mktemp("engine")) as session:
        yield session


def answers(name: str, write: Writer, spark: Any) -> tuple[Any, Any]:
    """Return what both engines answer; an error is an answer too."""
    found = []
    for engine, ask in (
        ("duckdb", lambda text: duckdb.sql(text).fetchall()[0][0]),
        ("spark", lambda text: spark.sql(text).collect()[0][0]),
    ):
        sources = SOURCES.get(name, {})
        text = write(engine) + sources.get(engine, sources.get("", ""))
        try:
            value = ask(text)
        except Exception as error:
            value = f"error: {type(error).__name__}"
        found.append(round(value, 9) if isinstance(value, float) else value)
    return found[0], found[1]


@pytest.mark.parametrize("name", CASES)
def test_both_engines_read_it_alike(name: str, spark: Any) -> None:
    ours, theirs = answers(name, CASES[name][0], spark)
    assert ours == theirs
    assert not str(ours).startswith("error")


#: Traps that Spark itself does not have.
OF_SAIL = {"share beside a decimal"}


@pytest.mark.parametrize("name", sorted(set(CASES) - (OF_SAIL if ENGINE == "spark" else set())))
def test_the_trap_is_still_there(name: str, spark: Any) -> None:
    ours, theirs = answers(name, CASES[name][1], spark)
    assert ours != theirs


def test_models_do_not_step_into_the_traps() -> None:
    """What can be seen in the text of a model is looked for there."""
    wrong = []
    for path in sorted((PROJECT / "models").rglob("*.sql")):
        if path.is_relative_to(PROJECT / "models/exports"):
            continue
        text = re.sub(r"--.*|\{#.*?#\}|'[^']*'", "", path.read_text())
        for trap in (r"\blog\(", r"\bdayofweek\(", r"\bregexp_replace\(", r" // ", r" div "):
            if re.search(trap, text):
                wrong.append(f"{path.name}: {trap}")
        if re.search(r"\w''\w", path.read_text()):
            wrong.append(f"{path.name}: a quote within a text")
        wrong += [
            f"{path.name}: {found}"
            for found in re.findall(r"\bmedian\((?!cast\()[^)]*\)", text)
            if "double" not in text
        ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(ENGINE == "spark", reason="Spark merges into Delta, which is a jar of its own")
def test_rows_are_removed_by_a_query_on_both(spark: Any) -> None:
    """What the sessions of a second build need: Sail deletes nothing by a subquery, but merges."""
    rows = "select 1 as k, 'a' as v union all select 2, 'b' union all select 2, 'c'"
    gone = "select k from going union all select k from going"
    spark.sql("create schema if not exists kept")
    spark.sql(f"create table kept.rows_of using delta as {rows} union all select 3, 'd'")
    spark.sql("create or replace temp view going as select 2 as k union all select 9")
    write = macro("delete_matching", "kept.rows_of", "k", gone)("spark")
    spark.sql(write.removeprefix("select ").removesuffix(" as x"))
    theirs = [tuple(row) for row in spark.sql("select * from kept.rows_of order by k").collect()]
    with duckdb.connect() as con:
        con.execute(
            f"create schema kept; create table kept.rows_of as {rows} union all select 3, 'd'"
        )
        con.execute("create view going as select 2 as k union all select 9")
        write = macro("delete_matching", "kept.rows_of", "k", gone)("duckdb")
        con.execute(write.removeprefix("select ").removesuffix(" as x"))
        ours = con.execute("select * from kept.rows_of order by k").fetchall()
    assert ours == theirs == [(1, "a"), (3, "d")]
    with pytest.raises(Exception, match="(?i)subquery"):
        spark.sql("delete from kept.rows_of where k in (select k from going)")
