"""Risk of an order: one order as in the batch, nothing looks ahead, late disputes arrive."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from support import beside, query, run_dbt

AS_OF_MODELS = (
    "int_orders__classified", "int_orders__enriched", "int_order_keys__linked", "ftr_orders__risk",
)  # fmt: skip
#: What a checkout knows of an order, made of orders that are in the tables.
AS_NEW = """
create temp table new_order as
select o.order_id, o.ordered_at, o.customer_id, o.device_id, o.total_amount, o.items_amount,
    o.discount_amount, o.billing_country_code, o.shipping_country_code, c.registered_at,
    a.key_value as ip_address_hash, e.key_value as email_hash, d.key_value as card_fingerprint
from shop.shop_orders as o
left join shop.shop_customers as c on o.customer_id = c.customer_id
inner join intermediate.int_order_keys__linked as a
    on o.order_id = a.order_id and a.key_kind = 'address'
inner join intermediate.int_order_keys__linked as e
    on o.order_id = e.order_id and e.key_kind = 'email'
inner join intermediate.int_order_keys__linked as d
    on o.order_id = d.order_id and d.key_kind = 'card'
"""
KEYS = "select * from intermediate.int_order_keys__linked order by order_id, key_kind"


@pytest.fixture(scope="module")
def shop(sample_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample shop, in the folder that later runs share."""
    return Path(shutil.copy(sample_shop, tmp_path_factory.mktemp("order_risk")))


def rebuilt(shop: Path, name: str, change: str, *options: str) -> Path:
    """Copy the warehouse, change its shop tables, and build the features again."""
    copy = beside(shop, name)
    shutil.copy(shop, copy)
    with duckdb.connect(str(copy)) as con:
        con.execute(change)
    target = shop.parent / "target"
    run_dbt("run", *options, "--select", *AS_OF_MODELS, database=copy, target=target)
    return copy


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_one_order_scores_as_the_batch_does(shop: Path) -> None:
    with duckdb.connect(str(shop), read_only=True) as con:
        con.execute(AS_NEW)
        rows = con.execute(
            """select o.fraud_probability, r.fraud_probability, o.decision, r.decision, o.reasons,
                list_filter([r.reason_1, r.reason_2, r.reason_3], lambda x: x is not null),
                o.expected_loss_amount - r.expected_loss_amount
            from marts.order_risk('new_order') as o
            inner join marts.fct_order_risk as r on o.order_id = r.order_id"""
        ).fetchall()
        asked, shown = con.execute(
            "select (select count(*) from new_order), (select count(*) from marts.fct_order_risk)"
        ).fetchall()[0]
    assert len(rows) == shown <= asked
    assert max(abs(logit(row[0]) - logit(row[1])) for row in rows) < 1e-9
    assert all(row[2] == row[3] and row[4] == row[5] for row in rows)
    assert max(abs(row[6]) for row in rows) <= 0.00005 + 1e-9
    assert len({row[2] for row in rows}) > 1


FRESH = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
con.execute('''create temp table new_order as select 'new' as order_id,
    timestamp '2026-07-01 12:00' as ordered_at, {customer} as customer_id, {key} as device_id,
    {key} as ip_address_hash, {key} as email_hash, {key} as card_fingerprint,
    120.0 as total_amount, 120.0 as items_amount, 0.0 as discount_amount,
    'DE' as billing_country_code, 'DE' as shipping_country_code, {sign_up} as registered_at''')
