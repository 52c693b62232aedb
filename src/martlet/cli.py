"""The ``martlet`` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from martlet import __version__
from martlet.errors import MartletError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after ``martlet``; by default those of the process.

    Returns
    -------
    int
        Exit code: 0 for success, 1 for a failed build, 2 for a mistake in the call or the set-up.
    """
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "build":
        parser.error(f"unknown argument: {rest[0]}")
    try:
        if options.command == "build":
            from martlet.build import build

            return build(_project(options.project_dir), rest, target=options.target)
        if options.command == "query":
            from martlet.query import query

            query(_project(options.project_dir), options.sql, options.rows, target=options.target)
            return 0
        # Heavier parts are imported only by the command that needs them.
        if options.command == "models":
            from martlet import models_cli

            return int(models_cli.run(options, _project(options.project_dir)))
        if options.command == "export":
            from martlet import export

            return export.run(options, _project(options.project_dir))
        if options.command == "lookers":
            from martlet import lookers_cli

            return lookers_cli.run(options, _project(options.project_dir))
        if options.command == "bqml":
            from martlet.bqml import cli as bqml

            return int(bqml.run(options))
        if options.command == "spark":
            from martlet.spark import round as spark_round

            return spark_round.run(options, _project(options.project_dir))
        if options.command == "publish":
            from martlet.readers import cli as readers

            return readers.run(options, _project(options.project_dir))
        if options.command == "report":
            from martlet.report import cli as report

            project = None if options.database else _project(options.project_dir)
            return int(report.run(options, project))
        from martlet.simulate import cli as simulate

        return int(simulate.run(options))
    except MartletError as error:
        print(f"martlet: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("martlet: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="martlet",
        description="In-warehouse machine learning for online shops, on dbt and DuckDB.",
    )
    parser.add_argument("--version", action="version", version=f"martlet {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    build = commands.add_parser(
        "build",
        help="dbt build on a copy of the database, swapped in only when everything is green",
        description=(
            "Runs dbt build on a copy of the database and swaps the copy in when every model and "
            "test is green; a failed build leaves the database as it was. "
            "Unit tests are left out: they prove the code, not the data (dbt test "
            "--select test_type:unit runs them, and make test). "
            "All other arguments go to dbt build (--select, --full-refresh, --vars ...)."
        ),
    )
    query = commands.add_parser(
        "query",
        help="run one SQL query on the built database and print the answer",
        description='Runs one query, read-only: martlet query "from marts.dim_customers limit 5"',
    )
    query.add_argument("sql", help="the query")
    query.add_argument("--rows", type=int, default=40, help="print at most this many rows (40)")
    for command in (build, query):
        command.add_argument("--project-dir", type=Path, help="folder with dbt_project.yml")
        command.add_argument("--target", "-t", help="target of profiles/profiles.yml")

    from martlet import lookers_cli, models_cli
    from martlet.bqml import cli as bqml
    from martlet.export import add_arguments as export_arguments
    from martlet.readers import cli as readers
    from martlet.report import cli as report
    from martlet.simulate.cli import add_arguments
    from martlet.spark.round import add_arguments as spark_arguments

    readers.add_arguments(
        commands.add_parser(
            "publish",
            help="copy marts and exports for readers: a database and Parquet, swapped in whole",
            description=(
                "Copies the public tables of the last green build into a folder, as a database "
                "that DuckDB clients from 1.0 on open and as Parquet files with a manifest. "
                "Readers see the old or the new copy, never half of one."
            ),
        )
    )
    models = commands.add_parser(
        "models",
        help="list, show, compare, roll back and verify the versions of fitted models",
        description="Looks at the versions of the fitted models in the built database.",
    )
    models_cli.add_arguments(models)
    exported = commands.add_parser(
        "export",
        help="write a fitted model's scoring as a query for another engine",
        description=(
            "Writes one self-contained query: martlet export churn --dialect bigquery "
            "--table shop.customers"
        ),
    )
    export_arguments(exported)
    lookers_cli.add_arguments(
        commands.add_parser(
            "lookers",
            help="review, approve and export addresses that look and never buy",
            description="Works with the looker list of the built database.",
        )
    )
    bqml.add_arguments(
        commands.add_parser(
            "bqml",
            help="convert BigQuery ML SQL into dbt models",
            description="Turns BigQuery ML statements into models of a dbt project.",
        )
    )

    report.add_arguments(
        commands.add_parser(
            "report",
            help="write charts of the marts into one HTML file",
            description='Writes one HTML file with charts; needs pip install "martlet[report]".',
        )
    )

    spark_arguments(
        commands.add_parser(
            "spark",
            help="features and predictions on Spark, fits on DuckDB",
            description=(
                "Builds the tables on Spark Connect (MARTLET_SPARK_REMOTE, or Sail on this "
                "machine), fits the models on DuckDB and applies them on Spark."
            ),
        )
    )

    simulate = commands.add_parser(
        "simulate",
        help="write a made-up shop of any size, with known truths",
        description="Writes the raw tables of a made-up shop, seeded and with known truths.",
    )
    add_arguments(simulate)
    return parser


def _project(folder: Path | None) -> Path:
    """Folder of the dbt project: the one given, or the nearest above the current folder."""
    start = (folder or Path.cwd()).resolve()
    for candidate in [start, *start.parents]:
        if (candidate / "dbt_project.yml").is_file():
            return candidate
    raise MartletError(
        f"There is no dbt_project.yml in {start} or above it: go to the project's folder."
    )


if __name__ == "__main__":
    sys.exit(main())
