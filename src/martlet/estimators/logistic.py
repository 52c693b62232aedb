"""Logistic regression for two and for more classes, fitted by batch gradient descent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.errors import MartletError
from martlet.estimators.base import Fitted, Scoring, Training
from martlet.estimators.class_weights import CLASS_WEIGHTS, row_weights
from martlet.estimators.gradient_descent import Problem, descend
from martlet.estimators.least_squares import second_moments, with_intercept, with_zero
from martlet.estimators.linear_base import LINEAR, LinearModel
from martlet.options import COMMON, SUPERVISED, TUNING, Options
from martlet.scoring.functions import no_rows
from martlet.scoring.links import sigmoid
from martlet.scoring.softmax import softmax
from martlet.sqltext import PREFIX, cast, render, text

__all__ = ["LogisticRegression"]

Array = NDArray[np.float64]


class LogisticRegression(LinearModel):
    """BigQuery ML's LOGISTIC_REG, for two and for more classes."""

    model_type = "logistic_reg"
    task = "classification"
    options = COMMON + SUPERVISED + TUNING + LINEAR + CLASS_WEIGHTS
    max_classes = 50

    def fit(self, training: Training) -> Fitted:
        """Learn from the training part."""
        options = training.options
        self._check_p_values(options)
        assert training.label is not None
        if options["optimize_strategy"] == "NORMAL_EQUATION":
            raise MartletError("logistic_reg has no normal equation: leave optimize_strategy out.")
        classes = len(training.label.classes)
        matrix = with_intercept(training.matrix("train"), options["fit_intercept"])
        target = training.targets("train").astype(int)
        weight = row_weights(options, training.label, target)
        evaluate = None
        if training.rows.get("eval"):
            eval_matrix = with_intercept(training.matrix("eval"), options["fit_intercept"])
            eval_target = training.targets("eval").astype(int)
            seen = eval_target >= 0

            def evaluate(weights: Array) -> float:
                scores = np.asarray(eval_matrix @ weights)[seen]
                return _log_loss(scores, eval_target[seen], np.ones(int(seen.sum())))

        outputs = 1 if classes == 2 else classes
        total_weight = float(weight.sum())
        problem = Problem(
            matrix,
            lambda scores: _log_loss(scores, target, weight),
            lambda scores: _log_loss_slope(scores, target, weight) / total_weight,
            outputs,
            options["fit_intercept"],
            options["l1_reg"] / total_weight,
            options["l2_reg"] / total_weight,
        )
        weights, course = descend(problem, options, evaluate)
        covariance = None
        if options["calculate_p_values"]:
            if classes > 2:
                raise MartletError("calculate_p_values needs a label of two classes.")
            probability = 1 / (1 + np.exp(-np.asarray(matrix @ weights)[:, 0]))
            information = second_moments(matrix, weight * probability * (1 - probability))
            inverse: Array = np.asarray(np.linalg.pinv(information), dtype=float)
            covariance = with_zero(inverse, options["fit_intercept"])
        if not options["fit_intercept"]:
            weights = np.vstack([np.zeros((1, outputs)), weights])
        scoring = _logistic_scoring(training, weights)
        fitted = self._fitted(training, weights, course, scoring, covariance, None)
        if outputs > 1:
            return fitted
        return replace(
            fitted, functions={**fitted.functions, "coefficients": _coefficients(fitted.parameters)}
        )

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return coefficients without rows."""
        return {"coefficients": no_rows(_COEFFICIENTS, "")}


#: The log-odds are the intercept plus the sum of slope times input less centre, an input being a
#: prepared number or 1 where it has the category: a few numbers for programs that score one row.
_COEFFICIENTS = {
    "intercept": "double",
    "slopes": "double[]",
    "centres": "double[]",
    "columns": "varchar",
}


def _coefficients(parameters: Mapping[str, Any]) -> str:
    weights = np.asarray(parameters["weights"][0], dtype=float)
    slopes = weights / np.asarray(parameters["deviations"])
    values = {
        "intercept": repr(float(parameters["intercept"][0])),
        "slopes": repr(slopes.tolist()),
        "centres": repr((slopes * np.asarray(parameters["means"])).tolist()),
        # Braces would be read as places to fill in.
        "columns": json.dumps(
            [
                name if category is None else [name, category]
                for name, category in parameters["columns"]
            ]
        ).replace("{", "\\u007b"),
    }
    listed = ", ".join(
        f"{render(cast(text(value), _COEFFICIENTS[name]))} as {name}"
        for name, value in values.items()
    )
    return f"() as table (select {listed})"


def _logistic_scoring(training: Training, weights: Array) -> Scoring:
    scores = [
        training.encoding.product(list(weights[1:, place]), float(weights[0, place]))
        for place in range(weights.shape[1])
    ]
    if len(scores) == 1:
        return Scoring("probability", ({PREFIX + "probability": sigmoid(scores[0])},))
    return Scoring("probabilities", softmax(scores))


def _log_loss(scores: Array, target: Any, weight: Array) -> float:
    if scores.shape[1] == 1:
        losses = np.logaddexp(0, scores[:, 0]) - target * scores[:, 0]
    else:
        shifted = scores - scores.max(axis=1, keepdims=True)
        whole = np.log(np.exp(shifted).sum(axis=1))
        losses = whole - shifted[np.arange(len(target)), target]
    return float(losses @ weight / weight.sum())


def _log_loss_slope(scores: Array, target: Any, weight: Array) -> Array:
    if scores.shape[1] == 1:
        power = np.exp(-np.abs(scores))
        probability = np.where(scores >= 0, 1 / (1 + power), power / (1 + power))
        return np.asarray((probability - target[:, None]) * weight[:, None])
    power = np.exp(scores - scores.max(axis=1, keepdims=True))
    slope = power / power.sum(axis=1, keepdims=True)
    slope[np.arange(len(target)), target] -= 1
    return np.asarray(slope * weight[:, None])
