"""Which rows choose: the later ones of those that teach, and no visitor on both sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from martlet.churn.folds import Fold
from martlet.errors import InsufficientData
from martlet.estimators.base import Label, Training
from martlet.options import Options
from martlet.schema import find_column
from martlet.split import HASH, SPLIT
from martlet.sqltext import PREFIX, identifier

__all__ = [
    "Columns",
    "choosing_rows",
    "for_label",
    "ordinary_rows",
    "row_weight",
    "untouched",
]

#: Share of the teaching rows, the latest, that choose among candidates.
_CHOOSING_SHARE = 0.3
#: No row counts more often, however small its chance was.
_HEAVIEST = 20
_COPY = PREFIX + "copy"


class Columns:
    """Names of the columns a training set has, found once, ready for SQL.

    Parameters
    ----------
    training : Training
        With options that end in ``_col``.
    """

    def __init__(self, training: Training) -> None:
        self._training = training
        self._names = [item[0] for item in training.con.table(training.table).description]

    @property
    def options(self) -> Options:
        """The options."""
        return self._training.options

    def plain(self, option: str) -> str:
        """Return the column that an option names."""
        return find_column(self.options[option], self._names, f"{option}:")

    def __getitem__(self, option: str) -> str:
        """Quote that column."""
        return identifier(self.plain(option))


def untouched(columns: Columns) -> str:
    """Write that the shop did not step in at a moment."""
    if not columns.options["treated_col"]:
        return "true"
    return f"not coalesce(cast({columns['treated_col']} as boolean), false)"


def row_weight(columns: Columns) -> str:
    """Write one over the chance with which a moment is among the rows.

    A visit that was drawn into a trial and left alone stands for those that were not left alone.
    """
    if not columns.options["propensity_col"]:
        return "cast(1 as double)"
    chance = f"cast({columns['propensity_col']} as double)"
    # greatest() passes over NULL.
    return f"case when {chance} is null then 1 else 1 / greatest({chance}, {1 / _HEAVIEST}) end"


def _weighed(rows: str, columns: Columns) -> str:
    """Repeat each teaching row by its weight, a fraction decided by the row's hash."""
    times = f"cast(floor({row_weight(columns)} + ({HASH} % 1000) / 1000.0) as bigint)"
    return (
        f"select * exclude ({_COPY}) from (select *, "
        f"unnest(range(case when {SPLIT} = 'train' then {times} else 1 end)) as {_COPY} "
        f"from {rows})"
    )


def ordinary_rows(training: Training, columns: Columns) -> Training:
    """Leave out of the teaching rows those at which the shop stepped in, and weigh the others."""
    if not columns.options["treated_col"]:
        return training
    rows = f"{training.table} where {untouched(columns)} or {SPLIT} = 'eval'"
    return training.divided("ordinary", _weighed(rows, columns))


def choosing_rows(training: Training, columns: Columns) -> Training:
    """Divide the teaching rows by time: the latest three tenths become part ``eval``.

    A visitor with rows on both sides keeps those of one, whichever a hash says. Moments at which
    the shop stepped in are among the later rows only: they tell what that changes.

    Raises
    ------
    InsufficientData
        If all rows are of one date.
    """
    date, group = columns["as_of_col"], columns["group_col"]
    rows = f"{training.table} where {SPLIT} = 'train'"
    cut = training.con.execute(
        f"select quantile_disc({date}, {1 - _CHOOSING_SHARE}), min({date}) from {rows}"
    ).fetchall()[0]
    if cut[0] is None or cut[0] <= cut[1]:
        raise InsufficientData("the training rows are of too few days to choose on later ones")
    later = f"({date} >= date '{cut[0]:%Y-%m-%d}')"
    by = f"over (partition by {group})"
    kept = (
        f"case when min({later}) {by} = max({later}) {by} then {later} "
        f"else ('0x' || substr(md5({group}::varchar), 1, 6))::bigint % 2 = 1 end"
    )
    side = (
        f"case when {kept} = {later} then case when {later} then 'eval' "
        f"when {untouched(columns)} then 'train' end end"
    )
    sided = f"(select * replace ({side} as {SPLIT}) from {rows})"
    return training.divided("selection", _weighed(sided, columns))


def for_label(fold: Fold, name: str) -> Fold:
    """Return the rows of a fold with a column of true and false as the label.

    Parameters
    ----------
    fold : Fold
        The rows.
    name : str
        The column, quoted.
    """
    label = Label(name.strip('"').replace('""', '"'), "BOOLEAN", ("false", "true"))
    training = replace(fold.training, label=label)
    shared = {key: value for key, value in fold.cache.items() if key not in ("train", "eval")}
    found = Fold(fold.name, training, fold.judged_at, shared)
    for part in ("train", "eval"):
        if not np.isin(found.targets(part), (0.0, 1.0)).all():
            raise InsufficientData(f"{name} has rows that are neither true nor false")
    return found
