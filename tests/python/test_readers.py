"""`martlet publish`: readers see a whole copy at every moment, also those with older clients."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

import martlet.build
from environments import python_with
from fault_support import small_disk
from martlet.build import WORK_FOLDER
from martlet.cli import main
from martlet.errors import MartletError
from martlet.fit import ModelSpec, fit_model
from martlet.readers import publication
from martlet.readers.publication import publish, verify
from martlet.readers.relations import PUBLIC_SCHEMAS, model_notes
from ml_support import TRAINING
from support import PROJECT, parse_manifest

MODEL_YAML = """
models:
  - name: {name}
    description: One row per number.
    config: {{meta: {{grain: [number]{more}}}}}
    columns:
      - {{name: number, data_type: bigint, description: "The number, it's the key."}}
"""

#: Polls a publication until told to stop; every poll must find one whole generation.
READER = """
import json, pathlib, sys, time
import duckdb
folder, stop = map(pathlib.Path, sys.argv[1:])
quiet = folder.parent / "quiet.duckdb"
polls, longest, longest_quiet, seen, errors = 0, 0.0, 0.0, set(), []

def read(path):
    with duckdb.connect(str(path), read_only=True) as con:
        found = {con.execute(f"select min(build), max(build), count(*) from marts.{t}").fetchone()
                 for t in ("dim_first", "fct_second", "fct_third")}
    return found

print("ready", flush=True)
while not stop.exists():
    try:
        began = time.perf_counter()
        found = read(folder / "shop.duckdb")
        manifest = json.loads((folder / "manifest.json").read_text())
        files = [str(folder / table["file"]) for table in manifest["tables"]]
        parquet = {duckdb.execute(f"select min(build), max(build), count(*) from '{f}'").fetchone()
                   for f in files}
        longest = max(longest, time.perf_counter() - began)
        for part in (found, parquet):
            assert len(part) == 1 and next(iter(part))[0] == next(iter(part))[1], part
        assert {t["row_count"] for t in manifest["tables"]} == {next(iter(parquet))[2]}
        seen.add(next(iter(found))[0])
        polls += 1
        began = time.perf_counter()
        read(quiet)
        longest_quiet = max(longest_quiet, time.perf_counter() - began)
    except Exception as error:
        errors.append(repr(error))
print(json.dumps([polls, longest, longest_quiet, sorted(seen), errors[:5]]))
"""

#: Reads every table of a file and calls its functions, with whatever DuckDB it runs on.
CLIENT = """
import json, sys
import duckdb
con = duckdb.connect(config={"threads": 1})
con.execute(f"attach '{sys.argv[1]}' as shop (read_only); use shop")
tables = con.execute("select schema_name, table_name from duckdb_tables() where "
                     "database_name = 'shop' order by all").fetchall()
answer = {"version": duckdb.__version__}
answer["rows"] = {f"{s}.{t}": con.execute(f'select count(*) from "{s}"."{t}"').fetchall()[0][0]
                  for s, t in tables}
answer["calls"] = {}
for call in sys.argv[2:]:
    answer["calls"][call] = con.execute(f"select * from {call} order by id").fetchall()
answer["comments"] = con.execute("select count(*) from duckdb_columns() where comment is not null "
                                 "and database_name = 'shop'").fetchall()[0][0]
print(json.dumps(answer, default=str))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that says of four models what they are, and has no database yet."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "dbt_project.yml").write_text("name: martlet\n")
    for room, name, more in (
        ("marts", "dim_first", ""),
        ("marts", "fct_second", ""),
        ("marts", "fct_third", ""),
        ("exports", "exp_lookers__secret", ", personal_data: true"),
    ):
        path = folder / "models" / room / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MODEL_YAML.format(name=name, more=more))
    return folder


def make_shop(path: Path, build: int = 1, rows: int = 1000) -> Path:
    """Make a built database, swapped in as `martlet build` does."""
    fresh = path.with_name(f"fresh-{path.name}")
    fresh.unlink(missing_ok=True)
    with duckdb.connect() as con:
        con.execute(f"attach '{fresh}' as shop (storage_version 'v1.4.0'); use shop")
        con.execute("create schema staging; create schema marts; create schema exports")
        numbers = f"select i as number, {build}::bigint as build from range({rows + build}) t(i)"
        con.execute(f"create table staging.stg_people as {numbers}")
        for table in ("dim_first", "fct_second", "fct_third"):
            con.execute(f"create table marts.{table} as {numbers}")
        con.execute("create view exports.exp_lookers__secret as from staging.stg_people")
        con.execute("create table marts.left_over as select 1 as one")
    fresh.replace(path)
    return path


