"""The candidates, from the baseline up, each as SQL with exact attributions.

Every learned candidate is a registered model type fitted on a fold; nothing here grows a tree or
descends a gradient itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sqlglot import exp

from martlet.churn.calibration import Calibration, level_shift, log_odds, probability
from martlet.churn.folds import Fold, Sub
from martlet.churn.measures import EDGE, log_losses
from martlet.estimators.base import Explanation, Scoring, Vector
from martlet.schema import Feature
from martlet.scoring.links import log_odds as log_odds_of
from martlet.scoring.links import sigmoid
from martlet.sqltext import PREFIX, call, column, identifier, number, render, text

__all__ = [
    "CANDIDATES",
    "TOLERANCE",
    "Candidate",
    "Inputs",
    "level_set_right",
    "logistic",
    "named",
    "scoring_of",
    "shape_loss",
    "shape_losses",
    "tamed",
    "usable",
    "winsorised",
]

#: What is simpler is kept when its log loss is at most this share above the lowest.
TOLERANCE = 0.005

#: Penalties that logistic regression is tried with, as a share of its training rows: so that what
#: was chosen on fewer cut-offs shrinks as much on more. In rising order.
RIDGES = (0.002, 0.02, 0.2)

#: Fewest training rows, and of the rarer class, for a segment to have a model of its own.
_SEGMENT_ROWS, _SEGMENT_EVENTS = 200, 30

_LOGISTIC: Mapping[str, Any] = {
    "max_iterations": 300,
    "min_rel_progress": 1e-5,
    "category_encoding_method": "DUMMY_ENCODING",
}
_FOREST: Mapping[str, Any] = {
    "num_parallel_tree": 30,
    "max_tree_depth": 5,
    "min_tree_child_weight": 20,
    "colsample_bynode": 0.4,
}
_BOOSTING: Mapping[str, Any] = {
    "max_iterations": 60,
    "learn_rate": 0.1,
    "max_tree_depth": 3,
    "l2_reg": 1.0,
    "min_tree_child_weight": 20,
    "early_stop": False,
}


@dataclass(frozen=True)
class Candidate:
    """A candidate fitted on a fold.

    Attributes
    ----------
    steps
        The probability before calibration in SQL; the last step names `output`.
    output
        Name of the column with the probability.
    values
        Python's own probabilities on the judged rows.
    explanation
        Attributions, in log-odds (of forests: in probabilities).
    settings
        What was chosen, for the comparison.
    level
        What the log-odds lack for their mean probability on the training rows to be the observed
        rate: of a candidate that saw no labels; else 0.
    """

    steps: tuple[Mapping[str, exp.Expr], ...]
    output: str
    values: Vector
    explanation: Explanation
    settings: Mapping[str, Any] = field(default_factory=dict)
    level: float = 0.0

    @property
    def odds(self) -> exp.Expr:
        """The log-odds in SQL."""
        return log_odds_of(column(self.output), EDGE)


@dataclass(frozen=True)
class Inputs:
    """What candidates may look at.

    Attributes
    ----------
    recency, no_purchase, segment
        Columns with the days since the last order, the probability of no order from a model of
        purchases, and the customer segment; the last two may be missing.
    """

    recency: str
    no_purchase: str | None = None
    segment: str | None = None


def usable(fold: Fold, cutoff: str, features: Sequence[Feature]) -> list[Feature]:
    """Return the features that were recorded at every training cut-off of a fold and vary.

    A feature that begins later than the history would stand for the cut-off, not for the customer.
    """
    known = [f"count({render(item.expression)})" for item in features]
    spread = [f"min({render(item.as_text)}), max({render(item.as_text)})" for item in features]
    listed = ", ".join(f"[{one}]" for one in known)
    rows = f"({fold.training.query('train')}) as {PREFIX}rows"
    by_cutoff = fold.training.con.execute(
        f"select {listed} from {rows} group by {identifier(cutoff)}"
    ).fetchall()
    extremes = fold.training.con.execute(f"select {', '.join(spread)} from {rows}").fetchall()[0]
    return [
        item
        for place, item in enumerate(features)
        if all(row[place][0] > 0 for row in by_cutoff)
        and extremes[2 * place] != extremes[2 * place + 1]
    ]


def winsorised(fold: Fold, features: Sequence[Feature]) -> list[Feature]:
    """Return the features with numbers held within their central 99 % of the training rows.

    Spend and counts have long tails: without this, ten customers would decide a weight.
    """
    return _once(fold, features, bend=False)


def tamed(fold: Fold, features: Sequence[Feature]) -> list[Feature]:
    """Return the same with the long tails bent.

    The tenth order tells less than the second: a number that goes beyond -1 to 1 enters as
    sign(x) ln(1 + |x|); shares and probabilities stay as they are.
    """
    return _once(fold, features, bend=True)


def _once(fold: Fold, features: Sequence[Feature], bend: bool) -> list[Feature]:
    if ("held", bend) not in fold.cache:
        fold.cache["held", bend] = _held(fold, features, bend)
    found: list[Feature] = fold.cache["held", bend]
    return found


def _held(fold: Fold, features: Sequence[Feature], bend: bool) -> list[Feature]:
    numbers = [item for item in features if item.role == "numeric"]
    if not numbers:
        return list(features)
    bounds = ", ".join(
        f"quantile_cont({render(item.as_number)}, [0.005, 0.995])" for item in numbers
    )
    rows = f"({fold.training.query('train')}) as {PREFIX}rows"
    found = fold.training.con.execute(f"select {bounds} from {rows}").fetchall()[0]
    held = {}
    for item, bound in zip(numbers, found, strict=True):
        if bound is None or not np.isfinite(bound).all():
            continue
        value = _within(item, bound, bend)
        # greatest() and least() skip NULL: a missing number would become the border.
        kept = exp.Case().when(exp.Is(this=item.expression, expression=exp.Null()), exp.Null())
        held[item.name] = replace(item, type="DOUBLE", path=item.path[:1], source=kept.else_(value))
    return [held.get(item.name, item) for item in features]


def _within(item: Feature, bound: Sequence[float], bend: bool) -> exp.Expr:
    low, high = (number(float(limit)) for limit in bound)
    value = call("least", call("greatest", item.as_number, low), high)
    if not bend or max(abs(limit) for limit in bound) <= 1:
        return value
    grown = exp.Add(this=number(1.0), expression=call("abs", value.copy()))
    return exp.Mul(this=call("sign", value), expression=call("ln", grown))


def named(name: str, sub: Sub, settings: Mapping[str, Any]) -> Candidate:
    """Take a registered type's answer over, its steps under names of its own."""
    explanation = sub.fitted.explanation or Explanation((0.0,), ({},))
    # What trees need to be explained is a query of its own, whose names stay: only one has such.
    before = [
        step for step in explanation.steps if not explanation.parts and isinstance(step, Mapping)
    ]
    steps = [*sub.fitted.scoring.steps, *before]
    new = {key: f"{PREFIX}{name}_{key.removeprefix(PREFIX)}" for step in steps for key in step}
    for expression in [
        *(e for step in steps for e in step.values()),
        *explanation.attributions[0].values(),
    ]:
        _rename(expression, new)

    def renamed(step: Mapping[str, exp.Expr]) -> Mapping[str, exp.Expr]:
        return {new[key]: value for key, value in step.items()}

    return Candidate(
        tuple(renamed(step) for step in sub.fitted.scoring.steps),
        new[f"{PREFIX}{sub.fitted.scoring.output}"],
        sub.values,
        replace(explanation, steps=tuple(map(renamed, before)) or explanation.steps),
        settings,
    )


