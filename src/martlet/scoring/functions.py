"""All stored functions of one version, from what its type gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from martlet.estimators.base import Estimator, Fitted, Label, Part, Scoring
from martlet.options import Options
from martlet.scoring.chain import Chain, fill, inputs
from martlet.scoring.metrics import metric_functions
from martlet.scoring.nothing import no_answers, no_rows, unanswered
from martlet.scoring.predict import explain_function, predict_functions
from martlet.sqltext import PREFIX, array, identifier, render, text
from martlet.store import ModelStore

__all__ = [
    "METRICS",
    "build_functions",
    "empty_functions",
    "global_explanation",
    "metric_names",
    "no_answers",
    "no_rows",
    "stored_result",
    "transform_function",
    "with_parts",
]

#: Columns of ML.EVALUATE by kind of model.
METRICS = {
    "regression": (
        "mean_absolute_error", "mean_squared_error", "mean_squared_log_error",
        "median_absolute_error", "r2_score", "explained_variance",
    ),
    "classification": ("precision", "recall", "accuracy", "f1_score", "log_loss", "roc_auc"),
    "clustering": ("davies_bouldin_index", "mean_squared_distance"),
    "decomposition": ("total_explained_variance_ratio",),
}  # fmt: skip

_TRAINING = ("training_run", "iteration", "loss", "eval_loss", "learning_rate", "duration_ms")
_CLUSTERING = ("training_run", "iteration", "loss", "duration_ms", "cluster_info")
_FEATURES = (
    "input", "min", "max", "mean", "median", "stddev", "category_count", "null_count", "dimension",
)  # fmt: skip


def metric_names(estimator: Estimator, options: Options) -> tuple[str, ...]:
    """Return the columns of ML.EVALUATE of a type with its options."""
    return estimator.measured(options) or METRICS.get(estimator.task, ())


def build_functions(
    store: ModelStore, version: int, estimator: Estimator, fitted: Fitted, label: Label | None
) -> dict[str, list[str]]:
    """Return the texts of all functions that take rows, and of those over companion tables.

    Parameters
    ----------
    store : ModelStore
        Where the model lives.
    version : int
        The version.
    estimator : Estimator
        Its type.
    fitted : Fitted
        What the fit gave.
    label : Label or None
        The label.
    """
    components = len(fitted.parameters.get("components", ()))
    functions = predict_functions(estimator.task, fitted.scoring, label, components)
    predict = store.local(store.function("predict", version))
    centroids = fitted.parameters.get("centroids", ())
    functions |= metric_functions(estimator.task, predict, label, centroids)
    chain = Chain(fitted.scoring.written)
    parts = {name: store.part_query(version, name) for name in fitted.parts}
    parts["predict"] = predict
    functions |= {name: fill(body, chain, parts) for name, body in fitted.functions.items()}
    if fitted.explanation is not None and label is not None:
        own = {name: store.part_query(version, name) for name in fitted.explanation.parts}
        functions["explain_predict"] = explain_function(
            fitted.scoring, fitted.explanation, label, estimator.task, own
        )
    if estimator.task == "decomposition":
        functions = {name: fill(body, chain, parts) for name, body in functions.items()}
    result = {name: [body] for name, body in functions.items()}
    return result | _information(store, version, estimator.task)


def empty_functions(
    store: ModelStore, version: int, estimator: Estimator, label: Label | None, options: Options
) -> dict[str, list[str]]:
    """Return the functions of a version without enough data: right columns, no rows."""
    components = options.get("num_principal_components") or 1
    made = predict_functions(estimator.task, Scoring(None), label, components)
    if label is not None and estimator.task in ("regression", "classification"):
        made["explain_predict"] = _no_explanation(label, estimator.task)
    made |= estimator.empty_functions(options)
    chain = Chain(())
    functions = {name: [fill(body, chain, {})] for name, body in made.items()}
    columns = ", ".join(
        f"cast(null as double) as {identifier(name)}" for name in metric_names(estimator, options)
    )
    if columns:
        functions["evaluate"] = [
            f"(input, threshold := 0.5) as table (select {columns} where false)",
            f"() as table (select {columns} where false)",
        ]
    functions = unanswered(estimator, label, options) | functions
    return functions | _information(store, version, estimator.task)


def _no_explanation(label: Label, task: str) -> str:
    """Return explain_predict with its columns and no rows."""
    classifies = task == "classification"
    columns = {
        f"predicted_{label.name}": label.type if classifies else "double",
        **({"probability": "double"} if classifies else {}),
        "top_feature_attributions": "struct(feature varchar, attribution double)[]",
        "baseline_prediction_value": "double",
        "prediction_value": "double",
        "approximation_error": "double",
    }
    listed = ", ".join(
        f"cast(null as {kind}) as {identifier(name)}" for name, kind in columns.items()
    )
    arguments = "input, top_k_features := 5" + ", threshold := 0.5" * classifies
    return (
        f"({arguments}) as table (select {listed}, {inputs(*columns)} "
        "from query_table(input) where false)"
    )


def _information(store: ModelStore, version: int, task: str) -> dict[str, list[str]]:
    relation = store.local(store.name)

    def unnested(column: str, fields: Sequence[str], order: str) -> list[str]:
        listed = ", ".join(f"{PREFIX}i.{identifier(name)}" for name in fields)
        return [
            f"() as table (select {listed} from (select unnest({column}) as {PREFIX}i "
            f"from {relation} where model_version = {version}){order})"
        ]

    fields = _CLUSTERING if task == "clustering" else _TRAINING
    order = f" order by {PREFIX}i.training_run, {PREFIX}i.iteration"
    return {
        "training_info": unnested("training_info", fields, order),
        "feature_info": unnested("feature_info", _FEATURES, ""),
    }


def stored_result(names: Sequence[str], types: Sequence[Any], rows: Sequence[Sequence[Any]]) -> str:
    """Return the answer of a query as the text of a function without arguments.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    types : sequence of DuckDBPyType
        Their types.
    rows : sequence of sequence
        The rows; few.
    """

    def value(item: Any, kind: Any) -> str:
        if item is None:
            return f"cast(null as {kind})"
        return f"cast({render(text(_plain(item)))} as {kind})"

    selects = [
        "select "
        + ", ".join(
            f"{value(item, kind)} as {identifier(name)}"
            for item, kind, name in zip(row, types, names, strict=True)
        )
        for row in rows or [(None,) * len(names)]
    ]
    body = " union all ".join(selects) + ("" if rows else " where false")
    return f"() as table ({body})"


def _plain(item: Any) -> str:
    return repr(item) if isinstance(item, float) else str(item)


def global_explanation(
    store: ModelStore, version: int, rows: str, fitted: Fitted, label: Label
) -> tuple[Part, dict[str, str]]:
    """Return mean absolute attributions over rows, and the functions that show them.

    Parameters
    ----------
    store, version : ModelStore, int
        Where the companion tables of the explanation are.
    rows : str
        Name of the rows.
    fitted : Fitted
        With an explanation.
    label : Label
        The label; one set of attributions a class when there are more than two.
    """
    explanation = fitted.explanation
    assert explanation is not None
    names = [list(shares) for shares in explanation.attributions]
    values = [array(shares.values()) for shares in explanation.attributions]
    attributions = PREFIX + "attributions"
    drawn = f"select * from {rows}"
    if explanation.rows:
        drawn += f" using sample reservoir({explanation.rows} rows) repeatable (1)"
    own = {name: store.part_query(version, name) for name in explanation.parts}
    steps = [*fitted.scoring.steps, *explanation.steps, {attributions: array(values)}]
    chain = Chain(steps, drawn, own)
    terms = ", ".join(
        f"avg(abs({PREFIX}rows.{attributions}[{output}][{place}]))"
        for output, features in enumerate(names, start=1)
        for place in range(1, len(features) + 1)
    )
    means: list[float] = list(
        store.con.execute(f"{chain.scored} select {terms} from {chain.last}").fetchall()[0]
    )
    classes: Sequence[str | None] = (
        label.classes if len(names) > 1 else (label.classes[-1] if label.classes else None,)
    )
    found = []
    for name, features in zip(classes, names, strict=True):
        for feature in features:
            found.append((name, feature, means.pop(0)))
    part = Part({"class_label": "varchar", "feature": "varchar", "attribution": "double"}, found)
    functions = {
        "global_explain": (
            "() as table (select feature, avg(attribution) as attribution "
            "from {part:global_explain} group by feature order by 2 desc, 1)"
        )
    }
    if label.classes:
        functions["global_explain_by_class"] = (
            f"() as table (select class_label as {identifier(label.name)}, feature, attribution "
            "from (select *, row_number() over (partition by class_label "
            f"order by attribution desc, feature) as {PREFIX}n from {{part:global_explain}}) "
            f"where {PREFIX}n <= 10 order by 1, 3 desc)"
        )
    return part, functions


def with_parts(functions: Mapping[str, str], store: ModelStore, version: int) -> dict[str, str]:
    """Fill in companion tables only."""
    chain = Chain(())
    parts = {"global_explain": store.part_query(version, "global_explain")}
    return {name: fill(body, chain, parts) for name, body in functions.items()}


def transform_function(columns: Mapping[str, exp.Expr], empty: bool = False) -> str:
    """Return the function that shows what TRANSFORM makes of rows, or of none."""
    listed = ", ".join(f"{render(value)} as {identifier(name)}" for name, value in columns.items())
    chain = Chain(())
    end = " where false" if empty else ""
    return f"(input) as table ({chain.scored} select {listed} from {chain.last}{end})"
