"""Run dbt inside the test process, each run on its own database and target folder."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import reset_adapters
from dbt.cli.main import dbtRunner

__all__ = ["PROJECT", "DbtResult", "parse_manifest", "query", "run_dbt"]

#: The root of the project, where dbt_project.yml is.
PROJECT = Path(__file__).resolve().parents[2]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class DbtResult:
    """What one dbt invocation came to.

    Attributes
    ----------
    success
        Whether dbt would have exited with 0.
    messages
        Every message of level info and above, one a line, without colours. An exception that
        ended the run is the last one.
    results
        The run results of the nodes (``.node.name``, ``.status``, ``.message``); the names for
        ``dbt ls``; empty for commands that run nothing.
    """

    success: bool
    messages: str
    results: list[Any] = field(default_factory=list)

    def status(self, name: str) -> str:
        """Return the status of the node called `name`."""
        return {result.node.name: str(result.status) for result in self.results}[name]


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _close_databases() -> None:
    # dbt-duckdb keeps one open database for the process; after a failed run it may stay locked.
    environment = DuckDBConnectionManager._ENV
    if environment is not None:
        environment.close()
    DuckDBConnectionManager.close_all_connections()
    reset_adapters()


def run_dbt(
    *args: str,
    database: Path,
    target: Path,
    vars: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> DbtResult:
    """Run one dbt command of this project in this process.

    Parameters
    ----------
    *args
        The command and its options, e.g. ``"build", "--select", "shop_orders+"``.
    database
        The DuckDB file to build in. It is closed again when the call returns.
    target
        dbt's target folder. Calls that share it (and `vars`) also share the parsed project,
        which saves a second or more.
    vars
        Overrides of the variables of dbt_project.yml.
    env
        Environment variables for this call only.
    check
        Raise an `AssertionError` that shows the messages when dbt does not succeed.

    Returns
    -------
    DbtResult
        Success, messages and node results.
    """
    lines: list[str] = []

    def keep(event: Any) -> None:
        if str(event.info.level) in {"info", "warn", "error"}:
            lines.append(_COLOUR.sub("", event.info.msg))

    command = [
        *args,
        "--project-dir",
        str(PROJECT),
        "--profiles-dir",
        str(PROJECT / "profiles"),
        "--target-path",
        str(target),
        "--log-path",
        str(target / "logs"),
        "--log-level",
        "none",
        "--log-level-file",
        "none",
        "--no-use-colors",
        *(["--vars", json.dumps(dict(vars))] if vars else []),
    ]
    with _environment({"MARTLET_DATABASE": str(database), **(env or {})}):
        try:
            outcome = dbtRunner(callbacks=[keep]).invoke(command)
        finally:
            _close_databases()
    if outcome.exception is not None:
        lines.append(str(outcome.exception))
    if isinstance(outcome.result, list):
        results = outcome.result
    else:
        results = list(getattr(outcome.result, "results", None) or [])
    result = DbtResult(outcome.success, "\n".join(lines), results)
    if check and not result.success:
        raise AssertionError(f"dbt {' '.join(args)} failed:\n{result.messages}")
    return result


@functools.cache
def parse_manifest(connector: str) -> Any:
    """Return dbt's manifest of the project as one connector sees it; nothing is built."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["parse", "--project-dir", str(PROJECT), "--target-path", folder]
        command += ["--profiles-dir", str(PROJECT / "profiles"), "--log-path", folder]
        command += ["--vars", json.dumps({"martlet_connector": connector}), "--log-level", "none"]
        with _environment({"MARTLET_DATABASE": str(Path(folder) / "martlet.duckdb")}):
            try:
                outcome = dbtRunner().invoke(command)
            finally:
                _close_databases()
    if outcome.exception is not None:
        raise outcome.exception
    return outcome.result


def query(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of one query on a database that no dbt run has open."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()
