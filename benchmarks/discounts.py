"""Measure on a real grocer whether discount seekers go on buying reduced.

``python benchmarks/discounts.py --data DIR`` reads DIR/completejourney (The Complete Journey 2.0,
CC0: 75,000 lines of 2,377 households in 2017). The project's own SQL runs on it: lines at least 5 %
below their regular price count as discounted; at each month's start the index is taken from the
lines before it, and asked about the lines of the month that follows. Beside it: what was to be had
in the line's category and week alone, and the household's own share so far.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import duckdb
import jinja2

PROJECT = Path(__file__).parent.parent
MODELS = (
    "intermediate/discounts/int_order_items__discounts",
    "features/customers/ftr_customers__discount_affinity",
    "marts/customers/fct_discount_affinity_backtest",
)


def load(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Put the set into the tables that the models read."""
    con.execute(
        "create table lines as select row_number() over () as order_item_id, "
        "t.basket_id as order_id, t.household_id as customer_id, t.product_id, t.quantity, "
        "t.transaction_timestamp as ordered_at, t.sales_value, "
        "t.retail_disc + t.coupon_match_disc as reduction, t.coupon_disc "
        f"from '{folder}/transactions_sample.parquet' as t where t.quantity > 0"
    )
    con.execute(
        "create table int_order_items__enriched as select order_item_id, order_id, product_id, "
        "quantity, (sales_value + reduction) / quantity as unit_price_amount, "
        "sales_value as line_amount, sales_value - coupon_disc as goods_amount from lines"
    )
    con.execute(
        "create table int_orders__enriched as select order_id, any_value(customer_id) as "
        "customer_id, min(ordered_at) as ordered_at, min(ordered_at)::date as order_date, "
        "true as is_revenue_order from lines group by 1"
    )
    con.execute(
        "create table int_products__listed as select product_id, product_category as category, "
        f"null::double as list_price_amount from '{folder}/products.parquet'"
    )
    con.execute(
        "create table int_as_of_dates__spine as select unnest(generate_series(date '2017-03-01', "
        "date '2018-01-01', interval 1 month))::date as as_of_date, "
        "as_of_date = date '2018-01-01' as is_current"
    )


def main() -> None:
    """Print the figures of each rule and segment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data / "completejourney"
    con = duckdb.connect(config={"threads": 2})
    load(con, folder)
    environment = jinja2.Environment()
    environment.globals["ref"] = lambda name: name
    begun = time.process_time()
    for model in MODELS:
        sql = environment.from_string((PROJECT / "models" / f"{model}.sql").read_text()).render()
        con.execute(f"create table {model.split('/')[-1]} as {sql}")
    used = time.process_time() - begun
    print(f"The Complete Journey, monthly, lines judged and reduced ({used:.1f} CPU seconds)")
    for row in con.execute(
        "select discount_segment, rule_name, line_count, discounted_line_count, "
        "available_discount_count, predicted_discount_count, log_loss, brier_score "
        "from fct_discount_affinity_backtest order by 1, 7"
    ).fetchall():
        segment, rule, lines, found, available, predicted, loss, brier = row
        print(
            f"  {segment:16} {rule:13} {lines:6,} lines, {found:6,} reduced, "
            f"{available:8.0f} to be had, {predicted:8.0f} predicted, "
            f"log loss {loss:.4f}, Brier {brier:.4f}"
        )


if __name__ == "__main__":
    main()