def tables_of(database: Path) -> set[str]:
    with duckdb.connect(str(database), read_only=True) as con:
        rows = con.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
        )
        return {name for (name,) in rows.fetchall()}


def test_only_described_public_tables_leave(project: Path) -> None:
    database = make_shop(project / "shop.duckdb")
    manifest = publish(database, project, project / "published")
    listed = {f"{table['schema']}.{table['name']}" for table in manifest["tables"]}
    assert listed == {"marts.dim_first", "marts.fct_second", "marts.fct_third"}
    assert manifest["held_back"] == {
        "exports.exp_lookers__secret": "holds personal data",
        "marts.left_over": "no model of the project describes it",
    }
    served = project / "published" / "shop.duckdb"
    assert tables_of(served) == listed | {"main.publication"}
    assert not served.stat().st_mode & 0o222
    with duckdb.connect(str(served), read_only=True) as con:
        comments = con.execute(
            "select comment from duckdb_columns() where table_name = 'dim_first'"
        ).fetchall()
        assert comments == [("The number, it's the key.",), (None,)]
        ((generation,),) = con.execute("select generation from publication").fetchall()
    assert generation == manifest["generation"]


def test_the_projects_personal_columns_stay_inside() -> None:
    notes = model_notes(PROJECT)
    public = [
        path.stem for room in PUBLIC_SCHEMAS for path in (PROJECT / "models" / room).rglob("*.sql")
    ]
    assert len(public) > 40
    told = [
        f"{name}.{column}"
        for name in public
        for column, said in notes[name].columns.items()
        if re.search(r"personal data", said, flags=re.IGNORECASE)
        or re.search(r"(^|_)(email|ip_address|network|phone|street|name_of_person)$", column)
    ]
    assert told == ["exp_lookers__approved_networks.network"]
    assert notes["exp_lookers__approved_networks"].is_personal
    assert notes["int_ip_addresses__listed"].is_personal


def test_every_mart_has_a_known_reader() -> None:
    manifest = parse_manifest("sample")
    read = {node for reader in manifest.exposures.values() for node in reader.depends_on.nodes}
    marts = {
        key
        for key, node in manifest.nodes.items()
        if node.resource_type == "model" and node.config.schema in ("marts", "exports")
    }
    assert not read - marts, "an exposure reads marts and exports, nothing before them"
    unread = sorted(key.split(".")[-1] for key in marts - read)
    assert not unread, f"name a reader of {', '.join(unread)} in models/exports/_exposures.yml"


