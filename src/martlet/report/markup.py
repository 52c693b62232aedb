"""Sections as HTML: every text escaped, every picture with words beside it."""

from __future__ import annotations

import html
import re
from itertools import count as counter

from martlet.report.drawing import NARROW, WIDE, drawn
from martlet.report.parts import Chart, Details, Part, Section, Table, Text
from martlet.report.words import show

#: A word so long would push a table off the page.
LONG_WORD = 24
#: A text so long needs a broad column.
SENTENCE = 60

__all__ = ["Writer", "anchor"]


def anchor(title: str) -> str:
    """Return the identifier of a section."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


class Writer:
    """Writes sections of one page.

    Parameters
    ----------
    currency : str or None
        ISO 4217 code of the amounts.
    """

    def __init__(self, currency: str | None) -> None:
        self._currency = currency
        self._number = counter()

    def section(self, section: Section) -> str:
        """Return a section."""
        name = anchor(section.title)
        parts = "\n".join(self._part(part) for part in section.parts)
        return (
            f'<section id="{name}" aria-labelledby="{name}-title">\n'
            f'<h2 id="{name}-title">{html.escape(section.title)}</h2>\n'
            f'<p class="question">{html.escape(section.question)}</p>\n'
            f"{parts}\n{_source(section)}</section>"
        )

    def _part(self, part: Part) -> str:
        if isinstance(part, Text):
            return f"<p>{html.escape(part.text)}</p>"
        if isinstance(part, Table):
            return self._table(part)
        if isinstance(part, Details):
            inner = "\n".join(self._part(item) for item in part.parts)
            return f"<details>\n<summary>{html.escape(part.summary)}</summary>\n{inner}\n</details>"
        return self._figure(part)

    def _figure(self, chart: Chart) -> str:
        # The same picture twice; a screen shows one, and a reader hears the description once.
        pictures = "".join(
            f'<div class="{kind}" role="img" aria-label="{html.escape(chart.description)}">'
            f"{drawn(chart.draw(width), width, f'v{next(self._number)}-')}</div>"
            for kind, width in (("wide", WIDE), ("narrow", NARROW))
        )
        return (
            f"<figure>\n<figcaption>{html.escape(chart.title)}</figcaption>\n{pictures}\n</figure>"
        )

    def _table(self, table: Table) -> str:
        marks = [_mark(table, place) for place in range(len(table.columns))]
        head = "".join(
            f'<th scope="col" role="columnheader"{mark}>{html.escape(name)}</th>'
            for (name, _), mark in zip(table.columns, marks, strict=True)
        )
        rows = "\n".join(
            '<tr role="row">'
            + "".join(
                f'<td role="cell" data-label="{html.escape(name)}"{mark}>'
                f"{html.escape(show(value, kind, self._currency))}</td>"
                for value, (name, kind), mark in zip(row, table.columns, marks, strict=True)
            )
            + "</tr>"
            for row in table.rows
        )
        many = ' class="many"' if len(table.columns) > 8 else ""
        # The roles keep it a table for screen readers where the style sheet makes rows cards.
        return (
            f'<table role="table"{many}>\n<caption>{html.escape(table.caption)}</caption>\n'
            f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
            f'<tbody role="rowgroup">\n{rows}\n</tbody>\n</table>'
        )


def _mark(table: Table, place: int) -> str:
    """Return the class of a column: numbers right, sentences broad, long words broken."""
    if table.columns[place][1] != "text":
        return ' class="n"'
    texts = [str(row[place] or "") for row in table.rows]
    broadest = max(
        (i for i, (_, kind) in enumerate(table.columns) if kind == "text"),
        key=lambda i: sum(len(str(row[i] or "")) for row in table.rows),
    )
    names = []
    if place == broadest and any(len(text) > SENTENCE for text in texts):
        names.append("prose")
    if any(len(word) > LONG_WORD for text in texts for word in text.split()):
        names.append("long")
    return f' class="{" ".join(names)}"' if names else ""


def _source(section: Section) -> str:
    if not section.reads:
        return ""
    marts = ", ".join(f"marts.{html.escape(name)}" for name in section.reads)
    page = f"docs/{html.escape(section.docs)}"
    # No link: the file is sent on alone, and the page is in the project.
    how = f" How it is made: {page} in the project." if section.docs else ""
    return f'<p class="source">From {marts}.{how}</p>\n'
