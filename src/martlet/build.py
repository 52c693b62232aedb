"""Build into a copy of the database and swap it in when everything is green.

``dbt build`` replaces one table after another: when it fails half-way, the marts are a mixture of
old and new. Here dbt works on a copy beside the database; only a build without an error replaces
the file, in one rename. Readers keep the file they opened, and a failed build changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import yaml

from martlet.errors import MartletError

__all__ = ["build", "database_path"]

WORK_FOLDER = ".martlet"


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
    path = _render(output["path"], profiles)
    if path.startswith(("md:", ":memory:")):
        raise MartletError(f"Target '{name}' is not a file ({path}): use plain `dbt build` for it.")
    return (project / path).resolve()


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
    work.mkdir(parents=True, exist_ok=True)
    with _only_one_build(work / "lock", database):
        # The same file name, because DuckDB names the catalog after it and dbt writes that name.
        copy = work / database.name
        _remove(copy)
        _copy_database(database, copy)
        command = [
            _beside("dbt"),
            "build",
            "--profiles-dir",
            str(project / "profiles"),
            *dbt_arguments,
        ]
        if target:
            command += ["--target", target]
        environment = os.environ | {"MARTLET_DATABASE": str(copy)}
        started = time.perf_counter()
        code = subprocess.run(command, cwd=project, env=environment, check=False).returncode
        seconds = time.perf_counter() - started
        if code == 0 and copy.is_file():
            os.replace(copy, database)
            _remove(copy)
            print(f"\n{database.name} is up to date ({seconds:.0f} s). Look into it, for example:")
            print(f'  {os.path.relpath(_beside("martlet"))} query "from marts.fct_data_quality"')
        else:
            _report_failure(database, copy)
    return code


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


def _copy_database(database: Path, copy: Path) -> None:
    """Copy the last good database, if there is one, after folding in what a crash left."""
    if not database.exists():
        return
    try:
        # Opening also proves that nobody writes and replays a write-ahead log left by a crash.
        duckdb.connect(str(database), read_only=not _wal(database).exists()).close()
    except duckdb.IOException as error:
        text = str(error)
        if "lock" in text.lower():
            raise MartletError(
                f"{database} is being written by another program. Close it and build again.\n"
                f"DuckDB says: {_first_line(text)}"
            ) from error
        raise MartletError(
            f"{database} is not a DuckDB file this version can read. Move it away (the next build "
            "makes a new one) or choose another file with MARTLET_DATABASE.\n"
            f"DuckDB says: {_first_line(text)}"
        ) from error
    shutil.copyfile(database, copy)


def _report_failure(database: Path, copy: Path) -> None:
    """Tell that nothing changed and where the failed state can be looked at."""
    state = "is as it was" if database.exists() else "was not made"
    print(
        f"\nThe build failed: {database.name} {state}. The first error above says why.",
        file=sys.stderr,
    )
    if copy.is_file():
        print(f"The unfinished build can be queried in {copy}.", file=sys.stderr)


@contextlib.contextmanager
def _only_one_build(lock: Path, database: Path) -> Iterator[None]:
    """Hold a lock for the time of the build; the system drops it when the process dies."""
    try:
        import fcntl
    except ImportError:  # Windows: DuckDB's own lock on the copy has to do
        yield
        return
    with lock.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            owner = handle.read().strip() or "unknown"
            raise MartletError(
                f"Another build of {database.name} is running (process {owner}): wait for it."
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _wal(database: Path) -> Path:
    return database.with_name(database.name + ".wal")


def _remove(database: Path) -> None:
    database.unlink(missing_ok=True)
    _wal(database).unlink(missing_ok=True)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]
