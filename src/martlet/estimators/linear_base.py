"""What linear and logistic regression share: options, encoding, weights and explanation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from martlet.blocks import CategoryBlock, NumberBlock
from martlet.errors import MartletError
from martlet.estimators.base import (
    Estimator,
    Explanation,
    Fitted,
    Iteration,
    Scoring,
    Training,
)
from martlet.estimators.linear_weights import WEIGHT_FUNCTIONS, inference, weight_parts
from martlet.option_values import Candidates, Range
from martlet.options import Option, Options
from martlet.preprocessing import Preparation

__all__ = ["LINEAR", "LinearModel", "attributions"]

Array = NDArray[np.float64]

LINEAR = (
    Option("max_iterations", 20, "integer", low=1),
    Option("early_stop", True, "boolean"),
    Option("min_rel_progress", 0.01, "number", low=0),
    Option(
        "optimize_strategy",
        "AUTO_STRATEGY",
        "choice",
        ("AUTO_STRATEGY", "BATCH_GRADIENT_DESCENT", "NORMAL_EQUATION"),
    ),
    Option("learn_rate_strategy", "LINE_SEARCH", "choice", ("LINE_SEARCH", "CONSTANT")),
    Option("learn_rate", 0.1, "number", low=0, tunable=True),
    Option("ls_init_learn_rate", 0.1, "number", low=0),
    Option("l1_reg", 0.0, "number", low=0, tunable=True),
    Option("l2_reg", 0.0, "number", low=0, tunable=True),
    Option("calculate_p_values", False, "boolean"),
    Option("fit_intercept", True, "boolean"),
    Option(
        "category_encoding_method",
        "ONE_HOT_ENCODING",
        "choice",
        ("ONE_HOT_ENCODING", "DUMMY_ENCODING"),
    ),
)


class LinearModel(Estimator):
    """What the two types share: encoding, strategy, weights and explanation."""

    @classmethod
    def preparation(cls, options: Options) -> Preparation:
        """Say how the features are to be encoded."""
        dummy = options["category_encoding_method"] == "DUMMY_ENCODING"
        return Preparation("standardize", "dummy" if dummy else "one_hot")

    @classmethod
    def default_search(cls) -> dict[str, Range | Candidates]:
        """Return what tuning varies when nothing is said."""
        return {"l1_reg": Range(0.0, 10.0), "l2_reg": Range(0.0, 10.0)}

    def _check_p_values(self, options: Options) -> None:
        if not options["calculate_p_values"]:
            return
        if options["category_encoding_method"] != "DUMMY_ENCODING":
            raise MartletError(
                "calculate_p_values needs category_encoding_method 'DUMMY_ENCODING': "
                "with one column a category the weights are not unique."
            )
        if options["l1_reg"] or options["l2_reg"]:
            raise MartletError("calculate_p_values needs l1_reg and l2_reg of 0.")

    def _fitted(
        self,
        training: Training,
        weights: Array,
        course: list[Iteration],
        scoring: Scoring,
        covariance: Array | None,
        freedom: int | None,
    ) -> Fitted:
        encoding = training.encoding
        # Columns that are always 0 get weights of 1e-16 from a decomposition.
        for block, place in encoding.slices():
            if isinstance(block, CategoryBlock) and block.dropped is not None:
                weights[1 + place.start + block.categories.index(block.dropped)] = 0.0
            if isinstance(block, NumberBlock) and block.deviation == 0:
                weights[1 + place.start] = 0.0
        intercepts, slopes = weights[0], weights[1:]
        outputs = weights.shape[1]
        classes = training.label.classes if training.label and outputs > 1 else ()
        explanation = Explanation(
            tuple(float(value) for value in intercepts),
            tuple(attributions(training, slopes[:, place]) for place in range(outputs)),
        )
        parts = weight_parts(encoding, weights, classes)
        functions = {"weights": WEIGHT_FUNCTIONS["multiclass" if classes else "weights"]}
        if covariance is not None:
            parts |= inference(encoding, weights[:, 0], covariance, freedom)
            functions["advanced_weights"] = WEIGHT_FUNCTIONS["advanced_weights"]
        parameters = {
            "intercept": intercepts.tolist(),
            "weights": slopes.T.tolist(),
            "columns": [[name, category] for name, category in encoding.names],
            **_scales(training),
        }

        def python(points: Any) -> Array:
            scores = np.asarray(points @ slopes) + intercepts
            if scoring.output == "score":
                return np.asarray(scores[:, 0])
            with np.errstate(over="ignore"):
                if scoring.output == "probability":
                    return np.asarray(1 / (1 + np.exp(-scores[:, 0])))
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))

        return Fitted(
            parameters, scoring, course, parts, functions, explanation=explanation, python=python
        )


def attributions(training: Training, slopes: Array) -> dict[str, exp.Expr]:
    """Return the share of each input in a score."""
    return {
        block.name: block.product([float(value) for value in slopes[place]])
        for block, place in training.encoding.slices()
    }


def _scales(training: Training) -> dict[str, list[float]]:
    """Return what standardises each encoded column: (column - mean) / deviation."""
    means, deviations = [0.0] * training.encoding.width, [1.0] * training.encoding.width
    for block, place in training.encoding.slices():
        if isinstance(block, NumberBlock) and block.mode == "standardize" and block.deviation:
            means[place.start], deviations[place.start] = block.mean, block.deviation
    return {"means": means, "deviations": deviations}
