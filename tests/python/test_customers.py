"""Customers, orders and features: published figures, point in time, an independent computation."""

from __future__ import annotations

import csv
import datetime as dt
import math
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from martlet.simulate import RAW_COLUMNS
from support import PROJECT, query, run_dbt

ONLINE_RETAIL = PROJECT.parent / "shared" / "data" / "online_retail" / "online_retail.parquet"

# A shop that delivers these tables and nothing else; no other connector is read.
TABLES = ("customers", "products", "orders", "order_lines", "refunds")
ENTITIES = {
    "sample": ["customers", "products", "orders", "order_items", "returns"],
    "online_retail": [],
    "ga4": [],
}
FEATURES = (
    "ftr_customers__lifetime_value",
    "ftr_customers__cadence",
    "ftr_customers__rfm",
    "ftr_customers__churn",
)

Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def online_retail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Customer marts of the public data set, told as of the day the published figures are told."""
    if not ONLINE_RETAIL.exists():
        pytest.skip(f"the Online Retail data are not at {ONLINE_RETAIL}")
    folder = tmp_path_factory.mktemp("online_retail")
    run_dbt(
        "build",
        *("--select", "+dim_customers", "--indirect-selection", "cautious"),
        *("--exclude-resource-type", "unit_test"),
        database=folder / "martlet.duckdb",
        target=folder / "target",
        vars={
            "martlet_connector": "online_retail",
            "martlet_raw_path": str(ONLINE_RETAIL),
            "martlet_currency": "GBP",
            "martlet_time_zone": "Europe/London",
            "martlet_as_of_date": "2011-12-10",
        },
    )
    return folder / "martlet.duckdb"


@pytest.mark.real_data
def test_rfm_of_online_retail_is_the_published_one(online_retail: Path) -> None:
    rows = query(
        online_retail,
        """
        select
            count(*),
            round(avg(recency_days), 4),
            round(avg(frequency), 4),
            round(avg(cast(monetary_amount as double)), 4),
            round(cast(sum(monetary_amount) as double), 2),
            sum(case when rfm_score = 555 then 1 else 0 end),
            sum(case when rfm_score = 111 then 1 else 0 end)
        from marts.fct_customer_rfm
        where is_current
        """,
    )
    assert rows == [(4338, 93.0595, 4.272, 2054.2665, 8911407.90, 348, 184)]


@pytest.mark.real_data
def test_revenue_of_online_retail_hangs_on_few(online_retail: Path) -> None:
    shares = query(
        online_retail,
        """
        select revenue_rank, round(cumulative_revenue_share, 3)
        from marts.fct_customer_lifetime_value
        where is_current and revenue_rank in (ceil(0.1 * 4338), ceil(0.2 * 4338))
        order by revenue_rank
        """,
    )
    assert shares == [(434, 0.614), (868, 0.746)]


@pytest.mark.real_data
def test_customers_of_online_retail_are_all_told(online_retail: Path) -> None:
    # 4,372 numbers stand in the raw data; one of them only with lines that cost nothing.
    counts = query(
        online_retail,
        """
        select
            count(*),
            sum(case when order_count > 0 then 1 else 0 end),
            sum(case when rfm_segment is not null then 1 else 0 end)
        from marts.dim_customers
        """,
    )
    assert counts == [(4371, 4338, 4338)]


def write_shop(folder: Path, **tables: Iterable[Row]) -> None:
    """Write raw tables as the sample connector reads them; what is not given stays empty."""
    folder.mkdir(exist_ok=True)
    for table in TABLES:
        with (folder / f"raw_{table}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, RAW_COLUMNS[table], restval="")
            writer.writeheader()
            writer.writerows(tables.get(table, ()))


def order(number: int, customer: str, created: dt.datetime, **changes: Any) -> Row:
    return {
        "order_id": f"O{number:05d}",
        "customer_id": customer,
        "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "updated_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "status": "completed",
        "currency": "EUR",
        "exchange_rate": "1",
        "subtotal": "20.00",
        "discount": "0",
        "shipping": "0",
        "tax": "0",
        "total": "20.00",
        **changes,
    }


def line(number: int, order_number: int, amount: float, created: dt.datetime) -> Row:
    return {
        "line_id": f"L{number:05d}",
        "order_id": f"O{order_number:05d}",
        "product_id": "P1",
        "quantity": "1",
        "unit_price": f"{amount:.2f}",
        "discount": "0",
        "updated_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
    }


PRODUCT = {
    "product_id": "P1",
    "title": "Tea",
    "list_price": "20.00",
    "unit_cost": "8.00",
    "currency": "EUR",
    "created_at": "2020-01-01T00:00:00Z",
    "status": "active",
}


def person(name: str) -> Row:
    return {
        "customer_id": name,
        "email": f"{name}@example.com",
        "created_at": "2020-01-01T00:00:00Z",
        "country": "DE",
        "is_test": "false",
        "updated_at": "2020-01-01T00:00:00Z",
    }


class SmallShop:
    """A shop of a few raw files that can be rewritten and built again."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "martlet.duckdb"
        self.raw = folder / "raw"
        self.target = folder / "target"

    def build(
        self, *, as_of_date: str = "", also: Iterable[str] = (), **tables: Iterable[Row]
    ) -> None:
        """Write the raw tables and build all customer, order and product marts."""
        write_shop(self.raw, **tables)
        run_dbt(
            "build",
            *(
                "--select",
                "+dim_customers",
                "+dim_products",
                "+fct_orders",
                "+fct_order_items",
                *also,
            ),
            *("--indirect-selection", "cautious", "--exclude-resource-type", "unit_test"),
            database=self.database,
            target=self.target,
            vars={
                "martlet_raw_path": str(self.raw),
                "martlet_connector_entities": ENTITIES,
                "martlet_as_of_date": as_of_date,
            },
        )

    def rows(self, table: str, where: str = "true") -> list[tuple[Any, ...]]:
        return query(self.database, f"select * from {table} where {where} order by all")


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> SmallShop:
    """One folder for all small shops, so that dbt parses the project once."""
    return SmallShop(tmp_path_factory.mktemp("small_shop"))


