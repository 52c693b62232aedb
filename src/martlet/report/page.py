"""From sections to one HTML file without scripts."""

from __future__ import annotations

import html
import importlib
import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from martlet import __version__
from martlet.errors import MartletError
from martlet.report import SECTIONS
from martlet.report.parts import Chart, Section, Table, Text

__all__ = ["need_extra", "render_page", "write_report"]

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
.question { color: #555; font-style: italic; margin-top: 0; }
table { border-collapse: collapse; font-size: .875rem; margin: 1rem 0; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #ddd; text-align: left; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; overflow-x: auto; } svg { max-width: 100%; height: auto; }
nav a { margin-right: 1rem; } footer { color: #777; font-size: .8rem; margin-top: 3rem; }
"""


def need_extra() -> None:
    """Check that the libraries which draw are there.

    Raises
    ------
    MartletError
        With the line that installs them.
    """
    for name in ("altair", "vl_convert"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise MartletError(
                'martlet report draws with Altair: pip install "martlet[report]"'
            ) from error


def write_report(database: Path, output: Path) -> list[str]:
    """Write the report on a built database.

    Parameters
    ----------
    database : Path
        DuckDB file; it is opened read-only.
    output : Path
        File to write; an older one is replaced when the new one is complete.

    Returns
    -------
    list of str
        Titles of the sections.

    Raises
    ------
    MartletError
        If there is no database, it cannot be read, or the file cannot be written.
    """
    need_extra()
    if not database.exists():
        raise MartletError(f"There is no database at {database} yet: run `make build` first.")
    try:
        with duckdb.connect(str(database), read_only=True) as con:
            sections = [importlib.import_module(name).section(con) for name in SECTIONS]
    except duckdb.Error as error:
        raise MartletError(f"{database} cannot be read: {error}") from error
    page = render_page(sections, database.name, datetime.now().astimezone())
    try:
        unfinished = output.with_name(output.name + ".part")
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(output)
    except OSError as error:
        raise MartletError(f"{output} cannot be written: {error.strerror}.") from error
    return [section.title for section in sections]


def render_page(sections: Sequence[Section], source: str, written_at: datetime) -> str:
    """Return the whole page.

    Parameters
    ----------
    sections : sequence of Section
    source : str
        Name of the database.
    written_at : datetime
        For the last line.
    """
    links = " ".join(
        f'<a href="#{_anchor(item.title)}">{html.escape(item.title)}</a>' for item in sections
    )
    body = "\n".join(_section(item) for item in sections)
    moment = written_at.strftime("%Y-%m-%d %H:%M %Z").strip()
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Martlet report</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Martlet report</h1>\n<nav>{links}</nav>\n{body}\n"
        f"<footer>From {html.escape(source)}, written {html.escape(moment)} "
        f"by Martlet {html.escape(__version__)}.</footer>\n</body>\n</html>\n"
    )


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _section(section: Section) -> str:
    parts = "\n".join(_part(part) for part in section.parts)
    return (
        f'<section id="{_anchor(section.title)}">\n<h2>{html.escape(section.title)}</h2>\n'
        f'<p class="question">{html.escape(section.question)}</p>\n{parts}\n</section>'
    )


def _part(part: Text | Table | Chart) -> str:
    if isinstance(part, Text):
        return f"<p>{html.escape(part.text)}</p>"
    if isinstance(part, Table):
        return _table(part)
    return (
        f'<figure role="img" aria-label="{html.escape(part.description)}">{_svg(part.chart)}'
        "</figure>"
    )


def _svg(chart: Any) -> str:
    import vl_convert

    # The converter escapes every text of the chart.
    drawn = str(vl_convert.vegalite_to_svg(chart.to_json()))
    return drawn[drawn.index("<svg") :]


def _table(table: Table) -> str:
    numeric = [
        all(_is_number(row[place]) for row in table.rows if row[place] is not None)
        for place in range(len(table.columns))
    ]

    def cell(tag: str, value: Any, number: bool) -> str:
        mark = ' class="number"' if number else ""
        return f"<{tag}{mark}>{html.escape(_shown(value))}</{tag}>"

    head = "".join(cell("th", name, numeric[i]) for i, name in enumerate(table.columns))
    rows = "\n".join(
        "<tr>" + "".join(cell("td", value, numeric[i]) for i, value in enumerate(row)) + "</tr>"
        for row in table.rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float | Decimal):
        number = float(value)
        return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
