"""Customer states: a hidden Markov model of how often something happens in a period.

The number of states is chosen by held-out likelihood (`martlet.states.selection`); states are in
the order of their rates, so that a number keeps its meaning after a new fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from martlet.errors import InsufficientData, MartletError
from martlet.estimators.base import Estimator, Fitted, Part, Scoring, Training
from martlet.options import COMMON, Option, Options
from martlet.schema import find_column
from martlet.scoring.functions import no_rows
from martlet.sqltext import identifier
from martlet.states.poisson_hmm import PoissonHmm, Sequences, fit_hmm, group_sequences
from martlet.states.scoring import ANSWER, evaluate_function, predict_function
from martlet.states.selection import StateScan, choose_states

__all__ = ["PoissonStates"]

Counts = NDArray[np.int64]

_STATES = {
    "state_id": "integer",
    "state_name": "varchar",
    "rate": "double",
    "start_probability": "double",
    "long_run_share": "double",
    "mean_stay_periods": "double",
}
_TRANSITIONS = {
    "from_state_id": "integer",
    "to_state_id": "integer",
    "transition_probability": "double",
}
_SCAN = {
    "state_count": "integer",
    "log_likelihood": "double",
    "bayesian_information_criterion": "double",
    "held_out_log_likelihood_per_row": "double",
    "held_out_auc": "double",
    "held_out_log_loss": "double",
    "agreeing_starts": "integer",
    "is_converged": "boolean",
    "is_chosen": "boolean",
}
_NAMES = {
    1: ("all alike",),
    2: ("quiet", "active"),
    3: ("quiet", "steady", "busy"),
    4: ("dormant", "quiet", "steady", "busy"),
    5: ("dormant", "quiet", "steady", "busy", "very busy"),
}


class PoissonStates(Estimator):
    """A hidden Markov model with Poisson emissions."""

    model_type = "poisson_hmm"
    task = "custom"
    metrics = ("log_likelihood_per_row", "log_likelihood")
    higher_is_better = frozenset({"log_likelihood_per_row", "log_likelihood"})
    options = (
        *COMMON,
        Option("sequence_col", "customer_id", "text"),
        Option("period_col", "month_start", "text"),
        Option("count_col", "purchase_day_count", "text"),
        Option("num_states", None, "integer", low=1, high=10),
        Option("min_states", 1, "integer", low=1, high=10),
        Option("max_states", 5, "integer", low=1, high=10),
        Option("starts", 12, "integer", low=1, high=1000),
        Option("held_out_periods", 3, "integer", low=0, high=100),
        Option("min_sequences", 50, "integer", low=2),
    )

    @classmethod
    def carried_columns(cls, options: Options) -> list[str]:
        """Return the sequence and the period."""
        return [options["sequence_col"], options["period_col"]]

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return the columns that make the sequences."""
        return [options["sequence_col"], options["period_col"], options["count_col"]]

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of each companion table."""
        return {"states": _STATES, "transitions": _TRANSITIONS, "scan": _SCAN}

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return the own functions of a version without enough data."""
        return {"predict": no_rows(ANSWER)}

    def fit(self, training: Training) -> Fitted:
        """Choose the number of states and fit it on all rows."""
        options = training.options
        sequence, period, counts = _read(training)
        generator = np.random.default_rng(training.seed)
        low, high = options["min_states"], options["max_states"]
        if options["num_states"]:
            low = high = options["num_states"]
        if low > high:
            raise MartletError(f"max_states ({high}) is below min_states ({low}): raise it.")
        held = _held_out(period, options["held_out_periods"])
        with threadpool_limits(1):
            scan, place, reason = choose_states(
                sequence, counts, held, range(low, high + 1), generator, options["starts"]
            )
            whole = group_sequences(sequence, counts)
            model = _on_all(whole, scan[place], generator, options["starts"])
        states = len(model.rates)
        names = _NAMES.get(states) or tuple(f"state {i}" for i in range(1, states + 1))
        columns = _columns(training)
        return Fitted(
            {
                "start": model.start.tolist(),
                "transitions": model.transitions.tolist(),
                "rates": model.rates.tolist(),
                "state_names": list(names),
                "log_likelihood": model.log_likelihood,
                "sequences": int(whole.weights.sum()),
                "different_sequences": len(whole.weights),
                "choice": reason,
            },
            Scoring(None),
            parts={
                "states": Part(_STATES, _state_rows(model, names)),
                "transitions": Part(
                    _TRANSITIONS,
                    [
                        (i + 1, j + 1, float(model.transitions[i, j]))
                        for i in range(states)
                        for j in range(states)
                    ],
                ),
                "scan": Part(_SCAN, [_scan_row(item, item is scan[place]) for item in scan]),
            },
            functions={
                "predict": predict_function(model, names, *columns),
                "evaluate": evaluate_function(),
            },
            baseline_metrics=_baseline(counts),
            notices=[f"{states} states: {reason}"],
        )


