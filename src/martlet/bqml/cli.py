"""``martlet bqml convert``: BigQuery ML's SQL files into dbt models."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from martlet.bqml.convert import Settings, convert
from martlet.bqml.project import write_project
from martlet.bqml.report import Kind
from martlet.errors import MartletError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``martlet bqml`` to its parser.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of the ``bqml`` command.
    """
    commands = parser.add_subparsers(dest="bqml_command", required=True, metavar="COMMAND")
    command = commands.add_parser(
        "convert",
        help="write dbt models from files of BigQuery ML SQL",
        description=(
            "Reads BigQuery ML SQL and writes a dbt model for each CREATE MODEL, CREATE TABLE AS, "
            "CREATE VIEW and query, in DuckDB's dialect. What cannot be carried over is named, "
            "with file and line."
        ),
    )
    command.add_argument("files", nargs="+", type=Path, metavar="FILE", help="SQL file or folder")
    command.add_argument(
        "--output",
        type=Path,
        default=Path("models/bigquery"),
        help="folder for the models (models/bigquery)",
    )
    command.add_argument(
        "--dataset-map",
        nargs="+",
        action="extend",
        default=[],
        metavar="DATASET=SCHEMA",
        help="schema of a BigQuery dataset's tables in DuckDB (the dataset's own name)",
    )
    command.add_argument(
        "--package",
        default="",
        help="call the macros in this dbt package: martlet, outside Martlet's own project",
    )
    command.add_argument(
        "--strict", action="store_true", help="fail when anything is not carried over"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run ``martlet bqml convert``.

    Parameters
    ----------
    arguments : argparse.Namespace
        What the parser has read.

    Returns
    -------
    int
        0, or 1 when nothing could be converted or, with ``--strict``, not everything.

    Raises
    ------
    MartletError
        When a file cannot be read or written.
    """
    scripts = {str(path): _read(path) for path in _files(arguments.files)}
    settings = Settings(schemas=_schemas(arguments.dataset_map), package=arguments.package)
    conversion = convert(scripts, settings)
    written = write_project(conversion, arguments.output) if conversion.files else []
    for line in conversion.report.lines():
        print(line)
    missing = conversion.report.of(Kind.MISSING)
    enabled = [file for file in conversion.files if file.enabled]
    print(
        f"{len(written)} files in {arguments.output}; {len(missing)} not carried over, "
        f"{len(conversion.report.of(Kind.CHANGED))} changed"
    )
    return 1 if not enabled or (arguments.strict and missing) else 0


def _files(paths: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        found = sorted(path.rglob("*.sql")) if path.is_dir() else [path]
        if not found:
            raise MartletError(f"There is no .sql file in {path}.")
        files += found
    return files


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MartletError(f"{path} cannot be read: {error}") from error


def _schemas(pairs: Iterable[str]) -> dict[str, str]:
    schemas = {}
    for pair in pairs:
        dataset, equals, schema = pair.partition("=")
        if not (dataset and equals and schema):
            raise MartletError(
                f"--dataset-map {pair}: write the dataset and the schema as DATASET=SCHEMA."
            )
        schemas[dataset] = schema
    return schemas
