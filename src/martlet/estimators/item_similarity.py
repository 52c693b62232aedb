"""Item similarity: neighbours of each item, and recommendations from a user's history.

BigQuery ML has no such type. Measure and weights are chosen on later purchases, the figures come
from purchases later still, and what is stored is learned from all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from martlet.errors import InsufficientData, MartletError
from martlet.estimators.base import Estimator, Fitted, Part, Scoring, Training
from martlet.options import COMMON, Option, Options
from martlet.scoring.functions import no_answers
from martlet.similarity.evaluation import EVALUATION
from martlet.similarity.functions import RECOMMENDED, SIMILAR, Chance, Columns, functions
from martlet.similarity.history import History, load_history
from martlet.similarity.judging import METRICS, Blend, Learning, Task
from martlet.similarity.measures import MEASURES, shared_users
from martlet.similarity.shipping import Shipped, ship

__all__ = ["ItemSimilarity"]

_PARTS: dict[str, dict[str, str]] = {
    "neighbours": {
        "item_id": "varchar",
        "neighbour_id": "varchar",
        "rank": "integer",
        "similarity": "double",
        "shared_user_count": "bigint",
        "measure": "varchar",
    },
    "items": {
        "item_id": "varchar",
        "popularity": "double",
        "popularity_rank": "bigint",
        "user_count": "bigint",
    },
    "evaluation": {
        "recommender": "varchar",
        "target": "varchar",
        "split": "varchar",
        "is_shipped": "boolean",
        "shipped_kind": "varchar",
        "judged_user_count": "bigint",
        "judged_since_at": "timestamp",
        **dict.fromkeys(EVALUATION, "double"),
    },
    "probability": {
        "horizon_days": "double",
        "judged_pair_count": "bigint",
        "mean_probability": "double",
        "bought_share": "double",
        "calibration_error": "double",
        "brier_score": "double",
        "brier_score_of_the_share": "double",
    },
}
#: EASE inverts items x items several times when the measure is to be chosen.
_AUTO_EASE_ITEMS = 1000


class ItemSimilarity(Estimator):
    """Co-occurrence, cosine, transitions or EASE between items."""

    model_type = "item_similarity"
    task = "custom"
    reads_in_order = False
    metrics = METRICS
    higher_is_better = frozenset(METRICS)
    options = (
        *COMMON,
        Option("user_col", "user", "text"),
        Option("item_col", "item", "text"),
        Option("time_col", None, "text"),
        Option("similarity_type", "AUTO", "choice", ("AUTO", *MEASURES)),
        Option("max_neighbours", 50, "integer", low=1, high=1000),
        Option("max_history", 200, "integer", low=1, high=10_000),
        Option("shrinkage", 5.0, "number", low=0),
        Option("gap_decay", 0.7, "number", low=0, high=1),
        Option("l2_reg", 100.0, "number", low=1e-6),
        Option("ease_max_items", 6000, "integer", low=2),
        Option("holdout_fraction", 0.2, "number", low=0, high=0.45),
        Option("max_judged_users", 1000, "integer", low=10),
        Option("predicts", "LATER", "choice", ("LATER", "NEXT_ORDER")),
    )

    @classmethod
    def carried_columns(cls, options: Options) -> list[str]:
        """Return user and time."""
        return [options[name] for name in ("user_col", "time_col") if options[name]]

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return user, item and time."""
        names = ("user_col", "item_col", "time_col")
        return [options[name] for name in names if options[name]]

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of the companion tables."""
        return _PARTS

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return functions without rows; ids are text, as their type is not known."""
        user, item = options["user_col"], options["item_col"]
        ids = {user: "varchar", item: "varchar"}
        reason = {f"reason_{item}": "varchar"}
        pair = {item: "varchar", f"similar_{item}": "varchar"}
        found = {
            "recommend": no_answers(ids | RECOMMENDED | reason, "n := 10, unseen_only := false"),
            "similar": no_answers(pair | SIMILAR, "n := 10"),
        }
        if options["time_col"]:
            measured = dict.fromkeys(METRICS, "double") | {"judged_user_count": "bigint"}
            found["evaluate_since"] = no_answers(measured, "since")
        return found

    def fit(self, training: Training) -> Fitted:
        """Choose on later purchases, judge on still later ones, then learn from all."""
        options = training.options
        columns = _columns(training)
        history = load_history(
            training.con, training.query("train"), columns.user, columns.item, columns.time
        )
        for what, names in (("user", history.users), ("item", history.items)):
            if len(names) < 2:
                raise InsufficientData(f"{len(names)} {what} with a purchase, at least 2 needed")
        learning = Learning(
            options["max_history"], options["max_neighbours"], options["shrinkage"],
            options["l2_reg"], options["gap_decay"],
        )  # fmt: skip
        measures = _measures(options, len(history.items))
        with threadpool_limits(1):
            share = options["holdout_fraction"] if options["time_col"] else 0.0
            found = ship(history, learning, measures, _tasks(options), share)
            parts = _parts(history, learning, found.blend)
        parts["evaluation"] = _table("evaluation", found.evaluation)
        parts["probability"] = _table("probability", found.checks)
        chance = found.probability
        until = int(history.time[-1])
        return Fitted(
            {
                "blend": found.blend.as_parameters(),
                "probability": chance.as_parameters() if chance else None,
            },
            Scoring(None),
            parts=parts,
            functions=functions(
                columns, found.blend, options["max_history"], Chance(chance, until)
            ),
            metrics=_metrics(found.evaluation, "recommender"),
            baseline_metrics=_metrics(found.evaluation, "popularity"),
            notices=_notices(history, found, share),
        )


