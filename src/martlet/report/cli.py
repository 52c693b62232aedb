"""``martlet report``: write the pictures of the marts into one HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path

from martlet.build import database_path
from martlet.report.page import write_report

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``martlet report``."""
    parser.add_argument(
        "--output", type=Path, default=Path("martlet-report.html"), help="file to write"
    )
    parser.add_argument("--database", type=Path, help="DuckDB file; by default the project's")
    parser.add_argument("--project-dir", type=Path, help="folder with dbt_project.yml")
    parser.add_argument("--target", "-t", help="target of profiles/profiles.yml")


def run(options: argparse.Namespace, project: Path | None) -> int:
    """Write the report and say what is in it.

    Parameters
    ----------
    options : argparse.Namespace
        Of `add_arguments`.
    project : Path or None
        The project's folder, when no database is given.
    """
    database = options.database or database_path(project or Path.cwd(), options.target)
    titles = write_report(database, options.output)
    print(f"{options.output}: {', '.join(titles)}")
    return 0
