"""The text of a dbt model's file, and of the file that declares the sources."""

from __future__ import annotations

from typing import Any

import yaml

from martlet.bqml.jinja import jinja
from martlet.bqml.names import Names
from martlet.bqml.script import Statement

__all__ = ["MARK", "model_file", "sources_file"]

#: Stands in the first line of every file this command writes.
MARK = "Converted by martlet bqml convert"


def model_file(
    config: dict[str, Any], sql: str, statement: Statement, *, comments: bool = True
) -> str:
    """Return the text of a model.

    Parameters
    ----------
    config : dict
        What goes into ``config(...)``.
    sql : str
        The query, for DuckDB, with its Jinja.
    statement : Statement
        Where it comes from.
    comments : bool, optional
        Whether to keep the comments above the statement.
    """
    # A Jinja comment: the place in the file is no part of the compiled SQL, so that moving a
    # statement does not train its model again.
    origin = statement.file.replace("#}", "")
    lines = [f"{{# {MARK}: {origin}, line {statement.line} #}}" if comments else f"{{# {MARK} #}}"]
    arguments = [f"    {key}={jinja(value, 4)}" for key, value in config.items()]
    lines += ["{{ config(", ",\n".join(arguments), ") }}", ""]
    if comments:
        for comment in statement.comments:
            for line in comment.strip().splitlines():
                text = line.strip().removeprefix("*").strip()
                if text:
                    lines.append(f"-- {_harmless(text)}")
    lines.append(sql)
    return "\n".join(lines) + "\n"


def _harmless(text: str) -> str:
    for mark in ("{{", "}}", "{%", "%}", "{#", "#}"):
        text = text.replace(mark, " ".join(mark))
    return text


def sources_file(names: Names) -> str | None:
    """Return the YAML with the tables the models read and do not make, or None without any.

    Parameters
    ----------
    names : Names
        All names of the conversion.
    """
    if not names.sources:
        return None
    sources = []
    for source in sorted(names.sources.values(), key=lambda item: item.name):
        full = f"{source.project}.{source.dataset}" if source.project else source.dataset
        tables = []
        for name, original in sorted(source.tables.values()):
            table = {"name": name}
            if original != name:
                table["identifier"] = original
            if name in source.notes:
                table["description"] = source.notes[name]
            tables.append(table)
        sources.append(
            {
                "name": source.name,
                "description": f"Tables of the BigQuery dataset {full}.",
                "schema": source.schema,
                "tables": tables,
            }
        )
    document = yaml.safe_dump(
        {"version": 2, "sources": sources}, sort_keys=False, width=100, allow_unicode=True
    )
    return f"# {MARK}\n{document}"
