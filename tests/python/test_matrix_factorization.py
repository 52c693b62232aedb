"""Matrix factorization: vectors against a row-by-row oracle, answers against NumPy."""

from __future__ import annotations

import itertools
import json
from typing import Any

import duckdb
import numpy as np
import pytest

from martlet.errors import MartletError
from martlet.factorization.top import recommend_top
from ml_support import columns, connect, fit, parameters, rows, types

#: 40 users with a taste for one of two kinds of 12 items; ids of numbers and of text.
RATINGS = """
create table ratings as
select u as user, 'item ' || i as item,
    3 + case when u % 2 = i % 2 then 1.0 else -1.0 end + (u % 5) * 0.1 + ((u * 7 + i * 3) % 4) * 0.1
    as rating, (u * u + i) % 5 = 1 as held_out
from range(40) a(u), range(12) b(i)
where (u * u * 5 + i * i * 11 + u // 3) % 7 > 1 and (u % 2 = i % 2 or (u + i // 2) % 3 = 0)
"""
NAMES = {"model_type": "matrix_factorization"}


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = connect()
    con.execute(RATINGS)
    return con


def vectors(con: duckdb.DuckDBPyConnection, part: str, name: str = "m") -> dict[str, Any]:
    key = part.removesuffix("s") + "_id"
    found = con.execute(
        f"select {key}, factors, intercept from {name}__{part} order by all"
    ).fetchall()
    return {row[0]: (np.array(row[1]), row[2]) for row in found}


@pytest.mark.parametrize("weigh", [False, True])
def test_explicit_users_solve_their_ridge_regression(
    con: duckdb.DuckDBPyConnection, weigh: bool
) -> None:
    fit(
        con,
        "m",
        "select user, item, rating from ratings",
        **NAMES,
        num_factors=3,
        l2_reg=0.5,
        weigh_l2_reg=weigh,
    )
    items, users = vectors(con, "items"), vectors(con, "users")
    mean = con.execute("select avg(rating)::double from ratings").fetchall()[0][0]
    assert parameters(con, "m")["global_intercept"] == pytest.approx(mean)
    for user in ("0", "7", "39"):
        rated = con.execute(f"select item, rating::double from ratings where user = {user}")
        given = rated.fetchall()
        design = np.array([[*items[item][0], 1.0] for item, _ in given])
        wanted = np.array([rating - mean - items[item][1] for item, rating in given])
        ridge = 0.5 * (len(given) if weigh else 1)
        solved = np.linalg.solve(design.T @ design + ridge * np.eye(4), design.T @ wanted)
        assert [*users[user][0], users[user][1]] == pytest.approx(solved, abs=1e-5)


def test_implicit_users_solve_their_weighted_regression(con: duckdb.DuckDBPyConnection) -> None:
    fit(
        con,
        "m",
        "select user, item, 1 + user % 3 as rating from ratings",
        **NAMES,
        feedback_type="implicit",
        num_factors=3,
        wals_alpha=5,
        l2_reg=0.7,
    )
    items, users = vectors(con, "items"), vectors(con, "users")
    for user in ("0", "7", "39"):
        rated = {
            r[0] for r in con.execute(f"select item from ratings where user={user}").fetchall()
        }
        value = 1 + int(user) % 3
        # Every item counts: with confidence 1 + alpha * r when seen, else 1.
        design = np.array([vector for vector, _ in items.values()])
        weight = np.array([1 + 5 * value if item in rated else 1 for item in items])
        wanted = np.array([float(item in rated) for item in items])
        normal = design.T @ (design * weight[:, None]) + 0.7 * np.eye(3)
        solved = np.linalg.solve(normal, design.T @ (weight * wanted))
        assert users[user][0] == pytest.approx(solved, abs=1e-5)


