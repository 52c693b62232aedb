"""`martlet build`: a failed build changes nothing, and each obstacle gets one clear message."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import martlet.build
from martlet.build import WORK_FOLDER, build, check_green, database_path
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


def test_a_table_is_replaced_whole_or_not_at_all(project: Path) -> None:
    """The project's own `table` materialization, without the copy that `martlet build` works on."""
    macros = project / "macros"
    macros.mkdir()
    shutil.copy(PROJECT / "macros" / "project" / "materialization_table.sql", macros)
    second = project / "models" / "second.sql"

    def dbt(*arguments: str) -> int:
        command = [str(Path(sys.executable).with_name("dbt")), "run", *arguments]
        environment = os.environ | {"MARTLET_DATABASE": str(project / "martlet.duckdb")}
        return subprocess.run(command, cwd=project, env=environment, check=False).returncode

    working = second.read_text()
    second.write_text(working.replace("'table'", "'view'"))
    assert dbt() == 0
    second.write_text(working)
    assert dbt("--vars", "{value: 2}") == 0
    assert values(project) == [(2, 2)]
    # Refused by the database only when the rows are there: the old table has been dropped by then.
    second.write_text(working.replace("value / 1", "cast('x' || value as integer)"))
    assert dbt("--vars", "{value: 3}") == 1
    assert values(project) == [(3, 2)]
    with duckdb.connect(str(project / "martlet.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from duckdb_tables()").fetchall() == [(2,)]


def test_unit_tests_run_only_when_asked_for(project: Path) -> None:
    (project / "models" / "second.yml").write_text(
        "unit_tests:\n- {name: wrong, model: second, "
        "given: [{input: ref('first'), rows: [{value: 1}]}], expect: {rows: [{value: 2}]}}\n"
    )
    assert build(project) == 0
    assert build(project, ["--exclude-resource-type", "seed"]) == 1


def test_open_reader_neither_stops_the_build_nor_sees_half_of_it(project: Path) -> None:
    assert build(project) == 0
    reader = duckdb.connect(str(project / "martlet.duckdb"), read_only=True)
    assert build(project, ["--vars", "{value: 2}"]) == 0
    assert reader.execute("select f.value, s.value from first f, second s").fetchall() == [(1, 1)]
    reader.close()
    assert values(project) == [(2, 2)]


def test_open_writer_is_waited_for_and_named(
    project: Path,
    writer: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(martlet.build.time, "sleep", waits.append)
    named = rf"process {writer.pid} \(.*python.* -c import duckdb"
    with pytest.raises(MartletError, match=f"being written by {named}"):
        build(project)
    assert waits == [1, 2, 4]
    assert re.search(
        f"martlet.duckdb is held by {named}.*trying again in 1 s", capsys.readouterr().err
    )


def test_build_goes_on_when_the_writer_is_done(
    project: Path, writer: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        writer.kill()
        writer.wait()

    monkeypatch.setattr(martlet.build.time, "sleep", sleep)
    assert build(project) == 0


def test_plain_dbt_waits_for_the_writer_too(project: Path, writer: subprocess.Popen[str]) -> None:
    command = [martlet.build._beside("dbt"), "run", "--profiles-dir", str(project / "profiles")]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL) as dbt:
        time.sleep(5)  # dbt has started and found the lock
        assert dbt.poll() is None
        writer.kill()
        assert dbt.wait(timeout=60) == 0


def test_what_another_program_wrote_meanwhile_is_not_lost(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build(project) == 0
    run = subprocess.run

    def write_meanwhile(*words: Any, **more: Any) -> Any:
        with duckdb.connect(str(project / "martlet.duckdb")) as connection:
            connection.execute("create table precious as select 1 as value")
        return run(*words, **more)

    monkeypatch.setattr(martlet.build.subprocess, "run", write_meanwhile)
    with pytest.raises(MartletError, match="changed by another program while the build ran"):
        build(project)
    with duckdb.connect(str(project / "martlet.duckdb"), read_only=True) as connection:
        assert connection.execute("from precious").fetchall() == [(1,)]


def test_a_green_build_may_be_published_and_a_changed_file_may_not(project: Path) -> None:
    assert build(project) == 0
    check_green(project / "martlet.duckdb")
    with duckdb.connect(str(project / "martlet.duckdb")) as connection:
        connection.execute("create table half as select 1 as value")
    with pytest.raises(MartletError, match="not what the last green `martlet build` left"):
        check_green(project / "martlet.duckdb")


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
