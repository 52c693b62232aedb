"""The connector ga4: the truth reconciles, loads can be replayed, columns may be missing."""

from __future__ import annotations

import datetime
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from martlet.ga4_export import Ga4Truth, write_ga4_export
from martlet.report.page import write_report
from support import query, run_dbt

NO_OTHER_TESTS = ("--exclude-resource-type", "unit_test", "--indirect-selection", "buildable")
SELECTION = ("--select", "+shop_events", "+shop_quarantine", "+shop_orders", *NO_OTHER_TESTS)
#: What exports of 2021 had not yet, and what others leave out.
OLD = (
    "collected_traffic_source",
    "is_active_user",
    "batch_event_index",
    "batch_page_id",
    "batch_ordering_id",
)


def settings(path: Path) -> dict[str, Any]:
    return {"martlet_connector": "ga4", "martlet_raw_path": str(path)}


def build(raw: Path, folder: Path) -> Path:
    database = folder / "martlet.duckdb"
    run_dbt("build", *SELECTION, database=database, target=folder, vars=settings(raw))
    return database


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ga4Truth]:
    folder = tmp_path_factory.mktemp("ga4")
    truth = write_ga4_export(folder / "raw", days=4, visitors=60, seed=3, malformed=6)
    return build(folder / "raw", folder), truth


def test_the_same_seed_writes_the_same_export(tmp_path: Path) -> None:
    first = write_ga4_export(tmp_path / "a", days=2, visitors=20, seed=5)
    again = write_ga4_export(tmp_path / "b", days=2, visitors=20, seed=5)
    other = write_ga4_export(tmp_path / "c", days=2, visitors=20, seed=6)
    tables = [[pq.read_table(file) for file in truth.files] for truth in (first, again, other)]
    assert tables[0] == tables[1]
    assert tables[0] != tables[2]
    assert (first.event_count, first.revenue) == (again.event_count, again.revenue)


def test_events_reconcile_with_the_truth(shop: tuple[Path, Ga4Truth]) -> None:
    database, truth = shop
    [(rows, consentless, visitors, batches)] = query(
        database,
        """
        select
            count(*), count(*) filter (where visitor_id is null),
            count(distinct visitor_id), count(distinct batch_id)
        from shop.shop_events
        """,
    )
    assert rows == truth.event_count
    assert consentless == truth.consentless_count > 0
    assert visitors == truth.visitor_count
    assert batches == len(truth.files)
    names = dict(query(database, "select event_name, count(*) from shop.shop_events group by 1"))
    assert names.pop("search") == truth.events_by_name["view_search_results"]
    others = {n: c for n, c in truth.events_by_name.items() if n != "view_search_results"}
    assert names == others


def test_purchases_reconcile_with_the_truth(shop: tuple[Path, Ga4Truth]) -> None:
    database, truth = shop
    purchases = query(
        database,
        "select order_id, value_amount, currency_code, product_id "
        "from shop.shop_events where event_name = 'purchase'",
    )
    assert {row[0] for row in purchases} == truth.order_ids
    assert len(purchases) == len(truth.order_ids)
    assert sum((row[1] for row in purchases), Decimal(0)) == truth.revenue > 0
    assert {row[2] for row in purchases} == {"EUR"}
    assert all(row[3] for row in purchases)
    [(others,)] = query(
        database,
        "select count(order_id) from shop.shop_events where event_name <> 'purchase'",
    )
    assert others == 0


def test_malformed_rows_are_quarantined_with_a_reason(shop: tuple[Path, Ga4Truth]) -> None:
    database, truth = shop
    reasons = dict(
        query(
            database,
            "select rejection_reason, count(*) from shop.shop_quarantine "
            "where entity = 'events' group by 1",
        )
    )
    assert sum(reasons.values()) == truth.malformed_count
    assert reasons == dict.fromkeys(("missing_key", "missing_time", "impossible_date"), 8)


