"""Measure churn on Online Retail: the project's own features and candidates, next to scikit-learn.

``python benchmarks/churn.py`` builds the project's features from the public file (connector
online_retail), trains on the cut-offs 2011-03-01 and 2011-06-01, tests at 2011-09-01 (no order in
90 days, customers with an order in the year before) and prints every candidate; then the same with
every monthly cut-off up to 2011-06-01. The peers, plain scikit-learn on the same features, run in
the same process. Last, the days to the next order: a steady rate against the shape of the purchase
process, both with the champion's probability of no order in 90 days; and whether customer states
help: the first comparison again with a purchase next month by a hidden Markov model among the
features, fitted for each cut-off on the months before it.

With ``--windows`` it prints instead, at three cut-offs, whether models of shorter windows help:
they can learn from months too late for 90 days.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import yaml

from martlet.churn.calibration import log_odds, probability
from martlet.churn.candidates import shape_loss
from martlet.churn.measures import measure
from martlet.fit import ModelSpec, fit_model
from martlet.states.poisson_hmm import filtered, fit_hmm, group_sequences

PROJECT = Path(__file__).resolve().parents[1]
FILE = PROJECT.parent / "shared/data/online_retail/online_retail.parquet"
MODEL = PROJECT / "python_models/ml/churn/ml_churn__fit.yml"
PROTOCOLS = {
    "two cut-offs": "as_of_date in (date '2011-03-01', date '2011-06-01')",
    "every month": "as_of_date <= date '2011-06-01'",
}
SHOWN = ("roc_auc", "pr_auc", "log_loss", "brier_score", "calibration_error", "lift_at_10_percent",
         "accuracy", "f1_score")  # fmt: skip


def build(folder: Path, data: str) -> Path:
    """Build the training set with dbt and return the database."""
    database = folder / "churn.duckdb"
    settings = {
        "martlet_connector": "online_retail",
        "martlet_currency": "GBP",
        "martlet_time_zone": "Europe/London",
        "martlet_raw_path": data,
        "martlet_churn_horizon_days": 90,
    }
    subprocess.run(
        [str(Path(sys.executable).with_name("dbt")), "build", "--select", "+ml_churn__training_set",
         "+int_customers__monthly_purchases", "--exclude-resource-types", "test", "unit_test",
         "--vars", json.dumps(settings), "--profiles-dir", "profiles",
         "--target-path", str(folder / "target")],
        cwd=PROJECT, check=True, stdout=subprocess.DEVNULL,
        env={**os.environ, "MARTLET_DATABASE": str(database), "MARTLET_HASH_KEY": "benchmark"},
    )  # fmt: skip
    return database


def read_config() -> dict[str, Any]:
    """Return the model's own ml_config, its settings at their defaults."""
    defaults = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
    text = re.sub(
        r"""\{\{ var\('(\w+)'\) \}\}""", lambda found: str(defaults[found[1]]), MODEL.read_text()
    )
    found: dict[str, Any] = yaml.safe_load(text)["models"][0]["config"]["meta"]["ml_config"]
    return found


def peers(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Fit plain scikit-learn models on the same rows and features."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    frame = con.query("select * exclude (customer_id, horizon_days) from rows").df()
    test = frame["is_test"].to_numpy(dtype=bool)
    target = frame["is_churned"].to_numpy(dtype=float)
    matrix = frame.drop(columns=["is_test", "is_churned"]).select_dtypes("number")
    matrix = matrix.loc[:, matrix[~test].nunique() > 1].to_numpy(dtype=float)
    models = {
        "scikit-learn logistic": make_pipeline(
            SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=2000)
        ),
        "scikit-learn forest": make_pipeline(
            SimpleImputer(), RandomForestClassifier(400, min_samples_leaf=5, random_state=0)
        ),
        "scikit-learn boosting": HistGradientBoostingClassifier(random_state=0),
    }
    found = {
        name: measure(
            target[test], model.fit(matrix[~test], target[~test]).predict_proba(matrix[test])[:, 1]
        )
        for name, model in models.items()
    }
    few = np.log1p(frame[["recency_days", "order_count", "spend_amount"]].to_numpy(dtype=float))
    line = make_pipeline(StandardScaler(), LogisticRegression()).fit(few[~test], target[~test])
    found["scikit-learn logistic, RFM only"] = measure(
        target[test], line.predict_proba(few[test])[:, 1]
    )
    return found


