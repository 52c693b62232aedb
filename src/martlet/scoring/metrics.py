"""Text of the stored functions that judge a model on rows: the metrics, as SQL.

Regression: the lower median for an even number of rows. Two classes: precision, recall and F1 of
the positive class and the mean log-loss. More classes: unweighted means over the training classes,
the log-loss of a class being the mean over its rows; accuracy is over all rows.
The area under the curve is the Mann-Whitney statistic (ties count one half).

References
----------
Mann and Whitney (1947). Davies and Bouldin (1979), here with the root mean squared scatter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from martlet.estimators.base import Label
from martlet.sqltext import PREFIX, identifier, number, render, text

__all__ = ["column_names", "metric_functions"]

_EPSILON = render(number(2.220446049250313e-16))
_P = PREFIX + "p"


def metric_functions(
    task: str,
    predict: str,
    label: Label | None,
    centroids: Sequence[Sequence[float]] = (),
) -> dict[str, str]:
    """Return the functions that compare predictions with the truth.

    Parameters
    ----------
    task : str
        The kind of model.
    predict : str
        Name of the stored function to call.
    label : Label or None
        The label.
    centroids : sequence of sequence of float
        Of a clustering, encoded.

    Returns
    -------
    dict of str to str
        Text after ``create macro <name>``, by function.
    """
    if task == "regression" and label is not None:
        return {"evaluate": _regression(predict, label)}
    if task == "classification" and label is not None:
        functions = {"confusion_matrix": _confusion(predict, label)}
        if len(label.classes) == 2:
            functions["evaluate"] = _binary(predict, label)
            functions["roc_curve"] = _roc_curve(predict, label)
        else:
            functions["evaluate"] = _multiclass(predict, label)
        return functions
    if task == "clustering":
        return {"evaluate": _clustering(predict, centroids)}
    return {}


def _regression(predict: str, label: Label) -> str:
    return f"""(input) as table (
with {PREFIX}pairs as (
    select cast({_P}.{identifier(label.name)} as double) as y,
        {_P}.{identifier("predicted_" + label.name)} as p
    from {predict}(input) as {_P} where isfinite(cast({_P}.{identifier(label.name)} as double))
), {PREFIX}centred as (select y, p, y - p as e, avg(y) over () as m from {PREFIX}pairs)
select
    avg(abs(e)) as mean_absolute_error,
    avg(e * e) as mean_squared_error,
    case when min(least(y, p)) > -1 then avg(case when least(y, p) > -1
        then power(ln(1 + y) - ln(1 + p), 2) end) end as mean_squared_log_error,
    quantile_disc(abs(e), 0.5) as median_absolute_error,
    1 - sum(e * e) / nullif(sum((y - m) * (y - m)), 0) as r2_score,
    1 - var_pop(e) / nullif(var_pop(y), 0) as explained_variance
from {PREFIX}centred)"""


def _codes(predict: str, label: Label, threshold: bool) -> str:
    """Rows with the places of the true and the predicted class and the probabilities, ascending."""
    classes = ", ".join(render(text(name)) for name in label.classes)
    argument = ", threshold := threshold" if threshold else ""
    guess = identifier(f"predicted_{label.name}")
    listed = identifier(f"predicted_{label.name}_probs")
    return (
        f"select list_position([{classes}], cast({_P}.{identifier(label.name)} as varchar)) as y, "
        f"list_position([{classes}], cast({_P}.{guess} as varchar)) as p, "
        f"list_reverse(list_transform({_P}.{listed}, lambda {PREFIX}e: {PREFIX}e.prob)) as s "
        f"from {predict}(input{argument}) as {_P} "
        f"where {_P}.{identifier(label.name)} is not null"
    )


def _binary(predict: str, label: Label) -> str:
    return f"""(input, threshold := 0.5) as table (
with {PREFIX}pairs as ({_codes(predict, label, True)}),
{PREFIX}ranked as (
    select y, p, s[y] as own,
        rank() over (order by s[2]) + (count(*) over (partition by s[2]) - 1) / 2.0::double as r
    from {PREFIX}pairs
), {PREFIX}counted as (
    select
        count(*) filter (where y = 2 and p = 2)::double as tp,
        count(*) filter (where y is distinct from 2 and p = 2)::double as fp,
        count(*) filter (where y = 2 and p = 1)::double as fn,
        count(*) filter (where y = p)::double as hits,
        count(*)::double as n,
        count(*) filter (where y = 2)::double as np,
        sum(r) filter (where y = 2) as rank_sum,
        -avg(ln(greatest(own, {_EPSILON}))) as log_loss
    from {PREFIX}ranked
)
select
    case when n > 0 then coalesce(tp / nullif(tp + fp, 0), 0) end as precision,
    case when n > 0 then coalesce(tp / nullif(np, 0), 0) end as recall,
    hits / nullif(n, 0) as accuracy,
    case when n > 0 then coalesce(2 * tp / nullif(2 * tp + fp + fn, 0), 0) end as f1_score,
    log_loss,
    (rank_sum - np * (np + 1) / 2) / nullif(np * (n - np), 0) as roc_auc
from {PREFIX}counted)"""


def _multiclass(predict: str, label: Label) -> str:
    return f"""(input) as table (
with {PREFIX}pairs as ({_codes(predict, label, False)}),
{PREFIX}long as (
    select y, p, k, s[k] as score, s[y] as own
    from {PREFIX}pairs, range(1, {len(label.classes) + 1}) as {PREFIX}classes(k)
), {PREFIX}ranked as (
    select *, rank() over (partition by k order by score)
        + (count(*) over (partition by k, score) - 1) / 2.0::double as r
    from {PREFIX}long
), {PREFIX}counted as (
    select k,
        count(*) filter (where y = k and p = k)::double as tp,
        count(*) filter (where y is distinct from k and p = k)::double as fp,
        count(*) filter (where y = k)::double as np,
        count(*) filter (where y = p)::double as hits,
        count(*)::double as n,
        sum(r) filter (where y = k) as rank_sum,
        avg(-ln(greatest(own, {_EPSILON}))) filter (where y = k) as log_loss
    from {PREFIX}ranked group by k
)
select
    avg(coalesce(tp / nullif(tp + fp, 0), 0)) as precision,
    avg(coalesce(tp / nullif(np, 0), 0)) as recall,
    max(hits) / nullif(max(n), 0) as accuracy,
    avg(coalesce(2 * tp / nullif(tp + fp + np, 0), 0)) as f1_score,
    avg(log_loss) as log_loss,
    avg((rank_sum - np * (np + 1) / 2) / nullif(np * (n - np), 0)) as roc_auc
from {PREFIX}counted)"""


def column_names(classes: Sequence[str]) -> list[str]:
    """Make column names of class names, as BigQuery rewrites what is not an identifier.

    Examples
    --------
    >>> column_names(["0", "MALE", "n/a", "n_a"])
    ['_0', 'MALE', 'n_a', 'n_a_1']
    """
    result: list[str] = []
    for name in ["expected_label", *classes]:
        legal = re.sub(r"\W", "_", name, flags=re.ASCII) or "_"
        legal = "_" + legal if legal[0].isdigit() else legal
        taken = {other.lower() for other in result}
        unique, count = legal, 0
        while unique.lower() in taken:
            count += 1
            unique = f"{legal}_{count}"
        result.append(unique)
    return result[1:]


def _confusion(predict: str, label: Label) -> str:
    binary = len(label.classes) == 2
    names = column_names(label.classes)
    counts = ", ".join(
        f"count(*) filter (where {PREFIX}pairs.p = {place}) as {identifier(name)}"
        for place, name in enumerate(names, start=1)
    )
    rows = ", ".join(
        f"({place}, {render(label.literal(place - 1))})"
        for place in range(1, len(label.classes) + 1)
    )
    parameters = "(input, threshold := 0.5)" if binary else "(input)"
    return f"""{parameters} as table (
with {PREFIX}pairs as ({_codes(predict, label, binary)}),
{PREFIX}classes(k, expected_label) as (values {rows})
select expected_label, {counts}
from {PREFIX}classes left join {PREFIX}pairs on {PREFIX}pairs.y = {PREFIX}classes.k
group by k, expected_label order by k)"""


def _roc_curve(predict: str, label: Label) -> str:
    shares = ", ".join(f"{place / 100}" for place in range(101))
    return f"""(input, thresholds := null) as table (
with {PREFIX}pairs as (
    select y = 2 as hit, s[2] as s from ({_codes(predict, label, False)}) where y is not null
), {PREFIX}cuts as (
    select distinct unnest(coalesce(cast(thresholds as double[]), q)) as threshold
    from (select quantile_disc(s, [{shares}]) as q from {PREFIX}pairs)
), {PREFIX}counted as (
    select threshold,
        count(*) filter (where hit and s > threshold) as tp,
        count(*) filter (where not hit and s > threshold) as fp,
        count(*) filter (where not hit and not s > threshold) as tn,
        count(*) filter (where hit and not s > threshold) as fn
    from {PREFIX}cuts, {PREFIX}pairs group by threshold
)
select
    threshold,
    tp / nullif(tp + fn, 0)::double as recall,
    fp / nullif(fp + tn, 0)::double as false_positive_rate,
    tp as true_positives,
    fp as false_positives,
    tn as true_negatives,
    fn as false_negatives
from {PREFIX}counted order by threshold desc)"""


def _clustering(predict: str, centroids: Sequence[Sequence[float]]) -> str:
    import numpy as np

    points = np.asarray(centroids)
    pairs = ", ".join(
        f"({i + 1}, {j + 1}, {render(number(float(np.linalg.norm(points[i] - points[j]))))})"
        for i in range(len(points))
        for j in range(len(points))
        if i != j
    )
    return f"""(input) as table (
with {PREFIX}nearest as (
    select {_P}.CENTROID_ID as c, {_P}.NEAREST_CENTROIDS_DISTANCE[1].DISTANCE as d
    from {predict}(input) as {_P}
), {PREFIX}scatter as (
    select c, sqrt(avg(d * d)) as s, sum(d * d) as squares, count(*) as n
    from {PREFIX}nearest group by c
), {PREFIX}gaps(i, j, gap) as (values {pairs}),
{PREFIX}worst as (
    select i, max((a.s + b.s) / nullif(gap, 0)) as likeness
    from {PREFIX}gaps
    join {PREFIX}scatter as a on a.c = i join {PREFIX}scatter as b on b.c = j
    group by i
)
select
    (select avg(likeness) from {PREFIX}worst) as davies_bouldin_index,
    (select sum(squares) / sum(n) from {PREFIX}scatter) as mean_squared_distance)"""