def two_years_of_orders() -> dict[str, list[dict[str, Any]]]:
    """Orders, lines and refunds of 60 customers, some cancelled later; the same on every call."""
    rng = random.Random(17)
    start = dt.datetime(2024, 1, 1)
    orders, lines, refunds = [], [], []
    for number in range(900):
        created = start + dt.timedelta(minutes=rng.randrange(730 * 1440))
        amount = rng.randrange(500, 9000) / 100
        changes: dict[str, Any] = {"subtotal": f"{amount:.2f}", "total": f"{amount:.2f}"}
        after = created + dt.timedelta(days=rng.expovariate(1 / 25))
        if rng.random() < 0.1:
            changes |= {"status": "cancelled", "cancelled_at": f"{after:%Y-%m-%dT%H:%M:%SZ}"}
        orders.append(dict(order(number, f"C{rng.randrange(60):02d}", created, **changes)))
        lines.append(dict(line(number, number, amount, created)))
        if rng.random() < 0.2:
            refunds.append(
                {
                    "refund_id": f"R{number:05d}",
                    "order_id": f"O{number:05d}",
                    "line_id": f"L{number:05d}",
                    "product_id": "P1",
                    "quantity": "1",
                    "amount": f"{amount:.2f}",
                    "currency": "EUR",
                    "created_at": f"{after:%Y-%m-%dT%H:%M:%SZ}",
                }
            )
    return {"orders": orders, "order_lines": lines, "refunds": refunds}


