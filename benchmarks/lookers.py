"""Judge the looker list on traffic whose truth is known, and on a real log.

``python benchmarks/lookers.py`` makes traffic of nineteen kinds of address for each seed (about 22
million requests at scale 1), builds the models from the shop layer to the candidates with dbt, and
holds the list of the 60th day against the truth and the 30 days after it, with the rule of thumb
"no order and a hundred requests" beside it. Printed: CPU seconds (user and system, dbt's start
included), peak memory, orders lost, verified crawlers and shared addresses hit, share of the
scrapers' hits that the list would have met.

``--log FILE`` reads the apache log of 10,000 requests (columns ip, ts, method, path, status,
bytes,
referrer, user_agent): the false Googlebots by published networks, and how well behaviour alone
tells robots by their user agent, with a boosted tree under grouped folds by address.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from martlet.simulate.lookers import make_looker_traffic

PROJECT = Path(__file__).resolve().parents[1]
DBT = str(Path(sys.executable).with_name("dbt"))
MODELS = (
    "int_as_of_dates__spine", "path:models/intermediate/traffic",
    "path:models/features/ip_addresses", "path:models/ml/lookers",
    "path:python_models/ml/lookers", "fct_looker_candidates", "fct_looker_backtest",
)  # fmt: skip
#: The shop layer of a shop that has a server log, script events and orders.
SHOP = {
    "page_requests": """select 'q' || row_number() over () as request_id, requested_at, ip_address,
        user_agent, visitor_id, 'GET' as http_method, request_path, null::varchar as query_string,
        status_code, null::bigint as response_bytes, referrer, null::double as duration_ms,
        'b' as batch_id from '{folder}/page_requests.parquet'""",
    "events": """select 'e' || row_number() over () as event_id, visitor_id,
        null::varchar as customer_id, event_at, event_at as received_at, event_name, page_referrer,
        ip_address, user_agent, null::varchar as order_id, 1::bigint as ingest_number
        from '{folder}/events.parquet'""",
    "orders": """select 'o' || row_number() over () as order_id, null::varchar as customer_id,
        ordered_at, visitor_id, ip_address, total_amount::decimal(18, 4) as total_amount,
        false as is_test, false as is_cancelled, null::timestamp as cancelled_at
        from '{folder}/orders.parquet'""",
    "returns": "select null::timestamp as returned_at where false",
}


def load_shop(folder: Path, database: Path) -> None:
    """Write the shop layer of the made traffic into a DuckDB file."""
    with duckdb.connect(str(database), config={"threads": 2, "memory_limit": "3GB"}) as con:
        con.execute("create schema shop")
        for name, query in SHOP.items():
            con.execute(f"create table shop.shop_{name} as {query.format(folder=folder)}")


def run_dbt(database: Path, target: Path, *words: str) -> tuple[float, float]:
    """Run dbt; return CPU seconds and peak memory in GB."""
    environment = os.environ | {"MARTLET_DATABASE": str(database), "MARTLET_MEMORY_LIMIT": "2GB"}
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT / "profiles")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        [DBT, "-q", *words, *folders, "--target-path", str(target)], env=environment
    )
    peak = [0.0]

    def watch() -> None:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None and status.exists():
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM"):
                    peak[0] = max(peak[0], int(line.split()[1]) / 1e6)
            time.sleep(0.2)

    watcher = threading.Thread(target=watch)
    watcher.start()
    if process.wait() != 0:
        raise SystemExit("dbt failed")
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak[0]


def judge(database: Path, folder: Path, as_of_date: str) -> dict[str, Any]:
    """Hold the list of a day against the truth and what came after."""
    con = duckdb.connect(str(database), read_only=True)
    con.execute(
        f"""create temp table judged as
        select t.*, coalesce(o.next_hit_count, 0) as hits, coalesce(o.next_order_count,
        0) as orders,
            p.action in ('rate_limit', 'challenge', 'block') as by_model,
            a.hit_count >= 100 and b.order_at_address_count = 0 as by_thumb
        from '{folder}/truth_addresses.parquet' t
        join (select distinct address_id, network_key from intermediate.int_ip_addresses__listed) k
            on k.network_key = t.address
        join ml.ml_lookers__predictions p using (address_id)
        join features.ftr_ip_addresses__activity a using (address_id, as_of_date)
        join features.ftr_ip_addresses__orders b using (address_id, as_of_date)
        left join ml.ml_lookers__outcomes o using (address_id, as_of_date)
        where as_of_date = '{as_of_date}'"""
    )
    answer: dict[str, Any] = {}
    for rule in ("by_model", "by_thumb"):
        relation = con.query(
            f"""select count(*) filter ({rule}) as listed,
                sum(orders) filter ({rule}) as address_orders_lost,
                count(*) filter ({rule} and role = 'crawler') as crawlers,
                count(*) filter ({rule} and is_shared) as shared,
                count(*) filter ({rule} and role = 'monitor') as monitors,
                count(*) filter ({rule} and role = 'person') as people,
                sum(hits) filter ({rule} and role = 'scraper')
                    / sum(hits) filter (role = 'scraper') as scraper_hits_met,
                sum(hits) filter ({rule}) / sum(hits) as hits_spared
            from judged"""
        )
        answer[rule] = dict(zip(relation.columns, relation.fetchall()[0], strict=True))
    found = con.execute(
        "select rule_name, orders_lost_count, order_count, revenue_lost_amount, churn_share "
        f"from marts.fct_looker_backtest where as_of_date = '{as_of_date}' order by 1"
    ).fetchall()
    answer["backtest"] = [tuple(str(value) for value in row) for row in found]
    con.close()
    return answer


def real_log(path: Path) -> None:
    """Name false Googlebots; measure behaviour against the user agent's own word."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import average_precision_score, roc_auc_score
    from sklearn.model_selection import GroupKFold

    con = duckdb.connect()
    con.execute(f"create table log as select * from '{path}'")
    con.execute(
        f"create table crawlers as from '{PROJECT}/seeds/reference/crawler_user_agents.csv'"
    )
    networks = con.execute(
        f"select network from '{PROJECT}/seeds/reference/crawler_networks.csv' "
        "where crawler_name = 'Googlebot'"
    ).fetchall()
    import ipaddress

    google = [ipaddress.ip_network(network) for (network,) in networks]
    claims = con.execute(
        "select distinct ip from log where user_agent ilike '%googlebot%' order by 1"
    ).fetchall()
    false = [ip for (ip,) in claims if not any(ipaddress.ip_address(ip) in net for net in google)]
    print(f"claim Googlebot: {len(claims)} addresses; outside its networks: {', '.join(false)}")
    con.execute(SESSIONS)
    names = [
        row[0]
        for row in con.execute("describe sessions").fetchall()
        if row[0] not in ("ip", "is_robot", "session_number")
    ]
    data = con.query("select * from sessions order by ip, session_number").fetchnumpy()
    label = np.asarray(data["is_robot"], int)
    groups = np.unique(np.asarray(data["ip"], str), return_inverse=True)[1]
    for title, left_out in (("all", ()), ("without robots.txt and feeds", ("robots", "feed"))):
        used = [name for name in names if not name.startswith(left_out or ("\0",))]
        matrix = np.column_stack(
            [np.ma.filled(np.ma.asarray(data[name], float), np.nan) for name in used]
        )
        areas, precisions = [], []
        for train, test in GroupKFold(5).split(matrix, label, groups):
            model = HistGradientBoostingClassifier(
                learning_rate=0.05, max_iter=200, max_leaf_nodes=15, min_samples_leaf=20,
                l2_regularization=1.0, random_state=0,
            ).fit(matrix[train], label[train])  # fmt: skip
            score = model.predict_proba(matrix[test])[:, 1]
            areas.append(roc_auc_score(label[test], score))
            precisions.append(average_precision_score(label[test], score))
        print(
            f"{title}: {len(label)} sessions, {label.mean():.1%} robots by user agent, "
            f"AUC {np.mean(areas):.4f}, AP {np.mean(precisions):.4f} (5 folds by address)"
        )