def _rename(expression: exp.Expr, new: Mapping[str, str]) -> None:
    """Rename steps where an expression reads them; in place, for trees make long expressions."""
    for found in expression.find_all(exp.Column):
        if found.name in new:
            found.this.set("this", new[found.name])


def level_set_right(target: Vector, values: Vector) -> Vector:
    """Return the probabilities with their mean log-odds moved to where the rows have it."""
    odds = log_odds(values)
    return probability(odds + level_shift(odds, target))


def shape_losses(target: Vector, values: Vector) -> Vector:
    """Return the log loss of rows with the level set right: what a candidate knows of customers.

    How many leave in a season no candidate can know before; the one whose wrong level happens to
    lie nearer is not the better one.
    """
    return log_losses(target, level_set_right(target, values))


def shape_loss(target: Vector, values: Vector) -> float:
    """Return the mean of `shape_losses`."""
    return float(shape_losses(target, values).mean())


def prior(fold: Fold, features: Sequence[Feature], inputs: Inputs, chosen: Any) -> Candidate:
    """Give everybody the rate of the training rows."""
    rate = float(fold.targets("train").mean())
    output = PREFIX + "p_prior"
    values = np.full(len(fold.targets()), rate)
    base = float(log_odds(np.array([rate]))[0])
    nothing = Explanation((base,), ({inputs.recency: number(0)},))
    return Candidate(({output: number(rate)},), output, values, nothing)


