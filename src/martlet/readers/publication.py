"""A publication: generations in a folder, the newest one under names that never change."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from martlet import __version__
from martlet.errors import MartletError
from martlet.locks import only_one
from martlet.readers.relations import model_notes
from martlet.readers.snapshot import checksum, write_snapshot

__all__ = ["MANIFEST", "publish", "verify"]

MANIFEST = "manifest.json"
#: Link to the newest generation, for tools that want a path and no manifest.
LATEST = "latest"

_UNFINISHED = ".unfinished-"
#: A generation stays at least so long after the next one came: who read the old manifest may
#: still be opening files.
GRACE_SECONDS = 600.0


def publish(
    database: Path,
    project: Path,
    folder: Path,
    keep: int = 3,
    with_functions: bool = False,
    grace_seconds: float = GRACE_SECONDS,
) -> dict[str, Any]:
    """Add a generation to a publication and make it the newest.

    Parameters
    ----------
    database : Path
        The built database.
    project : Path
        Folder with ``dbt_project.yml``, whose YAML says what is public.
    folder : Path
        The publication; it is made when it does not exist.
    keep : int
        How many generations stay, the new one included.
    with_functions : bool
        Whether stored functions come along.
    grace_seconds : float
        How long a generation stays after the next one came, whatever `keep` says.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    MartletError
        If there is no database, it is being written, the folder cannot be written, or another
        publication is running. The newest generation is then what it was.
    """
    if not database.is_file():
        raise MartletError(f"There is no database at {database}: run `martlet build` first.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder / ".lock") as lock:
            if lock.owner:
                raise MartletError(f"{folder} is being published by {lock.owner}: wait for it.")
            _remove_unfinished(folder)
            manifest = _add_generation(database, project, folder, with_functions)
            _remove_old(folder, keep, grace_seconds)
    except (OSError, duckdb.Error) as error:
        raise MartletError(
            f"Nothing was published, {folder} shows what it did before: {_first_line(error)}"
        ) from error
    return manifest


def _add_generation(
    database: Path, project: Path, folder: Path, with_functions: bool
) -> dict[str, Any]:
    now = datetime.now(UTC).replace(tzinfo=None)
    generation = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    built_at = datetime.fromtimestamp(database.stat().st_mtime, UTC).replace(tzinfo=None)
    unfinished = folder / f"{_UNFINISHED}{generation}"
    unfinished.mkdir()
    try:
        facts: dict[str, datetime | str] = {
            "generation": generation,
            "built_at": built_at,
            "published_at": now,
        }
        snapshot = write_snapshot(
            database, unfinished, model_notes(project), facts, with_functions=with_functions
        )
        manifest = {
            "format_version": 1,
            "generation": generation,
            "built_at": f"{built_at:%Y-%m-%dT%H:%M:%SZ}",
            "published_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "martlet_version": __version__,
            "duckdb_version": duckdb.__version__,
            **asdict(snapshot),
        }
        for entry in (manifest["database"], *manifest["tables"]):
            entry["file"] = f"{generation}/{entry['file']}"
        _write_synced(unfinished / MANIFEST, manifest)
        os.replace(unfinished, folder / generation)
        names = _prepared(folder, manifest)
    except BaseException:
        for path in (unfinished, folder / generation):
            shutil.rmtree(path, ignore_errors=True)
        _remove_unfinished(folder)
        raise
    for fresh, name in names:
        os.replace(fresh, name)
    return manifest


def _prepared(folder: Path, manifest: dict[str, Any]) -> list[tuple[Path, Path]]:
    """Return what readers are to open beside the name it gets; the manifest is last.

    After this only renames are left, for which a full disk has room.
    """
    generation = folder / manifest["generation"]
    served = folder / Path(manifest["database"]["file"]).name
    fresh = {name: folder / f"{_UNFINISHED}{name}" for name in (served.name, LATEST, MANIFEST)}
    try:
        os.link(generation / served.name, fresh[served.name])
    except OSError:  # a file system without hard links
        shutil.copyfile(generation / served.name, fresh[served.name])
    with contextlib.suppress(OSError):  # Windows lets only some users make links
        fresh[LATEST].symlink_to(generation.name, target_is_directory=True)
    _write_synced(fresh[MANIFEST], manifest)
    return [(path, folder / name) for name, path in fresh.items() if os.path.lexists(path)]


def _write_synced(path: Path, manifest: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as handle:
        json.dump(manifest, handle, indent=1, ensure_ascii=False)
        handle.flush()
        os.fsync(handle.fileno())


def _remove_unfinished(folder: Path) -> None:
    """Clear away what a publication left that was killed."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _remove_old(folder: Path, keep: int, grace_seconds: float) -> None:
    """Remove generations beyond `keep`, unless their successor is still fresh."""
    manifests = sorted(folder.glob(f"*/{MANIFEST}"), key=lambda path: path.stat().st_mtime_ns)
    generations = [path for path in manifests if not path.parent.is_symlink()]
    limit = time.time() - grace_seconds
    for old, successor in pairwise(generations):
        is_spare = len(generations) - generations.index(old) > max(keep, 1)
        if is_spare and successor.stat().st_mtime <= limit:
            shutil.rmtree(old.parent, ignore_errors=True)


def verify(folder: Path) -> dict[str, Any]:
    """Compare the files of the newest generation with the manifest.

    Parameters
    ----------
    folder : Path
        The publication.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    MartletError
        If there is no publication, or a file is missing or not what was written.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise MartletError(f"There is no publication in {folder}: run `martlet publish` first.")
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for entry in (manifest["database"], *manifest["tables"]):
        file = folder / entry["file"]
        if not file.is_file():
            raise MartletError(f"{file} is missing: publish again.")
        if checksum(file) != entry["sha256"]:
            raise MartletError(f"{file} is not what was published: publish again.")
    return manifest


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
