"""Which raw files cannot be read, looked at after a build has failed.

DuckDB does not always name the file when a page of it is broken. Here each file is read by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import yaml

__all__ = ["unreadable_files"]

_READERS = {
    ".parquet": "read_parquet({})",
    ".csv": "read_csv({}, all_varchar = true, header = true, delim = ',', quote = '\"', "
    "escape = '\"')",
}


def unreadable_files(project: Path, dbt_arguments: Sequence[str]) -> Iterator[str]:
    """Read every raw file of a build from end to end and tell of those that cannot be read.

    Parameters
    ----------
    project : Path
        Folder with ``dbt_project.yml``.
    dbt_arguments : sequence of str
        Arguments of the build; ``--vars`` may set ``martlet_raw_path``.

    Yields
    ------
    str
        One sentence a file: which, what is wrong, how to mend it.
    """
    with duckdb.connect() as con:
        for file in _files(project, _raw_paths(project, dbt_arguments)):
            problem = _problem(con, file)
            if problem:
                yield (
                    f"The raw file {file} is damaged ({problem}). Export it again; until then the "
                    "last good build stands."
                )


def _raw_paths(project: Path, dbt_arguments: Sequence[str]) -> list[str]:
    """Find where the raw files are: on the command line, else in dbt_project.yml."""
    settings: dict[str, Any] = {}
    try:
        file = project / "dbt_project.yml"
        settings |= yaml.safe_load(file.read_text(encoding="utf-8")).get("vars") or {}
        for place, argument in enumerate(dbt_arguments):
            name, _, value = argument.partition("=")
            if name == "--vars":
                settings |= yaml.safe_load(value or dbt_arguments[place + 1]) or {}
    except (OSError, IndexError, TypeError, AttributeError, yaml.YAMLError):
        return []  # dbt has said what is wrong with them
    paths = settings.get("martlet_raw_path")
    if not isinstance(paths, Mapping):
        paths = {str(settings.get("martlet_connector")): paths}
    # That connector reads files of any spelling: a comma or an encoding proves nothing of them.
    return [str(path) for name, path in paths.items() if path and "online_retail" not in name]


def _files(project: Path, paths: Sequence[str]) -> Iterator[Path]:
    for path in paths:
        place = project / path
        for file in sorted(place.iterdir()) if place.is_dir() else [place]:
            if file.suffix.lower() in _READERS and file.is_file():
                yield file


def _problem(con: duckdb.DuckDBPyConnection, file: Path) -> str | None:
    try:
        _read(con, _READERS[file.suffix.lower()].format("$1"), file)
    except duckdb.Error as error:
        return " ".join(str(error).split("\n\n")[0].split()[:40])
    return None


def _read(con: duckdb.DuckDBPyConnection, reader: str, file: Path) -> None:
    # Every value is looked at: a count alone would not open the pages.
    con.execute(f"select bit_xor(hash(rows)) from {reader} as rows", [str(file)]).fetchall()