def recency_rule(fold: Fold, features: Sequence[Feature], inputs: Inputs, chosen: Any) -> Candidate:
    """Fit a logistic regression on the days since the last order alone."""
    only = [item for item in winsorised(fold, features) if item.name == inputs.recency]
    if not only:
        return prior(fold, features, inputs, chosen)
    return named("recency", fold.fit("logistic_reg", only, _LOGISTIC), {})


def no_purchase(
    fold: Fold, features: Sequence[Feature], inputs: Inputs, chosen: Any
) -> Candidate | None:
    """Take the purchase model's own probability of no order: no labels are used."""
    if inputs.no_purchase is None:
        return None
    output, source = PREFIX + "p_no_purchase", column(inputs.no_purchase)
    values = fold.training.numbers("eval", f"cast({identifier(inputs.no_purchase)} as double)")
    known = fold.training.numbers("train", f"cast({identifier(inputs.no_purchase)} as double)")
    if not np.isfinite(known).any() or not np.isfinite(values).any():
        return None
    rate = float(np.nanmean(known))
    missing = call("coalesce", exp.cast(source, "double"), number(rate))
    odds = Candidate(({},), output, values, Explanation((0.0,), ({},))).odds
    base = float(log_odds(np.array([rate]))[0])
    step = {PREFIX + "o_no_purchase": exp.Sub(this=odds, expression=number(base))}
    level = level_shift(log_odds(np.where(np.isfinite(known), known, rate)), fold.targets("train"))
    return Candidate(
        ({output: missing},), output, np.where(np.isfinite(values), values, rate),
        Explanation((base,), ({inputs.no_purchase: column(PREFIX + "o_no_purchase")},), (step,)),
        level=level,
    )  # fmt: skip


def logistic(fold: Fold, features: Sequence[Feature], inputs: Inputs, chosen: Any) -> Candidate:
    """Fit a logistic regression with the strongest penalty near the best on the selection cut-off.

    A season moves the level of every customer: weights that are no larger than need be carry over.
    """
    held = tamed(fold, features)
    ridges = RIDGES if chosen is None else (chosen["l2_share"],)
    fitted = []
    for ridge in ridges:
        sub = fold.fit("logistic_reg", held, {**_LOGISTIC, "l2_reg": ridge * fold.count})
        fitted.append(named("logistic", sub, {"l2_share": ridge}))
    if len(fitted) == 1:
        return fitted[0]
    losses = [shape_loss(fold.targets(), item.values) for item in fitted]
    near = [loss <= min(losses) * (1 + TOLERANCE) for loss in losses]
    return [item for item, is_near in zip(fitted, near, strict=True) if is_near][-1]


def forest(fold: Fold, features: Sequence[Feature], inputs: Inputs, chosen: Any) -> Candidate:
    """Grow a random forest of shallow trees."""
    sub = fold.fit("random_forest_classifier", features, _FOREST)
    return named("forest", sub, {"trees": _FOREST["num_parallel_tree"]})


def boosting(fold: Fold, features: Sequence[Feature], inputs: Inputs, chosen: Any) -> Candidate:
    """Grow gradient boosted trees."""
    sub = fold.fit("boosted_tree_classifier", features, _BOOSTING)
    return named("boosting", sub, {"trees": _BOOSTING["max_iterations"]})


def per_segment(
    fold: Fold, features: Sequence[Feature], inputs: Inputs, chosen: Any
) -> Candidate | None:
    """Fit one logistic regression a segment; small segments take the one of all."""
    if inputs.segment is None or inputs.segment not in [item.name for item in features]:
        return None
    own, target = fold.texts("train", inputs.segment), fold.targets("train")
    members = {key: own == key for key in sorted(set(own)) if key}
    large = {}
    for key, within in members.items():
        events = float(target[within].sum())
        if within.sum() >= _SEGMENT_ROWS and min(events, within.sum() - events) >= _SEGMENT_EVENTS:
            large[key] = within
    if not large:
        return None
    ridge = chosen["l2_share"] if chosen else RIDGES[1]
    # The penalty of the whole also for its parts, which have fewer rows to resist with.
    settings = {**_LOGISTIC, "l2_reg": ridge * fold.count}
    held = tamed(fold, features)
    whole = fold.fit("logistic_reg", held, settings)
    subs = {key: fold.fit("logistic_reg", held, settings, within) for key, within in large.items()}
    return _by_segment(fold, inputs.segment, whole, subs, ridge)


