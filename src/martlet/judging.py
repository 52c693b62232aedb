"""What a fit is measured against: a baseline that knows nothing, and Python's own answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from martlet.estimators.base import Fitted, Training
from martlet.scoring.chain import Chain
from martlet.split import HASH
from martlet.sqltext import PREFIX, ROWS

__all__ = ["baseline_metrics", "scoring_difference"]

#: Rows on which the compiled SQL is compared with Python at every fit.
COMPARED_ROWS = 1000


def baseline_metrics(training: Training) -> dict[str, float]:
    """Return metrics of the answer without a model, on the evaluation rows.

    Regression: the training mean for every row. Classification: the commonest training class and
    the training shares as probabilities.

    Parameters
    ----------
    training : Training
        The rows.
    """
    if training.label is None:
        return {}
    train = training.targets("train")
    target = training.targets(training.evaluation)
    if not training.label.classes:
        errors = target - train.mean()
        spread = float(((target - target.mean()) ** 2).mean())
        return {
            "mean_absolute_error": float(np.abs(errors).mean()),
            "mean_squared_error": float((errors**2).mean()),
            "r2_score": 1 - float((errors**2).mean()) / spread if spread else 0.0,
            "explained_variance": 0.0,
        }
    shares = np.bincount(train.astype(int), minlength=len(training.label.classes)) / len(train)
    known = target[target >= 0].astype(int)
    found = {"accuracy": float((target == shares.argmax()).mean()), "roc_auc": 0.5}
    if len(known):
        found["log_loss"] = float(-np.log(np.maximum(shares[known], 1e-15)).mean())
    return found


def scoring_difference(training: Training, fitted: Fitted) -> float | None:
    """Return the largest difference between compiled SQL and Python, relative above 1.

    Parameters
    ----------
    training : Training
        The rows.
    fitted : Fitted
        With its scoring and Python's own answer.

    Returns
    -------
    float or None
        None when the type gives no answer in Python.
    """
    if fitted.python is None or fitted.scoring.output is None:
        return None
    rows = f"{training.query(training.evaluation)} order by {HASH} limit {COMPARED_ROWS}"
    chain = Chain(fitted.scoring.written, rows)
    output = f"{ROWS}.{PREFIX}{fitted.scoring.output}"
    found = training.con.execute(
        f"{chain.scored} select {output} from {chain.last} order by {ROWS}.{HASH}"
    ).fetchall()
    matrix: Any = training.encoding.matrix(training.con, rows, HASH)
    if not isinstance(matrix, np.ndarray):
        matrix = matrix.toarray()
    expected = np.asarray(fitted.python(matrix), dtype=float)
    given = np.array([row[0] for row in found], dtype=float)
    same = (given == expected) | (np.isnan(given) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        gap = np.abs(given - expected) / np.maximum(1.0, np.abs(expected))
    return float(np.where(same, 0.0, gap).max())
