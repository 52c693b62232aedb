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
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp
from threadpoolctl import threadpool_limits

from martlet.churn.calibration import Calibration, choose_calibration, log_odds, probability
from martlet.churn.candidates import shape_loss
from martlet.churn.folds import Fold
from martlet.churn.measures import EDGE, MEASURES, log_losses, measure
from martlet.errors import InsufficientData
from martlet.estimators.base import Estimator, Fitted, Part, Scoring, Training, Vector
from martlet.intent.candidates import (
    Answer,
    amounts,
    calibrated,
    condition,
    probabilities,
    simplest,
)
from martlet.intent.response import Response, learn_response
from martlet.intent.sides import (
    Columns,
    choosing_rows,
    for_label,
    ordinary_rows,
    row_weight,
    untouched,
)
from martlet.intent.trial import TRIAL, Drawn, trial_rows
from martlet.intent.waiting import (
    STEPS,
    Economics,
    States,
    first_stops,
    learn_states,
    next_rows,
    waiting_values,
)
from martlet.options import COMMON, SPLITTING, Option, Options
from martlet.scoring.functions import no_rows
from martlet.sqltext import PREFIX, array, call, column, integer, number

__all__ = ["PurchaseIntent"]

#: Fewest rows that teach, and moments of visits that buy (or leave), on either side of a choice.
_FEWEST_ROWS, _FEWEST_EVENTS = 200, 30

_ANSWER = {
    "buy_probability": "double",
    "leave_probability": "double",
    "expected_order_amount": "double",
    "treated_buy_probability": "double",
    "uplift": "double",
    "value_now_amount": "double",
    "value_wait_amount": "double",
    "decision": "varchar",
}
_COMPARED = {
    "target": "varchar",
    "candidate": "varchar",
    "simplicity_rank": "integer",
    "role": "varchar",
    "moment": "varchar",
    "row_count": "bigint",
    "observed_rate": "double",
    "mean_probability": "double",
    **dict.fromkeys(MEASURES, "double"),
    "calibration": "varchar",
    "is_champion": "boolean",
}
_POLICIES = {
    "policy": "varchar",
    "session_count": "bigint",
    "intervention_count": "bigint",
    "mean_value_amount": "double",
}
_STATES = {
    "step": "varchar",
    "value_band": "integer",
    "leave_band": "integer",
    "value_up_to_amount": "double",
    "leave_up_to_probability": "double",
    "value_wait_amount": "double",
}


