"""Visits with a known answer to an intervention, to judge when a policy steps in.

A visit is one of three hidden kinds: lookers, who never buy; hesitant visitors, who buy now and
then; and determined ones, who buy anyway. Each step leaves, fills the cart or buys with odds that
depend on the kind and the cart. Stepping in counts once, and its response is planted: it raises
the odds at every later step that a *hesitant* visitor with something in the cart buys; a visitor
without a cart is annoyed and leaves sooner; nobody else is changed, but whoever buys takes the
offer along. A policy sees the events, never the kind.

All policies meet the same visits with the same luck (common random numbers), so differences
between them are of the policies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_STEPS", "Observed", "Visits", "draw_moments", "draw_visits", "outcome_of"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

#: No visit takes more steps.
MOST_STEPS = 20
LOOKER, HESITANT, DETERMINED = range(3)
_KINDS = (0.62, 0.28, 0.10)
#: Probability that the next step leaves, adds to the cart (once), and, with a cart, buys.
_LEAVES = np.array([0.28, 0.16, 0.05])
_CARTS = np.array([0.02, 0.16, 0.30])
_BUYS = np.array([0.0, 0.035, 0.22])
#: By how much stepping in multiplies the odds that a hesitant visitor with a cart buys at a step.
_ODDS = 3.0
#: What it adds to the probability of leaving of anybody without a cart.
_ANNOYS = 0.12


@dataclass(frozen=True)
class Visits:
    """Visits before anybody steps in: kinds, amounts and luck.

    Attributes
    ----------
    kind : ndarray of shape (visits,)
        Never shown to a policy.
    amount : ndarray of shape (visits,)
        Of the order if there is one.
    draws : ndarray of shape (visits, MOST_STEPS, 3)
        Uniform numbers that decide buying, leaving and carting at each step.
    gaps : ndarray of shape (visits, MOST_STEPS)
        Seconds before each step.
    """

    kind: Places
    amount: Array
    draws: Array
    gaps: Array

    def __len__(self) -> int:
        """How many visits."""
        return len(self.kind)


@dataclass(frozen=True)
class Observed:
    """What can be seen of all visits right after one step.

    Attributes
    ----------
    step : int
        How many events there have been, from 1.
    is_open : ndarray of bool, shape (visits,)
        Whether the visit goes on.
    cart : ndarray of bool, shape (visits,)
        Whether there is something in the cart.
    cart_step, seconds, gap : ndarray of shape (visits,)
        Steps since it was put in, seconds since the start, and between the last two steps.
    """

    step: int
    is_open: Flags
    cart: Flags
    cart_step: Array
    seconds: Array
    gap: Array


def draw_visits(count: int, seed: int) -> Visits:
    """Draw visits.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        For everything random.
    """
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, size=count, p=_KINDS)
    amount = np.exp(rng.normal(np.log(60.0), 0.5, count))
    # Hesitant visitors take their time.
    scale = np.log(np.array([12.0, 35.0, 18.0]))[kind]
    gaps = np.exp(rng.normal(scale[:, None], 0.8, (count, MOST_STEPS)))
    gaps[:, 0] = 0.0
    return Visits(kind, amount, rng.random((count, MOST_STEPS, 3)), gaps)


def outcome_of(
    visits: Visits, act: Callable[[Observed], Flags], seen: list[Observed] | None = None
) -> tuple[Flags, Places]:
    """Let visits happen under a policy.

    Parameters
    ----------
    visits : Visits
        The visits.
    act : callable
        Says after each step for which visits to step in; only the first time in a visit counts.
    seen : list, optional
        Takes what was observed after each step.

    Returns
    -------
    bought : ndarray of bool, shape (visits,)
        Whether an order came.
    acted_at : ndarray of shape (visits,)
        Step after which the policy stepped in, 0 for never.
    """
    count = len(visits)
    is_open, bought = np.ones(count, dtype=bool), np.zeros(count, dtype=bool)
    cart, cart_step = np.zeros(count, dtype=bool), np.zeros(count)
    acted_at = np.zeros(count, dtype=np.int64)
    with_cart_when_acted = np.zeros(count, dtype=bool)
    seconds = np.zeros(count)
    for step in range(1, MOST_STEPS + 1):
        seconds = seconds + visits.gaps[:, step - 1]
        draws = visits.draws[:, step - 1]
        if step > 1:
            buys = cart & is_open & (draws[:, 0] < _buying(visits, acted_at, with_cart_when_acted))
            annoyed = (acted_at > 0) & ~with_cart_when_acted
            leaves = draws[:, 1] < _LEAVES[visits.kind] + _ANNOYS * annoyed
            bought |= buys
            is_open = is_open & ~buys & ~leaves
        adds = is_open & ~cart & (draws[:, 2] < _CARTS[visits.kind])
        cart_step = np.where(cart, cart_step + 1, 0.0)
        cart |= adds
        now = Observed(
            step, is_open.copy(), cart.copy(), cart_step.copy(), seconds, visits.gaps[:, step - 1]
        )
        if seen is not None:
            seen.append(now)
        acts = act(now) & is_open & (acted_at == 0)
        acted_at[acts] = step
        with_cart_when_acted[acts] = cart[acts]
    return bought, acted_at


def draw_moments(
    visits: Visits, seed: int, with_cart: float = 0.0, without: float = 0.0, latest: int = 8
) -> dict[str, NDArray[np.generic]]:
    """Let chance decide at one moment of each visit, and list what is seen and becomes of it.

    Of visits that were stepped into only that moment is listed: the others no longer tell what
    happens by itself. Of all others every moment is.

    Parameters
    ----------
    visits : Visits
        The visits.
    seed : int
        For the moments and for chance.
    with_cart, without : float
        Probability of stepping in at the drawn moment, with something in the cart and without;
        both 0 for no trial.
    latest : int
        The moment is one of the first so many.

    Returns
    -------
    dict of str to ndarray of shape (moments,)
        ``visit``, ``event_count``, ``has_cart``, ``cart_step``, ``seconds_since_start``,
        ``last_gap_seconds``, ``amount``; ``will_buy``, ``will_leave``; ``treated``: 1 or 0 where
        chance decided, else NaN; ``propensity`` of what was drawn, at all moments of such a visit.
    """
    count, rng = len(visits), np.random.default_rng(seed)
    at, luck = rng.integers(1, latest + 1, count), rng.random(count)
    seen: list[Observed] = []
    chance = np.full(count, np.nan)

    def act(now: Observed) -> Flags:
        drawn = now.is_open & (at == now.step)
        chance[drawn] = np.where(now.cart, with_cart, without)[drawn]
        return np.asarray(drawn & (luck < chance))

    bought, acted_at = outcome_of(visits, act, seen)
    tried = with_cart + without > 0
    parts = []
    for now, after in zip(seen, [*seen[1:], None], strict=True):
        rows = np.flatnonzero(now.is_open & ((acted_at == 0) | (acted_at == now.step)))
        goes_on = bought[rows] if after is None else after.is_open[rows] | bought[rows]
        here = tried & (at[rows] == now.step)
        own = np.where(acted_at[rows] > 0, chance[rows], 1 - chance[rows])
        parts.append({
            "visit": rows, "event_count": np.full(len(rows), now.step),
            "has_cart": now.cart[rows], "cart_step": now.cart_step[rows],
            "seconds_since_start": now.seconds[rows], "last_gap_seconds": now.gap[rows],
            "amount": visits.amount[rows], "will_buy": bought[rows], "will_leave": ~goes_on,
            "treated": np.where(here, (acted_at[rows] > 0).astype(float), np.nan),
            "propensity": own if tried else np.full(len(rows), np.nan),
        })  # fmt: skip
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _buying(visits: Visits, acted_at: Places, with_cart: Flags) -> Array:
    """Return the probability of an order at the next step, of visits with a cart."""
    base = _BUYS[visits.kind]
    changed = (acted_at > 0) & with_cart & (visits.kind == HESITANT)
    odds = _ODDS * base
    return np.asarray(np.where(changed, odds / (1 - base + odds), base))
