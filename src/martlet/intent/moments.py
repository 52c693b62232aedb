"""What is read of the judged rows of a fold besides features and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.churn.folds import Fold
from martlet.intent.sides import Columns, row_weight
from martlet.intent.waiting import next_rows
from martlet.split import HASH
from martlet.sqltext import identifier

__all__ = ["Moments", "read_moments"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Moments:
    """The judged moments of a fold, in the order of the row hash.

    Attributes
    ----------
    session, visitor : ndarray of shape (moments,)
        Which visit, and whose.
    name : ndarray of shape (moments,)
        Which moment of the visit.
    idle, events, clock : ndarray of shape (moments,)
        Seconds since the last event, events so far, seconds since the start.
    rule : ndarray of shape (moments,)
        Whether the rule of buying holds: 0 or 1.
    treated : ndarray of shape (moments,)
        Where chance decided: 1 to step in, 0 not to; NaN elsewhere.
    weight : ndarray of shape (moments,)
        One over the chance with which the moment is among the rows.
    """

    session: NDArray[Any]
    visitor: NDArray[Any]
    name: NDArray[Any]
    idle: Array
    events: Array
    clock: Array
    rule: Array
    treated: Array
    weight: Array

    @property
    def drawn(self) -> Flags:
        """Where chance decided."""
        return np.isfinite(self.treated)

    @property
    def untouched(self) -> Flags:
        """Where the shop did not step in: there is seen what happens by itself."""
        return np.asarray(self.treated != 1)

    def following(self, within: Flags) -> NDArray[np.int64]:
        """Return of some of the moments where the next of the same visit is among them, or -1."""
        return next_rows(self.session[within], self.clock[within], self.events[within])


def read_moments(fold: Fold, columns: Columns) -> Moments:
    """Read the judged rows of a fold.

    Parameters
    ----------
    fold : Fold
        Part ``eval`` is read.
    columns : Columns
        Names of the columns, and the options.
    """
    options = columns.options
    treated = "cast(null as double)"
    if options["treated_col"]:
        treated = f"cast(cast({columns['treated_col']} as boolean) as double)"
    name = ", ".join(f"cast({identifier(name)} as varchar)" for name in options["moment_cols"])
    read = {
        "session": f"cast({columns['session_col']} as varchar)",
        "visitor": f"cast({columns['group_col']} as varchar)",
        "name": f"concat_ws(' ', {name})",
        "idle": f"cast({columns['idle_col']} as double)",
        "events": f"cast({columns['count_col']} as double)",
        "clock": f"cast({columns['clock_col']} as double)",
        "rule": f"cast(coalesce({options['buy_rule']}, false) as double)",
        "treated": treated,
        "weight": row_weight(columns),
    }
    listed = ", ".join(f"{value} as {key}" for key, value in read.items())
    found = fold.training.con.execute(
        f"select {listed} from ({fold.training.query('eval')}) order by {HASH}"
    ).fetchnumpy()
    texts = {key: np.ma.filled(found[key], "") for key in ("session", "visitor", "name")}
    numbers: dict[str, Array] = {
        key: np.asarray(np.ma.filled(np.ma.asarray(found[key], float), np.nan))
        for key in read
        if key not in texts
    }
    return Moments(**texts, **numbers)
