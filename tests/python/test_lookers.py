"""Lookers: reading addresses, point-in-time features, the list against planted truth, exports."""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from martlet import lookers_cli
from martlet.errors import MartletError
from martlet.estimators.lookers import fit_automation, fit_order_rate
from martlet.simulate.lookers import make_looker_traffic
from support import PROJECT, beside, query, run_dbt

MODELS = (
    "int_as_of_dates__spine", "path:models/intermediate/traffic",
    "path:models/features/ip_addresses", "path:models/ml/lookers",
    "path:python_models/ml/lookers", "fct_looker_candidates", "fct_looker_backtest",
    "dim_ip_addresses", "exp_lookers__approved_networks", "exp_lookers__review",
)  # fmt: skip
#: Odd spellings and what they are.
ODD = {
    "::ffff:45.99.0.1": "45.99.0.1", "::FFFF:2d63:0001": "45.99.0.1",
    "[2a02:8100::5]:443": "2a02:8100::/64", "fe80::1%eth0": "fe80::/64",
    "45.99.0.1:8080": "45.99.0.1",
    "2001:DB8:0:0:1::1": "2001:db8::/64", "2001:0db8:00ff:1::": "2001:db8:ff:1::/64", "::": "::/64",
    "64:ff9b::192.0.2.1": "64:ff9b::/64", "1:2:3:4:5:6:7:8": "1:2:3:4::/64",
    "1::2::3": None, ":::": None, "1:2:3:4:5:6:7": None, "1:2:3:4:5:6:7:8:9": None, "12345::": None,
    "256.1.1.1": None, "1.2.3": None, "01.2.3.4": None, "1.2.3.4, 5.6.7.8": None, "unknown": None,
    "": None, "-": None, "x" * 10_000: None, "::ffff:300.1.1.1": None, "g::1": None,
}  # fmt: skip


def load(con: duckdb.DuckDBPyConnection, folder: Path, until: str = "2026-08-01") -> None:
    """Write the shop layer: the made traffic before a day, and odd rows beside it."""
    con.execute("create schema shop")
    odd = ", ".join(f"($${text}$$)" for text in ODD)
    con.execute(
        f"""create table shop.shop_page_requests as
        select 'q' as request_id, requested_at, ip_address, user_agent, visitor_id,
            'GET' as http_method, request_path, status_code, referrer
        from '{folder}/page_requests.parquet' where requested_at < '{until}'
        union all select 'o', timestamp '2026-06-03 10:00', ip, repeat('Mozilla ', 1300), null,
            'GET', '/', 200, null from (values {odd}) as t(ip)"""
    )
    con.execute(
        f"""create table shop.shop_events as
        select 'e' as event_id, visitor_id, null::varchar as customer_id, event_at,
            event_at as received_at, event_name, page_referrer, ip_address, user_agent,
            null::varchar as order_id, 1::bigint as ingest_number
        from '{folder}/events.parquet' where event_at < '{until}'
        union all select 'skew', null, null, timestamp '2026-06-20 10:00',
            timestamp '2026-06-10 10:00', 'page_view', null, '45.98.0.1', null, null, 1"""
    )
    con.execute(
        f"""create table shop.shop_orders as
        select 'o' || row_number() over (order by ordered_at, visitor_id, ip_address) as order_id,
            null::varchar as customer_id, ordered_at, visitor_id, ip_address,
            total_amount::decimal(18, 4) as total_amount, false as is_test, false as is_cancelled,
            null::timestamp as cancelled_at
        from '{folder}/orders.parquet' where ordered_at < '{until}'"""
    )
    con.execute(
        "create table shop.shop_returns as select null::timestamp as returned_at where false"
    )


