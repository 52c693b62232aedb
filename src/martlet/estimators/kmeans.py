"""K-means clustering by Lloyd's algorithm.

References
----------
Lloyd (1982), "Least squares quantization in PCM". Arthur and Vassilvitskii (2007), "k-means++: the
advantages of careful seeding". Davies and Bouldin (1979), "A cluster separation measure".
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from martlet.errors import MartletError
from martlet.estimators.base import Estimator, Fitted, Iteration, Part, Scoring, Training
from martlet.option_values import Candidates, Range
from martlet.options import COMMON, TUNING, Option, Options
from martlet.preprocessing import Preparation
from martlet.schema import find_column
from martlet.scoring.vectors import (
    MOST_COLUMNS,
    VALUE_COLUMNS,
    anomaly_cut,
    fixed_vector,
    value_rows,
)
from martlet.sqltext import PREFIX, array, call, column, identifier, number

__all__ = ["KMeans"]

Array = NDArray[np.float64]

#: Numbers that are worked on at once.
_MANY = 4_000_000


class KMeans(Estimator):
    """BigQuery ML's KMEANS."""

    model_type = "kmeans"
    task = "clustering"
    max_columns = MOST_COLUMNS
    options = (
        *COMMON,
        *TUNING,
        Option("num_clusters", None, "integer", low=2, high=100, tunable=True),
        Option("kmeans_init_method", "RANDOM", "choice", ("RANDOM", "KMEANS++", "CUSTOM")),
        Option("kmeans_init_col", None, "text"),
        Option("distance_type", "EUCLIDEAN", "choice", ("EUCLIDEAN", "COSINE")),
        Option("standardize_features", True, "boolean"),
        Option("max_iterations", 20, "integer", low=1),
        Option("early_stop", True, "boolean"),
        Option("min_rel_progress", 0.01, "number", low=0),
    )

    @classmethod
    def preparation(cls, options: Options) -> Preparation:
        """Say how the features are to be encoded."""
        return Preparation("standardize" if options["standardize_features"] else "impute")

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return columns named by own options, which are not features."""
        return [options["kmeans_init_col"]] if options["kmeans_init_col"] else []

    @classmethod
    def default_search(cls) -> dict[str, Range | Candidates]:
        """Return what tuning varies when nothing is said."""
        return {"num_clusters": Range(2, 10)}

    def fit(self, training: Training) -> Fitted:
        """Learn from the training part."""
        options = training.options
        points = training.dense("train")
        clusters = options["num_clusters"] or max(2, round(math.log10(max(len(points), 1))))
        different = _different(points)
        if len(different) < clusters:
            raise MartletError(
                f"kmeans cannot make {clusters} clusters of {len(different)} different rows: "
                "lower num_clusters or give it more rows."
            )
        cosine = options["distance_type"] == "COSINE"
        centroids = _start(training, points, different, clusters, cosine)
        centroids, course = _lloyd(points, centroids, cosine, options)
        distances = _distances(points, centroids, cosine)
        nearest = distances.argmin(axis=1)
        radius = _radius(distances, nearest, clusters)
        with np.errstate(divide="ignore", invalid="ignore"):
            normalized = np.nanmin(distances / radius, axis=1)
        rows = []
        for place, centroid in enumerate(centroids, start=1):
            for standardized in (True, False):
                found = value_rows(training.encoding, centroid, standardized, False)
                rows += [(place, *row) for row in found]
        parameters = {
            "centroids": centroids.tolist(),
            "radius": radius.tolist(),
            "columns": [[name, category] for name, category in training.encoding.names],
        }
        functions = {
            "centroids": (
                "(standardize := false) as table (select centroid_id, feature, numerical_value, "
                "categorical_value from {part:centroids} where is_standardized = standardize "
                "order by centroid_id, feature_number)"
            ),
            "detect_anomalies": _anomalies(normalized, radius),
        }
        parts = {"centroids": Part({"centroid_id": "bigint", **VALUE_COLUMNS}, rows)}
        return Fitted(
            parameters,
            _scoring(training, centroids, cosine),
            course,
            parts,
            functions,
            python=lambda points: _distances(points, centroids, cosine),
        )


def _scoring(training: Training, centroids: Array, cosine: bool) -> Scoring:
    vector = column(PREFIX + "vector")
    distances: list[exp.Expr] = []
    for centroid in centroids:
        constant = fixed_vector([float(value) for value in centroid])
        if cosine:
            likeness = call("array_cosine_similarity", vector.copy(), constant)
            # A row of zeros has no direction: it is as far as a right angle from everything.
            safe = exp.Case().when(call("isfinite", likeness), likeness.copy()).else_(number(0.0))
            away = exp.Sub(this=number(1.0), expression=safe)
            distances.append(call("sqrt", call("greatest", number(0.0), away)))
        else:
            distances.append(call("array_distance", vector.copy(), constant))
    return Scoring(
        "distances",
        ({PREFIX + "vector": training.encoding.vector()}, {PREFIX + "distances": array(distances)}),
    )


def _anomalies(normalized: Array, radius: Array) -> str:
    places = range(1, len(radius) + 1)
    shares = [
        f"{PREFIX}rows.{PREFIX}distances[{place}] / {number(value).sql(dialect='duckdb')}"
        for place, value in zip(places, radius, strict=True)
        if value > 0
    ]
    measure = f"list_min([{', '.join(shares)}])" if shares else "cast(0 as double)"
    closest = f"{PREFIX}rows.{PREFIX}distances"
    return (
        "(input, contamination) as table ({scored} select "
        f"{measure} > {anomaly_cut(normalized)} as is_anomaly, "
        f"{measure} as normalized_distance, "
        f"cast(list_position({closest}, list_min({closest})) as bigint) as centroid_id, "
        "{inputs:is_anomaly,normalized_distance,centroid_id} from {last})"
    )


def _distances(points: Array, centroids: Array, cosine: bool) -> Array:
    if cosine:
        with np.errstate(divide="ignore", invalid="ignore"):
            lengths = np.linalg.norm(points, axis=1)[:, None] * np.linalg.norm(centroids, axis=1)
            likeness = np.nan_to_num(points @ centroids.T / lengths, posinf=0.0, neginf=0.0)
        return np.asarray(np.sqrt(np.clip(1 - likeness, 0, None)))
    result = np.empty((len(points), len(centroids)))
    step = max(1, _MANY // max(1, points.shape[1]))
    for start in range(0, len(points), step):
        block = points[start : start + step]
        for place, centroid in enumerate(centroids):
            result[start : start + step, place] = np.sqrt(((block - centroid) ** 2).sum(axis=1))
    return result


def _radius(distances: Array, nearest: Any, clusters: int) -> Array:
    """Root mean squared distance of each cluster's members to its centroid."""
    sizes = np.bincount(nearest, minlength=clusters)
    closest = distances[np.arange(len(distances)), nearest]
    sums = np.bincount(nearest, weights=closest**2, minlength=clusters)
    return np.asarray(np.sqrt(sums / np.maximum(sizes, 1)))


