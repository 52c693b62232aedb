"""BigQuery's ways of reading tables and arrays, rewritten where DuckDB has other ones."""

from __future__ import annotations

from sqlglot import exp

from martlet.bqml.expressions import UnnestFields

__all__ = [
    "expand_group_aliases",
    "order_structs",
    "rewrite_unnest",
    "single_quantiles",
    "star_structs",
]

_SCALAR_ARRAYS = (exp.GenerateSeries, exp.GenerateDateArray, exp.GenerateTimestampArray, exp.Split)


def _scope(node: exp.Expr) -> exp.Expr:
    """Return the SELECT a source belongs to."""
    return node.find_ancestor(exp.Select) or node.root()


def rewrite_unnest(tree: exp.Expr) -> exp.Expr:
    """Give UNNEST in FROM its BigQuery meaning: the fields of a struct are columns.

    ``UNNEST(items) AS i`` gives, when `i` itself is used as a value, one column `i`; else the
    elements are taken to be structs, and their fields are columns of a table `i`.

    Parameters
    ----------
    tree : exp.Expr
        A statement in BigQuery's dialect.
    """
    for unnest in list(tree.find_all(exp.Unnest)):
        if isinstance(unnest.parent, (exp.From, exp.Join)):
            unnest.replace(_array_source(unnest))
    return tree


def _array_source(unnest: exp.Unnest) -> exp.Expr:
    array = unnest.expressions[0]
    alias = unnest.args.get("alias")
    named = alias.columns[0] if alias is not None and alias.columns else None
    if named is None and alias is not None and alias.this:
        named = alias.this
    offset = unnest.args.get("offset")
    scope = _scope(unnest)
    name = named.name if named is not None else ""
    columns: list[exp.Expr] = []
    if _holds_values(array) or (name and _used_as_value(scope, name, unnest)):
        label = name or "element"
        if name and _is_column(array, name):
            label = f"{name}_item"
            _rename(scope, name, label, unnest)
        columns.append(exp.alias_(exp.func("UNNEST", array.copy(), dialect="duckdb"), label))
        table_name = f"_{label}"
    else:
        columns.append(UnnestFields(this=array.copy()))
        table_name = name
    if offset:
        label = offset.name if isinstance(offset, exp.Identifier) else "offset"
        place = exp.Sub(
            this=exp.Anonymous(
                this="GENERATE_SUBSCRIPTS", expressions=[array.copy(), exp.Literal.number(1)]
            ),
            expression=exp.Literal.number(1),
        )
        columns.append(exp.alias_(place, label))
    subquery = exp.select(*columns, copy=False).subquery(table_name or None, copy=False)
    join = unnest.parent
    if isinstance(join, exp.Join) and join.side and not join.args.get("on"):
        join.set("on", exp.true())
        join.set("kind", None)
    return subquery


def _holds_values(array: exp.Expr) -> bool:
    if isinstance(array, exp.Array):
        return not any(isinstance(part, (exp.Struct, exp.Tuple)) for part in array.expressions)
    return isinstance(array, _SCALAR_ARRAYS)


def _is_column(array: exp.Expr, name: str) -> bool:
    return isinstance(array, exp.Column) and array.name.lower() == name.lower()


def _uses(scope: exp.Expr, name: str, unnest: exp.Unnest) -> list[exp.Column]:
    """Columns of the scope, outside the UNNEST itself, that are just `name`."""
    inside = {id(node) for node in unnest.walk()}
    return [
        column
        for column in scope.find_all(exp.Column)
        if id(column) not in inside and not column.table and column.name.lower() == name.lower()
    ]


def _used_as_value(scope: exp.Expr, name: str, unnest: exp.Unnest) -> bool:
    return bool(_uses(scope, name, unnest))


def _rename(scope: exp.Expr, name: str, label: str, unnest: exp.Unnest) -> None:
    inside = {id(node) for node in unnest.walk()}
    for column in list(scope.find_all(exp.Column)):
        if id(column) in inside:
            continue
        if column.parts[0].name.lower() == name.lower():
            if not column.table and isinstance(column.parent, exp.Select):
                column.replace(exp.alias_(exp.column(label), name))
            else:
                column.parts[0].set("this", label)


