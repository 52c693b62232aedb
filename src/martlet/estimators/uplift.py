"""Uplift: whom a treatment changes, next to who responds anyway.

Half of the customers of a randomised experiment train and half judge (the split). Candidates:

- ``t_learner_logistic``, ``t_learner_boosting``: one model of the treated, one of the others, and
  the difference of their probabilities (Kuenzel et al. 2019, "Metalearners for estimating
  heterogeneous treatment effects", section 2);
- ``class_transformation``: one model of "treated and responded, or neither" on arms of equal size
  (Jaskowski and Jaroszewicz 2012, section 2);
- ``response``: who responds, treated or not: what a churn or response score alone would send to.

The best by Qini is the champion, and it *has a gain* only when the bootstrap interval of its Qini
(90 %, corrected for the number of candidates)
lies above 0; otherwise the model says so and nobody is called persuadable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from martlet.churn.candidates import named, winsorised
from martlet.churn.folds import Fold
from martlet.errors import InsufficientData
from martlet.estimators.base import Estimator, Fitted, Part, Scoring, Training
from martlet.options import COMMON, SUPERVISED, Option, Options
from martlet.schema import find_column
from martlet.sqltext import PREFIX, column, identifier
from martlet.uplift import average_effect, qini, qini_interval, uplift_at

__all__ = ["UpliftClassifier"]

Array = NDArray[np.float64]

#: Fewest training customers, and responses, of each arm.
_FEWEST_ROWS, _FEWEST_EVENTS = 100, 10

_LOGISTIC: Mapping[str, Any] = {
    "max_iterations": 300,
    "min_rel_progress": 1e-5,
    "l2_reg": 10.0,
    "category_encoding_method": "DUMMY_ENCODING",
}
_BOOSTING: Mapping[str, Any] = {
    "max_iterations": 50,
    "learn_rate": 0.1,
    "max_tree_depth": 3,
    "l2_reg": 1.0,
    "min_tree_child_weight": 100,
    "early_stop": False,
}

_COLUMNS = {
    "candidate": "varchar",
    "row_count": "bigint",
    "treated_count": "bigint",
    "average_effect": "double",
    "uplift_at_30_percent": "double",
    "qini": "double",
    "qini_lower": "double",
    "qini_upper": "double",
    "is_champion": "boolean",
    "has_gain": "boolean",
}

_UPLIFT = {
    "uplift": "double",
    "treated_probability": "double",
    "untreated_probability": "double",
    "response_probability": "double",
    "uplift_champion": "varchar",
    "has_gain": "boolean",
}


class UpliftClassifier(Estimator):
    """Candidates for uplift on the rows of an experiment; the label is the response.

    Attributes
    ----------
    options
        ``treatment_col`` names the column with 1 or true for the treated.
    """

    model_type = "uplift_classifier"
    task = "classification"
    max_classes = 2
    options = (*COMMON, *SUPERVISED, Option("treatment_col", "is_treated", "text"))

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return the treatment."""
        return [options["treatment_col"]]

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of the comparison."""
        return {"comparison": _COLUMNS}

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return uplift with its columns and no rows."""
        listed = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in _UPLIFT.items())
        return {
            "uplift": f"(input) as table ({{scored}} select {{inputs:{','.join(_UPLIFT)}}}, "
            f"{listed} from {{last}} where false)"
        }

    def fit(self, training: Training) -> Fitted:
        """Fit all candidates on one half and judge them on the other."""
        fold = Fold("test", training, None)
        arms = {part: self._treated(training, part) for part in ("train", "eval")}
        _require(fold, arms)
        scores, steps, outputs = _fit_all(fold, arms["train"])
        treated, outcome = arms["eval"], fold.targets()
        rows: list[list[Any]] = []
        for name, score in scores.items():
            # So many candidates have so many chances to look good: Bonferroni's correction.
            level = 1 - 0.1 / (len(scores) - 1)
            low, high = qini_interval(score, treated, outcome, training.seed, level)
            rows.append([
                name, len(score), int(treated.sum()), average_effect(treated, outcome),
                uplift_at(score, treated, outcome), qini(score, treated, outcome), low, high,
            ])  # fmt: skip
        learned = [row for row in rows if row[0] != "response"]
        best = max(learned, key=lambda row: float(row[5]))
        has_gain = best[6] > 0
        compared = [(*row, row[0] == best[0], row[6] > 0) for row in rows]
        said = (
            f"{best[0]} ranks best by Qini ({best[5]:.5f}, interval {best[6]:.5f} to {best[7]:.5f})"
        )
        if not has_gain:
            said += (
                ": no gain over treating customers in any order, so nobody is called persuadable"
            )
        return Fitted(
            {"champion": best[0], "has_gain": bool(has_gain), "qini": best[5]},
            Scoring("probability", (*steps, {PREFIX + "probability": column(outputs["response"])})),
            parts={"comparison": Part(_COLUMNS, compared)},
            functions={"uplift": _function(outputs, best[0], bool(has_gain))},
            notices=[said],
            python=lambda points: scores["response"][: len(points)],
        )

    @staticmethod
    def _treated(training: Training, part: str) -> Array:
        names = [item[0] for item in training.con.table(training.table).description]
        name = identifier(find_column(training.options["treatment_col"], names, "treatment_col"))
        return training.numbers(part, f"cast(cast({name} as boolean) as double)")