def compare_windows(con: duckdb.DuckDBPyConnection) -> None:
    """Print logistic regressions of 90 days beside the mean of those of 30, 60 and 90."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    frame = con.query(
        """
        select features.*, (
            select min(o.order_date - features.as_of_date)
            from built.intermediate.int_orders__enriched as o
            where o.customer_id = features.customer_id and o.is_revenue_order
                and o.order_date >= features.as_of_date
        ) as days_to_order
        from built.features.ftr_customers__churn as features where recency_days <= 365
        """
    ).df()
    waited = frame.pop("days_to_order").fillna(1e9).to_numpy()
    date = frame["as_of_date"].to_numpy(dtype="datetime64[D]")
    numbers = frame.select_dtypes("number").dropna(axis=1, how="all").to_numpy(dtype=float)
    print("judged at    ROC AUC, log loss with the level right: 90 days; mean of 30, 60 and 90")
    for day in np.array(["2011-05-01", "2011-06-01", "2011-09-01"], dtype="datetime64[D]"):
        target, odds = (waited[date == day] >= 90).astype(float), []
        for days in (90, 60, 30):
            known = date + np.timedelta64(days, "D") <= day
            model = make_pipeline(
                FunctionTransformer(lambda x: np.sign(x) * np.log1p(np.abs(x))),
                SimpleImputer(), StandardScaler(), LogisticRegression(C=0.01, max_iter=2000),
            )  # fmt: skip
            model.fit(numbers[known], waited[known] >= days)
            found = log_odds(model.predict_proba(numbers[date == day])[:, 1])
            odds.append(found - found.mean())
        said, spread = [], odds[0].std()
        for one in (odds[0], np.mean([item / item.std() for item in odds], axis=0) * spread):
            values = probability(one)
            said.append(
                f"{measure(target, values)['roc_auc']:.4f} {shape_loss(target, values):.4f}"
            )
        print(f"{day}  ", ";  ".join(said))


def main() -> None:
    """Build, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=str(FILE))
    parser.add_argument("--database", help="built before with the same settings")
    parser.add_argument("--windows", action="store_true")
    arguments = parser.parse_args()
    config = read_config()
    with tempfile.TemporaryDirectory() as folder:
        database = arguments.database or build(Path(folder), arguments.data)
        con = duckdb.connect(config={"threads": 2})
        con.execute(f"attach '{database}' as built (read_only)")
        if arguments.windows:
            compare_windows(con)
            return
        for title, training in PROTOCOLS.items():
            con.execute(
                "create or replace table rows as select * from built.ml.ml_churn__training_set "
                f"where is_test or {training}"
            )
            name = compare(con, title, config)
            if title == "two cut-offs":
                compare_times(con, name)
                compare_states(con, name, config)


def compare(con: duckdb.DuckDBPyConnection, title: str, config: dict[str, Any]) -> str:
    """Fit on the table `rows` and print every candidate and peer; return the model's name."""
    model = f"churn_{len(title)}"
    started = time.process_time()
    fit_model(con, ModelSpec(model, "select * from rows", config))
    print(f"{title}: fit of all candidates {time.process_time() - started:.1f} CPU s")
    listed = ", ".join(SHOWN)
    found = con.execute(
        f"select candidate || case when is_champion then ' *' else '' end, {listed} "
        f"from {model}__comparison where role = 'test' order by simplicity_rank"
    ).fetchall()
    print(f"{'test at 2011-09-01 (* champion)':34s}", *(f"{key[:9]:>9s}" for key in SHOWN))
    others = [(name, *(m[key] for key in SHOWN)) for name, m in peers(con).items()]
    for name, *figures in [*found, *others]:
        shown = (f"{np.nan if value is None else value:9.4f}" for value in figures)
        print(f"{name:34s}", *shown)
    return model