def test_recommend_has_the_columns_and_rows_of_bigquery(con: duckdb.DuckDBPyConnection) -> None:
    fit(con, "m", "select user, item, rating from ratings", **NAMES)
    assert types(con, "from m_recommend()") == {
        "user": "BIGINT",
        "item": "VARCHAR",
        "predicted_rating": "DOUBLE",
    }
    assert len(rows(con, "from m_recommend()")) == 40 * 12
    con.execute(
        "create table asked as select 3::bigint as user union all select 99 union select null"
    )
    assert len(rows(con, "from m_recommend('asked')")) == 2 * 12
    con.execute("create table goods as select 'item 3' as item union all select 'new'")
    assert len(rows(con, "from m_recommend('goods')")) == 2 * 40
    con.execute(
        "create table pairs as from (values (3, 'item 3'), (99, 'item 3'), (3, 'new'), "
        "(99, 'new'), (null, 'item 3')) t(user, item)"
    )
    found = {
        (r["user"], r["item"]): r["predicted_rating"]
        for r in rows(con, "from m_recommend('pairs')")
    }
    intercept, users, items = (
        parameters(con, "m")["global_intercept"],
        vectors(con, "users"),
        vectors(con, "items"),
    )
    assert found[99, "new"] == pytest.approx(intercept)
    assert found[99, "item 3"] == pytest.approx(intercept + items["item 3"][1])
    assert found[3, "new"] == pytest.approx(intercept + users["3"][1])
    whole = users["3"][1] + items["item 3"][1] + users["3"][0] @ items["item 3"][0]
    assert found[3, "item 3"] == pytest.approx(intercept + whole, abs=1e-5)
    assert len(found) == 4
    predicted = rows(con, "from m_predict('pairs') where user = 3 and item = 'item 3'")
    assert predicted[0]["predicted_rating"] == pytest.approx(found[3, "item 3"])
    unseen = rows(con, "from m_recommend('asked', unseen_only := true) where user = 3")
    seen = rows(con, "select item from ratings where user = 3")
    assert len(unseen) == 12 - len(seen)
    assert not {r["item"] for r in unseen} & {r["item"] for r in seen}


def test_top_of_sql_is_the_top_of_numpy(con: duckdb.DuckDBPyConnection) -> None:
    fit(con, "m", "select user, item, 1 as rating from ratings", **NAMES, feedback_type="implicit")
    users, items = vectors(con, "users"), vectors(con, "items")
    names = list(items)
    matrix = np.array([vector for vector, _ in items.values()], dtype=np.float32)
    found = con.execute(
        "select user, item, rank from m_recommend_top('ratings', n := 4) order by user, rank"
    ).fetchall()
    wanted = []
    for user in sorted(users, key=int):
        seen = {r[0] for r in con.execute(f"select item from ratings where user={user}").fetchall()}
        scores = matrix @ users[user][0].astype(np.float32)
        order = [k for k in np.lexsort((np.arange(12), -scores)) if names[k] not in seen]
        wanted += [(int(user), names[k], rank) for rank, k in enumerate(order[:4], start=1)]
    assert found == wanted
    assert columns(con, "from m_recommend_top('ratings')") == [
        "user",
        "item",
        "rank",
        "predicted_rating_confidence",
    ]
    kept = con.execute("select count(*) from m_recommend_top('ratings', unseen_only := false)")
    assert kept.fetchall() == [(400,)]


@pytest.mark.parametrize("kind", ["explicit", "implicit"])
def test_blocks_give_the_rows_of_the_stored_function(
    con: duckdb.DuckDBPyConnection, kind: str
) -> None:
    fit(con, "m", "select user, item, rating from ratings", **NAMES, feedback_type=kind)
    # Vectors of nothing, so that all items tie, and two items with one vector.
    con.execute("update m__users set factors = [0, 0, 0, 0, 0, 0, 0, 0] where user_id = '7'")
    con.execute(
        "update m__items set factors = (select any_value(factors) from m__items "
        "where item_id = 'item 5') where item_id = 'item 3'"
    )
    con.execute(
        "create table asked as select user from ratings union all values (98), (99), (null)"
    )
    nobody = con.query("select user from asked where user > 98").to_arrow_table()
    for n, unseen_only in itertools.product((0, 1, 10, 12, 50), (True, False)):
        function = f"m_recommend_top('asked', n := {n}, unseen_only := {unseen_only})"
        in_sql = con.query(f"from {function} order by 1, 3").to_arrow_table()
        assert recommend_top(con, "m", con.table("asked"), n, unseen_only).equals(in_sql)
        assert recommend_top(con, "main.m", nobody, n, unseen_only).num_rows == min(n, 12)


