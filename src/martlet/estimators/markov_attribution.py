"""Credit for orders by the removal effect of each channel in a first-order Markov chain.

References
----------
Anderl, Becker, von Wangenheim and Schumann (2016), "Mapping the customer journey: lessons learned
from graph-based online attribution modeling", International Journal of Research in Marketing 33(3),
sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from martlet.errors import InsufficientData, MartletError
from martlet.estimators.base import Estimator, Fitted, Part, Scoring, Training
from martlet.options import COMMON, SPLITTING, Option, Options
from martlet.scoring.functions import no_rows
from martlet.sqltext import identifier, render, text

__all__ = ["MarkovAttribution", "removal_effects"]

Array = NDArray[np.float64]

_EFFECTS = {
    "channel": "varchar",
    "removal_effect": "double",
    "conversion_share_without": "double",
    "touch_count": "bigint",
}
_TRANSITIONS = {
    "from_state": "varchar",
    "to_state": "varchar",
    "transition_count": "bigint",
    "transition_probability": "double",
}
#: States that are no channels; a channel of such a name would be taken for one of them.
_START, _CONVERSION, _NONE = "(start)", "(conversion)", "(none)"


@dataclass(frozen=True)
class _Chain:
    """Counts of steps between states: channels, then what a path ends in."""

    channels: Sequence[str]
    counts: Array

    @property
    def probabilities(self) -> Array:
        """Rows: start, then channels. Columns: channels, then conversion and none."""
        totals = np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        return np.asarray(self.counts / totals)


def removal_effects(probabilities: Array) -> tuple[float, Array]:
    """Return how likely a path converts, and by which share less without each channel.

    Parameters
    ----------
    probabilities : numpy.ndarray of shape (channels + 1, channels + 2)
        Of a step from start or a channel (rows) to a channel, conversion or none (columns).

    Returns
    -------
    conversion : float
        Probability that a path from the start ends in a conversion.
    effects : numpy.ndarray of shape (channels,)
        1 - conversion without the channel / conversion. A step to a removed channel ends the path.
    """
    between, won = probabilities[1:, :-2], probabilities[1:, -2]
    start, start_won = probabilities[0, :-2], probabilities[0, -2]
    count = len(between)

    def conversion(kept: NDArray[np.bool_]) -> float:
        inner = between[np.ix_(kept, kept)]
        reached = np.linalg.solve(np.eye(int(kept.sum())) - inner, won[kept])
        return float(start[kept] @ reached + start_won)

    everything = np.ones(count, dtype=bool)
    full = conversion(everything)
    effects = np.zeros(count)
    for place in range(count):
        kept = everything.copy()
        kept[place] = False
        effects[place] = 1 - conversion(kept) / full
    return full, np.clip(effects, 0.0, 1.0)


class MarkovAttribution(Estimator):
    """First-order chain over the channels of paths; converted paths share credit by removal effect.

    Judged by the log-loss of the next step on paths it has not seen; the effects themselves are
    then computed from all paths.
    """

    model_type = "markov_attribution"
    task = "custom"
    metrics = ("log_loss",)
    options = (
        *COMMON,
        # Rows of one path belong together: no split at random.
        Option("data_split_method", "NO_SPLIT", "choice", ("NO_SPLIT", "CUSTOM", "SEQ")),
        *(option for option in SPLITTING if option.name != "data_split_method"),
        Option("path_col", "path_id", "text"),
        Option("position_col", "touch_number", "text"),
        Option("channel_col", "channel_group", "text"),
        Option("converted_col", "is_converted", "text"),
    )

    @classmethod
    def carried_columns(cls, options: Options) -> list[str]:
        """Return the path and the place in it."""
        return [options["path_col"], options["position_col"]]

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return the columns it reads."""
        return [
            options[name] for name in ("path_col", "position_col", "channel_col", "converted_col")
        ]

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of the companion tables."""
        return {"removal_effects": _EFFECTS, "transitions": _TRANSITIONS}

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return functions without rows."""
        return {"predict": no_rows({"removal_effect": "double", "markov_credit": "double"})}

    def fit(self, training: Training) -> Fitted:
        """Count the steps and take each channel away in turn."""
        channels = _channels(training)
        learned = _count(training, channels, ["train"])
        chain = _count(training, channels, list(training.rows))
        if chain.counts[:, -2].sum() == 0:
            raise InsufficientData("no path ends in a conversion")
        judged = _count(training, channels, [training.evaluation])
        conversion, effects = removal_effects(chain.probabilities)
        marginal = np.tile(learned.counts.sum(axis=0), (len(channels) + 1, 1))
        touches = chain.counts[:, :-2].sum(axis=0)
        without = conversion * (1 - effects)
        rows = zip(
            channels, effects.tolist(), without.tolist(), touches.astype(int).tolist(), strict=True
        )
        return Fitted(
            {"channels": list(channels), "effects": effects.tolist(), "conversion": conversion},
            Scoring(None),
            parts={
                "removal_effects": Part(_EFFECTS, list(rows)),
                "transitions": Part(_TRANSITIONS, _transition_rows(chain)),
            },
            functions={"predict": _predict(training.options)},
            metrics={"log_loss": _log_loss(learned.counts, judged.counts)},
            baseline_metrics={"log_loss": _log_loss(marginal, judged.counts)},
        )