def _notices(history: History, found: Shipped, share: float) -> list[str]:
    notices = []
    if history.incomplete:
        notices.append(f"{history.incomplete:,} rows without user, item or time are left out")
    if share and not any(row["split"] == "judged" for row in found.evaluation):
        notices.append(
            f"not judged: nobody with earlier purchases bought among the last {share:.0%} of them, "
            f"so nothing shows that a list is better than {found.blend.kind.replace('_', ' ')}, "
            "which is shipped"
        )
    return notices


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Part:
    columns = _PARTS[name]
    return Part(columns, [tuple(row[column] for column in columns) for row in rows])


def _metrics(evaluation: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, float | None]:
    for row in evaluation:
        if (row["recommender"], row["target"], row["split"]) == (name, "all", "judged"):
            return {metric: row[metric] for metric in METRICS}
    return {}


def _columns(training: Training) -> Columns:
    options = training.options
    relation = training.con.query(training.query("train"))
    kinds = dict(zip(relation.columns, map(str, relation.types), strict=True))
    user, item, time = options["user_col"], options["item_col"], options["time_col"]
    if time and not kinds[time].startswith(("TIMESTAMP", "DATE")):
        raise MartletError(f"time_col '{time}' is {kinds[time]}: it must be a date or timestamp.")
    return Columns(user, item, time, kinds[user], kinds[item])


def _measures(options: Options, items: int) -> tuple[str, ...]:
    """Return the measures to choose from."""
    wanted, most = options["similarity_type"], options["ease_max_items"]
    if wanted == "EASE" and items > most:
        raise MartletError(
            f"EASE inverts a matrix of {items:,} x {items:,} items, above ease_max_items "
            f"({most:,}): raise it, or use another similarity_type."
        )
    if wanted == "TRANSITION" and not options["time_col"]:
        raise MartletError("similarity_type TRANSITION needs time_col: what came later.")
    if wanted != "AUTO":
        return (wanted,)
    if not options["time_col"]:
        return ("COSINE",)
    auto = ("COSINE", "COOCCURRENCE", "TRANSITION")
    return (*auto, "EASE") if items <= min(most, _AUTO_EASE_ITEMS) else auto


def _tasks(options: Options) -> list[Task]:
    """Return what blends are tried by, one after another, until one is surely better.

    An order holds its products all at once: how much of it is named comes first there.
    """
    most = options["max_judged_users"]
    if options["predicts"] == "NEXT_ORDER":
        return [Task(True, most, "recall_at_10"), Task(True, most)]
    return [Task(False, most)]


def _parts(history: History, learning: Learning, blend: Blend) -> dict[str, Part]:
    window = history.window(None, None)
    item, other, rank, value = learning.near(blend.measure, window).rows()
    names = pa.array(history.items, pa.string())
    neighbours = {
        "item_id": names.take(pa.array(item)),
        "neighbour_id": names.take(pa.array(other)),
        "rank": pa.array(rank, pa.int32()),
        "similarity": pa.array(value, pa.float64()),
        "shared_user_count": shared_users(window, learning.longest, item, other),
        "measure": pa.array([blend.measure.lower()] * len(item), pa.string()),
    }
    popularity = window.popularity(blend.popularity_half_life_days)
    place = np.empty(len(popularity), dtype=np.int64)
    place[np.argsort(-popularity, kind="stable")] = np.arange(1, len(popularity) + 1)
    pairs = np.unique(history.user * len(history.items) + history.item)
    items = {
        "item_id": names,
        "popularity": popularity,
        "popularity_rank": place,
        "user_count": np.bincount(pairs % len(history.items), minlength=len(history.items)),
    }
    tables = {"neighbours": neighbours, "items": items}
    return {name: Part(_PARTS[name], pa.table(table)) for name, table in tables.items()}
