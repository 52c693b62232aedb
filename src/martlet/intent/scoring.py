"""The fitted model as SQL: probabilities, value now, value of waiting, and the decision.

Everything here writes SQL over the raw columns; nothing is learned. The numbers are those that
`martlet.intent.response` and `martlet.intent.waiting` compute in Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from martlet.churn.measures import EDGE
from martlet.estimators.base import Scoring, Vector
from martlet.intent.candidates import Answer, condition
from martlet.intent.response import Response
from martlet.intent.sides import Columns, untouched
from martlet.intent.waiting import STEPS, Economics, States
from martlet.scoring.links import log_odds, sigmoid
from martlet.sqltext import PREFIX, array, call, choice, column, integer, number

__all__ = ["ANSWER", "evaluate_function", "predict_function", "write_scoring"]

#: Columns that the stored function adds.
ANSWER = {
    "buy_probability": "double",
    "leave_probability": "double",
    "expected_order_amount": "double",
    "treated_buy_probability": "double",
    "uplift": "double",
    "value_now_amount": "double",
    "value_wait_amount": "double",
    "decision": "varchar",
}
_BUY_ODDS, _LEAVE_ODDS = PREFIX + "buy_odds", PREFIX + "leave_odds"
_TREATED, _NOW, _WAIT = (PREFIX + name for name in ("treated", "value_now", "value_wait"))
#: The first is the output every scoring has: the probability that is compared with Python's.
_BUY, _LEAVE, _AMOUNT = (PREFIX + name for name in ("probability", "leaving", "amount"))


def write_scoring(
    answers: Mapping[str, Answer],
    response: Response,
    states: States,
    waiting: Vector,
    columns: Columns,
    money: Economics,
) -> Scoring:
    """Write all answers as steps.

    Parameters
    ----------
    answers : mapping of str to Answer
        ``buy``, ``leave`` and ``amount``, calibrated.
    response : Response
        What stepping in adds to the log-odds of a purchase.
    states, waiting : States, ndarray of shape (states,)
        How moments become states, and what waiting is worth in each.
    columns : Columns
        Names of the columns, and the options.
    money : Economics
        What stepping in costs and an order earns.
    """
    buy, leave, amount = (column(answers[key].output) for key in ("buy", "leave", "amount"))
    odds = {_BUY_ODDS: log_odds(buy, EDGE), _LEAVE_ODDS: log_odds(leave, EDGE)}
    shifted = _shifted(response, columns.options["buy_rule"])
    state = _state(states, column(_NOW), leave, columns)
    steps = (
        *(step for answer in answers.values() for step in answer.steps),
        odds,
        {_TREATED: sigmoid(shifted)},
        {_NOW: _value_now(buy, amount, money)},
        {_WAIT: call("list_extract", array(number(item) for item in waiting), state)},
        {_BUY: buy.copy(), _LEAVE: leave.copy(), _AMOUNT: amount.copy()},
    )
    return Scoring("probability", steps)


def _value_now(buy: exp.Expr, amount: exp.Expr, money: Economics) -> exp.Expr:
    """Write `Economics.value_now`."""
    margin = exp.Mul(this=number(money.margin_share), expression=amount.copy())
    earned = exp.Paren(this=exp.Sub(this=margin, expression=number(money.offer_cost)))
    gain = exp.Mul(this=column(_TREATED), expression=earned)
    kept = exp.Mul(this=buy.copy(), expression=margin.copy())
    added = exp.Sub(this=gain, expression=kept)
    return exp.Sub(this=added, expression=number(money.contact_cost))


def _shifted(response: Response, rule: str) -> exp.Expr:
    """Write the log-odds of a purchase when the shop steps in: `Response.shift` added."""
    level, ruled, *slopes = response.weights
    held = call("if", condition(rule), number(ruled), number(0.0))
    total: exp.Expr = exp.Add(this=column(_BUY_ODDS), expression=number(level))
    total = exp.Add(this=total, expression=held)
    if response.moment_count:
        places = zip((_BUY_ODDS, _LEAVE_ODDS), slopes, response.centres, strict=True)
        for name, slope, centre in places:
            off = exp.Paren(this=exp.Sub(this=column(name), expression=number(centre)))
            total = exp.Add(this=total, expression=exp.Mul(this=number(slope), expression=off))
    return total


def _state(states: States, value: exp.Expr, leave: exp.Expr, columns: Columns) -> exp.Expr:
    """Write `States.place`, counting from 1."""
    idle, events = (column(columns.plain(name)) for name in ("idle_col", "count_col"))
    branches: list[tuple[exp.Expr, exp.Expr]] = [
        (exp.GT(this=idle, expression=integer(0)), integer(0))
    ]
    branches += [
        (exp.LT(this=events.copy(), expression=integer(first)), integer(place))
        for place, first in enumerate(STEPS[1:], start=1)
    ]
    places: list[exp.Expr] = [
        exp.Mul(this=choice(branches, integer(len(STEPS))), expression=integer(states.inner)),
        exp.Mul(
            this=_band(value, states.value_edges), expression=integer(len(states.leave_edges) + 1)
        ),
        _band(leave, states.leave_edges),
        integer(1),
    ]
    total = places[0]
    for place in places[1:]:
        total = exp.Add(this=total, expression=place)
    return total


def _band(value: exp.Expr, edges: Sequence[float]) -> exp.Expr:
    """Write in which band a value is; a value at an edge is inside."""
    if not edges:
        return integer(0)
    branches = [
        (exp.LTE(this=value.copy(), expression=number(edge)), integer(place))
        for place, edge in enumerate(edges)
    ]
    return choice(branches, integer(len(edges)))


def predict_function() -> str:
    """Write the stored function that adds `ANSWER` to the rows it is given."""
    made = {
        "buy_probability": _BUY,
        "leave_probability": _LEAVE,
        "expected_order_amount": _AMOUNT,
        "treated_buy_probability": _TREATED,
        "uplift": f"{_TREATED} - {_BUY}",
        "value_now_amount": _NOW,
        "value_wait_amount": _WAIT,
        "decision": (
            f"case when {_NOW} > 0 and {_NOW} >= {_WAIT} then 'intervene' "
            f"when {_WAIT} > 0 then 'wait' else 'leave_alone' end"
        ),
    }
    listed = ", ".join(f"{text} as {name}" for name, text in made.items())
    return (
        f"(input) as table ({{scored}} select {{inputs:{','.join(made)}}}, {listed} from {{last}})"
    )


def evaluate_function(columns: Columns) -> str:
    """Write log loss and area under the curve of both probabilities over labelled rows."""
    measured = []
    for name in ("buy", "leave"):
        value = f"greatest(least({name}_probability, 1 - {EDGE}), {EDGE})"
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
