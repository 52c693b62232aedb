"""Lifetime value: published parameters, independent oracles, hard inputs, no look ahead."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import hyp2f1
from scipy.stats import nbinom

from martlet.lifetimes.families import FAMILIES
from martlet.lifetimes.fitting import ProcessFit, fit_process
from martlet.lifetimes.spend import expected_order_value, fit_spend
from martlet.lifetimes.statistics import PurchaseStatistics
from ml_support import connect, fit, rows
from support import PROJECT

DATA = PROJECT.parent / "shared" / "data"
CDNOW = DATA / "cdnow"
BOUGHT = (
    "customer_id is not null and quantity > 0 and unit_price > 0 "
    "and not starts_with(invoice_no, 'C')"
)


def need(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"the data are not at {path}")
    return path


def histories(
    path: Path, end: str, customer: str = "customer_id", date: str = "date", where: str = "true"
) -> PurchaseStatistics:
    """Count purchase days in weeks, as the published tables do."""
    found = (
        duckdb.connect()
        .execute(
            f"""
            select x, t, age, count(*) as n from (
                select count(*) - 1 as x, (max(d) - min(d)) / 7 as t,
                    (date '{end}' - min(d)) / 7 as age
                from (select distinct {customer} as c, cast({date} as date) as d from '{need(path)}'
                    where {where}) where d <= date '{end}' group by c)
            group by all order by all
            """
        )
        .fetchnumpy()
    )
    return PurchaseStatistics.of(*(np.asarray(found[k], float) for k in ("x", "t", "age", "n")))


def one(x: float, t: float, age: float) -> PurchaseStatistics:
    return PurchaseStatistics.of(np.array([x]), np.array([t]), np.array([age]))


@pytest.fixture(scope="module")
def sample() -> PurchaseStatistics:
    return histories(CDNOW / "cdnow_sample.parquet", "1997-09-30")


# Fader, Hardie and Lee (2005) and the tests of CLVTools, BTYDplus.
PUBLISHED = {
    "bg_nbd": ((0.24259, 4.41360, 0.79292, 2.42591), (0.0126, 0.3782, 0.1857, 0.7054), -9582.4292),
    "pareto_nbd": ((0.5533, 10.577, 0.6062, 11.669), (0.0476, 0.8427, 0.1873, 6.211), -9594.9762),
    "mbg_nbd": ((0.52484, 6.1831, 0.89136, 1.61400), None, -9582.1357),
    "nbd": ((0.38477, 12.0720), None, -9763.6576),
}


@pytest.mark.real_data
@pytest.mark.parametrize("family", PUBLISHED)
def test_cdnow_parameters_are_the_published_ones(family: str, sample: PurchaseStatistics) -> None:
    parameters, errors, likelihood = PUBLISHED[family]
    found = fit_process(family, sample)
    assert (found.status, sample.customers, sample.repeats, len(sample)) == ("ok", 2357, 2457, 1016)
    assert found.parameters == pytest.approx(parameters, rel=5e-4)
    assert found.log_likelihood == pytest.approx(likelihood, abs=1e-3)
    if errors:
        assert found.standard_errors == pytest.approx(errors, rel=0.01)


@pytest.mark.real_data
def test_full_cdnow_and_apparel_likelihoods_are_those_measured_with_peers() -> None:
    full = histories(CDNOW / "cdnow_master.parquet", "1997-09-30")
    expected = {"bg_nbd": -95368.4439, "mbg_nbd": -95336.9583, "pareto_nbd": -95415.1186}
    for family, likelihood in expected.items():
        assert fit_process(family, full).log_likelihood == pytest.approx(likelihood, abs=2e-3)
    apparel = histories(
        DATA / "clvtools_apparel" / "apparel_transactions.parquet", "2006-12-31", "id"
    )
    expected = {"bg_nbd": -5857.0197, "mbg_nbd": -5848.0453, "pareto_nbd": -5848.0978}
    for family, likelihood in expected.items():
        assert fit_process(family, apparel).log_likelihood == pytest.approx(likelihood, abs=2e-3)


@pytest.mark.real_data
@pytest.mark.parametrize("family", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_online_retail_has_no_drop_out_to_identify(family: str) -> None:
    path = DATA / "online_retail" / "online_retail.parquet"
    data = histories(path, "2011-07-31", date="invoice_date", where=BOUGHT)
    found = fit_process(family, data)
    assert data.customers == 3148
    assert found.status == "no_drop_out"
    assert "no drop-out identified" in found.reason
    assert found.process.model_type == "nbd"
    assert found.parameters == pytest.approx((0.74564, 9.37203), rel=1e-4)
    assert found.log_likelihood == pytest.approx(-18529.7168, abs=1e-3)
    assert found.process.alive_probability(found.parameters, data).min() == 1


@pytest.mark.real_data
def test_holdout_errors_of_cdnow_are_those_of_the_best_peer(sample: PurchaseStatistics) -> None:
    table = (
        duckdb.connect()
        .execute(
            f"""
            with days as (select distinct customer_id as c, date as d
                from '{CDNOW / "cdnow_sample.parquet"}')
            select count(*) filter (where d <= date '1997-09-30') - 1 as x,
                (max(d) filter (where d <= date '1997-09-30') - min(d)) / 7 as t,
                (date '1997-09-30' - min(d)) / 7 as age,
                count(*) filter (where d > date '1997-09-30') as y
            from days group by c order by c
            """
        )
        .fetchnumpy()
    )
    x, t, age, y = (np.asarray(table[name], float) for name in ("x", "t", "age", "y"))
    assert y.sum() == 1882
    data = PurchaseStatistics.of(x, t, age)
    peers = {
        "bg_nbd": (0.7855, -0.122),
        "mbg_nbd": (0.7648, -0.162),
        "pareto_nbd": (0.7545, -0.115),
    }
    for family, (error, bias) in peers.items():
        found = fit_process(family, sample)
        foretold = found.process.expected_purchases(found.parameters, data, 39.0)
        assert np.abs(foretold - y).mean() == pytest.approx(error, abs=6e-5)
        assert foretold.sum() / y.sum() - 1 == pytest.approx(bias, abs=1e-3)


@pytest.mark.real_data
def test_cdnow_spend_is_the_published_gamma_gamma() -> None:
    table = (
        duckdb.connect()
        .execute(
            f"""
            select count(*) as n, avg(z) as mean from (
                select *, row_number() over (partition by c order by d) as place from (
                    select customer_id as c, date as d, sum(dollar_value) as z
                    from '{need(CDNOW / "cdnow_sample.parquet")}' group by all)
                where d <= date '1997-09-30') where place > 1 group by c
            """
        )
        .fetchnumpy()
    )
    found = fit_spend(np.asarray(table["n"], float), np.asarray(table["mean"], float))
    assert (found.status, found.customers) == ("ok", 946)
    assert found.parameters == pytest.approx((6.2496, 3.7442, 15.4435), rel=1e-3)
    assert found.standard_errors == pytest.approx((1.190, 0.290, 4.159), rel=0.01)
    assert found.log_likelihood == pytest.approx(-4055.9177, abs=1e-3)
    assert found.correlation == pytest.approx(0.1139, abs=1e-4)
    # Hardie's note 025: a customer without repeat purchases.
    nobody = expected_order_value(found, np.array([0.0]), np.array([0.0]))
    assert nobody == pytest.approx([35.17], abs=0.02)


def test_check_points_of_the_bg_nbd() -> None:
    family, p = FAMILIES["bg_nbd"], np.array([0.243, 4.414, 0.793, 2.426])
    customer = one(2, 30.43, 38.86)
    assert family.expected_purchases(p, customer, 39.0) == pytest.approx([1.2260], abs=1e-4)
    assert family.alive_probability(p, customer) == pytest.approx([0.7266], abs=1e-4)
    totals = family.expected_total(p, np.array([1.0, 32.0, 78.0]))
    assert totals == pytest.approx([0.05327, 1.04524, 1.86052], rel=1e-4)
    # Nobody new has left: P(X(39) = 0) is that of a new customer.
    nothing = family.no_purchase_probability(p, one(0, 0, 0), 39.0)
    assert nothing == pytest.approx([0.5737864], rel=1e-6)


def test_check_points_of_the_pareto_nbd_with_many_purchases() -> None:
    family = FAMILIES["pareto_nbd"]
    p = np.array([0.5143, 2.8845, 0.2856, 14.1087])
    cases = np.array(
        [
            (221, 103.42857, 103.57143, 0.99960), (254, 97.14286, 97.28571, 0.99956),
            (161, 94.71429, 98.0, 0.74949), (204, 98.57143, 99.42857, 0.99425),
        ]
    )  # fmt: skip
    alive = family.alive_probability(p, PurchaseStatistics.of(*cases[:, :3].T))
    assert alive == pytest.approx(cases[:, 3], abs=1e-5)
    # At t_x = T, where a peer answers NaN.
    p = np.array([0.55, 10.58, 0.61, 11.67])
    many = PurchaseStatistics.of(*np.array([(132, 200, 200), (133, 200, 200.0)]).T)
    assert family.expected_purchases(p, many, 10.0) == pytest.approx([6.2061, 6.2529], abs=1e-4)


def test_check_points_of_the_pareto_nbd() -> None:
    family, p = FAMILIES["pareto_nbd"], np.array([0.5533, 10.577, 0.6062, 11.669])
    totals = [0.05101, 0.09963, 0.14613, 0.19076, 0.23369, 0.27508, 0.31508, 0.35379, 0.39134]
    assert family.expected_total(p, np.arange(1.0, 10.0)) == pytest.approx(totals, rel=3e-4)
    customer = one(26, 30.86, 31)
    assert family.alive_probability(p, customer) == pytest.approx([0.9979], abs=1e-4)
    assert family.expected_purchases(p, customer, 52.0) == pytest.approx([25.46], abs=0.01)


HISTORIES = PurchaseStatistics.of(
    *np.array(
        [
            (0, 0, 5),
            (0, 0, 39),
            (1, 0.2, 30),
            (1, 30, 30),
            (4, 12, 39),
            (9, 20, 21),
            (60, 100, 160.0),
        ]
    ).T,
    np.arange(1.0, 8.0),
)
POINTS = {
    "nbd": [(0.4, 12.0)],
    "bg_nbd": [(0.243, 4.414, 0.793, 2.426), (2.0, 30.0, 1.0, 0.4)],
    "mbg_nbd": [(0.5, 6.2, 0.9, 1.6), (1.4, 200.0, 1.0, 3.0)],
    "pareto_nbd": [(0.55, 10.6, 0.61, 11.7), (1.5, 2.0, 3.0, 60.0), (0.8, 40.0, 1.0, 3.0)],
}
CASES = [(family, point) for family, points in POINTS.items() for point in points]


@pytest.mark.parametrize(("family", "point"), CASES)
def test_gradients_are_the_slopes_of_the_likelihood(family: str, point: tuple[float, ...]) -> None:
    process, p = FAMILIES[family], np.array(point)
    value, slopes = process.objective(p, HISTORIES)
    assert value == pytest.approx(
        HISTORIES.weight @ process.log_likelihoods(p, HISTORIES), abs=1e-8
    )
    for place, slope in enumerate(slopes):
        move = np.zeros(len(p))
        move[place] = 1e-5 * p[place]
        up, down = (
            process.objective(p + move, HISTORIES)[0],
            process.objective(p - move, HISTORIES)[0],
        )
        assert slope == pytest.approx((up - down) / (2 * move[place]), rel=1e-5, abs=1e-5)


def test_likelihoods_are_the_integrals_they_stand_for() -> None:
    """A history by brute force: over rates and drop-out of one customer."""
    x, t, age = 2, 5.0, 9.0
    r, alpha, a, b = 0.8, 6.0, 0.9, 2.1
    from math import gamma

    def rate(value: float) -> float:
        return alpha**r * value ** (r - 1) * np.exp(-alpha * value) / gamma(r)

    alive = quad(lambda v: rate(v) * v**x * np.exp(-v * age), 0, np.inf)[0]
    gone = quad(lambda v: rate(v) * v**x * np.exp(-v * t), 0, np.inf)[0]
    beta = gamma(a) * gamma(b) / gamma(a + b)
    for family, first in (("bg_nbd", 0), ("mbg_nbd", 1)):
        stay = gamma(a) * gamma(b + x + first) / gamma(a + b + x + first) / beta
        leave = gamma(a + 1) * gamma(b + x - 1 + first) / gamma(a + b + x + first) / beta
        found = FAMILIES[family].log_likelihoods(np.array([r, alpha, a, b]), one(x, t, age))
        assert np.exp(found) == pytest.approx([stay * alive + leave * gone], rel=1e-8)
    s, rest = 0.7, 11.0
    lived = quad(
        lambda y: s / rest * (rest / (rest + y)) ** (s + 1)
        * quad(lambda v: rate(v) * v**x * np.exp(-v * y), 0, np.inf)[0],
        t, age,
    )[0]  # fmt: skip
    whole = lived + alive * (rest / (rest + age)) ** s
    found = FAMILIES["pareto_nbd"].log_likelihoods(np.array([r, alpha, s, rest]), one(x, t, age))
    assert np.exp(found) == pytest.approx([whole], rel=1e-7)


@pytest.mark.parametrize("a", [0.793, 1.0, 1.0000001, 3.0])
def test_expected_purchases_equal_the_published_formula_and_its_limit(a: float) -> None:
    r, alpha, b, x, age, t = 0.243, 4.414, 2.426, 2, 38.86, 39.0
    found = FAMILIES["bg_nbd"].moments_alive(np.array([r, alpha, a, b]), one(x, 30, age), t)[0]
    if abs(a - 1) > 1e-3:
        z = t / (alpha + age + t)
        shrunk = ((alpha + age) / (alpha + age + t)) ** (r + x)
        whole = 1 - shrunk * hyp2f1(r + x, b + x, a + b + x - 1, z)
        assert found == pytest.approx([(a + b + x - 1) / (a - 1) * whole], rel=1e-10)

    def density(p: float) -> float:
        return float(p ** (a - 1) * (1 - p) ** (b + x - 1))

    def purchases(p: float) -> float:
        return float((1 - (1 + p * t / (alpha + age)) ** -(r + x)) / p * density(p))

    expected = quad(purchases, 0, 1)[0] / quad(density, 0, 1)[0]
    assert found == pytest.approx([expected], rel=1e-7)


def fake(customers: int, seed: int = 3, spread: float = 360.0) -> dict[str, Any]:
    """Histories of a BG/NBD shop in days, drawn here and not by the package."""
    rng = np.random.default_rng(seed)
    age = np.floor(rng.uniform(0, spread, customers))
    rate, leave = rng.gamma(0.7, 1 / 60, customers), rng.beta(0.8, 2.4, customers)
    x, t = np.zeros(customers), np.zeros(customers)
    for n in range(customers):
        now = 0.0
        while True:
            now += rng.exponential(1 / rate[n])
            if now > age[n]:
                break
            if np.floor(now) > t[n]:
                x[n], t[n] = x[n] + 1, np.floor(now)
            if rng.random() < leave[n]:
                break
    return {"frequency": x.astype(int), "recency": t.astype(int), "age": age.astype(int)}


def table(con: duckdb.DuckDBPyConnection, columns: dict[str, Any], name: str = "h") -> None:
    import pyarrow as pa

    size = len(next(iter(columns.values())))
    made = pa.table({"customer_id": np.arange(size), **columns})
    con.register("made", made)
    con.execute(f"create or replace table {name} as select * from made")
    con.unregister("made")


@pytest.mark.parametrize("family", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_sql_equals_python(family: str) -> None:
    con = connect()
    table(con, fake(1500))
    con.execute("insert into h values (9001, 163, 500, 520), (9002, 50000, 17000, 18000)")
    outcome = fit(con, "m", "select * from h where customer_id < 9000", model_type=family,
                  entity_cols=["customer_id"], horizons=[30, 365])  # fmt: skip
    assert outcome.status == "trained"
    found = con.query("select * from m_predict('h') order by customer_id").df()
    fitted = rows(con, "from m_fits()")[0]
    assert (fitted["status"], fitted["predicting_family"]) == ("ok", family)
    process = FAMILIES[family]
    p = np.array([fitted[name] for name in process.names])
    data = PurchaseStatistics.of(
        *(found[c].to_numpy(float) for c in ("frequency", "recency", "age"))
    )
    alive = process.alive_probability(p, data)
    assert found["predicted_alive_probability"].to_numpy() == pytest.approx(alive, rel=1e-9)
    for h in (30, 365):
        expected = process.expected_purchases(p, data, float(h))
        assert found[f"predicted_purchases_{h}"].to_numpy() == pytest.approx(expected, rel=1e-9)
        none = process.no_purchase_probability(p, data, float(h))
        column = found[f"predicted_no_purchase_probability_{h}"].to_numpy()
        assert column == pytest.approx(none, rel=1e-9, abs=1e-12)
    single = con.query("select * from m_expected_purchases('h', 30) order by customer_id").df()
    assert single["predicted_purchases"].to_numpy() == pytest.approx(
        found["predicted_purchases_30"].to_numpy(), rel=1e-12
    )
    only = con.query("select * from m_alive_probability('h') order by customer_id").df()
    assert only["predicted_alive_probability"].to_numpy() == pytest.approx(alive, rel=1e-9)


@pytest.mark.parametrize("first", [0, 1])
def test_intervals_are_the_quantiles_of_the_exact_distribution(first: int) -> None:
    """P(Y > j) = P(alive) P(N > j) E[(1 - p)^j], N negative binomial: added up term by term."""
    con = connect()
    table(con, fake(1500))
    model_type = "mbg_nbd" if first else "bg_nbd"
    fit(con, "m", "from h", model_type=model_type, entity_cols=["customer_id"], horizons=[180])
    con.execute("insert into h values (9000, 163, 518, 520), (9005, 40, 208, 210)")
    fitted = rows(con, "from m_fits()")[0]
    r, alpha, a, b = (fitted[name] for name in ("r", "alpha", "a", "b"))
    shapes = set()
    for row in rows(con, "from m_predict('h') where customer_id % 5 = 0"):
        j = np.arange(400)
        shape, loyal = r + row["frequency"], b + row["frequency"] + first
        z = 180 / (alpha + row["age"] + 180)
        steps = np.log((loyal + j[:-1]) / (a + loyal + j[:-1]))
        stayed = np.exp(np.concatenate([[0.0], np.cumsum(steps)]))
        more = row["predicted_alive_probability"] * stayed * nbinom.sf(j, shape, 1 - z)
        lower = int((more > 0.95).sum())
        # Where nothing is within the interval, the whole tenth may be left out above.
        upper = int((more > (0.05 if lower else 0.1)).sum())
        assert (row["predicted_purchases_180_lower"], row["predicted_purchases_180_upper"]) == (
            lower, upper
        )  # fmt: skip
        inside = (more[lower - 1] if lower else 1) - more[upper]
        assert inside >= 0.9
        assert row["predicted_purchases_180_interval_probability"] == pytest.approx(inside)
        variance = ((2 * j + 1) * more).sum() - more.sum() ** 2
        assert row["predicted_purchases_180_variance"] == pytest.approx(variance, rel=1e-6)
        shapes.add(lower > 0)
    assert shapes == {True, False}


def leaving_shop(customers: int, age: float, horizon: float) -> dict[str, Any]:
    """Histories of a Pareto/NBD shop and what came after, purchase by purchase."""
    rng = np.random.default_rng(9)
    rate, leaves = rng.gamma(0.8, 1 / 60, customers), rng.exponential(1, customers)
    leaves /= rng.gamma(1.2, 1 / 300, customers)
    now = np.zeros(customers)
    x, t, later = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    while (now < age + horizon).any():
        now = now + rng.exponential(1, customers) / rate
        there = (now < leaves) & (now < age + horizon)
        x, t = x + (there & (now <= age)), np.where(there & (now <= age), now, t)
        later += there & (now > age)
    return {"frequency": x, "recency": t, "age": np.full(customers, age), "later": later}


def test_intervals_of_the_pareto_nbd_hold_what_they_say() -> None:
    """Against the integral over lifetimes, and against what 30,000 drawn customers did."""
    con = connect()
    table(con, leaving_shop(30_000, 300.0, 180.0))
    fit(con, "m", "select * exclude later from h", model_type="pareto_nbd",
        entity_cols=["customer_id"], horizons=[180])  # fmt: skip
    fitted = rows(con, "from m_fits()")[0]
    assert fitted["status"] == "ok"
    kept = "customer_id % 5000 = 0 or frequency in (0, 7, 20)"
    con.execute(f"create table picked as select * from h where {kept} limit 60")
    con.execute("insert into picked values (90001, 400, 299, 300, 0), (90002, 2000, 150, 300, 0)")
    r, alpha, s, beta = (fitted[name] for name in ("r", "alpha", "s", "beta"))
    for row in rows(con, "from m_predict('picked')"):
        alive, shape = row["predicted_alive_probability"], r + row["frequency"]
        start, rest = alpha + row["age"], beta + row["age"]

        def more(j: int, shape: float = shape, start: float = start, rest: float = rest) -> float:
            def bought(y: float) -> float:
                return float(nbinom.sf(j, shape, start / (start + y)))

            def left_at(y: float) -> float:
                return float(s / (rest + y) * (rest / (rest + y)) ** s * bought(y))

            stays = (rest / (rest + 180)) ** s * bought(180.0)
            return float(stays + quad(left_at, 0, 180, limit=200, epsabs=1e-12)[0])

        lower, upper = (row[f"predicted_purchases_180_{side}"] for side in ("lower", "upper"))
        above = alive * more(upper)
        below = alive * more(lower - 1) if lower else 1.0
        inside = row["predicted_purchases_180_interval_probability"]
        assert inside == pytest.approx(below - above, abs=1e-7)
        assert below >= 0.95 - 1e-9
        assert above <= (0.05 if lower else 0.1) + 1e-9
        # One purchase less on either side would leave out too much.
        assert upper == 0 or alive * more(upper - 1) > (0.05 if lower else 0.1)
        assert alive * more(lower) <= 0.95
    counted = rows(
        con,
        """select least(frequency, 3) as x, count(*) as n,
            avg((later between predicted_purchases_180_lower and predicted_purchases_180_upper)
                ::int) as found, avg(predicted_purchases_180_interval_probability) as expected
        from m_predict('h') group by 1""",
    )
    for group in counted:
        error = (group["expected"] * (1 - group["expected"]) / group["n"]) ** 0.5
        assert abs(group["found"] - group["expected"]) < 4 * error + 0.002, group


@pytest.mark.parametrize("family", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_a_fit_is_judged_on_rows_by_the_likelihood_and_by_what_came(family: str) -> None:
    con = connect()
    con.execute("create table h (customer_id int, d date, frequency int, recency int, age int)")
    for place, day in enumerate(("2025-01-01", "2025-03-15", "2025-06-15")):
        table(con, fake(600, seed=11, spread=200.0 + 100 * place), "part")
        con.execute(
            f"insert into h select customer_id, date '{day}', * exclude customer_id from part"
        )
    fit(con, "m", "from h", model_type=family, entity_cols=["customer_id"], as_of_col="d")
    judged = rows(con, "from m_evaluate('h')")[0]
    fits = {row["as_of_date"]: row for row in rows(con, "from m_fits()")}
    assert {row["predicting_family"] for row in fits.values()} == {family}
    likelihoods, scores = [], []
    process, days = FAMILIES[family], sorted(fits)
    for place, day in enumerate(days):
        p = np.array([fits[day][name] for name in process.names])
        columns = con.query(f"from h where d = date '{day}' order by customer_id").fetchnumpy()
        x, t, age = (np.asarray(columns[c], float) for c in ("frequency", "recency", "age"))
        data = PurchaseStatistics.of(x, t, age)
        likelihoods += list(process.log_likelihoods(p, data))
        # Each date is answered by the first one at least 90 days later.
        until = next((d for d in days[place + 1 :] if (d - day).days >= 90), None)
        if until is None:
            continue
        then = con.query(f"from h where d = date '{until}' order by customer_id").fetchnumpy()
        bought = np.asarray(then["frequency"], float) > x
        none = process.no_purchase_probability(p, data, float((until - day).days))
        scores += list(np.log(np.where(bought, 1 - none, none)))
    assert judged["mean_log_likelihood"] == pytest.approx(np.mean(likelihoods), rel=1e-9)
    assert len(scores) == 1200
    assert judged["holdout_log_score"] == pytest.approx(np.mean(scores), rel=1e-7)


def test_a_spend_fit_is_judged_on_rows_and_tells_how_sure_it_is() -> None:
    con = connect()
    rng = np.random.default_rng(4)
    rate = rng.gamma(3.0, 1 / 40.0, 500)
    counts = {day: rng.integers(1, 5, 500) for day in ("2025-01-01", "2025-02-01")}
    con.execute("create table h (customer_id int, d date, frequency int, monetary_value double)")
    total, number = np.zeros(500), np.zeros(500, int)
    for day, count in counts.items():
        total, number = total + rng.gamma(6.0 * count, 1 / rate), number + count
        con.executemany(
            f"insert into h values (?, date '{day}', ?, ?)",
            [(n, int(number[n]), float(total[n] / number[n])) for n in range(500)],
        )
    fit(con, "m", "from h", model_type="gamma_gamma", entity_cols=["customer_id"], as_of_col="d")
    judged = rows(con, "from m_evaluate('h')")[0]
    fits = rows(con, "from m_fits()")
    expected = sum(row["log_likelihood"] for row in fits) / 1000
    assert judged["mean_log_likelihood"] == pytest.approx(expected, rel=1e-9)
    answers = rows(con, "from m_predict('h') order by d, customer_id")
    gaps = [
        abs(
            first["predicted_order_value"]
            - (last["frequency"] * last["monetary_value"]
               - first["frequency"] * first["monetary_value"])
            / (last["frequency"] - first["frequency"])
        )
        for first, last in zip(answers[:500], answers[500:], strict=True)
    ]  # fmt: skip
    assert judged["holdout_mean_absolute_error"] == pytest.approx(np.mean(gaps), rel=1e-9)
    # Draws from the rate's distribution given the orders: mean of orders p / rate.
    row, fitted = answers[0], fits[0]
    shape = fitted["p"] * row["frequency"] + fitted["q"]
    means = fitted["p"] / rng.gamma(
        shape, 1 / (fitted["v"] + row["frequency"] * row["monetary_value"]), 400_000
    )
    assert row["predicted_order_value"] == pytest.approx(means.mean(), rel=0.01)
    assert row["predicted_order_value_variance"] == pytest.approx(means.var(), rel=0.05)
    within = (means**2 / fitted["p"]).mean()
    assert row["order_value_variance"] == pytest.approx(within, rel=0.02)


def test_a_worse_fit_on_the_same_rows_stays_challenger() -> None:
    con = connect()
    table(con, fake(1500))
    fit(con, "m", "from h", model_type="bg_nbd", entity_cols=["customer_id"])
    worse = fit(con, "m", "from h", model_type="pareto_nbd", entity_cols=["customer_id"])
    assert worse.status == "challenger"
    assert "worse: mean_log_likelihood" in worse.warnings[0]
    more = fit(con, "m", "from h where customer_id > 0", model_type="bg_nbd",
               entity_cols=["customer_id"])  # fmt: skip
    assert more.status == "trained"
    assert "not worse: mean_log_likelihood" in more.log[-1]


def status(columns: dict[str, list[float]], family: str = "bg_nbd") -> ProcessFit:
    data = PurchaseStatistics.of(*(np.array(columns[k], float) for k in ("x", "t", "age")))
    return fit_process(family, data)


@pytest.mark.parametrize("family", ["bg_nbd", "mbg_nbd", "pareto_nbd", "nbd"])
def test_hard_histories_end_in_a_status(family: str) -> None:
    single = status({"x": [0] * 500, "t": [0] * 500, "age": list(range(500))}, family)
    assert (single.status, single.reason) == ("too_few", "no customer has bought on a second day")
    few = status({"x": [1, 2], "t": [5, 8], "age": [9, 9]}, family)
    assert (few.status, few.reason[:11]) == ("too_few", "2 customers")
    one_day = status({"x": [0] * 50, "t": [0] * 50, "age": [0] * 50}, family)
    assert one_day.status == "too_few"
    alike = status({"x": [3] * 200, "t": [60] * 200, "age": [80] * 200}, family)
    assert alike.status in ("at_bound", "no_drop_out", "not_converged")
    assert alike.reason
    busy = fake(300)
    busy = {
        "x": [*busy["frequency"], 50_000], "t": [*busy["recency"], 300], "age": [*busy["age"], 301]
    }  # fmt: skip
    found = status(busy, family)
    assert found.status in ("ok", "at_bound", "no_drop_out", "not_converged")
    assert np.isfinite(found.parameters).all()
    assert np.isfinite(found.log_likelihood)


def test_a_shop_that_died_is_fitted_at_the_bound_without_creeping_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(1)
    start, rate = rng.uniform(0, 730, 400), rng.gamma(0.8, 1 / 60, 400)
    days = [np.cumsum(rng.exponential(1 / mean, 400)) for mean in rate]
    bought = [d[d <= 730 - s] for d, s in zip(days, start, strict=True)]
    x = np.array([float(len(d)) for d in bought])
    last = np.array([np.floor(d[-1]) if len(d) else 0.0 for d in bought])
    kept = (x == 0) | (last > 0)
    data = PurchaseStatistics.of(x[kept], last[kept], np.floor(730 - start[kept]) + 365)
    process, calls = FAMILIES["pareto_nbd"], 0
    objective = process.objective

    def counted(p: Any, histories: PurchaseStatistics) -> tuple[float, Any]:
        nonlocal calls
        calls += 1
        return objective(p, histories)

    monkeypatch.setattr(process, "objective", counted)
    found = fit_process("pareto_nbd", data)
    assert found.status == "at_bound"
    assert calls < 300  # creeping along the bound takes two thousand
    s_at_bound = found.parameters[2]

    def slope(logs: Any) -> tuple[float, Any]:
        p = np.exp([logs[0], logs[1], np.log(s_at_bound), logs[2]])
        value, gradient = objective(p, data)
        return -value, -(gradient * p)[[0, 1, 3]]

    peer = minimize(slope, np.log(found.parameters[[0, 1, 3]] * 1.5), jac=True, method="L-BFGS-B")
    assert found.log_likelihood > -peer.fun - 0.05


def test_model_types_take_hard_tables_without_an_error() -> None:
    con = connect()
    table(con, {"frequency": [0] * 40, "recency": [0] * 40, "age": list(range(40))})
    outcome = fit(con, "m", "from h", model_type="bg_nbd", entity_cols=["customer_id"])
    assert outcome.status == "insufficient_data"
    assert "second day" in outcome.warnings[0]
    assert rows(con, "from m_predict('h')") == []
    # Rows that are no history are left out of the fit, counted, and get no answer.
    table(con, fake(400))
    con.execute("insert into h values (9001, 3, 50, 40), (9002, -1, 0, 5), (9003, null, 1, 2)")
    fit(con, "m", "from h", model_type="bg_nbd", entity_cols=["customer_id"])
    notes = con.execute("select notices from m where is_champion").fetchall()[0][0]
    assert any("3 of 403 rows are no purchase history" in note for note in notes)
    bad = rows(con, "from m_predict('h') where customer_id > 9000 order by customer_id")
    assert [row["predicted_alive_probability"] for row in bad] == [None, None, None]
    # A horizon many times as long as any history is told.
    for horizon, is_far in ((30, False), (90_000, True)):
        fit(con, "far", "from h", model_type="bg_nbd", horizons=[horizon])
        notes = con.execute("select notices from far where is_champion").fetchall()[0][0]
        assert any("so far ahead" in note for note in notes) is is_far
    # The order of the rows means nothing.
    first = rows(con, "from m_fits()")[0]
    con.execute("create or replace table h as from h order by hash(customer_id)")
    fit(con, "other", "from h", model_type="bg_nbd", entity_cols=["customer_id"])
    assert rows(con, "from other_fits()")[0] == first


def test_spend_of_every_kind_ends_in_a_status() -> None:
    rng = np.random.default_rng(5)
    count = rng.integers(1, 8, 300).astype(float)
    mean = rng.gamma(5.0, 10.0, 300)
    good = fit_spend(count, mean)
    mean[:30], mean[30:40] = -5.0, 0.0
    found = fit_spend(count, mean)
    assert (found.left_out, found.customers) == (40, 260)
    assert found.status in ("ok", "at_bound")
    assert good.customers == 300
    alike = fit_spend(np.full(100, 3.0), np.full(100, 20.0))
    assert alike.status == "at_bound"
    value = expected_order_value(alike, np.array([3.0]), np.array([20.0]))
    assert value == pytest.approx([20.0], rel=1e-3)
    # Orders differ and customers do not: the best q is without end, and means stay what they are.
    for seed in range(5):
        drawn = np.random.default_rng(seed)
        orders = drawn.geometric(0.5, 240).astype(float)
        paid = np.array([drawn.uniform(5, 65, int(number)).mean() for number in orders])
        found = fit_spend(orders, paid)
        expected = expected_order_value(found, orders, paid) @ orders / orders.sum()
        assert expected == pytest.approx(found.mean_order_value, rel=0.02), found.status
    none = fit_spend(np.full(100, 2.0), np.zeros(100))
    assert none.status == "too_few"
    single = fit_spend(np.ones(100), rng.gamma(5.0, 10.0, 100))
    assert (single.status, "two orders" in single.reason) == ("too_few", True)
    assert np.isfinite(
        expected_order_value(single, np.array([1.0, 0.0]), np.array([9.0, 0.0]))
    ).all()


def test_each_date_is_fitted_on_its_own_rows_and_answers_from_then_on() -> None:
    con = connect()
    con.execute("create table h (customer_id int, d date, frequency int, recency int, age int)")
    for place, day in enumerate(("2025-01-01", "2025-04-15", "2025-08-01")):
        table(con, fake(600, seed=11, spread=200.0 + 100 * place), "part")
        con.execute(
            f"insert into h select customer_id, date '{day}', * exclude customer_id from part"
        )
    options = {"model_type": "purchase_process", "entity_cols": ["customer_id"], "as_of_col": "d"}
    fit(con, "whole", "from h", **options)
    fit(con, "early", "from h where d < date '2025-08-01'", **options)
    older = "as_of_date < date '2025-08-01' and is_chosen order by as_of_date"
    fields = "as_of_date, model_family, status, log_likelihood, holdout_log_score"
    known = rows(con, f"select {fields} from whole_fits() where {older}")
    assert known == rows(con, f"select {fields} from early_fits() where {older}")
    assert known[0]["holdout_log_score"] is None
    assert known[1]["holdout_log_score"] is not None
    con.execute("create table asked as select 1 as customer_id, frequency, recency, age, d "
                "from (values (date '2024-12-31', 2, 30, 60), (date '2025-01-01', 2, 30, 60), "
                "(date '2025-04-14', 2, 30, 60), (date '2026-01-01', 2, 30, 60)) "
                "as t(d, frequency, recency, age)")  # fmt: skip
    answers = rows(con, "select d, fit_as_of_date, predicted_alive_probability is null as none "
                        "from whole_predict('asked') order by d")  # fmt: skip
    days = [dt.date(2025, 1, 1), dt.date(2025, 1, 1), dt.date(2025, 8, 1)]
    assert [row["fit_as_of_date"] for row in answers] == [None, *days]
    assert [row["none"] for row in answers] == [True, False, False, False]


def test_cohorts_have_fits_of_their_own_and_small_ones_lean_on_all() -> None:
    con = connect()
    columns = fake(1200)
    columns["channel"] = np.array(["friends"] * 600 + ["search"] * 590 + ["tiny"] * 10)
    table(con, columns)
    fit(con, "m", "from h", model_type="mbg_nbd", entity_cols=["customer_id"],
        cohort_cols=["channel"], horizons=[30])  # fmt: skip
    found = {row["cohort"]: row for row in rows(con, "from m_fits()")}
    assert {name: row["status"] for name, row in found.items()} == {
        None: "ok", "friends": "ok", "search": "ok", "tiny": "too_few"
    }  # fmt: skip
    process = FAMILIES["mbg_nbd"]
    for name, source in (("friends", "friends"), ("tiny", None)):
        p = np.array([found[source][key] for key in process.names])
        answer = rows(
            con, f"from m_predict('h') where channel = '{name}' and frequency > 0 limit 1"
        )[0]
        data = one(answer["frequency"], answer["recency"], answer["age"])
        expected = process.expected_purchases(p, data, 30.0)
        assert [answer["predicted_purchases_30"]] == pytest.approx(expected, rel=1e-9)


def test_tables_that_open_mid_life_are_told_and_burn_in_helps() -> None:
    """Old customers pass for new ones: cut the first 300 days off a shop."""
    rng = np.random.default_rng(8)
    rows_ = []
    for born in rng.uniform(0, 600, 4000):
        rate, leave = rng.gamma(1.5, 1 / 60), rng.beta(1.0, 4.0)
        days, now = [born], born
        while True:
            now += rng.exponential(1 / rate)
            if now > 600:
                break
            days.append(now)
            if rng.random() < leave:
                break
        seen = sorted({int(day) - 300 for day in days if day >= 300})
        if seen:
            rows_.append((len(seen) - 1, seen[-1] - seen[0], 300 - seen[0]))
    x, t, age = np.array(rows_).T
    con = connect()
    table(con, {"frequency": x, "recency": t, "age": age})
    fit(con, "m", "from h", model_type="bg_nbd", entity_cols=["customer_id"])
    found = rows(con, "from m_fits()")[0]
    assert found["is_left_truncated"]
    notes = con.execute("select notices from m where is_champion").fetchall()[0][0]
    assert any("open in the middle" in note for note in notes)
    fit(con, "later", "from h", model_type="bg_nbd", entity_cols=["customer_id"], burn_in=75)
    later = rows(con, "from later_fits()")[0]
    assert not later["is_left_truncated"]
    assert later["mean_dropout"] == pytest.approx(found["mean_dropout_after_burn_in"], rel=0.02)
    assert abs(later["mean_dropout"] - 0.2) < abs(found["mean_dropout"] - 0.2)


def test_planted_process_of_the_simulated_shop_is_found_again(tmp_path: Path) -> None:
    """Regular orders of 3,000 customers, as raw rows and truth have them."""
    from martlet.cli import main

    assert main(["simulate", "--customers", "3000", "--truth", "--output", str(tmp_path)]) == 0
    con = connect()
    con.execute(
        f"""
        create table h as
        with days as (
            select distinct r.customer_id as c, cast(left(r.created_at, 10) as date) as d
            from '{tmp_path}/raw_orders.parquet' r
            inner join '{tmp_path}/truth/truth_orders.parquet' t using (order_id)
            where t.kind = 'regular' and r.customer_id is not null
                and try_cast(left(r.created_at, 10) as date) between '2020-01-01' and '2029-12-31')
        select c as customer_id, count(*) - 1 as frequency, max(d) - min(d) as recency,
            (select max(d) from days) - min(d) as age
        from days group by c
        """
    )
    fit(con, "m", "from h", model_type="bg_nbd", entity_cols=["customer_id"])
    found = rows(con, "from m_fits()")[0]
    names = {"r": "bgnbd_r", "alpha": "bgnbd_alpha", "a": "bgnbd_a", "b": "bgnbd_b"}
    planted = dict(
        con.execute(
            f"select name, value from '{tmp_path}/truth/truth_parameters.parquet'"
        ).fetchall()
    )
    for name, truth in names.items():
        gap = abs(found[name] - planted[truth]) / found[f"{name}_standard_error"]
        assert gap < 3, f"{name} is {gap:.1f} standard errors off"
