"""Forward filtering as SQL: what is known of a sequence's state after each period.

The recursion runs along a list, one sequence a row. Each step keeps the unnormalised weights of the
states and is normalised when the next one reads it, so that nothing underflows however long the
sequence is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from martlet.sqltext import PREFIX, identifier, number, render, text
from martlet.states.poisson_hmm import LOWEST_RATE, PoissonHmm

__all__ = ["ANSWER", "evaluate_function", "predict_function"]

#: What predict adds to the rows.
ANSWER = {
    "state_id": "integer",
    "state_name": "varchar",
    "state_probability": "double",
    "state_probabilities": "double[]",
    "next_state_probabilities": "double[]",
    "next_purchase_probability": "double",
    "next_expected_count": "double",
    "state_entropy": "double",
    "log_likelihood": "double",
}


def _value(value: float) -> str:
    return render(number(float(value)))


def _sum(weights: Iterable[float], list_: str) -> str:
    return "(" + " + ".join(f"{list_}[{i}] * {_value(w)}" for i, w in enumerate(weights, 1)) + ")"


def predict_function(
    model: PoissonHmm, names: Sequence[str], sequence: str, period: str, count: str
) -> str:
    """Return the text of the stored function that filters sequences.

    Parameters
    ----------
    model : PoissonHmm
    names : sequence of str
        Of the states.
    sequence, period, count : str
        Column names.
    """
    states = range(1, len(model.rates) + 1)
    rates = [max(float(rate), LOWEST_RATE) for rate in model.rates]
    logs = [f"(x.c * {_value(math.log(rate))} - {_value(rate)})" for rate in rates]
    highest = logs[0] if len(logs) == 1 else f"greatest({', '.join(logs)})"
    last, total = "a.w[-1]", "(" + " + ".join(f"a.w[-1][{i}]" for i in states) + ")"
    steps = []
    for place in states:
        moved = f"{_sum(model.transitions[:, place - 1], last)} / {total}"
        start = _value(model.start[place - 1])
        prior = f"(case when array_length(a.w) = 0 then {start} else {moved} end)"
        steps.append(f"{prior} * exp({logs[place - 1]} - {highest})")
    items = f"list_transform({PREFIX}l.counts, lambda x: {{'c': x, 'w': cast([] as double[][])}})"
    first = "{'c': cast(0 as double), 'w': cast([] as double[][])}"
    step = f"lambda a, x: {{'c': x.c, 'w': list_append(a.w, [{', '.join(steps)}])}}"
    own = f"{PREFIX}f.weights[{PREFIX}r.{PREFIX}n]"
    plain = [log.replace("x.c", f"{PREFIX}c") for log in logs]
    shift = plain[0] if len(plain) == 1 else f"greatest({', '.join(plain)})"
    ahead = [_sum(model.transitions[:, place - 1], f"{PREFIX}p") for place in states]
    quiet = " + ".join(
        f"{PREFIX}q[{i}] * {_value(math.exp(-rate))}" for i, rate in enumerate(rates, 1)
    )
    shown = ", ".join(render(text(name)) for name in names)
    seq, when, what = (identifier(name) for name in (sequence, period, count))
    best = f"list_position({PREFIX}p, list_max({PREFIX}p))"
    return f"""(input) as table (
with {PREFIX}r as (
    select {PREFIX}i.*, cast({PREFIX}i.{what} as double) as {PREFIX}c,
        row_number() over (partition by {PREFIX}i.{seq} order by {PREFIX}i.{when}) as {PREFIX}n
    from query_table(input) as {PREFIX}i
), {PREFIX}l as (
    select {PREFIX}r.{seq} as {PREFIX}s, list({PREFIX}r.{PREFIX}c order by {PREFIX}r.{PREFIX}n)
        as counts
    from {PREFIX}r group by {PREFIX}r.{seq}
), {PREFIX}f as (
    select {PREFIX}s, list_reduce({items}, {step}, {first}).w as weights from {PREFIX}l
), {PREFIX}w as (
    select {PREFIX}r.*, {own} as {PREFIX}w, list_sum({own}) as {PREFIX}t
    from {PREFIX}r
    join {PREFIX}f on {PREFIX}f.{PREFIX}s is not distinct from {PREFIX}r.{seq}
), {PREFIX}a as (
    select {PREFIX}w.*,
        list_transform({PREFIX}w.{PREFIX}w, lambda v: v / {PREFIX}w.{PREFIX}t) as {PREFIX}p
    from {PREFIX}w
), {PREFIX}b as (select {PREFIX}a.*, [{", ".join(ahead)}] as {PREFIX}q from {PREFIX}a)
select {{inputs:{",".join(ANSWER)}}},
    cast({best} as integer) as state_id,
    [{shown}][{best}] as state_name,
    list_max({PREFIX}p) as state_probability,
    {PREFIX}p as state_probabilities,
    {PREFIX}q as next_state_probabilities,
    1 - ({quiet}) as next_purchase_probability,
    {_sum(rates, PREFIX + "q")} as next_expected_count,
    -list_sum(list_transform({PREFIX}p, lambda v: case when v > 0 then v * ln(v) else 0 end))
        as state_entropy,
    ln({PREFIX}t) + {shift} - lgamma({PREFIX}c + 1) as log_likelihood
from {PREFIX}b)"""


def evaluate_function() -> str:
    """Return the text of the function that judges the model on sequences."""
    return (
        "(input) as table (select avg(log_likelihood) as log_likelihood_per_row, "
        "sum(log_likelihood) as log_likelihood from {predict}(input))"
    )
