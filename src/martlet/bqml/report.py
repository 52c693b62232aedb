"""What a conversion could not carry over, or carried over changed: with file and line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Kind", "Note", "Report"]


class Kind(StrEnum):
    """How much a note matters."""

    MISSING = "not carried over"
    CHANGED = "changed"
    HINT = "note"


@dataclass(frozen=True, order=True)
class Note:
    """One remark on one line of one file.

    Attributes
    ----------
    file
        The file as it was named in the call.
    line
        Line of the file, from 1.
    kind
        Whether something is missing, changed, or only worth knowing.
    text
        What and why.
    """

    file: str
    line: int
    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {self.text}"


@dataclass
class Report:
    """Notes in the order they were made; a remark is kept once a line."""

    notes: list[Note] = field(default_factory=list)

    def add(self, file: str, line: int, kind: Kind, text: str) -> None:
        """Add one remark, unless the same one is there already."""
        note = Note(file, line, kind, text)
        if note not in self.notes:
            self.notes.append(note)

    def of(self, *kinds: Kind) -> list[Note]:
        """Return the notes of the given kinds, by file and line."""
        return sorted(note for note in self.notes if note.kind in kinds)

    def lines(self) -> Iterable[str]:
        """Return all notes as text, by file and line."""
        return [str(note) for note in sorted(self.notes)]
