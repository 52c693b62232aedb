"""Probabilities and evaluation of recommenders, against scikit-learn and definitions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from martlet.similarity.evaluation import evaluate
from martlet.similarity.history import DAY, Window
from martlet.similarity.judging import Blend, Learning, Task
from martlet.similarity.probability import Shown, calibrate, calibration_error
from ml_support import columns, connect, fit, parameters, rows

#: Two users: one bought item 0 three times and 1 last; the other bought 1 and 2 at once.
WINDOW = Window(
    (3, 4),
    np.array([0, 0, 0, 0, 1, 1, 2]),
    np.array([0, 0, 0, 1, 1, 2, 2]),
    np.array([1, 2, 3, 3, 5, 5, 9]) * DAY,
)
LEARNING = Learning(200, 5, 0.0, 1.0, 0.7)


def test_later_orders_weigh_more_by_the_order_not_the_item() -> None:
    found = WINDOW.frequency(200, 0.5).toarray()
    assert found[0].tolist() == [0.25 + 0.5 + 1, 1, 0, 0]
    assert found[1].tolist() == [0, 1, 1, 0]


def test_popularity_ages_by_its_half_life() -> None:
    assert WINDOW.popularity().tolist() == [0.5, 1, 1, 0]
    # Last purchases 6, 6 and 4, 4 and 0 days before the last of all; half-life two days.
    aged = np.array([1 / 8, 1 / 8 + 1 / 4, 1 / 4 + 1, 0])
    assert WINDOW.popularity(2.0) == pytest.approx(aged / aged.max())


def test_next_orders_are_the_first_ones() -> None:
    first = WINDOW.next_orders()
    assert sorted(zip(first.user, first.item, strict=True)) == [(0, 0), (1, 1), (1, 2), (2, 2)]


def test_calibration_is_a_logistic_regression() -> None:
    generator = np.random.default_rng(0)
    score, orders = generator.lognormal(size=4000), generator.integers(1, 9, 4000).astype(float)
    days = generator.uniform(0, 300, 4000)
    chance = 1 / (1 + np.exp(2.5 - np.log(score) + 0.3 * np.log1p(days)))
    shown = Shown(score, orders, days, generator.uniform(size=4000) < chance)
    found = calibrate(shown)
    assert found is not None
    features = shown.features(found.floor)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    peer = LogisticRegression(C=1.0, tol=1e-10).fit(scaled, shown.bought)
    assert found.of(shown) == pytest.approx(peer.predict_proba(scaled)[:, 1], abs=1e-6)
    assert calibration_error(found.of(shown), shown.bought) < 0.02
    # A score that speaks against buying must not turn the order of the list around.
    turned = calibrate(Shown(1 / score, orders, days, shown.bought))
    assert turned is not None
    assert turned.score == 0


def test_nothing_bought_gives_no_probability() -> None:
    ones = np.ones(5)
    assert calibrate(Shown(ones, ones, ones, np.zeros(5, dtype=bool))) is None


def test_stored_function_tells_the_probability_of_numpy() -> None:
    con = connect()
    con.execute(
        "create table bought as select u::varchar as customer, (hash(u * 7 + o) % 12)::varchar "
        "as product, timestamp '2026-01-01' + interval (o * 9 + u % 5) day as bought_at "
        "from range(80) a(u), range(12) b(o) where hash(u + o) % 3 > 0"
    )
    fit(
        con, "m", "from bought", model_type="item_similarity", user_col="customer",
        item_col="product", time_col="bought_at", predicts="NEXT_ORDER",
    )  # fmt: skip
    own = parameters(con, "m")["probability"]
    last = con.execute("select max(bought_at) from bought").fetchall()[0][0]
    asked = rows(
        con,
        "select r.*, o.orders, o.last from m_recommend('bought', n := 3) as r inner join "
        "(select customer, count(distinct bought_at) as orders, max(bought_at) as last "
        "from bought group by 1) as o on o.customer = r.customer",
    )
    assert len(asked) == 240
    for row in asked:
        days = (last - row["last"]).total_seconds() / 86400
        logit = (
            own["intercept"] + own["score"] * np.log(row["score"] + own["floor"])
            + own["orders"] * np.log1p(row["orders"]) + own["days"] * np.log1p(days)
        )  # fmt: skip
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-logit)))
    con.execute("create table new as select 'x' as customer, null as product, null as bought_at")
    assert {row["probability"] for row in rows(con, "from m_recommend('new')")} == {None}
    checks = rows(con, "from m__probability")
    assert len(checks) == 1
    assert 0 <= checks[0]["calibration_error"] < 0.2


def test_evaluation_splits_repeats_from_discoveries() -> None:
    after = Window((3, 4), np.array([0, 0, 1]), np.array([0, 2, 3]), np.array([10, 10, 10]) * DAY)
    found = {
        (row["recommender"], row["target"]): row
        for row in evaluate(LEARNING, (), Blend("COSINE"), Task(False, 100), WINDOW, after)
    }
    # Of user 0's own products, frequency puts the one bought again first; user 1 repeats nothing.
    own = found["personal_frequency", "repeat"]
    assert (own["judged_user_count"], own["ndcg_at_10"], own["recall_at_10"]) == (1, 1, 1)
    new = found["popularity", "discovery"]
    assert new["judged_user_count"] == 2
    # User 0 has 2 and 3 left, in this order; user 1 has 0 and 3.
    assert new["ndcg_at_10"] == pytest.approx((1 + 1 / np.log2(3)) / 2)
    assert new["coverage"] == 3 / 4
    for row in found.values():
        assert row["ndcg_low"] <= row["ndcg_at_10"] <= row["ndcg_high"]
        assert 0 <= row["gini"] < 1
    assert found["popularity", "all"]["gain_over_popularity_low"] == 0


def test_without_later_purchases_there_is_nothing_to_judge() -> None:
    none = Window((3, 4), np.zeros(0, int), np.zeros(0, int), np.zeros(0, int))
    assert evaluate(LEARNING, (), Blend("COSINE"), Task(True, 100), WINDOW, none) == []


def test_a_shop_without_habits_ships_its_baseline() -> None:
    con = connect()
    con.execute(
        "create table bought as select u::varchar as customer, (hash(u * 31 + o) % 30)::varchar "
        "as product, timestamp '2026-01-01' + interval (o * 9 + u % 5) day as bought_at "
        "from range(60) a(u), range(10) b(o)"
    )
    fit(
        con, "m", "from bought", model_type="item_similarity", user_col="customer",
        item_col="product", time_col="bought_at",
    )  # fmt: skip
    assert parameters(con, "m")["blend"]["kind"] in {"popularity", "personal_frequency"}
    own = rows(con, "from m__evaluation where is_shipped and target = 'all' and split = 'judged'")
    assert own[0]["shipped_kind"] == parameters(con, "m")["blend"]["kind"]
    assert "probability" in columns(con, "from m_recommend('bought')")
