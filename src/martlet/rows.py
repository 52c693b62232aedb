"""The rows of one fit: the training query, its label, its split, its fingerprint.

The prepared rows are a temporary table in the order of the row hash, so that a fit does not depend
on the order in which the query happens to return them; for types that put their rows in an order of
their own, they are in any order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
from sqlglot import exp

from martlet import __version__
from martlet.errors import MartletError
from martlet.estimators.base import Estimator, Label
from martlet.leakage import refuse_later_columns
from martlet.options import Options
from martlet.schema import Feature, check_names, features_of, find_column, read_features
from martlet.split import HASH, SPLIT, Split, plan_split, row_hash
from martlet.sqltext import identifier
from martlet.transform import TransformedColumn, learn_transform

__all__ = ["PreparedRows", "fingerprint", "prepare_rows", "read_columns"]

_WHOLE = {
    "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger",
    "ubigint", "uhugeint", "bignum", "decimal", "float", "double",
}  # fmt: skip
_CLASS_TYPES = _WHOLE | {"varchar", "boolean", "date", "enum", "uuid", "time", "timestamp"}


@dataclass(frozen=True)
class PreparedRows:
    """Rows ready for a fit.

    Attributes
    ----------
    table
        Temporary table: raw columns, row hash, part of the split.
    columns
        Name and DuckDB type of the raw columns.
    features
        The input columns.
    label
        The label with its classes, for supervised types.
    split
        How the rows are divided.
    counts
        Rows by part.
    shortage
        Why there is too little to learn from; empty when there is enough.
    notices
        Sentences for the log.
    transform
        The columns that TRANSFORM makes, by name, over the raw columns.
    read
        Columns that the type reads besides the features.
    """

    table: str
    columns: Sequence[tuple[str, Any]]
    features: Sequence[Feature]
    label: Label | None
    split: Split
    counts: dict[str, int]
    shortage: str
    notices: tuple[str, ...]
    transform: Mapping[str, exp.Expr] = field(default_factory=dict)
    read: Sequence[str] = ()

    def drop(self, con: duckdb.DuckDBPyConnection) -> None:
        """Drop the table and what the fit made of it, whose names begin with its name."""
        found = con.execute(
            "select table_name from duckdb_tables() where temporary and starts_with(table_name, ?)",
            [self.table.strip('"')],
        ).fetchall()
        for (name,) in found:
            con.execute(f"drop table temp.{identifier(name)}")


def read_columns(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, Any]]:
    """Return name and type of each column of a query, refusing names that cannot be told apart."""
    relation = con.query(sql)
    check_names(relation.columns)
    return list(zip(relation.columns, relation.types, strict=True))


def fingerprint(
    con: duckdb.DuckDBPyConnection, sql: str, columns: Sequence[tuple[str, Any]], options: Options
) -> str:
    """Return a text that changes with anything a fit depends on.

    Five parts, so that one can see which changed: rows, columns, query, options and package. The
    rows are hashed inside DuckDB, in any order.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the rows are.
    sql : str
        The training query.
    columns : sequence of (str, DuckDBPyType)
        Its columns.
    options : Options
        Those of the model.
    """
    listed = ", ".join(identifier(name) for name, _ in columns)
    rows, total, mixed = con.execute(
        f"select count(*), sum(hash({listed})), bit_xor(hash({listed})) from (\n{sql}\n)"
    ).fetchall()[0]
    schema = ", ".join(f"{name} {kind}" for name, kind in columns)
    parts = {
        "rows": f"{rows} {total} {mixed}",
        "columns": schema,
        "query": " ".join(sql.split()),
        "options": options.fitting(),
    }
    short = [
        f"{name}:{hashlib.sha256(part.encode()).hexdigest()[:16]}" for name, part in parts.items()
    ]
    return "/".join([*short, f"martlet:{__version__}"])


def prepare_rows(
    con: duckdb.DuckDBPyConnection,
    sql: str,
    name: str,
    estimator: Estimator,
    options: Options,
) -> PreparedRows:
    """Run the training query and make its rows ready.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the rows are.
    sql : str
        The training query.
    name : str
        Of the model, for the name of the temporary table.
    estimator : Estimator
        The model type.
    options : Options
        Those of the model.

    Returns
    -------
    PreparedRows
        The rows and what is known about them.

    Raises
    ------
    MartletError
        If the label or another named column is missing or of the wrong kind.
    """
    columns = read_columns(con, sql)
    names = [column for column, _ in columns]
    supervised = estimator.task in ("regression", "classification")
    label_name = _label_name(options, names) if supervised else None
    roles = [find_column(item, names, "entity_cols:") for item in options["entity_cols"]]
    for option in ("as_of_col", "data_split_col"):
        if options.get(option):
            roles.append(find_column(options[option], names, option))
    read = [
        find_column(item, names, f"{options.model_type} option:")
        for item in estimator.extra_columns(options)
    ]
    roles += read
    if label_name in roles:
        raise MartletError(
            f"Column '{label_name}' is the label and cannot have another purpose as well."
        )
    raw, table = f'"__martlet_raw_{name}"', f'"__martlet_rows_{name}"'
    con.execute(f"create or replace temporary table {raw} as select * from (\n{sql}\n)")
    notices: list[str] = []
    kept = "true"
    if label_name is not None:
        kept = _usable_label(con, raw, label_name, dict(columns)[label_name], estimator, notices)
        reserved = [f"predicted_{label_name}", f"predicted_{label_name}_probs"]
        for column in names:
            if column.lower() in [item.lower() for item in reserved]:
                raise MartletError(
                    f"Column '{column}' has the name of the prediction: rename it or leave it out."
                )
    rows = int(con.execute(f"select count(*) from {raw} where {kept}").fetchall()[0][0])
    split = plan_split(options, rows, columns, bool(options.get("num_trials")))
    # To hash and sort the rows takes longer than some fits.
    ordered = estimator.reads_in_order or HASH in split.expression
    hashed = row_hash(names, options["seed"]) if ordered else "cast(0 as ubigint)"
    con.execute(
        f"create or replace temporary table {table} as "
        f"select *, {split.expression} as {SPLIT} from ("
        f"select *, {hashed} as {HASH} from {raw} where {kept})"
        + (f" order by {HASH}" if ordered else "")
    )
    con.execute(f"drop table {raw}")
    if options.get("as_of_col"):
        refuse_later_columns(con, table, options["as_of_col"], columns, _dated_otherwise(options))
    counts = dict(con.execute(f"select {SPLIT}, count(*) from {table} group by 1").fetchall())
    reserved_columns = [*roles, *([label_name] if label_name else [])]
    made: list[TransformedColumn] = []
    if options.get("transform") and counts.get("train"):
        query = f"select * exclude ({HASH}, {SPLIT}) from {table} where {SPLIT} = 'train'"
        made = learn_transform(con, query, options["transform"], names)
        features = _transformed_features(made, reserved_columns, label_name, options)
    else:
        features = read_features(columns, reserved_columns, estimator.task != "custom")
    label, shortage = None, "" if counts.get("train") else "there are no training rows"
    if label_name is not None:
        label = Label(label_name, str(dict(columns)[label_name]))
        if estimator.task == "classification":
            label, shortage = _with_classes(con, table, label, estimator, counts)
    hidden = {name.lower() for name in reserved_columns}
    transform = {c.name: c.expression for c in made if c.name.lower() not in hidden}
    return PreparedRows(
        table, columns, features, label, split, counts, shortage, tuple(notices), transform, read
    )


def _dated_otherwise(options: Options) -> list[str]:
    """Columns that may be later than the as-of date: the label and what only splits."""
    return [*options.get("input_label_cols", ()), *filter(None, [options.get("data_split_col")])]


def _transformed_features(
    made: Sequence[TransformedColumn],
    reserved: Sequence[str],
    label: str | None,
    options: Options,
) -> list[Feature]:
    """Return the features that a TRANSFORM makes; label and split column must pass through."""
    passed = {item.name.lower() for item in made if item.is_raw}
    for name in (label, options.get("data_split_col"), options.get("kmeans_init_col")):
        if name is not None and name.lower() not in passed:
            raise MartletError(f"transform must pass on the column '{name}' as it is.")
    hidden = {name.lower() for name in reserved}
    features = [
        feature
        for item in made
        if item.name.lower() not in hidden
        for feature in features_of(item.name, item.type, item.expression)
    ]
    if not features:
        raise MartletError("transform makes no feature.")
    check_names([feature.name for feature in features])
    return features


def _label_name(options: Options, names: Sequence[str]) -> str:
    listed = options["input_label_cols"]
    if len(listed) > 1:
        raise MartletError(
            f"input_label_cols takes one column, not {len(listed)}: make one model a label."
        )
    if not listed:
        if "label" not in [name.lower() for name in names]:
            raise MartletError(
                f"{options.model_type} needs a label: name it in input_label_cols, "
                "or call the column 'label'."
            )
        return find_column("label", names, "input_label_cols")
    return find_column(listed[0], names, "input_label_cols")


def _usable_label(
    con: duckdb.DuckDBPyConnection,
    raw: str,
    label: str,
    kind: Any,
    estimator: Estimator,
    notices: list[str],
) -> str:
    """Return the condition of rows with a label, and note how many are left out."""
    base = str(kind.id).lower()
    allowed = _WHOLE if estimator.task == "regression" else _CLASS_TYPES
    if base not in allowed:
        raise MartletError(
            f"The label '{label}' is {kind}, which {estimator.model_type} cannot learn: "
            + ("it must be a number." if estimator.task == "regression" else "cast it to text.")
        )
    condition = f"{identifier(label)} is not null"
    if base in ("float", "double"):
        condition += f" and isfinite({identifier(label)})"
    dropped = con.execute(f"select count(*) from {raw} where not ({condition})").fetchall()[0][0]
    if dropped:
        notices.append(f"{dropped} rows without a (finite) label are left out")
    return condition


def _with_classes(
    con: duckdb.DuckDBPyConnection,
    table: str,
    label: Label,
    estimator: Estimator,
    counts: dict[str, int],
) -> tuple[Label, str]:
    name = identifier(label.name)
    found = con.execute(
        f"select cast({name} as varchar) from {table} where {SPLIT} = 'train' "
        f"group by {name} order by {name} limit {estimator.max_classes + 1}"
    ).fetchall()
    classes = tuple(str(value) for (value,) in found)
    if not classes:
        return label, "there are no training rows with a label"
    if len(classes) == 1:
        return label, f"every training row has the same label, {label.name} = {classes[0]}"
    if len(classes) > estimator.max_classes:
        raise MartletError(
            f"The label '{label.name}' has more than {estimator.max_classes} classes, the most "
            f"{estimator.model_type} takes: group them, or fit a regression."
        )
    if len(classes) == counts["train"] and len(classes) > 2:
        raise MartletError(
            f"The label '{label.name}' has {len(classes)} classes in as many rows: "
            "there is nothing to learn a class from."
        )
    return Label(label.name, label.type, classes), ""
