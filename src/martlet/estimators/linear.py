"""Linear regression.

Squared loss is minimised exactly (NORMAL_EQUATION) or by batch gradient descent, with BigQuery
ML's choice between them. Penalties follow scikit-learn's scale:
half the squared errors (or the log-losses) summed over the rows, plus L1_REG times the absolute
weights, plus half L2_REG times the squared weights; the intercept is free.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.errors import MartletError
from martlet.estimators.base import Fitted, Iteration, Scoring, Training
from martlet.estimators.gradient_descent import Problem, descend
from martlet.estimators.least_squares import (
    least_squares,
    least_squares_covariance,
    with_intercept,
)
from martlet.estimators.linear_base import LINEAR, LinearModel
from martlet.options import COMMON, SUPERVISED, TUNING, Options
from martlet.sqltext import PREFIX

__all__ = ["LinearRegression"]

Array = NDArray[np.float64]


class LinearRegression(LinearModel):
    """BigQuery ML's LINEAR_REG."""

    model_type = "linear_reg"
    task = "regression"
    options = COMMON + SUPERVISED + TUNING + LINEAR

    def fit(self, training: Training) -> Fitted:
        """Learn from the training part."""
        options = training.options
        self._check_p_values(options)
        matrix = with_intercept(training.matrix("train"), options["fit_intercept"])
        target = training.targets("train")
        has_eval = bool(training.rows.get("eval"))
        eval_matrix: Any = None
        eval_target: Any = None
        if has_eval:
            eval_matrix = with_intercept(training.matrix("eval"), options["fit_intercept"])
            eval_target = training.targets("eval")

        def eval_loss(weights: Array) -> float:
            return float(np.mean((np.asarray(eval_matrix @ weights)[:, 0] - eval_target) ** 2))

        started = time.perf_counter()
        if self._exactly(options, training):
            weights = least_squares(
                matrix, target, float(options["l2_reg"]), options["fit_intercept"]
            )
            loss = float(np.mean((np.asarray(matrix @ weights)[:, 0] - target) ** 2))
            milliseconds = int((time.perf_counter() - started) * 1000)
            evaluated = eval_loss(weights) if has_eval else None
            course = [Iteration(0, loss, evaluated, None, milliseconds)]
        else:
            # Learning rates hold for any scale of the label when it is measured in deviations.
            centre = float(target.mean()) if options["fit_intercept"] else 0.0
            scale = float(target.std()) or 1.0
            weights, course = self._descend(
                training,
                matrix,
                (target - centre) / scale,
                scale,
                centre,
                eval_loss if has_eval else None,
            )
        if not options["fit_intercept"]:
            weights = np.vstack([np.zeros((1, 1)), weights])
        covariance = freedom = None
        if options["calculate_p_values"]:
            covariance, freedom = least_squares_covariance(matrix, target, weights, options)
        intercept, slopes = float(weights[0, 0]), weights[1:, 0]
        score = training.encoding.product(list(slopes), intercept)
        scoring = Scoring("score", ({PREFIX + "score": score},))
        return self._fitted(training, weights, course, scoring, covariance, freedom)

    @staticmethod
    def _exactly(options: Options, training: Training) -> bool:
        strategy = options["optimize_strategy"]
        if strategy == "NORMAL_EQUATION" and options["l1_reg"]:
            raise MartletError(
                "optimize_strategy 'NORMAL_EQUATION' cannot use l1_reg: "
                "leave the strategy out or choose 'BATCH_GRADIENT_DESCENT'."
            )
        if strategy != "AUTO_STRATEGY":
            return bool(strategy == "NORMAL_EQUATION")
        width = training.encoding.width
        return not (options["l1_reg"] or width > 10_000 or training.rows["train"] < 10 * width)

    @staticmethod
    def _descend(
        training: Training,
        matrix: Any,
        target: Array,
        scale: float,
        centre: float,
        eval_loss: Any,
    ) -> tuple[Array, list[Iteration]]:
        options, rows = training.options, len(target)

        def original(weights: Array) -> Array:
            result: Array = weights * scale
            if options["fit_intercept"]:
                result[0] += centre
            return result

        problem = Problem(
            matrix,
            lambda scores: float(np.mean((scores[:, 0] - target) ** 2)),
            lambda scores: 2 * (scores - target[:, None]) / rows,
            1,
            options["fit_intercept"],
            2 * options["l1_reg"] / rows / scale,
            2 * options["l2_reg"] / rows,
        )
        evaluate = (lambda weights: eval_loss(original(weights))) if eval_loss else None
        weights, course = descend(problem, options, evaluate)
        in_units = [
            Iteration(
                item.iteration,
                (item.loss or 0.0) * scale**2,
                item.eval_loss,
                item.learning_rate,
                item.duration_ms,
            )
            for item in course
        ]
        return original(weights), in_units