def _channels(training: Training) -> list[str]:
    channel = identifier(training.options["channel_col"])
    found = training.con.execute(
        f"select cast({channel} as varchar) as name, count(*) from {training.table} "
        "group by 1 order by 1 nulls first"
    ).fetchall()
    if found and found[0][0] is None:
        raise MartletError(
            f"{training.options['channel_col']} is NULL in {found[0][1]} rows: name a channel for "
            "each touch, for instance with coalesce(channel, 'other')."
        )
    return [name for name, _ in found]


def _count(training: Training, channels: Sequence[str], parts: Sequence[str]) -> _Chain:
    """Count the steps of the paths of some parts of the split."""
    names = training.options
    path, position = identifier(names["path_col"]), identifier(names["position_col"])
    channel, converted = identifier(names["channel_col"]), identifier(names["converted_col"])
    rows = " union all ".join(f"({training.query(part)})" for part in parts)
    listed = ", ".join(render(text(name)) for name in channels)
    places = f"list_position([{listed}], cast({channel} as varchar))"
    steps = training.con.execute(
        f"with steps as (select {places} as place, coalesce(cast({converted} as boolean), false) "
        f"as won, lag({places}) over w as before, lead({places}) over w as after from ({rows}) "
        f"window w as (partition by {path} order by {position})) "
        "select coalesce(before, 0), place - 1, count(*) from steps group by all union all "
        f"select place, case when won then {len(channels)} else {len(channels) + 1} end, count(*) "
        "from steps where after is null group by all"
    ).fetchall()
    counts = np.zeros((len(channels) + 1, len(channels) + 2))
    for source, target, number in steps:
        counts[source, target] += number
    return _Chain(channels, counts)


def _log_loss(learned: Array, judged: Array) -> float | None:
    """Return the mean log-loss of the judged steps; one imagined step of each kind smooths."""
    smooth = learned + 1.0
    probabilities = smooth / smooth.sum(axis=1, keepdims=True)
    steps = judged.sum()
    return float(-(judged * np.log(probabilities)).sum() / steps) if steps else None


def _transition_rows(chain: _Chain) -> list[tuple[str, str, int, float]]:
    sources = [_START, *chain.channels]
    targets = [*chain.channels, _CONVERSION, _NONE]
    probabilities = chain.probabilities
    return [
        (sources[i], targets[j], int(chain.counts[i, j]), float(probabilities[i, j]))
        for i, j in np.argwhere(chain.counts > 0)
    ]


def _predict(options: Options) -> str:
    """Return the function that shares one credit among the touches of each path."""
    path, channel = identifier(options["path_col"]), identifier(options["channel_col"])
    share = f"sum(e.removal_effect) over (partition by r.{path})"
    return (
        "(input) as table (select {inputs:removal_effect,markov_credit}, "
        "__martlet_effect as removal_effect, __martlet_credit as markov_credit from ("
        "select r.*, e.removal_effect as __martlet_effect, "
        f"case when {share} > 0 then coalesce(e.removal_effect, 0) / {share} "
        f"else 1.0::double / count(*) over (partition by r.{path}) end as __martlet_credit "
        "from query_table(input) as r left join {part:removal_effects} as e "
        f"on cast(r.{channel} as varchar) = e.channel))"
    )
