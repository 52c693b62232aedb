"""The columns of a PIVOT under the names BigQuery gives them."""

from __future__ import annotations

from sqlglot import exp

__all__ = ["name_pivot_columns"]


def name_pivot_columns(tree: exp.Expr) -> exp.Expr:
    """Give the columns of a PIVOT BigQuery's names: ``sum_a`` where DuckDB says ``a_sum``.

    Parameters
    ----------
    tree : exp.Expr
        A statement in BigQuery's dialect.
    """
    for pivot in list(tree.find_all(exp.Pivot)):
        fields = pivot.args.get("fields") or []
        if pivot.args.get("unpivot") or len(fields) != 1 or not isinstance(fields[0], exp.In):
            continue
        values = fields[0].expressions
        labels = [_value_label(value) for value in values]
        aggregates = pivot.expressions
        prefixes = [part.alias if isinstance(part, exp.Alias) else "" for part in aggregates]
        if len(aggregates) == 1:
            prefix = f"{prefixes[0]}_" if prefixes[0] else ""
            pivot.set("expressions", [aggregates[0].unalias()])
            fields[0].set(
                "expressions",
                [_labelled(v, f"{prefix}{label}") for v, label in zip(values, labels, strict=True)],
            )
        else:
            renames = []
            for label in labels:
                for prefix in prefixes:
                    renames.append(exp.alias_(exp.column(f"{label}_{prefix}"), f"{prefix}_{label}"))
            fields[0].set(
                "expressions", [_labelled(v, lb) for v, lb in zip(values, labels, strict=True)]
            )
            _wrap_pivot(pivot, renames)
    return tree


def _value_label(value: exp.Expr) -> str:
    if isinstance(value, (exp.PivotAlias, exp.Alias)):
        return str(value.args["alias"].name)
    text = value.name if isinstance(value, exp.Literal) else value.sql("bigquery")
    if isinstance(value, exp.Literal) and not value.is_string:
        return f"_{text.replace('.', '_point_').replace('-', 'minus_')}"
    return text


def _labelled(value: exp.Expr, label: str) -> exp.Expr:
    bare = value.this if isinstance(value, (exp.PivotAlias, exp.Alias)) else value
    return exp.PivotAlias(this=bare, alias=exp.to_identifier(label))


def _wrap_pivot(pivot: exp.Pivot, renames: list[exp.Expr]) -> None:
    source = pivot.parent
    if not isinstance(source, (exp.Table, exp.Subquery)):
        return
    alias = pivot.args.pop("alias", None)
    inner = source.copy()
    star = exp.Star(rename=renames)
    wrapped = exp.Select(expressions=[star]).from_(inner)
    source.replace(exp.Subquery(this=wrapped, alias=alias))
