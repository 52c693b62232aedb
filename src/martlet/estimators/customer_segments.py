"""Customer segments: k-means with the transform and the number of clusters chosen by comparison.

What is compared and how is in `martlet.clustering.comparison`. A segment keeps its number from
version to version and is named by what its customers have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp
from threadpoolctl import threadpool_limits

from martlet.clustering.comparison import Candidate, Comparison, Rules, compare
from martlet.clustering.lloyd import Clusters, refine, squared_distances
from martlet.clustering.naming import keep_numbers, name_clusters
from martlet.clustering.transforms import TRANSFORMS, Column, standardized
from martlet.clustering.validity import Silhouette, silhouettes
from martlet.errors import InsufficientData, MartletError
from martlet.estimators.base import Estimator, Fitted, Part, Previous, Scoring, Training
from martlet.options import COMMON, Option, Options, nearest
from martlet.preprocessing import Preparation
from martlet.scoring.functions import no_rows
from martlet.scoring.vectors import fixed_vector
from martlet.sqltext import PREFIX, array, call, cast, column, integer, number, render, text

__all__ = ["CustomerSegments"]

Array = NDArray[np.float64]

_SCAN = {
    "method": "varchar",
    "transform": "varchar",
    "cluster_count": "integer",
    "silhouette": "double",
    "silhouette_standard_error": "double",
    "simplified_silhouette": "double",
    "davies_bouldin_index": "double",
    "calinski_harabasz_index": "double",
    "inertia": "double",
    "smallest_share": "double",
    "noise_share": "double",
    "stability_mean": "double",
    "stability_minimum": "double",
    "resample_count": "integer",
    "passes_gates": "boolean",
    "mean_rank": "double",
    "is_chosen": "boolean",
    "verdict": "varchar",
    "row_count": "bigint",
}
_SEGMENTS = {
    "segment_id": "integer",
    "segment_name": "varchar",
    "is_new": "boolean",
    "row_count": "bigint",
    "row_share": "double",
}
_CENTROIDS = {
    "segment_id": "integer",
    "feature": "varchar",
    "standardized_value": "double",
    "value": "double",
    "median_value": "double",
}
_ANSWER = {
    "segment_id": "integer",
    "segment_name": "varchar",
    "distance": "double",
    "margin": "double",
    "trained_as_of_date": "date",
}
#: Rows that are scored against a table of this many rows: about 10 s of one core.
_SCORED_PAIRS = 2_000_000_000


class CustomerSegments(Estimator):
    """Clusters of rows with stable numbers and names in words."""

    model_type = "customer_segments"
    task = "custom"
    metrics = ("simplified_silhouette", "davies_bouldin_index", "mean_squared_distance")
    higher_is_better = frozenset({"simplified_silhouette"})
    options = (
        *COMMON,
        Option("numeric_transforms", ("log", "yeo_johnson"), "columns"),
        Option("name_cols", ("recency_days", "frequency", "monetary_amount"), "columns"),
        Option("min_clusters", 3, "integer", low=2, high=50),
        Option("max_clusters", 10, "integer", low=2, high=50),
        Option("starts", 20, "integer", low=1, high=1000),
        Option("bootstrap_samples", 20, "integer", low=0, high=1000),
        Option("min_cluster_share", 0.02, "number", low=0, high=0.5),
        Option("min_stability", 0.85, "number", low=0, high=1),
        Option("min_rows", 50, "integer", low=10),
        Option("scan_rows", 20_000, "integer", low=100, high=200_000),
        Option("silhouette_rows", 5_000, "integer", low=100, high=100_000),
        Option("compare_density", True, "boolean"),
    )

    @classmethod
    def preparation(cls, options: Options) -> Preparation:
        """Say how the features are to be encoded."""
        return Preparation("raw")

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of each companion table."""
        return {"scan": _SCAN, "segments": _SEGMENTS, "centroids": _CENTROIDS}

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return the own functions of a version without enough data."""
        return {"predict": no_rows(_ANSWER)}

    def fit(self, training: Training) -> Fitted:
        """Compare the candidates, choose one, number and name its clusters."""
        options = training.options
        names = _numeric_columns(training)
        matrix = training.dense("train")
        _check_rows(matrix, options)
        generator = np.random.default_rng(training.seed)
        before = _comparable(training.previous, names)
        used = (before["transform"], len(before["segment_ids"])) if before else None
        # Many small products: threads would wait for each other longer than they work.
        with threadpool_limits(1):
            comparison = compare(matrix, _rules(options), generator, used)
        points = standardized(matrix, comparison.columns)
        clusters, silhouette = _all_rows(comparison, points, generator, options)
        ids, next_id = _numbers(clusters, comparison.columns, names, before)
        shown = name_clusters(
            names, matrix, clusters.labels, clusters.centroids, options["name_cols"]
        )
        parameters = _parameters(comparison, clusters, silhouette, names)
        parameters |= {
            "segment_ids": ids,
            "segment_names": shown,
            "next_segment_id": next_id,
            "previous_version": training.previous.version if training.previous else None,
        }
        kept = set(before["segment_ids"]) if before else set()
        return Fitted(
            parameters,
            _scoring(training, comparison.columns, clusters.centroids),
            parts={
                "scan": Part(
                    _SCAN, [_scan_row(item, comparison) for item in comparison.candidates]
                ),
                "segments": Part(_SEGMENTS, _segment_rows(clusters, ids, shown, kept)),
                "centroids": Part(
                    _CENTROIDS, _centroid_rows(clusters, ids, names, comparison.columns, matrix)
                ),
            },
            functions={
                "predict": _predict(ids, shown, _trained_as_of(training)),
                "evaluate": _evaluate(ids, clusters.centroids),
            },
            notices=[
                f"{len(ids)} segments after transform {comparison.chosen.transform}: "
                f"{comparison.reason}"
            ],
            python=lambda rows: np.sqrt(
                squared_distances(standardized(rows, comparison.columns), clusters.centroids)
            ),
        )


def _numeric_columns(training: Training) -> list[str]:
    for feature in training.features:
        if feature.role != "numeric":
            raise MartletError(
                f"customer_segments takes numbers only, column '{feature.name}' is "
                f"{feature.type}: leave it out or list it in entity_cols."
            )
    return [feature.name for feature in training.features]


def _check_rows(matrix: Array, options: Options) -> None:
    if len(matrix) < options["min_rows"]:
        raise InsufficientData(
            f"{len(matrix)} rows, at least {options['min_rows']} are needed (min_rows)"
        )
    different = len(np.unique(np.nan_to_num(matrix), axis=0))
    if different <= options["min_clusters"]:
        raise InsufficientData(
            f"{len(matrix)} rows, of which {different} are different: there is nothing to divide"
        )


def _rules(options: Options) -> Rules:
    for name in options["numeric_transforms"]:
        if name not in TRANSFORMS:
            raise MartletError(
                f"numeric_transforms has no '{name}': {nearest(name, list(TRANSFORMS))}"
            )
    if options["max_clusters"] < options["min_clusters"]:
        raise MartletError(
            f"max_clusters ({options['max_clusters']}) is below min_clusters "
            f"({options['min_clusters']}): raise it."
        )
    return Rules(
        transforms=options["numeric_transforms"],
        lowest=options["min_clusters"],
        highest=options["max_clusters"],
        starts=options["starts"],
        resamples=options["bootstrap_samples"],
        smallest_share=options["min_cluster_share"],
        least_agreement=options["min_stability"],
        scan_rows=options["scan_rows"],
        silhouette_rows=options["silhouette_rows"],
        with_density=options["compare_density"],
    )


def _all_rows(
    comparison: Comparison, points: Array, generator: np.random.Generator, options: Options
) -> tuple[Clusters, Silhouette]:
    """Return the chosen clustering on all rows, not only on those that were compared."""
    chosen = comparison.chosen
    if comparison.rows == len(points):
        return Clusters(chosen.centroids, chosen.labels, chosen.inertia), chosen.silhouette
    clusters = refine(points, chosen.centroids)
    scored = min(options["silhouette_rows"], max(1000, _SCORED_PAIRS // len(points)))
    return clusters, silhouettes(points, [clusters.labels], generator, scored)[0]


def _parameters(
    comparison: Comparison, clusters: Clusters, silhouette: Silhouette, names: Sequence[str]
) -> dict[str, Any]:
    """Return what the rows go through, and how well they are divided."""
    columns = zip(names, comparison.columns, strict=True)
    return {
        "transform": comparison.chosen.transform,
        "columns": [
            {"name": name, "power": item.power, "mean": item.mean, "deviation": item.deviation}
            for name, item in columns
        ],
        "centroids": clusters.centroids.tolist(),
        "silhouette": silhouette.value,
        "silhouette_standard_error": silhouette.standard_error,
        "silhouette_scored_rows": silhouette.scored,
        "choice": comparison.reason,
    }


def _comparable(previous: Previous | None, names: Sequence[str]) -> Mapping[str, Any] | None:
    """Return the champion's parameters when its segments can be looked for in the new ones."""
    if previous is None:
        return None
    known = [item["name"] for item in previous.parameters["columns"]]
    return previous.parameters if known == list(names) else None