def test_blocks_refuse_what_has_no_vectors(con: duckdb.DuckDBPyConnection) -> None:
    fit(con, "m", "select user, item, rating from ratings", **NAMES)
    with pytest.raises(MartletError, match="have no column 'user'"):
        recommend_top(con, "m", con.query("select 1 as customer"))
    fit(con, "one", "select user, item, rating from ratings where user = 1", **NAMES)
    assert recommend_top(con, "one", con.table("ratings")).num_rows == 0
    fit(con, "k", "select user, rating from ratings", model_type="kmeans", num_clusters=2)
    with pytest.raises(MartletError, match="no fitted matrix factorization: it is of type kmeans"):
        recommend_top(con, "k", con.table("ratings"))


def given(con: duckdb.DuckDBPyConnection, user: int) -> list[tuple[str, float, float]]:
    """Return what a user of ``other`` told: pairs put together, unknown items left out."""
    rated = con.execute(
        "select item, sum(rating)::double, avg(rating)::double from other "
        f"where user = {user} and rating is not null group by item order by 1"
    ).fetchall()
    return [(item, total, mean) for item, total, mean in rated]


#: Users that training has not seen: usual ones, one without a known item, one with a long history.
OTHER = """
create table other as
select 1000 + u as user, 'item ' || i as item, 1 + (u + i) % 4 as rating
from range(20) a(u), range(12) b(i) where (u * 3 + i * 5) % 7 < 1 + u % 6
union all select 1000, 'item 3', 2 union all select 1001, 'never seen', 5
union all select 1002, 'item 4', null union all select null, 'item 4', 1
union all select 2000, 'never seen', 1
union all select 3000, 'item ' || (n % 12), 1 from range(5000) t(n)
"""


@pytest.mark.parametrize("weigh", [False, True])
@pytest.mark.parametrize("feedback", ["explicit", "implicit"])
def test_new_users_are_folded_in_exactly(
    con: duckdb.DuckDBPyConnection, feedback: str, weigh: bool
) -> None:
    options = {"num_factors": 5, "wals_alpha": 3, "l2_reg": 0.4, "weigh_l2_reg": weigh}
    query = "select user, item, rating from ratings"
    fit(con, "m", query, **NAMES, feedback_type=feedback, **options)
    con.execute(OTHER)
    items, mean = vectors(con, "items"), parameters(con, "m")["global_intercept"]
    found = {r["user"]: r for r in rows(con, "from m_fold_in('other')")}
    assert set(found) == {*range(1000, 1020), 2000, 3000}
    for user, row in found.items():
        rated = [one for one in given(con, user) if one[0] in items]
        assert row["rating_count"] == len(rated)
        if feedback == "explicit":
            design = np.array([[*items[i][0], 1.0] for i, _, _ in rated]).reshape(-1, 6)
            wanted = np.array([r - mean - items[i][1] for i, _, r in rated])
            weight, total = np.ones(len(rated)), len(rated)
        else:
            told = {i: total for i, total, _ in rated}
            design = np.array([vector for vector, _ in items.values()])
            weight = np.array([1 + 3 * told.get(i, 0) for i in items])
            wanted, total = np.array([float(i in told) for i in items]), weight.sum()
        ridge = max(0.4 * (total if weigh else 1), 1e-9) * np.eye(design.shape[1])
        normal = design.T @ (design * weight[:, None]) + ridge
        solved = np.linalg.solve(normal, design.T @ (weight * wanted))
        ours = row["factors"] + [row["intercept"]] * (feedback == "explicit")
        assert ours == pytest.approx(solved, abs=1e-6)
    # What training knows already is folded in to what it learned.
    con.execute("create table known as select user, item, rating from ratings")
    users = vectors(con, "users")
    for row in rows(con, "from m_fold_in('known')"):
        assert row["factors"] == pytest.approx(users[str(row["user"])][0], abs=1e-5)