def test_what_an_event_says_is_read_from_the_nested_record(shop: tuple[Path, Ga4Truth]) -> None:
    database, _ = shop
    arrivals = query(
        database,
        "select distinct traffic_source, traffic_medium, traffic_campaign from shop.shop_events",
    )
    assert set(arrivals) == {
        (None, None, None),
        ("google", "cpc", None),
        ("google", "organic", None),
        ("newsletter", "email", "spring"),
    }
    devices = query(
        database, "select distinct device_category, operating_system, browser from shop.shop_events"
    )
    assert sorted(devices) == [("desktop", "Windows", "Chrome"), ("mobile", "iOS", "Safari")]
    countries = query(database, "select distinct country_code from shop.shop_events")
    assert set(countries) == {("AT",), ("CZ",), ("DE",), (None,), ("TR",)}
    # The term looks like a number, so the export holds it as one.
    terms = query(
        database, "select distinct search_term from shop.shop_events where event_name = 'search'"
    )
    assert terms == [("4711",)]
    paths = query(
        database, "select distinct page_path from shop.shop_events where event_name = 'add_to_cart'"
    )
    assert paths == [("/add-to-cart",)]


def test_the_first_event_of_a_batch_gets_its_own_time(shop: tuple[Path, Ga4Truth]) -> None:
    database, _ = shop
    # Two events a batch: the first says it happened 1.5 seconds before the batch was sent.
    gaps = query(
        database,
        """
        select distinct epoch_ms(second.event_at) - epoch_ms(first.event_at)
        from shop.shop_events as first
        inner join shop.shop_events as second using (visitor_id, batch_id)
        where first.event_name = 'session_start' and second.event_name = 'page_view'
        """,
    )
    assert gaps == [(1500,)]
    [(early,)] = query(
        database, "select count(*) from shop.shop_events where received_at < event_at"
    )
    assert early == 0


def events(database: Path) -> list[tuple[Any, ...]]:
    """What the shop knows about each event, whichever load brought it."""
    return query(
        database,
        "select * exclude (batch_id, ingest_number) from shop.shop_events order by event_id",
    )


