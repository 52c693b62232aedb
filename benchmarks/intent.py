"""Purchase intent: two public data sets, and policies of stepping in where the effect is planted.

1. Online Shoppers (Sakar et al. 2019; 12,330 sessions). Five stratified folds at random, as it is
   published (XGBoost AUC 0.937, average precision 0.754), and February to October against November
   and December. PageValues is made from transactions: the trap is shown by leaving it out.
2. Clickstream of retentioneering-tools (synthetic, 3,605 sessions, 13 % buy): after the k-th event,
   what came until then only, sessions that had bought left out, users on one side. By users at
   random, and by time.
3. Simulated visits with a planted response: the fitted policy against fixed and random moments, by
   uplift over a held-back group that nobody steps in for.

    python benchmarks/intent.py --data FOLDER [--part shoppers|events|policy]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedKFold

from martlet.churn.measures import calibration_error
from martlet.fit import ModelSpec, fit_model
from martlet.simulate.interventions import (
    MOST_STEPS,
    Observed,
    Visits,
    draw_moments,
    draw_visits,
    outcome_of,
)

TREES: dict[str, Any] = {
    "model_type": "boosted_tree_classifier", "max_iterations": 150, "learn_rate": 0.05,
    "max_leaf_nodes": 15, "max_tree_depth": 50, "min_tree_child_weight": 40, "l2_reg": 1.0,
    "early_stop": False,
}  # fmt: skip
#: Fits whose mean is one model: each draws a third of the columns at each split, with a seed of its
#: own. Trees of few rows differ by chance; their mean differs less.
FITS, DRAWN = 5, {"colsample_bynode": 0.33}
LOGISTIC: dict[str, Any] = {
    "model_type": "logistic_reg", "l2_reg": 1.0, "max_iterations": 300, "min_rel_progress": 1e-5,
}  # fmt: skip


def fitted(con: Any, table: str, train: Any, test: Any, label: str, config: Any) -> Any:
    """Fit on the rows with the numbers in `train`, return the probabilities of those in `test`."""
    con.execute(
        "create or replace temp table train_rows as select unnest(?) as row_number",
        [train.tolist()],
    )
    con.execute(
        "create or replace temp table test_rows as select unnest(?) as row_number", [test.tolist()]
    )
    con.execute("drop schema if exists bench cascade; create schema bench")
    con.execute(
        "create or replace temp table judged as "
        f"from {table} semi join test_rows using (row_number)"
    )
    rows = f"select * exclude (row_number) from {table} semi join train_rows using (row_number)"
    settings = {"input_label_cols": [label], "data_split_method": "no_split", **config}
    fit_model(con, ModelSpec("m", rows, settings, schema="bench"))
    found = con.execute(
        f"""select list_filter(predicted_{label}_probs, lambda p: p.label::varchar = 'true')[1].prob
        as p from bench.m_predict('judged') order by row_number"""
    ).fetchnumpy()["p"]
    return np.asarray(found, dtype=float)


def bagged(con: Any, table: str, train: Any, test: Any, label: str, config: Any) -> Any:
    """Return the mean probability of several fits that draw columns."""
    found = [
        fitted(con, table, train, test, label, config | DRAWN | {"seed": seed})
        for seed in range(FITS)
    ]
    return np.mean(found, axis=0)


def logged(con: Any, table: str, label: str) -> list[str]:
    """Return a transform that takes logarithms of the numbers."""
    kinds = con.execute(f"describe select * exclude (row_number) from {table}").fetchall()
    return [
        f"ln(1 + greatest({name}, 0)) as {name}" if kind in ("DOUBLE", "BIGINT") else name
        for name, kind, *_ in kinds
    ]


def best_threshold(target: Any, score: Any) -> float:
    """Return the threshold with the highest F1."""
    grid = np.quantile(score, np.linspace(0.5, 0.99, 99))
    return float(grid[np.argmax([f1_score(target, score >= edge) for edge in grid])])


def line(title: str, target: Any, score: Any, extra: str = "") -> None:
    """Print area under the curve, average precision and calibration error."""
    print(
        f"{title:58s} AUC {roc_auc_score(target, score):.4f}  "
        f"AP {average_precision_score(target, score):.4f}  "
        f"ECE {calibration_error(target.astype(float), score):.4f}{extra}"
    )


def shoppers(folder: Path) -> None:
    """Print the comparison on Online Shoppers."""
    con = duckdb.connect(config={"threads": 1})
    file = folder / "online_shoppers_intention" / "online_shoppers_intention.parquet"
    con.execute(
        f"""create table shoppers as
        select (row_number() over ())::bigint as row_number,
            columns(lambda c: c not in ('Revenue', 'Month', 'OperatingSystems', 'Browser', 'Region',
                'TrafficType', 'Weekend')),
            Month, OperatingSystems::varchar as OperatingSystems, Browser::varchar as Browser,
            Region::varchar as Region, TrafficType::varchar as TrafficType,
            Weekend::boolean as Weekend, Revenue::boolean as Revenue
        from '{file}'"""
    )
    con.execute("create table no_values as select * exclude (PageValues) from shoppers")
    con.execute("create table no_month as select * exclude (Month) from shoppers")
    con.execute("create table no_both as select * exclude (Month, PageValues) from shoppers")
    rows = con.execute("select Revenue, PageValues > 0, Month from shoppers order by row_number")
    target, rule, month = (np.asarray(x) for x in rows.fetchnumpy().values())
    target, rule = target.astype(bool), rule.astype(bool)
    everyone = np.arange(1, len(target) + 1)
    print("\nOnline Shoppers, five random folds (published: XGBoost AUC 0.937, AP 0.754)")
    print(
        f"one rule, PageValues > 0: F1 {f1_score(target, rule):.4f}, "
        f"AUC {roc_auc_score(target, rule):.4f}"
    )
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(everyone, target))
    for table, name in (("shoppers", "with PageValues (made from transactions: the trap)"),
                        ("no_values", "without PageValues")):  # fmt: skip
        figures = []
        for train, test in folds:
            score = fitted(con, table, everyone[train], everyone[test], "Revenue", TREES)
            inner = np.empty(len(train))
            split = StratifiedKFold(3, shuffle=True, random_state=0)
            for a, b in split.split(train, target[train]):
                inner[b] = fitted(
                    con, table, everyone[train[a]], everyone[train[b]], "Revenue", TREES
                )
            edge = best_threshold(target[train], inner)
            figures.append((
                roc_auc_score(target[test], score), average_precision_score(target[test], score),
                f1_score(target[test], score >= edge),
                calibration_error(target[test].astype(float), score),
            ))  # fmt: skip
        auc, precise, f1, ece = np.mean(figures, axis=0)
        print(f"trees, {name:52s} AUC {auc:.4f}  AP {precise:.4f}  F1 {f1:.4f}  ECE {ece:.4f}")
    later = np.isin(month, ["Nov", "Dec"])
    train, test = everyone[~later], everyone[later]
    print(f"by time: February to October teach, November and December judge ({len(test):,})")
    line("one rule, PageValues > 0", target[later], rule[later].astype(float))
    for table, name in (("no_month", "with PageValues"), ("no_both", "without PageValues")):
        line(f"trees, {name}", target[later], fitted(con, table, train, test, "Revenue", TREES))
        config = LOGISTIC | {"transform": logged(con, table, "Revenue")}
        line(f"logistic, {name}", target[later], fitted(con, table, train, test, "Revenue", config))


#: After the k-th event: everything up to it, and of the user what earlier sessions were.
PREFIX = """
create or replace table prefix as
with events as (
    select *, row_number() over s as k,
        first_value(timestamp) over s as started,
        max(event = 'purchase') over (s rows between unbounded preceding and current row) as bought,
        {counts},
        lag(timestamp) over s as before
    from source window s as (partition by session_id order by timestamp, event)
),
sessions as (
    select session_id, any_value(user_id) as user_id, min(timestamp) as started,
        bool_or(event = 'purchase') as buys from source group by session_id
),
history as (
    select session_id, buys, count(*) over h as earlier,
        coalesce(sum(buys::int) over h, 0) as earlier_bought,
        epoch(started) - epoch(max(started) over h) as since
    from sessions
    window h as (
        partition by user_id order by started rows between unbounded preceding and 1 preceding
    )
)
select row_number() over (order by e.started, e.session_id)::bigint as row_number, e.session_id,
    e.user_id::varchar as user_id, e.started::date as day, h.buys as will_buy,
    e.event as last_event,
    (epoch(e.timestamp) - epoch(e.started))::double as seconds,
    coalesce(epoch(e.timestamp) - epoch(e.before), 0)::double as gap,
    e.platform, e.acquisition_channel, e.user_cohort::varchar as user_cohort,
    e.user_lifecycle::varchar as user_lifecycle,
    hour(e.timestamp)::varchar as hour, dayofweek(e.timestamp)::varchar as weekday,
    h.earlier::double as earlier, h.earlier_bought::double as earlier_bought,
    h.since::double as since,
    {names}