def _by_segment(
    fold: Fold, segment: str, whole: Sub, subs: Mapping[str, Sub], ridge: float
) -> Candidate:
    own = fold.texts("eval", segment)
    values = whole.values.copy()
    for key, sub in subs.items():
        values[own == key] = sub.values[own == key]
    key_of = exp.cast(column(segment), "varchar")

    def either(other: exp.Expr, mine: Mapping[str, exp.Expr]) -> exp.Expr:
        case = exp.Case(this=key_of.copy())
        for key, value in mine.items():
            case = case.when(text(key), value, copy=False)
        return case.else_(other, copy=False)

    def step(sub: Sub) -> exp.Expr:
        return sub.fitted.scoring.steps[-1][PREFIX + "probability"]

    output = PREFIX + "p_per_segment"
    scoring = {output: either(step(whole), {key: step(sub) for key, sub in subs.items()})}
    explained = whole.fitted.explanation
    assert explained is not None
    of = {key: sub.fitted.explanation for key, sub in subs.items() if sub.fitted.explanation}
    base = explained.baselines[0]
    attributions = {}
    for feature, value in explained.attributions[0].items():
        mine = {key: item.attributions[0].get(feature, number(0)) for key, item in of.items()}
        attributions[feature] = either(value, mine)
    # What a segment's level differs by is what being in the segment adds.
    level = either(number(0.0), {key: number(item.baselines[0] - base) for key, item in of.items()})
    attributions[segment] = exp.Add(this=attributions[segment], expression=exp.Paren(this=level))
    settings = {"l2_share": ridge, "segments": list(subs)}
    return Candidate((scoring,), output, values, Explanation((base,), (attributions,)), settings)


def blend(first: Candidate, second: Candidate) -> Candidate:
    """Take the mean of the log-odds of two candidates; attributions are the means of theirs.

    Both at the level of the training rows: a purchase model's is that of its own horizon.
    """
    output = PREFIX + "p_blend"
    level = first.level + second.level
    odds = exp.Add(this=first.odds, expression=second.odds)
    summed = exp.Paren(this=exp.Add(this=odds, expression=number(level)))
    mean = exp.Mul(this=number(0.5), expression=summed)
    steps = (*first.steps, *second.steps, {output: sigmoid(mean)})
    values = probability((log_odds(first.values) + log_odds(second.values) + level) / 2)
    one, two = first.explanation.attributions[0], second.explanation.attributions[0]
    shares = {}
    for name in [*one, *(name for name in two if name not in one)]:
        terms = [item[name].copy() for item in (one, two) if name in item]
        whole = (
            terms[0]
            if len(terms) == 1
            else exp.Paren(this=exp.Add(this=terms[0], expression=terms[1]))
        )
        shares[name] = exp.Mul(this=number(0.5), expression=whole)
    base = (first.explanation.baselines[0] + second.explanation.baselines[0] + level) / 2
    before = (*first.explanation.steps, *second.explanation.steps)
    parts = {**first.explanation.parts, **second.explanation.parts}
    return Candidate(steps, output, values, Explanation((base,), (shares,), before, parts=parts))


def scoring_of(candidate: Candidate, calibration: Calibration) -> tuple[Scoring, Vector]:
    """Return the calibrated candidate in SQL, and Python's own answer for the judged rows."""
    odds = PREFIX + "log_odds"
    steps = (
        *candidate.steps,
        {odds: candidate.odds},
        {PREFIX + "probability": sigmoid(calibration.expression(column(odds)))},
    )
    values = probability(calibration.apply(log_odds(candidate.values)))
    return Scoring("probability", steps), values


#: In order of simplicity. `blend` of the logistic regression and the purchase model (without one:
#: boosting) follows, and then the purchase model alone.
CANDIDATES: Mapping[str, Callable[[Fold, Sequence[Feature], Inputs, Any], Candidate | None]] = {
    "prior": prior,
    "recency_rule": recency_rule,
    "logistic_regression": logistic,
    "no_purchase_probability": no_purchase,
    "logistic_per_segment": per_segment,
    "random_forest": forest,
    "boosted_trees": boosting,
}