@pytest.mark.parametrize("feedback", ["explicit", "implicit"])
def test_new_users_get_the_best_of_their_vector(
    con: duckdb.DuckDBPyConnection, feedback: str
) -> None:
    query = "select user, item, rating from ratings"
    fit(con, "m", query, **NAMES, feedback_type=feedback)
    con.execute(OTHER)
    items, mean = vectors(con, "items"), parameters(con, "m")["global_intercept"]
    name = "predicted_rating" + "_confidence" * (feedback == "implicit")
    found = rows(con, "from m_recommend_new('other', n := 3) order by user, rank")
    for row in rows(con, "from m_fold_in('other')"):
        seen = {item for item, *_ in given(con, row["user"])}
        scores = {
            item: mean + row["intercept"] + own + np.dot(row["factors"], vector)
            for item, (vector, own) in items.items()
            if item not in seen
        }
        mine = [r for r in found if r["user"] == row["user"]]
        assert len(mine) == min(3, len(scores))
        assert [r[name] for r in mine] == pytest.approx(
            sorted(scores.values(), reverse=True)[:3], abs=1e-5
        )
        assert [scores[r["item"]] for r in mine] == pytest.approx([r[name] for r in mine], abs=1e-5)


def test_negative_events_of_new_users_are_an_error(con: duckdb.DuckDBPyConnection) -> None:
    fit(con, "m", "select user, item, 1 as rating from ratings", **NAMES, feedback_type="implicit")
    con.execute("create table other as select 1 as user, 'item 1' as item, -1 as rating")
    with pytest.raises(duckdb.Error, match="implicit feedback counts events"):
        con.execute("from m_fold_in('other')").fetchall()


def test_the_floor_leaves_out_nothing(con: duckdb.DuckDBPyConnection) -> None:
    """More items than give the floor, some vectors ten times as long; ties are many."""
    con.execute(
        "create table many as select u as user, i as item, 1 as rating "
        "from range(60) a(u), range(900) b(i) where hash(u * 1000 + i) % 1000 < 5 + 200 // (1 + i)"
    )
    fit(con, "m", "from many", **NAMES, feedback_type="implicit", num_factors=6)
    found = con.execute("from m_recommend_top('many', n := 7) order by user, rank").fetchall()
    con.execute("create table asked as select distinct user from many")
    wanted = con.execute(
        "select user, item, row_number() over (partition by user order by s desc, item_number) "
        "as place, s from (select r.user, r.item, r.predicted_rating_confidence as s, "
        "i.item_number from m_recommend('asked', unseen_only := true) as r "
        "inner join m__items as i on i.item_id = r.item::varchar) qualify place <= 7 order by 1, 3"
    ).fetchall()
    assert found == wanted
    assert len(found) == 60 * 7


def test_weights_and_explicit_metrics(con: duckdb.DuckDBPyConnection) -> None:
    fit(con, "m", "from ratings", **NAMES, data_split_method="custom", data_split_col="held_out")
    found = rows(con, "from m_weights()")
    assert len(found) == 40 + 12 + 1
    last = next(r for r in found if r["processed_input"] == "global__INTERCEPT__")
    assert last["intercept"] == pytest.approx(parameters(con, "m")["global_intercept"])
    assert [w["factor"] for w in found[0]["factor_weights"]] == list(
        range(1, parameters(con, "m")["num_factors"] + 1)
    )
    metrics = rows(con, "from m_evaluate()")[0]
    judged = rows(
        con,
        "select rating::double as y, predicted_rating as p from m_predict('ratings') "
        "where held_out",
    )
    error = np.array([r["y"] - r["p"] for r in judged])
    assert metrics["mean_squared_error"] == pytest.approx(np.mean(error**2))
    assert metrics["r2_score"] > 0.7
    baseline = json.loads(rows(con, "from m")[0]["baseline_metrics"])
    assert baseline["mean_squared_error"] > 3 * metrics["mean_squared_error"]


