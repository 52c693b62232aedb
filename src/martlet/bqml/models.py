"""``CREATE MODEL`` as the ``ml_config`` of a dbt model, and the options of CREATE TABLE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from martlet.bqml.duckdb_dialect import PlainDuckDB
from martlet.bqml.expressions import CreateModel, line_of
from martlet.bqml.jinja import NotConstantError, constant
from martlet.bqml.report import Kind

__all__ = ["MODEL_TYPES", "model_config", "name_properties", "training_query", "with_column_names"]

#: Types of models that can be trained outside Google; the registry says which are there.
MODEL_TYPES = frozenset(
    {
        "linear_reg",
        "logistic_reg",
        "kmeans",
        "pca",
        "matrix_factorization",
        "autoencoder",
        "boosted_tree_classifier",
        "boosted_tree_regressor",
        "random_forest_classifier",
        "random_forest_regressor",
        "dnn_classifier",
        "dnn_regressor",
        "dnn_linear_combined_classifier",
        "dnn_linear_combined_regressor",
        "arima_plus",
        "arima_plus_xreg",
        "contribution_analysis",
        "transform_only",
    }
)
_ALIASES = {"labels": "input_label_cols"}
_TYPE_ALIASES = {"arima": "arima_plus"}

Noter = Callable[[int, Kind, str], None]


def model_config(model: CreateModel, note: Noter, line: int) -> dict[str, Any] | None:
    """Return the ``ml_config`` of a CREATE MODEL, or None when it cannot be trained here.

    Parameters
    ----------
    model : CreateModel
        The statement.
    note : callable
        Takes line, kind and text of a remark.
    line : int
        Line of the statement.
    """
    # Imported here: it brings NumPy and DuckDB, which converting has no need of.
    from martlet.estimators import REGISTRY

    config: dict[str, Any] = {}
    for option in model.args.get("options") or []:
        name = option.name.lower()
        name = _ALIASES.get(name, name)
        where = line_of(option, line)
        try:
            config[name] = constant(option.args["value"])
        except NotConstantError as error:
            note(where, Kind.MISSING, f"option {name}: {error} is not a constant")
    kind = str(config.get("model_type", "")).lower()
    kind = _TYPE_ALIASES.get(kind, kind)
    clauses = [clause.name for clause in model.args.get("clauses") or []]
    if "REMOTE" in clauses:
        note(line, Kind.MISSING, "CREATE MODEL ... REMOTE: the model is not trained from SQL")
        return None
    if not kind:
        note(line, Kind.MISSING, "CREATE MODEL without model_type")
        return None
    if kind not in MODEL_TYPES:
        note(line, Kind.MISSING, f"model_type '{kind}' has no counterpart in Martlet")
        return None
    if kind not in REGISTRY:
        note(
            line,
            Kind.MISSING,
            f"model_type '{kind}': there is no such type yet; the model is written, it does not "
            "build",
        )
    for clause in clauses:
        note(line, Kind.MISSING, f"{clause} of CREATE MODEL")
    labels = config.get("input_label_cols")
    if isinstance(labels, str):
        config["input_label_cols"] = [labels]
    config = {"model_type": kind, **{k: v for k, v in config.items() if k != "model_type"}}
    transforms = model.args.get("transforms")
    if transforms:
        config["transform"] = [_transform(part) for part in transforms]
    return config


def _transform(part: exp.Expr) -> str:
    return part.sql(PlainDuckDB, comments=False)


def training_query(model: CreateModel, note: Noter, line: int) -> exp.Expr | None:
    """Return the query a model is trained on, or None.

    Parameters
    ----------
    model : CreateModel
        The statement.
    note : callable
        Takes line, kind and text of a remark.
    line : int
        Line of the statement.
    """
    query = model.args.get("expression")
    for part in model.args.get("parts") or []:
        if part.name.lower() == "training_data":
            query = part.expression
        else:
            note(line_of(part, line), Kind.MISSING, f"{part.name} of CREATE MODEL")
    if not isinstance(query, exp.Query):
        note(line, Kind.MISSING, "CREATE MODEL without a training query: nothing to train on")
        return None
    return query.unnest() if isinstance(query, exp.Subquery) else query


def name_properties(tree: exp.Create, note: Noter, line: int) -> None:
    """Name the properties of a CREATE TABLE or VIEW, none of which DuckDB has.

    Parameters
    ----------
    tree : exp.Create
        The statement.
    note : callable
        Takes line, kind and text of a remark.
    line : int
        Line of the statement.
    """
    properties = tree.args.get("properties")
    for prop in properties.expressions if properties else []:
        if isinstance(prop, exp.PartitionedByProperty):
            note(line, Kind.HINT, "PARTITION BY: left out, DuckDB has no partitions")
        elif isinstance(prop, exp.ClusterProperty):
            note(line, Kind.HINT, "CLUSTER BY: left out, DuckDB has no clusters")
        elif type(prop) is exp.Property:
            note(line, Kind.HINT, f"table option {prop.name}: left out")


def with_column_names(query: exp.Expr, tree: exp.Create) -> exp.Expr:
    """Give a query the column names that stand after the name of the table or view.

    Parameters
    ----------
    query : exp.Expr
        The query of the statement.
    tree : exp.Create
        The statement.
    """
    if not isinstance(tree.this, exp.Schema) or not isinstance(query, exp.Query):
        return query
    names = [exp.to_identifier(part.name) for part in tree.this.expressions]
    alias = exp.TableAlias(this=exp.to_identifier("named"), columns=names)
    return exp.select("*").from_(exp.Subquery(this=query, alias=alias))
