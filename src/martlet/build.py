"""Build into a copy of the database and swap it in when everything is green.

``dbt build`` replaces one table after another: when it fails half-way, the marts are a mixture of
old and new. Here dbt works on a copy beside the database; only a build without an error replaces
the file, in one rename. Readers keep the file they opened, and a failed build changes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import yaml

from martlet.errors import MartletError
from martlet.locks import Lock, holder, is_lock_error, only_one
from martlet.raw_files import unreadable_files

__all__ = ["build", "check_green", "database_path"]

WORK_FOLDER = ".martlet"

#: Notes in the work folder how the file looked when the last green build put it there.
_GREEN = "green.json"

#: With less room than this (bytes) a failed build is put down to a full disk.
_LITTLE_SPACE = 16_000_000


def database_path(project: Path, target: str | None = None) -> Path:
    """Path of the DuckDB file that a target of ``profiles/profiles.yml`` writes.

    Parameters
    ----------
    project : Path
        Folder with ``dbt_project.yml``.
    target : str, optional
        Name of the target; by default the profile's own default.

    Returns
    -------
    Path
        Absolute path of the file, which need not exist.

    Raises
    ------
    MartletError
        If there is no profile, no such target, or the target is not a DuckDB file.
    """
    output, profiles = _output(project, target)
    path = _render(output["path"], profiles)
    if path.startswith(("md:", ":memory:")):
        raise MartletError(f"{path} is not a file: use plain `dbt build` for this target.")
    return (project / path).resolve()


def _output(project: Path, target: str | None) -> tuple[dict[str, Any], Path]:
    """Return a target of the profile, and the profile's path."""
    profiles = Path(os.environ.get("DBT_PROFILES_DIR", project / "profiles")) / "profiles.yml"
    if not profiles.is_file():
        raise MartletError(f"There is no profile at {profiles}: run from the project's folder.")
    profile = yaml.safe_load(profiles.read_text())["martlet"]
    name = target or _render(profile["target"], profiles)
    if name not in profile["outputs"]:
        known = ", ".join(profile["outputs"])
        raise MartletError(f"Target '{name}' is not in {profiles}. It knows: {known}.")
    output: dict[str, Any] = profile["outputs"][name]
    if output["type"] != "duckdb":
        raise MartletError(f"Target '{name}' is not a DuckDB file: use plain `dbt build` for it.")
    return output, profiles


def _render(text: str, profiles: Path) -> str:
    """Render the profile's ``env_var`` calls the way dbt does."""

    def env_var(name: str, default: str | None = None) -> str:
        value = os.environ.get(name, default)
        if value is None:
            raise MartletError(f"{profiles} needs the environment variable {name}: set it.")
        return value

    return jinja2.Environment().from_string(text).render(env_var=env_var)


def build(project: Path, dbt_arguments: Sequence[str] = (), target: str | None = None) -> int:
    """Run ``dbt build`` on a copy of the database and swap the copy in when it succeeds.

    Unit tests are left out unless the arguments or dbt's own environment variables ask for them:
    they prove the code on made-up rows and say nothing about the data.

    Parameters
    ----------
    project : Path
        Folder with ``dbt_project.yml``.
    dbt_arguments : sequence of str
        Passed on to ``dbt build`` (``--select``, ``--full-refresh``, ``--vars`` ...).
    target : str, optional
        Target of the profile.

    Returns
    -------
    int
        dbt's exit code; 0 means that the new database is in place.

    Raises
    ------
    MartletError
        If the database cannot be read or written, or another build is running.
    """
    database = database_path(project, target)
    _check_writable(database)
    work = database.parent / WORK_FOLDER / database.stem
    try:
        work.mkdir(parents=True, exist_ok=True)
        with only_one(work / "lock") as lock:
            if lock.owner:
                raise MartletError(
                    f"Another build of {database.name} is running ({lock.owner}): wait for it."
                )
            return _build_copy(project, database, work, lock, dbt_arguments, target)
    except OSError as error:
        raise MartletError(
            f"The build could not write in {work}: {error.strerror or error}. Make room or make it "
            f"writable. {_how_it_is(database)}"
        ) from error


def _build_copy(
    project: Path, database: Path, work: Path, lock: Lock, arguments: Sequence[str],
    target: str | None,
) -> int:  # fmt: skip
    """Copy, run dbt on the copy, swap it in."""
    # The same file name, because DuckDB names the catalog after it and dbt writes that name.
    copy = work / database.name
    _remove(copy)
    try:
        before = _copy_database(database, copy, _connect_attempts(project, target))
    except OSError:
        _remove(copy)
        raise
    started = time.perf_counter()
    code = _run_dbt(project, copy, lock, arguments, target)
    seconds = time.perf_counter() - started
    if code != 0 or not copy.is_file():
        _report_failure(database, copy)
        for problem in unreadable_files(project, arguments):
            print(problem, file=sys.stderr)
        return code
    if _state(database) != before:
        raise MartletError(
            f"{database} was changed by another program while the build ran: build again, "
            f"and keep others from writing it. This build is in {copy}."
        )
    os.replace(copy, database)
    _remove(copy)
    (work / _GREEN).write_text(json.dumps(_state(database)))
    print(f"\n{database.name} is up to date ({seconds:.0f} s). Look into it, for example:")
    print(f'  {os.path.relpath(_beside("martlet"))} query "from marts.fct_data_quality"')
    return code


