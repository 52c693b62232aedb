"""The semantic layer: MetricFlow accepts it and answers what SQL on the marts answers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from environments import python_with
from support import PROJECT, run_dbt

WANTED = {
    "revenue", "orders", "average_order_value", "conversion", "retention", "churn_rate",
    "lifetime_value", "return_rate", "stock_out_days",
}  # fmt: skip

#: The columns that metrics read, in marts of random rows.
MARTS = """
select setseed(0.42);
create schema marts;
create table marts.dim_dates as
select day::date as calendar_date
from range(date '2025-01-01', date '2026-01-01', interval 1 day) t(day);
create table marts.dim_customers as
select 'c' || i as customer_id, ['new', 'loyal', 'lost'][1 + i % 3] as rfm_segment,
    ['DE', 'FR'][1 + i % 2] as country_code, 'mail' as acquisition_channel,
    date '2025-01-01' as cohort_month
from range(50) t(i);
create table marts.dim_products as
select 'p' || i as product_id, ['shoes', 'hats', 'bags'][1 + i % 3] as category, 'b' as brand,
    timestamp '2025-12-31 08:00:00' as stock_counted_at, random() * 20 as out_of_stock_days,
    100.0::double as stock_known_days
from range(20) t(i);
create table marts.fct_orders as
select 'o' || i as order_id, case when i % 7 > 0 then 'c' || (i * 31) % 50 end as customer_id,
    date '2025-01-01' + (random() * 360)::int as order_date, 'new' as customer_type,
    'completed' as order_status, i % 10 > 0 as is_revenue_order,
    (case when i % 10 > 0 then hash(i) % 10000 / 100 else 0 end)::decimal(18, 4)
        as gross_revenue_amount,
    gross_revenue_amount / 2 as net_revenue_amount, gross_revenue_amount / 2 as returned_amount,
    gross_revenue_amount / 4 as margin_amount
from range(600) t(i);
create table marts.fct_order_items as
select order_id || '-1' as order_item_id, order_id, 'p' || (random() * 19)::int as product_id,
    customer_id, order_date, is_revenue_order, 2::bigint as quantity,
    (random() < 0.3)::bigint as returned_quantity
from marts.fct_orders;
create table marts.fct_sessions as
select 's' || i as session_id, 'c' || i % 50 as customer_id,
    date '2025-06-01' + (random() * 200)::int as session_date,
    ['direct', 'email'][1 + i % 2] as channel_group, 'mobile' as device_category,
    (random() < 0.1)::bigint as order_count, i % 9 = 0 as is_bot, i % 11 = 0 as is_quarantined
from range(2000) t(i);
create table marts.fct_customer_lifetime_value as
select 'c' || i as customer_id, day::date as as_of_date,
    100::decimal(18, 4) * i as net_revenue_amount,
    50::decimal(18, 4) as expected_spend_365_days_amount, 60 + i as tenure_days,
    (random() * 500)::int as days_since_last_order
from range(50) t(i), range(date '2025-10-01', date '2026-01-01', interval 1 month) d(day);
create table marts.fct_customer_churn as
select customer_id, date '2025-12-31' as as_of_date, random() as churn_probability,
    ['low', 'high'][1 + (random() < 0.5)::int] as risk_band
from marts.dim_customers;
"""

#: Words of `mf query`, and the same in SQL.
QUERIES: dict[str, tuple[list[str], str]] = {
    "trade by segment and month": (
        ["--metrics", "revenue,orders,average_order_value", "--group-by",
         "customer__rfm_segment,metric_time__month"],
        """
        select rfm_segment, date_trunc('month', order_date) as month, sum(gross_revenue_amount),
            count(*) filter (where is_revenue_order),
            sum(gross_revenue_amount) / nullif(count(*) filter (where is_revenue_order), 0)
        from marts.fct_orders left join marts.dim_customers using (customer_id) group by all
        """,
    ),
    "conversion by channel": (
        ["--metrics", "conversion", "--group-by", "session__channel_group"],
        """
        select channel_group, avg((order_count > 0)::int) from marts.fct_sessions
        where not is_bot and not is_quarantined group by all
        """,
    ),
    "customers, on the newest day": (
        ["--metrics", "retention,churn_rate,lifetime_value"],
        """
        select avg(stayed), 1 - avg(stayed), value from (
            select (days_since_last_order <= 90)::int as stayed,
                (select avg(net_revenue_amount) from marts.fct_customer_lifetime_value
                 where as_of_date = '2025-12-01') as value
            from marts.fct_customer_lifetime_value
            where as_of_date = '2025-12-01' and tenure_days >= 90 and days_since_last_order <= 365
        ) group by value
        """,
    ),
    "returns and stock by category": (
        ["--metrics", "return_rate,stock_out_days", "--group-by", "product__category"],
        """
        select category, rate, days from (
            select category, sum(returned_quantity) / sum(quantity) as rate
            from marts.fct_order_items join marts.dim_products using (product_id)
            where is_revenue_order group by all
        ) join (
            select category, sum(out_of_stock_days) as days from marts.dim_products group by all
        ) using (category)
        """,
    ),
    "expected churn": (
        ["--metrics", "expected_churn_rate", "--group-by", "churn_forecast__risk_band"],
        "select risk_band, avg(churn_probability) from marts.fct_customer_churn group by all",
    ),
}  # fmt: skip

#: Starts MetricFlow once for all commands: an import of it takes three seconds.
METRICFLOW = """
import json, sys
from click.testing import CliRunner
from dbt_metricflow.cli.main import cli
answers = []
for words in json.loads(sys.stdin.read()):
    done = CliRunner().invoke(cli, words)
    answers.append([done.exit_code, done.output])
