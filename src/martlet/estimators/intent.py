"""Purchase intent while a visit lasts: will it buy, will it leave, what for, and when to step in.

Rows are moments of visits. Three answers are learned, each by candidates that are compared on later
visits (`martlet.intent.candidates`): the probability of a purchase in the rest of the visit, the
probability that nothing follows, and the amount of the order if there is one. Probabilities are
calibrated on the same later visits; then all is fitted again on everything before the test.

From them follows what stepping in is worth now, and what it is worth to wait
(`martlet.intent.waiting`), learned on the later visits with models that have not seen them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from martlet.churn.calibration import Calibration, choose_calibration, log_odds, probability
from martlet.churn.candidates import shape_loss
from martlet.churn.folds import Fold, drawn_notice, thinned
from martlet.churn.measures import log_losses
from martlet.errors import InsufficientData
from martlet.estimators.base import Estimator, Fitted, Part, Training, Vector
from martlet.intent.candidates import Answer, amounts, calibrated, probabilities, simplest
from martlet.intent.moments import Moments, read_moments
from martlet.intent.response import Response, learn_response
from martlet.intent.scoring import ANSWER, evaluate_function, predict_function, write_scoring
from martlet.intent.sides import Columns, choosing_rows, for_label, ordinary_rows
from martlet.intent.tables import (
    COMPARISON,
    POLICIES,
    WAITING,
    comparison_rows,
    policy_rows,
    waiting_rows,
)
from martlet.intent.trial import TRIAL, Drawn, trial_rows
from martlet.intent.waiting import Economics, States, learn_states, waiting_values
from martlet.options import COMMON, SPLITTING, Option, Options
from martlet.scoring.functions import no_rows
from martlet.sqltext import PREFIX

__all__ = ["PurchaseIntent"]

#: Fewest rows that teach, and moments of visits that buy (or leave), on either side of a choice.
_FEWEST_ROWS, _FEWEST_EVENTS = 200, 30
_PARTS = {"comparison": COMPARISON, "policies": POLICIES, "waiting": WAITING, "trial": TRIAL}


@dataclass(frozen=True)
class _Found:
    """What candidates say of the judged rows of a fold.

    Attributes
    ----------
    answers
        By target (``buy``, ``leave``, ``amount``) and candidate.
    targets
        What happened, by target; the amount is NaN where nothing was bought.
    """

    answers: Mapping[str, Mapping[str, Answer]]
    targets: Mapping[str, Vector]


@dataclass(frozen=True)
class _Said:
    """Calibrated champions' answers for the judged rows."""

    buy: Vector
    leave: Vector
    amount: Vector

    def treated(self, response: Response, rule: Vector) -> Vector:
        """Return the probability of a purchase with stepping in."""
        odds = log_odds(self.buy)
        return probability(odds + response.shift(rule, odds, log_odds(self.leave)))


@dataclass(frozen=True)
class _Policy:
    """When to step in: what that changes and costs, and what waiting is worth in each state."""

    response: Response
    states: States
    waiting: Vector
    money: Economics

    def values(self, said: _Said, moments: Moments) -> tuple[Vector, Vector]:
        """Return the value of stepping in now, and of waiting, at each judged moment."""
        treated = said.treated(self.response, moments.rule)
        value = self.money.value_now(said.buy, treated, said.amount)
        place = self.states.place(moments.idle, moments.events, value, said.leave)
        return value, self.waiting[place]


@dataclass(frozen=True)
class _Chosen:
    """What the later visits decided."""

    champion: Mapping[str, str]
    calibration: Mapping[str, Calibration]
    policy: _Policy
    comparison: list[tuple[Any, ...]]
    trial: list[tuple[Any, ...]]