def test_manifest_says_what_the_files_hold(project: Path) -> None:
    database = make_shop(project / "shop.duckdb")
    folder = project / "published"
    written = publish(database, project, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest == written == verify(folder)
    for table in manifest["tables"]:
        for file in (
            folder / table["file"],
            *(folder / "latest").rglob(f"{table['name']}.parquet"),
        ):
            assert pq.read_metadata(file).num_rows == table["row_count"] == 1001
        kinds = duckdb.execute(f"describe from '{folder / table['file']}'").fetchall()
        assert [{"name": name, "type": kind} for name, kind, *_ in kinds] == table["columns"]
    assert manifest["built_at"] <= manifest["published_at"]

    damaged = folder / manifest["tables"][0]["file"]
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    with pytest.raises(MartletError, match=r"dim_first.parquet is not what was published"):
        verify(folder)


def test_old_generations_go_when_nobody_can_need_them(project: Path) -> None:
    folder = project / "published"
    for build in range(1, 6):
        publish(make_shop(project / "shop.duckdb", build), project, folder, keep=2, grace_seconds=0)
    generations = [path for path in folder.glob("*Z-*") if path.is_dir()]
    assert len(generations) == 2
    for build in range(6, 9):  # whoever read the last manifest may still be opening its files
        publish(make_shop(project / "shop.duckdb", build), project, folder, keep=1)
    assert len([path for path in folder.glob("*Z-*") if path.is_dir()]) == 5
    assert (folder / "latest").resolve().name == verify(folder)["generation"]


def test_a_publication_that_fails_or_dies_changes_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project / "published"
    before = publish(make_shop(project / "shop.duckdb"), project, folder)
    make_shop(project / "shop.duckdb", 2)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(publication, "_write_synced", full)
        with pytest.raises(MartletError, match=r"Nothing was published.*No space left"):
            publish(project / "shop.duckdb", project, folder)
    assert verify(folder) == before
    killed = folder / ".unfinished-20260101T000000Z-abcdef"
    (killed / "marts").mkdir(parents=True)
    publish(project / "shop.duckdb", project, folder)
    assert not list(folder.glob(".unfinished*"))


#: Publishes in a process of its own.
PUBLISH = """
import pathlib, sys
from martlet.errors import MartletError
from martlet.readers.publication import publish
project = pathlib.Path(sys.argv[1])
print("begun", flush=True)
try:
    publish(project / "shop.duckdb", project, project / "published")
except MartletError as error:
    sys.exit(str(error))
"""


def publisher(project: Path) -> subprocess.Popen[str]:
    """Start to publish, and return when the process has imported what it needs."""
    process = subprocess.Popen(
        [sys.executable, "-c", PUBLISH, str(project)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def shown(project: Path) -> tuple[str, str]:
    """Return what the manifest and the database say they are, after checking every file."""
    folder = project / "published"
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as con:
        ((generation,),) = con.execute("select generation from publication").fetchall()
        builds = con.execute("select distinct build from marts.fct_third").fetchall()
    assert len(builds) == 1
    return verify(folder)["generation"], generation


def test_publications_that_are_killed_leave_what_readers_see_whole(project: Path) -> None:
    make_shop(project / "shop.duckdb", 0, 300_000)
    with publisher(project) as process:
        began = time.perf_counter()
        assert process.wait() == 0
        seconds = time.perf_counter() - began
    dice, ended = random.Random(20261126), 0
    for build in range(1, 9):
        before = shown(project)
        make_shop(project / "shop.duckdb", build, 300_000)
        with publisher(project) as process:
            time.sleep(dice.uniform(0, seconds))
            process.kill()
            ended += process.wait() == 0
        after = shown(project)
        # The manifest is swapped last: a kill between the two renames leaves it on the old files.
        assert after == before or after[1] != before[1]
    assert ended < 8
    last = publish(project / "shop.duckdb", project, project / "published", grace_seconds=0)
    assert shown(project) == (last["generation"], last["generation"])
    assert not list((project / "published").glob(".unfinished*"))
    assert len(list((project / "published").glob("*Z-*"))) <= 3


def test_of_two_publications_at_once_one_is_told_to_wait(project: Path) -> None:
    make_shop(project / "shop.duckdb", 1, 500_000)
    with publisher(project) as first, publisher(project) as second:
        said = [process.communicate(timeout=60)[1] for process in (first, second)]
        codes = sorted((first.returncode, second.returncode))
    assert codes in ([0, 0], [0, 1]), said
    if codes == [0, 1]:
        told = next(text for text in said if text)
        assert re.search(r"is being published by process \d+ \(.*\): wait for it", told)
    assert len(set(shown(project))) == 1


def test_a_disk_too_small_for_a_publication_is_named(project: Path) -> None:
    make_shop(project / "shop.duckdb", 1, 1000)
    with small_disk(project / "published", "size=3m"):
        before = publish(project / "shop.duckdb", project, project / "published")
        make_shop(project / "shop.duckdb", 2, 400_000)
        with pytest.raises(MartletError, match=r"Nothing was published.*(space|SPACE)"):
            publish(project / "shop.duckdb", project, project / "published")
        assert verify(project / "published") == before
        assert shown(project) == (before["generation"], before["generation"])
        names = {path.name for path in (project / "published").iterdir()}
        kept = {"shop.duckdb", "latest", "manifest.json", ".lock", before["generation"]}
        assert names == kept


def test_obstacles_are_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project / "published"
    with pytest.raises(MartletError, match=r"There is no database at .*run `martlet build` first"):
        publish(project / "shop.duckdb", project, folder)
    with pytest.raises(MartletError, match=r"There is no publication in .*published"):
        verify(folder)
    database = project / "shop.duckdb"
    duckdb.connect(str(database)).close()
    with pytest.raises(MartletError, match="has no table to publish in marts or exports"):
        publish(database, project, folder)
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(MartletError, match=rf"written by process {process.pid} \(.*python"):
            publish(database, project, folder)
        process.kill()
    assert main(["publish", "--project-dir", str(project), "--keep", "0"]) == 2
    assert "--keep must be at least 1" in capsys.readouterr().err


def test_only_what_a_green_build_left_is_published(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBT_PROFILES_DIR", str(PROJECT / "profiles"))
    monkeypatch.setenv("MARTLET_DATABASE", "shop.duckdb")
    database = make_shop(project / "shop.duckdb")
    words = ["publish", "--project-dir", str(project)]
    assert main(words) == 2
    assert "is not what the last green `martlet build` left" in capsys.readouterr().err
    note = project / WORK_FOLDER / "shop" / "green.json"
    note.parent.mkdir(parents=True)
    note.write_text(json.dumps(martlet.build._state(database)))
    assert main(words) == 0
    assert "3 tables, 3,003 rows" in capsys.readouterr().out
    make_shop(database, 2)
    assert main(words) == 2
    assert main([*words, "--any-state"]) == 0
    assert main([*words, "--verify"]) == 0


@pytest.fixture
def readers(project: Path) -> Iterator[Callable[[], list[list[Any]]]]:
    """Three processes that poll the publication; calling it ends them and tells what they saw."""
    folder, stop = project / "published", project / "stop"
    publish(make_shop(project / "shop.duckdb", 0), project, folder)
    shutil.copyfile(folder / "shop.duckdb", project / "quiet.duckdb")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(folder), str(stop)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    def finish() -> list[list[Any]]:
        stop.touch()
        return [json.loads(process.communicate(timeout=60)[0]) for process in processes]

    yield finish
    for process in processes:
        process.kill()
        process.wait()


def assert_readers_were_served(reports: list[list[Any]], builds: int) -> None:
    for polls, longest, longest_quiet, seen, errors in reports:
        assert not errors
        assert polls >= builds
        assert len(seen) > 1
        # A reader waits for nobody: at most a second, or what a file nobody writes takes as well
        # on a machine that is busy with other things.
        assert longest < max(1.0, 4 * longest_quiet)
    assert any(len(seen) > builds / 2 for _, _, _, seen, _ in reports)


def test_readers_that_poll_see_whole_generations_over_twenty_publications(
    project: Path, readers: Callable[[], list[list[Any]]]
) -> None:
    for build in range(1, 21):
        publish(make_shop(project / "shop.duckdb", build, 20_000), project, project / "published")
    assert_readers_were_served(readers(), 20)


@pytest.mark.long
def test_readers_that_poll_see_whole_generations_over_twenty_builds(
    project: Path, readers: Callable[[], list[list[Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(PROJECT / "profiles", project / "profiles")
    monkeypatch.setenv("DBT_PROFILES_DIR", str(project / "profiles"))
    monkeypatch.setenv("MARTLET_DATABASE", "shop.duckdb")
    (project / "dbt_project.yml").write_text(
        "name: martlet\nversion: 0.1.0\nprofile: martlet\n"
        "models: {martlet: {marts: {+schema: marts, +materialized: table}}}\n"
    )
    (project / "macros").mkdir()
    shutil.copy(PROJECT / "macros/project/generate_schema_name.sql", project / "macros")
    shutil.rmtree(project / "models" / "exports")
    (project / "shop.duckdb").unlink()
    sources = ("from range(1000 + {{ var('build') }}) t(i)", "from {{ ref('dim_first') }} t(i, b)")
    for table, source in zip(
        ("dim_first", "fct_second", "fct_third"), (*sources, sources[1]), strict=True
    ):
        text = f"select i as number, {{{{ var('build') }}}}::bigint as build {source}"
        (project / "models" / "marts" / f"{table}.sql").write_text(text)
    for build in range(1, 21):
        words = ["--project-dir", str(project)]
        assert main(["build", *words, "--vars", f"{{build: {build}}}"]) == 0
        assert main(["publish", *words]) == 0
    assert_readers_were_served(readers(), 20)


# --- older clients ------------------------------------------------------------------------------


@pytest.fixture(scope="session", params=["1.5.6", "1.4.5"])
def older_client(request: pytest.FixtureRequest) -> str:
    """The Python of an environment of its own with an older DuckDB, kept between test runs."""
    return str(python_with(request.config, f"duckdb-{request.param}", f"duckdb=={request.param}"))


def ask(python: str, database: Path, *calls: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-c", CLIENT, str(database), *calls], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def shop_with_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as the profile makes it: marts, fitted models, functions of all sorts."""
    import yaml

    profile = yaml.safe_load((PROJECT / "profiles/profiles.yml").read_text())["martlet"]
    storage = profile["outputs"]["dev"]["config_options"]["storage_compatibility_version"]
    folder = tmp_path_factory.mktemp("models")
    for name in ("dim_first", "training"):
        path = folder / "models" / "marts" / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MODEL_YAML.format(name=name, more=""))
    settings = {"threads": 2, "storage_compatibility_version": storage}
    with duckdb.connect(str(folder / "shop.duckdb"), config=settings) as con:
        con.execute("create schema marts; create schema raw")
        con.execute(TRAINING)
        con.execute("create table marts.training as from training")
        con.execute("create table raw.people as select 'a@b.example' as email")
        features = "select x, n, two from training"
        label = {"input_label_cols": ["two"]}
        trees = {"model_type": "boosted_tree_classifier", "max_iterations": 10}
        for name, sql, config in (
            ("yes_or_no", features, {"model_type": "logistic_reg", **label}),
            ("trees", features, trees | label),
            ("groups", "select x, n from training", {"model_type": "kmeans", "num_clusters": 3}),
        ):
            fit_model(con, ModelSpec(name, sql, config, database="shop"))
        # What DuckDB 1.x cannot run must not keep it from opening the file.
        con.execute("create macro marts.newer(s) as table select json_set(s, '$.a', s) as id")
        con.execute("create macro marts.list_of(n := 3) as table select unnest(range(n)) as id")
        con.execute("create macro marts.from_raw() as table select email as id from raw.people")
        con.execute("create table marts.dim_first as select 1::bigint as number")
    return folder


CALLS = (
    "yes_or_no_predict('marts.training')",
    "trees_predict('marts.training')",
    "yes_or_no_explain_predict('marts.training', top_k_features := 1)",
    "trees_explain_predict('marts.training')",
    "groups_predict('marts.training')",
    "marts.list_of()",
)


def assert_same(left: Any, right: Any) -> None:
    if isinstance(left, list):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    elif isinstance(left, dict):
        assert_same(list(left.values()), list(right.values()))
    elif isinstance(left, float):
        assert math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    else:
        assert left == right


def test_older_clients_read_the_built_database(older_client: str, shop_with_models: Path) -> None:
    mine = ask(sys.executable, shop_with_models / "shop.duckdb", *CALLS)
    theirs = ask(older_client, shop_with_models / "shop.duckdb", *CALLS)
    assert theirs["version"] != mine["version"]
    assert theirs["rows"] == mine["rows"]
    assert_same(theirs["calls"], mine["calls"])


def test_older_clients_read_and_score_in_what_is_published(
    older_client: str, shop_with_models: Path, tmp_path: Path
) -> None:
    manifest = publish(
        shop_with_models / "shop.duckdb", shop_with_models, tmp_path, with_functions=True
    )
    assert manifest["held_back"] == {"marts.from_raw()": "reads raw.people"}
    assert {"main.trees_predict", "marts.list_of", "marts.newer"} <= set(manifest["functions"])
    assert [(m["name"], m["version"]) for m in manifest["models"]] == [
        ("main.groups", 1), ("main.trees", 1), ("main.yes_or_no", 1)
    ]  # fmt: skip
    theirs = ask(older_client, tmp_path / "shop.duckdb", *CALLS)
    assert theirs["rows"]["marts.training"] == manifest["tables"][1]["row_count"]
    assert not any("raw" in name for name in theirs["rows"])
    assert theirs["comments"] >= 1
    mine = ask(sys.executable, shop_with_models / "shop.duckdb", *CALLS)
    assert_same(theirs["calls"], mine["calls"])