def test_intraday_then_daily_then_a_replay_change_nothing(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    partial = write_ga4_export(raw, days=2, visitors=40, seed=9, intraday=True)
    build(raw, tmp_path)
    database = tmp_path / "martlet.duckdb"
    after_intraday = events(database)
    assert len(after_intraday) == partial.event_count

    # The daily table arrives while the intraday one is still there.
    truth = write_ga4_export(raw, days=2, visitors=40, seed=9)
    assert truth.event_count > partial.event_count
    build(raw, tmp_path)
    after_daily = events(database)
    assert len(after_daily) == truth.event_count
    assert set(after_intraday) <= set(after_daily)

    # The intraday table is deleted, and every load is read again.
    partial.files[-1].unlink()
    build(raw, tmp_path)
    assert events(database) == after_daily

    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert events(build(raw, fresh)) == after_daily


@pytest.mark.parametrize(
    "omit",
    [
        OLD,
        (*OLD, "items", "ecommerce", "privacy_info", "stream_id", "user_id"),
        ("device", "geo", "event_server_timestamp_offset", "event_bundle_sequence_id"),
        ("device.web_info", "ecommerce.refund_value", "collected_traffic_source.srsltid"),
    ],
    ids=["2021", "bare", "no device", "fields"],
)
def test_an_export_may_lack_columns(omit: tuple[str, ...], tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    truth = write_ga4_export(raw, days=2, visitors=30, seed=4, omit=omit)
    # The days after have them all: one shop, several layouts.
    later = write_ga4_export(
        raw, days=2, visitors=30, seed=5, start=datetime.date(2025, 3, 3), malformed=3
    )
    database = build(raw, tmp_path)
    rows = query(
        database,
        "select batch_id < '20250303', count(*), count(distinct event_id), count(browser), "
        "count(product_id), count(traffic_source) from shop.shop_events group by 1 order by 1",
    )
    assert [(row[1], row[2]) for row in rows] == [
        (later.event_count, later.event_count),
        (truth.event_count, truth.event_count),
    ]
    new, old = rows
    assert all(count > 0 for count in new[1:])
    assert (old[3] == 0) == bool({"device", "device.web_info"} & set(omit))
    assert (old[4] == 0) == ("items" in omit)
    assert (old[5] == 0) == ("collected_traffic_source" in omit)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One place for all failures: with the same settings dbt parses the project only once."""
    return tmp_path_factory.mktemp("failures")


@pytest.fixture
def raw_folder(workplace: Path) -> Path:
    """The folder that martlet_raw_path names, empty."""
    folder = workplace / "raw"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def message_of_failure(raw: Path) -> str:
    result = run_dbt(
        "run",
        "--select",
        "stg_ga4__export_rows",
        database=raw.parent / "martlet.duckdb",
        target=raw.parent,
        vars=settings(raw),
        check=False,
    )
    assert not result.success
    assert result.messages.count("Compilation Error") == 1
    return result.messages


def test_a_folder_without_an_export_is_named(raw_folder: Path) -> None:
    messages = message_of_failure(raw_folder)
    assert "found no parquet file whose name begins with events_" in messages
    assert str(raw_folder) in messages


def test_files_under_another_name_are_refused(raw_folder: Path) -> None:
    [file] = write_ga4_export(raw_folder, days=1, visitors=3, seed=1).files
    file.rename(file.with_name("events_march.parquet"))
    assert "none is named events_YYYYMMDD.parquet" in message_of_failure(raw_folder)


def test_a_missing_column_is_named(raw_folder: Path) -> None:
    write_ga4_export(raw_folder, days=2, visitors=3, seed=1, omit=["event_params"])
    messages = message_of_failure(raw_folder)
    assert "misses the column event_params in" in messages
    assert "events_20250301.parquet" in messages


def test_an_empty_file_is_named(raw_folder: Path) -> None:
    (raw_folder / "events_20250301.parquet").touch()
    assert "events_20250301.parquet' has 0 bytes" in message_of_failure(raw_folder)


def test_a_day_without_events_is_no_mistake(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    truth = write_ga4_export(raw, days=2, visitors=10, seed=1)
    empty = pq.read_schema(truth.files[0]).empty_table()
    pq.write_table(pa.Table.from_batches([], schema=empty.schema), raw / "events_20250305.parquet")
    [(count,)] = query(build(raw, tmp_path), "select count(*) from shop.shop_events")
    assert count == truth.event_count


def test_orders_and_events_may_come_from_two_connectors(tmp_path: Path) -> None:
    truth = write_ga4_export(tmp_path / "ga4", days=1, visitors=10, seed=2)
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines" / "lines.csv").write_text(
        "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
        "536365,85123A,LAMP,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"
    )
    database = tmp_path / "martlet.duckdb"
    run_dbt(
        "build",
        *SELECTION,
        database=database,
        target=tmp_path,
        vars={
            "martlet_connector": ["online_retail", "ga4"],
            "martlet_currency": "GBP",
            "martlet_raw_path": {
                "online_retail": str(tmp_path / "lines"),
                "ga4": str(tmp_path / "ga4"),
            },
        },
    )
    [(orders, event_count)] = query(
        database,
        "select (select sum(total_amount) from shop.shop_orders), "
        "(select count(*) from shop.shop_events)",
    )
    assert orders == Decimal("15.30")
    assert event_count == truth.event_count


@pytest.mark.slow
def test_a_shop_of_events_alone_builds_everything(tmp_path: Path) -> None:
    truth = write_ga4_export(tmp_path / "raw", days=3, visitors=40, seed=8)
    database = tmp_path / "martlet.duckdb"
    run_dbt(
        "build",
        "--exclude-resource-type",
        "unit_test",
        database=database,
        target=tmp_path,
        vars=settings(tmp_path / "raw"),
    )
    [(session_events, visitors, orders)] = query(
        database,
        """
        select
            (select sum(event_count) from marts.fct_sessions),
            (select count(distinct visitor_id) from marts.fct_sessions),
            (select count(*) from marts.fct_orders)
        """,
    )
    assert session_events == truth.event_count - truth.consentless_count
    assert visitors == truth.visitor_count
    assert orders == 0
    titles = write_report(database, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Visits" in titles
    assert "Sales" not in titles
    assert "marts.fct_orders is empty" in page
    assert "needs marts of this version" not in page
