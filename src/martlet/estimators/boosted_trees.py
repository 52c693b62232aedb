"""Boosted trees: scikit-learn's histogram gradient boosting behind BigQuery ML's options.

References
----------
Ke et al. (2017), "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS, the
algorithm of scikit-learn's HistGradientBoosting.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.estimators.base import Fitted, Iteration, Training
from martlet.estimators.class_weights import CLASS_WEIGHTS
from martlet.estimators.tree_base import TREE_OPTIONS, TreeEstimator
from martlet.estimators.tree_structure import from_histogram
from martlet.option_values import Candidates, Range
from martlet.options import COMMON, SUPERVISED, TUNING, Option, Options

__all__ = ["BoostedTreeClassifier", "BoostedTreeRegressor"]

Array = NDArray[np.float64]

_BOOSTING = (
    Option("max_iterations", 20, "integer", low=1, high=1000),
    Option("early_stop", True, "boolean"),
    Option("min_rel_progress", 0.01, "number", low=0),
    Option("learn_rate", 0.3, "number", low=0, high=1, tunable=True),
    Option("l2_reg", 1.0, "number", low=0, tunable=True),
    Option("max_tree_depth", 6, "integer", low=1, high=50, tunable=True),
    Option("subsample", 1.0, "number", low=0, high=1, tunable=True),
    Option("colsample_bynode", 1.0, "number", low=0, high=1, tunable=True),
    Option("booster_type", "GBTREE", "choice", ("GBTREE", "DART")),
    Option("dart_normalize_type", "TREE", "choice", ("TREE", "FOREST"), ignored="there is no DART"),
    Option("dropout", 0.0, "number", low=0, high=1, ignored="there is no DART"),
    Option("num_parallel_tree", 1, "integer", low=1, ignored="scikit-learn grows one tree a round"),
)


class _Boosted(TreeEstimator):
    """What both types share: the rounds."""

    @classmethod
    def default_search(cls) -> dict[str, Range | Candidates]:
        """Return what is varied when nothing is said."""
        return {
            "learn_rate": Range(0.05, 0.5),
            "l2_reg": Range(0.1, 10.0),
            "max_tree_depth": Candidates((2, 3, 4, 6, 8)),
        }

    @staticmethod
    def _settings(options: Options, seed: int, outputs: int) -> dict[str, Any]:
        trees = options["max_iterations"] * outputs
        return {
            "learning_rate": max(float(options["learn_rate"]), 1e-12),
            "max_iter": options["max_iterations"],
            "max_leaf_nodes": max(2, TreeEstimator.leaf_limit(options, trees)),
            "max_depth": options["max_tree_depth"],
            "min_samples_leaf": max(1, options["min_tree_child_weight"]),
            "l2_regularization": float(options["l2_reg"]),
            "max_features": TreeEstimator.column_share(options),
            "early_stopping": False,
            "random_state": seed,
        }

    @staticmethod
    def _grow(model: Any, options: Options, data: Any, seed: int) -> None:
        """Grow all rounds; when rows are drawn, one call a round, undrawn rows weighing nothing."""
        matrix, target, weight = data
        # scikit-learn finds no thresholds where nothing was seen; a constant is never split on.
        matrix = np.where(np.isnan(matrix).all(axis=0), 0.0, matrix)
        share = float(options["subsample"])
        if share >= 1:
            # Weights of one would cost a weighted binning of every column.
            model.fit(matrix, target, sample_weight=None if (weight == 1).all() else weight)
            return
        generator = np.random.default_rng(seed)
        model.set_params(warm_start=True)
        for rounds in range(1, options["max_iterations"] + 1):
            drawn = generator.random(len(target)) < share
            if not drawn.any():
                drawn[generator.integers(len(target))] = True
            model.set_params(max_iter=rounds)
            model.fit(matrix, target, sample_weight=np.where(drawn, weight, 0.0))

    @staticmethod
    def _shorten(
        model: Any, options: Options, losses: list[float], other: list[float], milliseconds: int
    ) -> list[Iteration]:
        """Cut the rounds at the one that no longer helps, and tell the course."""
        judged = other or losses
        kept = len(losses)
        if options["early_stop"]:
            for place in range(1, len(judged)):
                if judged[place - 1] - judged[place] < options["min_rel_progress"] * abs(
                    judged[place - 1]
                ):
                    # A round that made things worse is not kept.
                    kept = place + int(judged[place] <= judged[place - 1])
                    break
        model._predictors = model._predictors[:kept]
        each = milliseconds // max(1, len(losses))
        rate = float(options["learn_rate"])
        return [
            Iteration(place, losses[place], other[place] if other else None, rate, each)
            for place in range(kept)
        ]

    @staticmethod
    def notices(options: Options) -> list[str]:
        """Say which values of the options cannot be had."""
        found = TreeEstimator.notices(options)
        if options["booster_type"] == "DART":
            found.append("booster_type DART is not there: GBTREE is used")
        return found


class BoostedTreeRegressor(_Boosted):
    """BigQuery ML's BOOSTED_TREE_REGRESSOR.

    Fitted by scikit-learn's HistGradientBoostingRegressor. What the options become:

    - MAX_ITERATIONS, LEARN_RATE, L2_REG, MAX_TREE_DEPTH mean the same. MIN_TREE_CHILD_WEIGHT is the
      least number of rows in a leaf. The three COLSAMPLE options are multiplied and hold for each
      split. SUBSAMPLE draws rows anew each round.
    - EARLY_STOP compares the loss of the evaluation rows (of the training rows when there are
      none) from round to round with MIN_REL_PROGRESS.
    - Recorded and ignored with a notice: L1_REG, MIN_SPLIT_LOSS, NUM_PARALLEL_TREE, TREE_METHOD,
      XGBOOST_VERSION, BOOSTER_TYPE DART with DROPOUT and DART_NORMALIZE_TYPE,
      CATEGORY_ENCODING_METHOD TARGET_ENCODING (labels are encoded).
    - Added: MAX_LEAF_NODES; by default 20,000 over the number of trees, at least 8.
    """

    model_type = "boosted_tree_regressor"
    task = "regression"
    options = COMMON + SUPERVISED + TUNING + _BOOSTING + TREE_OPTIONS

    def _learn(self, training: Training) -> Fitted:
        from sklearn.ensemble import HistGradientBoostingRegressor

        options = training.options
        matrix, target = training.dense("train"), training.targets("train")
        weight = self.weights(training, "train", target)
        model = HistGradientBoostingRegressor(**self._settings(options, training.seed, 1))
        started = time.perf_counter()
        self._grow(model, options, (matrix, target, weight), training.seed)
        milliseconds = int((time.perf_counter() - started) * 1000)

        def course(points: Array, wanted: Array, weights: Array) -> list[float]:
            staged = model.staged_predict(points)
            return [float(np.average((wanted - one) ** 2, weights=weights)) for one in staged]

        losses, other = course(matrix, target, weight), []
        if training.rows.get("eval"):
            wanted = training.targets("eval")
            weights = self.weights(training, "eval", wanted)
            if weights.any():
                other = course(training.dense("eval"), wanted, weights)
        iterations = self._shorten(model, options, losses, other, milliseconds)
        trees = [from_histogram(item[0].nodes, 0, 1) for item in model._predictors]
        baselines = [float(np.ravel(model._baseline_prediction)[0])]
        return self.fitted(
            training,
            trees,
            baselines,
            "identity",
            model.predict,
            iterations,
            self.notices(options),
        )


class BoostedTreeClassifier(_Boosted):
    """BigQuery ML's BOOSTED_TREE_CLASSIFIER.

    Fitted by scikit-learn's HistGradientBoostingClassifier; for the options see
    `BoostedTreeRegressor`, to which AUTO_CLASS_WEIGHTS and CLASS_WEIGHTS come. With more than two
    classes each round grows one tree a class.
    """

    model_type = "boosted_tree_classifier"
    task = "classification"
    options = COMMON + SUPERVISED + TUNING + _BOOSTING + TREE_OPTIONS + CLASS_WEIGHTS

    def _learn(self, training: Training) -> Fitted:
        from sklearn.ensemble import HistGradientBoostingClassifier

        assert training.label is not None
        options, classes = training.options, len(training.label.classes)
        outputs = 1 if classes == 2 else classes
        matrix, target = training.dense("train"), training.targets("train").astype(int)
        weight = self.weights(training, "train", target)
        model = HistGradientBoostingClassifier(**self._settings(options, training.seed, outputs))
        started = time.perf_counter()
        self._grow(model, options, (matrix, target, weight), training.seed)
        milliseconds = int((time.perf_counter() - started) * 1000)

        def course(points: Array, wanted: Any, weights: Array) -> list[float]:
            rows = np.arange(len(wanted))
            return [
                float(np.average(-np.log(np.maximum(one[rows, wanted], 1e-15)), weights=weights))
                for one in model.staged_predict_proba(points)
            ]

        # Without early stopping the course decides nothing.
        if training.is_part and not options["early_stop"]:
            losses = [float("nan")] * len(model._predictors)
        else:
            losses = course(matrix, target, weight)
        other: list[float] = []
        if training.rows.get("eval"):
            wanted = training.targets("eval").astype(int)
            weights = self.weights(training, "eval", wanted)
            seen = (wanted >= 0) & (weights > 0)
            if seen.any():
                other = course(training.dense("eval")[seen], wanted[seen], weights[seen])
        iterations = self._shorten(model, options, losses, other, milliseconds)
        trees = [
            from_histogram(item.nodes, output, outputs)
            for items in model._predictors
            for output, item in enumerate(items)
        ]
        baselines = [float(value) for value in np.ravel(model._baseline_prediction)]

        def python(points: Any) -> Any:
            found = model.predict_proba(points)
            return found[:, 1] if classes == 2 else found

        link = "sigmoid" if classes == 2 else "softmax"
        return self.fitted(
            training, trees, baselines, link, python, iterations, self.notices(options)
        )