@dataclass(frozen=True)
class _Chosen:
    """What the later visits decided."""

    champion: Mapping[str, str]
    calibration: Mapping[str, Mapping[str, Calibration]]
    compared: list[tuple[Any, ...]]
    states: States
    waiting: Vector
    response: Response
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
        ``max_iterations``, ``learn_rate`` and ``max_tree_depth`` are of the trees. The rest says
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
        Option("odds_ratio", 1.3, "number", low=1),
        Option("margin_share", 0.3, "number", low=0, high=1),
        Option("contact_cost", 0.1, "number", low=0),
        Option("offer_cost", 5.0, "number", low=0),
    )

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
        return {
            "comparison": _COMPARED, "policies": _POLICIES, "waiting": _STATES, "trial": TRIAL,
        }  # fmt: skip

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return a predict function without rows."""
        return {"predict": no_rows(_ANSWER)}

    def fit(self, training: Training) -> Fitted:
        """Choose on later visits, fit again on all that teaches, judge on the latest."""
        if not training.rows.get("eval"):
            raise InsufficientData("no later visits are left to judge on")
        # Small fits one after another: threads would spend more on waiting than they save.
        with threadpool_limits(1):
            return self._fit(training, Columns(training))

    def _fit(self, training: Training, columns: Columns) -> Fitted:
        chosen = self._choose(Fold("selection", choosing_rows(training, columns), None), columns)
        test = Fold("test", ordinary_rows(training, columns), None)
        answers, compared, rows = self._judged(test, columns, chosen)
        scoring = self._scoring(answers, chosen, columns)
        buy, leave, amount = (answers[name].values for name in ("buy", "leave", "amount"))
        value = self._value(test, chosen.response, buy, leave, amount)
        ordinary = _chance(test, columns) != 1
        path = _path(test, columns, ordinary)
        policies = _policies(value[ordinary], chosen, leave[ordinary], *path)
        waiting = chosen.waiting[chosen.states.place(*_path(test, columns)[:2], value, leave)]
        tried = self._tried(
            test, columns, chosen.response, (buy, leave, amount), (value > 0) & (value >= waiting)
        )
        parts = {
            "comparison": Part(_COMPARED, [*chosen.compared, *compared]),
            "policies": Part(_POLICIES, policies),
            "waiting": Part(_STATES, _state_rows(chosen)),
            "trial": Part(TRIAL, [*chosen.trial, *tried]),
        }
        return Fitted(
            {
                "champion": dict(chosen.champion),
                "calibration": {
                    name: found[chosen.champion[name]].method
                    for name, found in chosen.calibration.items()
                },
                "waiting": chosen.waiting.tolist(),
                "response": list(chosen.response.weights),
                "response_moments": chosen.response.moment_count,
            },
            scoring,
            parts=parts,
            functions={"predict": _predict(), "evaluate": _evaluate(columns)},
            baseline_metrics=rows,
            notices=[
                "champions, the simplest within half a per cent of the lowest loss on later "
                "visits: " + ", ".join(f"{key} {name}" for key, name in chosen.champion.items()),
                "what stepping in changes is "
                + (
                    f"learned from {chosen.response.moment_count} moments at which chance decided"
                    if chosen.response.moment_count
                    else "assumed"
                ),
            ],
            # Of the evaluation rows, in the order of the row hash, as they are compared.
            python=lambda points: buy[: len(points)],
        )

    @staticmethod
    def _economics(options: Options) -> Economics:
        return Economics(options["margin_share"], options["contact_cost"], options["offer_cost"])

    def _value(
        self, fold: Fold, response: Response, buy: Vector, leave: Vector, amount: Vector
    ) -> Vector:
        """Return the value of stepping in at each judged moment."""
        shift = response.shift(_rule(fold), log_odds(buy), log_odds(leave))
        treated = probability(log_odds(buy) + shift)
        return self._economics(fold.training.options).value_now(buy, treated, amount)

    def _tried(
        self,
        fold: Fold,
        columns: Columns,
        response: Response,
        answers: tuple[Vector, Vector, Vector],
        steps_in: NDArray[np.bool_],
    ) -> list[tuple[Any, ...]]:
        """Hold the model's effect against what the trial says, doubly robust."""
        chance = _chance(fold, columns)
        drawn = np.isfinite(chance)
        if not drawn.any():
            return []
        bought, paid, weight = (
            fold.training.numbers("eval", expression)[drawn]
            for expression in (
                f"cast(cast({columns['buy_col']} as boolean) as double)",
                f"coalesce(cast({columns['amount_col']} as double), 0)",
                row_weight(columns),
            )
        )
        buy, leave, amount = (values[drawn] for values in answers)
        rule, acts = _rule(fold)[drawn] > 0, steps_in[drawn]
        shift = response.shift(rule.astype(float), log_odds(buy), log_odds(leave))
        treated = probability(log_odds(buy) + shift)
        visitor = fold.texts("eval", fold.training.options["group_col"])[drawn]
        groups = {
            "all": np.ones(len(buy), dtype=bool), "rule holds": rule, "rule does not hold": ~rule,
            "the model steps in": acts, "the model does not": ~acts,
        }  # fmt: skip
        money = self._economics(fold.training.options)
        moments = Drawn(chance[drawn], bought, weight, paid, buy, treated, amount, visitor)
        return trial_rows(fold.name, moments, groups, money)

    def _candidates(
        self, fold: Fold, columns: Columns, wanted: Mapping[str, str]
    ) -> tuple[dict[str, Mapping[str, Answer]], dict[str, Vector]]:
        options, features = fold.training.options, fold.training.features
        found: dict[str, Mapping[str, Answer]] = {}
        targets: dict[str, Vector] = {}
        for name in ("buy", "leave"):
            own = for_label(fold, columns[f"{name}_col"])
            _require(own, name)
            found[name] = probabilities(
                own, features, name, options[f"{name}_rule"], wanted.get(name)
            )
            targets[name] = own.targets()
            # What was read and encoded for one label serves the others.
            fold.cache.update({k: v for k, v in own.cache.items() if k not in ("train", "eval")})
        found["amount"] = amounts(fold, features, columns["amount_col"])
        paid = f"cast({columns['amount_col']} as double)"
        targets["amount"] = fold.training.numbers("eval", paid)
        return found, targets

    def _choose(self, fold: Fold, columns: Columns) -> _Chosen:
        """Fit on the earlier visits; all that is chosen is chosen on the later ones."""
        found, targets = self._candidates(fold, columns, {})
        chance = _chance(fold, columns)
        weight = fold.training.numbers("eval", row_weight(columns))
        # Where the shop stepped in, something else is observed.
        ordinary = chance != 1
        counted = _repeated(np.flatnonzero(ordinary), weight[ordinary])
        champion, calibration, compared, best = {}, {}, [], {}
        for name in ("buy", "leave"):
            repeated = {
                key: Answer(one.steps, one.output, one.values[counted])
                for key, one in found[name].items()
            }
            target = targets[name][counted]
            losses = {key: shape_loss(target, one.values) for key, one in repeated.items()}
            champion[name] = simplest(losses)
            shape = Calibration()
            if champion[name] not in ("prior", "one_rule"):
                shape = choose_calibration(repeated[champion[name]].values, target)
            calibration[name] = {champion[name]: shape}
            compared += _compared(fold, columns, name, repeated, target, {}, champion[name])
            best[name] = shape.apply(log_odds(found[name][champion[name]].values))
        drawn = np.isfinite(chance)
        response = learn_response(
            fold.training.options["odds_ratio"], _rule(fold)[drawn], best["buy"][drawn],
            best["leave"][drawn], chance[drawn], targets["buy"][drawn], weight[drawn],
        )  # fmt: skip
        champion["amount"] = simplest(_amount_losses(found["amount"], targets["amount"]))
        buy, leave = probability(best["buy"]), probability(best["leave"])
        amount = found["amount"][champion["amount"]].values
        whole = self._value(fold, response, buy, leave, amount)
        value, left = whole[ordinary], leave[ordinary]
        states = learn_states(value, left)
        idle, events, following = _path(fold, columns, ordinary)
        place = states.place(idle, events, value, left)
        waiting = waiting_values(place, states, value, following, weight[ordinary])
        ahead = waiting[states.place(*_path(fold, columns)[:2], whole, leave)]
        tried = self._tried(
            fold, columns, response, (buy, leave, amount), (whole > 0) & (whole >= ahead)
        )
        return _Chosen(champion, calibration, compared, states, waiting, response, tried)

    def _judged(
        self, fold: Fold, columns: Columns, chosen: _Chosen
    ) -> tuple[dict[str, Answer], list[tuple[Any, ...]], dict[str, float | None]]:
        """Fit on all that teaches and say how good it is on the test rows."""
        found, targets = self._candidates(fold, columns, chosen.champion)
        ordinary = _chance(fold, columns) != 1
        answers: dict[str, Answer] = {}
        compared: list[tuple[Any, ...]] = []
        base: dict[str, float | None] = {}
        for name in ("buy", "leave"):
            seen = {
                key: Answer(one.steps, one.output, one.values[ordinary])
                for key, one in found[name].items()
            }
            target = targets[name][ordinary]
            compared += _compared(
                fold, columns, name, seen, target, chosen.calibration[name],
                chosen.champion[name], ordinary,
            )  # fmt: skip
            answers[name] = calibrated(
                found[name][chosen.champion[name]],
                chosen.calibration[name][chosen.champion[name]],
                f"{PREFIX}{name}_probability",
            )
            level = seen["prior"].values
            base[f"{name}_log_loss"] = float(log_losses(target, level).mean())
            base[f"{name}_roc_auc"] = 0.5
        answers["amount"] = found["amount"][chosen.champion["amount"]]
        return answers, compared, base

    def _scoring(self, answers: Mapping[str, Answer], chosen: _Chosen, columns: Columns) -> Scoring:
        """Put answers, value now and value of waiting into steps."""
        money = self._economics(columns.options)
        buy, leave = column(answers["buy"].output), column(answers["leave"].output)
        steps_to_odds, shifted = _shifted(chosen.response, columns.options, buy, leave)
        power = call("exp", exp.Neg(this=shifted))
        rest = exp.Paren(this=exp.Add(this=number(1.0), expression=power))
        treated, value = column(PREFIX + "treated"), column(PREFIX + "value_now")
        margin = exp.Mul(
            this=number(money.margin_share), expression=column(answers["amount"].output)
        )
        gain = exp.Mul(
            this=treated.copy(),
            expression=exp.Paren(this=exp.Sub(this=margin, expression=number(money.offer_cost))),
        )
        kept = exp.Mul(this=buy.copy(), expression=margin.copy())
        worth = exp.Sub(
            this=exp.Sub(this=gain, expression=kept), expression=number(money.contact_cost)
        )
        listed = array(number(item) for item in chosen.waiting)
        state = _state(chosen.states, value, leave, columns)
        steps = (
            *answers["buy"].steps,
            *answers["leave"].steps,
            *answers["amount"].steps,
            steps_to_odds,
            {PREFIX + "treated": exp.Div(this=number(1.0), expression=rest)},
            {PREFIX + "value_now": worth},
            {PREFIX + "value_wait": call("list_extract", listed, state)},
            {
                PREFIX + "probability": buy.copy(),
                PREFIX + "leaving": leave.copy(),
                PREFIX + "amount": column(answers["amount"].output),
            },
        )
        return Scoring("probability", steps)


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


