"""Candidates for the answers about a visit, chosen on later visits, each as SQL and in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp, parse_one

from martlet.churn.calibration import Calibration, log_odds, probability
from martlet.churn.candidates import named, winsorised
from martlet.churn.folds import Fold
from martlet.churn.measures import EDGE
from martlet.estimators.base import Label
from martlet.schema import Feature
from martlet.scoring.links import log_odds as log_odds_of
from martlet.scoring.links import sigmoid
from martlet.sqltext import PREFIX, call, column, number

__all__ = ["TOLERANCE", "Answer", "amounts", "calibrated", "condition", "probabilities", "simplest"]

Array = NDArray[np.float64]
Steps = tuple[Mapping[str, exp.Expr], ...]

#: A simpler candidate is kept when its loss is at most this share above the lowest.
TOLERANCE = 0.005

_LOGISTIC: Mapping[str, Any] = {
    "max_iterations": 100,
    "min_rel_progress": 1e-3,
    "category_encoding_method": "DUMMY_ENCODING",
}
_BOOSTING: Mapping[str, Any] = {
    "l2_reg": 1.0,
    "min_tree_child_weight": 40,
    "early_stop": False,
}
#: Penalty of the linear models as a share of the rows they learn from.
_RIDGE = 0.01


@dataclass(frozen=True)
class Answer:
    """One candidate's answer.

    Attributes
    ----------
    steps, output
        SQL steps, and the name the last one gives the answer.
    values
        Python's own answers for the judged rows.
    """

    steps: Steps
    output: str
    values: Array


def condition(rule: str) -> exp.Expr:
    """Parse a condition on the raw columns; missing is false."""
    parsed = parse_one(rule, dialect="duckdb")
    named_rows = parsed.transform(
        lambda node: column(node.name) if isinstance(node, exp.Column) else node
    )
    return call("coalesce", exp.Paren(this=named_rows), exp.Boolean(this=False))


def _by_rule(fold: Fold, name: str, rule: str | None, target: Array) -> Answer:
    """Give the rows where a rule holds, and the others, the mean of the training rows there."""
    output = f"{PREFIX}{name}"
    if rule is None:
        level = float(target.mean())
        return Answer(
            ({output: number(level)},), output, np.full(fold.training.rows["eval"], level)
        )
    expression = f"cast(coalesce({rule}, false) as double)"
    train, held = (fold.training.numbers(part, expression) > 0 for part in ("train", "eval"))
    # One imagined row of the mean of all keeps a small group from certainty.
    means = [
        float((target[group].sum() + target.mean()) / (group.sum() + 1))
        for group in (train, ~train)
    ]
    case = exp.Case().when(condition(rule), number(means[0])).else_(number(means[1]))
    return Answer(({output: case},), output, np.where(held, *means))


def probabilities(
    fold: Fold, features: Sequence[Feature], name: str, rule: str, wanted: str | None = None
) -> dict[str, Answer]:
    """Fit the candidates for a probability, in order of simplicity.

    Only one that is wanted is written as SQL: those that are compared have values alone.

    Parameters
    ----------
    fold : Fold
        Rows that train and rows that judge, with the label.
    features : sequence of Feature
        What may be looked at.
    name : str
        Of the answer, for the SQL steps.
    rule : str
        SQL condition of the one-rule baseline.
    wanted : str, optional
        The only candidate to fit besides the baselines.
    """
    target = fold.targets("train")
    made = {
        "prior": _by_rule(fold, f"{name}_prior", None, target),
        "one_rule": _by_rule(fold, f"{name}_rule", rule, target),
    }
    logistic = {**_LOGISTIC, "l2_reg": _RIDGE * fold.count}
    asked = ("max_iterations", "learn_rate", "max_tree_depth")
    boosting = {**_BOOSTING, **{key: fold.training.options[key] for key in asked}}
    for kind, model, settings in (
        ("logistic_regression", "logistic_reg", logistic),
        ("boosted_trees", "boosted_tree_classifier", boosting),
    ):
        if wanted in (None, kind):
            seen = winsorised(fold, features) if model == "logistic_reg" else features
            sub = fold.fit(model, seen, settings)
            made[kind] = Answer((), "", sub.values)
            if wanted:
                found = named(f"{name}_{kind}", sub, {})
                made[kind] = Answer(found.steps, found.output, found.values)
    return made


def amounts(fold: Fold, features: Sequence[Feature], amount: str) -> dict[str, Answer]:
    """Fit every candidate for the amount of an order on the moments of visits that bought.

    Parameters
    ----------
    fold : Fold
        Rows that train and rows that judge.
    features : sequence of Feature
        What may be looked at.
    amount : str
        Column with the amount, quoted; NULL where nothing was bought.
    """
    paid = fold.training.numbers("train", f"cast({amount} as double)")
    within = np.isfinite(paid)
    label = Label("order_amount", "DOUBLE")
    plain = Fold(fold.name, replace(fold.training, label=label), fold.judged_at, fold.cache)
    settings = {
        "l2_reg": _RIDGE * float(within.sum()),
        "category_encoding_method": "DUMMY_ENCODING",
    }
    sub = plain.fit("linear_reg", winsorised(fold, features), settings, within, paid)
    line = named("amount_line", sub, {})
    lowest, highest = float(paid[within].min()), float(paid[within].max())
    output = PREFIX + "amount_linear"
    # A line goes on for ever; no order was smaller or larger than these.
    kept = call("greatest", call("least", column(line.output), number(highest)), number(lowest))
    return {
        "prior": _constant(fold, float(paid[within].mean())),
        "linear_regression": Answer(
            (*line.steps, {output: kept}), output, np.clip(line.values, lowest, highest)
        ),
    }


def _constant(fold: Fold, level: float) -> Answer:
    output = PREFIX + "amount_prior"
    return Answer(({output: number(level)},), output, np.full(fold.training.rows["eval"], level))


def simplest(losses: Mapping[str, float]) -> str:
    """Return the first candidate whose loss is hardly above the lowest."""
    limit = min(losses.values()) * (1 + TOLERANCE)
    return next(name for name, loss in losses.items() if loss <= limit)


def calibrated(answer: Answer, calibration: Calibration, output: str) -> Answer:
    """Return the answer with the shape of its probabilities mended, under a name of its own."""
    odds = output + "_log_odds"
    steps = (
        *answer.steps,
        {odds: log_odds_of(column(answer.output), EDGE)},
        {output: sigmoid(calibration.expression(column(odds)))},
    )
    values = probability(calibration.apply(log_odds(answer.values)))
    return Answer(steps, output, values)
