"""Matrix factorization: BigQuery ML's recommender, with vectors as tables and scoring as SQL.

Explicit feedback (ratings) has a global intercept and one for each user and item; implicit
feedback (events) has none, and its prediction is a confidence around 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from martlet.errors import InsufficientData
from martlet.estimators.base import Estimator, Fitted, Iteration, Label, Part, Scoring, Training
from martlet.factorization.als import LEAST_RIDGE, Factors, Settings, factorize
from martlet.factorization.fold_in import Ridge
from martlet.factorization.functions import (
    IMPLICIT_METRICS,
    Answers,
    judge_ranking,
    prediction_name,
)
from martlet.factorization.ratings import RatingColumns, Ratings, load_ratings, read_types
from martlet.option_values import Candidates, Range
from martlet.options import COMMON, SPLITTING, TUNING, Option, Options
from martlet.scoring.functions import METRICS, no_answers, no_rows
from martlet.scoring.metrics import metric_functions

__all__ = ["MatrixFactorization"]

_USERS = {
    "user_id": "varchar",
    "intercept": "double",
    "factors": "float[]",
    "rating_count": "bigint",
    "seen_items": "integer[]",
}
_ITEMS = {
    "item_id": "varchar",
    "item_number": "integer",
    "intercept": "double",
    "factors": "float[]",
    "rating_count": "bigint",
    "rating_sum": "double",
}
_FEWEST, _MOST = 2, 200


class MatrixFactorization(Estimator):
    """Alternating least squares over users and items."""

    model_type = "matrix_factorization"
    task = "custom"
    # Explicit feedback has no precision, and is judged by the squared error.
    metrics = (*IMPLICIT_METRICS, *(m for m in METRICS["regression"] if m not in IMPLICIT_METRICS))
    higher_is_better = frozenset(
        {
            "mean_average_precision",
            "normalized_discounted_cumulative_gain",
            "r2_score",
            "explained_variance",
        }
    )
    options = (
        *COMMON,
        *TUNING,
        Option("data_split_method", "NO_SPLIT", "choice",
               ("NO_SPLIT", "AUTO_SPLIT", "RANDOM", "CUSTOM", "SEQ")),
        *(option for option in SPLITTING if option.name != "data_split_method"),
        Option("feedback_type", "EXPLICIT", "choice", ("EXPLICIT", "IMPLICIT")),
        Option("num_factors", None, "integer", low=_FEWEST, high=_MOST, tunable=True),
        Option("user_col", "user", "text"),
        Option("item_col", "item", "text"),
        Option("rating_col", "rating", "text"),
        Option("wals_alpha", 40.0, "number", low=0, tunable=True),
        Option("l2_reg", 1.0, "number", low=0, tunable=True),
        # Not in BigQuery ML: the ridge grows with the weight of what was observed.
        Option("weigh_l2_reg", False, "boolean"),
        Option("max_iterations", 20, "integer", low=1),
        Option("early_stop", True, "boolean"),
        Option("min_rel_progress", 0.01, "number", low=0),
    )  # fmt: skip

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return user, item and rating."""
        return [options[name] for name in ("user_col", "item_col", "rating_col")]

    @classmethod
    def carried_columns(cls, options: Options) -> list[str]:
        """Return the user."""
        return [options["user_col"]]

    @classmethod
    def measured(cls, options: Options) -> tuple[str, ...]:
        """Return the metrics of the kind of feedback."""
        explicit = options["feedback_type"] == "EXPLICIT"
        return METRICS["regression"] if explicit else IMPLICIT_METRICS

    @classmethod
    def default_search(cls) -> dict[str, Range | Candidates]:
        """Return what tuning varies when nothing is said."""
        return {"num_factors": Range(2, 20), "l2_reg": Range(0.0, 10.0)}

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of the companion tables."""
        return {"users": _USERS, "items": _ITEMS}

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return functions without rows; ids are text, as their type is not known."""
        columns = _columns(options)
        made = prediction_name(columns, options["feedback_type"] == "IMPLICIT")
        ids = {columns.user: "varchar", columns.item: "varchar"}
        top, pairs = ids | {"rank": "integer", made: "double"}, ids | {made: "double"}
        vectors = {
            columns.user: "varchar",
            "intercept": "double",
            "factors": "double[]",
            "rating_count": "bigint",
        }
        weights = {
            "processed_input": "varchar",
            "feature": "varchar",
            "factor_weights": "struct(factor bigint, weight double)[]",
            "intercept": "double",
        }
        return {
            "predict": no_rows({made: "double"}),
            "recommend": f"{no_rows(pairs, '')}, {no_answers(pairs, 'unseen_only := false')}",
            "recommend_top": no_answers(top, "n := 10, unseen_only := true"),
            "fold_in": no_answers(vectors),
            "recommend_new": no_answers(top, "n := 10, unseen_only := true"),
            "weights": no_rows(weights, ""),
        }

    def fit(self, training: Training) -> Fitted:
        """Learn the vectors."""
        options = training.options
        implicit = options["feedback_type"] == "IMPLICIT"
        columns = read_types(training.con, training.query("train"), _columns(options))
        ratings = load_ratings(training.con, training.query("train"), columns, implicit)
        for what, names in (("user", ratings.users), ("item", ratings.items)):
            if len(names) < 2:
                raise InsufficientData(f"{len(names)} {what} with a rating, at least 2 are needed")
        # Many small equations: threads would wait for each other, and the sums would vary.
        settings = _settings(options, training.rows["train"])
        with threadpool_limits(1):
            factors = factorize(ratings, settings)
        answers = Answers(
            columns, factors.items.shape[1], factors.intercept, implicit, _ridge(settings, factors)
        )
        parts = _parts(ratings, factors)
        return Fitted(
            {
                "feedback_type": options["feedback_type"],
                "num_factors": answers.factors,
                "global_intercept": factors.intercept,
                "user_count": len(ratings.users),
                "item_count": len(ratings.items),
                "pair_count": len(ratings.value),
            },
            Scoring(None),
            training_info=[
                Iteration(place, step.loss, duration_ms=step.milliseconds)
                for place, step in enumerate(factors.steps)
            ],
            parts=parts,
            functions=answers.functions() | {"evaluate": _evaluate(answers)},
            baseline_metrics=_baseline(training, answers, parts),
            notices=_notices(ratings),
        )


