"""TRANSFORM: columns made from the raw ones, learned in training and replayed in every function.

A transform is a list of select items in DuckDB's SQL: ``*``, ``* exclude (a)``,
``* replace (...)``, ``expression as name``, ``struct.*``, with BigQuery ML's manual functions as
``ML.BUCKETIZE(x, [1, 2]) as x_bin`` or ``ml_bucketize(x, [1, 2]) as x_bin``. What they learn is put
into the expression as constants, so that the compiled columns need nothing but the raw ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from martlet.errors import MartletError
from martlet.options import nearest
from martlet.schema import check_names, find_column
from martlet.sqltext import ROWS, column, identifier, render
from martlet.transform_functions import FUNCTIONS, Call

__all__ = ["TransformedColumn", "learn_transform"]


@dataclass(frozen=True)
class TransformedColumn:
    """One column that a TRANSFORM makes.

    Attributes
    ----------
    name
        Its name.
    expression
        Its value over the raw columns.
    type
        Its DuckDB type.
    is_raw
        Whether it is a raw column passed on under its own name.
    """

    name: str
    expression: exp.Expr
    type: Any
    is_raw: bool


def learn_transform(
    con: duckdb.DuckDBPyConnection, rows: str, items: Any, names: Sequence[str]
) -> list[TransformedColumn]:
    """Compile a TRANSFORM, learning what its functions need from training rows.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the rows are.
    rows : str
        A query of the training rows.
    items : str or list of str
        The select items.
    names : sequence of str
        Columns of the rows.

    Returns
    -------
    list of TransformedColumn
        In the order of the items.

    Raises
    ------
    MartletError
        If an item cannot be read, is not allowed, or has no name.
    """
    made = [pair for item in _parsed(items) for pair in _expanded(item, names)]
    check_names([name for name, _ in made])
    raw = {
        name
        for name, value in made
        if isinstance(value, exp.Column) and value.name.lower() == name.lower()
    }
    compiled = _learned(con, rows, [_qualified(value, names) for _, value in made])
    listed = ", ".join(
        f"{render(value)} as {identifier(name)}"
        for (name, _), value in zip(made, compiled, strict=True)
    )
    try:
        relation = con.query(f"select {listed} from ({rows}) as {ROWS}")
    except duckdb.Error as error:
        raise MartletError(f"transform: {error}") from error
    return [
        TransformedColumn(name, value, kind, name in raw)
        for (name, _), value, kind in zip(made, compiled, relation.types, strict=True)
    ]


def _parsed(items: Any) -> list[exp.Expr]:
    texts = [items] if isinstance(items, str) else items
    if not isinstance(texts, list | tuple) or not all(isinstance(item, str) for item in texts):
        raise MartletError("Option 'transform' must be a list of select items.")
    parsed: list[exp.Expr] = []
    for item in texts:
        try:
            query = sqlglot.parse_one(f"select {item}", dialect="duckdb")
        except SqlglotError as error:
            hint = ""
            if "\\'" in item:
                hint = (
                    " There is a backslash before a quote: dbt keeps it in a config that needs no "
                    "Jinja. Write the item between double quotes instead."
                )
            raise MartletError(f"transform: cannot read '{item}': {error}{hint}") from error
        parsed += query.expressions
    return parsed


def _expanded(item: exp.Expr, names: Sequence[str]) -> list[tuple[str, exp.Expr]]:
    """Return name and value of what one item selects."""
    if isinstance(item, exp.Star):
        hidden = {node.name.lower() for node in item.args.get("except_") or []}
        for name in hidden:
            find_column(name, names, "transform: excluded column")
        replaced = {node.alias.lower(): node.this for node in item.args.get("replace") or []}
        for name in replaced:
            find_column(name, names, "transform: replaced column")
        return [
            (name, replaced.get(name.lower()) or exp.column(name, quoted=True))
            for name in names
            if name.lower() not in hidden
        ]
    if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
        # A struct's fields; they are flattened under the struct's name like any struct column.
        name = find_column(item.table, names, "transform:")
        return [(name, exp.column(name, quoted=True))]
    if isinstance(item, exp.Alias):
        return [(item.alias, item.this)]
    if isinstance(item, exp.Column):
        return [(item.name, item)]
    raise MartletError(f"transform: '{item.sql(dialect='duckdb')}' has no name: write ... as name.")


def _qualified(value: exp.Expr, names: Sequence[str]) -> exp.Expr:
    """Write the rows' name before every column, and refuse what a TRANSFORM may not hold."""
    if value.find(exp.Select, exp.Subquery):
        raise MartletError("transform: subqueries are not allowed; make the column in the query.")
    if found := value.find(exp.AggFunc):
        raise MartletError(
            f"transform: the aggregate '{found.sql(dialect='duckdb')}' is not allowed; "
            "make the column in the query."
        )

    def qualify(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            return node
        if isinstance(node.parent, exp.Lambda) or node.find_ancestor(exp.Lambda):
            return node
        if node.table:
            field = exp.column(exp.to_identifier(node.table, quoted=True), table=ROWS)
            find_column(node.table, names, "transform:")
            return exp.Dot(this=field, expression=exp.to_identifier(node.name, quoted=True))
        return column(find_column(node.name, names, "transform: column"))

    return value.copy().transform(qualify)


def _call(node: exp.Expr) -> str | None:
    """Return the name of a preprocessing function that a node calls, lower case."""
    if isinstance(node, exp.Dot) and node.this.name.lower() == "ml":
        name: str = node.expression.name.lower()
    elif isinstance(node, exp.Anonymous) and node.name.lower().startswith("ml_"):
        name = node.name.lower().removeprefix("ml_")
    else:
        return None
    if name not in FUNCTIONS:
        raise MartletError(
            f"transform: there is no function ML.{name.upper()}: {nearest(name, list(FUNCTIONS))}"
        )
    return name


def _learned(
    con: duckdb.DuckDBPyConnection, rows: str, values: Sequence[exp.Expr]
) -> list[exp.Expr]:
    """Replace calls by what they learn, innermost first, with one query for each depth."""
    holder: exp.Expr = exp.Tuple(expressions=[value.copy() for value in values])
    while True:
        found: list[tuple[exp.Expr, Call]] = []
        for node in holder.walk():
            name = _call(node)
            if name is None:
                continue
            inner = node.expression if isinstance(node, exp.Dot) else node
            arguments = inner.expressions
            if any(_call(part) for argument in arguments for part in argument.walk()):
                continue
            found.append((node, Call(name, FUNCTIONS[name], arguments)))
        if not found:
            break
        statistics = _statistics(con, rows, [call for _, call in found])
        for (node, call), learned in zip(found, statistics, strict=True):
            window = node.parent if isinstance(node.parent, exp.Window) else None
            (window or node).replace(exp.Paren(this=call.compile(learned)))
    if window := holder.find(exp.Window):
        raise MartletError(
            f"transform: the window function '{window.sql(dialect='duckdb')}' is not allowed; "
            "make the column in the query."
        )
    return list(holder.expressions)


def _statistics(
    con: duckdb.DuckDBPyConnection, rows: str, calls: Sequence[Call]
) -> list[dict[str, Any]]:
    wanted = [call.statistics() for call in calls]
    aggregates = [sql for one in wanted for sql in one.values()]
    if not aggregates:
        return [{} for _ in calls]
    found = list(
        con.execute(f"select {', '.join(aggregates)} from ({rows}) as {ROWS}").fetchall()[0]
    )
    return [{name: found.pop(0) for name in one} for one in wanted]
