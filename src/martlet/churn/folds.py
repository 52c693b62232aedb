"""Which cut-offs train, choose and test.

The test cut-off comes with the rows (the split). Among the rest the latest chooses: candidates are
fitted on the cut-offs whose label window was over by then, their settings, calibration and the
champion are chosen on it, and then all are fitted again on everything before the test.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.encoding import Encoding
from martlet.estimators import find_estimator
from martlet.estimators.base import Fitted, Training, Vector
from martlet.options import parse_options
from martlet.preprocessing import Preparation, learn_encoding
from martlet.schema import Feature, find_column
from martlet.split import HASH, SPLIT
from martlet.sqltext import identifier, render

__all__ = ["Fold", "Sub", "drawn_notice", "make_folds", "thinned"]


@dataclass(frozen=True)
class Sub:
    """A fitted model of a registered type, and its answers for the rows that are judged.

    Attributes
    ----------
    fitted
        What the type gave.
    values
        Its probabilities on the judged rows, in the order of the row hash; None without any.
    """

    fitted: Fitted
    values: Vector


@dataclass(frozen=True)
class _Rows(Training):
    """Training rows that have been read already, or some of them."""

    matrices: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Vector] = field(default_factory=dict)

    def matrix(self, part: str) -> Any:
        """Return the encoded features of one part."""
        return self.matrices[part]

    def targets(self, part: str) -> Vector:
        """Return the label of one part."""
        return self.labels[part]


@dataclass(frozen=True)
class Fold:
    """Rows that train and rows that judge.

    Attributes
    ----------
    name
        ``selection`` or ``test``.
    training
        The rows, with part ``train`` and part ``eval``.
    judged_at
        The cut-off of the judged rows; None when customers were held out instead of time.
    cache
        What has been read, so that candidates that see the same numbers share them.
    """

    name: str
    training: Training
    judged_at: datetime.date | None
    cache: dict[Any, Any] = field(default_factory=dict)

    def fit(
        self,
        model_type: str,
        features: Sequence[Feature],
        settings: Mapping[str, Any],
        within: NDArray[np.bool_] | None = None,
        labels: Vector | None = None,
    ) -> Sub:
        """Fit a registered type on the rows that train.

        Parameters
        ----------
        model_type : str
            Of the registry.
        features : sequence of Feature
            What it may look at.
        settings : mapping
            Options of the type.
        within : ndarray of shape (training rows,), optional
            Which training rows to learn from.
        labels : ndarray of shape (training rows,), optional
            Other labels than the rows' own.
        """
        estimator = find_estimator(model_type)
        given = {"model_type": model_type, "seed": self.training.seed, **settings}
        options = parse_options(model_type, given, estimator.options)
        encoding, matrices = self._encoded(features, estimator.preparation(options))
        learned = matrices["train"]
        wanted = self.targets("train") if labels is None else labels
        if within is not None:
            learned, wanted = learned[within], wanted[within]
        whole = self.training
        rows = _Rows(
            whole.con, whole.table, options, features, encoding, whole.label,
            {"train": len(wanted)}, whole.seed, is_part=True,
            matrices={"train": learned}, labels={"train": wanted},
        )  # fmt: skip
        fitted = estimator.fit(rows)
        assert fitted.python is not None
        return Sub(fitted, np.asarray(fitted.python(matrices["eval"])))

    def _encoded(
        self, features: Sequence[Feature], preparation: Preparation
    ) -> tuple[Encoding, dict[str, Any]]:
        key = (preparation, tuple((item.name, self._text(item)) for item in features))
        if key not in self.cache:
            con, rows = self.training.con, self.training
            encoding, _, _ = learn_encoding(con, rows.query("train"), features, preparation)
            read = {
                part: encoding.matrix(con, rows.query(part), HASH) for part in ("train", "eval")
            }
            self.cache[key] = (encoding, read)
        found: tuple[Encoding, dict[str, Any]] = self.cache[key]
        return found

    def _text(self, feature: Feature) -> str:
        """Return a feature as SQL; every candidate asks for the same ones."""
        expression = feature.expression
        if ("sql", id(expression)) not in self.cache:
            # Kept with its expression, so that the identity stays that one's.
            self.cache["sql", id(expression)] = (expression, render(expression))
        return str(self.cache["sql", id(expression)][1])

    def texts(self, part: str, name: str) -> NDArray[np.object_]:
        """Return a column of one part as text, NULL as the empty text."""
        found = self.training.con.execute(
            f"select coalesce(cast({identifier(name)} as varchar), '') "
            f"from ({self.training.query(part)}) order by {HASH}"
        ).fetchall()
        return np.array([row[0] for row in found], dtype=object)

    def targets(self, part: str = "eval") -> Vector:
        """Return the labels of one part: 1 for churned."""
        if part not in self.cache:
            self.cache[part] = self.training.targets(part)
        found: Vector = self.cache[part]
        return found

    @property
    def count(self) -> int:
        """How many rows train."""
        return self.training.rows["train"]


def thinned(training: Training, most: int, group: str | None = None) -> Training:
    """Draw about so many of the rows that train, and keep all that judge.

    Parameters
    ----------
    training : Training
        The rows.
    most : int
        Up to so many all are kept.
    group : str, optional
        Column, quoted, whose rows are drawn together; else each row by itself.
    """
    count = training.rows["train"]
    if count <= most:
        return training
    # The front of a hash: what else is decided by one looks at its end.
    place = f"cast({HASH} as double) / {2**64}e0"
    if group:
        place = f"('0x' || substr(md5(cast({group} as varchar)), 1, 12))::bigint / {16**12}e0"
    return training.divided(
        "thinned",
        f"select * from {training.table} where {SPLIT} <> 'train' or {place} < {most / count!r}",
    )


def drawn_notice(training: Training, used: Training) -> list[str]:
    """Say how many rows were drawn, if not all were used."""
    if used is training:
        return []
    drawn, count = used.rows.get("train", 0), training.rows["train"]
    return [f"{drawn:,} of {count:,} training rows were drawn (max_training_rows)"]


def make_folds(training: Training, cutoff: str, until: str) -> tuple[Fold, Fold]:
    """Divide the training rows for choosing, and keep the whole for the test.

    Parameters
    ----------
    training : Training
        With the test cut-off as part ``eval``.
    cutoff, until : str
        Columns with the cut-off and the end of its label window.

    Returns
    -------
    selection, test : Fold
        Without two cut-offs far enough apart, three tenths of the customers choose instead.
    """
    names = [item[0] for item in training.con.table(training.table).description]
    date = identifier(find_column(cutoff, names, "cutoff_col"))
    end = identifier(find_column(until, names, "label_until_col"))
    rows = f"from {training.table} where {SPLIT} = 'train'"
    latest, first_end = training.con.execute(f"select max({date}), min({end}) {rows}").fetchall()[0]
    judged_at = None
    case = f"case when {HASH} % 10 < 3 then 'eval' else 'train' end"
    if latest is not None and first_end <= latest:
        judged_at = latest
        day = f"date '{latest:%Y-%m-%d}'"
        case = f"case when {date} = {day} then 'eval' when {end} <= {day} then 'train' end"
    selection = training.divided("selection", f"select * replace ({case} as {SPLIT}) {rows}")
    tested = None
    if training.rows.get("eval"):
        tested = training.con.execute(
            f"select max({date}) from {training.table} where {SPLIT} = 'eval'"
        ).fetchall()[0][0]
    return Fold("selection", selection, judged_at), Fold("test", training, tested)
