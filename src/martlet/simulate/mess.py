"""Turns clean raw tables into the mess of a real export, and keeps count of every defect.

Broken, repeated and outdated rows are always *added*: no clean row is lost or changed in meaning,
so what is left after cleaning is exactly what was simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from martlet.simulate.text import digits, join, pick

__all__ = ["Mess"]

# Changes of one column of the added rows: a fixed text, several in turn, or a function of them.
Change = str | tuple[str, ...] | Callable[[Any], Any]


@dataclass
class Mess:
    """Adds defects to one table.

    Parameters
    ----------
    name
        Name of the raw table, without ``raw_``.
    table
        Clean rows.
    key
        The key column; added rows with a defect of their own get a new key in it.
    at_least
        Fewest rows of each defect (0 for all chunks after the first).
    earlier
        Texts of an earlier ``updated_at`` of every row, for rows that were exported once before.
    """

    name: str
    table: pa.Table
    key: str
    rng: np.random.Generator
    at_least: int
    chunk: int
    earlier: Any = None
    added: list[pa.Table] = field(default_factory=list)
    places: list[Any] = field(default_factory=list)
    records: list[pa.Table] = field(default_factory=list)

    def restyle(self, column: str, share: float, change: Callable[[Any], Any]) -> None:
        """Rewrite some values in place without changing what they mean."""
        mask = self.rng.random(len(self.table)) < share
        values = self.table[column]
        changed = pc.if_else(pa.array(mask), change(values), values)
        self.table = self.table.set_column(
            self.table.schema.get_field_index(column), column, changed
        )

    def add(
        self,
        defect: str,
        reason: str,
        share: float,
        changes: dict[str, Change] | None = None,
        new_key: bool = True,
        near: bool = True,
        only: Any = None,
    ) -> None:
        """Add copies of random rows, changed so that they show one defect.

        Parameters
        ----------
        defect, reason
            Name of the defect and the reason such a row is rejected for, empty when it is kept.
        share
            Copies as a share of the rows to choose from.
        changes
            New values by column.
        new_key
            Whether the copies get keys of their own, with an X in them.
        near
            Put the copies behind their originals; else before them or some rows later.
        only
            Mask of the rows to choose from; by default all.
        """
        rows = np.arange(len(self.table)) if only is None else np.flatnonzero(only)
        count = min(max(self.at_least, round(share * len(rows))), len(rows))
        if count == 0:
            return
        source = np.sort(self.rng.choice(rows, count, replace=False))
        copies = self.table.take(pa.array(source))
        changes = dict(changes or {})
        if self.earlier is not None and "updated_at" in changes:
            changes["updated_at"] = lambda _: self.earlier.take(pa.array(source))
        if new_key and self.key not in changes:
            numbers = self.chunk * 100000 + sum(map(len, self.added)) + np.arange(count)
            first = pc.utf8_slice_codeunits(copies[self.key], 0, 1)
            changes[self.key] = lambda _: join(first, "X", digits(numbers, 5))
        for column, change in changes.items():
            position = copies.schema.get_field_index(column)
            copies = copies.set_column(position, column, _changed(change, copies[column], count))
        self.added.append(copies)
        offset = 0.5 if near else self.rng.choice([-0.5, 40.5], count)
        self.places.append(source + offset)
        self.records.append(
            pa.table(
                {
                    "table_name": pick(["raw_" + self.name], np.zeros(count, dtype=np.int64)),
                    "defect": pick([defect], np.zeros(count, dtype=np.int64)),
                    "rejection_reason": pick([reason], np.zeros(count, dtype=np.int64)),
                    "raw_key": pc.cast(copies[self.key], pa.string()).combine_chunks(),
                    "copied_from": pc.cast(
                        self.table[self.key].take(pa.array(source)), pa.string()
                    ).combine_chunks(),
                }
            )
        )

    def finished(self) -> pa.Table:
        """Return all rows, the added ones in their places."""
        place = np.concatenate([np.arange(len(self.table)), *self.places])
        whole = pa.concat_tables([self.table, *self.added])
        return whole.take(pa.array(np.argsort(place, kind="stable")))


def _changed(change: Change, column: Any, count: int) -> Any:
    """Return the new values of a column."""
    if callable(change):
        return change(column)
    options = (change,) if isinstance(change, str) else change
    return pick(options, np.arange(count) % len(options))