def expand_group_aliases(tree: exp.Expr) -> exp.Expr:
    """Group by what an alias stands for: BigQuery prefers the alias, DuckDB a column of the name.

    Parameters
    ----------
    tree : exp.Expr
        A statement in BigQuery's dialect.
    """
    for select in tree.find_all(exp.Select):
        group = select.args.get("group")
        if not isinstance(group, exp.Group):
            continue
        starred = any(projection.is_star for projection in select.expressions)
        meanings: dict[str, tuple[int, exp.Expr]] = {}
        for place, projection in enumerate(select.expressions, 1):
            if isinstance(projection, exp.Alias):
                meant = projection.this
                same = isinstance(meant, exp.Column) and meant.name.lower() == projection.alias
                if not same:
                    meanings[projection.alias.lower()] = (place, meant)
        items = []
        for item in group.expressions:
            known = _meaning(item, meanings)
            if known is None:
                items.append(item)
            elif starred:
                items.append(known[1].copy())
            else:
                items.append(exp.Literal.number(known[0]))
        group.set("expressions", items)
        having = select.args.get("having")
        if having is not None:
            for column in list(having.find_all(exp.Column)):
                known = _meaning(column, meanings)
                shadowed = known is not None and any(
                    inner.name.lower() == column.name.lower()
                    for inner in known[1].find_all(exp.Column)
                )
                if known is not None and shadowed and column.find_ancestor(exp.AggFunc) is None:
                    column.replace(exp.Paren(this=known[1].copy()))
    return tree


def order_structs(tree: exp.Expr) -> exp.Expr:
    """Order a SELECT AS STRUCT by what an alias stands for: in DuckDB the alias is inside.

    Parameters
    ----------
    tree : exp.Expr
        A statement in BigQuery's dialect.
    """
    for select in tree.find_all(exp.Select):
        order = select.args.get("order")
        if order is None or str(select.args.get("kind") or "").upper() != "STRUCT":
            continue
        meant = {p.alias.lower(): p.this for p in select.expressions if isinstance(p, exp.Alias)}
        for column in list(order.find_all(exp.Column)):
            known = meant.get(column.name.lower())
            if known is not None and not column.table:
                column.replace(known.copy())
    return tree


def star_structs(tree: exp.Expr) -> exp.Expr:
    """Read ``SELECT AS STRUCT *`` as the row of a subquery: DuckDB makes no struct of a star.

    Parameters
    ----------
    tree : exp.Expr
        A statement in BigQuery's dialect.
    """
    for select in list(tree.find_all(exp.Select)):
        if str(select.args.get("kind") or "").upper() != "STRUCT" or not any(
            item.is_star for item in select.expressions
        ):
            continue
        inner = select.copy()
        inner.set("kind", None)
        row = exp.select(exp.column("_row")).from_(inner.subquery("_row"))
        if select.parent is None:
            return row
        select.replace(row)
    return tree


def _meaning(
    item: exp.Expr, meanings: dict[str, tuple[int, exp.Expr]]
) -> tuple[int, exp.Expr] | None:
    if isinstance(item, exp.Column) and not item.table:
        return meanings.get(item.name.lower())
    return None


def single_quantiles(tree: exp.Expr) -> exp.Expr:
    """Read one quantile where BigQuery reads all and takes one of them.

    Parameters
    ----------
    tree : exp.Expr
        A statement in BigQuery's dialect.
    """
    for bracket in list(tree.find_all(exp.Bracket)):
        call, places = bracket.this, bracket.expressions
        if not isinstance(call, exp.ApproxQuantiles) or len(places) != 1:
            continue
        parts, place = call.expression, places[0]
        if parts is None or not (parts.is_int and place.is_int):
            continue
        number = int(place.name) - int(bracket.args.get("offset") or 0)
        if 0 <= number <= int(parts.name) and isinstance(
            call.this, (exp.Column, exp.Func, exp.Binary)
        ):
            cut = exp.Literal.number(repr(number / int(parts.name)))
            bracket.replace(exp.PercentileDisc(this=call.this, expression=cut))
    return tree