def _different(points: Array) -> Any:
    """Return places of rows of which no two are alike."""
    if points.size <= _MANY:
        return np.unique(points, axis=0, return_index=True)[1]
    # Sorting rows number by number takes minutes when they are wide; zeros have one sign here.
    rows = np.ascontiguousarray(points + 0.0)
    return np.unique(rows.view(np.dtype((np.void, rows[0].nbytes))).ravel(), return_index=True)[1]


def _start(training: Training, points: Array, different: Any, clusters: int, cosine: bool) -> Array:
    options = training.options
    method = options["kmeans_init_method"]
    if options["kmeans_init_col"] and method != "CUSTOM":
        raise MartletError("kmeans_init_col needs kmeans_init_method 'CUSTOM'.")
    if method == "CUSTOM":
        if not options["kmeans_init_col"]:
            raise MartletError("kmeans_init_method 'CUSTOM' needs kmeans_init_col.")
        names = [item[0] for item in training.con.table(training.table).description]
        name = find_column(options["kmeans_init_col"], names, "kmeans_init_col")
        marks = training.numbers("train", f"cast({identifier(name)} as boolean)::int")
        chosen = np.flatnonzero(marks == 1)
        if len(chosen) != clusters:
            raise MartletError(
                f"kmeans_init_col '{name}' marks {len(chosen)} rows, num_clusters is {clusters}: "
                "mark one row a cluster."
            )
        return points[chosen]
    generator = np.random.default_rng(training.seed)
    if method == "RANDOM":
        drawn = different[generator.choice(len(different), clusters, replace=False)]
        return np.asarray(points[drawn])
    chosen_points = [points[generator.integers(len(points))]]
    while len(chosen_points) < clusters:
        gaps = _distances(points, np.asarray(chosen_points), cosine).min(axis=1) ** 2
        chance = gaps / gaps.sum() if gaps.sum() > 0 else None
        chosen_points.append(points[generator.choice(len(points), p=chance)])
    return np.asarray(chosen_points)


def _lloyd(
    points: Array, centroids: Array, cosine: bool, options: Options
) -> tuple[Array, list[Iteration]]:
    course: list[Iteration] = []
    last = math.inf
    clusters = len(centroids)
    for iteration in range(options["max_iterations"]):
        started = time.perf_counter()
        distances = _distances(points, centroids, cosine)
        nearest = distances.argmin(axis=1)
        sizes = np.bincount(nearest, minlength=clusters)
        centroids = centroids.copy()
        far = np.argsort(-distances.min(axis=1))
        for place in range(clusters):
            if sizes[place]:
                centroids[place] = points[nearest == place].mean(axis=0)
            else:
                # An empty cluster starts again at the row that fits worst.
                centroids[place], far = points[far[0]], far[1:]
        distances = _distances(points, centroids, cosine)
        nearest = distances.argmin(axis=1)
        loss = float((distances.min(axis=1) ** 2).mean())
        sizes = np.bincount(nearest, minlength=clusters)
        radius = _radius(distances, nearest, clusters)
        information = tuple(
            (place + 1, float(radius[place]), int(sizes[place])) for place in range(clusters)
        )
        milliseconds = int((time.perf_counter() - started) * 1000)
        course.append(
            Iteration(iteration, loss, None, None, milliseconds, cluster_info=information)
        )
        small = last - loss < options["min_rel_progress"] * last if last < math.inf else False
        if loss == 0 or (options["early_stop"] and small):
            break
        last = loss
    return centroids, course
