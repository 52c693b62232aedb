"""Measure the session models against the ways sessions are usually cut.

``python benchmarks/sessions.py`` makes 20 million events (Parquet), lets each contender read them
and write one row per session with the same 33 columns to Parquet, each in a process of its own, and
prints CPU seconds, wall seconds and peak memory: medians over the rounds, and the ratio to the
window query of the same round. The SQL of the contender ``buckets`` is what dbt compiles from the
project's models; its three tables are written to a DuckDB file as in a build. Its result must equal
that of the window query, row by row.

Then the day after: one event in a hundred is new, some of it three and 150 days late. The session
models, fct_sessions included, run through dbt on a warehouse that has stored the new events:
incrementally, and from scratch. What dbt takes when there is nothing new is subtracted from both.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests" / "python"))

from session_oracle import SESSION_COLUMNS  # noqa: E402

DBT = str(Path(sys.executable).with_name("dbt"))
#: The models a session goes through, in the order of their flow.
MODELS = (
    "int_session_buckets__counted",
    "int_events__marking_sessions",
    "int_visitors__to_cut",
    "int_sessions__cut",
    "int_sessions__described",
)
KEYS = ("cpu", "wall", "peak")
#: DuckDB's memory_limit for the contenders that show what less memory costs.
MEMORY_LIMITS = {"buckets_1300mb": "1300MB", "buckets_1gb": "1GB"}
FIRST_DAY = 1_735_689_600_000_000
DAY = 86_400_000_000
COUNTED = {
    "page_view_count": "page_view",
    "product_view_count": "view_item",
    "search_count": "search",
    "wishlist_add_count": "add_to_wishlist",
    "cart_add_count": "add_to_cart",
    "cart_remove_count": "remove_from_cart",
    "checkout_count": "begin_checkout",
    "purchase_count": "purchase",
}
FUNNEL = {
    "purchase": 5,
    "add_payment_info": 4,
    "add_shipping_info": 4,
    "begin_checkout": 4,
    "add_to_cart": 3,
    "view_item": 2,
    "page_view": 1,
    "view_item_list": 1,
}
FIRST_DETAILS = (
    "device_category",
    "operating_system",
    "browser",
    "country_code",
    "ip_address",
    "user_agent",
)
TRAFFIC = ("traffic_source", "traffic_medium", "traffic_campaign")


def generate(path: Path, event_count: int, seed: int) -> None:
    """Write events as they were received: heavy-tailed visitors and sessions, ties, late ones."""
    rng = np.random.default_rng(seed)
    visitor_count = max(2, event_count * 715 // 20_000)
    session_count = max(visitor_count, event_count * 26 // 200)
    weights = rng.pareto(1.6, visitor_count) + 0.3
    extra = rng.choice(visitor_count, size=session_count - visitor_count, p=weights / weights.sum())
    visitor = np.concatenate([np.arange(visitor_count), extra])
    length = np.minimum(1 + rng.lognormal(1.15, 1.27, session_count).astype(np.int64), 1_998)
    # Trim or stretch the longest tail to the number asked for.
    length[: max(0, event_count - int(length.sum()))] += 1
    keep = int(np.searchsorted(np.cumsum(length), event_count, side="right"))
    visitor, length = visitor[:keep], length[:keep]
    count = int(length.sum())
    session = np.repeat(np.arange(keep), length)
    pause = rng.exponential(55e6, count).astype(np.int64) + 1
    is_long = rng.random(count) < 0.004
    pause[is_long] = rng.integers(25 * 60_000_000, 45 * 60_000_000, int(is_long.sum()))
    pause[rng.random(count) < 0.005] = 0
    is_first = np.r_[True, session[1:] != session[:-1]]
    start = rng.integers(0, 180 * DAY, keep)
    pause[is_first] = 0
    since = np.cumsum(pause)
    at = since - np.repeat(since[is_first], length) + np.repeat(start, length)
    late = rng.exponential(3e6, count).astype(np.int64)
    is_late = rng.random(count) < 0.01
    late[is_late] = rng.integers(0, 3 * DAY, int(is_late.sum()))
    names = rng.choice(
        12, size=count, p=[0.52, 0.12, 0.19, 0.05, 0.01, 0.04, 0.005, 0.02, 0.015, 0.01, 0.01, 0.01]
    )
    campaign = np.where(is_first & (rng.random(count) < 0.45), rng.integers(1, 40, count), 0)
    logs_in = (rng.random(keep) < 0.15)[session] & (rng.random(count) < 0.6)
    order = np.argsort(at + late, kind="stable")
    table = pa.table(
        {
            "v": visitor[session][order].astype(np.int32),
            "happened": at[order] + FIRST_DAY,
            "late": late[order],
            "name": names[order].astype(np.int8),
            "campaign": campaign[order].astype(np.int16),
            "logs_in": logs_in[order],
            "page": rng.integers(0, 3_000, count).astype(np.int16),
            "cents": rng.integers(500, 30_000, count).astype(np.int32),
            "i": np.arange(count),
        }
    )
    with duckdb.connect(config={"memory_limit": "4GB"}) as connection:
        connection.register("numbers", table)
        connection.execute(f"""
            copy (
                select
                    md5('{seed}-' || i) as event_id,
                    (1000000000 + v * 1237) || '.' || (1600000000 + v * 7) as visitor_id,
                    case when logs_in then 'C' || lpad(cast(v % 400000 as varchar), 7, '0') end
                        as customer_id,
                    make_timestamp(happened) as event_at,
                    make_timestamp(happened + late) as received_at,
                    ['page_view', 'view_item_list', 'view_item', 'search', 'add_to_wishlist',
                     'add_to_cart', 'remove_from_cart', 'view_cart', 'begin_checkout',
                     'add_shipping_info',
                     'add_payment_info', 'purchase'][name + 1] as event_name,
                    '/shop/page-' || page || '/index.html' as page_path,
                    case when name = 11 then cast(cents / 100 as decimal(18, 4)) end
                        as value_amount,
                    case when name = 11 then 'O' || i end as order_id,
                    case when campaign > 0
                        then ['google', 'facebook', 'newsletter', 'bing'][campaign % 4 + 1]
                        end as traffic_source,
                    case when campaign > 0
                        then ['cpc', 'organic', 'email', 'social'][campaign % 4 + 1]
                        end as traffic_medium,
                    case when campaign > 0 then 'campaign-' || campaign end as traffic_campaign,
                    ['mobile', 'desktop', 'tablet'][v % 3 + 1] as device_category,
                    ['iOS', 'Android', 'Windows', 'macOS'][v % 4 + 1] as operating_system,
                    ['Safari', 'Chrome', 'Firefox'][v % 3 + 1] as browser,
                    ['DE', 'FR', 'AT', 'CH', 'NL'][v % 5 + 1] as country_code,
                    '10.' || (v % 250) || '.' || (v // 250 % 250) || '.' || (v // 62500 % 250)
                        as ip_address,
                    'Mozilla/5.0 (X11; Linux x86_64; rv:' || (v % 200)
                        || ') AppleWebKit/537.36 (KHTML, like Gecko) Chrome/' || (v % 90)
                        || '.0 Safari/537.36' as user_agent,
                    strftime(make_timestamp(happened + late), '%Y-%m-%d') as batch_id,
                    cast(1 as bigint) as ingest_number,
                    cast(1 as integer) as event_version
                from numbers
            ) to '{path}' (format parquet, row_group_size 200000)
        """)


def run_dbt(*args: str, database: Path, target: Path) -> None:
    """Run one dbt command of the project in a process of its own."""
    command = [DBT, *args, "--project-dir", str(PROJECT)]
    command += ["--profiles-dir", str(PROJECT / "profiles"), "--target-path", str(target)]
    command += ["--log-path", str(target / "logs"), "--quiet"]
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "MARTLET_DATABASE": str(database)},
    )


def compile_models(folder: Path) -> dict[str, str]:
    """Return the full-refresh SQL of the session models as dbt compiles it."""
    target = folder / "target"
    database = folder / "compiled.duckdb"
    run_dbt("compile", "--full-refresh", "--select", *MODELS, database=database, target=target)
    manifest = json.loads((target / "manifest.json").read_text())
    return {name: manifest["nodes"][f"model.martlet.{name}"]["compiled_code"] for name in MODELS}


def connect(options: argparse.Namespace, database: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open DuckDB as the project's profile does, with the memory the contender may take."""
    config: dict[str, str | int] = {
        "memory_limit": options.memory_limit,
        "threads": options.threads,
    }
    config["temp_directory"] = str(options.folder / "spill")
    connection = duckdb.connect(config=config)
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set preserve_insertion_order = false")
    if database is not None:
        connection.execute(f"attach '{database}' as compiled")
        connection.execute("use compiled")
    return connection


def buckets(options: argparse.Namespace) -> None:
    """Cut the sessions with the models of the project."""
    database = options.folder / "compiled.duckdb"
    database.unlink(missing_ok=True)
    models = json.loads((options.folder / "models.json").read_text())
    with connect(options, database) as connection:
        connection.execute("create schema shop")
        connection.execute("create schema intermediate")
        connection.execute(
            f"create view shop.shop_events as select * from read_parquet('{options.events_file}')"
        )
        for name in MODELS:
            kind = "view" if name == "int_sessions__described" else "table"
            connection.execute(f"create {kind} intermediate.{name} as\n{models[name]}")
        columns = ", ".join(SESSION_COLUMNS)
        connection.execute(
            f"copy (select {columns} from intermediate.int_sessions__described)"
            f" to '{options.output}' (format parquet)"
        )


def window(options: argparse.Namespace) -> None:
    """Cut the sessions with lag, a running sum and a group by over the events."""
    counts = "".join(
        f"count(*) filter (where event_name = '{event}') as {column},\n"
        for column, event in COUNTED.items()
    )
    firsts = "".join(
        f"max(case when is_start then {name} end) as {name},\n" for name in FIRST_DETAILS
    )
    steps = " ".join(f"when '{event}' then {step}" for event, step in FUNNEL.items())
    carries = " or ".join(f"{name} is not null" for name in TRAFFIC)
    query = f"""
        with ordered as (
            select
                *,
                lag(event_at) over history as previous_at,
                lead(event_at) over history as next_at,
                row_number() over history as position,
                last_value(customer_id ignore nulls) over history as known_customer
            from read_parquet('{options.events_file}')
            where visitor_id is not null
            window history as (partition by visitor_id order by event_at, event_id)
        ),
        marked as (
            select
                *,
                previous_at is null or event_at - previous_at > interval 30 minute as is_start,
                next_at is null or next_at - event_at > interval 30 minute as is_end,
                sum(
                    case
                        when previous_at is null or event_at - previous_at > interval 30 minute
                            then 1
                        else 0
                    end
                ) over (
                    partition by visitor_id order by position rows unbounded preceding
                ) as session_number
            from ordered
        ),
        sessions as (
            select
                visitor_id,
                cast(session_number as bigint) as session_number,
                min(event_at) as session_started_at,
                max(event_at) as session_ended_at,
                case when session_number = 1 then 'first' else 'timeout' end as start_reason,
                lower(to_hex(epoch_us(min(event_at))))
                    || substr(max(case when is_start then event_id end), 1, 15)
                    as session_id,
                count(*) as event_count,
                {counts}
                {firsts}
                max(case event_name {steps} else 0 end) as funnel_step,
                cast(
                    coalesce(sum(value_amount) filter (where event_name = 'purchase'), 0)
                    as decimal(18, 4)
                )
                    as revenue_amount,
                list(order_id) filter (where event_name = 'purchase' and order_id is not null)
                    as order_ids,
                max(case when is_start then page_path end) as landing_page_path,
                max(case when is_end then page_path end) as exit_page_path,
                arg_min(
                    {{'s': traffic_source, 'm': traffic_medium, 'c': traffic_campaign}}, position
                ) filter (where {carries}) as traffic,
                max(case when is_start then known_customer end) as customer_id_at_start,
                max(case when is_end then known_customer end) as customer_id
            from marked
            group by visitor_id, session_number
        ),
        complete as (
            select
                *,
                lag(session_id) over (partition by visitor_id order by session_number)
                    as previous_session_id,
                coalesce(list_unique(order_ids), 0) as order_count,
                traffic.s as traffic_source,
                traffic.m as traffic_medium,
                traffic.c as traffic_campaign
            from sessions
        )
        select {", ".join(SESSION_COLUMNS)} from complete
    """
    with connect(options) as connection:
        connection.execute(f"copy ({query}) to '{options.output}' (format parquet)")


def polars(options: argparse.Namespace) -> None:
    """Cut the sessions with Polars, lazily."""
    import polars as pl

    by_history = ["visitor_id", "event_at", "event_id"]
    carries = pl.any_horizontal(pl.col(name).is_not_null() for name in TRAFFIC)
    is_purchase = pl.col("event_name") == "purchase"
    key = pl.col("event_at").first().dt.timestamp("us")
    sessions = (
        pl.scan_parquet(options.events_file)
        .filter(pl.col("visitor_id").is_not_null())
        .drop("received_at", "batch_id", "ingest_number", "event_version")
        .sort(by_history)
        .with_columns(
            is_first=(pl.col("visitor_id") != pl.col("visitor_id").shift(1)).fill_null(True),
            pause=pl.col("event_at") - pl.col("event_at").shift(1),
            known=pl.col("customer_id").forward_fill().over("visitor_id"),
            step=pl.col("event_name").replace_strict(FUNNEL, default=0, return_dtype=pl.Int32),
        )
        .with_columns(starts=pl.col("is_first") | (pl.col("pause") > pl.duration(minutes=30)))
        .with_columns(session=pl.col("starts").cum_sum())
        .group_by("session", maintain_order=True)
        .agg(
            pl.col("visitor_id").first(),
            is_first=pl.col("is_first").first(),
            session_started_at=pl.col("event_at").first(),
            session_ended_at=pl.col("event_at").last(),
            key=key,
            first_event=pl.col("event_id").first().str.slice(0, 15),
            event_count=pl.len(),
            **{column: (pl.col("event_name") == event).sum() for column, event in COUNTED.items()},
            **{name: pl.col(name).first() for name in FIRST_DETAILS},
            **{name: pl.col(name).filter(carries).first() for name in TRAFFIC},
            funnel_step=pl.col("step").max(),
            revenue_amount=pl.col("value_amount").filter(is_purchase).sum(),
            order_count=pl.col("order_id").filter(is_purchase).drop_nulls().n_unique(),
            landing_page_path=pl.col("page_path").first(),
            exit_page_path=pl.col("page_path").last(),
            customer_id_at_start=pl.col("known").first(),
            customer_id=pl.col("known").last(),
        )
        .with_columns(
            session_number=pl.col("is_first").cum_count().over("visitor_id"),
            start_reason=pl.when("is_first").then(pl.lit("first")).otherwise(pl.lit("timeout")),
            session_id=pl.format("{}-{}", "key", "first_event"),
        )
        .with_columns(previous_session_id=pl.col("session_id").shift(1).over("visitor_id"))
        .select(SESSION_COLUMNS)
    )
    engine = "streaming" if options.contender == "polars_streaming" else "in-memory"
    sessions.collect(engine=engine).write_parquet(options.output)


def pandas(options: argparse.Namespace) -> None:
    """Cut the sessions with pandas."""
    import pandas as pd

    unused = {"received_at", "batch_id", "ingest_number", "event_version"}
    with duckdb.connect() as connection:
        names = connection.execute(
            f"describe from read_parquet('{options.events_file}')"
        ).fetchall()
    events = pd.read_parquet(
        options.events_file, columns=[n[0] for n in names if n[0] not in unused]
    )
    events = events[events["visitor_id"].notna()]
    events = events.sort_values(["visitor_id", "event_at", "event_id"], ignore_index=True)
    is_first = events["visitor_id"] != events["visitor_id"].shift(1)
    starts = is_first | (events["event_at"].diff() > pd.Timedelta(minutes=30))
    events["session"] = starts.cumsum()
    events["known"] = events.groupby("visitor_id", sort=False)["customer_id"].ffill()
    events["step"] = events["event_name"].map(FUNNEL).fillna(0).astype("int32")
    for column, event in COUNTED.items():
        events[column] = events["event_name"] == event
    is_purchase = events["purchase_count"]
    events["revenue_amount"] = (
        events["value_amount"].astype("float64").where(is_purchase, 0.0).fillna(0.0)
    )
    grouped = events.groupby("session", sort=False)
    sessions = grouped.agg(
        visitor_id=("visitor_id", "first"),
        session_started_at=("event_at", "first"),
        session_ended_at=("event_at", "last"),
        event_count=("event_at", "size"),
        **{column: (column, "sum") for column in COUNTED},
        funnel_step=("step", "max"),
        revenue_amount=("revenue_amount", "sum"),
    )
    first_rows = events[starts].set_index("session")
    last_rows = events[starts.shift(-1, fill_value=True)].set_index("session")
    sessions["landing_page_path"] = first_rows["page_path"]
    sessions["exit_page_path"] = last_rows["page_path"]
    for name in FIRST_DETAILS:
        sessions[name] = first_rows[name]
    carrying = events[events[list(TRAFFIC)].notna().any(axis=1)].drop_duplicates("session")
    for name in TRAFFIC:
        sessions[name] = carrying.set_index("session")[name]
    sessions["customer_id_at_start"] = first_rows["known"]
    sessions["customer_id"] = last_rows["known"]
    orders = events.loc[is_purchase].groupby("session")["order_id"].nunique()
    sessions["order_count"] = orders.reindex(sessions.index, fill_value=0)
    visitors = sessions.groupby("visitor_id", sort=False)
    sessions["session_number"] = visitors.cumcount() + 1
    is_first_session = sessions["session_number"] == 1
    sessions["start_reason"] = is_first_session.map({True: "first", False: "timeout"})
    sessions["session_id"] = first_rows["event_id"]
    sessions["previous_session_id"] = visitors["session_id"].shift(1)
    sessions[list(SESSION_COLUMNS)].to_parquet(options.output, index=False)


CONTENDERS: dict[str, Callable[[argparse.Namespace], None]] = {
    "window": window,
    "buckets": buckets,
    "buckets_1300mb": buckets,
    "buckets_1gb": buckets,
    "polars_streaming": polars,
    "polars_memory": polars,
    "pandas": pandas,
}


def apart(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a process of its own.

    A process starts with the peak memory of the one that starts it, so this one has to stay small.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(function, *args).result()


def measure(command: list[str], env: dict[str, str] | None = None) -> dict[str, float]:
    """Run a command and return what it took: CPU and wall seconds and peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **(env or {})})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    # Linux counts in kibibytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.perf_counter() - start,
        "peak": usage.ru_maxrss * unit / 1_000_000,
    }


def differing_rows(left: Path, right: Path, columns: tuple[str, ...]) -> int:
    """Count the rows that only one of two results has."""
    names = ", ".join(columns)
    with duckdb.connect(config={"memory_limit": "6GB"}) as connection:
        connection.execute("set enable_progress_bar = false")
        row = connection.execute(f"""
            with a as (select {names} from read_parquet('{left}')),
            b as (select {names} from read_parquet('{right}'))
            select
                (select count(*) from (from a except all from b))
                + (select count(*) from (from b except all from a))
        """).fetchone()
    assert row is not None
    return int(row[0])


def compare(options: argparse.Namespace) -> None:
    """Run every contender in every round and print medians and ratios."""
    (options.folder / "models.json").write_text(json.dumps(compile_models(options.folder)))
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in options.contenders}
    for round_number in range(options.rounds):
        # Every other round runs backwards, so that a slow spell of the machine hits all alike.
        names = options.contenders if round_number % 2 == 0 else options.contenders[::-1]
        for name in names:
            output = options.folder / f"{name}.parquet"
            memory = MEMORY_LIMITS.get(name, options.memory_limit)
            command = [sys.executable, __file__, "--contender", name, "--output", str(output)]
            command += ["--folder", str(options.folder), "--events-file", str(options.events_file)]
            command += ["--memory-limit", memory, "--threads", str(options.threads)]
            runs[name].append(measure(command))
            cpu = runs[name][-1]["cpu"]
            print(f"  round {round_number + 1} {name}: {cpu:.1f} CPU s", file=sys.stderr)
    print("| contender | CPU s | wall s | peak MB | CPU to window | rows unlike the window's |")
    print("|---|---|---|---|---|---|")
    for name, taken in runs.items():
        ratio = "-"
        unlike = "-"
        if "window" in runs:
            pairs = zip(taken, runs["window"], strict=True)
            ratio = f"{statistics.median(one['cpu'] / other['cpu'] for one, other in pairs):.2f}"
            # Polars and pandas name sessions their own way; pandas has no exact decimals.
            ids = ("session_id", "previous_session_id")
            columns = SESSION_COLUMNS
            if not name.startswith(("buckets", "window")):
                columns = tuple(c for c in SESSION_COLUMNS if c not in (*ids, "revenue_amount"))
            outputs = [options.folder / f"{one}.parquet" for one in (name, "window")]
            unlike = str(apart(differing_rows, *outputs, columns))
        cpu, wall, peak = (statistics.median(run[key] for run in taken) for key in KEYS)
        print(f"| {name} | {cpu:.1f} | {wall:.1f} | {peak:.0f} | {ratio} | {unlike} |", flush=True)


def store_day_before(events_file: Path, database: Path, memory_limit: str) -> None:
    """Store all events but those of the new day, as shop_events would have them."""
    with duckdb.connect(str(database), config={"memory_limit": memory_limit}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("create schema if not exists shop")
        connection.execute("create schema if not exists intermediate")
        connection.execute(
            "create table intermediate.int_event_batches__observed as"
            " select 'sample' as connector, 'all' as batch_id, cast(1 as bigint) as ingest_number"
        )
        # The last arrivals, and one old event in 4,000 that comes 150 days late or more.
        connection.execute(f"""
            create table shop.is_new as
            with bounds as (
                select
                    quantile_disc(epoch_us(received_at), 0.99) as last_arrivals,
                    max(epoch_us(event_at)) - {150 * DAY} as long_ago
                from read_parquet('{events_file}')
            )
            select event_id
            from read_parquet('{events_file}')
            cross join bounds
            where epoch_us(received_at) > last_arrivals
                or (epoch_us(event_at) < long_ago and hash(event_id) % 4000 = 0)
        """)
        connection.execute(
            f"create table shop.shop_events as from read_parquet('{events_file}')"
            " where event_id not in (select event_id from shop.is_new)"
        )


def store_day(events_file: Path, database: Path, memory_limit: str) -> str:
    """Store the events of the new day and say how many they are."""
    with duckdb.connect(str(database), config={"memory_limit": memory_limit}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            "insert into intermediate.int_event_batches__observed values ('sample', 'new', 2)"
        )
        connection.execute(
            "insert into shop.shop_events select * replace (cast(2 as bigint) as ingest_number)"
            f" from read_parquet('{events_file}')"
            " where event_id in (select event_id from shop.is_new)"
        )
        row = connection.execute("""
            select
                count(*) filter (where ingest_number = 2),
                count(*),
                count(distinct visitor_id) filter (where ingest_number = 2)
            from shop.shop_events
        """).fetchone()
    assert row is not None
    return f"{row[0]:,} of {row[1]:,} events are new, of {row[2]:,} visitors"


def differing_sessions(left: Path, right: Path) -> int:
    """Count the sessions that only one of two warehouses has."""
    with duckdb.connect(config={"memory_limit": "6GB"}) as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"attach '{left}' as a (read_only)")
        connection.execute(f"attach '{right}' as b (read_only)")
        row = connection.execute("""
            with a as (select * exclude (ingest_number) from a.marts.fct_sessions),
            b as (select * exclude (ingest_number) from b.marts.fct_sessions)
            select
                (select count(*) from (from a except all from b))
                + (select count(*) from (from b except all from a))
        """).fetchone()
    assert row is not None
    return int(row[0])


def day_after(options: argparse.Namespace) -> None:
    """Measure one day of new events against building all sessions anew."""
    target = options.folder / "target"
    state, day, full = (options.folder / f"{name}.duckdb" for name in ("state", "day", "full"))
    # All runs are on one path: dbt parses the whole project anew when the path has changed.
    warehouse = options.folder / "warehouse.duckdb"
    warehouse.unlink(missing_ok=True)
    select = ["--select", *MODELS, "int_visitors__to_rebuild", "fct_sessions"]
    run_dbt("seed", "--select", "crawler_user_agents", database=warehouse, target=target)
    apart(store_day_before, options.events_file, warehouse, options.memory_limit)
    run_dbt("run", *select, database=warehouse, target=target)
    print(f"\n{apart(store_day, options.events_file, warehouse, options.memory_limit)}")
    warehouse.rename(state)

    def dbt(*args: str) -> dict[str, float]:
        command = [DBT, "run", *select, *args, "--quiet", "--project-dir", str(PROJECT)]
        command += ["--profiles-dir", str(PROJECT / "profiles"), "--target-path", str(target)]
        command += ["--log-path", str(target / "logs")]
        return measure(command, {"MARTLET_DATABASE": str(warehouse)})

    runs: dict[str, list[dict[str, float]]] = {"nothing new": [], "the day": [], "full refresh": []}
    for _ in range(options.rounds):
        shutil.copy(state, warehouse)
        runs["full refresh"].append(dbt("--full-refresh"))
        warehouse.rename(full)
        shutil.copy(state, warehouse)
        runs["the day"].append(dbt())
        runs["nothing new"].append(dbt())
        warehouse.rename(day)
    idle = statistics.median(run["cpu"] for run in runs["nothing new"])
    own: dict[str, float] = {}
    print("| run | CPU s | wall s | peak MB | CPU s more than with nothing new |")
    print("|---|---|---|---|---|")
    for name, taken in runs.items():
        cpu, wall, peak = (statistics.median(run[key] for run in taken) for key in KEYS)
        own[name] = cpu - idle
        print(f"| {name} | {cpu:.1f} | {wall:.1f} | {peak:.0f} | {own[name]:.1f} |")
    ratio = own["full refresh"] / own["the day"]
    print(f"\nThe day takes 1/{ratio:.1f} of the full refresh;", end=" ")
    print(f"{apart(differing_sessions, day, full)} sessions differ.", flush=True)


def main() -> None:
    """Generate the events, compare the contenders, and run the day after."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--events", type=float, default=20e6, help="how many events to make")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--contenders", nargs="*", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument(
        "--memory-limit", default="4GB", help="DuckDB's memory_limit; the profile has 4GB"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--folder", type=Path, help="kept with its files; default: a temporary folder"
    )
    parser.add_argument("--without-day", action="store_true", help="leave the day after out")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--events-file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        CONTENDERS[options.contender](options)
        return
    with tempfile.TemporaryDirectory() as temporary:
        options.folder = options.folder or Path(temporary)
        options.folder.mkdir(parents=True, exist_ok=True)
        options.events_file = options.folder / f"events-{options.events:.0f}-{options.seed}.parquet"
        if not options.events_file.exists():
            apart(generate, options.events_file, int(options.events), options.seed)
        if options.contenders:
            compare(options)
        if not options.without_day:
            day_after(options)


if __name__ == "__main__":
    main()
