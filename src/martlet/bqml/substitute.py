"""Scripts' variables and SQL functions, written out where they are used."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from martlet.bqml.report import Kind, Report
from martlet.bqml.script import Statement

__all__ = ["Definitions"]


@dataclass
class Definitions:
    """What DECLARE, SET and CREATE FUNCTION have said so far in a file.

    Attributes
    ----------
    variables
        Name in lower case to its value; None when the value is not known.
    types
        Name to the declared type.
    functions
        Name in lower case to parameters and body of a SQL function.
    """

    variables: dict[str, exp.Expr | None] = field(default_factory=dict)
    types: dict[str, exp.Expr] = field(default_factory=dict)
    functions: dict[str, tuple[list[str], exp.Expr]] = field(default_factory=dict)

    def take(self, statement: Statement, report: Report) -> bool:
        """Take a statement that defines something; return whether it was one."""
        tree = statement.tree
        if isinstance(tree, exp.Declare):
            for item in tree.expressions:
                self._declare(item, statement, report)
            return True
        if isinstance(tree, exp.Set):
            for item in tree.expressions:
                self._set(item.this, statement, report)
            return True
        if isinstance(tree, exp.Create) and tree.kind == "FUNCTION":
            self._function(tree, statement, report)
            return True
        return False

    def _declare(self, item: exp.Expr, statement: Statement, report: Report) -> None:
        names = item.this if isinstance(item.this, list) else [item.this]
        value = item.args.get("default")
        for name in names:
            key = name.name.lower()
            self.variables[key] = value or exp.Null()
            kind = item.args.get("kind")
            if isinstance(kind, exp.DataType):
                self.types[key] = kind
            report.add(
                statement.file,
                statement.line,
                Kind.MISSING,
                f"DECLARE {name.name}: dbt models have no variables; "
                "its value is written where it is used",
            )

    def _set(self, assignment: exp.Expr, statement: Statement, report: Report) -> None:
        target = assignment.this
        name = target.name if isinstance(target, exp.Column) else target.sql("bigquery")
        text = f"SET {name}: dbt models have no variables"
        if isinstance(target, exp.Column):
            self.variables[name.lower()] = self.apply(assignment.expression.copy())
            text += "; its value is written where it is used"
        else:
            for column in target.find_all(exp.Column):
                self.variables[column.name.lower()] = None
        report.add(statement.file, statement.line, Kind.MISSING, text)

    def _function(self, tree: exp.Create, statement: Statement, report: Report) -> None:
        name = tree.this.this.name
        body = tree.expression
        if isinstance(body, exp.Expr) and not tree.find(exp.LanguageProperty):
            parameters = [parameter.name.lower() for parameter in tree.this.expressions]
            self.functions[name.lower()] = (parameters, self.apply(body.copy()))
            report.add(
                statement.file,
                statement.line,
                Kind.CHANGED,
                f"function {name} is written out where it is called",
            )
        else:
            report.add(
                statement.file,
                statement.line,
                Kind.MISSING,
                f"function {name} is not SQL; give DuckDB a macro of that name",
            )

    def unknown(self, tree: exp.Expr) -> list[str]:
        """Return the variables a statement uses whose value is not known."""
        names = {column.name.lower() for column in tree.find_all(exp.Column) if not column.table}
        return sorted(n for n in names if n in self.variables and self.variables[n] is None)

    def apply(self, tree: exp.Expr) -> exp.Expr:
        """Return the tree with variables and functions written out."""
        if not self.variables and not self.functions:
            return tree
        return tree.transform(self._replace, copy=False)

    def _replace(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table:
            key = node.name.lower()
            value = self.variables.get(key)
            if value is None:
                return node
            value = value.copy()
            if key in self.types and not isinstance(value, (exp.Literal, exp.Array)):
                return exp.cast(value, self.types[key].copy())  # type: ignore[arg-type]
            if key in self.types and value.is_string and not _is_text(self.types[key]):
                return exp.cast(value, self.types[key].copy())  # type: ignore[arg-type]
            return value
        call = node.expression if isinstance(node, exp.Dot) else node
        if isinstance(call, exp.Anonymous) and call.name.lower() in self.functions:
            parameters, body = self.functions[call.name.lower()]
            given = dict(zip(parameters, call.expressions, strict=False))

            def fill(part: exp.Expr) -> exp.Expr:
                if isinstance(part, exp.Column) and not part.table:
                    value = given.get(part.name.lower())
                    if value is not None:
                        return value.copy() if _atom(value) else exp.Paren(this=value.copy())
                return part

            written = body.copy().transform(fill)
            return written if _atom(written) else exp.Paren(this=written)
        return node


def _is_text(kind: exp.Expr) -> bool:
    return isinstance(kind, exp.DataType) and kind.this in exp.DataType.TEXT_TYPES


def _atom(node: exp.Expr) -> bool:
    return isinstance(node, (exp.Literal, exp.Column, exp.Paren, exp.Func, exp.Subquery, exp.Null))
