"""What the columns of a training query are to a model.

DuckDB's types stand for BigQuery's: every whole and decimal number is numeric, TIMESTAMP (with or
without zone; both are read as UTC) is BigQuery's TIMESTAMP, and what is left is a category.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlglot import exp

from martlet.errors import MartletError
from martlet.options import nearest
from martlet.sqltext import PREFIX, ROWS, call, cast, column, text

__all__ = ["Feature", "Role", "check_names", "features_of", "find_column", "read_features"]

Role = Literal["numeric", "category", "timestamp", "members", "sparse", "vector"]

_NUMERIC = {
    "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger",
    "ubigint", "uhugeint", "float", "double", "decimal", "bignum",
}  # fmt: skip
_TIMESTAMPS = {
    "timestamp", "timestamp with time zone", "timestamp_s", "timestamp_ms", "timestamp_ns",
}  # fmt: skip
_CATEGORIES = {"boolean", "varchar", "blob", "date", "time", "enum", "uuid", "time with time zone"}


@dataclass(frozen=True)
class Feature:
    """One input column, or one field of a STRUCT column.

    Attributes
    ----------
    name
        Column name; ``<struct>_<field>`` for a field.
    type
        DuckDB type as text.
    role
        How the column is prepared.
    path
        Names that lead to the value: the column, then the fields.
    source
        For a column made by TRANSFORM: its expression over the raw columns.
    fields
        Names of place and number in the pairs of a sparse vector.
    """

    name: str
    type: str
    role: Role
    path: tuple[str, ...]
    source: exp.Expr | None = None
    fields: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The raw columns it is read from."""
        if self.source is None:
            return [self.path[0]]
        found = self.source.find_all(exp.Column)
        return list(dict.fromkeys(item.name for item in found if item.table == ROWS))

    @property
    def expression(self) -> exp.Expr:
        """The value as it stands in the rows."""
        result: exp.Expr = column(self.path[0]) if self.source is None else self.source
        for part in self.path[1:]:
            result = call("struct_extract", result, text(part))
        return result

    @property
    def as_number(self) -> exp.Expr:
        """The value as DOUBLE."""
        return cast(self.expression, "double")

    @property
    def as_text(self) -> exp.Expr:
        """The value as text, the way categories are named."""
        return cast(self.expression, "varchar")


def check_names(names: Sequence[str]) -> None:
    """Refuse column names that appear twice or that Martlet needs for itself.

    Raises
    ------
    MartletError
        Naming the column and the way out.
    """
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise MartletError(
                f"The training query has two columns named '{name}' "
                "(names differing only in case are one name): rename or drop one."
            )
        seen.add(name.lower())
        if name.lower().startswith(PREFIX):
            raise MartletError(f"Column names must not begin with {PREFIX}: rename '{name}'.")


def find_column(name: str, names: Sequence[str], purpose: str) -> str:
    """Return the column of that name as the query spells it, ignoring case.

    Raises
    ------
    MartletError
        If the query has no such column.
    """
    for candidate in names:
        if candidate.lower() == name.lower():
            return candidate
    raise MartletError(
        f"{purpose} '{name}' is not a column of the training query: {nearest(name, names)}"
    )


def read_features(
    columns: Iterable[tuple[str, Any]], leave_out: Iterable[str], required: bool = True
) -> list[Feature]:
    """List the features of a relation.

    Parameters
    ----------
    columns : iterable of (str, DuckDBPyType)
        Name and type of each column.
    leave_out : iterable of str
        Columns that are not features: label, split column, entities.
    required : bool
        Whether having none is an error.

    Returns
    -------
    list of Feature
        In the order of the columns; STRUCT columns are flattened.

    Raises
    ------
    MartletError
        If a column has a type no model can take, or there is no feature.
    """
    hidden = {name.lower() for name in leave_out}
    features: list[Feature] = []
    for name, kind in columns:
        if name.lower() not in hidden:
            features += features_of(name, kind)
    if not features and required:
        raise MartletError("The training query has no feature: every column has another purpose.")
    check_names([feature.name for feature in features])
    return features


def features_of(name: str, kind: Any, source: exp.Expr | None = None) -> list[Feature]:
    """List the features of one column; more than one for a STRUCT.

    Parameters
    ----------
    name : str
        Name of the column.
    kind : DuckDBPyType
        Its type.
    source : sqlglot expression, optional
        Its value, for a column that TRANSFORM makes.
    """
    return _features(name, kind, (name,), source)


def _features(
    name: str, kind: Any, path: tuple[str, ...], source: exp.Expr | None
) -> list[Feature]:
    base = str(kind.id).lower()
    if base in _NUMERIC:
        return [Feature(name, str(kind), "numeric", path, source)]
    if base in _TIMESTAMPS:
        return [Feature(name, str(kind), "timestamp", path, source)]
    if base in _CATEGORIES:
        return [Feature(name, str(kind), "category", path, source)]
    if base == "struct":
        return [
            feature
            for field, inner in kind.children
            for feature in _features(f"{name}_{field}", inner, (*path, field), source)
        ]
    if base in ("list", "array"):
        inner = kind.children[0][1]
        inner_base = str(inner.id).lower()
        if inner_base in _NUMERIC:
            return [Feature(name, str(kind), "vector", path, source)]
        if inner_base in _CATEGORIES:
            return [Feature(name, str(kind), "members", path, source)]
        if inner_base == "struct":
            fields = [str(child.id).lower() for _, child in inner.children]
            if len(fields) == 2 and all(item in _NUMERIC for item in fields):
                pair = tuple(field for field, _ in inner.children)
                return [Feature(name, str(kind), "sparse", path, source, pair)]
    raise MartletError(
        f"Column '{name}' has type {kind}, which no model can learn from: "
        "cast it in the training query or list it in entity_cols."
    )
