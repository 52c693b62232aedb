"""One query from BigQuery's dialect to the text of a dbt model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types

from martlet.bqml.calls import replace_calls
from martlet.bqml.check import judge
from martlet.bqml.dialect import BigQueryML
from martlet.bqml.duckdb_dialect import DbtDuckDB
from martlet.bqml.expressions import DbtRelation, MLTable, line_of
from martlet.bqml.names import Names, parts_of, reads_cte
from martlet.bqml.pivot import name_pivot_columns
from martlet.bqml.report import Kind, Report
from martlet.bqml.rewrite import (
    expand_group_aliases,
    order_structs,
    rewrite_unnest,
    single_quantiles,
    star_structs,
)
from martlet.bqml.scalars import write_out_scalars
from martlet.bqml.script import Statement
from martlet.bqml.wildcard import rewrite_wildcards

__all__ = ["Finished", "finish", "prepare", "uses_of"]

_CHANGED: dict[type[exp.Expr], str] = {
    exp.FarmFingerprint: "FARM_FINGERPRINT: DuckDB has no such hash; 64 bits of MD5 stand in, "
    "so rows fall into other parts of a split than in BigQuery",
    exp.StDistance: "ST_DISTANCE of two points is written out as great-circle distance",
    exp.ApproxQuantiles: "APPROX_QUANTILES is exact here",
    exp.ApproxTopK: "APPROX_TOP_COUNT is exact here and leaves NULL out",
}


class _Settings(Protocol):
    @property
    def package(self) -> str: ...

    @property
    def comments(self) -> bool: ...


@dataclass(frozen=True)
class Finished:
    """The text of a query, and whether DuckDB would take it."""

    sql: str
    runs: bool


def prepare(query: exp.Expr, statement: Statement, report: Report) -> exp.Expr:
    """Rewrite what DuckDB says differently, before names are given.

    Parameters
    ----------
    query : exp.Expr
        The query; changed in place.
    statement : Statement
        Where it comes from.
    report : Report
        Takes what is changed or missing.
    """

    def note(kind: Kind) -> Callable[[exp.Expr, str], None]:
        return lambda node, text: report.add(
            statement.file, line_of(node, statement.line), kind, text
        )

    for node in query.walk():
        text = _CHANGED.get(type(node))
        if text:
            note(Kind.CHANGED)(node, text)
        if isinstance(node, exp.Parameter):
            note(Kind.CHANGED)(
                node, f"query parameter @{node.name} is the dbt variable {node.name}"
            )
        if isinstance(node, exp.Table) and (node.args.get("version") or node.args.get("when")):
            note(Kind.MISSING)(node, "FOR SYSTEM_TIME AS OF: the table is read as it is now")
            node.set("version", None)
            node.set("when", None)
        if isinstance(node, exp.Table) and "INFORMATION_SCHEMA" in node.name.upper():
            note(Kind.MISSING)(node, f"{node.name} is BigQuery's own and not in DuckDB")
    wildcards = rewrite_wildcards(query, note(Kind.CHANGED))
    query.meta["wildcards"] = wildcards
    name_pivot_columns(query)
    single_quantiles(query)
    rewrite_unnest(query)
    expand_group_aliases(query)
    order_structs(query)
    return star_structs(query)


def uses_of(query: exp.Expr) -> set[tuple[bool, tuple[str, ...]]]:
    """Return the tables and models (true) a query reads, CTEs not counted.

    Parameters
    ----------
    query : exp.Expr
        A prepared query.
    """
    found = set()
    for table in query.find_all(exp.Table):
        if isinstance(table.this, MLTable):
            continue
        is_model = isinstance(table.parent, MLTable) and table.parent.args.get("model") is table
        if is_model or not reads_cte(table):
            found.add((is_model, parts_of(table)))
    return found


def finish(
    query: exp.Expr, statement: Statement, names: Names, settings: _Settings, report: Report
) -> Finished:
    """Give names and write the query.

    Parameters
    ----------
    query : exp.Expr
        A prepared query; changed in place.
    statement : Statement
        Where it comes from.
    names : Names
        What is created and what is not.
    settings : object
        Has `package` and `comments`.
    report : Report
        Takes what DuckDB would refuse.

    Raises
    ------
    UnknownFunctionError
        When an ML function has no macro.
    """
    wildcards: dict[tuple[str, ...], str] = query.meta.get("wildcards") or {}

    def relation(table: exp.Expr, is_model: bool) -> str:
        call, made = names.call(table, statement.order, is_model=is_model)
        if is_model and not made:
            where = line_of(table, statement.line)
            text = f"model {table.sql('bigquery')} is not created in these files: it is a source"
            report.add(statement.file, where, Kind.HINT, text)
        meaning = wildcards.get(parts_of(table))
        if meaning and not made:
            names.describe(call, meaning)
        return call

    prefix = f"{settings.package}." if settings.package else ""
    query = write_out_scalars(query)

    def missing(node: exp.Expr, text: str) -> None:
        report.add(statement.file, line_of(node, statement.line), Kind.MISSING, text)

    query = replace_calls(query, relation, prefix, missing, statement.line)
    _name_tables(query, relation)
    # A query without its types is right but for the rounding of casts.
    typed = annotate_types(query, dialect=BigQueryML)
    generator = DbtDuckDB().generator(
        pretty=True, comments=settings.comments, unsupported_level=ErrorLevel.IGNORE
    )
    try:
        sql = generator.generate(typed)
    except SqlglotError as error:
        _missing(report, statement, f"cannot be written for DuckDB: {error}")
        return Finished("", runs=False)
    runs = True
    for message in dict.fromkeys(generator.unsupported_messages):
        _missing(report, statement, message)
    verdict = judge(typed)
    if verdict.error:
        runs = False
        _missing(report, statement, f"DuckDB cannot read the result: {verdict.error}")
    for function in verdict.unknown:
        runs = False
        where = _line_of_word(statement, function)
        text = f"function {function} is not in DuckDB; its model is disabled"
        report.add(statement.file, where, Kind.MISSING, text)
    return Finished(sql, runs)


def _name_tables(query: exp.Expr, relation: Callable[[exp.Expr, bool], str]) -> None:
    columns = list(query.find_all(exp.Column))
    for table in list(query.find_all(exp.Table)):
        if not isinstance(table.this, (exp.Identifier, exp.Dot)) or reads_cte(table):
            continue
        name, dataset = table.name, table.db
        used = False
        for column in columns:
            if column.table.lower() == name.lower() and (not column.db or column.db == dataset):
                column.set("db", None)
                column.set("catalog", None)
                used = True
        if not table.alias and used:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
        call = relation(table, False)
        table.set("this", DbtRelation(this=call))
        table.set("db", None)
        table.set("catalog", None)


def _missing(report: Report, statement: Statement, text: str) -> None:
    report.add(statement.file, statement.line, Kind.MISSING, text)


def _line_of_word(statement: Statement, function: str) -> int:
    word = function.rpartition(".")[2].lower()
    for offset, line in enumerate(statement.text.splitlines()):
        if word in line.lower():
            return statement.line + offset
    return statement.line
