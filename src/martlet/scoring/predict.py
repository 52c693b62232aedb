"""Text of the stored functions that apply a model: predict and explain_predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from martlet.estimators.base import Explanation, Label, Scoring
from martlet.scoring.chain import Chain, inputs
from martlet.sqltext import PREFIX, ROWS, array, column, identifier, number, render, text

__all__ = ["explain_function", "predict_functions", "probability_expressions"]


def probability_expressions(label: Label, output: str) -> list[str]:
    """Return SQL of the probability of each class, ascending, over the last step."""
    if output == "probability":
        positive = render(column(PREFIX + "probability"))
        return [f"1 - {positive}", positive]
    listed = render(column(PREFIX + "probabilities"))
    return [f"{listed}[{place}]" for place in range(1, len(label.classes) + 1)]


def _predicted_class(label: Label, output: str) -> str:
    names = [render(label.literal(place)) for place in range(len(label.classes))]
    if output == "probability":
        positive = render(column(PREFIX + "probability"))
        return f"case when {positive} > threshold then {names[1]} else {names[0]} end"
    listed = render(column(PREFIX + "probabilities"))
    return f"[{', '.join(names)}][list_position({listed}, list_max({listed}))]"


def _struct(fields: str) -> str:
    return "struct(" + fields + ")[]"


def predict_functions(
    task: str, scoring: Scoring, label: Label | None, components: int = 0
) -> dict[str, str]:
    """Return the functions that add predictions to rows.

    Parameters
    ----------
    task : str
        The kind of model.
    scoring : Scoring
        The model as SQL; without output the functions return no row.
    label : Label or None
        The label of a supervised model.
    components : int
        Number of principal components.

    Returns
    -------
    dict of str to str
        Text after ``create macro <name>``, by function.
    """
    chain = Chain(scoring.written)
    empty = scoring.output is None
    end = f" from {chain.last}" + (" where false" if empty else "")
    if task == "regression":
        assert label is not None
        made = f"predicted_{label.name}"
        value = "cast(null as double)" if empty else render(column(PREFIX + "score"))
        body = f"select {inputs(made)}, {value} as {identifier(made)}"
        return {"predict": f"(input) as table ({chain.scored} {body}{end})"}
    if task == "classification":
        assert label is not None
        return {"predict": _classify(chain, scoring, label, end)}
    if task == "clustering":
        pair = "CENTROID_ID bigint, DISTANCE double"
        if empty:
            centroid = "cast(null as bigint)"
            nearest = f"cast(null as {_struct(pair)})"
        else:
            listed = render(column(PREFIX + "distances"))
            centroid = f"cast(list_position({listed}, list_min({listed})) as bigint)"
            paired = (
                f"list_transform({listed}, lambda {PREFIX}d, {PREFIX}i: "
                f"{{'DISTANCE': {PREFIX}d, 'CENTROID_ID': cast({PREFIX}i as bigint)}})"
            )
            nearest = (
                f"list_transform(list_slice(list_sort({paired}), 1, 5), lambda {PREFIX}e: "
                f"{{'CENTROID_ID': {PREFIX}e.CENTROID_ID, 'DISTANCE': {PREFIX}e.DISTANCE}})"
            )
        made_names = ("CENTROID_ID", "NEAREST_CENTROIDS_DISTANCE")
        body = f"select {inputs(*made_names)}, {centroid} as CENTROID_ID, "
        body += f"{nearest} as NEAREST_CENTROIDS_DISTANCE"
        return {"predict": f"(input) as table ({chain.scored} {body}{end})"}
    if task == "decomposition":
        names = [f"principal_component_{place}" for place in range(1, components + 1)]
        listed = render(column(PREFIX + "components"))
        values = ", ".join(
            ("cast(null as double)" if empty else f"{listed}[{place}]") + f" as {name}"
            for place, name in enumerate(names, start=1)
        )
        head = f"(input) as table ({chain.scored} select "
        return {
            "predict": f"{head}{values}{end})",
            "predict_with_input": f"{head}{values}, {inputs(*names)}{end})",
        }
    return {}


def _classify(chain: Chain, scoring: Scoring, label: Label, end: str) -> str:
    made = f"predicted_{label.name}"
    listed = made + "_probs"
    head = f"(input, threshold := 0.5) as table ({chain.scored} select {inputs(made, listed)}, "
    if scoring.output is None:
        pair = f"label {label.type}, prob double"
        return (
            f"{head}cast(null as {label.type}) as {identifier(made)}, "
            f"cast(null as {_struct(pair)}) as {identifier(listed)}{end})"
        )
    # Descending: element 0 is the positive class, where public notebooks read it.
    pairs = [
        f"{{'label': {render(label.literal(place))}, 'prob': {probability}}}"
        for place, probability in enumerate(probability_expressions(label, scoring.output))
    ][::-1]
    return (
        f"{head}{_predicted_class(label, scoring.output)} as {identifier(made)}, "
        f"[{', '.join(pairs)}] as {identifier(listed)}{end})"
    )


def _own(name: str) -> str:
    return render(column(PREFIX + name))


def _largest(names: Sequence[str]) -> str:
    """Return the attributions of largest size, from the list and the size of the k-th largest.

    Few entries are sorted: sorting all of them took nine tenths of the time. Of equal sizes the
    earlier feature comes first.
    """
    values, least = _own("own"), _own("least")
    place, entry = PREFIX + "i", PREFIX + "e"
    size = f"abs({values}[{place}])"
    kept = f"list_filter(range(1, {len(names) + 1}), lambda {place}: {size} >= {least})"
    by_size = f"list_transform({kept}, lambda {place}: {{'size': -{size}, 'place': {place}}})"
    listed = f"[{', '.join(render(text(name)) for name in names)}]"
    return (
        f"list_transform(list_slice(list_sort({by_size}), 1, top_k_features), lambda {entry}: "
        f"{{'feature': {listed}[{entry}.place], 'attribution': {values}[{entry}.place]}})"
    )


def explain_function(
    scoring: Scoring,
    explanation: Explanation,
    label: Label,
    task: str,
    parts: Mapping[str, str],
) -> str:
    """Return the function that explains each prediction by its inputs.

    Parameters
    ----------
    scoring, explanation : Scoring, Explanation
        Of the fitted model.
    label : Label
        The label.
    task : str
        ``regression`` or ``classification``.
    parts : mapping of str to str
        SQL of the rows of each companion table that the explanation reads.
    """
    assert scoring.output is not None
    shares = [array(item.values()) for item in explanation.attributions]
    attributions = PREFIX + "attributions"
    steps = [*scoring.written, *explanation.steps, {attributions: array(shares)}]
    chain = Chain(steps, parts=parts)
    chosen = "1"
    if scoring.output == "probabilities":
        listed = render(column(PREFIX + "probabilities"))
        chosen = f"list_position({listed}, list_max({listed}))"
    sizes = f"list_transform({_own('own')}, lambda {PREFIX}v: abs({PREFIX}v))"
    ranked = (
        f"{chain.scored}, {PREFIX}of as (select {ROWS}.*, "
        f"{render(column(attributions))}[{chosen}] as {PREFIX}own from {chain.last}), "
        f"{PREFIX}ranked as (select {ROWS}.*, "
        # DuckDB 1.x, whose clients read stored functions, has no list_aggregate with a number.
        f"list_sort({sizes}, 'DESC', 'NULLS LAST')"
        f"[least(greatest(top_k_features, 1), list_count({_own('own')}))] as {PREFIX}least "
        f"from {PREFIX}of as {ROWS})"
    )
    baseline = f"[{', '.join(render(number(value)) for value in explanation.baselines)}][{chosen}]"
    top = _largest(list(explanation.attributions[0]))
    whole = f"{baseline} + list_sum({_own('own')})"
    made = f"predicted_{label.name}"
    if task == "classification":
        listed = ", ".join(probability_expressions(label, scoring.output))
        probability = f"list_max([{listed}])"
        if scoring.output == "probability":
            positive = render(column(PREFIX + "probability"))
            probability = (
                f"case when {positive} > threshold then {positive} else 1 - {positive} end"
            )
        outputs = [
            f"{_predicted_class(label, scoring.output)} as {identifier(made)}",
            f"{probability} as probability",
        ]
        parameters = "(input, top_k_features := 5, threshold := 0.5)"
    else:
        outputs = [f"{render(column(PREFIX + 'score'))} as {identifier(made)}"]
        parameters = "(input, top_k_features := 5)"
    outputs += [
        f"{top} as top_feature_attributions",
        f"{baseline} as baseline_prediction_value",
        f"{whole} as prediction_value",
        "cast(0 as double) as approximation_error",
    ]
    names = [item.rsplit(" as ", 1)[1].strip('"') for item in outputs]
    return (
        f"{parameters} as table ({ranked} select {', '.join(outputs)}, {inputs(*names)} "
        f"from {PREFIX}ranked as {ROWS})"
    )
