"""Wildcard tables: ``events_*`` is one table in DuckDB, the suffix a column of it."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

__all__ = ["rewrite_wildcards"]

# Exports of Google Analytics: the suffix is the day, and every row says it.
_KNOWN = {
    "events_intraday_": "event_date",
    "events_": "event_date",
    "ga_sessions_intraday_": "date",
    "ga_sessions_": "date",
}
_SUFFIX = "_TABLE_SUFFIX"


def rewrite_wildcards(
    tree: exp.Expr, note: Callable[[exp.Expr, str], None]
) -> dict[tuple[str, ...], str]:
    """Replace wildcard tables by one table without the suffix.

    Parameters
    ----------
    tree : exp.Expr
        A statement in BigQuery's dialect; changed in place.
    note : callable
        Takes a node and what was done with it.

    Returns
    -------
    dict
        Parts of each replaced table's new name to what the table has to be.
    """
    found: dict[tuple[str, ...], str] = {}
    for table in list(tree.find_all(exp.Table)):
        name = table.name
        if not name.endswith("*"):
            continue
        prefix = name[:-1]
        family = next((known for known in _KNOWN if prefix.startswith(known)), None)
        column = _KNOWN[family] if family else "_table_suffix"
        base = (family or prefix).rstrip("_") or "all_tables"
        rest = prefix[len(family) :] if family else ""
        table.this.set("this", base)
        _replace_suffix(table, name, column, len(rest))
        meaning = f"All tables {family or prefix}* in one, with the suffix in column {column}."
        found[tuple(part.name.lower() for part in table.parts)] = meaning
        note(table, f"wildcard table {name}: read from one table {base}; {_SUFFIX} is {column}")
        if rest:
            _keep_prefix(table, base, column, rest)
    return found


def _replace_suffix(table: exp.Table, name: str, column: str, length: int) -> None:
    scope = table.find_ancestor(exp.Select)
    if scope is None:
        return
    for suffix in list(scope.find_all(exp.Column)):
        if suffix.name.upper() != _SUFFIX or suffix.find_ancestor(exp.Select) is not scope:
            continue
        if suffix.table and suffix.table.lower() not in (table.alias.lower(), name.lower()):
            continue
        qualifier = suffix.table or (table.alias_or_name if scope.args.get("joins") else None)
        value: exp.Expr = exp.column(column, table=qualifier)
        if length:
            value = exp.Substring(this=value, start=exp.Literal.number(length + 1))
        if isinstance(suffix.parent, exp.Select):
            value = exp.alias_(value, _SUFFIX.lower())
        suffix.replace(value)


def _keep_prefix(table: exp.Table, base: str, column: str, rest: str) -> None:
    alias = table.alias or base
    inner = table.copy()
    inner.set("alias", None)
    condition = exp.StartsWith(this=exp.column(column), expression=exp.Literal.string(rest))
    table.replace(exp.select("*").from_(inner).where(condition).subquery(alias))
