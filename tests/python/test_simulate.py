"""The simulated shop: repeatable, shaped as promised, and its planted truths can be found again."""

from __future__ import annotations

import argparse
import filecmp
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

from martlet.cli import main
from martlet.simulate import ShopConfig, simulate_shop
from martlet.simulate.cli import add_arguments

SEEDS = Path(__file__).parents[2] / "seeds" / "sample"
# What stg_sample__* reads: the raw tables' columns, in order.
COLUMNS = {
    "customers": "customer_id, email, created_at, country, city, accepts_marketing, channel,"
    " campaign, is_test, updated_at",
    "products": "product_id, title, description, category, subcategory, brand, list_price,"
    " unit_cost, currency, created_at, status",
    "orders": "order_id, customer_id, email, created_at, status, currency, exchange_rate,"
    " subtotal, discount, shipping, tax, total, coupon_code, channel, cookie_id, ip, device_id,"
    " billing_country, shipping_country, cancelled_at, tags, updated_at",
    "order_lines": "line_id, order_id, product_id, quantity, unit_price, discount, updated_at",
    "refunds": "refund_id, order_id, line_id, product_id, quantity, amount, currency, created_at,"
    " reason",
    "payments": "payment_id, order_id, created_at, method, status, amount, currency,"
    " card_fingerprint, chargeback_at",
    "events": "event_id, cookie_id, user_id, event_time, received_time, event, url, referrer,"
    " product_id, quantity, value, currency, order_id, search_term, utm_source, utm_medium,"
    " utm_campaign, device, os, browser, country, ip, user_agent, load_id",
    "page_requests": "request_id, time, ip, cookie_id, method, path, query, status, bytes,"
    " referrer, user_agent, duration_ms, load_id",
    "emails_sent": "message_id, customer_id, sent_at, campaign, subject, variant",
    "email_events": "event_id, message_id, type, time, url",
    "support_messages": "message_id, customer_id, order_id, created_at, channel, body, intent",
    "stock": "product_id, counted_at, on_hand",
    "competitor_prices": "product_id, competitor, seen_at, price, currency, in_stock",
    "experiment_exposures": "experiment, variant, cookie_id, customer_id, exposed_at",
}
KEYS = {
    "customers": "customer_id",
    "products": "product_id",
    "orders": "order_id",
    "order_lines": "line_id",
    "refunds": "refund_id",
    "payments": "payment_id",
    "events": "event_id",
    "page_requests": "request_id",
    "emails_sent": "message_id",
    "email_events": "event_id",
    "support_messages": "message_id",
}


