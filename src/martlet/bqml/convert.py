"""Files of BigQuery ML's SQL as files of a dbt project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from sqlglot import exp

from martlet.bqml.calls import UnknownFunctionError
from martlet.bqml.expressions import CreateModel, MLTable
from martlet.bqml.models import model_config, name_properties, training_query, with_column_names
from martlet.bqml.names import Created, Names, identifier, parts_of
from martlet.bqml.query import Finished, finish, prepare, uses_of
from martlet.bqml.render import model_file
from martlet.bqml.report import Kind, Report
from martlet.bqml.script import Statement, read_script
from martlet.bqml.substitute import Definitions

__all__ = ["Conversion", "ModelFile", "Settings", "convert"]


@dataclass(frozen=True)
class Settings:
    """How to convert.

    Attributes
    ----------
    schemas
        BigQuery dataset (or project.dataset) to the schema its tables have in DuckDB.
    package
        Name of the dbt package the macros are called in; nothing inside Martlet's own project.
    comments
        Whether the comments of the files are kept.
    """

    schemas: Mapping[str, str] = field(default_factory=dict)
    package: str = ""
    comments: bool = True


@dataclass(frozen=True)
class ModelFile:
    """One file to be written.

    Attributes
    ----------
    name
        The dbt model's name.
    text
        The whole text.
    file, line
        Where the statement is.
    enabled
        False when DuckDB would refuse it as it is.
    """

    name: str
    text: str
    file: str
    line: int
    enabled: bool = True


@dataclass(frozen=True)
class Conversion:
    """The result: files, names of the tables that have to be there, and the report."""

    files: list[ModelFile]
    names: Names
    report: Report


@dataclass
class _Job:
    """A statement on its way to a file."""

    statement: Statement
    query: exp.Expr
    config: dict[str, Any]
    created: tuple[str, ...] | None
    is_model: bool = False
    words: str = ""


def convert(scripts: Mapping[str, str], settings: Settings | None = None) -> Conversion:
    """Convert files of BigQuery SQL.

    Parameters
    ----------
    scripts : mapping
        Name of each file to its text.
    settings : Settings, optional
        How to convert.

    Returns
    -------
    Conversion
        One file for each model, table, view and query that can be carried over.
    """
    settings = settings or Settings()
    report = Report()
    jobs = _jobs(scripts, report)
    failed: set[int] = set()
    while True:
        attempt = Report(list(report.notes))
        names, files, broken = _attempt(jobs, failed, settings, attempt)
        if broken <= failed:
            return Conversion(files, names, attempt)
        failed |= broken


def _jobs(scripts: Mapping[str, str], report: Report) -> list[_Job]:
    jobs: list[_Job] = []
    functions: dict[str, tuple[list[str], exp.Expr]] = {}
    for file, text in scripts.items():
        definitions = Definitions(functions=functions)
        for statement in read_script(text, file, report):
            try:
                job = _defined(statement, definitions, len(jobs), report)
            except Exception as error:  # One odd statement must not take the others with it.
                _fail(report, statement, error)
                continue
            if job is not None:
                jobs.append(job)
    return jobs


def _fail(report: Report, statement: Statement, error: Exception) -> None:
    text = f"the statement cannot be read ({type(error).__name__}: {error})"
    report.add(statement.file, statement.line, Kind.MISSING, text)


def _defined(
    statement: Statement, definitions: Definitions, order: int, report: Report
) -> _Job | None:
    if definitions.take(statement, report):
        return None
    statement.order = order
    for name in definitions.unknown(statement.tree):
        text = f"the value of variable {name}"
        report.add(statement.file, statement.line, Kind.MISSING, text)
    statement.tree = definitions.apply(statement.tree)
    return _job(statement, report)


def _job(statement: Statement, report: Report) -> _Job | None:
    tree, line = statement.tree, statement.line

    def note(where: int, kind: Kind, text: str) -> None:
        report.add(statement.file, where, kind, text)

    if isinstance(tree, CreateModel):
        config = model_config(tree, note, line)
        query = training_query(tree, note, line) if config is not None else None
        if config is None or query is None:
            return None
        query.parent = None
        return _prepared(
            statement,
            query,
            {"materialized": "model", "ml_config": config},
            report,
            parts_of(tree.this),
            is_model=True,
        )
    if isinstance(tree, exp.Create):
        query = tree.expression
        kind = str(tree.kind).upper()
        if kind not in {"TABLE", "VIEW"} or not isinstance(query, exp.Query):
            if kind == "SCHEMA":
                note(line, Kind.HINT, "CREATE SCHEMA: left out, dbt makes its schemas by itself")
            else:
                note(line, Kind.MISSING, f"CREATE {kind} without a query")
            return None
        name_properties(tree, note, line)
        table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        query = query.unnest() if isinstance(query, exp.Subquery) else query
        query.parent = None
        query = with_column_names(query, tree)
        config = {"materialized": "view" if kind == "VIEW" else "table"}
        return _prepared(statement, query, config, report, parts_of(table))
    if isinstance(tree, exp.Query):
        return _prepared(statement, tree, {"materialized": "table"}, report, None)
    note(line, Kind.MISSING, f"{type(tree).__name__.upper()}: not a query and not a CREATE")
    return None


def _prepared(
    statement: Statement,
    query: exp.Expr,
    config: dict[str, Any],
    report: Report,
    created: tuple[str, ...] | None,
    *,
    is_model: bool = False,
) -> _Job:
    calls = [call.name for call in query.find_all(MLTable)]
    query = prepare(query, statement, report)
    words = calls[0] if calls else "query"
    return _Job(statement, query, config, created, is_model, words)


def _attempt(
    jobs: list[_Job], failed: set[int], settings: Settings, report: Report
) -> tuple[Names, list[ModelFile], set[int]]:
    names = Names({key.lower(): value for key, value in settings.schemas.items()})
    made: dict[int, Created] = {}
    for job in jobs:
        order = job.statement.order
        if job.created is not None and order not in failed:
            made[order] = names.create(job.created, order, is_model=job.is_model)
            if made[order].name != identifier(job.created[-1]):
                _note(report, job, Kind.HINT, f"{'.'.join(job.created)} becomes {made[order].name}")
    titles = _query_names(jobs, failed, names)
    names.connect({job.statement.order: uses_of(job.query) for job in jobs})
    files: list[ModelFile] = []
    broken: set[int] = set()
    for job in jobs:
        order = job.statement.order
        name = made[order].name if order in made else titles[order]
        try:
            done: Finished = finish(job.query.copy(), job.statement, names, settings, report)
        except UnknownFunctionError as error:
            report.add(job.statement.file, error.line, Kind.MISSING, str(error))
            broken.add(order)
            continue
        except Exception as error:  # As above.
            _fail(report, job.statement, error)
            broken.add(order)
            continue
        config = dict(job.config)
        if not done.runs:
            broken.add(order)
            config = {"enabled": False, **config}
        text = model_file(config, done.sql, job.statement, comments=settings.comments)
        files.append(ModelFile(name, text, job.statement.file, job.statement.line, done.runs))
    return names, files, broken


def _query_names(jobs: list[_Job], failed: set[int], names: Names) -> dict[int, str]:
    """Name the queries, which have none, by file, place in the file and ML function."""
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job.statement.file] = counts.get(job.statement.file, 0) + (job.created is None)
    places: dict[str, int] = {}
    titles = {}
    for job in jobs:
        if job.created is not None and job.statement.order not in failed:
            continue
        file = job.statement.file
        stem = identifier(PurePath(file).stem)
        if job.created is not None:
            titles[job.statement.order] = names.reserve(identifier(job.created[-1]))
            continue
        places[file] = places.get(file, 0) + 1
        title = stem if counts[file] == 1 else f"{stem}_{places[file]:02d}_{job.words}"
        titles[job.statement.order] = names.reserve(title)
    return titles


def _note(report: Report, job: _Job, kind: Kind, text: str) -> None:
    report.add(job.statement.file, job.statement.line, kind, text)
