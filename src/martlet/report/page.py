"""From sections to one HTML file without scripts."""

from __future__ import annotations

import html
import importlib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import duckdb

from martlet import __version__
from martlet.errors import MartletError
from martlet.locks import holder, is_lock_error
from martlet.report import SECTIONS
from martlet.report.markup import Writer, anchor
from martlet.report.parts import Finding, Section, Text
from martlet.report.reading import Marts
from martlet.report.words import day, listed

__all__ = ["first_things", "need_extra", "render_page", "write_report"]

#: Findings at the top of the page, at most.
FINDINGS = 5


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
        Titles of the sections that have something to show.

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
            marts = Marts(con)
            sections = [_section(name, marts) for name in SECTIONS]
    except duckdb.Error as error:
        if is_lock_error(error):
            raise MartletError(
                f"{database} is being written by {holder(error)}: try again later."
            ) from error
        raise MartletError(f"{database} cannot be read: {error}") from error
    page = render_page(sections, marts, database.name, datetime.now(UTC))
    try:
        unfinished = output.with_name(output.name + ".part")
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(output)
    except OSError as error:
        raise MartletError(f"{output} cannot be written: {error.strerror}.") from error
    return [section.title for section in sections if not section.is_missing]


def _section(name: str, marts: Marts) -> Section:
    module = importlib.import_module(f"martlet.report.sections.{name}")
    try:
        section: Section = module.section(marts)
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        # A mart of another build lacks a column or a neighbour: one section is lost, not the page.
        lost = str(error).splitlines()[0]
        said = f"This part needs marts of this version of Martlet: build them first. ({lost})"
        return Section(module.TITLE, module.QUESTION, (Text(said),), is_missing=True)
    return section


def first_things(sections: Sequence[Section]) -> list[tuple[Finding, Section]]:
    """Return what to look at first: the findings with most at stake, one a section.

    Parameters
    ----------
    sections : sequence of Section
        Of the page.
    """
    best = [
        (max(section.findings, key=lambda finding: finding.stake), section)
        for section in sections
        if section.findings
    ]
    return sorted(best, key=lambda pair: -pair[0].stake)[:FINDINGS]


def render_page(
    sections: Sequence[Section], marts: Marts, source: str, written_at: datetime
) -> str:
    """Return the whole page.

    Parameters
    ----------
    sections : sequence of Section
        Of the page.
    marts : Marts
        What they were read from.
    source : str
        Name of the database.
    written_at : datetime
        When it was read (UTC).
    """
    writer = Writer(marts.currency)
    body = "\n".join(writer.section(item) for item in sections)
    style = files("martlet.report").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Nothing may be loaded or run, whatever a text of the shop holds.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
        '<link rel="icon" href="data:,">\n'
        f"<title>Shop report, {day(marts.as_of_date)}</title>\n<style>{style}</style>\n</head>\n"
        '<body>\n<a class="skip" href="#content">Skip to the content</a>\n<div class="page">\n'
        f"<header>\n<h1>How the shop is doing</h1>\n{_meta(marts)}</header>\n"
        f'<main id="content" tabindex="-1">\n{_first(sections)}\n{_nav(sections)}\n{body}\n'
        f"</main>\n<footer><p>From {html.escape(source)}, written {_moment(written_at)} by Martlet "
        f"{html.escape(__version__)}. E-mail and IP addresses are not in this file; a looker is "
        "named by the keyed hash of its address.</p></footer>\n</div>\n</body>\n</html>\n"
    )


def _moment(value: datetime) -> str:
    return f"{day(value)}, {value:%H:%M} UTC"


def _meta(marts: Marts) -> str:
    built = f" Built {_moment(marts.built_at)}." if marts.built_at else ""
    amounts = f" Amounts in {marts.currency}." if marts.currency else ""
    return (
        f'<p class="meta">Told as of {day(marts.as_of_date)}: what happened before that day.'
        f"{built}{html.escape(amounts)}</p>\n"
    )


def _first(sections: Sequence[Section]) -> str:
    found = first_things(sections)
    items = "\n".join(
        f"<li>{html.escape(finding.text)} "
        f'<a href="#{anchor(section.title)}">{html.escape(section.title)}</a></li>'
        for finding, section in found
    )
    inner = f"<ol>\n{items}\n</ol>" if items else "<p>The marts hold nothing to tell of yet.</p>"
    absent = [section.title.lower() for section in sections if section.is_missing]
    if absent:
        inner += f'\n<p class="meta">Nothing to show on: {html.escape(listed(absent))}.</p>'
    return (
        '<div class="first" role="region" aria-labelledby="first-title">\n'
        f'<h2 id="first-title">What to look at first</h2>\n{inner}\n</div>'
    )


def _nav(sections: Sequence[Section]) -> str:
    items = "\n".join(
        ('<li class="absent">' if item.is_missing else "<li>")
        + f'<a href="#{anchor(item.title)}">{html.escape(item.title)}</a></li>'
        for item in sections
    )
    return f'<nav aria-label="Sections">\n<ul>\n{items}\n</ul>\n</nav>'