class Shop:
    """A simulated shop to ask with SQL: ``{raw}`` tables, ``{truth}`` tables, clean views."""

    def __init__(self, folder: Path, config: ShopConfig) -> None:
        self.folder = folder
        self.config = config
        self.connection = duckdb.connect()
        self.connection.execute("set timezone = 'UTC'")
        for file in folder.rglob("*.parquet"):
            self.connection.execute(f"create view {file.stem} as from '{file}'")
        # The clean rows: the last version of every row that was not broken on purpose.
        for table in ("orders", "order_lines"):
            key = KEYS[table]
            self.connection.execute(f"""
                create table {table} as
                select * from raw_{table}
                where {key} <> '' and {key} not like '%X%'
                qualify row_number() over (
                    partition by {key} order by {moment("updated_at")} desc
                ) = 1
            """)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Answer a query."""
        return self.connection.execute(query).fetchall()

    def one(self, query: str) -> Any:
        """Answer a query for one value."""
        return self.rows(query)[0][0]

    def columns(self, query: str) -> dict[str, Any]:
        """Answer a query as NumPy columns."""
        return self.connection.execute(query).fetchnumpy()


def moment(column: str) -> str:
    """Return SQL for a raw text time."""
    return f"try_cast(replace({column}, ' UTC', 'Z') as timestamptz)"


def simulated(folder: Path, customers: int, **settings: Any) -> Shop:
    config = ShopConfig(customers=customers, **settings)
    simulate_shop(config, folder, with_truth=True)
    return Shop(folder, config)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return simulated(tmp_path_factory.mktemp("shop"), 2000)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return simulated(tmp_path_factory.mktemp("large"), 20000, seed=7, clickstream_share=0.5)


# --- form ------------------------------------------------------------------------------------


def test_every_table_has_its_columns_all_text(shop: Shop) -> None:
    for table, columns in COLUMNS.items():
        schema = pq.read_schema(shop.folder / f"raw_{table}.parquet")
        assert schema.names == columns.split(", "), table
        assert {str(kind) for kind in schema.types} == {"string"}, table


def test_seeds_are_what_the_command_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["simulate", "--format", "csv", "--max-file-mb", "3.5", "--output", str(tmp_path)])
        == 0
    )
    assert "rows/s" in capsys.readouterr().out
    written = sorted(file.name for file in tmp_path.iterdir())
    assert written == sorted(file.name for file in SEEDS.glob("raw_*.csv"))
    # Another processor may round a logarithm in the last bit, and so here and there a cent.
    for name in written:
        seed = set((SEEDS / name).read_text().splitlines())
        again = set((tmp_path / name).read_text().splitlines())
        assert len(seed ^ again) <= 0.002 * len(seed), name


def test_seeds_are_small_and_described() -> None:
    files = list(SEEDS.glob("raw_*.csv"))
    assert sum(file.stat().st_size for file in SEEDS.iterdir()) <= 10_000_000
    assert max(file.stat().st_size for file in files) <= 3_500_000
    for file in files:
        (seed,) = yaml.safe_load(file.with_suffix(".yml").read_text())["seeds"]
        table = file.stem.removeprefix("raw_").rstrip("_0123456789")
        assert seed["name"] == file.stem
        assert seed["description"].startswith("One row per ")
        assert [column["name"] for column in seed["columns"]] == COLUMNS[table].split(", ")
        assert all(column["description"] for column in seed["columns"])
        kinds = seed["config"]["column_types"]
        assert list(kinds) == COLUMNS[table].split(", ")
        assert set(kinds.values()) == {"string"}


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_same_settings_same_bytes(tmp_path: Path, file_format: str) -> None:
    config = ShopConfig(customers=250, chunk_customers=100)
    for run in ("first", "second"):
        simulate_shop(config, tmp_path / run, file_format, with_truth=True)
    names = [str(f.relative_to(tmp_path / "first")) for f in (tmp_path / "first").rglob("*.*")]
    equal, *_ = filecmp.cmpfiles(tmp_path / "first", tmp_path / "second", names, shallow=False)
    assert sorted(equal) == sorted(names)
    simulate_shop(
        ShopConfig(customers=250, chunk_customers=100, seed=1), tmp_path / "third", file_format
    )
    assert not filecmp.cmp(
        tmp_path / f"first/raw_orders.{file_format}",
        tmp_path / f"third/raw_orders.{file_format}",
        shallow=False,
    )


def test_chunks_are_respected_and_do_not_repeat_ids(tmp_path: Path) -> None:
    lines: list[str] = []
    config = ShopConfig(customers=250, chunk_customers=100)
    simulate_shop(config, tmp_path, with_truth=True, progress=lines.append)
    assert [line.split(" customers")[0] for line in lines] == ["100", "200", "250"]
    assert pq.ParquetFile(tmp_path / "raw_orders.parquet").num_row_groups == 3
    shop = Shop(tmp_path, config)
    kinds = "kind in ('buyer', 'registered_only')"
    assert shop.one(f"select count(*) from truth_customers where {kinds}") == 250
    for table, key in (("customers", "customer_id"), ("orders", "order_id")):
        assert shop.one(f"select count(*) - count(distinct {key}) from truth_{table}") == 0
    shared = shop.one("""
        select count(*) from (
            select cookie_id from raw_orders join truth_orders using (order_id)
            where cookie_id <> '' group by all having count(distinct customer_id) > 1
        )
    """)
    assert shared == 0


def test_splitting_keeps_every_line(tmp_path: Path) -> None:
    config = ShopConfig(customers=200)
    simulate_shop(config, tmp_path / "whole", "csv")
    simulate_shop(config, tmp_path / "parts", "csv", max_file_bytes=300_000)
    whole = (tmp_path / "whole/raw_events.csv").read_bytes().splitlines()
    parts = sorted((tmp_path / "parts").glob("raw_events_*.csv"))
    assert len(parts) > 1
    assert all(part.stat().st_size <= 300_000 for part in parts)
    lines = [part.read_bytes().splitlines() for part in parts]
    assert {part[0] for part in lines} == {whole[0]}
    assert [line for part in lines for line in part[1:]] == whole[1:]
    # A later run without splitting leaves no old parts behind.
    simulate_shop(config, tmp_path / "parts", "csv")
    assert not list((tmp_path / "parts").glob("raw_events_*.csv"))


def test_options_default_to_the_settings_defaults() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = vars(parser.parse_args(["--output", "shop"]))
    config = ShopConfig()
    shared = [name for name in options if hasattr(config, name)]
    assert len(shared) == 9
    for name in shared:
        assert str(options[name]) == str(getattr(config, name)), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--customers", "0"], "customers must be at least 1, not 0"),
        (["--end", "2024-01-01"], "the end 2024-01-01 is before the start 2024-07-01"),
        (["--start", "2026-06-01"], "at least 60 days"),
        (["--start", "soon"], "--start must be a date such as 2026-06-30, not 'soon'"),
        (["--seed", "-1"], "seed must not be negative"),
        (["--chunk-customers", "0"], "chunk-customers must be at least 1"),
        (["--clickstream-share", "0"], "clickstream-share must be above 0"),
        (["--clickstream-days", "0"], "clickstream-days must be at least 1"),
        (["--max-file-mb", "3"], "--max-file-mb needs --format csv"),
    ],
)
def test_bad_options_are_one_clear_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", "--output", str(tmp_path / "shop"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "shop").exists()


def test_unwritable_folder_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["simulate", "--output", str(tmp_path / "file" / "shop")]) == 2
    error = capsys.readouterr().err
    assert "cannot write to" in error
    assert error.count("\n") == 1


def test_smallest_shop_has_every_table(tmp_path: Path) -> None:
    config = ShopConfig(customers=1, start=date(2026, 1, 1), end=date(2026, 3, 1))
    simulate_shop(config, tmp_path, "csv", with_truth=True)
    assert {file.stem for file in tmp_path.glob("*.csv")} == {f"raw_{name}" for name in COLUMNS}


# --- mess ------------------------------------------------------------------------------------


def test_planted_defects_are_all_there(shop: Shop) -> None:
    planted = {
        (table.removeprefix("raw_"), defect): count
        for table, defect, count in shop.rows(
            "select table_name, defect, planted_rows from truth_defects"
        )
    }
    assert len(planted) > 40
    assert min(planted.values()) >= 2
    for (table, defect), count in planted.items():
        key = KEYS.get(table, "")
        if defect == "no_key" and key:
            assert shop.one(f"select count(*) from raw_{table} where {key} = ''") == count, table
        if defect == "repeated_row":
            repeats = (
                f"select count(*) - (select count(*) from (select distinct * from raw_{table}))"
            )
            assert shop.one(f"{repeats} from raw_{table}") == count, table
        if defect == "unknown_currency":
            found = shop.one(f"select count(*) from raw_{table} where currency = 'XXX'")
            assert found == count, table
        if defect == "outdated_row":
            versions = f"count(distinct {moment('updated_at')}) - 1"
            found = shop.one(f"""
                select sum(older)::int from (
                    select {versions} as older from raw_{table}
                    where {key} <> '' and {key} not like '%X%' group by {key}
                )
            """)
            assert found == count, table
    # Every table's rows: the clean ones and the planted ones.
    for table, key in KEYS.items():
        extra = sum(n for (name, _), n in planted.items() if name == table)
        clean = shop.one(
            f"select count(distinct {key}) from raw_{table}"
            f" where {key} <> '' and {key} not like '%X%'"
        )
        assert shop.one(f"select count(*) from raw_{table}") == clean + extra, table


def test_times_come_in_several_forms(shop: Shop) -> None:
    forms = shop.rows("""
        select distinct regexp_replace(created_at, '[0-9]', '9', 'g') from orders
    """)
    assert {form for (form,) in forms} == {
        "9999-99-99T99:99:99Z",
        "9999-99-99T99:99:99+99:99",
        "9999-99-99 99:99:99 UTC",
    }


def test_bills_add_up(shop: Shop) -> None:
    wrong = shop.one("""
        select count(*) from orders
        join (
            select order_id,
                round(sum(quantity::double * unit_price::double
                    - coalesce(nullif(discount, ''), '0')::double), 2) as items
            from order_lines group by 1
        ) as lines using (order_id)
        where abs(items - subtotal::double) > 0.005
            or abs(subtotal::double - discount::double + shipping::double + tax::double
                - total::double) > 0.005
    """)
    assert wrong == 0
    assert shop.one("select count(*) from orders") == shop.one("select count(*) from truth_orders")


# --- customers -------------------------------------------------------------------------------


def standard_errors(f: Callable[[Any], float], x: Any, step: float = 1e-4) -> Any:
    """Return standard errors from the curvature of a negative log-likelihood."""
    size = len(x)
    curvature = np.zeros((size, size))
    steps = np.eye(size) * step
    for i in range(size):
        for j in range(size):
            curvature[i, j] = (
                f(x + steps[i] + steps[j])
                - f(x + steps[i] - steps[j])
                - f(x - steps[i] + steps[j])
                + f(x - steps[i] - steps[j])
            ) / (4 * step * step)
    return np.sqrt(np.diag(np.linalg.inv(curvature)))


def fitted(f: Callable[[Any], float], start: list[float]) -> tuple[Any, Any]:
    """Return the best logarithms of the parameters and their standard errors."""
    options = {"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-8}
    found = minimize(f, np.log(start), method="Nelder-Mead", options=options)
    return found.x, standard_errors(f, found.x)


def customer_histories(shop: Shop) -> dict[str, Any]:
    end = (shop.config.end - date(1970, 1, 1)).days + 1
    return shop.columns(f"""
        select count(*) - 1 as repeats, max(day) - min(day) as last, {end} - min(day) as age,
            count(*) as orders, avg(amount) as mean_amount
        from (
            select customer_id, epoch({moment("created_at")}) / 86400.0 as day,
                subtotal::double * exchange_rate::double as amount
            from orders join truth_orders using (order_id) where kind = 'regular'
        ) group by customer_id
    """)


def planted(shop: Shop, *names: str) -> Any:
    values = dict(shop.rows("select name, value from truth_parameters"))
    return np.array([values[name] for name in names])


def test_purchase_process_is_bg_nbd(shop: Shop) -> None:
    found = customer_histories(shop)
    x, last, age = found["repeats"], found["last"], found["age"]

    def negative_log_likelihood(logs: Any) -> float:
        r, alpha, a, b = np.exp(logs)
        common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        active = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
        gone = (
            betaln(a + 1, b + np.maximum(x, 1) - 1) - betaln(a, b) - (r + x) * np.log(alpha + last)
        )
        total = common + np.logaddexp(active, np.where(x > 0, gone, -np.inf))
        return -float(np.sum(total))

    logs, errors = fitted(negative_log_likelihood, [1.0, 100.0, 1.0, 2.0])
    truth = np.log(planted(shop, "bgnbd_r", "bgnbd_alpha", "bgnbd_a", "bgnbd_b"))
    assert len(x) > 1700
    assert np.all(np.abs(logs - truth) < 3 * errors), (np.exp(logs), np.exp(truth))


def test_spend_is_gamma_gamma(shop: Shop) -> None:
    found = customer_histories(shop)
    n, mean = found["orders"], found["mean_amount"]

    def negative_log_likelihood(logs: Any) -> float:
        p, q, gamma = np.exp(logs)
        total = gammaln(p * n + q) - gammaln(p * n) - gammaln(q) + q * np.log(gamma)
        total = total + (p * n - 1) * np.log(mean) + p * n * np.log(n)
        return -float(np.sum(total - (p * n + q) * np.log(n * mean + gamma)))

    logs, errors = fitted(negative_log_likelihood, [3.0, 3.0, 30.0])
    truth = np.log(planted(shop, "spend_p", "spend_q", "spend_gamma"))
    assert np.all(np.abs(logs - truth) < 3 * errors), (np.exp(logs), np.exp(truth))
    ratio = shop.columns(
        "select realised_items_amount / target_items_amount as r from truth_orders"
    )
    assert abs(ratio["r"].mean() - 1) < 0.005
    assert ratio["r"].std() < 0.03


def test_channels_differ_in_loyalty(large: Shop) -> None:
    means = dict(
        large.rows("""
            select channel, avg(purchase_rate_per_day * (1 - dropout_probability))
            from truth_customers where kind = 'buyer' group by 1
        """)
    )
    assert means["email"] > 1.5 * means["paid_social"]


# --- products --------------------------------------------------------------------------------


def category_elasticity(shop: Shop, category: str) -> tuple[float, float]:
    """Estimate by conditional logit which product of a category sells on a day, given prices."""
    cells = shop.connection.execute(f"""
        select product_id, date, ln(price / list_price) as log_price, coalesce(sold, 0) as sold
        from truth_prices join truth_products using (product_id)
        left join (
            select trim(product_id) as product_id, sum(quantity::double) as sold,
                strftime({moment("created_at")}, '%Y-%m-%d') as date
            from order_lines join orders using (order_id) group by all
        ) using (product_id, date)
        where is_available and category = '{category}'
            and product_id not in (select partner_id from truth_pairs)
            and product_id not in (select next_product_id from truth_sequences)
    """).df()
    sold = cells.pivot_table(index="date", columns="product_id", values="sold").to_numpy()
    log_price = cells.pivot_table(index="date", columns="product_id", values="log_price").to_numpy()
    there = ~np.isnan(sold)
    sold, log_price = np.nan_to_num(sold), np.nan_to_num(log_price)
    day_total = sold.sum(axis=1, keepdims=True)

    def objective(x: Any) -> tuple[float, Any]:
        utility = np.where(there, np.append(x[1:], 0.0) + x[0] * log_price, -np.inf)
        top = utility.max(axis=1, keepdims=True)
        weights = np.exp(utility - top)
        sums = weights.sum(axis=1, keepdims=True)
        likelihood = np.sum(sold * (np.where(there, utility, 0.0) - top - np.log(sums)))
        rest = sold - day_total * weights / sums
        slope = np.concatenate([[np.sum(rest * log_price)], rest.sum(axis=0)[:-1]])
        return -float(likelihood), -slope

    found = minimize(objective, np.zeros(sold.shape[1]), jac=True, method="BFGS").x
    steps = np.eye(len(found)) * 1e-4
    curvature = [(objective(found + s)[1] - objective(found - s)[1]) / 2e-4 for s in steps]
    return float(found[0]), float(np.sqrt(np.linalg.inv(np.array(curvature))[0, 0]))


def test_price_elasticity_is_recovered(large: Shop) -> None:
    for category, truth in large.rows(
        "select name, elasticity from truth_categories where elasticity < 0"
    ):
        estimate, error = category_elasticity(large, category)
        # Baskets have a value to reach, so demand reacts a few per cent less than planted.
        assert abs(estimate - truth) < 3 * error + 0.06 * abs(truth), (category, estimate, truth)


def test_lines_are_sold_at_the_price_of_the_day(shop: Shop) -> None:
    worst = shop.one(f"""
        select max(abs(unit_price::double * exchange_rate::double - price))
        from order_lines join orders using (order_id)
        join truth_prices as p on p.product_id = trim(order_lines.product_id)
            and p.date = strftime({moment("created_at")}, '%Y-%m-%d')
    """)
    assert worst < 0.01


def test_planted_pairs_have_lift(large: Shop) -> None:
    found = large.rows("""
        with baskets as (select distinct trim(product_id) as product_id, order_id from order_lines)
        select p.product_id, any_value(p.orders_with_both), count(*),
            any_value(p.orders_with_product * p.orders_with_partner / p.orders)
        from truth_pairs as p
        join baskets as a on a.product_id = p.product_id
        join baskets as b on b.product_id = p.partner_id and b.order_id = a.order_id
        group by 1
    """)
    assert len(found) == 8
    for product, planted_count, counted, by_chance in found:
        assert counted == planted_count, product
        assert counted > 3 * by_chance, product


def test_planted_sequences_follow(large: Shop) -> None:
    for product, probability, following, hits in large.rows("""
        select product_id, follow_probability, orders_followed_by_another,
            of_which_with_next_product from truth_sequences
    """):
        # A follower that does not fit the order's value is left out.
        assert 0.3 * probability < hits / following < 1.3 * probability, product


def test_returns_follow_the_category(large: Shop) -> None:
    rates = large.rows("""
        select p.category, any_value(p.return_rate), count(r.line_id) / count(*), count(*)
        from order_lines as l
        join truth_products as p on p.product_id = trim(l.product_id)
        join truth_orders as o on o.order_id = l.order_id and o.kind = 'regular'
        left join (select distinct line_id from raw_refunds where order_id not like '%X%') as r
            using (line_id)
        group by 1
    """)
    for category, truth, found, lines in rates:
        # A few returns come after the export's end.
        error = np.sqrt(truth * (1 - truth) / lines)
        assert truth * 0.93 - 3 * error < found < truth + 3 * error, category


def test_stock_is_never_sold_below_zero(shop: Shop) -> None:
    assert shop.one("select min(try_cast(on_hand as int)) from raw_stock") == 0
    wrong = shop.one("""
        select count(*) from raw_stock as s
        join truth_prices as p on p.product_id = s.product_id and p.date = s.counted_at[:10]
        where not p.is_available and on_hand not in ('0', 'n/a')
    """)
    assert wrong == 0


# --- traffic ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def visits(large: Shop) -> Shop:
    large.connection.execute(f"""
        create table visits as
        with kept as (
            select *, {moment("event_time")} as seen from raw_events
            where event_id <> '' and event_id not like '%X%' and cookie_id <> ''
                and ip not in (select address from truth_addresses where is_bot)
            qualify row_number() over (partition by event_id order by load_id) = 1
        ),
        starts as (
            select *, coalesce(seen - lag(seen) over w >= interval 30 minutes, true) as is_start
            from kept window w as (partition by cookie_id order by seen)
        )
        select *, sum(is_start::int) over (partition by cookie_id order by seen) as visit
        from starts
    """)
    return large


def test_two_to_four_of_a_hundred_visits_buy(visits: Shop) -> None:
    visits_count, buying = visits.rows("""
        select count(*), sum(bought::int) from (
            select bool_or(lower(event) = 'purchase') as bought from visits
            group by cookie_id, visit
        )
    """)[0]
    assert 0.02 < buying / visits_count < 0.04


def test_orders_agree_with_their_purchase_events(visits: Shop) -> None:
    purchases, agreeing = visits.rows(f"""
        select count(*), sum((
            v.cookie_id = o.cookie_id and v.ip = o.ip
            and abs(epoch(v.seen) - epoch({moment("o.created_at")})) < 2
            and (v.user_id = o.customer_id or o.customer_id = '')
        )::int)
        from visits as v join orders as o using (order_id) where lower(v.event) = 'purchase'
    """)[0]
    assert purchases > 500
    assert agreeing == purchases


def test_most_tracked_orders_have_a_visit(visits: Shop) -> None:
    begin = visits.config.day(visits.config.days - visits.config.clickstream_days + 1)
    orders = visits.one(f"""
        select count(*) from orders join truth_orders using (order_id)
        where {moment("created_at")} >= timestamptz '{begin}' and kind = 'regular'
    """)
    seen = visits.one("""
        select count(distinct order_id) from raw_events join truth_orders using (order_id)
        where kind = 'regular'
    """)
    share = visits.config.clickstream_share
    assert 0.88 * share < seen / orders < 0.98 * share


def test_people_sign_in_part_way_and_use_several_devices(visits: Shop) -> None:
    part_way = visits.one("""
        select count(*) from (
            select cookie_id, visit from visits group by all
            having bool_or(user_id = '') and bool_or(user_id <> '')
        )
    """)
    cookies = visits.one("""
        select avg(cookies) from (
            select count(distinct cookie_id) as cookies from visits where user_id <> ''
            group by user_id having count(distinct visit) > 1
        )
    """)
    assert part_way > 500
    assert cookies > 1.1


def test_events_arrive_late_and_again(visits: Shop) -> None:
    late = visits.columns(
        f"select epoch({moment('received_time')}) - epoch(seen) as s from visits"
    )["s"]
    assert late.min() > 0
    days = ((late > 3600) & (late < 3.1 * 86400)).mean()
    weeks = (late > 13 * 86400).mean()
    assert 0.005 < days < 0.03
    assert 0.0003 < weeks < 0.004
    assert visits.one("select count(*) from visits where load_id <> received_time[:10]") == 0
    replays = visits.one("""
        select count(*) from (
            select event_id from raw_events where event_id <> '' group by 1
            having count(distinct load_id) > 1
        )
    """)
    assert replays == visits.one(
        "select sum(planted_rows)::int from truth_defects where defect = 'replayed_row'"
    )


def test_false_crawlers_come_from_elsewhere(large: Shop) -> None:
    kinds = large.rows("""
        select t.kind,
            bool_and(ip like '66.249.%' and split_part(ip, '.', 3)::int between 64 and 95)
        from raw_page_requests join truth_addresses as t on t.address = ip
        where user_agent like '%Googlebot%' group by 1
    """)
    assert dict(kinds) == {"googlebot": True, "fake_googlebot": False}


def test_shared_addresses_carry_many_people(large: Shop) -> None:
    people = dict(large.rows("select kind, avg(people) from truth_addresses group by 1"))
    assert people["mobile_carrier"] > 20
    assert people["office"] > 3
    assert people["home_ipv6"] == 1.0
    hosts = large.one("""
        select max(n) from (
            select count(distinct ip) as n from raw_events where ip like '2001:db8:%'
            group by regexp_replace(ip, '::.*', '')
        )
    """)
    assert hosts > 3


def test_fraud_shares_devices_and_is_charged_back_later(large: Shop) -> None:
    people, devices = large.rows("""
        select count(distinct customer_id), count(distinct device_id)
        from orders join truth_orders using (order_id)
        join truth_customers as c using (customer_id) where c.fraud_burst >= 0
    """)[0]
    assert people > 2.5 * devices
    low, high = large.rows(f"""
        select min(d), max(d) from (
            select epoch({moment("chargeback_at")} - {moment("created_at")}) / 86400 as d
            from raw_payments where chargeback_at <> '' and payment_id not like '%X%'
        )
    """)[0]
    assert 10 <= low < 20
    assert 60 < high <= 80
    share = large.one("select avg(is_fraud::int) from truth_orders")
    assert 0.005 < share < 0.02


# --- marketing -------------------------------------------------------------------------------


def ratio_within_error(shop: Shop, experiment: str, rows: str, lift: float) -> None:
    """Check that treated / control conversion is 1 + lift within three standard errors."""
    counts = {
        variant: (converted, total)
        for variant, converted, total in shop.rows(f"""
            select lower(variant), sum(converted::int), count(*) from ({rows}) group by 1
        """)
    }
    (treated, treated_total), (control, control_total) = counts["treatment"], counts["control"]
    log_ratio = np.log(treated / treated_total) - np.log(control / control_total)
    error = np.sqrt(1 / treated - 1 / treated_total + 1 / control - 1 / control_total)
    assert abs(log_ratio - np.log1p(lift)) < 3 * error, (experiment, np.expm1(log_ratio))
    # Half the units each.
    assert abs(treated_total - control_total) < 4 * np.sqrt(treated_total + control_total)


def test_visitor_experiments_have_their_effect(visits: Shop) -> None:
    for experiment, _, lift, elsewhere, first, days in visits.rows(
        "select * from truth_experiments where unit = 'visitor'"
    ):
        for device, effect in (("device = 'mobile'", lift), ("device <> 'mobile'", elsewhere)):
            rows = f"""
                select any_value(x.variant) as variant, bool_or(
                    lower(v.event) = 'purchase'
                    and v.seen < timestamptz '{first}' + interval {days} days
                ) as converted
                from (
                    select distinct cookie_id, lower(variant) as variant
                    from raw_experiment_exposures where experiment = '{experiment}'
                ) as x
                join visits as v on v.cookie_id = x.cookie_id and {device}
                    and v.seen >= timestamptz '{first}'
                group by x.cookie_id
            """
            ratio_within_error(visits, experiment, rows, effect)


def test_customer_experiment_has_its_effect(large: Shop) -> None:
    rows = f"""
        select any_value(variant) as variant, bool_or(coalesce(
            kind = 'regular' and {moment("created_at")} > {moment("exposed_at")}
            and {moment("created_at")} < {moment("exposed_at")} + interval 59 days, false
        )) as converted
        from (
            select distinct customer_id, lower(variant) as variant, exposed_at
            from raw_experiment_exposures where experiment = 'winback_voucher'
        )
        left join (select * from orders join truth_orders using (order_id)) using (customer_id)
        group by customer_id
    """
    (lift,) = planted_lift(large, "winback_voucher")
    ratio_within_error(large, "winback_voucher", rows, lift)


def planted_lift(shop: Shop, experiment: str) -> tuple[float, ...]:
    return shop.rows(
        f"select relative_lift_in_segment from truth_experiments where experiment = '{experiment}'"
    )[0]


OPENS = f"""
    select m.message_id, m.variant, trim(m.subject) as subject, c.best_email_hour as best,
        (hour({moment("sent_at")}) + case c.country when 'GB' then 0 when 'US' then -5 else 1 end
            + 24) % 24 as hour,
        bool_or(coalesce(lower(type) = 'open'
            and epoch({moment("time")}) - epoch({moment("sent_at")}) > 20, false)) as opened
    from (select distinct * from raw_emails_sent where message_id not like '%X%') as m
    join truth_customers as c using (customer_id)
    left join raw_email_events as e on e.message_id = m.message_id
    group by all
