"""ML functions as macro calls: ``ML.PREDICT(MODEL m, (query))`` and a CTE for the query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from martlet.bqml.expressions import DbtRelation, MLTable, line_of
from martlet.bqml.jinja import NotConstantError, constant, jinja
from martlet.bqml.names import reads_cte

__all__ = ["TABLE_FUNCTIONS", "UnknownFunctionError", "replace_calls"]

_HORIZON = {"horizon", "confidence_level"}
_THRESHOLD = {"threshold"}
_DRIFT = {
    "num_histogram_buckets",
    "num_quantiles_histogram_buckets",
    "num_values_histogram_buckets",
    "num_rank_histogram_buckets",
    "categorical_default_threshold",
    "categorical_metric_type",
    "numerical_default_threshold",
    "numerical_metric_type",
    "thresholds",
}

#: Functions of rows alone: there is no model whose version could be pinned.
_WITHOUT_MODEL = {"describe_data", "validate_data_drift"}

#: Functions that have a macro, ``ml_`` and the name, and the options that macro takes.
TABLE_FUNCTIONS: dict[str, frozenset[str]] = {
    name: frozenset(options) if name in _WITHOUT_MODEL else frozenset({"version", *options})
    for name, options in {
        "advanced_weights": {"standardize"},
        "arima_coefficients": set(),
        "arima_evaluate": {"show_all_candidate_models"},
        "centroids": {"standardize"},
        "confusion_matrix": _THRESHOLD,
        "describe_data": {"num_quantiles", "num_array_length_quantiles", "top_k"},
        "detect_anomalies": {"contamination", "anomaly_prob_threshold"},
        "evaluate": {"perform_aggregation", *_HORIZON, *_THRESHOLD},
        "explain_forecast": _HORIZON,
        "explain_predict": {"top_k_features", *_THRESHOLD},
        "feature_importance": set(),
        "feature_info": set(),
        "forecast": _HORIZON,
        "global_explain": {"class_level_explain"},
        "holiday_info": set(),
        "predict": {*_THRESHOLD, "keep_original_columns"},
        "principal_component_info": set(),
        "principal_components": set(),
        "recommend": set(),
        "reconstruction_loss": set(),
        "roc_curve": {"thresholds"},
        "training_info": set(),
        "transform": set(),
        "trial_info": set(),
        "validate_data_drift": _DRIFT,
        "validate_data_skew": _DRIFT,
        "weights": {"standardize"},
    }.items()
}

#: Functions of types that are not there yet; their macros say so when the query is built.
WITHOUT_TYPE = frozenset(
    {"forecast", "explain_forecast", "arima_evaluate", "arima_coefficients", "holiday_info",
     "reconstruction_loss"}
)  # fmt: skip


class UnknownFunctionError(Exception):
    """There is no macro for a function, or for what it is given; `line` says where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def replace_calls(
    tree: exp.Expr,
    relation: Callable[[exp.Table, bool], str],
    prefix: str,
    note: Callable[[exp.Expr, str], None],
    line: int,
) -> exp.Expr:
    """Replace every ML table function by its macro call.

    Parameters
    ----------
    tree : exp.Expr
        A query; changed in place.
    relation : callable
        Returns the ``ref`` or ``source`` call for a table (or, when true, a model).
    prefix : str
        Package of the macros with a dot, such as ``martlet.``, or nothing.
    note : callable
        Takes a call and what of it is not carried over.
    line : int
        Line of the statement.

    Returns
    -------
    exp.Expr
        The query, with a CTE for each query that was an argument.

    Raises
    ------
    UnknownFunctionError
        When a function has no macro, or an argument no constant value.
    """
    taken = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    taken |= {table.alias_or_name.lower() for table in tree.find_all(exp.Table)}
    calls = list(tree.find_all(MLTable))
    for call in sorted(calls, key=lambda node: -node.depth):
        where = line_of(call, line)
        function = call.name
        name = f"{call.args['namespace'].upper()}.{function.upper()}"
        if call.args["namespace"] != "ml" or function not in TABLE_FUNCTIONS:
            raise UnknownFunctionError(f"{name} has no counterpart in Martlet", where)
        if function in WITHOUT_TYPE:
            note(call, f"{name}: no model type has it yet; the query is written, it does not build")
        words = []
        model = call.args.get("model")
        if model is not None:
            words.append(relation(model, True))
        for data in list(call.args["inputs"]):
            words.append(_input(data, call, taken, relation))
        try:
            options = _options(call)
        except NotConstantError as error:
            raise UnknownFunctionError(
                f"{name}: the argument {error} is not a constant", where
            ) from error
        for key, value in options.items():
            if key in TABLE_FUNCTIONS[function]:
                words.append(f"{key}={jinja(value)}")
            else:
                note(call, f"{name}: the option {key}")
        call.replace(DbtRelation(this=f"{prefix}ml_{function}({', '.join(words)})"))
    return tree


