"""Faults: what is killed, full, damaged, malformed or hostile costs nothing but the run."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fault_support import (
    HOSTILE,
    MEGABYTE,
    Row,
    junk_rows,
    make_hostile,
    malformed_rows,
    read_raw,
    small_disk,
    write_raw,
)
from martlet.build import WORK_FOLDER, build
from martlet.errors import MartletError
from martlet.models_cli import find_model, fitted_models
from martlet.raw_files import unreadable_files
from martlet.report.page import write_report
from martlet.simulate import RAW_COLUMNS, ShopConfig, simulate_shop
from martlet.store import ModelStore
from martlet.stored_text import require_functions, require_query
from martlet.verify import verify_version
from ml_support import TRAINING, connect, fit, refit, rows
from support import PROJECT, DbtResult, query, run_dbt

MALFORMED = 10_000
JUNK = 2_000

ENTITIES = {
    "customers": "customers", "products": "products", "orders": "orders",
    "order_lines": "order_items", "refunds": "returns", "payments": "payments",
    "events": "events", "page_requests": "page_requests", "emails_sent": "email_messages",
    "email_events": "email_events", "support_messages": "support_messages",
    "stock": "stock_levels", "competitor_prices": "competitor_prices",
    "experiment_exposures": "experiment_exposures",
}  # fmt: skip


# --- raw rows that are wrong ------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong:
    """A small sound shop with wrong rows added, and what dbt made of it."""

    malformed: list[tuple[str, Row]]
    raw: dict[str, list[Row]]
    database: Path
    result: DbtResult


def _small_shop(folder: Path) -> dict[str, list[Row]]:
    config = ShopConfig(customers=120, start=date(2025, 9, 1), end=date(2025, 12, 31), seed=7)
    simulate_shop(config, folder, file_format="parquet")
    return read_raw(folder)


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Wrong:
    """Staging and shop of malformed rows, of rows of junk, and of a megabyte in each field."""
    folder = tmp_path_factory.mktemp("wrong")
    sound = _small_shop(folder / "sound")
    raw = {table: list(rows) for table, rows in sound.items()}
    malformed = list(malformed_rows(sound, MALFORMED, seed=20260701))
    for table, row in [*malformed, *junk_rows(sound, JUNK, seed=20260702)]:
        raw[table].append(row)
    for table, columns in RAW_COLUMNS.items():
        raw[table] += [{**sound[table][0], column: MEGABYTE} for column in columns]
    # A million yen is a small order; it was once too many digits to multiply.
    large = dict(sound["orders"][0], order_id="YEN", currency="JPY", exchange_rate="0.0061")
    amounts = dict.fromkeys(("subtotal", "total"), "1234567.89") | dict.fromkeys(
        ("discount", "shipping", "tax"), "0"
    )
    raw["orders"].append(large | amounts)
    write_raw(folder / "raw", raw)
    result = run_dbt(
        *("build", "--select", "+path:models/shop", "assert_each_raw_row_is_kept_or_quarantined"),
        *("--exclude-resource-type", "unit_test"),
        database=folder / "martlet.duckdb",
        target=folder / "target",
        vars={"martlet_raw_path": str(folder / "raw")},
    )
    return Wrong(malformed, raw, folder / "martlet.duckdb", result)


def _key(entity: str, row: Row) -> tuple[Any, ...]:
    # A column that the file need not have stands in the quarantine as NULL.
    return entity, *sorted(item for item in row.items() if item[1] is not None)


def test_ten_thousand_malformed_rows_are_quarantined_with_a_reason(wrong: Wrong) -> None:
    found: Counter[tuple[Any, ...]] = Counter()
    for entity, reason, text in query(
        wrong.database, "select entity, rejection_reason, source_row from shop.shop_quarantine"
    ):
        assert reason
        found[_key(entity, json.loads(text))] += 1
    planted = Counter(_key(ENTITIES[table], row) for table, row in wrong.malformed)
    assert planted.total() == MALFORMED
    lost = [item for item, count in planted.items() if found[item] < count]
    assert not lost, f"{len(lost)} malformed rows were kept, e.g. {lost[0]}"


def test_every_raw_row_is_kept_or_quarantined_and_never_both(wrong: Wrong) -> None:
    assert wrong.result.status("assert_each_raw_row_is_kept_or_quarantined") == "pass"
    quarantined = dict(
        query(wrong.database, "select entity, count(*) from shop.shop_quarantine group by entity")
    )
    for table, entity in ENTITIES.items():
        place = f"shop.shop_{entity}"
        if entity == "events":
            place = "staging.stg_sample__events where rejection_reason is null"
        kept = query(wrong.database, f"select count(*) from {place}")[0][0]
        assert len(wrong.raw[table]) == kept + quarantined[entity], entity
    found = query(
        wrong.database,
        "select total_amount from shop.shop_orders where order_id = 'YEN'",
    )
    assert [str(value) for (value,) in found] == ["7530.8641"]


def test_hostile_text_has_changed_nothing_but_rows(wrong: Wrong) -> None:
    schemas = query(
        wrong.database,
        "select distinct schema_name from duckdb_tables() where database_name <> 'temp' order by 1",
    )
    assert [name for (name,) in schemas] == ["intermediate", "reference", "shop", "staging"]
    kept = {
        text for (text,) in query(wrong.database, "select search_term from shop.shop_events")
    } | {text for (text,) in query(wrong.database, "select product_name from shop.shop_products")}
    # What came through came through letter by letter.
    assert MEGABYTE in kept
    assert kept & (set(HOSTILE) | {text.lower() for text in HOSTILE})


def test_a_damaged_raw_file_is_named(tmp_path: Path) -> None:
    sound = tmp_path / "raw_sound.parquet"
    numbers = [{"order_id": str(n), "total": str(n * 7919 % 9973)} for n in range(20_000)]
    pq.write_table(pa.Table.from_pylist(numbers), sound)
    content = sound.read_bytes()
    damaged = bytearray(content)
    for place in range(200, 900):
        damaged[place] ^= 0x5A
    files = {
        "raw_orders.parquet": bytes(damaged),
        "raw_events.parquet": content[: len(content) // 2],
        "raw_stock.csv": b"product_id,on_hand\nP1,\xff\xfe\n",
        "raw_payments.csv": b"payment_id,amount\nP1,10\n",
    }
    for name, part in files.items():
        (tmp_path / name).write_bytes(part)
    (tmp_path / "dbt_project.yml").write_text(f"vars: {{martlet_raw_path: {tmp_path}}}\n")
    told = "\n".join(unreadable_files(tmp_path, []))
    for name in ("raw_orders.parquet", "raw_events.parquet", "raw_stock.csv"):
        assert f"{tmp_path / name} is damaged" in told
    assert told.count("Export it again") == 3
    assert list(unreadable_files(tmp_path, ["--vars", "{martlet_raw_path: ''}"])) == []


# --- a model's row ----------------------------------------------------------------------------

LINE = {"model_type": "linear_reg", "labels": "y", "data_split_method": "NO_SPLIT"}

#: What somebody might write into a row in the hope that it runs.
EVIL = {
    "two statements": "(x) as table (select x); copy (select 1) to '{file}'; select (1)",
    "a file": "(input) as table (select * from read_text('{file}'))",
    "a file by name": "(input) as table (select * from '{file}.csv')",
    "a query in a text": "(input) as table (select * from query('select 1'))",
    "the surroundings": "(input) as table (select getenv('HOME') as home)",
    "a file in the second overload": (
        "(input) as table (select 1 as a), (input, n) as table (select * from glob('{file}*'))"
    ),
    "no SQL": "import os; os.system('touch {file}')",
}


@pytest.fixture
def line() -> duckdb.DuckDBPyConnection:
    con = connect()
    con.execute(TRAINING)
    fit(con, "line", "select x, n, y from training", **LINE)
    refit(con, "line", "select x, n, colour, y from training", **LINE)
    return con


@pytest.mark.parametrize("kind", EVIL)
def test_stored_functions_that_no_fit_wrote_are_not_made(
    line: duckdb.DuckDBPyConnection, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "made"
    (tmp_path / "made.csv").write_text("a\n1\n")
    functions = json.loads(rows(line, "from line where model_version = 1")[0]["functions"])
    functions["predict"] = [EVIL[kind].format(file=file)]
    line.execute("update line set functions = ? where model_version = 1", [json.dumps(functions)])
    before = rows(line, "select predicted_y from line_predict('training') order by id")
    with pytest.raises(MartletError, match="was not written by a fit: it .*It was not run"):
        ModelStore(line, "memory", "main", "line").promote(1)
    line.execute("drop macro table line_v1_predict")
    with pytest.raises(MartletError, match="version 1, function predict, was not written by a fit"):
        fit(line, "line", "select x, n, colour, y from training", **LINE)
    assert not file.exists()
    assert rows(line, "select predicted_y from line_predict('training') order by id") == before
    assert [row["is_champion"] for row in rows(line, "from line order by all")] == [False, True]


def test_a_stored_query_that_is_no_query_is_not_run(
    line: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    file = tmp_path / "made"
    store = find_model(line, "line")
    for text in (
        f"select 1) as t; copy (select 1) to '{file}'; select * from (select 2",
        f"select x, n, y from training; copy (select 1) to '{file}'",
        f"copy (select 1) to '{file}'",
        "drop table training",
        "__import__('os').system('true')",
    ):
        line.execute("update line set training_sql = ? where is_champion", [text])
        with pytest.raises(MartletError, match="is not one query .*It was not run"):
            verify_version(store)
    assert not file.exists()
    require_query(line, "with t as (from training) select x from t -- comment", "line")


def test_nothing_stored_is_unpickled_evaluated_or_imported() -> None:
    """Text of a row can become data or checked SQL; Python has no other way to run it here."""
    forbidden = re.compile(
        r"^\s*(?:import|from) (?:pickle|dill|joblib|marshal|shelve)\b"
        r"|\b(?:unsafe|full)_load\(|\bUnsafeLoader\b"
        r"|(?<![\w.])(?:eval|exec)\(|\b__import__\(|\bos\.system\(|shell=True",
        re.MULTILINE,
    )
    for folder in ("src", "python_models"):
        for file in (PROJECT / folder).rglob("*.py"):
            found = forbidden.search(file.read_text(encoding="utf-8"))
            assert not found, f"{file}: {found.group()}"


def test_columns_and_categories_with_quotes_and_templates_are_only_text() -> None:
    con = connect()
    name = 'it\'s "x" {input} {{ y }} --'
    quoted = '"' + name.replace('"', '""') + '"'
    con.execute(f"create table given (id integer, {quoted} varchar, y double)")
    texts = [*HOSTILE, MEGABYTE[:1000]]
    con.executemany(
        "insert into given values (?, ?, ?)",
        [(n, texts[n % len(texts)], float(n % len(texts))) for n in range(20 * len(texts))],
    )
    fit(con, "odd", f"select {quoted}, y from given", **LINE)
    found = rows(con, "select predicted_y, y from odd_predict('given')")
    # Each text is a category of its own: the line meets every one.
    assert len(found) == 20 * len(texts)
    assert max(abs(row["predicted_y"] - row["y"]) for row in found) < 1e-6


# --- builds that die --------------------------------------------------------------------------

_MODELS = {
    "numbers": (
        "{{ config(materialized='table') }}\n"
        "select i, sin(i) as x, 2 * sin(i) + i % 5 as y, {{ var('state') }} as state\n"
        "from range({{ 100000 * var('state') }}) as r(i)"
    ),
    "growing": (
        "{{ config(materialized='incremental', incremental_strategy='delete+insert', "
        "unique_key='i') }}\n"
        "select i, state from {{ ref('numbers') }}\n"
        "{% if is_incremental() %} where i >= (select max(i) - 50000 from {{ this }}) {% endif %}"
    ),
    "line": (
        "{{ config(materialized='model', ml_config={'model_type': 'linear_reg', "
        "'input_label_cols': ['y'], 'data_split_method': 'NO_SPLIT'}) }}\n"
        "select x, y from {{ ref('numbers') }} where i < {{ 20000 * var('state') }}"
    ),
    "mart": (
        "{{ config(materialized='table') }}\n"
        "-- depends_on: {{ ref('line') }}\n"
        "select i % 10 as last_digit, count(*) as row_count, sum(i) as total, "
        "{{ var('state') }} as state from {{ ref('growing') }} group by 1"
    ),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dbt project of a table, an incremental model, a fitted model and a mart, built once.

    They are built by the project's own materializations; ``var('state')`` says from what rows.
    """
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        _use_own_profile(patch, folder)
        shutil.copytree(PROJECT / "profiles", folder / "profiles")
        for name in ("ml", "project", "portable"):
            shutil.copytree(PROJECT / "macros" / name, folder / "macros" / name)
        (folder / "dbt_project.yml").write_text(
            "name: martlet\nversion: 0.1.0\nprofile: martlet\nvars: {state: 1}\n"
        )
        (folder / "models").mkdir()
        for name, text in _MODELS.items():
            (folder / "models" / f"{name}.sql").write_text(text)
        assert build(folder, _state(1)) == 0
    return folder


