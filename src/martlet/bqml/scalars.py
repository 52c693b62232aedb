"""Preprocessing functions of BigQuery ML in a plain query, where nothing is learned or replayed."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp, parse_one

from martlet.bqml.expressions import MLScalar

__all__ = ["write_out_scalars"]

_WINDOWED = {
    "standard_scaler": "(:x - AVG(:x) OVER ()) / NULLIF(STDDEV_SAMP(:x) OVER (), 0)",
    "min_max_scaler": "(:x - MIN(:x) OVER ()) / NULLIF(MAX(:x) OVER () - MIN(:x) OVER (), 0)",
    "max_abs_scaler": ":x / NULLIF(MAX(ABS(:x)) OVER (), 0)",
}
_PLAIN = {
    ("bucketize", 2): (
        "CASE WHEN NOT :x IS NULL "
        "THEN 'bin_' || CAST(LEN(LIST_FILTER(:y, LAMBDA p: p <= :x)) + 1 AS TEXT) END"
    ),
    ("lp_norm", 2): "POW(LIST_SUM(LIST_TRANSFORM(:x, LAMBDA e: POW(ABS(e), :y))), 1 / :y)",
    ("normalizer", 1): (
        "LIST_TRANSFORM(:x, LAMBDA e: e / SQRT(LIST_SUM(LIST_TRANSFORM(:x, LAMBDA f: f * f))))"
    ),
}
_DISTANCES = {
    "EUCLIDEAN": "LIST_DISTANCE(:x, :y)",
    "COSINE": "LIST_COSINE_DISTANCE(:x, :y)",
    "MANHATTAN": "LIST_SUM(LIST_TRANSFORM(LIST_ZIP(:x, :y), LAMBDA e: ABS(e[1] - e[2])))",
}


def write_out_scalars(tree: exp.Expr) -> exp.Expr:
    """Replace the preprocessing functions that are one DuckDB expression.

    Parameters
    ----------
    tree : exp.Expr
        A query; changed in place. Functions without such an expression stay.
    """
    for call in list(tree.find_all(MLScalar)):
        template = _template(call)
        if template is None:
            continue
        window = call.parent if isinstance(call.parent, exp.Window) else None
        arguments = call.expressions
        written = parse_one(template, read="duckdb").transform(_filler(arguments))
        if window is not None:
            for inner in written.find_all(exp.Window):
                for part in ("partition_by", "order", "spec"):
                    value = window.args.get(part)
                    if value:
                        inner.set(part, [v.copy() for v in value] if part[0] == "p" else value)
        (window or call).replace(exp.Paren(this=written))
    return tree


def _template(call: MLScalar) -> str | None:
    arguments = call.expressions
    if call.args["namespace"] != "ml":
        return None
    if call.name in _WINDOWED and len(arguments) == 1:
        return _WINDOWED[call.name]
    if call.name == "distance" and len(arguments) in (2, 3):
        kind = arguments[2].name.upper() if len(arguments) == 3 else "EUCLIDEAN"
        return _DISTANCES.get(kind)
    return _PLAIN.get((call.name, len(arguments)))


def _filler(arguments: list[exp.Expr]) -> Callable[[exp.Expr], exp.Expr]:
    def fill(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Placeholder):
            value = arguments["xy".index(node.name)].copy()
            simple = isinstance(value, (exp.Column, exp.Literal, exp.Array, exp.Func))
            return value if simple else exp.Paren(this=value)
        return node

    return fill
