"""Feed-forward neural networks: scikit-learn's multi-layer perceptron.

References
----------
Kingma and Ba (2015), "Adam: a method for stochastic optimization", as implemented in scikit-learn.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from martlet.errors import MartletError
from martlet.estimators.base import Estimator, Fitted, Iteration, Scoring, Training
from martlet.estimators.class_weights import CLASS_WEIGHTS, row_weights
from martlet.option_values import Candidates, Range
from martlet.options import COMMON, SUPERVISED, TUNING, Option, Options
from martlet.scoring.links import sigmoid
from martlet.scoring.networks import hidden_layers, output_scores
from martlet.scoring.softmax import softmax
from martlet.scoring.vectors import MOST_COLUMNS
from martlet.sqltext import PREFIX, number

__all__ = ["NeuralClassifier", "NeuralRegressor"]

Array = NDArray[np.float64]

_NETWORK = (
    Option("max_iterations", 20, "integer", low=1),
    Option("early_stop", True, "boolean"),
    Option("min_rel_progress", 0.01, "number", low=0),
    Option(
        "activation_fn",
        "RELU",
        "choice",
        ("RELU", "RELU6", "CRELU", "ELU", "SELU", "SIGMOID", "TANH", "IDENTITY"),
        tunable=True,
    ),
    Option("batch_size", None, "integer", low=1, tunable=True),
    Option("hidden_units", None, "numbers", low=1, high=4096, tunable=True),
    Option("learn_rate", 0.001, "number", low=0, tunable=True),
    Option(
        "optimizer", "ADAM", "choice", ("ADAM", "ADAGRAD", "FTRL", "RMSPROP", "SGD"), tunable=True
    ),
    Option("l2_reg", 0.0, "number", low=0, tunable=True),
    Option("l1_reg", 0.0, "number", low=0, ignored="the network has an L2 penalty only"),
    Option("dropout", 0.0, "number", low=0, high=1, ignored="the network has no dropout"),
    Option(
        "integrated_gradients_num_steps", 15, "integer", low=1, ignored="used by explanations only"
    ),
    Option("tf_version", None, "text", ignored="the network is scikit-learn's"),
)

_ACTIVATIONS = {"RELU": "relu", "SIGMOID": "logistic", "TANH": "tanh", "IDENTITY": "identity"}


def _stand_ins(options: Options) -> list[str]:
    """Say which of BigQuery's choices scikit-learn does not have, and what it does instead."""
    notices = []
    if options["activation_fn"] not in _ACTIVATIONS:
        notices.append(f"activation_fn {options['activation_fn']} is not there: RELU stands in")
    if options["optimizer"] not in ("ADAM", "SGD"):
        notices.append(f"optimizer {options['optimizer']} is not there: ADAM stands in")
    return notices