def _run_dbt(
    project: Path, copy: Path, lock: Lock, arguments: Sequence[str], target: str | None
) -> int:
    """Run ``dbt build`` on the copy and return its exit code."""
    command = [_beside("dbt"), "build", "--profiles-dir", str(project / "profiles"), *arguments]
    if target:
        command += ["--target", target]
    environment = os.environ | {"MARTLET_DATABASE": str(copy)}
    if not any("resource-type" in argument for argument in arguments):
        environment.setdefault("DBT_EXCLUDE_RESOURCE_TYPES", "unit_test")
    # dbt keeps the lock as well: when this process is killed, dbt goes on writing the copy, and the
    # next build must not begin before it has ended.
    return subprocess.run(
        command, cwd=project, env=environment, check=False, pass_fds=lock.descriptors
    ).returncode


def _beside(command: str) -> str:
    """Path of a command of the environment that runs this, not of another one on the path."""
    beside = Path(sys.executable).parent / command
    found = str(beside) if beside.exists() else shutil.which(command)
    if not found:
        raise MartletError(
            f"{command} is not installed here: run `make build` or `pip install -e .`."
        )
    return found


def _check_writable(database: Path) -> None:
    """Say in one sentence why the database cannot be written, if so."""
    if not database.parent.is_dir():
        raise MartletError(f"The folder {database.parent} does not exist: create it first.")
    if not os.access(database.parent, os.W_OK):
        raise MartletError(
            f"The folder {database.parent} is read-only: make it writable or choose another place "
            "with MARTLET_DATABASE."
        )
    if database.exists() and not os.access(database, os.W_OK):
        raise MartletError(
            f"{database} is read-only: make it writable (chmod u+w) or choose another file "
            "with MARTLET_DATABASE."
        )


def _copy_database(database: Path, copy: Path, attempts: int) -> list[int] | None:
    """Copy the last good database, if there is one, after folding in what a crash left.

    Returns what `_state` said of it.
    """
    if not database.exists():
        return None
    for attempt in range(attempts):
        try:
            # Opening also proves that nobody writes and replays a write-ahead log left by a crash.
            duckdb.connect(str(database), read_only=not _wal(database).exists()).close()
            break
        except duckdb.IOException as error:
            if not is_lock_error(error):
                raise MartletError(
                    f"{database} is not a DuckDB file this version can read. Move it away (the "
                    "next build makes a new one) or choose another file with MARTLET_DATABASE.\n"
                    f"DuckDB says: {_first_line(str(error))}"
                ) from error
            if attempt == attempts - 1:
                raise MartletError(
                    f"{database} is being written by {holder(error)}. Close it and build again."
                ) from error
            wait = 2**attempt
            print(
                f"{database.name} is held by {holder(error)}: trying again in {wait} s.",
                file=sys.stderr,
            )
            time.sleep(wait)
    state = _state(database)
    shutil.copyfile(database, copy)
    return state


def _connect_attempts(project: Path, target: str | None) -> int:
    """How often the profile tries to open a database that another program has."""
    output, _ = _output(project, target)
    return max(1, int((output.get("retries") or {}).get("connect_attempts", 1)))


def _state(database: Path) -> list[int] | None:
    """How a file is known again: any write changes its time or its size."""
    try:
        found = database.stat()
    except FileNotFoundError:
        return None
    return [found.st_mtime_ns, found.st_size]


def check_green(database: Path) -> None:
    """Make sure that the database is what a green `build` left.

    Parameters
    ----------
    database : Path
        The database file.

    Raises
    ------
    MartletError
        If it was changed since, for example by a plain ``dbt build`` that may have failed half-way.
    """
    note = database.parent / WORK_FOLDER / database.stem / _GREEN
    if not note.is_file() or json.loads(note.read_text()) != _state(database):
        raise MartletError(
            f"{database} is not what the last green `martlet build` left: a plain `dbt build`, a "
            "rollback or another program changed it, and half of it may be old. Run `martlet "
            "build`, or publish it as it is with --any-state."
        )


def _report_failure(database: Path, copy: Path) -> None:
    """Tell that nothing changed and where the failed state can be looked at."""
    print(
        f"\nThe build failed: {_how_it_is(database)} The first error above says why.",
        file=sys.stderr,
    )
    free = shutil.disk_usage(database.parent).free
    if free < _LITTLE_SPACE:
        _remove(copy)
        print(
            f"The disk is full: {free / 1e6:.0f} MB are free in {database.parent}. Make room; a "
            "build needs about twice the size of the database. The unfinished build was removed.",
            file=sys.stderr,
        )
    if copy.is_file():
        print(f"The unfinished build can be queried in {copy}.", file=sys.stderr)


def _how_it_is(database: Path) -> str:
    return f"{database.name} {'is as it was' if database.exists() else 'was not made'}."


def _wal(database: Path) -> Path:
    return database.with_name(database.name + ".wal")


def _remove(database: Path) -> None:
    database.unlink(missing_ok=True)
    _wal(database).unlink(missing_ok=True)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]