#: Behaviour of each session of the log: 30 minutes of silence end it; the agent only labels.
SESSIONS = """
create table sessions as
with agents as (
    select user_agent, bool_or(
        contains(agent, c.pattern) and not contains(agent, coalesce(nullif(c.except_pattern, ''),
        '?!'))
        or not (contains(agent, 'mozilla') or contains(agent, 'opera'))
    ) as is_robot
    from (select distinct user_agent, lower(coalesce(user_agent, '')) as agent from log)
    cross join crawlers c group by 1
),
gaps as (
    select log.*, coalesce(a.is_robot, false) or coalesce(user_agent, '-') in ('',
    '-') as is_robot,
        epoch(ts - lag(ts) over (partition by ip, log.user_agent order by ts)) as gap
    from log left join agents a using (user_agent)
),
numbered as (
    select *, sum(case when gap <= 1800 then 0 else 1 end) over (
        partition by ip, user_agent order by ts rows unbounded preceding) as part,
        regexp_matches(lower(path), '[.](css|js|png|jpe?g|gif|ico|svg|woff)') as is_asset
    from gaps
),
by_session as (
    select ip, user_agent, part, bool_or(is_robot) as is_robot, count(*) as hits,
        avg(is_asset::int) as asset_share, sum(is_asset::int) as assets,
        sum((regexp_matches(path, 'robots[.]txt'))::int) as robots_hits,
        avg((regexp_matches(lower(path), 'feed|rss|atom'))::int) as feed_share,
        avg((regexp_matches(lower(path), 'favicon'))::int) as icon_share,
        avg((coalesce(referrer, '-') not in ('', '-'))::int) as referrer_share,
        max((coalesce(referrer, '-') ilike '%semicomplete%')::int) as own_referrer,
        max((coalesce(referrer, '-') ilike '%google%')::int) as search_referrer,
        avg((method = 'HEAD')::int) as head_share, avg((method = 'POST')::int) as post_share,
        avg((status >= 400)::int) as error_share,
        avg((status between 300 and 303)::int) as moved_share,
        avg((status = 304)::int) as unchanged_share, avg((status = 206)::int) as partial_share,
        avg(coalesce(bytes, 0)) as mean_bytes, max(coalesce(bytes, 0)) as most_bytes,
        avg(length(path)) as path_length, avg(length(path) - length(replace(path, '/',
        ''))) as depth,
        count(distinct path) / count(*) as path_variety, avg(contains(path,
        '?')::int) as query_share,
        avg((path = '/')::int) as home_share, avg(starts_with(path, '/blog')::int) as blog_share,
        avg(ln(greatest(gap, 0.5))) filter (gap <= 1800) as log_gap,
        stddev(ln(greatest(gap, 0.5))) filter (gap <= 1800) as log_gap_deviation,
        epoch(max(ts) - min(ts)) as seconds, avg(hour(ts)) as hour,
        max((regexp_matches(lower(path), '[.](css|js)'))::int) as has_code
    from numbered group by 1, 2, 3
)
select row_number() over (order by ip, user_agent, part) as session_number,
    * exclude (user_agent, part),
    count(*) over (partition by ip) as address_sessions,
    sum(hits) over (partition by ip) as address_hits,
    avg(asset_share) over (partition by ip) as address_asset_share,
    avg(referrer_share) over (partition by ip) as address_referrer_share,
    count(distinct user_agent) over (partition by ip) as address_agents,
    sum(robots_hits) over (partition by ip) as robots_address_hits,
    avg(feed_share) over (partition by ip) as feed_address_share
from by_session
"""


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[7, 11, 23])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--log", type=Path, help="apache log as Parquet: only this is measured")
    options = parser.parse_args()
    if options.log:
        real_log(options.log)
        return
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            rows = make_looker_traffic(folder, seed, options.scale)
            database = folder / "lookers.duckdb"
            load_shop(folder, database)
            run_dbt(
                database,
                folder / "target",
                "seed",
                "--full-refresh",
                "--select",
                "path:seeds/reference",
            )
            cpu, peak = run_dbt(
                database, folder / "target", "run", "--full-refresh", "--select", *MODELS
            )
            print(f"seed {seed}: {rows:,} requests, {cpu:.1f} CPU s, {peak:.2f} GB")
            print(
                json.dumps(judge(database, folder, "2026-07-01"), indent=1, default=float),
                flush=True,
            )


if __name__ == "__main__":
    main()