@pytest.fixture
def project(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project and of the database, ``martlet.duckdb``."""
    _use_own_profile(monkeypatch, tmp_path)
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _use_own_profile(patch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in ("MARTLET_DATABASE", "MARTLET_TARGET", "DBT_EXCLUDE_RESOURCE_TYPES"):
        patch.delenv(name, raising=False)
    patch.setenv("DBT_PROFILES_DIR", str(folder / "profiles"))
    patch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")


def _state(number: int) -> list[str]:
    return ["--vars", f"{{state: {number}}}"]


def _dbt(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("dbt")), "run", *arguments]


def _contents(database: Path) -> dict[str, Any]:
    """Describe every table without what only says when it was made, and ask the model."""
    with duckdb.connect(str(database), read_only=True) as con:
        names = con.execute(
            "select schema_name || '.' || table_name from duckdb_tables() "
            "where schema_name = 'main' order by 1"
        ).fetchall()
        found: dict[str, Any] = {}
        for (name,) in names:
            columns = "*"
            if name == "main.line":  # its sums hang on the order of the rows, and it tells times
                columns = "model_version, is_champion, training_fingerprint, training_rows"
            if name == "main.line__training_statistics":
                columns = "model_version"
            found[name] = con.execute(
                f"select count(*), bit_xor(hash(r)) from (select {columns} from {name}) as r"
            ).fetchall()
        if "main.line" in found:
            found["predictions"] = con.execute(
                "select count(*), round(sum(predicted_y), 4) from line_predict('numbers')"
            ).fetchall()
    return found


def _kill_during(
    command: list[str], project: Path, dice: random.Random, database: Path, most: float = 0.6
) -> str:
    """Start a build and kill it, and all it started, at a moment drawn at random."""
    environment = os.environ | {"MARTLET_DATABASE": str(database), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if re.search(r"\d+ of \d+ START", line):
                break
        time.sleep(dice.uniform(0.0, most))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return said


def test_a_killed_martlet_build_changes_nothing_and_the_next_one_heals(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = project / "martlet.duckdb"
    before, content = database.read_bytes(), _contents(database)
    command = [sys.executable, "-m", "martlet.cli", "build", *_state(2)]
    dice = random.Random(11)
    for _ in range(3):
        _kill_during(command, project, dice, database)
        if database.read_bytes() == before:
            assert _contents(database) == content
    assert build(project, _state(2)) == 0
    # Under the same name: it is part of the queries, and so of the model's fingerprint.
    clean = project / "clean" / database.name
    clean.parent.mkdir()
    clean.write_bytes(before)
    monkeypatch.setenv("MARTLET_DATABASE", str(clean))
    assert build(project, _state(2)) == 0
    assert _contents(database) == _contents(clean)


@pytest.mark.long
def test_a_killed_dbt_build_leaves_each_table_old_or_new(project: Path) -> None:
    database = project / "plain.duckdb"
    environment = os.environ | {"MARTLET_DATABASE": str(database)}

    def run(number: int) -> dict[str, Any]:
        subprocess.run(
            _dbt(*_state(number)), cwd=project, env=environment, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return _contents(database)

    old = run(1)
    keep = project / "old.duckdb"
    shutil.copyfile(database, keep)
    new = run(2)
    shutil.copyfile(keep, database)
    dice = random.Random(12)
    for _ in range(10):
        _kill_during(_dbt(*_state(2)), project, dice, database)
        # Opening replays what the killed process had written ahead.
        duckdb.connect(str(database)).close()
        found = _contents(database)
        for name in old.keys() - {"predictions"}:
            assert found[name] in (old[name], new[name]), name
        assert found["predictions"]
    assert run(2) == new


#: A query of many seconds.
_LONG = "select sum(sin(i)) from range(1000000000) as r(i)"


def test_dbt_that_outlives_a_killed_build_keeps_the_next_one_waiting(project: Path) -> None:
    slow = project / "models" / "mart.sql"
    slow.write_text(slow.read_text() + "\n-- {{ run_query('" + _LONG + "') }}")
    with subprocess.Popen(
        [sys.executable, "-m", "martlet.cli", "build"], cwd=project, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if "START" in line:
                break
        process.kill()  # martlet alone: dbt goes on
        process.wait()
        try:
            with pytest.raises(MartletError, match="started and left behind when it was killed"):
                build(project)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    slow.write_text(_MODELS["mart"])
    for _ in range(50):  # the system needs a moment to end it
        with contextlib.suppress(MartletError):
            assert build(project) == 0
            break
        time.sleep(0.1)
    assert _contents(project / "martlet.duckdb")["main.mart"][0][0] == 10


def test_a_full_disk_is_named_and_costs_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with small_disk(project / "disk", "size=24m"):
        database = project / "disk" / "martlet.duckdb"
        monkeypatch.setenv("MARTLET_DATABASE", str(database))
        shutil.copyfile(project / database.name, database)
        content = _contents(database)
        # dbt runs out of room
        assert build(project, _state(40)) != 0
        told = capfd.readouterr().err
        assert "martlet.duckdb is as it was" in told
        assert "The disk is full" in told
        assert not (database.parent / WORK_FOLDER / "martlet" / database.name).exists()
        assert _contents(database) == content
        # no room even for the copy
        filler = project / "disk" / "filler"
        room = shutil.disk_usage(project / "disk").free
        filler.write_bytes(b"0" * (room - database.stat().st_size // 2))
        with pytest.raises(MartletError, match="No space left on device. Make room"):
            build(project, _state(2))
        assert not (database.parent / WORK_FOLDER / "martlet" / database.name).exists()
        filler.unlink()
        assert _contents(database) == content
        assert build(project, _state(1)) == 0


def test_a_read_only_disk_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(project / "disk", "ro"):
        monkeypatch.setenv("MARTLET_DATABASE", str(project / "disk" / "shop.duckdb"))
        with pytest.raises(MartletError, match="disk is read-only: make it writable or choose"):
            build(project)


def test_a_damaged_database_is_named_and_kept(project: Path) -> None:
    database = project / "martlet.duckdb"
    damaged = b"\0" * 4096 + database.read_bytes()[4096:]
    database.write_bytes(damaged)
    with pytest.raises(MartletError, match="not a DuckDB file this version can read. Move it away"):
        build(project, _state(1))
    assert database.read_bytes() == damaged


# --- fifty kills of the sample shop -----------------------------------------------------------

#: How often each of the two builds is killed.
KILLS = int(os.environ.get("MARTLET_KILLS", "25"))


def _marts(database: Path) -> dict[str, tuple[int, int]]:
    """Row count and checksum of every mart, without times of the build and without doubles.

    Doubles may differ in the last digit, as sums do when their order differs.
    """
    with duckdb.connect(str(database), read_only=True) as con:
        con.execute("set TimeZone = 'UTC'")
        columns = con.execute(
            "select table_name, list(column_name order by column_index) from duckdb_columns() "
            "where schema_name = 'marts' and data_type <> 'DOUBLE' and not column_name in "
            "('predicted_at', 'trained_at', 'built_at', 'checked_at', 'model_version') "
            # A fit that a killed build has finished is reused by the next one.
            "and not (table_name = 'dim_ml_models' and column_name in ('status', 'latest_status')) "
            "group by all order by all"
        ).fetchall()
        found = {}
        for table, names in columns:
            row = ", ".join(f'"{name}"' for name in names)
            found[table] = con.execute(
                f"select count(*), bit_xor(hash(r)) from (select {row} from marts.{table}) as r"
            ).fetchall()[0]
    return found


def _champions(database: Path) -> int:
    """Call a function of every champion and count them."""
    with duckdb.connect(str(database), read_only=True) as con:
        stores = [store for store in fitted_models(con) if store.champion()]
        for store in stores:
            con.execute(f"from {store.local(store.function('training_info'))}()").fetchall()
    return len(stores)


@pytest.mark.long
def test_fifty_kills_of_the_sample_shop(tmp_path: Path) -> None:
    """Half of them kill plain dbt on its first build, half `martlet build` on a later one.

    Takes about twenty minutes; MARTLET_KILLS says how many kills each half has.
    """
    for name, end in (("early", date(2025, 10, 31)), ("late", date(2025, 11, 30))):
        simulate_shop(
            ShopConfig(300, date(2025, 1, 1), end, 9), tmp_path / name, file_format="parquet"
        )

    def command(program: list[str], raw: str) -> list[str]:
        settings = json.dumps({"martlet_raw_path": str(tmp_path / raw)})
        return [
            *program, "build", "--vars", settings, "--exclude-resource-type", "unit_test",
            "--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs"),
        ]  # fmt: skip

    def run(words: list[str], database: Path) -> None:
        environment = os.environ | {"MARTLET_DATABASE": str(database)}
        subprocess.run(words, cwd=PROJECT, env=environment, check=True, stdout=subprocess.DEVNULL)

    dbt = [str(Path(sys.executable).with_name("dbt"))]
    first = [*command(dbt, "early"), "--profiles-dir", str(PROJECT / "profiles")]
    second = command([sys.executable, "-m", "martlet.cli"], "late")
    clean, database = tmp_path / "clean.duckdb", tmp_path / "shop.duckdb"
    started = time.monotonic()
    run(first, clean)
    seconds = time.monotonic() - started
    early = _marts(clean)
    dice = random.Random(20261126)
    for _ in range(KILLS):
        _kill_during(first, PROJECT, dice, database, seconds * 0.8)
        duckdb.connect(str(database)).close()
        found = _marts(database)
        assert {name: early[name] for name in found} == found
    run(first, database)
    assert _marts(database) == early
    champions = _champions(database)
    for _ in range(KILLS):
        before = database.read_bytes()
        _kill_during(second, PROJECT, dice, database, seconds * 0.6)
        if database.read_bytes() == before:
            assert _marts(database) == early
        assert _champions(database) >= champions
    run(second, database)
    run(second, clean)
    assert _marts(database) == _marts(clean)


# --- a hostile shop ---------------------------------------------------------------------------


@pytest.mark.long
def test_a_shop_full_of_hostile_text_builds_whole(tmp_path: Path) -> None:
    """Every fifth key and every fourth free text is hostile: models, marts, report, export."""
    config = ShopConfig(500, date(2025, 1, 1), date(2026, 3, 31), 8)
    simulate_shop(config, tmp_path / "sound", file_format="parquet")
    make_hostile(tmp_path / "sound", tmp_path / "raw")
    database = tmp_path / "martlet.duckdb"
    result = run_dbt(
        *("build", "--exclude-resource-type", "unit_test"),
        database=database,
        target=tmp_path / "target",
        vars={"martlet_raw_path": str(tmp_path / "raw")},
    )
    assert {str(item.status) for item in result.results} <= {"success", "pass", "no-op"}
    assert _champions(database) > 10
    with duckdb.connect(str(database), read_only=True) as con:
        for store in fitted_models(con):
            for row in store.versions():
                # What fits write is what the check of stored text lets pass.
                for function, texts in json.loads(row["functions"]).items():
                    require_functions(con, store.name, texts, function)
                require_query(con, row["training_sql"], store.name)
    pytest.importorskip("altair")
    write_report(database, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "onerror=alert" in page
    assert "<img src=x" not in page
    assert "<script>alert" not in page
