"""Names: what the files create becomes ``ref``, everything else ``source``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

__all__ = ["Created", "Names", "identifier", "parts_of", "reads_cte"]


def identifier(text: str) -> str:
    """Return a name dbt and DuckDB take without quotes."""
    name = re.sub(r"\W+", "_", text).strip("_").lower() or "unnamed"
    return f"_{name}" if name[0].isdigit() else name


def parts_of(table: exp.Expr) -> tuple[str, ...]:
    """Return project, dataset and name of a table or model, as far as given, lower case."""
    return tuple(part.name.lower() for part in table.parts)  # type: ignore[attr-defined]


def reads_cte(table: exp.Table) -> bool:
    """Return whether a table is the name of a CTE that can be seen from there."""
    if len(table.parts) != 1:
        return False
    name = table.name.lower()
    below: exp.Expr = table
    for above in _ancestors(table):
        with_ = above.args.get("with_")
        ctes = with_.expressions if isinstance(with_, exp.With) and below is not with_ else []
        if any(cte.alias.lower() == name for cte in ctes):
            return True
        if isinstance(above, exp.With):
            for cte in above.expressions:
                if cte is below and not above.recursive:
                    break
                if cte.alias.lower() == name:
                    return True
        below = above
    return False


def _ancestors(node: exp.Expr) -> list[exp.Expr]:
    found = []
    above = node.parent
    while above is not None:
        found.append(above)
        above = above.parent
    return found


@dataclass(frozen=True)
class Created:
    """Something a statement creates.

    Attributes
    ----------
    parts
        Its name in BigQuery, lower case: project, dataset, name, as far as given.
    name
        The dbt model's name.
    is_model
        Whether it is a fitted model; models and tables have separate names in BigQuery.
    order
        The place of the statement among all.
    """

    parts: tuple[str, ...]
    name: str
    is_model: bool
    order: int


@dataclass
class Names:
    """All names of a conversion.

    Attributes
    ----------
    schemas
        Dataset (or project.dataset) to the DuckDB schema its tables are in.
    created
        What the files create, in order.
    sources
        Tables that are not created: source name to (schema, project.dataset, tables).
    """

    schemas: Mapping[str, str] = field(default_factory=dict)
    created: list[Created] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _edges: dict[int, set[int]] = field(default_factory=dict)
    _resolved: dict[tuple[int, bool, tuple[str, ...]], Created | None] = field(default_factory=dict)

    def create(self, parts: tuple[str, ...], order: int, *, is_model: bool) -> Created:
        """Give a created thing its dbt name, which is new even when the thing is made again."""
        short = identifier(parts[-1])
        name = short
        if name in self._taken and len(parts) > 1 and not self._same(parts, is_model):
            name = f"{identifier(parts[-2])}__{short}"
        made = Created(parts, self.reserve(name), is_model, order)
        self.created.append(made)
        return made

    def _same(self, parts: tuple[str, ...], is_model: bool) -> bool:
        return any(_matches(c.parts, parts) and c.is_model == is_model for c in self.created)

    def reserve(self, name: str) -> str:
        """Return `name`, or `name_2` and so on when it is taken already."""
        candidate, number = name, 1
        while candidate in self._taken:
            number += 1
            candidate = f"{name}_{number}"
        self._taken.add(candidate)
        return candidate

    def connect(self, uses: Mapping[int, set[tuple[bool, tuple[str, ...]]]]) -> None:
        """Decide for every use which created thing it means, without going in circles.

        A name means what was created last before the statement; else what is created later
        (in another file, say), unless that one is itself made from this statement.
        """
        later: list[tuple[int, bool, tuple[str, ...], Created]] = []
        for order, names in sorted(uses.items()):
            for is_model, parts in sorted(names):
                made = [
                    c for c in self.created if c.is_model == is_model and _matches(c.parts, parts)
                ]
                before = [c for c in made if c.order < order]
                after = [c for c in made if c.order > order]
                self._resolved[order, is_model, parts] = before[-1] if before else None
                if before:
                    self._edges.setdefault(order, set()).add(before[-1].order)
                elif after:
                    later.append((order, is_model, parts, after[0]))
        for order, is_model, parts, target in later:
            if not self._reaches(target.order, order):
                self._resolved[order, is_model, parts] = target
                self._edges.setdefault(order, set()).add(target.order)

    def _reaches(self, start: int, goal: int) -> bool:
        seen, waiting = set(), [start]
        while waiting:
            here = waiting.pop()
            if here == goal:
                return True
            if here not in seen:
                seen.add(here)
                waiting.extend(self._edges.get(here, ()))
        return False

    def call(self, table: exp.Expr, order: int, *, is_model: bool) -> tuple[str, bool]:
        """Return the ``ref`` or ``source`` call for a table or model, and whether it is a ref."""
        parts = parts_of(table)
        made = self._resolved.get((order, is_model, parts))
        if made is not None:
            return f"ref('{made.name}')", True
        original = tuple(part.name for part in table.parts)  # type: ignore[attr-defined]
        source = self._source(parts[:-1])
        name = source.tables.setdefault(parts[-1], (identifier(original[-1]), original[-1]))[0]
        return f"source('{source.name}', '{name}')", False

    def describe(self, call: str, meaning: str) -> None:
        """Keep what a source table has to be, given its ``source`` call."""
        for source in self.sources.values():
            for name, _ in source.tables.values():
                if call == f"source('{source.name}', '{name}')":
                    source.notes[name] = meaning

    def _source(self, where: tuple[str, ...]) -> Source:
        dataset = where[-1] if where else "main"
        name = identifier(dataset)
        project = where[-2] if len(where) > 1 else ""
        known = self.sources.get(name)
        if known is not None and project and known.project and known.project != project:
            name = f"{identifier(project)}__{name}"
            known = self.sources.get(name)
        if known is None:
            schema = self.schemas.get(".".join(where), self.schemas.get(dataset))
            known = Source(name, project, dataset, schema or identifier(dataset))
            self.sources[name] = known
        known.project = known.project or project
        return known


@dataclass
class Source:
    """The tables of one BigQuery dataset that the files read and do not create.

    Attributes
    ----------
    name
        The dbt source's name.
    project
        The BigQuery project, when named.
    dataset
        The BigQuery dataset.
    schema
        The DuckDB schema.
    tables
        BigQuery name, lower case, to name in dbt and in DuckDB.
    notes
        Name in dbt to a sentence on what the table has to be.
    """

    name: str
    project: str
    dataset: str
    schema: str
    tables: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def _matches(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]
