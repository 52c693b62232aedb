"""Measure the lifetime-value models on public data and on a million customers.

``python benchmarks/lifetime_value.py --data DIR`` reads ``DIR/cdnow``, ``DIR/clvtools_apparel`` and
``DIR/online_retail`` and prints for each set and family parameters, log-likelihood, status, CPU
seconds of the fit, and errors on the hold-out beside the mean rate carried on. It prints too how
many customers lie in the 90 % intervals of orders and spend, beside the share that the process
expects, and the same with parameters drawn from their estimated distribution (inverse Hessian on
logarithms) instead of taken as known; of the Pareto/NBD those of orders by the stored SQL.

``--scale`` draws a million customers with the parameters of CDNOW and measures summary, fit and
scoring, each round in a process of its own: CPU seconds, medians of three rounds, peak memory. With
``--peer PYTHON`` the same rounds fit with the lifetimes package in another environment, since it
needs an older numpy: ``python -m venv peer``, then
``peer/bin/pip install lifetimes 'numpy<2' 'pandas<2.2'``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from scipy.special import gammaln

from martlet.lifetimes.families import FAMILIES
from martlet.lifetimes.fitting import fit_process
from martlet.lifetimes.spend import expected_order_value, fit_spend
from martlet.lifetimes.statistics import PurchaseStatistics

BOUGHT = (
    "customer_id is not null and quantity > 0 and unit_price > 0 "
    "and not starts_with(invoice_no, 'C')"
)
#: File, customer, day, value, filter, end of calibration, weeks of the hold-out.
SETS = {
    "cdnow sample": (
        "cdnow/cdnow_sample.parquet", "customer_id", "date", "dollar_value", "true",
        "1997-09-30", 39.0,
    ),
    "cdnow full": (
        "cdnow/cdnow_master.parquet", "customer_id", "date", "dollar_value", "true",
        "1997-09-30", 39.0,
    ),
    "apparel": (
        "clvtools_apparel/apparel_transactions.parquet", "id", "date", "price", "true",
        "2006-12-31", 207.14,
    ),
    "online retail": (
        "online_retail/online_retail.parquet", "customer_id", "invoice_date",
        "quantity * unit_price", BOUGHT + " and invoice_date < timestamp '2011-12-01'",
        "2011-07-31", 122 / 7,
    ),
}  # fmt: skip


def read(data: Path, name: str) -> dict[str, np.ndarray]:
    """Return one entry a customer: history in weeks, repeat spend, and the hold-out."""
    file, customer, day, value, where, end, _ = SETS[name]
    found = (
        duckdb.connect()
        .execute(
            f"""
            with days as (select {customer} as c, cast({day} as date) as d, sum({value}) as z
                from '{data / file}' where {where} group by all),
            numbered as (
                select *, d <= date '{end}' as known,
                    row_number() over (partition by c order by d) as n
                from days)
            select count(*) filter (where known) - 1 as x,
                (max(d) filter (where known) - min(d)) / 7 as t, (date '{end}' - min(d)) / 7 as age,
                coalesce(avg(z) filter (where known and n > 1), 0) as z,
                count(*) filter (where not known) as y,
                coalesce(sum(z) filter (where not known), 0) as spent
            from numbered group by c having min(d) <= date '{end}' order by c
            """
        )
        .fetchnumpy()
    )
    return {key: np.asarray(column, float) for key, column in found.items()}


def errors(foretold: np.ndarray, actual: np.ndarray) -> str:
    """Return the errors of a forecast as one line."""
    gap = foretold - actual
    return (
        f"MAE {np.abs(gap).mean():9.4f}  RMSE {np.sqrt((gap**2).mean()):9.4f}  "
        f"WAPE {np.abs(gap).sum() / actual.sum():.3f}  "
        f"bias {foretold.sum() / actual.sum() - 1:+.1%}"
    )


def over(fit: Any, data: PurchaseStatistics, horizon: float, drawn: np.ndarray) -> np.ndarray:
    """Return P(more than j orders), a row a customer, j from 0; mean over drawn parameters."""
    from scipy.stats import nbinom  # here: it takes memory that rounds are measured without

    j = np.arange(120)[None, :]
    x, age, first = data.x[:, None], data.age[:, None], getattr(fit.process, "first", 0)
    total = np.zeros((len(data), j.size))
    for p in drawn:
        r, alpha = p[:2]
        z = horizon / (alpha + age + horizon)
        stayed = 1.0
        if len(p) > 2:
            a, loyal = p[2], p[3] + x + first
            stayed = np.exp(
                gammaln(loyal + j) - gammaln(loyal) - gammaln(a + loyal + j) + gammaln(a + loyal)
            )
        alive = fit.process.alive_probability(p, data)[:, None]
        total += alive * stayed * nbinom.sf(j, r + x, 1 - z)
    return total / len(drawn)


def coverage(more: np.ndarray, actual: np.ndarray) -> tuple[float, float]:
    """Return the shares in the 90 % interval of orders: found and expected."""
    lower = (more > 0.95).sum(axis=1)
    upper = (more > np.where(lower > 0, 0.05, 0.1)[:, None]).sum(axis=1)
    place = np.arange(len(more))
    below = np.where(lower > 0, more[place, np.maximum(lower - 1, 0)], 1.0)
    inside = (actual >= lower) & (actual <= upper)
    return float(inside.mean()), float((below - more[place, upper]).mean())


def print_intervals(
    fit: Any, spend: Any, c: dict[str, np.ndarray], plain: PurchaseStatistics, weeks: float
) -> None:
    """Print the coverage of orders and spend."""
    from scipy.stats import norm

    rng = np.random.default_rng(7)
    several = [fit.parameters]
    if fit.covariance is not None:
        logs = np.log(fit.parameters)
        several = list(np.exp(rng.multivariate_normal(logs, fit.covariance, 50)))
    for name, drawn in (("known", [fit.parameters]), ("drawn", several)):
        more = over(fit, plain, weeks, drawn)
        found, expected = coverage(more, c["y"])
        print(f"      intervals, parameters {name}: orders {found:.3f}, expected {expected:.3f}")
    more = over(fit, plain, weeks, [fit.parameters])
    mean = more.sum(axis=1)
    variance = ((2 * np.arange(more.shape[1]) + 1) * more).sum(axis=1) - mean**2
    p, q, v = spend.parameters
    shape, total = p * c["x"] + q, v + c["x"] * c["z"]
    value = p * total / (shape - 1)
    square = total**2 / ((shape - 1) * (shape - 2))
    spread = variance * value**2 + mean * p * square
    spread += (variance + mean**2) * p**2 * square / (shape - 1)
    some = more[:, 0]
    ratio = np.log(np.maximum(some * (spread / (mean * value) ** 2 + 1), 1))

    def exceeded(tail: float) -> np.ndarray:
        z = norm.isf(np.minimum(tail / some, 1 - 1e-12))
        amount = mean * value / some * np.exp(z * np.sqrt(ratio) - ratio / 2)
        return np.asarray(np.where(some <= tail, 0, amount))

    upper = np.where(some < 0.95, exceeded(0.1), exceeded(0.05))
    lower = np.where(some < 0.95, 0, exceeded(0.95))
    inside = (c["spent"] >= lower) & (c["spent"] <= upper)
    print(f"      intervals of spend: {inside.mean():.3f}")


def print_stored_intervals(family: str, c: dict[str, np.ndarray], weeks: float) -> None:
    """Print the coverage of orders as the stored SQL has it, in days."""
    import pyarrow as pa

    from martlet.fit import ModelSpec, fit_model

    days = {name: (c[key] * 7).round() for name, key in (("recency", "t"), ("age", "age"))}
    history = {"id": np.arange(len(c["x"])), "frequency": c["x"], **days, "later": c["y"]}
    con = duckdb.connect(config={"threads": 2})
    con.register("h", pa.table(history))
    spec = {"model_type": family, "entity_cols": ["id"], "horizons": [round(weeks * 7)]}
    fit_model(con, ModelSpec("m", "select * exclude later from h", spec))
    column = f"predicted_purchases_{round(weeks * 7)}"
    found, expected = con.execute(
        f"select avg((later between {column}_lower and {column}_upper)::int), "
        f"avg({column}_interval_probability) from m_predict('h')"
    ).fetchall()[0]
    print(f"      intervals by SQL: orders {found:.3f}, expected {expected:.3f}")


def measure_sets(data: Path) -> None:
    """Fit every family to every set and judge it on the hold-out."""
    for name, (*_, weeks) in SETS.items():
        if not (data / SETS[name][0]).exists():
            print(f"{name}: not at {data / SETS[name][0]}")
            continue
        c = read(data, name)
        plain = PurchaseStatistics.of(c["x"], c["t"], c["age"])
        rows, counts = np.unique(
            np.column_stack([c["x"], c["t"], c["age"]]), axis=0, return_counts=True
        )
        grouped = PurchaseStatistics.of(*rows.T, counts.astype(float))
        spend = fit_spend(c["x"], c["z"])
        print(
            f"\n{name}: {len(c['x'])} customers, {grouped.repeats:.0f} repeats, {weeks:.1f} weeks"
        )
        print(
            f"  gamma-gamma {spend.status} {spend.parameters.round(4)} "
            f"LL {spend.log_likelihood:.4f}"
        )
        value = expected_order_value(spend, c["x"], c["z"])
        for family in FAMILIES:
            started = time.process_time()
            fit = fit_process(family, grouped)
            cpu = time.process_time() - started
            y = fit.process.expected_purchases(fit.parameters, plain, weeks)
            print(f"  {family:10} {fit.status:11} {fit.parameters.round(5)} "
                  f"LL {fit.log_likelihood:.4f}  {cpu:.3f} CPU s")  # fmt: skip
            print(f"      orders {errors(y, c['y'])}\n      spend  {errors(y * value, c['spent'])}")
            if fit.process.model_type != "pareto_nbd":
                print_intervals(fit, spend, c, plain, weeks)
            else:
                print_stored_intervals(family, c, weeks)
        rate = c["x"] / np.maximum(c["age"], 1e-9) * weeks
        print(f"  rate carried on\n      orders {errors(rate, c['y'])}")
        print(f"      spend  {errors(rate * value, c['spent'])}")


def draw(path: Path, customers: int) -> None:
    """Write purchases of customers with the parameters of CDNOW, days from 1970 on."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    age = rng.uniform(27, 39, customers)
    rate, leave = rng.gamma(0.2426, 1 / 4.414, customers), rng.beta(0.793, 2.426, customers)
    who, when = [np.arange(customers)], [np.zeros(customers)]
    active, now = np.arange(customers), np.zeros(customers)
    while len(active):
        now = now + rng.exponential(1 / rate[active])
        active, now = active[now < age[active]], now[now < age[active]]
        who.append(active)
        when.append(now)
        stay = rng.random(len(active)) >= leave[active]
        active, now = active[stay], now[stay]
    customer, week = np.concatenate(who), np.concatenate(when)
    day = np.floor((39 - age[customer] + week) * 7).astype("int32")
    columns = {"customer_id": customer.astype("int32"), "date": day.astype("datetime64[D]")}
    pq.write_table(pa.table(columns), path)