def _rule(fold: Fold) -> Vector:
    """Read whether the rule of buying holds, 0 or 1."""
    rule = fold.training.options["buy_rule"]
    return fold.training.numbers("eval", f"cast(coalesce({rule}, false) as double)")


def _repeated(places: NDArray[np.int64], weight: Vector) -> NDArray[np.int64]:
    """Repeat places by their weights, fractions spread evenly."""
    spread = np.arange(len(places)) * 0.6180339887498949 % 1
    return np.repeat(places, np.floor(weight + spread).astype(np.int64))


def _chance(fold: Fold, columns: Columns) -> Vector:
    """Read where chance decided: 1 to step in, 0 not to, NaN elsewhere."""
    if not fold.training.options["treated_col"]:
        return np.full(fold.training.rows["eval"], np.nan)
    treated = f"cast(cast({columns['treated_col']} as boolean) as double)"
    return fold.training.numbers("eval", treated)


def _log_odds(value: exp.Expr) -> exp.Expr:
    kept = call("greatest", call("least", value, number(1 - EDGE)), number(EDGE))
    other = exp.Paren(this=exp.Sub(this=number(1.0), expression=kept.copy()))
    return call("ln", exp.Div(this=kept, expression=other))


def _shifted(
    response: Response, options: Options, buy: exp.Expr, leave: exp.Expr
) -> tuple[Mapping[str, exp.Expr], exp.Expr]:
    """Write both log-odds as a step, and the log-odds of a purchase when the shop steps in."""
    names = [PREFIX + "buy_odds", PREFIX + "leave_odds"]
    step = {names[0]: _log_odds(buy.copy()), names[1]: _log_odds(leave.copy())}
    level, ruled, *slopes = response.weights
    rule = call("if", condition(options["buy_rule"]), number(ruled), number(0.0))
    total: exp.Expr = exp.Add(
        this=exp.Add(this=column(names[0]), expression=number(level)), expression=rule
    )
    if response.moment_count:
        for name, slope, centre in zip(names, slopes, response.centres, strict=True):
            off = exp.Paren(this=exp.Sub(this=column(name), expression=number(centre)))
            total = exp.Add(this=total, expression=exp.Mul(this=number(slope), expression=off))
    return step, exp.Paren(this=total)


