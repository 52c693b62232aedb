"""What a section is made of: text, tables, charts and findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "Chart", "Column", "Details", "Finding", "Kind", "Part", "Section", "Table", "Text", "missing",
]  # fmt: skip

#: How the values of a column are shown.
Kind = Literal["text", "count", "number", "money", "share", "change", "date"]
Column = tuple[str, Kind]


@dataclass(frozen=True)
class Text:
    """A paragraph. Everything is escaped, it may hold any character."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table of few rows.

    Attributes
    ----------
    caption
        What it holds.
    columns
        Heading and kind of each column.
    rows
        Raw values; None is shown as a dash.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes
    ----------
    title
        Shown above it.
    description
        What is to be seen, in words and figures, for those who cannot see it.
    draw
        Returns the Altair chart for a width of so many pixels.
    """

    title: str
    description: str
    draw: Callable[[int], Any]


@dataclass(frozen=True)
class Details:
    """Parts that are folded away under a summary."""

    summary: str
    parts: Sequence[Text | Table | Chart]


Part = Text | Table | Chart | Details


@dataclass(frozen=True)
class Finding:
    """Something the owner should know first.

    Attributes
    ----------
    text
        One or two sentences in plain words.
    stake
        About which share of a year's revenue, orders or data it concerns, 0 to 1: what findings
        are ranked by.
    """

    text: str
    stake: float


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
    reads
        Names of the marts it is made of.
    docs
        File name of the page in ``docs/`` that tells how they are made.
    findings
        Candidates for the top of the report.
    is_missing
        Whether there is nothing to show.
    """

    title: str
    question: str
    parts: Sequence[Part] = field(default_factory=tuple)
    reads: Sequence[str] = ()
    docs: str = ""
    findings: Sequence[Finding] = ()
    is_missing: bool = False


def missing(
    title: str, question: str, rows: Sequence[Any] | None, mart: str, docs: str = ""
) -> Section:
    """Return a section that says why it is empty.

    Parameters
    ----------
    title, question : str
        Of the section.
    rows : sequence or None
        What was read: None when the mart is not there.
    mart : str
        Name of the mart.
    docs : str
        Page in ``docs/``.
    """
    why = (
        f"marts.{mart} is not in this warehouse, so there is nothing to show here."
        if rows is None
        else f"marts.{mart} is empty: the shop delivers no such data, or too little to learn from."
    )
    return Section(title, question, (Text(why),), (mart,), docs, is_missing=True)
