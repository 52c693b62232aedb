"""Companion tables of the model: candidates compared, policies, value of waiting by state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.churn.calibration import Calibration, log_odds, probability
from martlet.churn.measures import MEASURES, measure
from martlet.intent.candidates import Answer
from martlet.intent.waiting import STEPS, States, first_stops

__all__ = ["COMPARISON", "POLICIES", "WAITING", "comparison_rows", "policy_rows", "waiting_rows"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

#: Columns of the table of each kind.
COMPARISON = {
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
POLICIES = {
    "policy": "varchar",
    "session_count": "bigint",
    "intervention_count": "bigint",
    "mean_value_amount": "double",
}
WAITING = {
    "step": "varchar",
    "value_band": "integer",
    "leave_band": "integer",
    "value_up_to_amount": "double",
    "leave_up_to_probability": "double",
    "value_wait_amount": "double",
}


def comparison_rows(
    role: str,
    target: str,
    found: Mapping[str, Answer],
    outcome: Array,
    calibrations: Mapping[str, Calibration],
    champion: str,
    moment: NDArray[np.object_] | None = None,
) -> list[tuple[Any, ...]]:
    """Measure every candidate, over all moments and at each.

    Parameters
    ----------
    role : str
        What the rows were for: ``selection`` or ``test``.
    target : str
        ``buy`` or ``leave``.
    found : mapping of str to Answer
        Candidates in order of simplicity, with values for the rows of `outcome`.
    outcome : ndarray of shape (moments,)
        0 or 1.
    calibrations : mapping of str to Calibration
        By candidate; none for the others.
    champion : str
        Which candidate was chosen.
    moment : ndarray of shape (moments,), optional
        Names of the moments, to be measured apart.
    """
    groups = {"all": np.ones(len(outcome), dtype=bool)}
    if moment is not None:
        groups |= {name: moment == name for name in sorted(set(moment))}
    rows = []
    for place, (name, answer) in enumerate(found.items(), start=1):
        calibration = calibrations.get(name, Calibration())
        values = probability(calibration.apply(log_odds(answer.values)))
        for group, members in groups.items():
            happened, said = outcome[members], values[members]
            figures = measure(happened, said)
            rows.append((
                target, name, place, role, group, int(members.sum()), float(happened.mean()),
                float(said.mean()), *(figures[key] for key in MEASURES), calibration.method,
                name == champion,
            ))  # fmt: skip
    return rows


def policy_rows(
    value: Array, waiting: Array, idle: Array, events: Array, following: Places
) -> list[tuple[Any, ...]]:
    """Say what policies are worth a visit, by the model's own figures of value.

    Parameters
    ----------
    value, waiting : ndarray of shape (moments,)
        What stepping in is worth now, and what waiting is worth.
    idle, events : ndarray of shape (moments,)
        Seconds since the last event, and events so far.
    following : ndarray of shape (moments,)
        Place of the next moment of the same visit, or -1.
    """
    starts = np.ones(len(value), dtype=bool)
    starts[following[following >= 0]] = False
    sessions = int(starts.sum())
    acts: dict[str, Flags] = {
        "never": np.zeros(len(value), dtype=bool),
        "optimal_stopping": (value > 0) & (value >= waiting),
        "as soon as it pays": value > 0,
        **{f"after event {step}": (idle <= 0) & (events == step) for step in (1, 2, 3, 5, 8)},
    }
    rows = []
    for name, act in acts.items():
        first = first_stops(act, following)
        rows.append((name, sessions, int(first.sum()), float(value[first].sum() / sessions)))
    return rows


def waiting_rows(states: States, waiting: Array) -> list[tuple[Any, ...]]:
    """List the value of waiting in each state, bands by their upper ends."""
    names = ["pause", *(f"from event {max(1, first)}" for first in STEPS)]
    values, leaves = [*states.value_edges, None], [*states.leave_edges, None]
    bands = [
        (name, i, j, value, leave)
        for name in names
        for i, value in enumerate(values)
        for j, leave in enumerate(leaves)
    ]
    return [(*band, float(worth)) for band, worth in zip(bands, waiting, strict=True)]