def _numbers(
    clusters: Clusters,
    columns: Sequence[Column],
    names: Sequence[str],
    before: Mapping[str, Any] | None,
) -> tuple[list[int], int]:
    """Give the champion's segments their numbers, the others new ones by descending spend."""
    money = names.index("monetary_amount") if "monetary_amount" in names else None
    sizes = np.bincount(clusters.labels, minlength=len(clusters.centroids))
    weight = sizes if money is None else clusters.centroids[:, money]
    order = [int(place) for place in np.argsort(-weight, kind="stable")]
    if before is None:
        return keep_numbers(clusters.centroids, {}, 1, order)
    old_columns = [
        Column(before["transform"], item["power"], item["mean"], item["deviation"])
        for item in before["columns"]
    ]
    old = {}
    for number_, centroid in zip(before["segment_ids"], before["centroids"], strict=True):
        values = [item.invert(value) for item, value in zip(old_columns, centroid, strict=True)]
        old[number_] = standardized(np.array([values]), columns)[0]
    return keep_numbers(clusters.centroids, old, before["next_segment_id"], order)


def _scan_row(item: Candidate, comparison: Comparison) -> tuple[Any, ...]:
    silhouette = item.silhouette
    values = (
        silhouette.value,
        silhouette.standard_error,
        item.simplified_silhouette,
        item.davies_bouldin,
        item.calinski_harabasz,
        item.inertia,
        item.smallest_share,
        item.noise_share,
        item.agreement,
        item.least_agreement,
    )
    finite = [value if np.isfinite(value) else None for value in values]
    return (
        item.method,
        item.transform,
        item.clusters,
        *finite,
        item.resamples,
        item.passes,
        item.rank if np.isfinite(item.rank) else None,
        item is comparison.chosen,
        item.verdict,
        len(item.labels),
    )


