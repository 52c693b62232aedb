"""Customer segments: the measures against scikit-learn, the choice, the numbers, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from martlet.clustering.comparison import Rules, compare
from martlet.clustering.hdbscan import hdbscan
from martlet.clustering.lloyd import kmeans
from martlet.clustering.naming import keep_numbers, name_clusters
from martlet.clustering.transforms import learn_columns, standardized
from martlet.clustering.validity import (
    adjusted_rand,
    calinski_harabasz,
    davies_bouldin,
    silhouettes,
    simplified_silhouette,
)
from martlet.errors import MartletError
from ml_support import columns, connect, fit, parameters, rows

ONLINE_RETAIL = (
    Path(__file__).resolve().parents[3] / "shared" / "data" / "online_retail/online_retail.parquet"
)
needs_online_retail = pytest.mark.skipif(
    not ONLINE_RETAIL.is_file(), reason=f"the Online Retail data set is not at {ONLINE_RETAIL}"
)

CONFIG: dict[str, Any] = {
    "model_type": "customer_segments",
    "entity_cols": ["customer_id"],
    "as_of_col": "as_of_date",
    "starts": 4,
    "bootstrap_samples": 4,
    "max_clusters": 5,
    "compare_density": False,
}


def blobs(rows: int = 400, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centres = np.array([[0, 0, 0], [6, 0, 0], [0, 6, 1], [6, 6, 5]])
    return centres[generator.integers(4, size=rows)] + generator.normal(size=(rows, 3))


def shop(con: duckdb.DuckDBPyConnection, rows: int = 600, name: str = "customers") -> None:
    """Three kinds of customers."""
    con.execute(f"""
        create or replace table {name} as
        select
            i as customer_id,
            date '2025-06-01' as as_of_date,
            case i % 3 when 0 then 5 when 1 then 60 else 300 end + i % 7 as recency_days,
            case i % 3 when 0 then 12 + i % 2 when 1 then 3 + i % 2 else 1 end as frequency,
            (case i % 3 when 0 then 900 when 1 then 150 else 30 end * (1 + (i % 11) / 20.0))::double
                as monetary_amount
        from range({rows}) as r(i)
    """)


def test_measures_equal_those_of_scikit_learn() -> None:
    from sklearn import metrics

    points = blobs()
    found = [kmeans(points, clusters, np.random.default_rng(1)) for clusters in (2, 4, 7)]
    scores = silhouettes(points, [item.labels for item in found])
    for item, score in zip(found, scores, strict=True):
        labels = item.labels
        expected = metrics.silhouette_score(points, labels)
        assert score.value == pytest.approx(expected, abs=1e-9)
        assert score.standard_error == 0
        bouldin = metrics.davies_bouldin_score(points, labels)
        assert davies_bouldin(points, labels) == pytest.approx(bouldin)
        harabasz = metrics.calinski_harabasz_score(points, labels)
        assert calinski_harabasz(points, labels) == pytest.approx(harabasz)
        other = found[0].labels
        rand = metrics.adjusted_rand_score(labels, other)
        assert adjusted_rand(labels, other) == pytest.approx(rand)


def test_drawn_silhouette_is_near_the_full_one_and_says_how_near() -> None:
    points = blobs(3000)
    labels = kmeans(points, 4, np.random.default_rng(1)).labels
    whole = silhouettes(points, [labels])[0]
    drawn = silhouettes(points, [labels], np.random.default_rng(2), scored=300)[0]
    assert drawn.scored == 300
    assert 0 < drawn.standard_error < 0.02
    assert abs(drawn.value - whole.value) < 3 * drawn.standard_error


def test_kmeans_is_as_good_as_that_of_scikit_learn_also_with_weights() -> None:
    from sklearn.cluster import KMeans

    points = blobs()
    weights = np.random.default_rng(3).integers(0, 4, size=len(points)).astype(float)
    for clusters in (4, 6):
        for weight in (None, weights):
            mine = kmeans(points, clusters, np.random.default_rng(1), weights=weight)
            peer = KMeans(clusters, n_init=10, random_state=0).fit(points, sample_weight=weight)
            assert mine.inertia <= peer.inertia_ * 1.002


@pytest.mark.parametrize("smallest", [8, 20])
def test_hdbscan_equals_that_of_scikit_learn(smallest: int) -> None:
    from sklearn.cluster import HDBSCAN

    points = np.vstack([blobs(), np.random.default_rng(5).uniform(-4, 10, size=(80, 3))])
    peer = HDBSCAN(min_cluster_size=smallest, copy=True).fit(points).labels_
    mine = hdbscan(points, smallest)
    assert peer.max() > 0
    # Equal reachability distances leave a row here and there on either side.
    assert adjusted_rand(mine + 1, peer + 1) > 0.98


def test_hdbscan_of_equal_or_few_rows_has_an_answer() -> None:
    assert set(hdbscan(np.zeros((50, 2)), 5)) <= {-1, 0, 1}
    assert set(hdbscan(np.zeros((3, 2)), 5)) == {-1}


def test_yeo_johnson_equals_that_of_scikit_learn_and_can_be_undone() -> None:
    from sklearn.preprocessing import PowerTransformer

    generator = np.random.default_rng(4)
    matrix = np.column_stack([generator.lognormal(size=500), generator.normal(size=500) - 1])
    peer = PowerTransformer().fit(matrix)
    learned = learn_columns(matrix, "yeo_johnson")
    assert [item.power for item in learned] == pytest.approx(peer.lambdas_, abs=2e-3)
    shown = standardized(matrix, learned)
    assert np.abs(shown - peer.transform(matrix)).max() < 0.01
    again = [[item.invert(v) for item, v in zip(learned, row, strict=True)] for row in shown]
    assert np.allclose(again, matrix)


@needs_online_retail
def test_online_retail_has_the_known_silhouette_and_davies_bouldin() -> None:
    con = connect()
    table = con.execute(f"""
        select date_diff('day', max(invoice_date)::date, date '2011-12-10')::double,
            count(distinct invoice_no)::double, sum(quantity * unit_price)
        from '{ONLINE_RETAIL}'
        where customer_id is not null and invoice_no not like 'C%' and quantity > 0
            and unit_price > 0
        group by customer_id order by customer_id
    """).fetchnumpy()
    matrix = np.column_stack(list(table.values())).astype(float)
    assert matrix.shape == (4338, 3)
    assert matrix.mean(axis=0) == pytest.approx([93.0595, 4.2720, 2054.2665], abs=1e-4)
    rules = Rules(transforms=("log",), resamples=6, with_density=False)
    found = compare(matrix, rules, np.random.default_rng(0))
    scan = {item.clusters: item for item in found.candidates}
    # scikit-learn 1.9.1, KMeans(n_init=10, random_state=42), every distance.
    silhouette = (0.4326, 0.3364, 0.3355, 0.3182, 0.3156, 0.3101, 0.3020, 0.2812, 0.2763)
    bouldin = (0.8909, 1.0452, 1.0157, 0.9827, 1.0215, 0.9774, 0.9913, 1.0202, 1.0265)
    inertia = (6474.15, 4856.59, 3924.46, 3268.21, 2840.15, 2533.02, 2325.52, 2145.04, 1990.13)
    for clusters in range(2, 6):
        assert scan[clusters].silhouette.value == pytest.approx(silhouette[clusters - 2], abs=3e-3)
        assert scan[clusters].davies_bouldin == pytest.approx(bouldin[clusters - 2], abs=3e-3)
    for clusters in range(2, 11):
        # A better optimum than the published one is allowed: then the other two may differ.
        assert scan[clusters].inertia < inertia[clusters - 2] * 1.001
    assert found.chosen.clusters == 4
    assert scan[4].agreement > 0.85


def test_the_fit_answers_in_sql_what_python_answers() -> None:
    con = connect()
    shop(con)
    assert fit(con, "segments", "from customers", **CONFIG).status == "trained"
    row = rows(con, "from segments")[0]
    assert row["scoring_difference"] < 1e-9
    assert columns(con, "from segments_predict('customers')") == [
        "customer_id", "as_of_date", "recency_days", "frequency", "monetary_amount",
        "segment_id", "segment_name", "distance", "margin", "trained_as_of_date",
    ]  # fmt: skip
    names = rows(con, "select segment_id, segment_name, row_count from segments__segments")
    assert [(item["segment_id"], item["row_count"]) for item in names] == [
        (1, 200), (2, 200), (3, 200),
    ]  # fmt: skip
    assert names[0]["segment_name"] == "recent frequent high spend"
    assert names[2]["segment_name"] == "lapsed one-time low spend"
    scan = rows(con, "from segments__scan where is_chosen")
    assert [(item["cluster_count"], item["passes_gates"]) for item in scan] == [(3, True)]
    metrics = rows(con, "from segments_evaluate()")[0]
    values = con.query("select * exclude (customer_id, as_of_date) from customers").fetchnumpy()
    matrix = np.column_stack(list(values.values())).astype(float)
    points = standardized(matrix, learn_columns(matrix, scan[0]["transform"]))
    centroids = np.array(parameters(con, "segments")["centroids"])
    expected = simplified_silhouette(points, centroids)
    assert metrics["simplified_silhouette"] == pytest.approx(expected)


@pytest.mark.parametrize("transform", ["log", "yeo_johnson", "none"])
def test_hostile_rows_get_a_segment(transform: str) -> None:
    con = connect()
    shop(con)
    con.execute("update customers set monetary_amount = -5 where customer_id = 1")
    fit(con, "segments", "from customers", **CONFIG, numeric_transforms=[transform])
    assert rows(con, "from segments")[0]["scoring_difference"] < 1e-9
    con.execute("""
        create table hostile as select 0 as customer_id, date '2025-06-01' as as_of_date, *
        from (values (null::bigint, null::bigint, null::double), (1, 50000, 1e300),
            (-5, -1, 'nan'::double), (9223372036854775807, 0, 'inf'::double), (1, 1, -1e18))
            as t(recency_days, frequency, monetary_amount)
    """)
    found = rows(con, "from segments_predict('hostile')")
    assert len(found) == 5
    assert all(row["segment_id"] in (1, 2, 3, 4, 5) for row in found)
    assert all(np.isfinite(row["distance"]) and row["margin"] >= 0 for row in found)


def test_segments_keep_their_numbers_and_new_ones_get_new_numbers() -> None:
    con = connect()
    shop(con)
    fit(con, "segments", "from customers", **CONFIG)
    con.execute("update customers set recency_days = recency_days + 3, frequency = frequency + 1")
    con.execute("delete from customers where customer_id % 3 = 2 and customer_id % 4 > 0")
    assert (
        fit(con, "segments", "from customers", **CONFIG, champion_tolerance=1).status == "trained"
    )
    second = rows(con, "from segments__segments where model_version = 2 order by segment_id")
    assert [(row["segment_id"], row["is_new"]) for row in second] == [
        (1, False), (2, False), (3, False),
    ]  # fmt: skip
    assert second[0]["segment_name"] == "recent frequent high spend"
    assert parameters(con, "segments")["previous_version"] == 1
    # The lapsed leave, and another kind of customer comes.
    con.execute("delete from customers where customer_id % 3 = 2")
    con.execute("""
        insert into customers select 1000 + i, date '2025-07-01', 700 + i % 9, 40, 60000.0 + i % 7
        from range(200) as r(i)
    """)
    fit(con, "segments", "from customers", **CONFIG, champion_tolerance=1)
    third = rows(con, "from segments__segments where model_version = 3 order by segment_id")
    assert [row["segment_id"] for row in third if row["is_new"]] == [4]
    assert not {row["segment_id"] for row in third if not row["is_new"]} - {1, 2}


def test_numbers_of_segments_that_went_are_never_used_again() -> None:
    before = {2: np.array([0.0, 0.0]), 5: np.array([9.0, 9.0])}
    numbers, free = keep_numbers(
        np.array([[0.1, 0.0], [0.0, -9.0], [4.0, 0.0]]), before, 7, [2, 1, 0]
    )
    assert numbers == [2, 8, 7]
    assert free == 9


def test_names_differ_and_tell_what_is_remarkable() -> None:
    names = ["recency_days", "frequency", "monetary_amount", "return_rate"]
    matrix = np.array([[1, 9, 90, 0], [2, 9, 80, 0], [60, 1, 10, 0.9], [60, 1, 10, 0.0]] * 5, float)
    labels = np.array([0, 0, 1, 2] * 5)
    centroids = np.array([[-1, 1, 1, -0.5], [1, -1, -1, 1.7], [1, -1, -1, -0.6]], float)
    roles = names[:3]
    assert name_clusters(names, matrix, labels, centroids, roles) == [
        "recent frequent high spend",
        "lapsed one-time low spend, many returns",
        "lapsed one-time low spend",
    ]
    alike = name_clusters(
        names[:3], matrix[:, :3], labels, centroids[:, :3] + [[0], [0.1], [0]], roles
    )
    assert len(set(alike)) == 3
    assert alike[1] != alike[2]


def test_too_few_or_equal_customers_are_a_status() -> None:
    con = connect()
    shop(con, 49)
    outcome = fit(con, "few", "from customers", **CONFIG)
    assert outcome.status == "insufficient_data"
    assert "49 rows, at least 50 are needed" in outcome.warnings[0]
    assert rows(con, "from few_predict('customers')") == []
    assert rows(con, "from few__scan") == []
    con.execute("create table alike as select i as customer_id, date '2025-06-01' as as_of_date, "
                "10 as recency_days, 1 as frequency, 20.0::double as monetary_amount "
                "from range(500) r(i)")  # fmt: skip
    outcome = fit(con, "alike_segments", "from alike", **CONFIG)
    assert outcome.status == "insufficient_data"
    assert "500 rows, of which 1 are different" in outcome.warnings[0]


def test_one_purchase_each_and_one_with_50000_orders_make_segments() -> None:
    con = connect()
    shop(con, 600)
    con.execute("update customers set frequency = 1")
    assert fit(con, "single", "from customers", **CONFIG).status == "trained"
    assert rows(con, "from single")[0]["scoring_difference"] < 1e-9
    shop(con, 600)
    con.execute(
        "update customers set frequency = 50000, monetary_amount = 4e6 where customer_id = 0"
    )
    assert fit(con, "giant", "from customers", **CONFIG).status == "trained"
    scan = rows(con, "from giant__scan where is_chosen")[0]
    assert scan["smallest_share"] >= 0.02


def test_mistakes_are_named() -> None:
    con = connect()
    shop(con)
    with pytest.raises(MartletError, match="takes numbers only, column 'country' is VARCHAR"):
        fit(con, "a", "select *, 'DE' as country from customers", **CONFIG)
    with pytest.raises(MartletError, match="numeric_transforms has no 'logg'"):
        fit(con, "b", "from customers", **CONFIG, numeric_transforms=["logg"])
    with pytest.raises(MartletError, match=r"max_clusters \(5\) is below min_clusters \(6\)"):
        fit(con, "c", "from customers", **CONFIG, min_clusters=6)


def test_same_seed_same_segments_and_many_rows_are_sampled() -> None:
    con = connect()
    shop(con, 3000)
    small = CONFIG | {"scan_rows": 500, "silhouette_rows": 200}
    fit(con, "one", "from customers", **small)
    fit(con, "two", "from customers order by monetary_amount", **small)
    assert parameters(con, "one") == parameters(con, "two")
    found = parameters(con, "one")
    assert found["silhouette_scored_rows"] == 1000 or found["silhouette_scored_rows"] == 200
    assert found["silhouette_standard_error"] >= 0
    assert json.loads(rows(con, "from one")[0]["metrics"])["simplified_silhouette"] > 0.5
    assert rows(con, "select sum(row_count)::int as n from one__segments") == [{"n": 3000}]