def test_implicit_metrics_rank_held_out_items_among_unseen(con: duckdb.DuckDBPyConnection) -> None:
    fit(
        con,
        "m",
        "select user, item, 2 as rating, held_out from ratings",
        **NAMES,
        feedback_type="implicit",
        data_split_method="custom",
        data_split_col="held_out",
    )
    metrics = rows(con, "from m_evaluate()")[0]
    precision, gain, places = [], [], []
    scores = {
        (r["user"], r["item"]): r["predicted_rating_confidence"]
        for r in rows(con, "from m_recommend()")
    }
    items = sorted({item for _, item in scores})
    for user in sorted({user for user, _ in scores}):
        mine = rows(con, f"select item, held_out from ratings where user = {user}")
        wanted = {r["item"] for r in mine if r["held_out"]}
        learned = {r["item"] for r in mine if not r["held_out"]}
        order = sorted((i for i in items if i not in learned), key=lambda i: (-scores[user, i], i))
        at = [place for place, item in enumerate(order, start=1) if item in wanted]
        if not at:
            continue
        precision.append(np.mean([hit / place for hit, place in enumerate(at, start=1)]))
        ideal = sum(1 / np.log2(hit + 1) for hit in range(1, len(at) + 1))
        gain.append(sum(1 / np.log2(place + 1) for place in at) / ideal)
        places += [(place - 1) / (len(order) - 1) for place in at]
    assert list(metrics) == [
        "mean_average_precision",
        "mean_squared_error",
        "normalized_discounted_cumulative_gain",
        "average_rank",
    ]
    assert metrics["mean_average_precision"] == pytest.approx(np.mean(precision))
    assert metrics["normalized_discounted_cumulative_gain"] == pytest.approx(np.mean(gain))
    assert metrics["average_rank"] == pytest.approx(np.mean(places))
    baseline = json.loads(rows(con, "from m")[0]["baseline_metrics"])
    assert metrics["mean_average_precision"] > baseline["mean_average_precision"]


def test_the_same_rows_give_the_same_bytes(con: duckdb.DuckDBPyConnection) -> None:
    for name, order in (("a", "user, item"), ("b", "item desc, user desc")):
        fit(con, name, f"select user, item, rating from ratings order by {order}", **NAMES)
    assert con.execute("select count(*) from (from a__users except from b__users)").fetchall() == [
        (0,)
    ]


def test_repeated_missing_and_zero_ratings_are_told(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "insert into ratings (user, item, rating) values (0, 'item 1', 5), (null, 'x', 1), "
        "(1, null, 1), (1, 'item 2', null)"
    )
    outcome = fit(con, "m", "select user, item, rating from ratings", **NAMES)
    assert "3 rows without user, item or (finite) rating are left out" in outcome.log
    assert any("repeat a pair" in line for line in outcome.log)
    outcome = fit(
        con,
        "n",
        "select user, item, case when user = 1 then 0 else 1 end as rating from ratings",
        **NAMES,
        feedback_type="implicit",
    )
    assert any("pairs with a rating of 0" in line for line in outcome.log)
    assert len(rows(con, "from n__users where user_id = '1'")) == 0


