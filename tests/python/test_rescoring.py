"""Only customers whose purchases have changed are scored again, and it makes no difference."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest

from martlet.simulate import ShopConfig, simulate_shop
from support import DbtResult, run_dbt

SCORES = ("ml_recommendations__scores", "ml_next_basket__scores")
SELECTED = ("--select", "+ml_recommendations__predictions", "+ml_next_basket__predictions")
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
    kinds = ("--exclude-resource-type", "unit_test", "test")
    first = run_dbt("build", *SELECTED, *kinds, **where)
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
    return Rebuilt(where["database"], first, second, delisted, leaver)


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