"""


def test_readers_open_more_at_their_best_hour(large: Shop) -> None:
    found = dict(
        large.rows(f"""
            select case when apart <= 1 then 'near' when apart >= 7 then 'far' end as place,
                avg(opened::int)
            from (
                select opened, least(abs(hour - best), 24 - abs(hour - best)) as apart
                from ({OPENS}) where variant = 'A'
            ) group by 1
        """)
    )
    base, amplitude = planted(large, "email_open_base", "email_hour_amplitude")
    assert abs(found["far"] - base) < 0.015
    near = base * (1 + amplitude * np.array([1.0, np.exp(-0.125)]))
    assert near.min() - 0.02 < found["near"] < near.max() + 0.01


def test_subjects_have_their_effect(large: Shop) -> None:
    opens = {
        subject: (opened, total)
        for subject, opened, total in large.rows(
            f"select subject, sum(opened::int), count(*) from ({OPENS}) group by 1"
        )
    }
    for first, second, odds_ratio in large.rows("select * from truth_subjects"):
        (a, n), (b, m) = opens[first], opens[second]
        log_ratio = np.log(b / (m - b)) - np.log(a / (n - a))
        error = np.sqrt(1 / a + 1 / (n - a) + 1 / b + 1 / (m - b))
        # Readers differ, which draws the pooled odds ratio a little towards one.
        assert abs(log_ratio - np.log(odds_ratio)) < 3 * error + 0.05 * abs(np.log(odds_ratio))


def test_support_labels_are_the_truth_or_empty(shop: Shop) -> None:
    wrong, empty, total = shop.rows("""
        select sum((m.intent not in ('', t.intent))::int), sum((m.intent = '')::int), count(*)
        from (select distinct * from raw_support_messages) as m
        join truth_support_messages as t using (message_id)
    """)[0]
    assert wrong == 0
    assert 0.05 < empty / total < 0.25
    assert shop.one("select count(distinct body) / count(*) from raw_support_messages") > 0.7
