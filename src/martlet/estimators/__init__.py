"""The model types, listed openly.

A new type is one file and one line in `REGISTRY`. The file has a subclass of
`martlet.estimators.base.Estimator`:

1. ``model_type``, ``task`` and ``options`` (a tuple of `Option`: `COMMON`, for types with a label
   `SUPERVISED`, for types whose settings can be searched `TUNING`, then its own with BigQuery's
   names and defaults; mark ``tunable``).
2. ``preparation(options)`` says how features are encoded: numbers ``standardize``, ``impute`` or
   ``raw`` (missing stays NULL); categories ``one_hot``, ``dummy`` or ``label``.
   ``extra_columns(options)`` names columns that are not features (a weight column, say);
   ``default_search()`` what tuning varies when nothing is said.
3. ``fit(training)`` reads ``training.matrix("train")`` (or ``dense``) and
   ``training.targets("train")`` (places of the classes, or the number), the same with ``"eval"``
   when ``training.rows.get("eval")``, uses ``training.seed`` for everything random and returns
   `Fitted`:

   - ``parameters``: everything learned, as JSON values;
   - ``scoring``: `Scoring` with named expression steps over the raw columns. Take the encoded
     values from ``training.encoding`` (``numbers()``, ``product()``, ``vector()``, ``blocks``), so
     that fitting and scoring read the same definition. The last step is PREFIX + ``score``,
     ``probability``, ``probabilities``, ``distances`` or ``components``;
   - ``training_info``, ``parts`` (companion tables) and ``functions`` (stored functions over them,
     ``{part:name}`` stands for the rows of this version);
   - ``python``: Python's own answer for encoded rows; every fit compares it with the compiled SQL;
   - ``explanation``: baselines and one SQL expression an input, which gives explain_predict and
     global_explain.

Everything else (split, encoding, label, metrics, versions, gate, predict, evaluate,
confusion_matrix, roc_curve ...) follows from ``task`` and is shared.

A type whose answer is of none of these kinds has ``task = "custom"``: ``extra_columns`` names the
columns it reads (it may have no features at all), ``fit`` gives ``functions`` with its own
``predict`` and, when rows can be judged in SQL, ``evaluate`` with the columns ``metrics`` (the
first decides between versions, ``higher_is_better`` says which way); else ``Fitted.metrics``.
``empty_parts`` and ``empty_functions`` say what stands there without enough data, and ``fit``
raises `martlet.errors.InsufficientData` when that is so. Any type may raise it. SQL models read a
companion table with the macro ``ml_part``.
"""

from __future__ import annotations

import importlib

from martlet.errors import MartletError
from martlet.estimators.base import Estimator
from martlet.options import nearest

__all__ = ["REGISTRY", "find_estimator"]

#: Where each type lives: module and class.
REGISTRY: dict[str, str] = {
    "linear_reg": "martlet.estimators.linear:LinearRegression",
    "logistic_reg": "martlet.estimators.logistic:LogisticRegression",
    "looker": "martlet.estimators.lookers:LookerModel",
    "kmeans": "martlet.estimators.kmeans:KMeans",
    "bg_nbd": "martlet.estimators.lifetime:BetaGeometricNBD",
    "mbg_nbd": "martlet.estimators.lifetime:ModifiedBetaGeometricNBD",
    "pareto_nbd": "martlet.estimators.lifetime:ParetoNBD",
    "purchase_process": "martlet.estimators.lifetime:PurchaseProcess",
    "gamma_gamma": "martlet.estimators.spend:GammaGamma",
    "pca": "martlet.estimators.pca:PrincipalComponents",
    "dnn_classifier": "martlet.estimators.neural:NeuralClassifier",
    "dnn_regressor": "martlet.estimators.neural:NeuralRegressor",
    "markov_attribution": "martlet.estimators.markov_attribution:MarkovAttribution",
    "boosted_tree_classifier": "martlet.estimators.boosted_trees:BoostedTreeClassifier",
    "boosted_tree_regressor": "martlet.estimators.boosted_trees:BoostedTreeRegressor",
    "random_forest_classifier": "martlet.estimators.random_forest:RandomForestClassifier",
    "random_forest_regressor": "martlet.estimators.random_forest:RandomForestRegressor",
    "association_rules": "martlet.estimators.association_rules:AssociationRules",
    "matrix_factorization": "martlet.estimators.matrix_factorization:MatrixFactorization",
    "item_similarity": "martlet.estimators.item_similarity:ItemSimilarity",
    "churn_classifier": "martlet.estimators.churn:ChurnClassifier",
    "purchase_intent": "martlet.estimators.intent:PurchaseIntent",
    "uplift_classifier": "martlet.estimators.uplift:UpliftClassifier",
    "transform_only": "martlet.estimators.transform_only:TransformOnly",
    "customer_segments": "martlet.estimators.customer_segments:CustomerSegments",
    "poisson_hmm": "martlet.estimators.poisson_hmm:PoissonStates",
}

#: BigQuery ML's types that have no counterpart here.
ELSEWHERE = (
    "arima", "arima_plus", "arima_plus_xreg", "autoencoder", "automl_classifier",
    "automl_regressor", "contribution_analysis", "dnn_linear_combined_classifier",
    "dnn_linear_combined_regressor", "onnx", "tensorflow", "tensorflow_lite", "xgboost",
)  # fmt: skip


def find_estimator(model_type: str) -> Estimator:
    """Return the estimator of a model type.

    Parameters
    ----------
    model_type : str
        In any case.

    Raises
    ------
    MartletError
        If there is no such type; the message names the nearest one, or says that only BigQuery
        ML has it.
    """
    name = str(model_type).strip().lower()
    if name in ELSEWHERE and name not in REGISTRY:
        raise MartletError(
            f"There is no model_type '{model_type}' here: BigQuery ML has it, Martlet does not "
            "(docs/bigquery-ml-differences.md)."
        )
    if name not in REGISTRY:
        raise MartletError(
            f"There is no model_type '{model_type}': {nearest(name, list(REGISTRY))}"
        )
    module, _, attribute = REGISTRY[name].partition(":")
    estimator: type[Estimator] = getattr(importlib.import_module(module), attribute)
    return estimator()
