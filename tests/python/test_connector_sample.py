"""The sample connector on a small simulated shop: what is kept, what is not, what goes wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from martlet.simulate import RAW_COLUMNS, ShopConfig, simulate_shop
from support import DbtResult, beside, parse_manifest, query, run_dbt

# Raw table -> entity of the contract.
ENTITIES = {
    "customers": "customers",
    "products": "products",
    "orders": "orders",
    "order_lines": "order_items",
    "refunds": "returns",
    "payments": "payments",
    "events": "events",
    "page_requests": "page_requests",
    "emails_sent": "email_messages",
    "email_events": "email_events",
    "support_messages": "support_messages",
    "stock": "stock_levels",
    "competitor_prices": "competitor_prices",
    "experiment_exposures": "experiment_exposures",
}


@dataclass(frozen=True)
class Shop:
    """A simulated shop: its raw files and what dbt made of them."""

    raw: Path
    database: Path
    target: Path
    result: DbtResult


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Build staging and shop from CSV files, events in several parts."""
    folder = tmp_path_factory.mktemp("sample")
    config = ShopConfig(customers=150, start=date(2025, 9, 1), end=date(2026, 3, 31), seed=7)
    simulate_shop(
        config, folder / "raw", file_format="csv", with_truth=True, max_file_bytes=200_000
    )
    result = run_dbt(
        "build",
        "--select",
        "+path:models/shop",
        "--indirect-selection",
        "buildable",
        "--exclude-resource-type",
        "unit_test",
        database=folder / "martlet.duckdb",
        target=folder / "target",
        vars={"martlet_raw_path": str(folder / "raw")},
    )
    return Shop(folder / "raw", folder / "martlet.duckdb", folder / "target", result)


def test_every_planted_defect_is_quarantined_for_its_reason(shop: Shop) -> None:
    planted: Counter[tuple[str, str]] = Counter()
    truth = shop.raw / "truth" / "truth_defects.parquet"
    for table, reason, count in duckdb.sql(
        f"select table_name, rejection_reason, planted_rows from '{truth}'"
    ).fetchall():
        planted[ENTITIES[table.removeprefix("raw_")], reason] += count
    # Repeated deliveries of an event are folded by shop_events, not rejected.
    assert planted.pop(("events", "")) > 0
    found = Counter(
        {
            (entity, reason): count
            for entity, reason, count in query(
                shop.database,
                "select entity, rejection_reason, count(*) from shop.shop_quarantine group by all",
            )
        }
    )
    assert found == planted
    assert len({reason for _, reason in planted}) >= 8


def test_raw_rows_are_the_kept_and_the_quarantined_rows(shop: Shop) -> None:
    assert shop.result.status("assert_each_raw_row_is_kept_or_quarantined") == "pass"
    quarantined = dict(
        query(shop.database, "select entity, count(*) from shop.shop_quarantine group by entity")
    )
    for table, entity in ENTITIES.items():
        files = [*shop.raw.glob(f"raw_{table}.csv"), *shop.raw.glob(f"raw_{table}_[0-9]*.csv")]
        raw = sum(len(pd.read_csv(file, dtype=str)) for file in files)
        source = "staging.stg_sample__events where rejection_reason is null"
        kept = query(
            shop.database,
            f"select count(*) from {source if entity == 'events' else 'shop.shop_' + entity}",
        )
        assert raw == kept[0][0] + quarantined.get(entity, 0), entity
        assert kept[0][0] > 0, entity


def test_lost_and_invented_rows_are_noticed(shop: Shop) -> None:
    copy = beside(shop.database, "copy")
    copy.write_bytes(shop.database.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute("delete from shop.shop_payments where rowid = 0")
        connection.execute(
            "insert into shop.shop_products select * from shop.shop_products limit 1"
        )
    result = run_dbt(
        "test",
        "--select",
        "assert_each_raw_row_is_kept_or_quarantined",
        database=copy,
        target=shop.target,
        vars={"martlet_raw_path": str(shop.raw)},
        check=False,
    )
    (found,) = (
        item
        for item in result.results
        if item.node.name == "assert_each_raw_row_is_kept_or_quarantined"
    )
    assert found.failures == 2


def test_quarantine_holds_the_raw_row(shop: Shop) -> None:
    rows = query(
        shop.database,
        "select source_row ->> 'created_at', source_row ->> 'order_id', source_key"
        " from shop.shop_quarantine"
        " where entity = 'orders' and rejection_reason = 'impossible_date'",
    )
    assert rows
    assert all(created[:4] in ("2025", "1970", "2099", "not ") for created, _, _ in rows)
    assert all(order_id == key for _, order_id, key in rows)


def test_messages_name_what_is_wrong_with_a_file(shop: Shop, tmp_path: Path) -> None:
    for path in shop.raw.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "raw_support_messages.csv").unlink()
    (tmp_path / "raw_page_requests.csv").write_bytes(b"")
    for part in tmp_path.glob("raw_page_requests_*.csv"):
        part.unlink()
    products = (tmp_path / "raw_products.csv").read_text()
    (tmp_path / "raw_products.csv").write_text(products.replace("unit_cost", "cost", 1))
    for part in tmp_path.glob("raw_orders_*.csv"):
        part.unlink()
    (tmp_path / "raw_orders.csv").write_text(",".join(RAW_COLUMNS["orders"]) + "\n")
    result = run_dbt(
        "run",
        "--select",
        "stg_sample__support_messages",
        "stg_sample__page_requests",
        "stg_sample__products",
        "stg_sample__orders",
        database=beside(shop.database, "broken"),
        target=shop.target,
        vars={"martlet_raw_path": str(tmp_path)},
        check=False,
    )
    messages = {item.node.name: str(item.message) for item in result.results}

    missing = messages["stg_sample__support_messages"]
    assert "found no parquet or csv file whose name begins with raw_support_messages" in missing
    assert str(tmp_path) in missing
    assert "Check the path, or export the data again." in missing

    empty = messages["stg_sample__page_requests"]
    assert "raw_page_requests.csv' has 0 bytes. Export the data again." in empty

    column = messages["stg_sample__products"]
    assert "misses the column unit_cost in raw_products" in column
    assert "which has: product_id, title" in column
    assert "Rename or add the column; it may be empty." in column

    header = messages["stg_sample__orders"]
    assert f"found no rows in raw_orders ({tmp_path}/raw_orders), only a header" in header
    assert "Export the data again." in header


