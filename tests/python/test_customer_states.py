"""Customer states: the likelihood against brute force and known figures, SQL against Python."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from martlet.errors import MartletError
from martlet.states.poisson_hmm import (
    PoissonHmm,
    filtered,
    fit_hmm,
    group_sequences,
    log_likelihoods,
)
from martlet.states.selection import weighted_auc
from ml_support import connect, fit, parameters, rows

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = {
    "cdnow": ("cdnow/cdnow_sample.parquet", "customer_id", "date", "true", "1998-03-01"),
    "online_retail": (
        "online_retail/online_retail.parquet", "customer_id", "invoice_date::date",
        "customer_id is not null and invoice_no not like 'C%' and quantity > 0 and unit_price > 0",
        "2011-09-01",
    ),
}  # fmt: skip
needs_data = pytest.mark.skipif(
    not all((DATA / item[0]).is_file() for item in SETS.values()),
    reason=f"the public data sets are not at {DATA}",
)
MODEL = PoissonHmm(
    np.array([0.6, 0.3, 0.1]),
    np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.05, 0.15, 0.8]]),
    np.array([0.1, 1.0, 4.0]),
)
CONFIG: dict[str, Any] = {
    "model_type": "poisson_hmm",
    "sequence_col": "customer_id",
    "period_col": "month_start",
    "count_col": "purchases",
    "starts": 4,
    "max_states": 3,
}


def simulate(
    con: duckdb.DuckDBPyConnection, customers: int = 300, periods: int = 24, seed: int = 0
) -> None:
    """Counts of a known model in the table `monthly`; customers join at different times."""
    generator = np.random.default_rng(seed)
    found = []
    for customer in range(customers):
        state = generator.choice(3, p=MODEL.start)
        for period in range(int(generator.integers(0, periods // 2)), periods):
            count = int(generator.poisson(MODEL.rates[state]))
            found.append((customer, period, count))
            state = generator.choice(3, p=MODEL.transitions[state])
    table = np.array(found)
    con.register("found", {name: table[:, i] for i, name in enumerate(("c", "p", "n"))})
    con.execute(
        "create or replace table monthly as select c as customer_id, "
        "(date '2023-01-01' + to_months(p::int))::date as month_start, n as purchases from found"
    )


def test_likelihood_and_filter_equal_the_sum_over_all_paths() -> None:
    counts = np.array([0, 2, 5, 0])
    total, ends = 0.0, np.zeros(3)
    for path in itertools.product(range(3), repeat=len(counts)):
        chance = MODEL.start[path[0]]
        for one, other in itertools.pairwise(path):
            chance *= MODEL.transitions[one, other]
        for state, count in zip(path, counts.tolist(), strict=True):
            rate = MODEL.rates[state]
            chance *= rate**count * math.exp(-rate) / math.factorial(count)
        total += chance
        ends[path[-1]] += chance
    sequences = group_sequences(np.zeros(4, dtype=np.int64), counts)
    _, logs = log_likelihoods(MODEL, sequences)
    assert logs.sum() == pytest.approx(math.log(total), abs=1e-12)
    assert filtered(MODEL, counts)[-1] == pytest.approx(ends / total, abs=1e-12)


def test_equal_sequences_are_counted_once() -> None:
    sequence = np.array([1, 1, 2, 3, 3, 4, 4, 4])
    counts = np.array([0, 1, 0, 0, 1, 0, 1, 0])
    grouped = group_sequences(sequence, counts)
    assert grouped.counts.tolist() == [[0, 1, 0], [0, 1, -1], [0, -1, -1]]
    assert grouped.weights.tolist() == [1, 2, 1]
    assert grouped.rows == 8


def panel(name: str) -> tuple[np.ndarray, np.ndarray]:
    file, customer, day, condition, until = SETS[name]
    found = (
        connect()
        .execute(f"""
        with days as (
            select distinct {customer} as id, {day} as d from '{DATA / file}' where {condition}
        ), births as (
            select id, date_trunc('month', min(d)) as birth from days where d < date '{until}'
            group by id
        ), months as (
            select id, unnest(generate_series(birth::timestamp,
                date '{until}' - interval 1 month, interval 1 month))::date as month
            from births
        )
        select months.id::bigint as id, count(days.d) as n
        from months left join days
            on days.id = months.id and date_trunc('month', days.d) = months.month
        group by months.id, months.month order by months.id, months.month
    """)
        .fetchnumpy()
    )
    return np.asarray(found["id"], np.int64), np.asarray(found["n"], np.int64)


@needs_data
@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        ("cdnow", 30703, (-16617.14, -12206.43, -11641.58, -11406.67)),
        ("online_retail", 20580, (None, -17425.15, -16359.72, -15925.74)),
    ],
)
def test_known_likelihoods_are_reached(
    name: str, rows: int, expected: tuple[float | None, ...]
) -> None:
    sequence, counts = panel(name)
    assert len(counts) == rows
    sequences = group_sequences(sequence, counts)
    for states, value in enumerate(expected, start=1):
        if value is not None:
            found = fit_hmm(sequences, states, np.random.default_rng(0))
            assert found.log_likelihood > value - 0.5


def test_starts_tried_on_a_part_end_where_all_sequences_lead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    con = connect()
    simulate(con, 600)
    found = con.execute(
        "select customer_id, purchases from monthly order by customer_id, month_start"
    ).fetchnumpy()
    sequences = group_sequences(
        np.asarray(found["customer_id"], np.int64), np.asarray(found["purchases"], np.int64)
    )
    whole = fit_hmm(sequences, 3, np.random.default_rng(1))
    monkeypatch.setattr("martlet.states.poisson_hmm.TRIED", 100)
    part = fit_hmm(sequences, 3, np.random.default_rng(1))
    assert part.log_likelihood == pytest.approx(whole.log_likelihood, abs=0.5)
    assert part.rates == pytest.approx(whole.rates, rel=0.01)


def test_planted_parameters_come_back_and_states_are_in_order() -> None:
    con = connect()
    simulate(con, 600)
    found = con.execute(
        "select customer_id, purchases from monthly order by customer_id, month_start"
    ).fetchnumpy()
    sequence = np.asarray(found["customer_id"], np.int64)
    sequences = group_sequences(sequence, np.asarray(found["purchases"], np.int64))
    model = fit_hmm(sequences, 3, np.random.default_rng(1))
    assert model.rates == pytest.approx(MODEL.rates, rel=0.15)
    assert np.abs(model.transitions - MODEL.transitions).max() < 0.05
    assert model.log_likelihood > log_likelihoods(MODEL, sequences)[1].sum(axis=1) @ (
        sequences.weights
    )
    assert model.transitions.sum(axis=1) == pytest.approx(1)


@pytest.fixture(scope="module")
def fitted() -> duckdb.DuckDBPyConnection:
    con = connect()
    simulate(con)
    assert fit(con, "states", "from monthly", **CONFIG).status == "trained"
    return con


def test_sql_filters_as_python_does(fitted: duckdb.DuckDBPyConnection) -> None:
    learned = parameters(fitted, "states")
    model = PoissonHmm(*(np.array(learned[name]) for name in ("start", "transitions", "rates")))
    for customer in (3, 77):
        found = rows(
            fitted,
            f"select * from states_predict('monthly') where customer_id = {customer} "
            "order by month_start",
        )
        expected = filtered(model, np.array([row["purchases"] for row in found]))
        given = np.array([row["state_probabilities"] for row in found])
        assert np.abs(given - expected).max() < 1e-12
        ahead = expected @ model.transitions
        assert (
            np.abs(np.array([r["next_state_probabilities"] for r in found]) - ahead).max() < 1e-12
        )
        chance = [row["next_purchase_probability"] for row in found]
        assert chance == pytest.approx(1 - ahead @ np.exp(-model.rates))
        assert [row["next_expected_count"] for row in found] == pytest.approx(ahead @ model.rates)
        assert [row["state_id"] for row in found] == (expected.argmax(axis=1) + 1).tolist()
    metrics = rows(fitted, "from states_evaluate()")[0]
    assert metrics["log_likelihood"] == pytest.approx(learned["log_likelihood"], abs=0.05)


def test_a_state_never_knows_of_later_months(fitted: duckdb.DuckDBPyConnection) -> None:
    fitted.execute("""
        create or replace temporary table changed as
        select customer_id, month_start,
            case when month_start < date '2024-06-01' then purchases else 9 end as purchases
        from monthly
    """)
    apart = rows(fitted, """
        select count(*) as n,
            count(*) filter (where one.state_probabilities <> two.state_probabilities) as differing
        from states_predict('monthly') as one
        join states_predict('changed') as two using (customer_id, month_start)
        where month_start < date '2024-06-01'
    """)[0]  # fmt: skip
    assert apart["n"] > 1000
    assert apart["differing"] == 0


def test_the_number_of_states_is_told_with_its_evidence(fitted: duckdb.DuckDBPyConnection) -> None:
    scan = rows(fitted, "from states__scan order by state_count")
    assert [row["state_count"] for row in scan] == [1, 2, 3]
    assert [row["is_chosen"] for row in scan] == [False, False, True]
    held = [row["held_out_log_likelihood_per_row"] for row in scan]
    assert held[0] < held[1] < held[2]
    assert scan[0]["held_out_auc"] == pytest.approx(0.5)
    assert scan[2]["held_out_auc"] > scan[0]["held_out_auc"] + 0.2
    names = rows(fitted, "from states__states order by state_id")
    assert [row["state_name"] for row in names] == ["quiet", "steady", "busy"]
    assert [row["rate"] for row in names] == sorted(row["rate"] for row in names)
    total = rows(fitted, "select sum(transition_probability) as s from states__transitions")
    assert total[0]["s"] == pytest.approx(3)


def test_weighted_auc_counts_pairs() -> None:
    scores, happened = np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, True, False, True])
    assert weighted_auc(scores, happened, np.ones(4)) == pytest.approx(3.5 / 4)
    assert weighted_auc(scores, happened, np.array([3.0, 1, 1, 1])) == pytest.approx(7.5 / 8)
    assert math.isnan(weighted_auc(scores, np.zeros(4, bool), np.ones(4)))


def test_few_and_empty_sequences_are_a_status() -> None:
    con = connect()
    simulate(con, 20)
    outcome = fit(con, "few", "from monthly", **CONFIG)
    assert outcome.status == "insufficient_data"
    assert "20 sequences, at least 50 are needed" in outcome.warnings[0]
    assert rows(con, "from few_predict('monthly')") == []
    simulate(con, 60)
    con.execute("update monthly set purchases = 0")
    assert "nothing was ever counted" in fit(con, "never", "from monthly", **CONFIG).warnings[0]


def test_identical_customers_busy_ones_and_short_histories_are_fitted() -> None:
    con = connect()
    simulate(con, 60, periods=2)
    assert fit(con, "short", "from monthly", **CONFIG).status == "trained"
    simulate(con, 60)
    con.execute("update monthly set purchases = 1")
    assert fit(con, "alike", "from monthly", **CONFIG).status == "trained"
    assert rows(con, "from alike__scan where is_chosen")[0]["state_count"] == 1
    simulate(con, 60)
    con.execute("update monthly set purchases = 50000 where customer_id = 0")
    assert fit(con, "giant", "from monthly", **CONFIG).status == "trained"
    found = rows(con, "from giant_predict('monthly')")
    assert all(np.isfinite(row["log_likelihood"]) for row in found)
    assert all(sum(row["state_probabilities"]) == pytest.approx(1) for row in found)


def test_mistakes_are_named() -> None:
    con = connect()
    simulate(con, 60)
    with pytest.raises(MartletError, match="must be a whole number from 0 up, 1 rows have"):
        fit(con, "a", "select * replace (case when customer_id = 1 and month_start = '2024-12-01' "
            "then -1 else purchases end as purchases) from monthly", **CONFIG)  # fmt: skip
    with pytest.raises(MartletError, match="one row a sequence and period"):
        fit(con, "b", "from monthly union all from monthly", **CONFIG)
    with pytest.raises(MartletError, match="period_col|'month'"):
        fit(con, "c", "from monthly", **(CONFIG | {"period_col": "month"}))