def _require(fold: Fold, arms: Mapping[str, Array]) -> None:
    target = fold.targets("train")
    if not fold.training.rows.get("eval"):
        raise InsufficientData("no customers are left to judge on")
    for value, name in ((1.0, "treated"), (0.0, "untreated")):
        own = target[arms["train"] == value]
        events = min(own.sum(), len(own) - own.sum())
        if len(own) < _FEWEST_ROWS or events < _FEWEST_EVENTS:
            raise InsufficientData(
                f"{len(own)} {name} customers with {int(own.sum())} responses; at least "
                f"{_FEWEST_ROWS} and {_FEWEST_EVENTS} are needed"
            )


def _fit_all(
    fold: Fold, treated: Array
) -> tuple[dict[str, Array], tuple[Mapping[str, exp.Expr], ...], dict[str, str]]:
    """Return scores on the judged rows, the steps in SQL, and the columns they name."""
    features = list(fold.training.features)
    held, given = winsorised(fold, features), treated > 0
    models = {
        "logistic_treated": fold.fit("logistic_reg", held, _LOGISTIC, given),
        "logistic_untreated": fold.fit("logistic_reg", held, _LOGISTIC, ~given),
        "boosting_treated": fold.fit("boosted_tree_classifier", features, _BOOSTING, given),
        "boosting_untreated": fold.fit("boosted_tree_classifier", features, _BOOSTING, ~given),
        "response": fold.fit("logistic_reg", held, _LOGISTIC),
    }
    # Two ways to be like a responder that the treatment made: the same model on another label.
    models["transformed"] = _transformed(fold, held, treated)
    members = {name: named(name, sub, {}) for name, sub in models.items()}
    steps = tuple(step for item in members.values() for step in item.steps)
    value = {name: sub.values for name, sub in models.items()}
    scores = {
        "t_learner_logistic": value["logistic_treated"] - value["logistic_untreated"],
        "t_learner_boosting": value["boosting_treated"] - value["boosting_untreated"],
        "class_transformation": value["transformed"],
        "response": value["response"],
    }
    return scores, steps, {name: item.output for name, item in members.items()}


def _transformed(fold: Fold, features: Any, treated: Array) -> Any:
    """Fit "responded if treated, or did not if not" with arms weighing the same."""
    target = fold.targets("train")
    flipped = np.where(treated > 0, target, 1 - target)
    # Equal arms without weights: the larger one is thinned by the order of rows, which is random.
    larger = treated == (1.0 if treated.mean() > 0.5 else 0.0)
    wanted = int((~larger).sum())
    kept = ~larger
    kept[np.flatnonzero(larger)[:wanted]] = True
    return fold.fit("logistic_reg", features, _LOGISTIC, kept, flipped)


def _function(outputs: Mapping[str, str], best: str, has_gain: bool) -> str:
    kind = "boosting" if best == "t_learner_boosting" else "logistic"
    treated, untreated = (f'"{outputs[f"{kind}_{arm}"]}"' for arm in ("treated", "untreated"))
    uplift = f"{treated} - {untreated}"
    if best == "class_transformation":
        uplift = f'2 * "{outputs["transformed"]}" - 1'
    return (
        f"(input) as table ({{scored}} select {{inputs:{','.join(_UPLIFT)}}}, "
        f"{uplift} as uplift, {treated} as treated_probability, "
        f"{untreated} as untreated_probability, "
        f'"{outputs["response"]}" as response_probability, '
        f"'{best}' as uplift_champion, {str(has_gain).lower()} as has_gain from {{last}})"
    )