def _columns(options: Options) -> RatingColumns:
    return RatingColumns(options["user_col"], options["item_col"], options["rating_col"])


def _settings(options: Options, rows: int) -> Settings:
    """Return how to factorize; without num_factors it is log2 of the number of rows."""
    usual = min(max(round(math.log2(max(rows, 2))), _FEWEST), _MOST)
    return Settings(
        factors=options["num_factors"] or usual,
        l2_reg=options["l2_reg"],
        weigh_ridge=options["weigh_l2_reg"],
        alpha=options["wals_alpha"] if options["feedback_type"] == "IMPLICIT" else None,
        iterations=options["max_iterations"],
        min_progress=options["min_rel_progress"] if options["early_stop"] else None,
        seed=options["seed"],
    )


def _ridge(settings: Settings, factors: Factors) -> Ridge:
    """Return how new users are folded in, on the item vectors as they are stored."""
    items = factors.items.astype(np.float32).astype(float)
    gram = () if settings.alpha is None else tuple(np.einsum("ij,ij->j", items, items).tolist())
    return Ridge(
        gram, settings.l2_reg, LEAST_RIDGE, settings.weigh_ridge, settings.alpha, len(items),
        factors.intercept,
    )  # fmt: skip


def _parts(ratings: Ratings, factors: Factors) -> dict[str, Part]:
    """Return the companion tables."""
    counts = np.bincount(ratings.user, minlength=len(ratings.users))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    users = {
        "user_id": pa.array(ratings.users, pa.string()),
        "intercept": factors.user_intercept,
        "factors": _vectors(factors.users),
        "rating_count": counts.astype(np.int64),
        "seen_items": pa.ListArray.from_arrays(
            pa.array(offsets), pa.array(ratings.item.astype(np.int32) + 1)
        ),
    }
    number = len(ratings.items)
    items = {
        "item_id": pa.array(ratings.items, pa.string()),
        "item_number": np.arange(1, number + 1, dtype=np.int32),
        "intercept": factors.item_intercept,
        "factors": _vectors(factors.items),
        "rating_count": np.bincount(ratings.item, minlength=number).astype(np.int64),
        "rating_sum": np.bincount(ratings.item, weights=ratings.value, minlength=number),
    }
    return {"users": Part(_USERS, pa.table(users)), "items": Part(_ITEMS, pa.table(items))}


def _vectors(values: Any) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).ravel())
    starts = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(starts), flat)


def _evaluate(answers: Answers) -> str:
    if not answers.implicit:
        label = Label(answers.columns.rating, "double")
        return metric_functions("regression", "{predict}", label)["evaluate"]
    query = judge_ranking(answers, "query_table(input)", answers.score("u", "i"), "max_users")
    return f"(input, max_users := 1000) as table ({query})"


def _baseline(
    training: Training, answers: Answers, parts: Mapping[str, Part]
) -> dict[str, float | None]:
    """Return the metrics of the mean rating, or of the order by popularity."""
    con, rows = training.con, f"({training.query(training.evaluation)})"
    if not answers.implicit:
        mean = answers.intercept
        found = con.execute(
            f"select avg(abs(r - {mean!r})), avg((r - {mean!r}) * (r - {mean!r})) "
            f"from ({answers.columns.query(rows)})"
        ).fetchall()[0]
        return dict(zip(("mean_absolute_error", "mean_squared_error"), found, strict=True))
    query = judge_ranking(answers, rows, "cast(i.rating_count as double)", "1000")
    for name, part in parts.items():
        con.register(f"__martlet_{name}", part.rows)
        query = query.replace(f"{{part:{name}}}", f"__martlet_{name}")
    found = con.execute(query).fetchall()[0]
    for name in parts:
        con.unregister(f"__martlet_{name}")
    metrics = dict(zip(IMPLICIT_METRICS, found, strict=True))
    # A count of ratings is an order, not a confidence.
    return metrics | {"mean_squared_error": None}


def _notices(ratings: Ratings) -> list[str]:
    said = [
        (ratings.incomplete, "rows without user, item or (finite) rating are left out"),
        (ratings.repeated, "rows repeat a pair of user and item and are put together"),
        (ratings.empty, "pairs with a rating of 0 say nothing of a preference and are left out"),
    ]
    return [f"{count:,} {what}" for count, what in said if count]
