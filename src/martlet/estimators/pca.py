"""Principal components.

The directions are the eigenvectors of the second moments of the encoded columns: numbers are
centred (and scaled), categories are 0 or 1 and not centred, as in BigQuery ML. Of a direction's two
signs the one that makes its largest entry positive is taken, so that a fit repeats.

References
----------
Jolliffe (2002), "Principal Component Analysis", chapter 2.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from martlet.errors import MartletError
from martlet.estimators.base import Estimator, Fitted, Iteration, Part, Scoring, Training
from martlet.options import COMMON, Option, Options
from martlet.preprocessing import Preparation
from martlet.scoring.vectors import (
    MOST_COLUMNS,
    VALUE_COLUMNS,
    anomaly_cut,
    fixed_vector,
    value_rows,
)
from martlet.sqltext import PREFIX, array, call, column

__all__ = ["PrincipalComponents"]

Array = NDArray[np.float64]


class PrincipalComponents(Estimator):
    """BigQuery ML's PCA."""

    model_type = "pca"
    max_columns = MOST_COLUMNS
    task = "decomposition"
    options = (
        *COMMON,
        Option("num_principal_components", None, "integer", low=1),
        Option("pca_explained_variance_ratio", None, "number", low=0, high=1),
        Option("scale_features", True, "boolean"),
        Option(
            "pca_solver",
            "AUTO",
            "choice",
            ("AUTO", "FULL", "RANDOMIZED"),
            ignored="the exact decomposition is always used",
        ),
    )

    @classmethod
    def preparation(cls, options: Options) -> Preparation:
        """Say how the features are to be encoded."""
        return Preparation("standardize" if options["scale_features"] else "center")

    def fit(self, training: Training) -> Fitted:
        """Learn from the training part."""
        started = time.perf_counter()
        wanted = training.options["num_principal_components"]
        ratio = training.options["pca_explained_variance_ratio"]
        if (wanted is None) == (ratio is None):
            raise MartletError(
                "pca needs exactly one of num_principal_components and "
                "pca_explained_variance_ratio."
            )
        points = training.dense("train")
        rows, width = points.shape
        if rows < 2:
            raise MartletError("pca needs at least 2 rows.")
        eigenvalues, vectors = np.linalg.eigh(points.T @ points / (rows - 1))
        eigenvalues, vectors = np.clip(eigenvalues[::-1], 0, None), vectors[:, ::-1]
        whole = float(eigenvalues.sum())
        if whole == 0:
            raise MartletError("pca has nothing to decompose: every feature is constant.")
        shares = eigenvalues / whole
        if wanted is None:
            reached = np.cumsum(shares) >= ratio - 1e-12
            wanted = int(np.argmax(reached)) + 1 if reached.any() else width
        if wanted > min(rows, width):
            raise MartletError(
                f"num_principal_components is {wanted}, but {rows} rows of {width} encoded "
                f"columns have at most {min(rows, width)}: lower it."
            )
        components = vectors[:, :wanted].T
        largest = components[np.arange(wanted), np.abs(components).argmax(axis=1)]
        components = components * np.sign(largest)[:, None]
        inputs = len(training.features)
        residual = (points**2).sum(axis=1) - ((points @ components.T) ** 2).sum(axis=1)
        errors = np.clip(residual, 0, None) / inputs
        milliseconds = int((time.perf_counter() - started) * 1000)
        parameters = {
            "components": components.tolist(),
            "eigenvalues": eigenvalues[:wanted].tolist(),
            "explained_variance_ratio": shares[:wanted].tolist(),
            "columns": [[name, category] for name, category in training.encoding.names],
        }
        return Fitted(
            parameters,
            _scoring(training, components),
            [Iteration(0, float(errors.mean()), None, None, milliseconds)],
            _parts(training, components, eigenvalues, shares),
            _functions(errors, inputs),
            python=lambda points: points @ components.T,
        )


def _scoring(training: Training, components: Array) -> Scoring:
    vector = column(PREFIX + "vector")
    projections = [
        call("array_inner_product", vector.copy(), fixed_vector([float(v) for v in component]))
        for component in components
    ]
    return Scoring(
        "components",
        (
            {PREFIX + "vector": training.encoding.vector()},
            {PREFIX + "components": array(projections)},
        ),
    )


def _parts(
    training: Training, components: Array, eigenvalues: Array, shares: Array
) -> dict[str, Part]:
    values = []
    for place, component in enumerate(components):
        found = value_rows(training.encoding, component, True, True)
        values += [(place, *row) for row in found]
    cumulative = np.cumsum(shares)
    information = [
        (place, float(eigenvalues[place]), float(shares[place]), float(cumulative[place]))
        for place in range(len(components))
    ]
    return {
        "principal_components": Part({"principal_component_id": "bigint", **VALUE_COLUMNS}, values),
        "principal_component_info": Part(
            {
                "principal_component_id": "bigint",
                "eigenvalue": "double",
                "explained_variance_ratio": "double",
                "cumulative_explained_variance_ratio": "double",
            },
            information,
        ),
    }


def _functions(errors: Array, inputs: int) -> dict[str, str]:
    vector, parts = (f"{PREFIX}rows.{PREFIX}{name}" for name in ("vector", "components"))
    squares = f"list_sum(list_transform({parts}, lambda {PREFIX}v: {PREFIX}v * {PREFIX}v))"
    whole = f"array_inner_product({vector}, {vector})"
    measure = f"greatest({whole} - {squares}, 0) / {inputs}"
    return {
        "principal_components": (
            "() as table (select principal_component_id, feature, numerical_value, "
            "categorical_value from {part:principal_components} "
            "order by principal_component_id, feature_number)"
        ),
        "principal_component_info": (
            "() as table (select principal_component_id, eigenvalue, explained_variance_ratio, "
            "cumulative_explained_variance_ratio from {part:principal_component_info} "
            "order by principal_component_id)"
        ),
        "detect_anomalies": (
            "(input, contamination) as table ({scored} select "
            f"{measure} > {anomaly_cut(errors)} as is_anomaly, {measure} as mean_squared_error, "
            "{inputs:is_anomaly,mean_squared_error} from {last})"
        ),
        "evaluate": (
            f"(input) as table ({{scored}} select sum({squares}) / nullif(sum({whole}), 0) "
            "as total_explained_variance_ratio from {last})"
        ),
    }