from events as e inner join history as h using (session_id)
where e.k = {k} and not e.bought
"""


#: Columns with a level an hour and a day: a few thousand sessions may not carry them.
CLOCK = ("hour", "weekday")


def without_clock(con: Any, rows: Any, user: Any, target: Any, shown: list[str], keys: Any) -> bool:
    """Say, from the rows that teach alone, whether the time of day helps: two folds of users."""
    areas = []
    for left_out in ((), CLOCK):
        columns = [name for name in shown if name not in left_out]
        config = LOGISTIC | {"l2_reg": 20.0, "entity_cols": keys, "transform": columns + keys}
        score = np.empty(len(rows))
        for train, test in GroupKFold(2).split(rows, groups=user):
            score[test] = fitted(con, "prefix", rows[train], rows[test], "will_buy", config)
        areas.append(roc_auc_score(target, score))
    return bool(areas[1] > areas[0])


def events(folder: Path, moments: tuple[int, ...] = (1, 2, 3, 5, 8, 12)) -> None:
    """Print the comparison after the k-th event."""
    con = duckdb.connect(config={"threads": 1})
    file = folder / "retentioneering_ecom_synthetic" / "events.parquet"
    con.execute(
        f"create table source as select * replace (timestamp::timestamp as timestamp) from '{file}'"
    )
    kinds = [
        row[0] for row in con.execute("select distinct event from source order by 1").fetchall()
    ]
    kinds = [kind for kind in kinds if kind != "purchase"]
    window = "over (s rows between unbounded preceding and current row)"
    counts = ", ".join(
        f"(count_if(event = '{kind}') {window})::double as n{i}" for i, kind in enumerate(kinds)
    )
    names = ", ".join(f"e.n{i}" for i in range(len(kinds)))
    carts = " or ".join(f"n{i} > 0" for i, kind in enumerate(kinds) if "cart" in kind) or "false"
    print(
        "\nRetentioneering clickstream: AUC of a later purchase after the k-th event "
        "(to reach at k = 1, 3, 5, 8: .626 .731 .808 .856)"
    )
    print(
        "k     rows  by users at random: rule  logistic  trees  blend (ECE)   "
        "by time: rule  logistic  trees  blend"
    )
    keys = ["session_id", "user_id", "day"]
    trees = TREES | {
        "entity_cols": keys,
        "max_iterations": 80,
        "max_leaf_nodes": 8,
        "min_tree_child_weight": 20,
        "l2_reg": 5.0,
    }
    for k in moments:
        con.execute(PREFIX.format(counts=counts, names=names, file=file, k=k))
        found = con.execute(
            f"select will_buy, user_id, day, ({carts})::double as rule from prefix "
            "order by row_number"
        ).fetchnumpy()  # fmt: skip
        target, user, rule = found["will_buy"].astype(bool), found["user_id"], found["rule"]
        everyone = np.arange(1, len(target) + 1)
        shown = [c for c in logged(con, "prefix", "will_buy") if c not in keys]

        def both(train: Any, test: Any) -> dict[str, Any]:
            """Fit both on some rows, without the clock where it does not help there."""
            rows = everyone[train]  # noqa: B023
            spare = without_clock(con, rows, user[train], target[train], shown, keys)  # noqa: B023
            columns = [name for name in shown if not spare or name not in CLOCK]  # noqa: B023
            clock = list(CLOCK) if spare else []
            models = {
                "logistic": LOGISTIC
                | {"l2_reg": 20.0, "entity_cols": keys, "transform": columns + keys},
                "trees": trees | {"entity_cols": keys + clock},
            }
            fit = {"logistic": fitted, "trees": bagged}
            return {
                name: fit[name](con, "prefix", rows, everyone[test], "will_buy", config)  # noqa: B023
                for name, config in models.items()
            }

        scores = {name: np.empty(len(target)) for name in ("logistic", "trees")}
        for train, test in GroupKFold(5).split(everyone, groups=user):
            for name, values in both(train, test).items():
                scores[name][test] = values
        blend = (scores["logistic"] + scores["trees"]) / 2
        areas = [
            roc_auc_score(target, one) for one in (rule, scores["logistic"], scores["trees"], blend)
        ]
        error = calibration_error(target.astype(float), blend)
        # Later sessions of users who taught nothing: a third of the users judges.
        cut = np.quantile(found["day"].astype("datetime64[D]").astype(int), 0.6)
        late = found["day"].astype("datetime64[D]").astype(int) > cut
        third = np.array([hash_of(one) % 2 == 0 for one in user])
        train, test = np.flatnonzero(~late & ~third), np.flatnonzero(late & third)
        timed = both(train, test)
        mean = (timed["logistic"] + timed["trees"]) / 2
        by_time = [
            roc_auc_score(target[test], one)
            for one in (rule[test], timed["logistic"], timed["trees"], mean)
        ]
        print(
            f"{k:<3d} {len(target):6,d}  {'':21s}" + "  ".join(f"{area:.3f}" for area in areas)
            + f" ({error:.3f})  {'':13s}" + "  ".join(f"{area:.3f}" for area in by_time)
        )  # fmt: skip


def hash_of(value: str) -> int:
    """Return the same number for the same text everywhere."""
    import hashlib

    return int(hashlib.md5(str(value).encode()).hexdigest()[:8], 16)


#: What an order earns, and what stepping in costs, in the simulator.
MARGIN, OFFER, CONTACT = 0.3, 2.5, 0.1


def snapshots(con: Any, visits: Visits, seed: int, tried: bool) -> None:
    """Write moments of visits, and what became of them, into `moments`.

    With `tried`, chance picks a moment of each visit and then steps in or not.
    """
    import pyarrow as pa

    chance = 0.5 if tried else 0.0
    con.register("given", pa.table(draw_moments(visits, seed, chance, chance)))
    con.execute(
        f"""create or replace table moments as select visit::varchar as session_id,
        visit::varchar as visitor_id, event_count as moment,
        date '2026-01-01' + (visit * 100 // {len(visits)})::int as as_of_date,
        event_count::double as event_count, has_cart, cart_step, seconds_since_start,
        last_gap_seconds, 0.0 as seconds_since_last_event, will_buy, will_leave,
        case when will_buy then amount end as order_amount,
        case when not isnan(treated) then treated > 0 end as is_treated,
        nullif(propensity, 'nan'::double) as propensity,
        visit >= 0.75 * {len(visits)} as is_evaluation from given"""
    )


def learned_policy(con: Any, model: str) -> Callable[[Observed], Any]:
    """Return the fitted policy: the stored function asked after every step."""
    import pyarrow as pa

    def act(now: Observed) -> Any:
        given = pa.table({
            "place": np.arange(len(now.cart)),
            "event_count": np.full(len(now.cart), float(now.step)),
            "has_cart": now.cart, "cart_step": now.cart_step, "seconds_since_start": now.seconds,
            "last_gap_seconds": now.gap, "seconds_since_last_event": np.zeros(len(now.cart)),
        })  # fmt: skip
        con.register("asked", given)
        found = con.execute(
            f"select decision = 'intervene' as act from {model}_predict('asked') order by place"
        )
        return found.fetchnumpy()["act"].astype(bool)

    return act


def policy(seeds: int = 3, count: int = 40_000) -> None:
    """Print what policies earn a visit over the held-back group."""
    print(f"\nSimulated visits with a planted response; {count:,} visits a group, {seeds} seeds")
    print(
        f"margin {MARGIN}, offer {OFFER}, contact {CONTACT}; "
        "gain a visit over a held-back group of its own"
    )
    print(
        "policy                              steps in   gain (95 % interval)          "
        "conversion uplift   same visits"
    )
    gathered: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(1, seeds + 1):
        con = duckdb.connect(config={"threads": 1})
        config = {
            "model_type": "purchase_intent", "as_of_col": "as_of_date",
            "data_split_method": "custom",
            "data_split_col": "is_evaluation", "moment_cols": ["moment"], "buy_rule": "has_cart",
            "leave_rule": "last_gap_seconds >= 60", "odds_ratio": 1.3, "margin_share": MARGIN,
            "offer_cost": OFFER, "contact_cost": CONTACT, "treated_col": "is_treated",
            "propensity_col": "propensity",
        }  # fmt: skip
        spent = time.process_time()
        for model, tried in (("assumed", False), ("learned", True)):
            snapshots(con, draw_visits(30_000, 1000 + seed), seed, tried)
            fit_model(con, ModelSpec(model, "select * from moments", config))
        spent = (time.process_time() - spent) / 2
        random_step = np.random.default_rng(seed).integers(1, 9, count)
        policies: dict[str, Callable[[Observed], Any]] = {
            "fitted, effect learned from a trial": learned_policy(con, "learned"),
            "fitted, one odds ratio assumed": learned_policy(con, "assumed"),
            **{
                f"after event {k}": (lambda now, k=k: np.full(count, now.step == k))
                for k in (1, 2, 3, 5, 8)
            },
            "random moment": lambda now, at=random_step: at == now.step,
            "one rule: as the cart is filled": lambda now: now.cart & (now.cart_step == 0),
        }
        visits, held_back = draw_visits(count, seed), draw_visits(count, 500 + seed)
        nobody = lambda now: np.zeros(count, dtype=bool)  # noqa: E731
        base_bought, _ = outcome_of(held_back, nobody)
        base = MARGIN * held_back.amount * base_bought
        own_bought, _ = outcome_of(visits, nobody)
        own = MARGIN * visits.amount * own_bought
        for name, act in policies.items():
            bought, acted = outcome_of(visits, act)
            gain = bought * (MARGIN * visits.amount - OFFER * (acted > 0)) - CONTACT * (acted > 0)
            error = np.sqrt(gain.var() / count + base.var() / count)
            gathered.setdefault(name, []).append((
                float((acted > 0).mean()), gain.mean() - base.mean(), error,
                bought.mean() - base_bought.mean(), (gain - own).mean(),
            ))  # fmt: skip
    for name, rows in sorted(gathered.items(), key=lambda item: -np.mean([r[4] for r in item[1]])):
        share, gain, _, lift, paired = np.mean(rows, axis=0)
        error = np.sqrt(np.sum([row[2] ** 2 for row in rows])) / len(rows)
        print(
            f"{name:36s} {share:6.1%}   {gain:+.4f} "
            f"({gain - 1.96 * error:+.4f} to {gain + 1.96 * error:+.4f})"
            f"   {lift:+.4f}   {paired:+.4f}"
        )
    print(f"fit of the last seed: {spent:.1f} CPU s; steps of a visit at most {MOST_STEPS}")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--part", choices=("shoppers", "events", "policy"))
    parser.add_argument("--moments", type=int, nargs="*", default=[1, 2, 3, 5, 8, 12])
    options = parser.parse_args()
    if options.data and options.part in (None, "shoppers"):
        shoppers(options.data)
    if options.data and options.part in (None, "events"):
        events(options.data, tuple(options.moments))
    if options.part in (None, "policy"):
        policy()


if __name__ == "__main__":
    main()