def as_exported_on(day: str, shop: dict[str, list[dict[str, Any]]]) -> dict[str, list[Row]]:
    """Return the export the shop would have written at the beginning of a day (UTC)."""
    known = []
    for row in shop["orders"]:
        if row["created_at"] < day:
            if row.get("cancelled_at", "") >= day:
                row = {**row, "status": "completed", "cancelled_at": ""}
            known.append(row)
    ids = {row["order_id"] for row in known}
    return {
        "orders": known,
        "order_lines": [row for row in shop["order_lines"] if row["order_id"] in ids],
        "refunds": [row for row in shop["refunds"] if row["created_at"] < day],
    }


def same(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    """Tell whether two rows are the same, but for the order numbers were added up in."""
    return all(
        math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
        if isinstance(one, float) and isinstance(other, float)
        else one == other
        for one, other in zip(found, wanted, strict=True)
    )


def test_future_facts_never_change_a_past_snapshot(small_shop: SmallShop) -> None:
    shop = two_years_of_orders()
    base = {"customers": [person(f"C{n:02d}") for n in range(60)], "products": [PRODUCT]}
    # Midnight of Berlin in winter is 23:00 UTC of the day before.
    export = as_exported_on("2025-02-28T23:00:00Z", shop)
    churn = ["+ftr_customers__churn"]
    small_shop.build(as_of_date="2025-03-01", also=churn, **base, **export)
    before = {name: small_shop.rows(f"features.{name}") for name in FEATURES}
    assert all(len(rows) > 500 for rows in before.values())

    small_shop.build(as_of_date="2025-03-01", also=churn, **base, **shop)
    after = {name: small_shop.rows(f"features.{name}") for name in FEATURES}

    assert len(shop["orders"]) > len(export["orders"])
    assert len(shop["refunds"]) > len(export["refunds"])
    for name in FEATURES:
        assert len(after[name]) == len(before[name]), name
        for found, wanted in zip(after[name], before[name], strict=True):
            assert same(found, wanted), (name, found, wanted)


def test_customers_who_are_all_alike_get_the_middle(small_shop: SmallShop) -> None:
    day = dt.datetime(2025, 5, 5, 10)
    small_shop.build(
        customers=[person(name) for name in ("a", "b", "c")],
        products=[PRODUCT],
        orders=[order(n, name, day) for n, name in enumerate("abc")],
        order_lines=[line(n, n, 20, day) for n in range(3)],
    )
    columns = "customer_id, recency_days, frequency, rfm_score, rfm_segment, has_moved"
    rows = query(small_shop.database, f"select {columns} from marts.fct_customer_rfm order by 1")
    assert rows == [(name, 1, 1, 333, "New Customers", None) for name in "abc"]


def test_one_customer_is_enough(small_shop: SmallShop) -> None:
    first, second = dt.datetime(2025, 4, 30, 10), dt.datetime(2025, 5, 4, 10)
    small_shop.build(
        customers=[person("ada"), person("only registered")],
        products=[PRODUCT],
        orders=[order(1, "ada", first), order(2, "ada", second), order(3, "", first)],
        order_lines=[line(1, 1, 20, first), line(2, 2, 30, second), line(3, 3, 7, first)],
    )
    assert query(
        small_shop.database,
        "select as_of_date, order_count, net_revenue_amount, margin_amount, value_decile, "
        "mean_gap_days from marts.fct_customer_lifetime_value order by 1",
    ) == [
        (dt.date(2025, 5, 1), 1, 20, 12, 5, None),
        (dt.date(2025, 5, 5), 2, 50, 34, 5, 4.0),
    ]
    # The guest's order counts as revenue and as nobody's.
    assert query(
        small_shop.database,
        "select customer_type, sum(gross_revenue_amount) from marts.fct_orders "
        "group by 1 order by 1",
    ) == [("guest", 7), ("new", 20), ("returning", 30)]
    assert query(
        small_shop.database,
        "select customer_id, order_count, rfm_score from marts.dim_customers order by 1",
    ) == [("ada", 2, 333), ("only registered", 0, None)]


def test_a_shop_that_delivers_nothing_still_has_its_marts(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("empty_shop")
    database = folder / "martlet.duckdb"
    run_dbt(
        *("build", "--select", "+marts.customers", "+marts.products", "+marts.operations"),
        *("--indirect-selection", "buildable", "--exclude-resource-type", "unit_test"),
        database=database,
        target=folder / "target",
        vars={
            "martlet_connector": "ga4",
            "martlet_connector_entities": {name: [] for name in ENTITIES},
        },
    )
    marts = query(
        database,
        "select table_name, count(*) from information_schema.columns "
        "where table_schema = 'marts' group by 1",
    )
    assert {"dim_customers", "dim_products", "fct_orders", "fct_order_items"} <= dict(marts).keys()
    filled = {
        mart for mart, _ in marts if query(database, f"select count(*) from marts.{mart}") != [(0,)]
    }
    # The horizons that could be chosen stand there without evidence.
    assert filled == {"fct_data_quality", "fct_churn_horizons"}
    # Data quality lists what is missing.
    assert query(
        database, "select distinct connector, severity, checked_count from marts.fct_data_quality"
    ) == [(None, "not_checked", 0)]


def _quintile(values: pd.Series[Any], *, ascending: bool) -> pd.Series[Any]:
    scores = pd.qcut(values.rank(method="first"), 5, labels=False) + 1
    return scores if ascending else 6 - scores


def test_rfm_of_the_sample_is_what_pandas_computes(sample_shop: Path) -> None:
    with duckdb.connect(str(sample_shop), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        orders = connection.sql("from shop.shop_orders").df()
        lines = connection.sql("from shop.shop_order_items").df()
        customers = connection.sql("from shop.shop_customers").df()
        found = connection.sql("from marts.fct_customer_rfm").df()
        dates = connection.sql("from intermediate.int_as_of_dates__spine").df()

    testers = set(customers.loc[customers["is_test"], "customer_id"])
    amounts = lines.assign(amount=lines["line_amount"].astype(float))
    orders["amount"] = orders["order_id"].map(amounts.groupby("order_id")["amount"].sum())
    orders["amount"] = orders["amount"].fillna(orders["items_amount"].astype(float))
    orders["amount"] -= orders["discount_amount"].astype(float)
    berlin = orders["ordered_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    orders["day"] = berlin.dt.tz_localize(None).dt.normalize()
    cancelled = orders["cancelled_at"].fillna(orders["ordered_at"])
    cancelled = cancelled.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    orders["end"] = cancelled.dt.tz_localize(None).dt.normalize().where(orders["is_cancelled"])
    orders = orders[~orders["is_test"] & ~orders["customer_id"].isin(testers)]
    orders = orders.dropna(subset=["customer_id"])

    assert len(dates) == 13
    for date in pd.to_datetime(dates["as_of_date"]):
        known = orders[(orders["day"] < date) & ~(orders["end"] < date)]
        expected = known.groupby("customer_id").agg(
            last=("day", "max"), frequency=("order_id", "count"), monetary=("amount", "sum")
        )
        expected["recency"] = (date - expected["last"]).dt.days
        actual = found[found["as_of_date"] == date].set_index("customer_id").sort_index()
        assert list(actual.index) == list(expected.index)
        assert (actual["recency_days"] == expected["recency"]).all()
        assert (actual["frequency"] == expected["frequency"]).all()
        monetary = actual["monetary_amount"].astype(float)
        assert (monetary - expected["monetary"]).abs().max() < 1e-6
        for score, values, ascending in (
            ("recency_score", expected["recency"], False),
            ("frequency_score", expected["frequency"], True),
            ("monetary_score", monetary, True),
        ):
            assert (actual[score] == _quintile(values, ascending=ascending)).all(), score
        # Equal customers are equal in a band.
        for value, best, score, band in (
            ("frequency", "min", "frequency_score", "frequency_band"),
            ("recency_days", "max", "recency_score", "recency_band"),
        ):
            shared = actual.groupby(value)[score].transform(best)
            assert (actual[band] == shared).all(), band