class PurchaseIntent(Estimator):
    """Probability to buy and to leave, expected amount, and value now against value of waiting.

    Attributes
    ----------
    options
        ``buy_col``, ``leave_col`` and ``amount_col`` are the labels; ``session_col``,
        ``group_col`` (the visitor) and ``moment_cols`` say which moment of whose visit a row is;
        ``idle_col``, ``count_col`` and ``clock_col`` are features that tell pauses, events and
        seconds so far. ``treated_col`` is true or false at moments where chance decided whether
        the shop steps in, NULL elsewhere; ``propensity_col`` the probability of what was done, at
        all moments of such a visit. ``buy_rule`` and ``leave_rule`` are the baselines.
        ``max_iterations``, ``learn_rate`` and ``max_tree_depth`` are of the trees. Of more than
        ``max_training_rows`` moments, visitors with about as many are drawn to learn from: more
        make the fit longer and hardly better. The rest says
        what stepping in costs and does: see `martlet.intent.waiting.Economics`.
    """

    model_type = "purchase_intent"
    task = "custom"
    metrics = ("buy_log_loss", "buy_roc_auc", "leave_log_loss", "leave_roc_auc")
    higher_is_better = frozenset({"buy_roc_auc", "leave_roc_auc"})
    options = (
        *COMMON,
        # By time only: at random, a visit would teach what it is judged by.
        Option("data_split_method", "SEQ", "choice", ("SEQ", "CUSTOM")),
        *(option for option in SPLITTING if option.name != "data_split_method"),
        Option("buy_col", "will_buy", "text"),
        Option("leave_col", "will_leave", "text"),
        Option("amount_col", "order_amount", "text"),
        Option("session_col", "session_id", "text"),
        Option("group_col", "visitor_id", "text"),
        Option("moment_cols", ("moment_kind", "moment_number"), "columns"),
        Option("idle_col", "seconds_since_last_event", "text"),
        Option("count_col", "event_count", "text"),
        Option("clock_col", "seconds_since_start", "text"),
        Option("treated_col", None, "text"),
        Option("propensity_col", None, "text"),
        Option("buy_rule", "cart_item_count > 0", "text"),
        Option("leave_rule", "seconds_since_last_event >= 60", "text"),
        Option("max_iterations", 40, "integer", low=1, high=1000),
        Option("learn_rate", 0.15, "number", low=0, high=1),
        Option("max_tree_depth", 3, "integer", low=1, high=50),
        Option("max_training_rows", 300_000, "integer", low=1000),
        Option("odds_ratio", 1.3, "number", low=1),
        Option("margin_share", 0.3, "number", low=0, high=1),
        Option("contact_cost", 0.1, "number", low=0),
        Option("offer_cost", 5.0, "number", low=0),
    )

    @classmethod
    def carried_columns(cls, options: Options) -> list[str]:
        """Return all of them."""
        return cls.extra_columns(options)

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return the labels and the keys: never features."""
        names = (
            "buy_col", "leave_col", "amount_col", "session_col", "group_col", "as_of_col",
            "treated_col", "propensity_col",
        )  # fmt: skip
        return [*(options[name] for name in names if options[name]), *options["moment_cols"]]

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of the companion tables."""
        return _PARTS

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return a predict function without rows."""
        return {"predict": no_rows(ANSWER)}

    def fit(self, training: Training) -> Fitted:
        """Choose on later visits, fit again on all that teaches, judge on the latest."""
        if not training.rows.get("eval"):
            raise InsufficientData("no later visits are left to judge on")
        columns, most = Columns(training), training.options["max_training_rows"]
        used = thinned(training, most, columns["group_col"])
        # Small fits one after another: threads would spend more on waiting than they save.
        with threadpool_limits(1):
            fitted = self._fit(used, columns)
        return replace(fitted, notices=[*fitted.notices, *drawn_notice(training, used)])

    def _fit(self, training: Training, columns: Columns) -> Fitted:
        chosen = _choose(Fold("selection", choosing_rows(training, columns), None), columns)
        test = Fold("test", ordinary_rows(training, columns), None)
        found, moments = _candidates(test, columns, chosen.champion), read_moments(test, columns)
        answers = _champions(found, chosen.champion, chosen.calibration)
        said, policy = _said(answers), chosen.policy
        comparison, base = _judged(found, moments, chosen)
        tables = {
            "comparison": [*chosen.comparison, *comparison],
            "policies": _policies(said, moments, policy),
            "waiting": waiting_rows(policy.states, policy.waiting),
            "trial": [*chosen.trial, *_tried("test", found, moments, said, policy)],
        }
        scoring = write_scoring(
            answers, policy.response, policy.states, policy.waiting, columns, policy.money
        )
        return Fitted(
            _parameters(chosen),
            scoring,
            parts={name: Part(_PARTS[name], rows) for name, rows in tables.items()},
            functions={"predict": predict_function(), "evaluate": evaluate_function(columns)},
            baseline_metrics=base,
            notices=_notices(chosen),
            # Of the evaluation rows, in the order of the row hash, as they are compared.
            python=lambda points: said.buy[: len(points)],
        )


def _parameters(chosen: _Chosen) -> dict[str, Any]:
    return {
        "champion": dict(chosen.champion),
        "calibration": {name: found.method for name, found in chosen.calibration.items()},
        "waiting": chosen.policy.waiting.tolist(),
        "response": list(chosen.policy.response.weights),
        "response_moments": chosen.policy.response.moment_count,
    }


def _notices(chosen: _Chosen) -> list[str]:
    champions = ", ".join(f"{key} {name}" for key, name in chosen.champion.items())
    count = chosen.policy.response.moment_count
    source = f"learned from {count} moments at which chance decided" if count else "assumed"
    return [
        "champions, the simplest within half a per cent of the lowest loss on later visits: "
        + champions,
        f"what stepping in changes is {source}",
    ]


def _choose(fold: Fold, columns: Columns) -> _Chosen:
    """Fit on the earlier visits; all that is chosen is chosen on the later ones."""
    found, moments = _candidates(fold, columns, {}), read_moments(fold, columns)
    within = moments.untouched
    counted = _repeated(np.flatnonzero(within), moments.weight[within])
    champion, calibration, comparison = {}, {}, []
    for name in ("buy", "leave"):
        repeated, target = _of_rows(found.answers[name], counted), found.targets[name][counted]
        champion[name] = simplest(
            {key: shape_loss(target, one.values) for key, one in repeated.items()}
        )
        calibration[name] = Calibration()
        if champion[name] not in ("prior", "one_rule"):
            calibration[name] = choose_calibration(repeated[champion[name]].values, target)
        comparison += comparison_rows(fold.name, name, repeated, target, {}, champion[name])
    champion["amount"] = simplest(_amount_losses(found))
    said = _said(_champions(found, champion, calibration))
    policy = _learn_policy(fold.training.options, found, moments, said)
    tried = _tried(fold.name, found, moments, said, policy)
    return _Chosen(champion, calibration, policy, comparison, tried)


def _candidates(fold: Fold, columns: Columns, wanted: Mapping[str, str]) -> _Found:
    """Fit all candidates, or beside the baselines only those that are wanted."""
    options, features = fold.training.options, fold.training.features
    found: dict[str, Mapping[str, Answer]] = {}
    targets: dict[str, Vector] = {}
    for name in ("buy", "leave"):
        own = for_label(fold, columns[f"{name}_col"])
        _require(own, name)
        rule = options[f"{name}_rule"]
        found[name] = probabilities(own, features, name, rule, wanted.get(name))
        targets[name] = own.targets()
        # What was read and encoded for one label serves the others.
        fold.cache.update({k: v for k, v in own.cache.items() if k not in ("train", "eval")})
    found["amount"] = amounts(fold, features, columns["amount_col"])
    paid = f"cast({columns['amount_col']} as double)"
    targets["amount"] = fold.training.numbers("eval", paid)
    return _Found(found, targets)


def _require(fold: Fold, name: str) -> None:
    for part in ("train", "eval"):
        target = fold.targets(part)
        events = min(float(target.sum()), float(len(target) - target.sum()))
        if len(target) < _FEWEST_ROWS or events < _FEWEST_EVENTS:
            raise InsufficientData(
                f"{len(target)} moments {'teach' if part == 'train' else 'judge'}, "
                f"{int(target.sum())} of them with will_{name}; at least {_FEWEST_ROWS} and "
                f"{_FEWEST_EVENTS} of either kind are needed"
            )


def _champions(
    found: _Found, champion: Mapping[str, str], calibration: Mapping[str, Calibration]
) -> dict[str, Answer]:
    """Return the champions, probabilities with their shape mended."""
    best = {name: found.answers[name][key] for name, key in champion.items()}
    for name, shape in calibration.items():
        best[name] = calibrated(best[name], shape, f"{PREFIX}{name}_probability")
    return best


def _said(answers: Mapping[str, Answer]) -> _Said:
    return _Said(answers["buy"].values, answers["leave"].values, answers["amount"].values)


def _of_rows(found: Mapping[str, Answer], rows: NDArray[Any]) -> dict[str, Answer]:
    return {name: replace(one, values=one.values[rows]) for name, one in found.items()}


def _repeated(places: NDArray[np.int64], weight: Vector) -> NDArray[np.int64]:
    """Repeat places by their weights, fractions spread evenly."""
    spread = np.arange(len(places)) * 0.6180339887498949 % 1
    return np.repeat(places, np.floor(weight + spread).astype(np.int64))


def _amount_losses(found: _Found) -> dict[str, float]:
    paid = found.targets["amount"]
    known = np.isfinite(paid)
    return {
        name: float(((answer.values - paid)[known] ** 2).mean())
        for name, answer in found.answers["amount"].items()
    }


def _learn_policy(options: Options, found: _Found, moments: Moments, said: _Said) -> _Policy:
    """Learn what stepping in changes where chance decided, the rest from visits left alone."""
    money = Economics(options["margin_share"], options["contact_cost"], options["offer_cost"])
    drawn, within = moments.drawn, moments.untouched
    response = learn_response(
        options["odds_ratio"], moments.rule[drawn], log_odds(said.buy[drawn]),
        log_odds(said.leave[drawn]), moments.treated[drawn], found.targets["buy"][drawn],
        moments.weight[drawn],
    )  # fmt: skip
    value = money.value_now(said.buy, said.treated(response, moments.rule), said.amount)[within]
    leave = said.leave[within]
    states = learn_states(value, leave)
    place = states.place(moments.idle[within], moments.events[within], value, leave)
    following, weight = moments.following(within), moments.weight[within]
    waiting = waiting_values(place, states, value, following, weight)
    return _Policy(response, states, waiting, money)


def _policies(said: _Said, moments: Moments, policy: _Policy) -> list[tuple[Any, ...]]:
    """Say what policies are worth a visit that is left alone."""
    within = moments.untouched
    value, waiting = (values[within] for values in policy.values(said, moments))
    idle, events = moments.idle[within], moments.events[within]
    return policy_rows(value, waiting, idle, events, moments.following(within))


def _judged(
    found: _Found, moments: Moments, chosen: _Chosen
) -> tuple[list[tuple[Any, ...]], dict[str, float | None]]:
    """Say how good all candidates are on the test rows, and the figures of the baseline."""
    within = moments.untouched
    comparison: list[tuple[Any, ...]] = []
    base: dict[str, float | None] = {}
    for name, shape in chosen.calibration.items():
        champion, target = chosen.champion[name], found.targets[name][within]
        seen = _of_rows(found.answers[name], np.flatnonzero(within))
        comparison += comparison_rows(
            "test", name, seen, target, {champion: shape}, champion, moments.name[within]
        )
        base[f"{name}_log_loss"] = float(log_losses(target, seen["prior"].values).mean())
        base[f"{name}_roc_auc"] = 0.5
    return comparison, base


def _tried(
    role: str, found: _Found, moments: Moments, said: _Said, policy: _Policy
) -> list[tuple[Any, ...]]:
    """Hold the model's effect against what the trial says, doubly robust."""
    drawn = moments.drawn
    if not drawn.any():
        return []
    value, waiting = policy.values(said, moments)
    rule, acts = moments.rule[drawn] > 0, ((value > 0) & (value >= waiting))[drawn]
    groups = {
        "all": np.ones(len(rule), dtype=bool), "rule holds": rule, "rule does not hold": ~rule,
        "the model steps in": acts, "the model does not": ~acts,
    }  # fmt: skip
    of_trial = Drawn(
        treated=moments.treated[drawn],
        bought=found.targets["buy"][drawn],
        weight=moments.weight[drawn],
        paid=np.nan_to_num(found.targets["amount"])[drawn],
        without=said.buy[drawn],
        with_it=said.treated(policy.response, moments.rule)[drawn],
        amount=said.amount[drawn],
        visitor=moments.visitor[drawn],
    )
    return trial_rows(role, of_trial, groups, policy.money)
