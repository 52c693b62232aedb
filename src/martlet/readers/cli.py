"""The command ``martlet publish``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from martlet.build import check_green, database_path
from martlet.errors import MartletError
from martlet.models_cli import add_database_arguments
from martlet.readers.publication import publish, verify

__all__ = ["add_arguments", "run"]

_FOLDER = "published"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``martlet publish``."""
    parser.add_argument(
        "--output",
        type=Path,
        help="folder of the publication; by default `published` beside the database, or "
        "MARTLET_PUBLISHED",
    )
    parser.add_argument(
        "--keep", type=int, default=3, help="generations that stay, the new one included (3)"
    )
    parser.add_argument(
        "--functions",
        action="store_true",
        help="also copy stored functions (scoring, search) and the tables they read",
    )
    parser.add_argument(
        "--any-state",
        action="store_true",
        help="publish a database that `martlet build` did not leave behind green",
    )
    parser.add_argument(
        "--verify", action="store_true", help="only check the published files against the manifest"
    )
    add_database_arguments(parser)


def run(options: argparse.Namespace, project: Path) -> int:
    """Publish, or verify, and say in two lines what is there.

    Parameters
    ----------
    options : argparse.Namespace
        Of `add_arguments`.
    project : Path
        The project's folder.

    Raises
    ------
    MartletError
        If nothing can be published, or a published file is not what was written.
    """
    if options.keep < 1:
        raise MartletError("--keep must be at least 1: the newest generation always stays.")
    database = options.database or database_path(project, options.target)
    folder = options.output or Path(
        os.environ.get("MARTLET_PUBLISHED") or database.parent / _FOLDER
    )
    if options.verify:
        manifest = verify(folder)
        print(f"{folder}: every file is what was published at {manifest['published_at']}.")
        return 0
    if not options.any_state and database.is_file():
        check_green(database)
    manifest = publish(database, project, folder, options.keep, options.functions)
    rows = sum(table["row_count"] for table in manifest["tables"])
    size = manifest["database"]["byte_count"] / 1e6
    print(
        f"{folder / database.name}: {len(manifest['tables'])} tables, {rows:,} rows, {size:.1f} MB"
    )
    if manifest["functions"]:
        print(f"  with {len(manifest['functions'])} stored functions")
    print(f"{folder / 'manifest.json'}: Parquet files, checksums, model versions")
    for name, reason in manifest["held_back"].items():
        print(f"held back: {name} ({reason})")
    return 0
