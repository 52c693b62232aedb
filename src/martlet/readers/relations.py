"""What of a built database may be read outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import yaml

from martlet.sqltext import identifier

__all__ = ["PUBLIC_SCHEMAS", "ModelNote", "Relation", "model_notes", "public_relations"]

#: Schemas made to be read by others; nothing else leaves by itself.
PUBLIC_SCHEMAS = ("marts", "exports")

#: The key under ``config.meta`` of a model that must not be copied for readers.
_PERSONAL = "personal_data"


@dataclass(frozen=True)
class ModelNote:
    """What a model's YAML says of it.

    Attributes
    ----------
    description
        In words; begins with the grain.
    grain
        The key columns.
    columns
        Descriptions by column.
    is_personal
        Whether it holds personal data as they are.
    """

    description: str = ""
    grain: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    is_personal: bool = False


@dataclass(frozen=True)
class Relation:
    """A table or view of the database.

    Attributes
    ----------
    schema, name
        Where it is.
    note
        What its YAML says.
    """

    schema: str
    name: str
    note: ModelNote

    @property
    def sql(self) -> str:
        """Schema and name, quoted."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"


def model_notes(project: Path) -> dict[str, ModelNote]:
    """Read the YAML beside the models of a project.

    Parameters
    ----------
    project : Path
        Folder with ``dbt_project.yml``.

    Returns
    -------
    dict of str to ModelNote
        By model name.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    notes: dict[str, ModelNote] = {}
    for path in sorted((project / "models").rglob("*.y*ml")):
        document = yaml.load(path.read_text(encoding="utf-8"), loader) or {}
        for model in document.get("models") or []:
            notes[model["name"]] = _note(model)
    return notes


def _note(model: Mapping[str, Any]) -> ModelNote:
    meta = (model.get("config") or {}).get("meta") or {}
    columns = {
        str(column["name"]): _words(column.get("description"))
        for column in model.get("columns") or []
    }
    return ModelNote(
        _words(model.get("description")),
        tuple(meta.get("grain") or ()),
        columns,
        bool(meta.get(_PERSONAL, False)),
    )


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


def public_relations(
    con: duckdb.DuckDBPyConnection, database: str, notes: Mapping[str, ModelNote]
) -> tuple[list[Relation], dict[str, str]]:
    """List what is published and what is held back.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        A connection with the database attached.
    database : str
        Name of the attached database.
    notes : mapping of str to ModelNote
        Of `model_notes`. A relation without one is held back: nobody has said what is in it.

    Returns
    -------
    tuple of list of Relation and dict of str to str
        The relations, by schema and name, and the reason for each one held back.
    """
    found = con.execute(
        "select table_schema, table_name from information_schema.tables "
        "where table_catalog = ? and list_contains(?, table_schema) order by 1, 2",
        [database, list(PUBLIC_SCHEMAS)],
    ).fetchall()
    relations: list[Relation] = []
    held_back: dict[str, str] = {}
    for schema, name in found:
        note = notes.get(name)
        if note is None:
            held_back[f"{schema}.{name}"] = "no model of the project describes it"
        elif note.is_personal:
            held_back[f"{schema}.{name}"] = "holds personal data"
        else:
            relations.append(Relation(schema, name, note))
    return relations, held_back