print(con.execute("select * from marts.order_risk('new_order')").fetchall())
print([m for m in sys.modules if m.startswith('martlet')])
"""


@pytest.mark.parametrize(
    "known",
    [
        {"customer": "'nobody'", "key": "'unseen'", "sign_up": "timestamp '2026-07-01 11:59'"},
        {"customer": "null", "key": "null", "sign_up": "null"},
    ],
    ids=["unseen", "nothing known"],
)
def test_a_process_that_only_reads_scores(shop: Path, known: dict[str, str]) -> None:
    command = [sys.executable, "-c", FRESH.format(**known), str(shop)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer, modules = done.stdout.splitlines()
    ((order, probability, loss, decision, reasons),) = eval(answer)
    assert order == "new"
    assert 0 < probability < 1
    assert loss == pytest.approx(probability * 135)
    assert decision in {"approve", "review", "deny"}
    assert len(reasons) == 3
    assert modules == "[]"


def test_later_orders_never_change_an_earlier_row(shop: Path) -> None:
    until = "timestamp '2026-04-01'"
    later = f"(select order_id from shop.shop_orders where ordered_at >= {until})"
    # What was not known yet in April: the orders since then, and disputes since then.
    before = rebuilt(
        shop, "before",
        f"""delete from shop.shop_payments where order_id in {later};
        delete from shop.shop_orders where ordered_at >= {until};
        update shop.shop_payments set charged_back_at = null where charged_back_at >= {until}""",
    )  # fmt: skip
    rows = f"""select f.* from features.ftr_orders__risk as f
        inner join shop.shop_orders as o on f.order_id = o.order_id
        where o.ordered_at < {until} order by f.order_id"""
    old = query(before, rows)
    assert len(old) > 1000
    assert old == query(shop, rows)


def test_incremental_is_full_refresh(shop: Path) -> None:
    # A dispute weeks later, an order more (of a known device), an order less, an amount mended.
    change = """
    update shop.shop_payments set charged_back_at = timestamp '2026-06-29'
    where payment_id = (select min(payment_id) from shop.shop_payments
        where charged_back_at is null and card_fingerprint is not null);
    insert into shop.shop_orders select * replace ('more' as order_id,
        timestamp '2026-06-30 21:00' as ordered_at) from shop.shop_orders
        where order_id = (select max(order_id) from shop.shop_orders where device_id is not null);
    delete from shop.shop_orders where order_id = (select min(order_id) from shop.shop_orders);
    update shop.shop_orders set total_amount = total_amount + 1
    where order_id = (select max(order_id) from shop.shop_orders where order_id <> 'more')"""
    added = rebuilt(shop, "added", change)
    whole = rebuilt(shop, "whole", change, "--full-refresh")
    assert query(added, KEYS) == query(whole, KEYS)
    features = "select * from features.ftr_orders__risk order by order_id"
    assert query(added, features) == query(whole, features)
    assert query(added, KEYS) != query(shop, KEYS)


def test_counts_are_those_of_a_plain_loop(shop: Path) -> None:
    """Velocity, people and known disputes by device, counted by hand."""
    found = query(
        shop,
        """select order_id, key_value, ordered_at, person_id, charged_back_at
        from intermediate.int_order_keys__linked where key_kind = 'device' order by order_id""",
    )
    features = {
        row[0]: row[1:]
        for row in query(
            shop,
            """select order_id, device_order_count_1_hour, device_order_count_7_days,
                device_person_count, device_chargeback_count from features.ftr_orders__risk""",
        )
    }
    by_device: dict[str, list[tuple[datetime, str, datetime | None]]] = {}
    for _, device, at, person, disputed in found:
        if device is not None:
            by_device.setdefault(device, []).append((at, person, disputed))
    for order, device, at, _, _ in found:
        earlier = [row for row in by_device.get(device, []) if row[0] < at]

        def within(span: timedelta, rows: list[tuple[datetime, str, datetime | None]] = earlier,
                   now: datetime = at) -> int:  # fmt: skip
            return sum(row[0] >= now - span for row in rows)

        assert features[order] == (
            within(timedelta(hours=1)), within(timedelta(days=7)),
            len({row[1] for row in earlier}),
            sum(row[2] is not None and row[2] < at for row in earlier),
        )  # fmt: skip


def test_only_outcomes_that_were_known_teach_and_judge(shop: Path) -> None:
    ((teaches_until, judges_from, judges_until, as_of),) = query(
        shop,
        """select max(t.as_of_date) filter (not t.is_evaluation),
            min(t.as_of_date) filter (t.is_evaluation), max(t.as_of_date),
            (select max(as_of_date) from intermediate.int_as_of_dates__spine where is_current)
        from ml.ml_order_risk__training_set as t""",
    )
    assert judges_until < as_of - timedelta(days=90)
    assert teaches_until < judges_from - timedelta(days=89)
