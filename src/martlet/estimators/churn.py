"""Churn: a classifier that compares candidates on held-out time and ships the best.

The rows hold several cut-offs. The latest tests (the split column), the one before it chooses
settings, calibration and champion, the earlier ones train: see `martlet.churn.folds`. The champion
is the simplest candidate whose log loss on the choosing cut-off, its level set right, is within
half a per cent, or one standard error of the difference, of the lowest; or, with ``champion_by``
``expected_profit``, whose profit of an offer is as near to the highest. What the test cut-off says
is about rows that chose nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from threadpoolctl import threadpool_limits

from martlet.churn.calibration import Calibration, choose_calibration, log_odds, probability
from martlet.churn.candidates import (
    CANDIDATES,
    TOLERANCE,
    Candidate,
    Inputs,
    blend,
    level_set_right,
    scoring_of,
    shape_losses,
    usable,
)
from martlet.churn.folds import Fold, drawn_notice, make_folds, thinned
from martlet.churn.measures import MEASURES, Offer, measure, offer_profits
from martlet.errors import InsufficientData, MartletError
from martlet.estimators.base import Estimator, Explanation, Fitted, Part, Training, Vector
from martlet.options import COMMON, SUPERVISED, Option, Options
from martlet.schema import find_column
from martlet.sqltext import identifier

__all__ = ["ChurnClassifier"]

#: Fewest training rows, and of the rarer class.
_FEWEST_ROWS, _FEWEST_EVENTS = 100, 20

_COLUMNS = {
    "candidate": "varchar",
    "simplicity_rank": "integer",
    "role": "varchar",
    "as_of_date": "date",
    "training_row_count": "bigint",
    "row_count": "bigint",
    "churned_rate": "double",
    "mean_probability": "double",
    **dict.fromkeys(MEASURES, "double"),
    "offer_profit_amount": "double",
    "calibration": "varchar",
    "settings": "varchar",
    "is_champion": "boolean",
}


class ChurnClassifier(Estimator):
    """A classifier of two classes over cut-offs, compared, calibrated and explained.

    Attributes
    ----------
    options
        ``cutoff_col`` and ``label_until_col`` name the cut-off and the end of its label window,
        ``recency_col`` the days since the last order, ``no_purchase_col`` the probability of no
        order from a model of purchases, ``segment_col`` the segment; ``ignored_cols`` are neither
        features nor read. Of more than ``max_training_rows`` rows about as many are drawn to learn
        from: more make the fit longer and hardly better. ``champion_by`` says what decides between
        candidates; the profit of an offer needs ``margin_col``, what a kept customer leaves, and
        the costs.
    """

    model_type = "churn_classifier"
    task = "classification"
    max_classes = 2
    options = (
        *COMMON,
        *SUPERVISED,
        Option("cutoff_col", "as_of_date", "text"),
        Option("label_until_col", "label_until", "text"),
        Option("recency_col", "recency_days", "text"),
        Option("no_purchase_col", None, "text"),
        Option("segment_col", None, "text"),
        Option("ignored_cols", (), "columns"),
        Option("max_training_rows", 100_000, "integer", low=1000),
        Option("champion_by", "LOG_LOSS", "choice", ("LOG_LOSS", "EXPECTED_PROFIT")),
        Option("margin_col", None, "text"),
        Option("contact_cost", 0.0, "number", low=0),
        Option("offer_cost", 0.0, "number", low=0),
        Option("success_rate", 0.1, "number", low=0, high=1),
    )

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return the cut-off, the end of its window, the margin and what is to be left alone."""
        margin = [options["margin_col"]] if options["margin_col"] else []
        return [
            options["cutoff_col"],
            options["label_until_col"],
            *margin,
            *options["ignored_cols"],
        ]

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of the comparison."""
        return {"comparison": _COLUMNS}

    def fit(self, training: Training) -> Fitted:
        """Fit every candidate twice, choose on the first, test the second."""
        _require(training)
        used = thinned(training, training.options["max_training_rows"])
        # Many small products: threads would wait for each other longer than they work.
        with threadpool_limits(1):
            fitted = self._compare(used)
        return replace(fitted, notices=[*fitted.notices, *drawn_notice(training, used)])

    def _compare(self, training: Training) -> Fitted:
        options = training.options
        selection, test = make_folds(training, options["cutoff_col"], options["label_until_col"])
        inputs = self._inputs(training)
        first, _ = self._candidates(selection, inputs, {})
        target = selection.targets()
        calibrations = {
            name: choose_calibration(item.values, target) for name, item in first.items()
        }
        profits = _profits(options)
        champion = _simplest_of_the_best(first, target, _judge(selection, profits))
        second, features = self._candidates(
            test, inputs, {name: item.settings for name, item in first.items()}
        )
        if champion not in second:
            champion = "logistic_regression"
        rows = [
            *_compared(selection, first, {}, champion, profits),
            *_compared(test, second, calibrations, champion, profits),
        ]
        scoring, values = scoring_of(second[champion], calibrations[champion])
        explanation = _scaled(second[champion].explanation, calibrations[champion])
        return Fitted(
            {
                "champion": champion,
                "calibration": calibrations[champion].method,
                "settings": dict(second[champion].settings),
                "features": [item.name for item in features],
                "chosen_at": str(selection.judged_at),
                "chosen_by": options["champion_by"].lower(),
            },
            scoring,
            parts={"comparison": Part(_COLUMNS, rows)},
            explanation=explanation,
            notices=_notices(training, selection, champion, rows, features),
            # Of the evaluation rows, in the order of the row hash, as they are compared.
            python=lambda points: values[: len(points)],
        )

    def _inputs(self, training: Training) -> Inputs:
        names = [item.name for item in training.features]

        def found(option: str) -> str | None:
            wanted = training.options[option]
            return find_column(wanted, names, f"{option}:") if wanted else None

        recency = found("recency_col")
        assert recency is not None
        return Inputs(recency, found("no_purchase_col"), found("segment_col"))

    def _candidates(
        self, fold: Fold, inputs: Inputs, chosen: Mapping[str, Any]
    ) -> tuple[dict[str, Candidate], list[Any]]:
        features = usable(fold, fold.training.options["cutoff_col"], fold.training.features)
        if not features:
            raise InsufficientData("no feature was recorded at every training cut-off and varies")
        made: dict[str, Candidate] = {}
        for name, make in CANDIDATES.items():
            # The penalty of all is the penalty of each segment.
            settings = chosen.get(name) or (
                made["logistic_regression"].settings if "logistic_regression" in made else None
            )
            candidate = make(fold, features, inputs, settings)
            if candidate is not None and (not chosen or name in chosen):
                made[name] = candidate
        alone = made.pop("no_purchase_probability", None)
        made["blend"] = blend(made["logistic_regression"], alone or made["boosted_trees"])
        if alone is not None:
            # Last: behind it stands a model of its own, and it gives one reason only.
            made["no_purchase_probability"] = alone
        return made, features


def _require(training: Training) -> None:
    target = training.targets("train")
    events = min(float(target.sum()), float(len(target) - target.sum()))
    if len(target) < _FEWEST_ROWS or events < _FEWEST_EVENTS:
        raise InsufficientData(
            f"{len(target)} training rows with {int(target.sum())} who churned; at least "
            f"{_FEWEST_ROWS} and {_FEWEST_EVENTS} of either kind are needed"
        )
    if not training.rows.get("eval"):
        raise InsufficientData("there is no later cut-off with a complete window to test on")


#: Profit of each judged row of a fold; None without a margin.
_Profits = Callable[[Fold, Vector], Vector | None]


def _profits(options: Options) -> _Profits:
    """Return what tells the profit of an offer on the judged rows of a fold."""
    column = options["margin_col"]
    if options["champion_by"] == "EXPECTED_PROFIT" and not column:
        raise MartletError(
            "champion_by expected_profit needs margin_col: the column with what a kept customer "
            "leaves."
        )
    offer = Offer(options["contact_cost"], options["offer_cost"], options["success_rate"])

    def found(fold: Fold, values: Vector) -> Vector | None:
        if not column:
            return None
        read = f"coalesce(cast({identifier(column)} as double), 0)"
        margin = fold.training.numbers("eval", read)
        return offer_profits(fold.targets(), values, margin, offer)

    return found


def _judge(fold: Fold, profits: _Profits) -> Callable[[Vector, Vector], Vector]:
    """Return what candidates are chosen by: a loss a row, the level of the values set right."""
    if fold.training.options["champion_by"] == "LOG_LOSS":
        return shape_losses

    def loss(target: Vector, values: Vector) -> Vector:
        found = profits(fold, level_set_right(target, values))
        assert found is not None
        return -found

    return loss


def _simplest_of_the_best(
    candidates: Mapping[str, Candidate],
    target: Vector,
    judge: Callable[[Vector, Vector], Vector],
) -> str:
    losses = {name: judge(target, item.values) for name, item in candidates.items()}
    lowest = min(losses.values(), key=lambda each: float(each.mean()))

    def is_near(each: Vector) -> bool:
        behind = each - lowest
        error = float(behind.std(ddof=1)) / len(behind) ** 0.5
        limit: float = max(TOLERANCE * abs(float(lowest.mean())), error)
        return float(behind.mean()) <= limit

    return next(name for name, each in losses.items() if is_near(each))


def _compared(
    fold: Fold,
    candidates: Mapping[str, Candidate],
    calibrations: Mapping[str, Calibration],
    champion: str,
    profits: _Profits,
) -> list[tuple[Any, ...]]:
    target, rows = fold.targets(), []
    for place, (name, item) in enumerate(candidates.items(), start=1):
        calibration = calibrations.get(name, Calibration())
        values = probability(calibration.apply(log_odds(item.values)))
        found = measure(target, values)
        profit = profits(fold, values)
        rows.append((
            name, place, fold.name, fold.judged_at, fold.count, len(target), float(target.mean()),
            float(values.mean()), *(found[key] for key in MEASURES),
            None if profit is None else float(profit.mean()), calibration.method,
            json.dumps(dict(item.settings)), name == champion,
        ))  # fmt: skip
    return rows


def _scaled(explanation: Explanation, calibration: Calibration) -> Explanation:
    """Return the attributions of the calibrated log-odds; exact for a line, else as they are."""
    if calibration.method != "platt":
        return explanation
    from sqlglot import exp

    from martlet.sqltext import number

    slope = calibration.slope
    base = calibration.values[0] + slope * explanation.baselines[0]
    shares = {
        name: exp.Mul(this=number(slope), expression=exp.Paren(this=value))
        for name, value in explanation.attributions[0].items()
    }
    return replace(explanation, baselines=(base,), attributions=(shares,))


def _notices(
    training: Training, selection: Fold, champion: str, rows: list[Any], features: list[Any]
) -> list[str]:
    best = "lowest log loss"
    if training.options["champion_by"] == "EXPECTED_PROFIT":
        best = "highest profit of an offer"
    found = [
        f"the champion is {champion}: the simplest within half a per cent or one standard error "
        f"of the {best}"
    ]
    if selection.judged_at is None:
        found.append(
            "the cut-offs are too close together to choose on a later one: candidates were chosen "
            "on three tenths of the customers"
        )
    left = [item.name for item in training.features if item not in features]
    if left:
        found.append(
            "not recorded at every training cut-off, or always the same, and left out: "
            + ", ".join(left)
        )
    return found