open(sys.argv[1], 'w').write(json.dumps(answers))
"""


def test_the_metrics_a_shop_asks_for_are_there() -> None:
    document = yaml.safe_load((PROJECT / "models/exports/_metrics.yml").read_text())
    assert {metric["name"] for metric in document["metrics"]} >= WANTED
    assert all(metric["description"].strip() for metric in document["metrics"])


def test_dbt_refuses_keys_of_metrics_that_it_does_not_know() -> None:
    from dbt.contracts.graph.unparsed import UnparsedMetric
    from dbt_common.dataclass_schema import ValidationError

    metric = {"name": "x", "label": "x", "type": "simple", "type_params": {"measure": "y"}}
    UnparsedMetric.validate(metric)
    for misspelt in ({"filters": "z"}, {"descripton": "z"}):
        with pytest.raises(ValidationError, match="Additional properties"):
            UnparsedMetric.validate(metric | misspelt)


@pytest.fixture(scope="module")
def answers(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[Path, dict[str, Any]]:
    """The database, and what MetricFlow said to each command."""
    python = python_with(
        request.config,
        "metricflow",
        "dbt-metricflow==0.15.0",
        "dbt-core==1.11.16",
        "dbt-duckdb==1.11.1",
        f"duckdb=={duckdb.__version__}",
    )
    folder = tmp_path_factory.mktemp("metrics")
    database = folder / "shop.duckdb"
    # MetricFlow looks for the project and for target/ in the folder it runs in.
    for entry in ("dbt_project.yml", "models", "python_models", "macros", "seeds", "tests"):
        (folder / entry).symlink_to(PROJECT / entry)
    run_dbt("parse", database=database, target=folder / "target")
    with duckdb.connect(str(database)) as con:
        con.execute(MARTS)
    commands = {"validate": ["validate-configs", "--show-all"]}
    for name, (words, _) in QUERIES.items():
        commands[name] = ["query", *words, "--csv", str(folder / f"{name}.csv")]
    saved = ["query", "--saved-query", "monthly_trade", "--csv", str(folder / "saved.csv")]
    done = subprocess.run(
        [str(python), "-c", METRICFLOW, str(folder / "answers.json")],
        input=json.dumps([*commands.values(), saved]),
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ
        | {"DBT_PROFILES_DIR": str(PROJECT / "profiles"), "MARTLET_DATABASE": str(database)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads((folder / "answers.json").read_text())
    said[0][1] = done.stdout  # where the validation writes, past click
    return database, dict(zip([*commands, "saved"], said, strict=True))


def test_metricflow_finds_nothing_wrong(answers: tuple[Path, dict[str, Any]]) -> None:
    code, said = answers[1]["validate"]
    assert code == 0, said
    assert said.count("(ERRORS: 0, FUTURE_ERRORS: 0, WARNINGS: 0)") == 6, said


def read_csv(path: Path) -> list[tuple[Any, ...]]:
    return duckdb.execute(f"from read_csv('{path}', header = true)").fetchall()


@pytest.mark.parametrize("name", QUERIES)
def test_a_metric_is_what_sql_on_the_marts_says(
    name: str, answers: tuple[Path, dict[str, Any]]
) -> None:
    database, said = answers
    assert said[name][0] == 0, said[name][1]
    header = duckdb.execute(f"describe from '{database.parent / f'{name}.csv'}'").fetchall()
    words = QUERIES[name][0]
    groups = words[3].split(",") if "--group-by" in words else []
    # MetricFlow orders the columns as it likes.
    order = [[column for column, *_ in header].index(n) for n in (*groups, *words[1].split(","))]
    given = sorted(
        (tuple(row[place] for place in order) for row in read_csv(database.parent / f"{name}.csv")),
        key=str,
    )
    with duckdb.connect(str(database), read_only=True) as con:
        expected = sorted(con.execute(QUERIES[name][1]).fetchall(), key=str)
    assert len(given) == len(expected) > 0
    for mine, theirs in zip(expected, given, strict=True):
        for left, right in zip(mine, theirs, strict=True):
            if isinstance(right, float):
                assert float(left) == pytest.approx(right, rel=1e-9)
            else:
                assert str(left)[:10] == str(right)[:10]


def test_the_saved_query_answers(answers: tuple[Path, dict[str, Any]]) -> None:
    database, said = answers
    assert said["saved"][0] == 0, said["saved"][1]
    assert len(read_csv(database.parent / "saved.csv")) == 12