SUMMARY = """
select customer_id, cast(count(*) - 1 as integer) as frequency,
    cast(max(date) - min(date) as integer) as recency,
    cast(date '1970-10-01' - min(date) as integer) as age
from (select distinct customer_id, date from '{path}') group by customer_id
"""


def scale_round(path: str) -> dict[str, float]:
    """Measure one round in this process."""
    from martlet.fit import ModelSpec, fit_model

    con = duckdb.connect(config={"threads": 2, "memory_limit": "400MB"})
    took: dict[str, float] = {}

    def timed(name: str, action: Any) -> Any:
        started = time.process_time()
        result = action()
        took[name] = time.process_time() - started
        return result

    timed("summary", lambda: con.execute("create table h as " + SUMMARY.format(path=path)))
    grouped = "select frequency x, recency t, age, count(*) n from h group by all order by all"

    def fit() -> Any:
        g = con.execute(grouped).fetchnumpy()
        values = (np.asarray(g[key], float) for key in ("x", "t", "age", "n"))
        return fit_process("bg_nbd", PurchaseStatistics.of(*values))

    found = timed("fit", fit)
    took["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    few = "select * from h using sample reservoir(20000 rows) repeatable (1)"
    spec = {"model_type": "bg_nbd", "entity_cols": ["customer_id"], "horizons": [90]}
    fit_model(con, ModelSpec("m", few, spec))
    alive = "select sum(predicted_alive_probability) from m_alive_probability('h')"
    timed("alive", lambda: con.execute(alive).fetchall())
    expected = "from m_expected_purchases('h', 90)"
    timed("expected", lambda: con.execute(f"select sum(predicted_purchases) {expected}").fetchall())
    some = f"select * {expected} order by hash(customer_id) limit 20000"
    got = con.execute(some).fetchnumpy()
    fits = con.execute("select r, alpha, a, b from m_fits()").fetchnumpy()
    p = np.array([fits[key][0] for key in ("r", "alpha", "a", "b")])
    data = PurchaseStatistics.of(
        *(np.asarray(got[k], float) for k in ("frequency", "recency", "age"))
    )
    exact = FAMILIES["bg_nbd"].expected_purchases(p, data, 90.0)
    took["relative_difference"] = float(np.abs(got["predicted_purchases"] / exact - 1).max())
    took["log_likelihood"] = found.log_likelihood
    return took


PEER = """
import json, resource, sys, time
import pandas as pd
from lifetimes import BetaGeoFitter
h = pd.read_csv(sys.argv[1])
h[["recency", "age"]] /= 7
took = {}
start = time.process_time()
g = h.groupby(["frequency", "recency", "age"]).size().reset_index(name="n")
f = BetaGeoFitter(0.0).fit(g.frequency, g.recency, g.age, weights=g.n)
took["fit grouped"] = time.process_time() - start
start = time.process_time()
f = BetaGeoFitter(0.0).fit(h.frequency, h.recency, h.age)
took["fit plain"] = time.process_time() - start
took["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(took))
"""


def measure_scale(customers: int, rounds: int, peer: str | None) -> None:
    """Measure summary, fit and scoring of many customers."""
    with tempfile.TemporaryDirectory() as folder:
        path, summary = Path(folder) / "purchases.parquet", Path(folder) / "summary.csv"
        draw(path, customers)
        con = duckdb.connect()
        con.execute(f"copy ({SUMMARY.format(path=path)}) to '{summary}'")
        found: dict[str, list[dict[str, float]]] = {"martlet": [], "lifetimes": []}
        for _ in range(rounds):
            command = [sys.executable, __file__, "--round", str(path)]
            found["martlet"].append(json.loads(subprocess.check_output(command)))
            if peer:
                command = [peer, "-c", PEER, str(summary)]
                found["lifetimes"].append(json.loads(subprocess.check_output(command)))
        print(f"\n{customers:,} customers drawn as CDNOW's; CPU s, medians of {rounds}")
        for name, results in found.items():
            for key in results[0] if results else ():
                print(f"  {name:10} {key:20} {statistics.median(r[key] for r in results):.6g}")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with the public data sets")
    parser.add_argument("--scale", action="store_true", help="measure a million customers")
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", help="Python of an environment with lifetimes")
    parser.add_argument("--round", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.round:
        print(json.dumps(scale_round(chosen.round)))
        return
    if chosen.data:
        measure_sets(chosen.data)
    if chosen.scale:
        measure_scale(chosen.customers, chosen.rounds, chosen.peer)


if __name__ == "__main__":
    main()