def build(folder: Path, database: Path, as_of_date: str = "") -> None:
    shared: dict[str, Any] = {"database": database, "target": database.parent / "target"}
    run_dbt("seed", "--full-refresh", "--select", "path:seeds/reference", **shared)
    settings = {"martlet_as_of_date": as_of_date}
    run_dbt("run", "--full-refresh", "--select", *MODELS, vars=settings, **shared)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Two warehouses of the same traffic: whole, and as it was on the first of July."""
    folder = tmp_path_factory.mktemp("lookers")
    make_looker_traffic(folder, seed=5, scale=0.03)
    databases = []
    for name, until in (("whole", "2026-08-01"), ("before", "2026-06-30 22:00")):
        database = beside(folder / "martlet.duckdb", name)
        with duckdb.connect(str(database)) as con:
            load(con, folder, until)
        build(folder, database, "2026-07-01" if name == "before" else "2026-08-01")
        databases.append(database)
    return folder, databases[0], databases[1]


def test_addresses_are_read_as_the_standard_library_reads_them(
    built: tuple[Path, Path, Path],
) -> None:
    _, database, _ = built
    found = dict(
        query(database, "select ip_address, network_key from intermediate.int_ip_addresses__listed")
    )
    assert {text: found[text] for text in ODD} == ODD
    for text, key in found.items():
        if text in ODD or key is None:
            continue
        address = ipaddress.ip_address(text)
        expected = str(address)
        if address.version == 6:
            expected = str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
        assert key == expected


def test_nothing_is_lost_and_the_scrapers_are_met(built: tuple[Path, Path, Path]) -> None:
    folder, database, _ = built
    listed = query(
        database,
        f"""select sum(hits) filter (acted and role = 'scraper')
                / sum(hits) filter (role = 'scraper'),
            count(*) filter (acted and role <> 'scraper'), count(*) filter (acted and is_shared)
        from (select t.*, p.action in ('rate_limit', 'challenge', 'block') as acted,
                a.hit_count as hits
            from '{folder}/truth_addresses.parquet' t
            join (select distinct address_id, network_key
                from intermediate.int_ip_addresses__listed) k on k.network_key = t.address
            join ml.ml_lookers__predictions p using (address_id)
            join features.ftr_ip_addresses__activity a using (address_id, as_of_date)
            where as_of_date = '2026-07-01')""",
    )[0]
    assert listed[0] >= 0.95
    assert listed[1:] == (0, 0)
    rows = query(
        database,
        "select rule_name, orders_lost_count, verified_crawlers_hit_count, "
        "shared_addresses_hit_count from marts.fct_looker_backtest where as_of_date = '2026-07-01'",
    )
    lost = {row[0]: row[1:] for row in rows}
    assert lost["looker_model"] == (0, 0, 0)
    # The trap everybody falls into: nobody has bought yet, so nobody ever will.
    assert lost["no_order_and_100_hits"][0] > 0
    assert lost["no_order_and_100_hits"][1] > 0


def test_the_list_is_empty_when_evidence_is_thin(built: tuple[Path, Path, Path]) -> None:
    _, database, _ = built
    # On the first of June there are thirty days; a window of days before it knows nothing.
    thin = query(
        database,
        "select count(*) from ml.ml_lookers__predictions p "
        "join features.ftr_ip_addresses__activity a using (address_id, as_of_date) "
        "where p.action in ('rate_limit', 'challenge', 'block') "
        "and (a.active_day_count < 3 or a.hit_count < 30)",
    )
    assert thin == [(0,)]


def test_a_server_log_without_orders_is_watched(built: tuple[Path, Path, Path]) -> None:
    folder, _, _ = built
    database = beside(folder / "martlet.duckdb", "log")
    with duckdb.connect(str(database)) as con:
        load(con, folder, "2026-06-30 22:00")
        con.execute("delete from shop.shop_events; delete from shop.shop_orders")
    build(folder, database)
    actions = dict(
        query(database, "select action, count(*) from marts.fct_looker_candidates group by 1")
    )
    assert set(actions) == {"monitor"}
    assert query(
        database,
        "select distinct as_of_date, order_rate_upper, expected_order_count, net_value_amount "
        "from marts.fct_looker_candidates",
    ) == [(date(2026, 7, 1), None, None, 0)]
    # What is watched for want of orders are the scrapers and programs, not the people.
    found = query(
        database,
        f"""select count(*) filter (t.role = 'scraper'), count(*) filter (t.role = 'person')
        from '{folder}/truth_addresses.parquet' t
        join (select distinct address_id, network_key
            from intermediate.int_ip_addresses__listed) k on k.network_key = t.address
        join marts.fct_looker_candidates c using (address_id)
        where c.guard = 'no_orders_known'""",
    )[0]
    assert found[0] >= 40
    assert found[1] == 0


def test_later_rows_change_no_earlier_feature(built: tuple[Path, Path, Path]) -> None:
    _, whole, before = built
    with duckdb.connect() as con:
        con.execute(f"attach '{whole}' as whole (read_only)")
        con.execute(f"attach '{before}' as before (read_only)")
        for name in ("activity", "orders", "neighbourhood", "signs"):
            columns = [
                row[0]
                for row in con.execute(
                    f"describe before.features.ftr_ip_addresses__{name}"
                ).fetchall()
                if row[0] != "is_current"
            ]
            shown = ", ".join(
                f"round({column}::double, 6) as {column}"
                if column.endswith(("_share", "_seconds", "_deviation", "_sign"))
                else column
                for column in columns
            )
            one, other = (
                f"(select {shown} from {place}.features.ftr_ip_addresses__{name} "
                "where as_of_date = '2026-07-01')"
                for place in ("before", "whole")
            )
            assert con.execute(f"select count(*) from {one}").fetchall()[0][0] > 500
            for first, second in ((one, other), (other, one)):
                assert con.execute(f"from {first} except all from {second}").fetchall() == []


def test_odd_rows_are_kept_apart(built: tuple[Path, Path, Path]) -> None:
    _, database, _ = built
    kinds = dict(
        query(
            database,
            "select coalesce(network_key, 'none'), any_value(address_kind) "
            "from intermediate.int_ip_addresses__listed group by 1",
        )
    )
    assert kinds["none"] == "malformed"
    assert kinds["fe80::/64"] == kinds["::/64"] == "private"
    assert kinds["64:ff9b::/64"] == "carrier"
    # A clock ten days ahead: the event counts on the day it arrived.
    skewed = query(
        database,
        "select activity_date from intermediate.int_ip_addresses__activity_by_day a "
        "join intermediate.int_ip_addresses__listed l using (address_id) "
        "where l.ip_address = '45.98.0.1'",
    )
    assert skewed == [(date(2026, 6, 10),)]
    assert query(
        database,
        "select count(*) from intermediate.int_user_agents__classified where is_cut",
    ) == [(1,)]


def test_no_address_is_in_a_mart(built: tuple[Path, Path, Path]) -> None:
    _, database, _ = built
    for table in ("dim_ip_addresses", "fct_looker_candidates"):
        rows = query(database, f"select * exclude (network_prefix) from marts.{table}")
        assert rows
        keys = {
            key for (key,) in query(
                database, "select network_key from intermediate.int_ip_addresses__listed"
            ) if key
        }  # fmt: skip
        assert not keys & {str(value) for row in rows for value in row}


def test_nothing_is_exported_without_approval(built: tuple[Path, Path, Path]) -> None:
    folder, database, _ = built
    options = argparse.Namespace(
        action="export", format="nginx", output=folder / "list.conf", database=database,
        project_dir=None, target=None,
    )  # fmt: skip
    lookers_cli.run(options, PROJECT, datetime(2026, 8, 2))
    assert "# rows: 0\n" in options.output.read_text()
    # Approve everything in a copy: what is held back stays out, what is approved as less is less.
    copy = folder / "copy.duckdb"
    copy.write_bytes(database.read_bytes())
    with duckdb.connect(str(copy)) as con:
        con.execute(
            "update marts.fct_looker_candidates set approved_action = 'challenge', "
            "approved_by = 'Ada', approved_at = '2026-08-01'"
        )
        wanted = con.execute(
            "select count(*) from marts.fct_looker_candidates where not is_held_back "
            "and action in ('rate_limit', 'challenge', 'block')"
        ).fetchall()[0][0]
    options.database = copy
    lookers_cli.run(options, PROJECT, datetime(2026, 8, 2))
    head, _, body = options.output.read_text().partition("geo ")
    assert f"# rows: {wanted}\n" in head
    assert hashlib.sha256(("geo " + body).encode()).hexdigest() in head
    assert "block" not in body
    assert "challenge; # until 2026-08-15" in body
    # Two weeks later every entry has run out.
    lookers_cli.run(options, PROJECT, datetime(2026, 8, 16))
    assert "# rows: 0\n" in options.output.read_text()


@pytest.mark.parametrize("kind", lookers_cli.FORMATS)
def test_each_format_says_where_it_comes_from(kind: str) -> None:
    row = ("2a02:8100::/64", "block", "no order", "Ada", date(2026, 8, 15), date(2026, 8, 1), 3)
    text = lookers_cli.render_list(kind, [row], datetime(2026, 8, 2))
    body = "".join(line for line in text.splitlines(True) if not line.startswith("# "))
    assert "2a02:8100::/64" in body
    assert hashlib.sha256(body.encode()).hexdigest() in text
    for part in ("generated_at: 2026-08-02T00:00:00Z", "expires_on: 2026-08-15", "rows: 1"):
        assert f"# {part}\n" in text


def test_an_unknown_candidate_cannot_be_shown(built: tuple[Path, Path, Path]) -> None:
    _, database, _ = built
    options = argparse.Namespace(
        action="show", address_id="f" * 64, database=database, project_dir=None, target=None
    )
    with pytest.raises(MartletError, match="not among the candidates"):
        lookers_cli.run(options, PROJECT)


def test_the_conversion_rate_is_found_again() -> None:
    rng = np.random.default_rng(3)
    visits = rng.integers(1, 60, 40_000).astype(float)
    orders = rng.binomial(visits.astype(int), rng.beta(0.6, 20.0, len(visits))).astype(float)
    found = fit_order_rate(visits, orders)
    assert found.alpha == pytest.approx(0.6, rel=0.1)
    assert found.beta == pytest.approx(20.0, rel=0.1)


def test_without_rows_the_prior_holds_and_no_weight_turns_round() -> None:
    intercept, weights = fit_automation(np.zeros((0, 14)), np.zeros(0))
    assert intercept == pytest.approx(-4.0, abs=1e-6)
    assert weights[0] == pytest.approx(1.5, abs=1e-6)
    # Data that speak against every sign make weights 0, never negative.
    signs = np.repeat(np.eye(14), 50, axis=0)
    _, weights = fit_automation(signs, np.repeat([0.0] * 12 + [1.0] * 2, 50))
    assert (weights[:12] >= 0).all()
    assert (weights[12:] <= 0).all()
