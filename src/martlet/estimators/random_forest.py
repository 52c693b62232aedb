"""Random forests: scikit-learn's behind BigQuery ML's options.

References
----------
Breiman (2001), "Random forests", Machine Learning 45.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.estimators.base import Fitted, Iteration, Training
from martlet.estimators.class_weights import CLASS_WEIGHTS
from martlet.estimators.tree_base import TREE_OPTIONS, TreeEstimator
from martlet.estimators.tree_structure import from_forest
from martlet.option_values import Candidates, Range
from martlet.options import COMMON, SUPERVISED, TUNING, Option, Options

__all__ = ["RandomForestClassifier", "RandomForestRegressor"]

Array = NDArray[np.float64]

#: Largest number a forest can read: its input is float32.
LARGEST = float(np.finfo(np.float32).max)

_FOREST = (
    Option("num_parallel_tree", 100, "integer", low=2, high=1000, tunable=True),
    Option("max_tree_depth", 15, "integer", low=1, high=50, tunable=True),
    Option("subsample", 0.8, "number", low=0, high=1, tunable=True),
    Option("colsample_bynode", 0.8, "number", low=0, high=1, tunable=True),
    Option("early_stop", True, "boolean", ignored="a forest has no rounds"),
    Option("min_rel_progress", 0.01, "number", low=0, ignored="a forest has no rounds"),
    Option("l2_reg", 1.0, "number", low=0, ignored="leaves are the plain means of their rows"),
)


class _Forest(TreeEstimator):
    """What both types share."""

    @classmethod
    def default_search(cls) -> dict[str, Range | Candidates]:
        """Return what is varied when nothing is said."""
        return {
            "max_tree_depth": Candidates((4, 8, 12, 15)),
            "colsample_bynode": Range(0.3, 1.0),
            "subsample": Range(0.5, 1.0),
        }

    @staticmethod
    def _settings(options: Options, seed: int) -> dict[str, Any]:
        return {
            "n_estimators": options["num_parallel_tree"],
            "max_leaf_nodes": max(
                2, TreeEstimator.leaf_limit(options, options["num_parallel_tree"])
            ),
            "max_depth": options["max_tree_depth"],
            "min_samples_leaf": max(1, options["min_tree_child_weight"]),
            "max_features": TreeEstimator.column_share(options),
            "max_samples": max(float(options["subsample"]), 1e-9),
            "random_state": seed,
        }


def clipped(points: Any) -> Array:
    """Bring numbers into the range of float32, where every larger one is as good as the largest."""
    return np.asarray(np.clip(np.asarray(points, dtype=float), -LARGEST, LARGEST))


class RandomForestRegressor(_Forest):
    """BigQuery ML's RANDOM_FOREST_REGRESSOR.

    Fitted by scikit-learn's RandomForestRegressor. What the options become:

    - NUM_PARALLEL_TREE, MAX_TREE_DEPTH mean the same. SUBSAMPLE is the share of rows a tree draws,
      with replacement (XGBoost draws without). MIN_TREE_CHILD_WEIGHT is the least number of rows in
      a leaf. The three COLSAMPLE options are multiplied and hold for each split.
    - Recorded and ignored with a notice: L1_REG, L2_REG (BigQuery shrinks leaves towards 0.5, which
      hurts regression), MIN_SPLIT_LOSS, EARLY_STOP, MIN_REL_PROGRESS, TREE_METHOD,
      XGBOOST_VERSION, CATEGORY_ENCODING_METHOD TARGET_ENCODING (labels are encoded).
    - Added: MAX_LEAF_NODES; by default 20,000 over the number of trees, at least 8.
    """

    model_type = "random_forest_regressor"
    task = "regression"
    options = COMMON + SUPERVISED + TUNING + _FOREST + TREE_OPTIONS

    def _learn(self, training: Training) -> Fitted:
        from sklearn.ensemble import RandomForestRegressor as Forest

        options = training.options
        matrix, target = clipped(training.dense("train")), training.targets("train")
        weight = self.weights(training, "train", target)
        started = time.perf_counter()
        model = Forest(**self._settings(options, training.seed))
        model.fit(matrix, target, sample_weight=weight)
        milliseconds = int((time.perf_counter() - started) * 1000)

        def loss(points: Array, wanted: Array) -> float:
            return float(np.mean((model.predict(points) - wanted) ** 2))

        other = None
        if training.rows.get("eval"):
            other = loss(clipped(training.dense("eval")), training.targets("eval"))
        course = [Iteration(0, loss(matrix, target), other, None, milliseconds)]
        share = 1 / len(model.estimators_)
        trees = [from_forest(one.tree_, slice(0, 1), share) for one in model.estimators_]
        return self.fitted(
            training,
            trees,
            [0.0],
            "identity",
            lambda points: model.predict(clipped(points)),
            course,
            self.notices(options),
        )


class RandomForestClassifier(_Forest):
    """BigQuery ML's RANDOM_FOREST_CLASSIFIER.

    Fitted by scikit-learn's RandomForestClassifier; for the options see `RandomForestRegressor`, to
    which AUTO_CLASS_WEIGHTS and CLASS_WEIGHTS come. Explanations are in probabilities.
    """

    model_type = "random_forest_classifier"
    task = "classification"
    options = COMMON + SUPERVISED + TUNING + _FOREST + TREE_OPTIONS + CLASS_WEIGHTS

    def _learn(self, training: Training) -> Fitted:
        from sklearn.ensemble import RandomForestClassifier as Forest

        assert training.label is not None
        options, classes = training.options, len(training.label.classes)
        matrix, target = clipped(training.dense("train")), training.targets("train").astype(int)
        weight = self.weights(training, "train", target)
        started = time.perf_counter()
        model = Forest(**self._settings(options, training.seed))
        model.fit(matrix, target, sample_weight=weight)
        milliseconds = int((time.perf_counter() - started) * 1000)

        def loss(points: Array, wanted: Any) -> float | None:
            seen = wanted >= 0
            if not seen.any():
                return None
            own = model.predict_proba(points[seen])[np.arange(int(seen.sum())), wanted[seen]]
            return float(-np.log(np.maximum(own, 1e-15)).mean())

        other = None
        if training.rows.get("eval"):
            other = loss(clipped(training.dense("eval")), training.targets("eval").astype(int))
        course = [Iteration(0, loss(matrix, target), other, None, milliseconds)]
        columns = slice(1, 2) if classes == 2 else slice(0, classes)
        share = 1 / len(model.estimators_)
        trees = [from_forest(one.tree_, columns, share) for one in model.estimators_]

        def python(points: Any) -> Any:
            found = model.predict_proba(clipped(points))
            return found[:, 1] if classes == 2 else found

        outputs = 1 if classes == 2 else classes
        return self.fitted(
            training,
            trees,
            [0.0] * outputs,
            "probability",
            python,
            course,
            self.notices(options),
        )
