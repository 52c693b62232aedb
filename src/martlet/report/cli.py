"""``martlet report``: write the pictures of the marts into one HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path

from martlet.build import database_path
from martlet.models_cli import add_database_arguments
from martlet.report.page import write_report

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``martlet report``."""
    parser.add_argument(
        "--output", type=Path, default=Path("martlet-report.html"), help="file to write"
    )
    add_database_arguments(parser)


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
