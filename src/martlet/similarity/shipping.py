"""What a recommender ships, and how good it is on purchases that nothing was chosen by.

The first purchases teach, the next ones choose the blend, the last ones judge it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from martlet.similarity.evaluation import evaluate
from martlet.similarity.history import DAY, History, Window
from martlet.similarity.judging import TIE, Blend, Learning, Task, choose
from martlet.similarity.probability import Probability, calibrate, calibration_error, shown

__all__ = ["Shipped", "ship"]


@dataclass(frozen=True)
class Shipped:
    """What is shipped, and how good it is.

    Attributes
    ----------
    blend
        How scores are put together.
    evaluation
        One row a recommender, target and split.
    probability
        Turns scores into probabilities; None where that cannot be learned.
    checks
        How good the probabilities are: one row, or none.
    """

    blend: Blend
    evaluation: Sequence[Mapping[str, Any]] = ()
    probability: Probability | None = None
    checks: Sequence[Mapping[str, Any]] = ()


def ship(
    history: History,
    learning: Learning,
    measures: tuple[str, ...],
    tasks: Sequence[Task],
    share: float,
) -> Shipped:
    """Choose the blend, judge it, and say what is shipped.

    It is the blend when it beats both baselines where it was chosen and again on later purchases,
    the lower bounds of both gains being above 0; else the better baseline of the choice.

    Parameters
    ----------
    history : History
        All purchases.
    learning : Learning
        Settings of the measures.
    measures : tuple of str
        Measures to choose from.
    tasks : sequence of Task
        What blends are tried by, one after another, until one is surely better.
    share : float
        Share of the purchases that judges; as many before them choose. With 0 there is nothing to
        choose by: the first measure is shipped, unjudged.
    """
    if not share:
        return Shipped(Blend(measures[0], popularity=TIE))
    first, second = _cuts(history, share)
    early, late = history.window(None, first), history.window(None, second)
    middle, last = history.window(first, second), history.window(second, None)
    for task in tasks:
        blend, is_better = choose(learning, measures, task, early, middle)
        judged = evaluate(learning, measures, blend, task, late, last)
        is_better = is_better and _beats_both(judged, task.criterion)
        if is_better:
            break
    chosen_by = evaluate(learning, (), blend, task, early, middle)
    shipped = blend if is_better else _better_baseline(blend, chosen_by, task.criterion)
    horizon = min(second - first, int(history.time[-1]) + 1 - second)
    probability, checks = _calibrated(
        history, learning, shipped, task, ((early, first), (late, second)), horizon
    )
    rows = [
        *_described(judged, shipped.kind, "judged", second),
        *_described(chosen_by, shipped.kind, "choice", first),
    ]
    return Shipped(shipped, rows, probability, checks)


def _cuts(history: History, share: float) -> tuple[int, int]:
    """Return where choosing and judging begin: so many of the purchases lie after.

    Where a single order holds more items than that, as when a wholesaler opens the shop, orders are
    counted instead: else one order would be a stretch of its own.
    """
    orders, items = np.unique(np.stack([history.time, history.user]), axis=1, return_counts=True)
    times = history.time if items.max() <= share * len(history.time) else orders[0]
    first, second = (int(times[int(len(times) * (1 - part * share))]) for part in (2, 1))
    return first, second


def _beats_both(rows: Sequence[Mapping[str, Any]], criterion: str) -> bool:
    gain = "recall_gain_over" if criterion == "recall_at_10" else "gain_over"
    own = [row for row in rows if (row["recommender"], row["target"]) == ("blend", "all")]
    return any(
        row[f"{gain}_popularity_low"] > 0 and row[f"{gain}_personal_frequency_low"] > 0
        for row in own
    )


def _better_baseline(blend: Blend, chosen_by: Sequence[Mapping[str, Any]], criterion: str) -> Blend:
    known = blend.baselines()
    worth = {row["recommender"]: row[criterion] for row in chosen_by if row["target"] == "all"}
    return known[max(known, key=lambda name: worth.get(name, 0.0))]


def _described(
    rows: Sequence[Mapping[str, Any]], kind: str, split: str, since: int
) -> list[Mapping[str, Any]]:
    """Return the rows, and once more as the recommender that of what is shipped."""
    moment = np.datetime64(since, "us").astype(object)
    shared = {"split": split, "shipped_kind": kind, "judged_since_at": moment}
    result = [{**row, **shared, "is_shipped": False} for row in rows]
    result += [
        {**row, "recommender": "recommender", "is_shipped": True}
        for row in result
        if row["recommender"] == kind
    ]
    return sorted(result, key=lambda row: (row["target"], row["recommender"]))


def _calibrated(
    history: History,
    learning: Learning,
    blend: Blend,
    task: Task,
    cuts: Sequence[tuple[Window, int]],
    horizon: int,
) -> tuple[Probability | None, list[Mapping[str, Any]]]:
    """Calibrate on the last stretch of time; its error is that of doing so one stretch earlier."""
    tried, now = (
        shown(learning, blend, task, window, history.window(end, end + horizon), end)
        for window, end in cuts
    )
    before, found = calibrate(tried), calibrate(now)
    if before is None or found is None:
        return found, []
    chance, bought = before.of(now), now.bought
    return found, [{
        "horizon_days": horizon / DAY,
        "judged_pair_count": len(bought),
        "mean_probability": float(chance.mean()),
        "bought_share": float(bought.mean()),
        "calibration_error": calibration_error(chance, bought),
        "brier_score": float(np.mean((chance - bought) ** 2)),
        "brier_score_of_the_share": float(np.mean((tried.bought.mean() - bought) ** 2)),
    }]  # fmt: skip