def _input(
    data: exp.Expr,
    call: MLTable,
    taken: set[str],
    relation: Callable[[exp.Table, bool], str],
) -> str:
    query = data.unnest() if isinstance(data, exp.Subquery) else data
    table = _whole_table(query)
    if table is not None and not isinstance(table.this, (MLTable, DbtRelation)):
        return jinja(table.name) if reads_cte(table) else relation(table, False)
    if isinstance(query, exp.Table):
        query = exp.select("*").from_(query)
    name = base = f"{call.name}_input"
    number = 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    _add_cte(call, data, query, name)
    return jinja(name)


def _whole_table(query: exp.Expr) -> exp.Table | None:
    """Return the table when the query is the table itself or ``SELECT * FROM`` it."""
    if isinstance(query, exp.Table):
        plain = not (query.args.get("pivots") or query.args.get("joins"))
        return query if plain and isinstance(query.this, exp.Identifier) else None
    if not isinstance(query, exp.Select) or len(query.expressions) != 1:
        return None
    star = query.expressions[0]
    others = {
        key
        for key, value in query.args.items()
        if value and key not in {"expressions", "from_", "kind"}
    }
    source = query.args.get("from_")
    if not isinstance(star, exp.Star) or any(star.args.values()) or others or source is None:
        return None
    table = source.this
    if not isinstance(table, exp.Table):
        return None
    extra = {key for key, value in table.args.items() if value} - {"this", "db", "catalog", "alias"}
    return table if not extra else None


def _add_cte(call: MLTable, data: exp.Expr, query: exp.Expr, name: str) -> None:
    """Put the query in the WITH nearest to the call whose CTEs it reads, else in the outermost."""
    used = {table.name.lower() for table in query.find_all(exp.Table) if len(table.parts) == 1}
    home: exp.Expr | None = None
    child: exp.Expr | None = None
    below: exp.Expr = call
    above = call.parent
    while above is not None:
        if isinstance(above, exp.Query):
            with_ = above.args.get("with_")
            reads = with_ is not None and any(c.alias.lower() in used for c in with_.expressions)
            if above.parent is None or reads:
                home, child = above, below
                break
        below, above = above, above.parent
    if home is None:
        raise UnknownFunctionError("an ML function outside a query", line_of(call, 1))
    data.pop()
    cte = exp.CTE(this=query, alias=exp.TableAlias(this=exp.to_identifier(name)))
    with_ = home.args.get("with_")
    if not isinstance(with_, exp.With):
        home.set("with_", exp.With(expressions=[cte]))
        return
    ctes = list(with_.expressions)
    place = len(ctes)
    if child is with_:
        place = next(
            at for at, sibling in enumerate(ctes) if any(node is call for node in sibling.walk())
        )
    ctes.insert(place, cte)
    with_.set("expressions", ctes)


def _options(call: MLTable) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for argument in call.args["arguments"]:
        if isinstance(argument, exp.Kwarg):
            options[argument.this.name.lower()] = constant(argument.expression)
        elif isinstance(argument, exp.Struct):
            for part in argument.expressions:
                if not isinstance(part, (exp.PropertyEQ, exp.Alias)):
                    raise NotConstantError(f"{part.sql('bigquery')} without a name")
                key = part.this if isinstance(part, exp.PropertyEQ) else part.args["alias"]
                value = part.expression if isinstance(part, exp.PropertyEQ) else part.this
                options[key.name.lower()] = constant(value)
        elif isinstance(argument, exp.Cast) and isinstance(argument.this, exp.Struct):
            kinds = argument.to.expressions
            for kind, part in zip(kinds, argument.this.expressions, strict=False):
                options[kind.name.lower()] = constant(part)
        elif isinstance(argument, (exp.Array, exp.GenerateSeries)):
            options["thresholds"] = constant(argument)
        else:
            raise NotConstantError(argument.sql("bigquery"))
    return options
