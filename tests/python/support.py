"""Run dbt inside the test process, each run on its own database and target folder.

Reading the project takes many times longer than what most tests build, and dbt reads it anew
whenever a setting or the path of the database is another one. Here it is read once for each set of
settings that makes another project of it: see `ASKED_WHEN_RUN`.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import reset_adapters
from dbt.cli.main import dbtRunner, dbtRunnerResult

__all__ = [
    "ASKED_WHEN_RUN",
    "PROJECT",
    "SHARED",
    "DbtResult",
    "SampleBuild",
    "beside",
    "build_sample_shop",
    "parse_manifest",
    "query",
    "run_dbt",
]

#: The root of the project, where dbt_project.yml is.
PROJECT = Path(__file__).resolve().parents[2]

#: The environment variable that names the folder of what all workers share.
SHARED = "MARTLET_TEST_SHARED"

#: Settings that nodes ask when they run, so that one parsed project serves all their values (what
#: test_settings compares). Of the path of raw files it is asked for which connectors there is any:
#: that says what reads seeds. Of the path of the database the name counts: each relation has it.
ASKED_WHEN_RUN = {
    "martlet_session_timeout_minutes", "martlet_time_zone", "martlet_as_of_date",
    "martlet_as_of_months", "martlet_currency", "martlet_intervention_experiments",
}  # fmt: skip

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
        ``dbt ls``; the manifest alone for ``dbt parse``; empty for commands that run nothing.
    """

    success: bool
    messages: str
    results: list[Any] = field(default_factory=list)

    def status(self, name: str) -> str:
        """Return the status of the node called `name`."""
        return {result.node.name: str(result.status) for result in self.results}[name]


@dataclass(frozen=True)
class SampleBuild:
    """What the build of the sample shop came to.

    Attributes
    ----------
    database
        The warehouse. Copy it to change it.
    messages
        As of `DbtResult`.
    results
        Kind and status of each node.
    """

    database: Path
    messages: str
    results: list[tuple[str, str]]


def build_sample_shop(folder: Path) -> SampleBuild:
    """Build the sample shop with all tests of the data, unless another worker has."""
    done, database = folder / "results.json", folder / "martlet.duckdb"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            result = run_dbt("build", database=database, target=folder / "target", check=False)
            found = [(str(item.node.resource_type), str(item.status)) for item in result.results]
            done.write_text(json.dumps([result.messages, found]))
    messages, results = json.loads(done.read_text())
    return SampleBuild(database, messages, [(kind, status) for kind, status in results])


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
    parse_anew: bool = False,
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
        dbt's target folder.
    vars
        Overrides of the variables of dbt_project.yml.
    parse_anew
        Have dbt read the project with exactly these `vars`, as it does outside of tests.
    env
        Environment variables for this call only.
    check
        Raise an `AssertionError` that shows the messages when dbt does not succeed.

    Returns
    -------
    DbtResult
        Success, messages and node results.
    """
    if parse_anew or args[0] == "parse":
        outcome, messages = _invoke(args, database, target, vars, env)
    else:
        outcome, messages = _parsed(database.name, _asked_when_parsing(vars))
        if outcome.success:
            outcome, messages = _invoke(args, database, target, vars, env, outcome.result)
    if isinstance(outcome.result, list):
        results = outcome.result
    elif args[0] == "parse":
        results = [outcome.result]
    else:
        results = list(getattr(outcome.result, "results", None) or [])
    result = DbtResult(outcome.success, messages, results)
    if check and not result.success:
        raise AssertionError(f"dbt {' '.join(args)} failed:\n{result.messages}")
    return result


def _invoke(
    args: Sequence[str],
    database: Path,
    target: Path,
    vars: Mapping[str, Any] | None,
    env: Mapping[str, str] | None = None,
    manifest: Any = None,
) -> tuple[dbtRunnerResult, str]:
    """Run dbt; return what it came to and its messages."""
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
            outcome = dbtRunner(manifest, callbacks=[keep]).invoke(command)
        finally:
            _close_databases()
    if outcome.exception is not None:
        lines.append(str(outcome.exception))
    return outcome, "\n".join(lines)


def _asked_when_parsing(vars: Mapping[str, Any] | None) -> str:
    settings = {name: value for name, value in (vars or {}).items() if name not in ASKED_WHEN_RUN}
    path = settings.get("martlet_raw_path")
    if path:
        several = isinstance(path, Mapping)
        settings["martlet_raw_path"] = dict.fromkeys(path, "some") if several else "some"
    return json.dumps(settings, sort_keys=True)


@functools.lru_cache(maxsize=4)
def _parsed(name: str, settings: str) -> tuple[dbtRunnerResult, str]:
    # What dbt saves there is read again by later test files, also in another worker.
    key = hashlib.sha256(f"{name} {settings}".encode()).hexdigest()[:16]
    folder = Path(os.environ[SHARED]) / key
    return _invoke(["parse", "--no-write-json"], folder / name, folder, json.loads(settings))


def parse_manifest(connector: str, **settings: Any) -> Any:
    """Return dbt's manifest of the project as one connector sees it; nothing is built."""
    if connector != "sample":
        settings["martlet_connector"] = connector
    outcome, messages = _parsed("martlet.duckdb", _asked_when_parsing(settings))
    assert outcome.success, messages
    return outcome.result


def beside(database: Path, name: str) -> Path:
    """Return the path of another database: by the same name, so that it is the same project."""
    folder = database.parent / name
    folder.mkdir(exist_ok=True)
    return folder / database.name


def query(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of one query on a database that no dbt run has open."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()
