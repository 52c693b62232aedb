"""What every model type is given and what it gives back.

A type is a class with the attributes and the `fit` method of `Estimator`. It sees prepared rows
through `Training` and returns a `Fitted`: plain values and SQL expressions, nothing that needs
Python afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import duckdb
import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from martlet.encoding import Encoding
from martlet.errors import MartletError
from martlet.option_values import Candidates, Range
from martlet.options import Option, Options
from martlet.preprocessing import Preparation
from martlet.schema import Feature
from martlet.split import HASH, SPLIT
from martlet.sqltext import cast, identifier, render, text

__all__ = [
    "Estimator",
    "Explanation",
    "Fitted",
    "Iteration",
    "Label",
    "Part",
    "Previous",
    "Scoring",
    "Step",
    "Task",
    "Training",
]

#: Named expressions over the step before, or a query of its own: see `Explanation`.
Step = Mapping[str, exp.Expr] | str

Task = Literal["regression", "classification", "clustering", "decomposition", "transform", "custom"]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Label:
    """The label column.

    Attributes
    ----------
    name, type
        As in the training query, the type as DuckDB writes it.
    classes
        For classification: the classes as text, ascending in the label's own order. The positive
        class of two is the second.
    """

    name: str
    type: str
    classes: tuple[str, ...] = ()

    def literal(self, place: int) -> exp.Expr:
        """Return the class at a place as a constant of the label's type."""
        return cast(text(self.classes[place]), self.type)


@dataclass(frozen=True)
class Iteration:
    """One row of ML.TRAINING_INFO."""

    iteration: int
    loss: float | None = None
    eval_loss: float | None = None
    learning_rate: float | None = None
    duration_ms: int | None = None
    cluster_info: tuple[tuple[int, float, int], ...] | None = None
    training_run: int = 0


@dataclass(frozen=True)
class Part:
    """A companion table ``<model>__<name>``: one part of a fitted model as rows.

    Attributes
    ----------
    columns
        DuckDB type by column name. ``model_version`` is added in front.
    rows
        Plain Python values, or a pyarrow Table with the same columns.
    """

    columns: Mapping[str, str]
    rows: Any


@dataclass(frozen=True)
class Scoring:
    """The model as SQL over the raw columns.

    Attributes
    ----------
    output
        What the last step makes: ``score`` (DOUBLE), ``probability`` (DOUBLE, of the second of two
        classes), ``probabilities`` (DOUBLE[], classes ascending), ``distances`` (DOUBLE[] to each
        centroid), ``components`` (DOUBLE[]). None for a model without enough data.
    steps
        Named expressions, computed one step after the other; each sees the raw columns and what
        the steps before it named, all through `martlet.sqltext.column`. Names begin with
        `martlet.sqltext.PREFIX`; the last step names PREFIX + output.
    """

    output: str | None
    steps: tuple[Mapping[str, exp.Expr], ...] = ()

    @cached_property
    def written(self) -> tuple[Mapping[str, str], ...]:
        """The steps as text, written once: several functions begin with them."""
        return tuple({name: render(value) for name, value in step.items()} for step in self.steps)