def test_messages_name_what_is_wrong_with_a_table(shop: Shop) -> None:
    database = beside(shop.database, "tables")
    with duckdb.connect(str(database)) as connection:
        connection.execute("create schema raw")
        connection.execute("create table raw.raw_products (product_id varchar, title varchar)")
    result = run_dbt(
        "run",
        "--select",
        "stg_sample__support_messages",
        "stg_sample__products",
        database=database,
        target=database.with_name("target_tables"),
        check=False,
    )
    messages = {item.node.name: str(item.message) for item in result.results}
    missing = messages["stg_sample__support_messages"]
    assert 'raw_support_messages": it is not in the database' in missing
    assert "dbt seed --select raw_support_messages" in missing
    column = messages["stg_sample__products"]
    assert "misses the column description, category, " in column
    assert "which has: product_id, title. " in column


def test_a_wrong_connector_is_named_with_the_right_ones(tmp_path: Path) -> None:
    for setting, problem in (
        ("shopfront", "names the connector 'shopfront', which does not exist"),
        (["sample", "sample"], "names the connector 'sample' twice"),
    ):
        result = run_dbt(
            "parse",
            database=tmp_path / "any.duckdb",
            target=tmp_path / "target",
            vars={"martlet_connector": setting},
            check=False,
        )
        assert not result.success
        assert f"The var martlet_connector {problem}" in result.messages
        assert "Set it to one of: ga4, online_retail, sample" in result.messages


def test_an_entity_nobody_delivers_is_empty_and_typed(shop: Shop) -> None:
    names = ["payments", "stock_levels", "quarantine"]
    database = beside(shop.database, "orders_only")
    run_dbt(
        "build",
        "--select",
        *(f"+shop_{name}" for name in names),
        "--indirect-selection",
        "empty",
        "--exclude-resource-type",
        "unit_test",
        database=database,
        target=shop.target.with_name("target_orders_only"),
        vars={
            "martlet_raw_path": str(shop.raw),
            "martlet_connector_entities": {
                "sample": ["orders", "order_items", "customers", "products"]
            },
        },
    )
    for name in names[:2]:
        assert query(database, f"select count(*) from shop.shop_{name}") == [(0,)]
    types = query(
        database,
        "select column_name, data_type, is_nullable from information_schema.columns"
        " where table_schema = 'shop' and table_name = 'shop_stock_levels'"
        " order by ordinal_position",
    )
    assert types == [
        ("product_id", "VARCHAR", "NO"),
        ("counted_at", "TIMESTAMP", "NO"),
        ("on_hand_quantity", "BIGINT", "NO"),
    ]
    entities = query(database, "select distinct entity from shop.shop_quarantine order by 1")
    assert entities == [("customers",), ("order_items",), ("orders",), ("products",)]


def test_quarantine_joins_the_connectors_that_deliver(tmp_path: Path) -> None:
    result = run_dbt(
        "ls",
        "--select",
        "1+shop_quarantine",
        "--output",
        "name",
        database=tmp_path / "two.duckdb",
        target=tmp_path / "target",
        vars={"martlet_connector": ["ga4", "sample"]},
    )
    assert "stg_ga4__events" in result.results
    assert "stg_sample__events" not in result.results
    assert "stg_sample__orders" in result.results


def test_every_seed_of_the_sample_is_read() -> None:
    nodes = parse_manifest("sample").nodes.values()
    seeds = {node.unique_id for node in nodes if node.name.startswith("raw_")}
    read = {
        parent for node in nodes if node.name.startswith("stg_") for parent in node.depends_on.nodes
    }
    assert len(seeds) >= len(ENTITIES)
    assert seeds <= read