def _path(
    fold: Fold, columns: Columns, within: NDArray[np.bool_] | slice = slice(None)
) -> tuple[Vector, Vector, NDArray[np.int64]]:
    """Read of the judged rows the pause, the events so far and where the next moment is."""
    rows = fold.training
    idle, events, clock = (
        rows.numbers("eval", f"cast({columns[name]} as double)")[within]
        for name in ("idle_col", "count_col", "clock_col")
    )
    session = fold.texts("eval", rows.options["session_col"])[within]
    return idle, events, next_rows(session, clock, events)


def _amount_losses(found: Mapping[str, Answer], paid: Vector) -> dict[str, float]:
    known = np.isfinite(paid)
    return {
        name: float(((answer.values - paid)[known] ** 2).mean()) for name, answer in found.items()
    }


def _compared(
    fold: Fold,
    columns: Columns,
    target: str,
    found: Mapping[str, Answer],
    outcome: Vector,
    calibrations: Mapping[str, Calibration],
    champion: str,
    within: NDArray[np.bool_] | slice = slice(None),
) -> list[tuple[Any, ...]]:
    """Measure every candidate, over all moments and at each."""
    options, rows = fold.training.options, []
    groups = {"all": np.ones(len(outcome), dtype=bool)}
    if fold.name == "test":
        moment = fold.texts("eval", options["moment_cols"][0])
        for name in options["moment_cols"][1:]:
            moment = moment + " " + fold.texts("eval", name)
        moment = moment[within]
        groups |= {name: moment == name for name in sorted(set(moment))}
    for place, (name, answer) in enumerate(found.items(), start=1):
        calibration = calibrations.get(name, Calibration())
        values = probability(calibration.apply(log_odds(answer.values)))
        for group, members in groups.items():
            happened, said = outcome[members], values[members]
            figures = measure(happened, said)
            rows.append((
                target, name, place, fold.name, group, int(members.sum()), float(happened.mean()),
                float(said.mean()), *(figures[key] for key in MEASURES), calibration.method,
                name == champion,
            ))  # fmt: skip
    return rows


