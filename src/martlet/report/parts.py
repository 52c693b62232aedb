"""What a section is made of: text, tables and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb

__all__ = ["Chart", "Section", "Table", "Text", "missing", "read"]


@dataclass(frozen=True)
class Text:
    """A paragraph. Everything is escaped, it may hold any character."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table of few rows.

    Attributes
    ----------
    columns
        Headings.
    rows
        Values as they are to be shown; numbers are aligned to the right.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Chart:
    """A chart: an Altair chart, and what it shows in a sentence for those who cannot see it."""

    chart: Any
    description: str


@dataclass(frozen=True)
class Section:
    """One section of the report.

    Attributes
    ----------
    title
        Heading.
    question
        What it answers.
    parts
        In their order.
    """

    title: str
    question: str
    parts: Sequence[Text | Table | Chart] = field(default_factory=tuple)


def read(con: duckdb.DuckDBPyConnection, relation: str, query: str) -> list[dict[str, Any]] | None:
    """Return the rows of a query, None when the relation it reads is not there.

    Decimals become floats, which charts can hold.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Of the built database.
    relation : str
        ``schema.name`` of what the query needs.
    query : str
        The query.
    """
    schema, name = relation.split(".")
    present = con.execute(
        "select count(*) from information_schema.tables where table_schema = ? and table_name = ?",
        [schema, name],
    ).fetchall()[0][0]
    if not present:
        return None
    found = con.query(query)
    return [
        {
            name: float(value) if isinstance(value, Decimal) else value
            for name, value in zip(found.columns, row, strict=True)
        }
        for row in found.fetchall()
    ]


def missing(
    title: str, question: str, rows: Sequence[Mapping[str, Any]] | None, name: str
) -> Section:
    """Return a section that says why it is empty."""
    why = (
        f"{name} is not in this database: build it first."
        if rows is None
        else f"{name} is empty: there was too little data to learn from."
    )
    return Section(title, question, (Text(why),))