def _columns(training: Training) -> tuple[str, str, str]:
    names = [item[0] for item in training.con.table(training.table).description]
    options = training.options
    one, two, three = (
        find_column(options[option], names, option)
        for option in ("sequence_col", "period_col", "count_col")
    )
    return one, two, three


def _read(training: Training) -> tuple[Counts, Counts, Counts]:
    """Read sequence and period as ranks and the counts, in the order of the sequences."""
    one, two, three = (identifier(name) for name in _columns(training))
    found = training.con.execute(
        f"select dense_rank() over (order by {one}) as s, dense_rank() over (order by {two}) as p, "
        f"cast({three} as double) as c from {training.table} order by 1, 2"
    ).fetchnumpy()
    sequence, period = (np.asarray(found[name], dtype=np.int64) for name in ("s", "p"))
    counts: Any = np.ma.filled(np.ma.asarray(found["c"], dtype=float), np.nan)
    wrong = ~((counts >= 0) & (counts < 1e9) & (counts == np.floor(counts)))
    if wrong.any():
        raise MartletError(
            f"poisson_hmm counts things: {three} must be a whole number from 0 up, "
            f"{int(wrong.sum())} rows have something else (the first: {counts[wrong][0]})."
        )
    sequences = len(np.unique(sequence))
    if sequences < training.options["min_sequences"]:
        raise InsufficientData(
            f"{sequences} sequences, at least {training.options['min_sequences']} are needed "
            "(min_sequences)"
        )
    if counts.max() == 0:
        raise InsufficientData("nothing was ever counted: every row is 0")
    if ((sequence[1:] == sequence[:-1]) & (period[1:] == period[:-1])).any():
        raise MartletError(f"poisson_hmm needs one row a sequence and period: {one}, {two}.")
    return sequence, period, counts.astype(np.int64)


def _held_out(period: Counts, wanted: int) -> NDArray[np.bool_]:
    """Hold out the last periods, when at least twice as many are left to learn from."""
    last = int(period.max())
    return np.asarray((period > last - wanted) & (last >= 3 * wanted))


def _on_all(
    whole: Sequences, chosen: StateScan, generator: np.random.Generator, starts: int
) -> PoissonHmm:
    """Fit the chosen number on all rows, from the fit on the earlier ones and from new starts."""
    return fit_hmm(
        whole, len(chosen.model.rates), generator, max(1, starts // 2), begin=chosen.model
    )


def _state_rows(model: PoissonHmm, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    # Shares after many periods; a power is also right where a state cannot be left.
    long_run = model.start @ np.linalg.matrix_power(model.transitions, 2**14)
    stays = 1 - np.diag(model.transitions)
    return [
        (
            place + 1,
            name,
            float(model.rates[place]),
            float(model.start[place]),
            float(long_run[place]),
            float(1 / stays[place]) if stays[place] > 1e-9 else None,
        )
        for place, name in enumerate(names)
    ]


def _scan_row(item: StateScan, chosen: bool) -> tuple[Any, ...]:
    values = (item.model.log_likelihood, item.bic, item.held_out, item.auc, item.log_loss)
    finite = [float(value) if math.isfinite(value) else None for value in values]
    model = item.model
    return (len(model.rates), *finite, model.starts_agreeing, model.converged, chosen)


def _baseline(counts: Counts) -> dict[str, float | None]:
    """Return the log-likelihood of one rate for everybody and always."""
    mean = float(counts.mean())
    values, times = np.unique(counts, return_counts=True)
    logs = [value * math.log(mean) - mean - math.lgamma(value + 1) for value in values.tolist()]
    total = float(np.dot(logs, times))
    return {"log_likelihood_per_row": total / len(counts), "log_likelihood": total}