def _segment_rows(
    clusters: Clusters, ids: Sequence[int], names: Sequence[str], kept: set[int]
) -> list[tuple[Any, ...]]:
    sizes = np.bincount(clusters.labels, minlength=len(ids))
    rows = [
        (number_, name, number_ not in kept, int(size), float(size / sizes.sum()))
        for number_, name, size in zip(ids, names, sizes, strict=True)
    ]
    return sorted(rows)


def _centroid_rows(
    clusters: Clusters,
    ids: Sequence[int],
    names: Sequence[str],
    columns: Sequence[Column],
    matrix: Array,
) -> list[tuple[Any, ...]]:
    rows = []
    for place, number_ in enumerate(ids):
        members = matrix[clusters.labels == place]
        for j, (name, item) in enumerate(zip(names, columns, strict=True)):
            value = float(clusters.centroids[place, j])
            known = members[np.isfinite(members[:, j]), j]
            median = float(np.median(known)) if len(known) else None
            rows.append((number_, name, value, item.invert(value), median))
    return sorted(rows, key=lambda row: (row[0], names.index(row[1])))


def _trained_as_of(training: Training) -> date | None:
    name = training.options["as_of_col"]
    if not name:
        return None
    query = f"select cast(max({render(column(name, None))}) as date) from {training.table}"
    found = training.con.execute(query).fetchall()[0][0]
    return found if isinstance(found, date) else None


def _scoring(training: Training, columns: Sequence[Column], centroids: Array) -> Scoring:
    raw = training.encoding.numbers()
    plain = {f"{PREFIX}n{place}": value for place, value in enumerate(raw)}
    vector = exp.Cast(
        this=array(item.sql(column(name)) for name, item in zip(plain, columns, strict=True)),
        to=exp.DataType.build(f"double[{len(columns)}]", dialect="duckdb"),
    )
    distances = array(
        call("array_distance", column(PREFIX + "vector"), fixed_vector(centroid.tolist()))
        for centroid in centroids
    )
    return Scoring(
        "distances", (plain, {PREFIX + "vector": vector}, {PREFIX + "distances": distances})
    )


def _predict(ids: Sequence[int], names: Sequence[str], trained_as_of: date | None) -> str:
    distances = render(column(PREFIX + "distances"))
    place = f"list_position({distances}, list_min({distances}))"
    numbers = render(array(integer(item) for item in ids))
    shown = render(array(text(name) for name in names))
    known = render(cast(text(trained_as_of.isoformat()), "date")) if trained_as_of else "null::date"
    return (
        f"(input) as table ({{scored}} select {{inputs:{','.join(_ANSWER)}}}, "
        f"cast({numbers}[{place}] as integer) as segment_id, {shown}[{place}] as segment_name, "
        f"list_min({distances}) as distance, "
        f"list_sort({distances})[2] - list_min({distances}) as margin, "
        f"{known} as trained_as_of_date from {{last}})"
    )


def _evaluate(ids: Sequence[int], centroids: Array) -> str:
    gaps = np.sqrt(squared_distances(centroids, centroids))
    pairs = ", ".join(
        f"({ids[i]}, {ids[j]}, {render(number(float(gaps[i, j])))})"
        for i in range(len(ids))
        for j in range(len(ids))
        if i != j
    )
    return f"""(input) as table (
with {PREFIX}found as (select segment_id as c, distance as d, margin as m from {{predict}}(input)),
{PREFIX}scatter as (select c, avg(d) as s from {PREFIX}found group by c),
{PREFIX}gaps(i, j, gap) as (values {pairs}),
{PREFIX}worst as (
    select i, max((a.s + b.s) / nullif(gap, 0)) as likeness
    from {PREFIX}gaps
    join {PREFIX}scatter as a on a.c = i join {PREFIX}scatter as b on b.c = j
    group by i
)
select
    (select avg(coalesce(m / nullif(d + m, 0), 0)) from {PREFIX}found) as simplified_silhouette,
    (select avg(likeness) from {PREFIX}worst) as davies_bouldin_index,
    (select avg(d * d) from {PREFIX}found) as mean_squared_distance)"""