class _Neural(Estimator):
    """What both types share: the epochs."""

    max_columns = MOST_COLUMNS

    @classmethod
    def default_search(cls) -> dict[str, Range | Candidates]:
        """Return what is varied when nothing is said."""
        return {"learn_rate": Range(1e-4, 1e-1), "l2_reg": Range(1e-5, 1.0)}

    def _settings(self, training: Training, outputs: int) -> dict[str, Any]:
        options, rows = training.options, training.rows["train"]
        default = max(1, min(128, rows // (10 * (training.encoding.width + outputs))))
        return {
            "hidden_layer_sizes": tuple(options["hidden_units"] or (default,)),
            "activation": _ACTIVATIONS.get(options["activation_fn"], "relu"),
            "solver": "sgd" if options["optimizer"] == "SGD" else "adam",
            "alpha": options["l2_reg"],
            "batch_size": min(options["batch_size"] or 32, rows),
            "learning_rate_init": options["learn_rate"] or 1e-3,
            "random_state": training.seed,
        }

    @staticmethod
    def _train(options: Options, step: Any, evaluate: Any) -> list[Iteration]:
        """Run epochs until the loss stops falling."""
        course: list[Iteration] = []
        last = np.inf
        for epoch in range(options["max_iterations"]):
            started = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loss = float(step())
            if not np.isfinite(loss):
                raise MartletError(f"Training diverged in epoch {epoch}: lower learn_rate.")
            milliseconds = int((time.perf_counter() - started) * 1000)
            course.append(Iteration(epoch, loss, evaluate(), options["learn_rate"], milliseconds))
            if options["early_stop"] and last - loss < options["min_rel_progress"] * abs(last):
                break
            last = loss
        return course

    @staticmethod
    def _parameters(model: Any, training: Training) -> dict[str, Any]:
        return {
            "layers": [
                {"weights": weights.tolist(), "intercepts": intercepts.tolist()}
                for weights, intercepts in zip(model.coefs_, model.intercepts_, strict=True)
            ],
            "activation": model.activation,
            "columns": [[name, category] for name, category in training.encoding.names],
        }


class NeuralRegressor(_Neural):
    """BigQuery ML's DNN_REGRESSOR."""

    model_type = "dnn_regressor"
    task = "regression"
    options = COMMON + SUPERVISED + TUNING + _NETWORK

    def fit(self, training: Training) -> Fitted:
        """Learn from the training part."""
        from sklearn.neural_network import MLPRegressor

        matrix, target = training.dense("train"), training.targets("train")
        centre, scale = float(target.mean()), float(target.std()) or 1.0
        notices = _stand_ins(training.options)
        model = MLPRegressor(**self._settings(training, 1))
        has_eval = bool(training.rows.get("eval"))
        other: Any = training.dense("eval") if has_eval else None
        other_target: Any = training.targets("eval") if has_eval else None

        def step() -> float:
            model.partial_fit(matrix, (target - centre) / scale)
            return float(np.mean((predict(matrix) - target) ** 2))

        def evaluate() -> float | None:
            return float(np.mean((predict(other) - other_target) ** 2)) if has_eval else None

        def predict(points: Any) -> Array:
            return np.asarray(model.predict(points) * scale + centre)

        course = self._train(training.options, step, evaluate)
        steps, last = hidden_layers(
            training.encoding, model.coefs_, model.intercepts_, model.activation
        )
        (raw,) = output_scores(last, model.coefs_, model.intercepts_)
        scaled = exp.Mul(this=exp.Paren(this=raw), expression=number(scale))
        score = exp.Add(this=scaled, expression=number(centre))
        parameters = self._parameters(model, training) | {"centre": centre, "scale": scale}
        scoring = Scoring("score", (*steps, {PREFIX + "score": score}))
        return Fitted(parameters, scoring, course, notices=notices, python=predict)


class NeuralClassifier(_Neural):
    """BigQuery ML's DNN_CLASSIFIER."""

    model_type = "dnn_classifier"
    task = "classification"
    options = COMMON + SUPERVISED + TUNING + _NETWORK + CLASS_WEIGHTS

    def fit(self, training: Training) -> Fitted:
        """Learn from the training part."""
        from sklearn.neural_network import MLPClassifier

        assert training.label is not None
        classes = len(training.label.classes)
        matrix, target = training.dense("train"), training.targets("train").astype(int)
        weight = row_weights(training.options, training.label, target)
        notices = _stand_ins(training.options)
        model = MLPClassifier(**self._settings(training, classes))
        seen = other = other_target = None
        if training.rows.get("eval"):
            other_target = training.targets("eval").astype(int)
            seen = other_target >= 0
            other = training.dense("eval")

        def loss(points: Any, wanted: Any, weights: Any) -> float:
            own = model.predict_proba(points)[np.arange(len(wanted)), wanted]
            return float(np.average(-np.log(np.maximum(own, 1e-15)), weights=weights))

        def step() -> float:
            model.partial_fit(matrix, target, classes=np.arange(classes), sample_weight=weight)
            return loss(matrix, target, weight)

        def evaluate() -> float | None:
            if other is None or seen is None or other_target is None or not seen.any():
                return None
            return loss(other[seen], other_target[seen], None)

        course = self._train(training.options, step, evaluate)
        steps, last = hidden_layers(
            training.encoding, model.coefs_, model.intercepts_, model.activation
        )
        scores = output_scores(last, model.coefs_, model.intercepts_)
        parameters = self._parameters(model, training)
        if classes > 2:
            scoring = Scoring("probabilities", (*steps, *softmax(scores)))
            return Fitted(parameters, scoring, course, notices=notices, python=model.predict_proba)
        scoring = Scoring("probability", (*steps, {PREFIX + "probability": sigmoid(scores[0])}))
        return Fitted(
            parameters,
            scoring,
            course,
            notices=notices,
            python=lambda points: model.predict_proba(points)[:, 1],
        )
