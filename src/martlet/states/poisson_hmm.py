"""A hidden Markov model of counts: Poisson emissions, maximum likelihood by EM from many starts.

Equal sequences are computed once and counted; all starts run side by side as one array. Short runs
from many starts come first, the best few go on to the end, with the extrapolation of squared
iterative methods. A single start stops hundreds of units of log-likelihood short. Of many
sequences a random part shows which start leads highest; from there all of them go on.

References
----------
Rabiner (1989), "A tutorial on hidden Markov models", sections III and V. Zucchini, MacDonald and
Langrock (2016), "Hidden Markov Models for Time Series", chapters 2 and 4. Varadhan and Roland
(2008), "Simple and globally convergent methods for accelerating the convergence of any EM
algorithm" (scheme S3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PoissonHmm", "Sequences", "filtered", "fit_hmm", "group_sequences", "log_likelihoods"]

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

#: Rates below this count as this: their logarithm must be finite.
LOWEST_RATE = 1e-10
LOWEST_SHARE = 1e-12
#: Iterations of every start before the best go on, and of those.
SHORT, LONG = 30, 3000
#: Sequences on which starts are tried.
TRIED = 5000


@dataclass(frozen=True)
class Sequences:
    """Different sequences, padded on the right, with how often each occurs.

    Attributes
    ----------
    counts : (sequences, periods)
        -1 behind the end; longest first.
    weights : (sequences,)
    """

    counts: Counts
    weights: Array

    @property
    def rows(self) -> float:
        """Periods in all sequences, each as often as it occurs."""
        return float(self.weights @ (self.counts >= 0).sum(axis=1))


@dataclass(frozen=True)
class PoissonHmm:
    """Parameters of a model, states in the order of their rates.

    Attributes
    ----------
    start : (states,)
    transitions : (states, states)
        Row: from.
    rates : (states,)
        Mean count a period.
    log_likelihood
        Of the sequences it was fitted on.
    starts_agreeing
        How many of the finished runs ended within 0.5 of the best.
    converged
        Whether the best run ended before the last iteration.
    """

    start: Array
    transitions: Array
    rates: Array
    log_likelihood: float = math.nan
    starts_agreeing: int = 0
    converged: bool = True

    @property
    def parameters(self) -> int:
        """Number of free parameters."""
        states = len(self.rates)
        return states - 1 + states * (states - 1) + states


def group_sequences(sequence: Counts, counts: Counts) -> Sequences:
    """Group equal sequences.

    Parameters
    ----------
    sequence : (rows,)
        Which sequence a row belongs to: whole numbers, the rows of one together and in order.
    counts : (rows,)
        What was counted, at least 0.
    """
    begins = np.flatnonzero(np.concatenate([[True], sequence[1:] != sequence[:-1]]))
    lengths = np.diff(np.concatenate([begins, [len(sequence)]]))
    table = np.full((len(begins), int(lengths.max())), -1, dtype=np.int64)
    place = np.arange(len(sequence)) - np.repeat(begins, lengths)
    table[np.repeat(np.arange(len(begins)), lengths), place] = counts
    different, weights = np.unique(table, axis=0, return_counts=True)
    order = np.argsort(-(different >= 0).sum(axis=1), kind="stable")
    return Sequences(different[order], weights[order].astype(float))


def fit_hmm(
    sequences: Sequences,
    states: int,
    generator: np.random.Generator,
    starts: int = 12,
    begin: PoissonHmm | None = None,
    tolerance: float = 1e-3,
) -> PoissonHmm:
    """Return the model of greatest likelihood.

    Parameters
    ----------
    sequences : Sequences
        What to learn from.
    states : int
        1 or more.
    generator : numpy.random.Generator
        For the starts.
    starts : int
        Short runs; the best quarter goes on to the end.
    begin : PoissonHmm, optional
        A model of about the same data, from which one more run starts.
    tolerance : float
        A run ends when an iteration gains less log-likelihood.
    """
    data = _Data(sequences)
    some = _some(sequences, generator)
    tried = data if some is sequences else _Data(some)
    begun = _random_starts(data, states, generator, starts if states > 1 else 1)
    if begin is not None:
        begun = (
            np.concatenate([begin.start[None], begun[0]]),
            np.concatenate([begin.transitions[None], begun[1]]),
            np.concatenate([begin.rates[None], begun[2]]),
        )
    for _ in range(SHORT if states > 1 else 1):
        begun, reached = _step(tried, begun)
    best = np.argsort(-reached)[: max(1, math.ceil(starts / 4))]
    ended = [
        _climb(tried, (begun[0][[place]], begun[1][[place]], begun[2][[place]]), tolerance)
        for place in best
    ]
    values = np.array([value for _, value, _ in ended])
    parameters, value, converged = ended[int(values.argmax())]
    agreeing = int((values > value - 0.5).sum())
    if tried is not data:
        parameters, value, converged = _climb(data, parameters, tolerance)
    start, transitions, rates = (part[0] for part in parameters)
    order = np.argsort(rates, kind="stable")
    return PoissonHmm(
        start[order],
        transitions[np.ix_(order, order)],
        rates[order],
        float(value),
        agreeing,
        converged,
    )


def _some(sequences: Sequences, generator: np.random.Generator) -> Sequences:
    """Draw as many sequences as starts are tried on, all if there are no more."""
    if len(sequences.weights) <= TRIED:
        return sequences
    drawn = generator.multivariate_hypergeometric(
        sequences.weights.astype(np.int64), TRIED, method="marginals"
    )
    return Sequences(sequences.counts[drawn > 0], drawn[drawn > 0].astype(float))


class _Data:
    """Sequences laid out for the recursions: one table of different counts, periods in front."""

    def __init__(self, sequences: Sequences) -> None:
        self.weights = sequences.weights
        self.values, codes = np.unique(np.maximum(sequences.counts, 0), return_inverse=True)
        self.codes = codes.reshape(sequences.counts.shape).T
        # Sequences are sorted by length: those alive in a period come first.
        self.alive = (sequences.counts >= 0).sum(axis=0)
        self.constants = np.array([math.lgamma(value + 1) for value in self.values])
        self.mean = float(
            (np.maximum(sequences.counts, 0).sum(axis=1) @ self.weights) / sequences.rows
        )

    def emissions(self, rates: Array) -> Array:
        """Return the probability of each different count, (values, ..., states)."""
        rates = np.maximum(rates, LOWEST_RATE)
        shape = (-1,) + (1,) * rates.ndim
        values, constants = self.values.reshape(shape), self.constants.reshape(shape)
        chances = np.exp(values * np.log(rates) - rates - constants)
        return np.asarray(np.maximum(chances, 1e-300))


Parameters = tuple[Array, Array, Array]


def _random_starts(
    data: _Data, states: int, generator: np.random.Generator, starts: int
) -> Parameters:
    spread = np.geomspace(0.1, 6.0, states) if states > 1 else np.ones(1)
    noise = generator.lognormal(sigma=0.7, size=(starts, states))
    rates = np.sort(max(data.mean, 1e-3) * spread * noise, axis=1)
    stay = generator.uniform(0.3, 0.97, size=(starts, states, 1))
    moves = generator.dirichlet(np.ones(states), size=(starts, states))
    transitions = stay * np.eye(states) + (1 - stay) * moves
    return generator.dirichlet(np.ones(states), size=starts), transitions, rates


def _step(data: _Data, parameters: Parameters) -> tuple[Parameters, Array]:
    """One iteration of EM for several starts at once.

    Returns
    -------
    parameters
        The next ones.
    log_likelihoods : (starts,)
        Of the ones given.
    """
    start, transitions, rates = parameters
    chances = data.emissions(rates)
    periods, width = len(data.alive), len(data.weights)
    runs, states = len(rates), rates.shape[-1]
    forward = np.zeros((periods, width, runs, states))
    scales = np.ones((periods, width, runs))
    for period in range(periods):
        alive = data.alive[period]
        if period == 0:
            prior = np.broadcast_to(start, (alive, runs, states))
        else:
            prior = _move(forward[period - 1, :alive], transitions)
        joint = prior * chances[data.codes[period, :alive]]
        scales[period, :alive] = joint.sum(axis=2)
        forward[period, :alive] = joint / scales[period, :alive, :, None]
    logs = np.tensordot(data.weights, np.log(scales).sum(axis=0), axes=(0, 0))
    weight = data.weights[:, None, None]
    moves = np.zeros((runs, states, states))
    seen, counted = np.zeros((runs, states)), np.zeros((runs, states))
    backward = np.ones((width, runs, states))
    back = transitions.transpose(0, 2, 1)
    for period in range(periods - 1, -1, -1):
        alive = data.alive[period]
        share = forward[period, :alive] * backward[:alive] * weight[:alive]
        seen += share.sum(axis=0)
        values = data.values[data.codes[period, :alive]].astype(float)
        counted += np.tensordot(values, share, axes=(0, 0))
        if period == 0:
            first = share.sum(axis=0)
            break
        ahead = chances[data.codes[period, :alive]] * backward[:alive]
        ahead /= scales[period, :alive, :, None]
        before = forward[period - 1, :alive] * weight[:alive]
        moves += np.matmul(before.transpose(1, 2, 0), ahead.transpose(1, 0, 2))
        backward[:alive] = _move(ahead, back)
    moves *= transitions
    return (
        first / first.sum(axis=1, keepdims=True),
        moves / np.maximum(moves.sum(axis=2, keepdims=True), 1e-300),
        np.maximum(counted / np.maximum(seen, 1e-300), LOWEST_RATE),
    ), logs


def _move(shares: Array, transitions: Array) -> Array:
    """One period ahead: (rows, runs, from) times (runs, from, to)."""
    moved = np.matmul(shares.transpose(1, 0, 2), transitions)
    return np.asarray(moved.transpose(1, 0, 2))


def _climb(data: _Data, parameters: Parameters, tolerance: float) -> tuple[Parameters, float, bool]:
    """Go on to the end, with extrapolation where it helps."""
    value = -math.inf
    for _ in range(LONG // 3):
        once, before = _step(data, parameters)
        twice, after = _step(data, once)
        gain = float(after[0] - before[0])
        value = float(after[0])
        if gain < tolerance:
            return twice, value, True
        further = _extrapolated(parameters, once, twice)
        settled, reached = _step(data, further)
        # An extrapolation that lost ground is forgotten.
        parameters = settled if reached[0] >= after[0] else twice
    return parameters, value, False


def _extrapolated(zero: Parameters, one: Parameters, two: Parameters) -> Parameters:
    def flat(parameters: Parameters) -> Array:
        start, transitions, rates = parameters
        logs = [np.log(np.maximum(part, LOWEST_SHARE)).ravel() for part in (start, transitions)]
        return np.concatenate([*logs, np.log(np.maximum(rates, LOWEST_RATE)).ravel()])

    a, b, c = flat(zero), flat(one), flat(two)
    change, curve = b - a, c - 2 * b + a
    length = float(np.linalg.norm(curve))
    if length == 0:
        return two
    step = -max(1.0, min(float(np.linalg.norm(change)) / length, 64.0))
    moved = a - 2 * step * change + step**2 * curve
    start, transitions, rates = two
    first, second = start.size, start.size + transitions.size
    shares = np.exp(moved[:first] - moved[:first].max()).reshape(start.shape)
    rows = moved[first:second].reshape(transitions.shape)
    moves = np.exp(rows - rows.max(axis=2, keepdims=True))
    return (
        shares / shares.sum(axis=1, keepdims=True),
        moves / moves.sum(axis=2, keepdims=True),
        np.exp(np.clip(moved[second:], math.log(LOWEST_RATE), 20)).reshape(rates.shape),
    )


def log_likelihoods(model: PoissonHmm, sequences: Sequences) -> tuple[Array, Array]:
    """Return filtered states and the log-likelihood of each period given those before.

    Parameters
    ----------
    model : PoissonHmm
    sequences : Sequences

    Returns
    -------
    states : (sequences, periods, states)
        Probability of each state by what was counted up to the period, with it; 0 behind the end.
    logs : (sequences, periods)
        0 behind the end.
    """
    data = _Data(sequences)
    chances = data.emissions(model.rates)
    shape = sequences.counts.shape
    shares, logs = np.zeros((*shape, len(model.rates))), np.zeros(shape)
    for period in range(shape[1]):
        alive = data.alive[period]
        prior = (
            shares[:alive, period - 1] @ model.transitions
            if period
            else np.broadcast_to(model.start, (alive, len(model.rates)))
        )
        joint = prior * chances[data.codes[period, :alive]]
        scale = joint.sum(axis=1)
        shares[:alive, period] = joint / scale[:, None]
        logs[:alive, period] = np.log(scale)
    return shares, logs


def filtered(model: PoissonHmm, counts: Counts) -> Array:
    """Return the filtered states after each count of one sequence, (periods, states)."""
    shares, _ = log_likelihoods(model, Sequences(counts[None, :], np.ones(1)))
    return np.asarray(shares[0])