def _policies(
    value: Vector,
    chosen: _Chosen,
    leave: Vector,
    idle: Vector,
    events: Vector,
    following: NDArray[np.int64],
) -> list[tuple[Any, ...]]:
    """Say what policies are worth a test visit, by the model's own figures of value."""
    waiting = chosen.waiting[chosen.states.place(idle, events, value, leave)]
    starts = np.ones(len(value), dtype=bool)
    starts[following[following >= 0]] = False
    sessions = int(starts.sum())
    fixed = {f"after event {step}": (idle <= 0) & (events == step) for step in (1, 2, 3, 5, 8)}
    acts = {
        "never": np.zeros(len(value), dtype=bool),
        "optimal_stopping": (value > 0) & (value >= waiting),
        "as soon as it pays": value > 0,
        **fixed,
    }
    rows = []
    for name, act in acts.items():
        first = first_stops(act, following)
        rows.append((name, sessions, int(first.sum()), float(value[first].sum() / sessions)))
    return rows


def _state_rows(chosen: _Chosen) -> list[tuple[Any, ...]]:
    names = ["pause", *(f"from event {max(1, first)}" for first in STEPS)]
    values = [*chosen.states.value_edges, None]
    leaves = [*chosen.states.leave_edges, None]
    rows, place = [], 0
    for name in names:
        for i, value in enumerate(values):
            for j, leave in enumerate(leaves):
                rows.append((name, i, j, value, leave, float(chosen.waiting[place])))
                place += 1
    return rows


