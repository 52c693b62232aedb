"""`martlet build`: a failed build changes nothing, and each obstacle gets one clear message."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from martlet.build import WORK_FOLDER, build, database_path
from martlet.cli import main
from martlet.errors import MartletError
from support import PROJECT

HOLD_LOCK = (
    "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dbt project of two models that uses the real profile."""
    monkeypatch.delenv("MARTLET_DATABASE", raising=False)
    monkeypatch.delenv("MARTLET_TARGET", raising=False)
    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path / "profiles"))
    shutil.copytree(PROJECT / "profiles", tmp_path / "profiles")
    (tmp_path / "dbt_project.yml").write_text("name: martlet\nversion: 0.1.0\nprofile: martlet\n")
    models = tmp_path / "models"
    models.mkdir()
    config = "{{ config(materialized='table') }}"
    (models / "first.sql").write_text(f"{config} select {{{{ var('value', 1) }}}} as value")
    (models / "second.sql").write_text(
        f"{config} select value / 1 as value from {{{{ ref('first') }}}}"
    )
    return tmp_path


@pytest.fixture
def writer(project: Path) -> Iterator[subprocess.Popen[str]]:
    """Another program that has the project's database open for writing."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(project / "martlet.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def values(project: Path) -> list[tuple[object, ...]]:
    """Both tables of the finished database."""
    with duckdb.connect(str(project / "martlet.duckdb"), read_only=True) as connection:
        return connection.execute("select f.value, s.value from first f, second s").fetchall()


def test_failed_build_leaves_every_table_as_it_was(project: Path) -> None:
    assert build(project) == 0
    before = (project / "martlet.duckdb").read_bytes()
    assert values(project) == [(1, 1)]

    # `first` builds with the new value, `second` fails: plain dbt would leave a mixture.
    second = project / "models" / "second.sql"
    second.write_text(second.read_text().replace("value / 1", "cast('x' as integer)"))
    assert build(project, ["--vars", "{value: 2}"]) == 1
    assert (project / "martlet.duckdb").read_bytes() == before
    unfinished = project / WORK_FOLDER / "martlet" / "martlet.duckdb"
    with duckdb.connect(str(unfinished), read_only=True) as connection:
        assert connection.execute("select value from first").fetchall() == [(2,)]


def test_open_reader_neither_stops_the_build_nor_sees_half_of_it(project: Path) -> None:
    assert build(project) == 0
    reader = duckdb.connect(str(project / "martlet.duckdb"), read_only=True)
    assert build(project, ["--vars", "{value: 2}"]) == 0
    assert reader.execute("select f.value, s.value from first f, second s").fetchall() == [(1, 1)]
    reader.close()
    assert values(project) == [(2, 2)]


def test_open_writer_is_named(project: Path, writer: subprocess.Popen[str]) -> None:
    with pytest.raises(MartletError, match=r"being written by another program(.|\n)*PID"):
        build(project)


def test_unfinished_write_of_a_killed_program_is_kept(
    project: Path, writer: subprocess.Popen[str]
) -> None:
    writer.kill()
    writer.wait()
    assert build(project) == 0
    assert values(project) == [(1, 1)]


def test_two_builds_at_once(project: Path) -> None:
    import fcntl

    lock = project / WORK_FOLDER / "martlet" / "lock"
    lock.parent.mkdir(parents=True)
    with lock.open("a+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.write("4711")
        handle.flush()
        with pytest.raises(MartletError, match="Another build of martlet.duckdb is running.*4711"):
            build(project)


def test_file_that_is_no_database(project: Path) -> None:
    (project / "martlet.duckdb").write_text("id,name\n1,x\n" * 1000)
    with pytest.raises(MartletError, match="not a DuckDB file this version can read. Move it away"):
        build(project)


def test_read_only_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = project / "martlet.duckdb"
    duckdb.connect(str(database)).close()
    database.chmod(stat.S_IREAD)
    # The superuser may write anything; the answer of the system is what is tested.
    monkeypatch.setattr(os, "access", lambda path, mode: os.stat(path).st_mode & stat.S_IWUSR != 0)
    with pytest.raises(MartletError, match=r"read-only: make it writable \(chmod u\+w\)"):
        build(project)


def test_folder_that_does_not_exist(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARTLET_DATABASE", "nowhere/shop.duckdb")
    with pytest.raises(MartletError, match="nowhere does not exist: create it first"):
        build(project)


@pytest.mark.parametrize(
    ("target", "database", "expected"),
    [
        (None, None, "martlet.duckdb"),
        ("dev", "shop.duckdb", "shop.duckdb"),
        ("ci", None, "target/ci.duckdb"),
        ("prod", "/srv/shop.duckdb", "/srv/shop.duckdb"),
    ],
)
def test_database_path(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str | None,
    database: str | None,
    expected: str,
) -> None:
    if database:
        monkeypatch.setenv("MARTLET_DATABASE", database)
    assert database_path(project, target) == (project / expected).resolve()


def test_wrong_target_and_missing_variable(project: Path) -> None:
    with pytest.raises(MartletError, match="Target 'nosuch' is not in .*It knows: dev, ci, prod"):
        database_path(project, "nosuch")
    with pytest.raises(MartletError, match="needs the environment variable MARTLET_DATABASE"):
        database_path(project, "prod")


def test_command_line(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "models")
    assert main(["query", "select 1"]) == 2
    assert "There is no database" in capfd.readouterr().err
    assert main(["build", "--select", "first", "--vars", "{value: 7}"]) == 0
    assert "martlet.duckdb is up to date" in capfd.readouterr().out
    assert main(["query", "select value * 6 as answer from first"]) == 0
    assert "42" in capfd.readouterr().out
    assert main(["query", "select nothing from first"]) == 2
    assert "nothing" in capfd.readouterr().err
    monkeypatch.chdir(project.parent)
    assert main(["build"]) == 2
    assert "There is no dbt_project.yml" in capfd.readouterr().err
