"""Only customers whose purchases have changed are scored again, and it makes no difference.

Nor does it make one how many threads a build has.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from martlet.simulate import ShopConfig, simulate_shop
from support import PROJECT, DbtResult, beside, run_dbt

SCORES = ("ml_recommendations__scores", "ml_next_basket__scores")
MARTS = (
    "fct_recommendations", "fct_next_baskets", "fct_similar_products", "fct_recommender_evaluation",
    "fct_trending_products", "fct_trend_backtest",
)  # fmt: skip
SELECTED = ("--select", *(f"+{name}" for name in MARTS))
KINDS = ("--exclude-resource-type", "unit_test", "test")
#: Orders once more, with another product, on the last day: what a day brings.
DAY = """
create temporary table buyers as
    select customer_id, max(basket_id) as order_id from ml.ml_recommendations__training_set
    group by customer_id order by customer_id limit 3;
create temporary table leaver as
    select max(customer_id) as customer_id from ml.ml_recommendations__training_set
    where customer_id not in (select customer_id from buyers);
insert into shop.shop_orders by name
    select o.* replace ('new ' || o.order_id as order_id, (
        select max(ordered_at) from shop.shop_orders) as ordered_at)
    from shop.shop_orders as o where o.order_id in (select order_id from buyers);
insert into shop.shop_order_items by name
    select i.* replace (
        'new ' || i.order_id as order_id, 'new ' || i.order_item_id as order_item_id)
    from shop.shop_order_items as i where i.order_id in (select order_id from buyers);
delete from shop.shop_orders where customer_id in (from leaver);
delete from shop.shop_customers where customer_id in (from leaver);
update shop.shop_products set is_active = false where product_id in (
    select product_id from ml.ml_recommendations__predictions
    group by 1 order by count(*) desc, 1 limit 1);
"""


@dataclass(frozen=True)
class Rebuilt:
    """A shop before and after a day with few orders, and after all were scored again."""

    folder: Path
    database: Path
    first: DbtResult
    second: DbtResult
    delisted: str
    leaver: str


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Rebuilt:
    folder = tmp_path_factory.mktemp("rescoring")
    config = ShopConfig(customers=150, start=date(2025, 9, 1), end=date(2026, 3, 31), seed=7)
    simulate_shop(config, folder / "raw", file_format="csv")
    where = {
        "database": folder / "martlet.duckdb",
        "target": folder / "target",
        "vars": {"martlet_raw_path": str(folder / "raw")},
    }
    first = run_dbt("build", *SELECTED, *KINDS, **where)
    shutil.copy(where["database"], folder / "two_threads.duckdb")
    with duckdb.connect(str(where["database"])) as con:
        con.execute(DAY)
        (leaver,) = con.execute("from leaver").fetchall()[0]
        (delisted,) = con.execute(
            "select product_id from shop.shop_products where not is_active and product_id in "
            "(select product_id from ml.ml_recommendations__predictions)"
        ).fetchall()[0]
    given = ("--exclude", "path:models/staging", "path:models/shop")
    second = run_dbt("run", *SELECTED, *given, **where)
    with duckdb.connect(str(where["database"])) as con:
        for name in SCORES:
            con.execute(f"create table ml.kept_{name} as from ml.{name}")
    run_dbt("run", "--select", *SCORES, "--full-refresh", **where)
    return Rebuilt(folder, where["database"], first, second, delisted, leaver)


def counted(con: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(con.execute(f"select count(*) from ({query})").fetchall()[0][0])


def test_only_changed_customers_are_scored_and_the_log_says_so(rebuilt: Rebuilt) -> None:
    with duckdb.connect(str(rebuilt.database), read_only=True) as con:
        for name in SCORES:
            assert f"{name}: 3 of " in rebuilt.second.messages
            all_of = counted(con, f"select distinct customer_id from ml.kept_{name}")
            assert f"{name}: 3 of {all_of} customers scored" in rebuilt.second.messages
            moments = con.execute(
                "select predicted_at, count(distinct customer_id) "
                f"from ml.kept_{name} group by 1 order by 1"
            ).fetchall()
            assert [count for _, count in moments] == [all_of - 3, 3]
    assert (
        "is reused: rows have changed, but the last fit is 0 of 7 days" in rebuilt.second.messages
    )
    assert "3 of" not in rebuilt.first.messages.split("customers scored")[0].split("scores: ")[-1]


@pytest.mark.parametrize("name", SCORES)
def test_the_rows_are_those_of_a_full_refresh(rebuilt: Rebuilt, name: str) -> None:
    with duckdb.connect(str(rebuilt.database), read_only=True) as con:
        columns = "* exclude (as_of_date, predicted_at)"
        kept, fresh = (f"select {columns} from ml.{n}" for n in (f"kept_{name}", name))
        assert counted(con, kept) > 1000
        assert counted(con, f"{kept} except all {fresh}") == 0
        assert counted(con, f"{fresh} except all {kept}") == 0
        # The three have other scores than before, or the comparison would prove little.
        assert counted(con, f"select distinct scoring_key from ml.kept_{name}") > 100


def test_who_is_gone_and_what_is_no_longer_sold_go_without_scoring(rebuilt: Rebuilt) -> None:
    with duckdb.connect(str(rebuilt.database), read_only=True) as con:
        for name in SCORES:
            assert not counted(
                con, f"select * from ml.kept_{name} where customer_id = '{rebuilt.leaver}'"
            )
            shown = f"ml.{name.replace('__scores', '__predictions')}"
            gone = f"select * from {shown} where product_id = '{rebuilt.delisted}'"
            assert not counted(con, gone)
            assert counted(con, gone.replace(shown, f"ml.kept_{name}"))
            assert counted(con, f"select distinct as_of_date from {shown}") == 1
        short = counted(
            con,
            "select customer_id from ml.ml_recommendations__predictions "
            "group by customer_id having max(recommendation_rank) < 10",
        )
        assert short == 0


def with_one_thread(*arguments: str, **where: Any) -> None:
    """Run dbt with one thread, and DuckDB with one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        run_dbt(*arguments, env={"MARTLET_THREADS": "1"}, **where)
    finally:
        os.sched_setaffinity(0, before)


