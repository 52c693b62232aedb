"""What it is worth to wait: optimal stopping over the moments of a visit.

At each moment a shop may step in (once a visit) or wait. Stepping in now is worth what it adds to
the expected margin, less what it costs. Waiting is worth what the best choice at the next moment is
worth, and nothing when there is none: the visitor bought or left. Moments are put into states; the
value of waiting in a state is the mean over the held-out moments in it (value iteration on
observed paths; Longstaff and Schwartz 2001, section 2, with means over states in place of a
regression; Puterman 1994, section 7.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Economics", "States", "first_stops", "learn_states", "next_rows", "waiting_values"]

Array = NDArray[np.float64]
Places = NDArray[np.int64]

#: So many imagined moments of the mean of all states with the same step hold a state back.
_SHRINKAGE = 20.0
_VALUE_BANDS, _LEAVE_BANDS = 8, 3
#: Values that agree so far are the same.
_DIGITS = 9
#: First event of each step; the step before the first of them is that of a pause.
STEPS = (0, 3, 6)


@dataclass(frozen=True)
class Economics:
    """What stepping in costs, and what an order earns.

    Attributes
    ----------
    margin_share
        Earnings as a share of an order.
    contact_cost, offer_cost
        What it costs each time, and when the order it was made for comes.
    """

    margin_share: float
    contact_cost: float
    offer_cost: float

    def value_now(self, probability: Array, treated: Array, amount: Array) -> Array:
        """Return what stepping in now adds to the expected margin, costs taken off.

        Parameters
        ----------
        probability, treated : ndarray of shape (moments,)
            Of a purchase without it, and with it.
        amount : ndarray of shape (moments,)
            Expected amount of the order.
        """
        margin = self.margin_share * amount
        return np.asarray(
            treated * (margin - self.offer_cost) - probability * margin - self.contact_cost
        )


@dataclass(frozen=True)
class States:
    """How moments become states: step x band of the value now x band of the leaving probability.

    Attributes
    ----------
    value_edges, leave_edges
        Upper ends of all bands but the last; a value at an end is inside.
    """

    value_edges: tuple[float, ...]
    leave_edges: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many states there are."""
        return (len(STEPS) + 1) * self.inner

    @property
    def inner(self) -> int:
        """How many states a step has."""
        return (len(self.value_edges) + 1) * (len(self.leave_edges) + 1)

    def place(self, idle: Array, events: Array, value: Array, leave: Array) -> Places:
        """Return the state of each moment.

        Parameters
        ----------
        idle, events : ndarray of shape (moments,)
            Seconds since the last event, and events so far.
        value, leave : ndarray of shape (moments,)
            Value now, and probability that nothing follows.
        """
        step = np.where(idle > 0, 0, np.searchsorted(STEPS, events, side="right"))
        bands = np.searchsorted(self.value_edges, value, side="left")
        within = bands * (len(self.leave_edges) + 1)
        within += np.searchsorted(self.leave_edges, leave, side="left")
        return np.asarray(step * self.inner + within, dtype=np.int64)


def learn_states(value: Array, leave: Array) -> States:
    """Choose bands with about as many moments each.

    Ends lie half-way between neighbouring values: on a value, the last digits of a fit would decide
    which band all moments with that value are in.
    """

    def edges(values: Array, bands: int) -> tuple[float, ...]:
        levels = np.unique(np.round(values, _DIGITS))
        wanted = np.round(np.quantile(values, np.linspace(0, 1, bands + 1)[1:-1]), _DIGITS)
        above = np.unique(np.searchsorted(levels, wanted, side="right"))
        above = above[above < len(levels)]
        return tuple(((levels[above - 1] + levels[above]) / 2).tolist())

    return States(edges(value, _VALUE_BANDS), edges(leave, _LEAVE_BANDS))


def next_rows(session: NDArray[np.object_], moment: Array, events: Array) -> Places:
    """Return the place of the next moment of the same session, -1 for the last.

    Parameters
    ----------
    session : ndarray of shape (moments,)
        Which session.
    moment, events : ndarray of shape (moments,)
        Seconds since its start, and events so far, to order by.
    """
    _, number = np.unique(session, return_inverse=True)
    order = np.lexsort((events, moment, number))
    following = np.full(len(order), -1, dtype=np.int64)
    same = number[order][1:] == number[order][:-1]
    following[order[:-1][same]] = order[1:][same]
    return following


def waiting_values(
    state: Places, states: States, value: Array, following: Places, weight: Array | None = None
) -> Array:
    """Return the value of waiting in each state.

    Parameters
    ----------
    state, following : ndarray of shape (moments,)
        State of each moment and the place of the next one.
    states : States
        For the number of states.
    value : ndarray of shape (moments,)
        Value now.
    weight : ndarray of shape (moments,), optional
        How often a moment counts.

    Returns
    -------
    ndarray of shape (states,)
        At least 0.
    """
    found = np.zeros(states.count)
    inside = state % states.inner
    share = np.ones(len(value)) if weight is None else weight / weight.mean()
    for _ in range(100):
        best = np.maximum(value, found[state])
        ahead = np.where(following >= 0, best[following], 0.0)
        ahead = share * ahead
        whole = np.bincount(inside, ahead, states.inner) + _SHRINKAGE * ahead.mean()
        whole /= np.bincount(inside, share, states.inner) + _SHRINKAGE
        total = np.bincount(state, ahead, states.count)
        rows = np.bincount(state, share, states.count)
        prior = np.tile(whole, len(STEPS) + 1)
        new = (total + _SHRINKAGE * prior) / (rows + _SHRINKAGE)
        if np.abs(new - found).max() < 1e-9:
            return new
        found = new
    return found


def first_stops(act: NDArray[np.bool_], following: Places) -> NDArray[np.bool_]:
    """Return the first moment of each session at which to act."""
    before = np.zeros(len(act), dtype=bool)
    pending = np.flatnonzero(act & (following >= 0))
    while len(pending):
        reached = following[pending]
        reached = reached[~before[reached]]
        before[reached] = True
        pending = reached[following[reached] >= 0]
    return act & ~before
