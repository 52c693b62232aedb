"""Which rows train, which evaluate and which test: BigQuery ML's split methods as SQL.

RANDOM is a hash of the row's content (and the seed), so the same data gives the same split on any
machine and in any order of rows, and a row keeps its side when others come or go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from martlet.errors import MartletError
from martlet.options import Options
from martlet.schema import find_column
from martlet.sqltext import PREFIX, identifier

__all__ = ["HASH", "SPLIT", "Split", "plan_split", "row_hash"]

#: Column of the prepared rows with the hash of the row's content.
HASH = PREFIX + "hash"
#: Column of the prepared rows with ``train``, ``eval`` or ``test``.
SPLIT = PREFIX + "split"

_SMALL, _LARGE, _LARGE_EVALUATION = 500, 50_000, 10_000


@dataclass(frozen=True)
class Split:
    """How the rows are divided.

    Attributes
    ----------
    method
        The method that holds, AUTO_SPLIT resolved to what it came to.
    expression
        DuckDB SQL that gives ``train``, ``eval`` or ``test`` for a row with its hash.
    column
        The split column, if any; never a feature.
    evaluation_fraction, test_fraction
        The shares asked for; 0 without such a part.
    """

    method: str
    expression: str
    column: str | None = None
    evaluation_fraction: float = 0.0
    test_fraction: float = 0.0


def row_hash(names: Sequence[str], seed: int) -> str:
    """Return SQL for a 64-bit hash of a row's content.

    It is made with md5 of the row as text, not with ``hash()``, which may change between versions
    of DuckDB; columns are sorted by name, so their order does not matter.

    Parameters
    ----------
    names : sequence of str
        All columns of the row.
    seed : int
        Another seed gives another split.
    """
    fields = ", ".join(
        f"{identifier(name)} := {identifier(name)}" for name in sorted(names, key=str.lower)
    )
    return f"md5_number_lower(concat('{int(seed)}|', cast(struct_pack({fields}) as varchar)))"


def plan_split(
    options: Options, rows: int, columns: Sequence[tuple[str, Any]], tuning: bool = False
) -> Split:
    """Choose the split for a training query.

    Parameters
    ----------
    options : Options
        Those of the model; types without a split have no ``data_split_method``.
    rows : int
        Number of rows with a label.
    columns : sequence of (str, DuckDBPyType)
        The query's columns.
    tuning : bool
        Whether hyper-parameters are searched, which needs a test part.

    Returns
    -------
    Split
        Method and SQL.

    Raises
    ------
    MartletError
        If the split column is missing or has the wrong type, or the fractions leave no row.
    """
    method = options.get("data_split_method", "NO_SPLIT")
    evaluation = round(float(options.get("data_split_eval_fraction", 0.0)), 2)
    test = round(float(options.get("data_split_test_fraction", 0.0)), 2)
    if evaluation + test >= 1:
        raise MartletError(
            "data_split_eval_fraction and data_split_test_fraction leave no row to train on: "
            "their sum must be below 1."
        )
    if method == "AUTO_SPLIT":
        return _automatic(rows, tuning)
    if method == "NO_SPLIT":
        return Split("NO_SPLIT", "'train'")
    if method == "RANDOM":
        return _random(evaluation, test)
    if not options.get("data_split_col"):
        raise MartletError(f"data_split_method '{method}' needs data_split_col: name the column.")
    names = [name for name, _ in columns]
    name = find_column(options["data_split_col"], names, "data_split_col")
    kind = str(dict(columns)[name].id).lower()
    if method == "CUSTOM":
        return _custom(name, kind, tuning)
    # Rows of one value stay on one side: a day that is cut in two would leak.
    first = round(rows * (1 - evaluation - test))
    second = round(rows * (1 - test))
    rank = f"rank() over (order by {identifier(name)} asc nulls first)"
    case = f"case when {rank} <= {first} or {identifier(name)} is null then 'train'"
    case += f" when {rank} <= {second} then 'eval' else 'test' end"
    return Split("SEQ", case, name, evaluation, test)


def _automatic(rows: int, tuning: bool) -> Split:
    if rows < _SMALL or (tuning and rows <= _SMALL):
        return Split("NO_SPLIT", "'train'")
    if tuning:
        return _random(0.1, 0.1)
    if rows <= _LARGE:
        return _random(0.2, 0.0)
    rank = f"row_number() over (order by {HASH})"
    case = f"case when {rank} <= {_LARGE_EVALUATION} then 'eval' else 'train' end"
    return Split("RANDOM", case, None, _LARGE_EVALUATION / rows)


def _random(evaluation: float, test: float) -> Split:
    # Hundredths, so that a share of .2 is a share of .2 whatever the floating point.
    first, second = round(evaluation * 100), round((evaluation + test) * 100)
    case = f"case when {HASH} % 100 < {first} then 'eval'"
    case += f" when {HASH} % 100 < {second} then 'test' else 'train' end"
    return Split("RANDOM", case, None, evaluation, test)


def _custom(name: str, kind: str, tuning: bool) -> Split:
    quoted = identifier(name)
    if kind == "boolean" and not tuning:
        case = f"case when coalesce({quoted}, true) then 'eval' else 'train' end"
        return Split("CUSTOM", case, name)
    if kind == "varchar" and tuning:
        known = f"lower({quoted}) in ('train', 'eval', 'test')"
        message = f"data_split_col {name} must hold TRAIN, EVAL or TEST only"
        case = f"case when {known} then lower({quoted}) else error('{message}') end"
        return Split("CUSTOM", case, name)
    needed = "a STRING column of TRAIN, EVAL and TEST" if tuning else "a BOOL column"
    raise MartletError(
        f"data_split_method 'CUSTOM' needs {needed}; '{name}' is {kind.upper()}: "
        "compute it in the training query."
    )