def test_ratings_that_are_no_numbers_do_not_reach_the_metrics(
    con: duckdb.DuckDBPyConnection,
) -> None:
    fit(con, "m", "select user, item, rating::double as rating from ratings", **NAMES)
    con.execute(
        "create table odd as select user, item, rating::double as rating from ratings union all "
        "select 1, 'item 1', unnest(['nan'::double, 'inf'::double, '-inf'::double])"
    )
    outcome = fit(con, "n", "from odd", **NAMES)
    assert "3 rows without user, item or (finite) rating are left out" in outcome.log
    assert rows(con, "from n_evaluate()") == rows(con, "from m_evaluate()")
    assert rows(con, "from n_evaluate('odd')") == rows(con, "from m_evaluate('ratings')")


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        (
            "select user, item, -1 as rating from ratings",
            {"feedback_type": "implicit"},
            "implicit feedback counts events",
        ),
        ("select user, item, 'five' as rating from ratings", {}, "must be a number"),
        ("select [user] as user, item, rating from ratings", {}, "which is no id"),
        ("select user, item from ratings", {}, "rating"),
        ("select user, item, rating from ratings", {"num_factors": 1}, "at least 2"),
    ],
)
def test_bad_input_is_one_clear_error(
    con: duckdb.DuckDBPyConnection, query: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(MartletError, match=message):
        fit(con, "m", query, **NAMES, **options)


@pytest.mark.parametrize("feedback", ["explicit", "implicit"])
@pytest.mark.parametrize("where", ["user = 1", "item = 'item 1'", "false"])
def test_too_little_data_is_a_status(
    con: duckdb.DuckDBPyConnection, where: str, feedback: str
) -> None:
    query = f"select user, item, rating from ratings where {where}"
    assert fit(con, "m", query, **NAMES, feedback_type=feedback).status == "insufficient_data"
    for call in (
        "predict('ratings')",
        "recommend()",
        "recommend('ratings')",
        "weights()",
        "recommend_top('ratings', n := 3)",
        "recommend_new('ratings')",
        "fold_in('ratings')",
        "evaluate()",
    ):
        assert rows(con, f"from m_{call}") == []
    # The functions have the same columns as with enough data.
    empty = {
        call: columns(con, f"from m_{call}")
        for call in (
            "predict('ratings')",
            "recommend('ratings')",
            "recommend_top('ratings')",
            "recommend_new('ratings')",
            "fold_in('ratings')",
            "weights()",
            "evaluate()",
        )
    }
    fit(con, "m", "select user, item, rating from ratings", **NAMES, feedback_type=feedback)
    assert empty == {call: columns(con, f"from m_{call}") for call in empty}


def test_equal_ratings_predict_that_rating(con: duckdb.DuckDBPyConnection) -> None:
    fit(con, "m", "select user, item, 4 as rating from ratings", **NAMES)
    found = con.execute("select min(predicted_rating), max(predicted_rating) from m_recommend()")
    assert found.fetchall()[0] == pytest.approx((4.0, 4.0))


@pytest.mark.parametrize("feedback", ["explicit", "implicit"])
def test_a_user_with_100_000_ratings_is_one_user(
    con: duckdb.DuckDBPyConnection, feedback: str
) -> None:
    con.execute(
        "create table heavy as select user::varchar as user, item, rating::double as rating "
        "from ratings union all select 'reseller', 'item ' || (n % 12), 3 from range(100000) t(n)"
    )
    outcome = fit(con, "m", "from heavy", **NAMES, feedback_type=feedback, num_factors=3)
    assert outcome.status == "trained"
    found = rows(con, "from m__users where user_id = 'reseller'")
    assert [row["rating_count"] for row in found] == [12]
    assert np.isfinite(found[0]["factors"]).all()
    assert types(con, "from m_recommend()")["user"] == "VARCHAR"


def test_tuning_finds_the_better_ridge(con: duckdb.DuckDBPyConnection) -> None:
    fit(
        con,
        "m",
        "from ratings",
        **NAMES,
        num_trials=2,
        l2_reg="HPARAM_CANDIDATES([500, 0.5])",
        hparam_tuning_algorithm="grid_search",
        data_split_method="random",
    )
    assert [r["is_optimal"] for r in rows(con, "from m_trial_info()")] == [False, True]