def _band(value: exp.Expr, edges: tuple[float, ...]) -> exp.Expr:
    if not edges:
        return integer(0)
    case = exp.Case()
    for place, edge in enumerate(edges):
        case = case.when(exp.LTE(this=value.copy(), expression=number(edge)), integer(place))
    return case.else_(integer(len(edges)))


def _state(states: States, value: exp.Expr, leave: exp.Expr, columns: Columns) -> exp.Expr:
    """Write the state as a place that counts from 1."""
    idle, events = (column(columns.plain(name)) for name in ("idle_col", "count_col"))
    step = exp.Case().when(exp.GT(this=idle, expression=integer(0)), integer(0))
    for place, first in enumerate(STEPS[1:], start=1):
        step = step.when(exp.LT(this=events.copy(), expression=integer(first)), integer(place))
    step = step.else_(integer(len(STEPS)))
    inner = exp.Add(
        this=exp.Mul(
            this=exp.Paren(this=_band(value, states.value_edges)),
            expression=integer(len(states.leave_edges) + 1),
        ),
        expression=exp.Paren(this=_band(leave, states.leave_edges)),
    )
    whole = exp.Add(
        this=exp.Mul(this=exp.Paren(this=step), expression=integer(states.inner)),
        expression=inner,
    )
    return exp.Add(this=whole, expression=integer(1))


def _predict() -> str:
    made = {
        "buy_probability": f"{PREFIX}probability",
        "leave_probability": f"{PREFIX}leaving",
        "expected_order_amount": f"{PREFIX}amount",
        "treated_buy_probability": f"{PREFIX}treated",
        "uplift": f"{PREFIX}treated - {PREFIX}probability",
        "value_now_amount": f"{PREFIX}value_now",
        "value_wait_amount": f"{PREFIX}value_wait",
        "decision": (
            f"case when {PREFIX}value_now > 0 and {PREFIX}value_now >= {PREFIX}value_wait "
            f"then 'intervene' when {PREFIX}value_wait > 0 then 'wait' else 'leave_alone' end"
        ),
    }
    listed = ", ".join(f"{text} as {name}" for name, text in made.items())
    return (
        f"(input) as table ({{scored}} select {{inputs:{','.join(made)}}}, {listed} from {{last}})"
    )


def _evaluate(columns: Columns) -> str:
    """Write log loss and area under the curve of both probabilities over labelled rows."""
    measured = []
    for name in ("buy", "leave"):
        value = f"greatest(least({name}_probability, 1 - 1e-6), 1e-6)"
        happened = f"cast({columns[f'{name}_col']} as boolean)"
        measured += [
            f"avg(case when {happened} then -ln({value}) else -ln(1 - {value}) end) "
            f"as {name}_log_loss",
            f"(sum(case when {happened} then {PREFIX}{name}_rank end) "
            f"- count_if({happened}) * (count_if({happened}) + 1) / 2.0) "
            f"/ nullif(count_if({happened}) * count_if(not {happened}), 0) as {name}_roc_auc",
        ]
    ranks = ", ".join(
        f"rank() over (order by {name}_probability) "
        f"+ (count(*) over (partition by {name}_probability) - 1) / 2.0 as {PREFIX}{name}_rank"
        for name in ("buy", "leave")
    )
    return (
        f"(input, threshold := 0.5) as table (select {', '.join(measured)} "
        f"from (select *, {ranks} from {{predict}}(input) where {untouched(columns)}))"
    )