@dataclass(frozen=True)
class Explanation:
    """Attributions of a prediction to the inputs, exact.

    Attributes
    ----------
    baselines
        Prediction without any input: one for regression and two classes, else one a class.
    attributions
        For each baseline, the share of each input in SQL; baseline and shares add up to the
        score before any link function (log-odds).
    steps
        Steps that the shares need, as in `Scoring`. A text is common table expressions that read
        ``{before}`` and companion tables, ``{part:name}``, and end with ``{here}``.
    rows
        Most rows that a global explanation averages over, drawn with a fixed seed; None is all.
    parts
        Companion tables that the steps read.
    """

    baselines: tuple[float, ...]
    attributions: tuple[Mapping[str, exp.Expr], ...]
    steps: tuple[Step, ...] = ()
    rows: int | None = None
    parts: Mapping[str, Part] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """A fitted model.

    Attributes
    ----------
    parameters
        Everything learned, as plain JSON values.
    scoring
        The model as SQL.
    training_info
        One entry an iteration.
    parts
        Companion tables by name.
    functions
        Further stored functions by name: everything after ``create macro <name>``, with
        ``{part:<name>}`` for the rows of a companion table (this version's) and ``{predict}`` for
        the name of this version's predict function.
    metrics, baseline_metrics
        For custom types that cannot say them in a function ``evaluate``, or not of the baseline.
    explanation
        For types that explain themselves.
    notices
        Sentences for the log.
    python
        Python's own answer for encoded rows, in the shape of the scoring's output; the fit
        compares the two on evaluation rows and records the largest difference.
    """

    parameters: Mapping[str, Any]
    scoring: Scoring
    training_info: Sequence[Iteration] = ()
    parts: Mapping[str, Part] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    baseline_metrics: Mapping[str, float | None] = field(default_factory=dict)
    explanation: Explanation | None = None
    notices: Sequence[str] = ()
    python: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Previous:
    """The champion that a new version may replace: for what must keep its meaning (cluster ids).

    A type that uses it writes ``previous_version`` into its parameters, so that the fit can be
    repeated.

    Attributes
    ----------
    version, parameters
        Of the champion, which is of the same type.
    """

    version: int
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Training:
    """The prepared training rows of one fit.

    Attributes
    ----------
    con
        The connection, inside the caller's transaction.
    table
        Temporary table with the raw columns, the split and the row hash.
    options, features, encoding, label
        What was asked for and what was learned so far.
    rows
        Number of rows by part of the split.
    seed
        For everything random.
    previous
        The champion of the same type, if there is one.
    is_part
        Whether the fit is a part of another one: nobody reads how it went from round to round.
    """

    con: duckdb.DuckDBPyConnection
    table: str
    options: Options
    features: Sequence[Feature]
    encoding: Encoding
    label: Label | None
    rows: Mapping[str, int]
    seed: int
    previous: Previous | None = None
    is_part: bool = False

    @property
    def evaluation(self) -> str:
        """The part that metrics are computed on: ``test``, else ``eval``, else ``train``."""
        return next((part for part in ("test", "eval") if self.rows.get(part)), "train")

    def query(self, part: str) -> str:
        """Return a query of the rows of one part."""
        return f"select * from {self.table} where {SPLIT} = '{part}'"

    def divided(self, name: str, query: str) -> Training:
        """Return the training on other rows, or on these divided otherwise.

        They become a temporary table of their own, which goes with the table of all rows.

        Parameters
        ----------
        name : str
            What the name of the table ends with.
        query : str
            A query of the rows, with the split and the row hash.
        """
        table = identifier(self.table.strip('"') + f"_{name}")
        self.con.execute(
            f"create or replace temporary table {table} as select * from ({query}) order by {HASH}"
        )
        counts = self.con.execute(f"select {SPLIT}, count(*) from {table} group by 1").fetchall()
        return replace(self, table=table, rows={part: count for part, count in counts if part})

    def matrix(self, part: str) -> Any:
        """Read the encoded features of one part, in the order of the row hash."""
        return self.encoding.matrix(self.con, self.query(part), HASH)

    def dense(self, part: str) -> Vector:
        """Read the encoded features as a dense matrix, or say that they are too many."""
        if self.rows.get(part, 0) * self.encoding.width > 4e8:
            raise MartletError(
                f"{self.rows[part]:,} rows of {self.encoding.width:,} encoded columns do not fit "
                "in memory: leave out features with very many categories."
            )
        matrix = self.matrix(part)
        return np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())

    def targets(self, part: str) -> Vector:
        """Read the label of one part as numbers, in the order of the row hash.

        Classes become their place in ``label.classes``; a class that training has not seen is -1.
        """
        if self.label is None:
            raise MartletError(f"{self.options.model_type} has no label.")
        value = f"cast({identifier(self.label.name)} as double)"
        if self.label.classes:
            names = ", ".join(render(text(name)) for name in self.label.classes)
            value = f"list_position([{names}], cast({identifier(self.label.name)} as varchar))"
            value = f"cast(coalesce({value}, 0) - 1 as double)"
        return self.numbers(part, value)

    def numbers(self, part: str, expression: str) -> Vector:
        """Read one number a row, in the order of the row hash."""
        query = f"select {expression} as v from ({self.query(part)}) order by {HASH}"
        values = self.con.execute(query).fetchnumpy()["v"]
        return np.asarray(np.ma.filled(np.ma.asarray(values, float), np.nan))


class Estimator:
    """Base of the model types. A subclass sets the attributes and writes `fit`.

    Attributes
    ----------
    model_type
        Name in lower case.
    task
        What kind of answer it gives; decides the functions that every such model has.
    options
        Its options: those of `martlet.options` it takes and its own.
    max_classes
        Most classes a label may have.
    max_columns
        Most encoded columns; None: no limit. For types whose SQL holds every encoded column of a
        row side by side.
    metrics
        For custom types: the columns of the function ``evaluate``, the one that versions are
        compared by first.
    higher_is_better
        Those of ``metrics`` of which more is better.
    reads_in_order
        Whether the rows are to come in the order of their hash. Types that put them in an order of
        their own save it.
    """

    model_type: ClassVar[str]
    task: ClassVar[Task]
    options: ClassVar[tuple[Option, ...]]
    max_classes: ClassVar[int] = 1000
    max_columns: ClassVar[int | None] = None
    metrics: ClassVar[tuple[str, ...]] = ()
    higher_is_better: ClassVar[frozenset[str]] = frozenset()
    reads_in_order: ClassVar[bool] = True

    @classmethod
    def preparation(cls, options: Options) -> Preparation:
        """Say how the features are to be encoded."""
        return Preparation()

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return columns named by own options, which are not features."""
        return []

    @classmethod
    def carried_columns(cls, options: Options) -> list[str]:
        """Return the extra columns that say nothing of a row: keys, dates, labels, weights.

        No statistics of them are kept, as rows that are scored have others, or none. A custom type
        has its inputs among the extra columns and names the others.
        """
        return [] if cls.task == "custom" else cls.extra_columns(options)

    @classmethod
    def measured(cls, options: Options) -> tuple[str, ...]:
        """Return those of ``metrics`` that a model with these options has."""
        return cls.metrics

    @classmethod
    def default_search(cls) -> dict[str, Range | Candidates]:
        """Return what tuning varies when nothing is given as a range or candidates."""
        return {}

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of each companion table, for a version without enough data."""
        return {}

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return the own functions of a version without enough data: same columns, no rows.

        `martlet.scoring.functions.no_rows` writes them.
        """
        return {}

    def fit(self, training: Training) -> Fitted:
        """Learn from the training part.

        Raises
        ------
        MartletError
            If the rows cannot be learned from.
        InsufficientData
            If they are too few: the version is written empty.
        """
        raise NotImplementedError