def compare_times(con: duckdb.DuckDBPyConnection, model: str) -> None:
    """Print how well the days to the next order are told, on the rows of the test cut-off."""
    con.execute("create or replace table tested as from rows where is_test")
    found = con.execute(
        f"""
        with orders as (
            select tested.customer_id, min(o.order_date - tested.as_of_date) + 1 as day
            from tested inner join built.intermediate.int_orders__enriched as o
                on o.customer_id = tested.customer_id and o.order_date >= tested.as_of_date
                and o.is_revenue_order
            group by 1)
        select p.predicted_is_churned_probs[1].prob as p, l.alive_probability as alive,
            1 - l.no_order_90_days_probability as ordered,
            f.r + h.repeat_purchase_count as shape, f.alpha + h.age_days as scale,
            coalesce(orders.day, 1e9) as day
        from {model}_predict('tested') as p
        inner join built.ml.ml_lifetime_value__predictions as l using (customer_id, as_of_date)
        inner join built.ml.ml_lifetime_value__training_set as h using (customer_id, as_of_date)
        inner join built.ml.ml_lifetime_value__fit__fits as f
            on f.is_chosen and f.as_of_date = l.fitted_as_of_date
        left join orders using (customer_id) order by customer_id
        """
    ).fetchnumpy()
    p, alive, ordered, shape, scale, day = (np.asarray(found[key], float) for key in found)
    days = np.arange(101.0)  # watched until 2011-12-09
    hazard = shape[:, None] * np.log1p(days / scale[:, None])
    within = ordered / alive
    share = np.minimum((1 - p) / within, 1)[:, None]
    speed = np.where(1 - p > within, np.log(p) / np.log1p(-within), 1)[:, None]
    forms = {
        "steady rate": p[:, None] ** (days / 90),
        "purchase process": 1 - share * -np.expm1(-speed * hazard),
    }
    came = day <= days[-1]
    print(f"days to the next order: {came.sum()} of {len(day)} returned in {days[-1]:.0f} days")
    for name, left in forms.items():
        middle = (left[:, 1:] + left[:, :-1]) / 2
        last = left[:, -1]
        mean = (middle - last[:, None]).sum(axis=1) / (1 - last)
        week = ((np.minimum(day, 100) - 1) // 7 * 7).astype(int)
        place = np.arange(len(day))
        in_week = left[place, week] - left[place, np.minimum(week + 7, 100)]
        score = np.log(np.where(came, np.maximum(in_week, 1e-9), last)).mean()
        later = day[None, :] > day[came][:, None]
        waits = middle.sum(axis=1)
        order = np.sign(waits[None, :] - waits[came][:, None])
        ranked = ((1 + order) / 2)[later].mean()
        error = (mean - day)[came]
        print(f"  {name:17s} log score {score:.4f}  concordance {ranked:.4f}  returned: "
              f"MAE {np.abs(error).mean():.2f} days, bias {error.mean():+.2f}")  # fmt: skip


def compare_states(con: duckdb.DuckDBPyConnection, model: str, config: dict[str, Any]) -> None:
    """Print every candidate without and with customer states among the features."""
    con.execute("create or replace table states (customer_id varchar, as_of_date date, p double)")
    dates = con.execute("select distinct as_of_date from rows order by 1").fetchall()
    for (date,) in dates:
        found = con.execute(
            """select customer_id, purchase_day_count from
            built.intermediate.int_customers__monthly_purchases
            where month_start < date_trunc('month', ?::date) order by customer_id, month_start""",
            [date],
        ).fetchnumpy()
        names, counts = (np.asarray(found[key]) for key in ("customer_id", "purchase_day_count"))
        customers, first, number = np.unique(names, return_index=True, return_inverse=True)
        fitted = fit_hmm(group_sequences(number, counts), 3, np.random.default_rng(0))
        buys = fitted.transitions @ -np.expm1(-fitted.rates)
        for customer, months in zip(customers, np.split(counts, first[1:]), strict=True):
            value = float(filtered(fitted, months)[-1] @ buys)
            con.execute("insert into states values (?, ?, ?)", [customer, date, value])
    other = f"{model}_states"
    query = (
        "select rows.*, states.p as next_purchase_probability from rows "
        "left join states using (customer_id, as_of_date)"
    )
    fit_model(con, ModelSpec(other, query, config))
    print("with customer states: change of ROC AUC and log loss")
    for role, candidate, area, loss in con.execute(
        f"""select role, candidate, b.roc_auc - a.roc_auc, b.log_loss - a.log_loss
        from {model}__comparison as a inner join {other}__comparison as b using (role, candidate)
        where candidate not in ('prior', 'recency_rule', 'no_purchase_probability')
        order by role, a.simplicity_rank"""
    ).fetchall():
        print(f"  {role:10s}{candidate:24s}{area:+9.4f}{loss:+9.4f}")


if __name__ == "__main__":
    main()
