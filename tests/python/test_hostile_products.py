"""Shops whose products are odd build, and say of them what can be said."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import duckdb
import pytest

from support import PROJECT, run_dbt
from test_customers import ENTITIES, PRODUCT, Row, order, person, write_shop

OPENED = dt.datetime(2024, 6, 1)
FEW = [f"P{n}" for n in range(30)]
#: Quotes, separators, templates, comments, blanks, directions, letters that look alike.
ODD = [
    "P'1", 'P"2', "Ü 3 🙂", "P,4", "a\\b", "{{ x }}", "a1", "A1", "tr  ail", "x;drop table y", "%_",
    "\u202eabc", "é", "e\u0301", "N" * 300, "null", "0", "00", "1e5", "<b>", "--", "/*", "$1",
]  # fmt: skip
MARTS = sorted(path.stem for path in (PROJECT / "models/marts/products").glob("*.sql"))
#: Of a fit with too little to learn from.
TOO_LITTLE = "insufficient_data"
FITS = ("basket", "basket_rules", "recommendations", "next_basket", "propensity")

Basket = tuple[str, dt.datetime, Sequence[str]]


def usual(rng: random.Random, products: Sequence[str]) -> Iterable[Basket]:
    """Orders of 200 customers, of one to four products each."""
    for customer in range(200):
        for _ in range(rng.choice([1, 1, 2, 3, 5])):
            when = OPENED + dt.timedelta(days=rng.random() * 500)
            count = min(len(products), rng.choice([1, 2, 3, 4]))
            yield f"C{customer:04d}", when, rng.sample(products, count)


def odd_ids(rng: random.Random) -> Iterable[Basket]:
    return usual(rng, ODD)


def one_product(rng: random.Random) -> Iterable[Basket]:
    return usual(rng, ["P1"])


def one_customer(rng: random.Random) -> Iterable[Basket]:
    return [("C1", OPENED + dt.timedelta(days=7 * n), rng.sample(FEW, 3)) for n in range(60)]


def a_basket_of_5000(rng: random.Random) -> Iterable[Basket]:
    return [*usual(rng, FEW), ("C0001", OPENED, [f"P{n}" for n in range(5000)])]


def nothing_listed(rng: random.Random) -> Iterable[Basket]:
    """The file of products comes with its header alone."""
    return usual(rng, FEW)


def all_bought_everything(_: random.Random) -> Iterable[Basket]:
    return [
        (f"C{customer:03d}", OPENED + dt.timedelta(days=40 * n + customer % 30), FEW)
        for customer in range(100)
        for n in range(3)
    ]


SHOPS: dict[Callable[[random.Random], Iterable[Basket]], set[str]] = {
    odd_ids: set(),
    one_product: {"recommendations", "next_basket"},
    one_customer: {"recommendations", "next_basket"},
    a_basket_of_5000: set(),
    all_bought_everything: set(),
    nothing_listed: set(),
}


def written(baskets: Iterable[Basket], folder: Path, is_listed: bool) -> set[str]:
    """Write the shop, with a catalogue or without; return its products."""
    orders: list[Row] = []
    lines: list[Row] = []
    people: dict[str, Row] = {}
    products: dict[str, Row] = {}
    for number, (customer, when, bought) in enumerate(baskets):
        amount = f"{10 * len(bought)}.00"
        orders.append(order(number, customer, when, subtotal=amount, total=amount))
        people[customer] = person(customer)
        for product in bought:
            products[product] = {**PRODUCT, "product_id": product, "title": f"Product {product}"}
            lines.append({
                "line_id": f"L{len(lines)}", "order_id": orders[-1]["order_id"],
                "product_id": product, "quantity": "1", "unit_price": "10.00", "discount": "0",
                "updated_at": orders[-1]["updated_at"],
            })  # fmt: skip
    tables = {"customers": people.values(), "products": products.values() if is_listed else ()}
    write_shop(folder, orders=orders, order_lines=lines, **tables)
    return set(products)


@pytest.mark.long
@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.__name__)
def test_shops_with_odd_products_build(
    shop: Callable[[random.Random], Iterable[Basket]], tmp_path: Path
) -> None:
    is_listed = shop is not nothing_listed
    products = written(shop(random.Random(5)), tmp_path / "raw", is_listed)
    result = run_dbt(
        *("build", "--indirect-selection", "cautious", "--exclude-resource-type", "unit_test"),
        *("--select", "+path:models/marts/products", "+int_products__search_vocabulary"),
        *(() if is_listed else ("+fct_data_quality",)),
        database=tmp_path / "martlet.duckdb",
        target=tmp_path / "target",
        vars={
            "martlet_raw_path": str(tmp_path / "raw"),
            "martlet_connector_entities": ENTITIES,
        },
    )
    assert result.success, result.messages
    con = duckdb.connect(str(tmp_path / "martlet.duckdb"), read_only=True)
    for fit in FITS:
        found = con.execute(f"select status from ml.ml_{fit}__fit where is_champion").fetchall()
        assert (found == [(TOO_LITTLE,)]) == (fit in SHOPS[shop]), (fit, found)
    known = {row[0] for row in con.execute("select product_id from marts.dim_products").fetchall()}
    assert known == products
    for mart in MARTS:
        described = con.execute(f"describe marts.{mart}").fetchall()
        numbers = [name for name, kind, *_ in described if kind == "DOUBLE"]
        for name in numbers:
            wrong = con.execute(f"select count(*) from marts.{mart} where not isfinite({name})")
            assert wrong.fetchall() == [(0,)], (mart, name)
    if not is_listed:
        path = tmp_path / "raw" / "raw_order_lines.csv"
        lines = con.execute(f"select count(*) from read_csv('{path}')").fetchall()
        assert con.execute("select count(*) from shop.shop_order_items").fetchall() == lines
        assert "items_of_unlisted_products" in result.messages
    for product in sorted(one for one in products if any(map(str.isalnum, one)))[:40]:
        first = con.execute("select product_id from search_products(?, n := 5)", [product])
        assert (product,) in first.fetchall()