def differences(first: Path, second: Path, tables: Iterable[str]) -> dict[str, int]:
    """Count the rows of each table of marts that only one of two databases has."""
    con = duckdb.connect()
    con.execute(f"attach '{first}' as a (read_only); attach '{second}' as b (read_only)")
    found = {}
    for table in tables:
        names = [row[0] for row in con.execute(f"describe a.marts.{table}").fetchall()]
        columns = ", ".join(name for name in names if name not in ("predicted_at", "trained_at"))
        one, other = (f"select {columns} from {base}.marts.{table}" for base in ("a", "b"))
        found[table] = counted(
            con, f"({one} except all {other}) union all ({other} except all {one})"
        )
        assert counted(con, one) > 0
    con.close()
    return found


needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="the system cannot keep a process to one core"
)


@needs_affinity
def test_two_builds_give_the_same_rows_whatever_the_threads(rebuilt: Rebuilt) -> None:
    database = beside(rebuilt.database, "one_thread")
    raw = {"martlet_raw_path": str(rebuilt.folder / "raw")}
    with_one_thread(
        "build", *SELECTED, *KINDS, database=database, target=rebuilt.folder / "target", vars=raw
    )
    found = differences(rebuilt.folder / "two_threads.duckdb", database, MARTS)
    assert found == dict.fromkeys(MARTS, 0)


@pytest.mark.long
@needs_affinity
def test_two_builds_of_the_sample_shop_give_the_same_marts_of_products(tmp_path: Path) -> None:
    folder = PROJECT / "models" / "marts" / "products"
    tables = sorted(path.stem for path in folder.glob("*.sql"))
    built = ("build", "--select", "+path:models/marts/products", *KINDS)
    run_dbt(*built, database=tmp_path / "two.duckdb", target=tmp_path / "target")
    with_one_thread(*built, database=tmp_path / "one.duckdb", target=tmp_path / "target")
    found = differences(tmp_path / "two.duckdb", tmp_path / "one.duckdb", tables)
    assert found == dict.fromkeys(tables, 0)
