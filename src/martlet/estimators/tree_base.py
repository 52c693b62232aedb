"""What boosted trees and random forests share once the trees are grown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from martlet.errors import MartletError
from martlet.estimators.base import Estimator, Fitted, Iteration, Scoring, Training
from martlet.estimators.class_weights import row_weights
from martlet.estimators.tree_explanations import MOST_ANSWERS, explain_trees
from martlet.estimators.tree_structure import Tree, digest, importance_part, nodes_part
from martlet.options import Option, Options
from martlet.preprocessing import Preparation
from martlet.schema import find_column
from martlet.scoring.links import sigmoid
from martlet.scoring.softmax import softmax
from martlet.scoring.trees import compile_trees
from martlet.sqltext import PREFIX, array

__all__ = ["TREE_OPTIONS", "TreeEstimator", "threads"]

Array = NDArray[np.float64]

#: All leaves of a model together, unless max_leaf_nodes says otherwise: what compiles to SQL that
#: plans within about a second.
MOST_LEAVES = 20_000

_NOT_EXPLAINED = (
    f"the paths of the trees ask more than {MOST_ANSWERS:,} inputs in all: explain_predict is left "
    "out; lower max_leaf_nodes, max_tree_depth or the number of trees to have it"
)

#: Options that both families have, with what scikit-learn makes of them.
TREE_OPTIONS = (
    Option("max_leaf_nodes", None, "integer", low=2),
    Option("min_tree_child_weight", 1, "integer", low=0, tunable=True),
    Option("colsample_bytree", 1.0, "number", low=0, high=1, tunable=True),
    Option("colsample_bylevel", 1.0, "number", low=0, high=1, tunable=True),
    Option("l1_reg", 0.0, "number", low=0, ignored="scikit-learn's trees have no L1 penalty"),
    Option("min_split_loss", 0.0, "number", low=0, ignored="scikit-learn's trees have none"),
    Option("instance_weight_col", None, "text"),
    Option(
        "tree_method",
        "AUTO",
        "choice",
        ("AUTO", "EXACT", "APPROX", "HIST"),
        ignored="the method is scikit-learn's",
    ),
    Option("xgboost_version", None, "text", ignored="the trees are scikit-learn's"),
    Option(
        "approx_global_feature_contrib",
        False,
        "boolean",
        ignored="global explanations are exact",
    ),
    Option(
        "category_encoding_method",
        "LABEL_ENCODING",
        "choice",
        ("LABEL_ENCODING", "ONE_HOT_ENCODING", "TARGET_ENCODING"),
    ),
)


#: Up to so many numbers one thread is enough: it takes seconds. Several that wait for each other
#: beside other work take many times as long.
_ALONE = 8_000_000


def threads(training: Training) -> Any:
    """Return a context in which scikit-learn takes one thread when the rows are few."""
    # What is not loaded yet cannot be limited.
    import sklearn.ensemble  # noqa: F401
    from threadpoolctl import threadpool_limits

    few = training.rows.get("train", 0) * training.encoding.width <= _ALONE
    return threadpool_limits(limits=1 if few else None, user_api="openmp")


class TreeEstimator(Estimator):
    """Encoding, weights, scoring, explanation and tables of a tree ensemble."""

    @classmethod
    def preparation(cls, options: Options) -> Preparation:
        """Keep missing numbers missing; number the categories unless they get columns."""
        one_hot = options["category_encoding_method"] == "ONE_HOT_ENCODING"
        return Preparation("raw", "one_hot" if one_hot else "label")

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return the weight column."""
        return [options["instance_weight_col"]] if options["instance_weight_col"] else []

    def fit(self, training: Training) -> Fitted:
        """Learn from the training part."""
        with threads(training):
            return self._learn(training)

    def _learn(self, training: Training) -> Fitted:
        raise NotImplementedError

    @staticmethod
    def notices(options: Options) -> list[str]:
        """Say which values of the options cannot be had."""
        if options["category_encoding_method"] == "TARGET_ENCODING":
            return ["category_encoding_method TARGET_ENCODING is not there: labels are encoded"]
        return []

    @staticmethod
    def leaf_limit(options: Options, trees: int) -> int:
        """Return how many leaves a tree may have."""
        depth = min(int(options["max_tree_depth"]), 30)
        limit = options["max_leaf_nodes"] or max(8, MOST_LEAVES // trees)
        return int(min(limit, 2**depth))

    @staticmethod
    def column_share(options: Options) -> float:
        """Return the share of columns drawn for a split: the product of the three options."""
        names = ("colsample_bynode", "colsample_bylevel", "colsample_bytree")
        return float(max(np.prod([options[name] for name in names]), 1e-9))

    @staticmethod
    def weights(training: Training, part: str, target: Array) -> Array:
        """Return the weight of each row: of its class times its own."""
        options, label = training.options, training.label
        result = np.ones(len(target))
        if label is not None and label.classes and part == "train":
            result = row_weights(options, label, target.astype(int))
        name = options["instance_weight_col"]
        if name:
            described = [item[0] for item in training.con.table(training.table).description]
            found = find_column(name, described, "instance_weight_col")
            quoted = '"' + found.replace('"', '""') + '"'
            own = training.numbers(part, f"cast({quoted} as double)")
            if not (np.isfinite(own).all() and (own >= 0).all()):
                raise MartletError(
                    f"instance_weight_col '{found}' must hold numbers of at least 0 and no NULL."
                )
            if part == "train" and not own.any():
                raise MartletError(f"instance_weight_col '{found}' is 0 in every training row.")
            result = result * own
        return result

    @staticmethod
    def fitted(
        training: Training,
        trees: Sequence[Tree],
        baselines: Sequence[float],
        link: str,
        python: Callable[[Any], Any],
        course: Sequence[Iteration],
        notices: list[str],
    ) -> Fitted:
        """Compile the trees.

        Parameters
        ----------
        training : Training
            What was fitted on.
        trees : sequence of Tree
            The trees.
        baselines : sequence of float
            What they add to, one an output.
        link : str
            ``identity``, ``probability`` (the score is one), ``sigmoid`` or ``softmax``.
        python : callable
            scikit-learn's answer for encoded rows.
        course : sequence of Iteration
            How the training went.
        notices : list of str
            For the log.
        """
        encoding = training.encoding

        def answer(points: Any) -> Any:
            with threads(training):
                return python(points)

        steps, scores = compile_trees(trees, encoding.numbers(), baselines, training.rows["train"])
        explanation = explain_trees(trees, encoding, baselines)
        if explanation is None:
            notices = [*notices, _NOT_EXPLAINED]
        parts = {
            "feature_importance": importance_part(trees, encoding),
            "trees": nodes_part(trees, encoding),
        }
        functions = {
            "feature_importance": (
                "() as table (select feature, importance_weight, importance_gain, "
                "importance_cover from {part:feature_importance} "
                "order by importance_gain desc, feature)"
            )
        }
        parameters = {
            "trees": len(trees),
            "leaves": sum(len(tree.leaves) for tree in trees),
            "baselines": [float(value) for value in baselines],
            "digest": digest(trees),
            "columns": [[name, category] for name, category in encoding.names],
        }
        scoring = _linked([*steps], scores, link)
        return Fitted(
            parameters,
            scoring,
            course,
            parts,
            functions,
            explanation=explanation,
            notices=notices,
            python=answer,
        )


def _linked(steps: list[Any], scores: list[exp.Expr], link: str) -> Scoring:
    if link == "softmax":
        return Scoring("probabilities", (*steps, *softmax(scores)))
    if len(scores) > 1:
        return Scoring("probabilities", (*steps, {PREFIX + "probabilities": array(scores)}))
    score = scores[0]
    if link == "identity":
        return Scoring("score", (*steps, {PREFIX + "score": score}))
    if link == "sigmoid":
        score = sigmoid(score)
    return Scoring("probability", (*steps, {PREFIX + "probability": score}))
