"""Item similarity: measures against definitions, recommendations in SQL against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from martlet.errors import MartletError
from martlet.similarity.history import Window, load_history
from martlet.similarity.judging import Blend, Learning, scores
from martlet.similarity.measures import similarity
from ml_support import columns, connect, fit, parameters, rows, types

#: 60 customers of 14 products; each likes every third product and buys some of them again.
BOUGHT = """
create table bought as
select 'c' || lpad(c::varchar, 2, '0') as customer, 'p' || lpad(p::varchar, 2, '0') as product,
    timestamp '2026-01-01' + interval (((c * 7 + p * 13 + n * 31) % 60)) day as bought_at
from range(60) a(c), range(14) b(p), range(2) d(n)
where (c % 3 = p % 3 or (c + p) % 11 = 0) and (c * 5 + p * 3 + n) % 4 > 0
"""
NAMES = {"model_type": "item_similarity", "user_col": "customer", "item_col": "product"}


@pytest.fixture
def con():
    con = connect()
    con.execute(BOUGHT)
    return con


@pytest.fixture
def window(con) -> Window:
    return load_history(con, "from bought", "customer", "product", "bought_at").window(None, None)


def test_measures_are_their_definitions(window: Window) -> None:
    bought = np.zeros(window.shape)
    bought[window.user, window.item] = 1
    together, count = bought.T @ bought, bought.sum(axis=0)
    found = similarity("COSINE", window, 99, 2.0, 1.0, 0.7).toarray()
    assert found == pytest.approx(together / (np.sqrt(np.outer(count, count)) + 2))
    found = similarity("COOCCURRENCE", window, 99, 2.0, 1.0, 0.7).toarray()
    assert found == pytest.approx(together / (count[:, None] + 2))
    # EASE solves a ridge regression of each item on all others (Steck 2019, equation 4).
    found = similarity("EASE", window, 99, 0.0, 3.0, 0.7)
    others = np.delete(np.arange(14), 5)
    normal = together[np.ix_(others, others)] + 3 * np.eye(13)
    assert found[others, 5] == pytest.approx(np.linalg.solve(normal, together[others, 5]))


def test_transitions_count_later_orders_with_decay(window: Window) -> None:
    found = similarity("TRANSITION", window, 99, 0.0, 1.0, 0.7).toarray()
    wanted = np.zeros((14, 14))
    for user in range(60):
        mine = window.user == user
        days = sorted(set(window.time[mine]))
        later = [(a, b) for a in range(len(days)) for b in range(a + 1, min(a + 11, len(days)))]
        for a, b in later:
            for one in window.item[mine & (window.time == days[a])]:
                for two in window.item[mine & (window.time == days[b])]:
                    wanted[one, two] += 0.7 ** (b - a - 1)
    pairs = {(u, i) for u, i in zip(window.user, window.item, strict=True)}
    count = np.array([sum(i == item for _, i in pairs) for item in range(14)])
    assert found == pytest.approx(wanted / np.sqrt(np.outer(count, count)))


@pytest.mark.parametrize("unseen_only", [False, True])
def test_sql_recommends_what_numpy_does(con, window: Window, unseen_only: bool) -> None:
    fit(con, "m", "from bought", **NAMES, time_col="bought_at", max_neighbours=6)
    blend = Blend(**parameters(con, "m")["blend"])
    learning = Learning(200, 6, 5.0, 100.0, 0.7)
    users = np.arange(60)
    wanted = scores(window, learning.near(blend.measure, window), blend, users, 200)
    if unseen_only:
        wanted[window.user, window.item] = -np.inf
    found = con.execute(
        "select customer, product, rank, score "
        f"from m_recommend('bought', n := 5, unseen_only := {unseen_only}) order by 1, 3"
    ).fetchall()
    assert len(found) == 300
    for user in users:
        mine = found[user * 5 : user * 5 + 5]
        best = np.sort(wanted[user])[::-1][:5]
        assert [row[3] for row in mine] == pytest.approx(best)
        assert [wanted[user, int(row[1][1:])] for row in mine] == pytest.approx(best)


def test_evaluation_looks_at_later_purchases_beside_baselines(con) -> None:
    fit(con, "m", "from bought", **NAMES, time_col="bought_at")
    found = {
        row["recommender"]: row
        for row in rows(con, "from m__evaluation where target = 'all' and split = 'judged'")
    }
    assert set(found) == {
        "recommender", "blend", "popularity", "personal_frequency", "cosine", "cooccurrence",
        "transition", "ease",
    }  # fmt: skip
    assert [name for name, row in found.items() if row["is_shipped"]] == ["recommender"]
    assert found["recommender"]["ndcg_at_10"] > found["popularity"]["ndcg_at_10"]
    assert (
        rows(con, "from m_evaluate()")[0]["hit_rate_at_10"]
        == found["recommender"]["hit_rate_at_10"]
    )
    assert found["recommender"]["shipped_kind"] == "blend"
    for baseline in ("popularity", "personal_frequency"):
        assert found["recommender"][f"gain_over_{baseline}_low"] > 0
        assert found[baseline][f"gain_over_{baseline}"] == 0
        gain = found["recommender"]["ndcg_at_10"] - found[baseline]["ndcg_at_10"]
        assert found["recommender"][f"gain_over_{baseline}"] == pytest.approx(gain)


def test_customers_without_history_get_what_is_popular(con) -> None:
    fit(con, "m", "from bought", **NAMES, time_col="bought_at")
    con.execute(
        "create table new as select 'x' as customer, null::varchar as product, "
        "null::timestamp as bought_at union all select 'y', 'never sold', '2026-01-01'"
    )
    found = rows(con, "from m_recommend('new', n := 3) order by customer, rank")
    popular = [r["item_id"] for r in rows(con, "from m__items order by popularity_rank limit 3")]
    assert [r["product"] for r in found] == popular * 2
    assert [r["cold_start_level"] for r in found] == ["no_history"] * 3 + ["unknown_items"] * 3
    assert {r["reason_product"] for r in found} == {None}


def test_similar_items_and_reasons(con) -> None:
    fit(con, "m", "from bought", **NAMES, time_col="bought_at")
    con.execute("create table asked as select 'p03' as product")
    found = rows(con, "from m_similar('asked', n := 2) order by rank")
    assert [r["rank"] for r in found] == [1, 2]
    shared = con.execute(
        "select count(*) from (select customer from bought where product = 'p03' intersect "
        f"select customer from bought where product = '{found[0]['similar_product']}')"
    ).fetchall()[0][0]
    assert found[0]["shared_user_count"] == shared
    own = rows(con, "from m_recommend('bought') where reason_product is not null")
    pairs = set(con.execute("select customer, product from bought").fetchall())
    assert all((r["customer"], r["reason_product"]) in pairs for r in own)
    assert all(((r["customer"], r["product"]) in pairs) == r["is_repeat"] for r in own)


def test_without_enough_data_functions_have_the_same_columns(con) -> None:
    assert fit(con, "m", "from bought where false", **NAMES).status == "insufficient_data"
    calls = ("recommend('bought')", "similar('bought')", "evaluate()")
    empty = {call: columns(con, f"from m_{call}") for call in calls}
    assert rows(con, "from m_recommend('bought')") == []
    fit(con, "m", "from bought", **NAMES, time_col="bought_at")
    assert empty == {call: columns(con, f"from m_{call}") for call in calls}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"similarity_type": "ease", "ease_max_items": 5}, "above ease_max_items"),
        ({"similarity_type": "transition"}, "needs time_col"),
        ({"time_col": "product"}, "must be a date or timestamp"),
    ],
)
def test_bad_input_is_one_clear_error(con, options, message: str) -> None:
    with pytest.raises(MartletError, match=message):
        fit(con, "m", "select * from bought", **(NAMES | options))


#: The same purchases from a worse source: rows in another order and twice, ids missing, ids as
#: numbers, and one customer who buys everything all the time.
MESSY = """
create table messy as
select customer, product, bought_at from (from bought union all from bought) order by hash(product)
"""


@pytest.mark.parametrize("type_name", ["EASE", "TRANSITION", "AUTO"])
def test_order_and_repetition_of_rows_change_no_byte(con, type_name: str) -> None:
    con.execute(MESSY)
    options = NAMES | {"time_col": "bought_at", "similarity_type": type_name}
    for name, source in (("a", "bought"), ("b", "messy")):
        fit(con, name, f"from {source}", **options)
        con.execute(f"create table said_{name} as from {name}_recommend('{source}', n := 14)")
    same = con.execute(
        "select (select count(*) from (from said_a except all from said_b)), "
        "(select count(*) from said_a), (select count(*) from said_b)"
    ).fetchall()[0]
    assert same == (0, same[2], same[1])
    assert same[1] > 700


def test_ids_may_be_numbers_and_missing_ones_are_told(con) -> None:
    con.execute(
        "create table numbered as select 100 + substr(customer, 2)::int as customer, "
        "100 + substr(product, 2)::bigint as product, bought_at from bought "
        "union all select null, 103, timestamp '2026-01-01' "
        "union all select 104, null, timestamp '2026-01-01'"
    )
    told = fit(con, "n", "from numbered", **NAMES, time_col="bought_at").log
    assert any("2 rows without user, item or time" in line for line in told)
    fit(con, "m", "from bought", **NAMES, time_col="bought_at")
    found = con.execute(
        "select count(*) from (select customer, product, rank, score from n_recommend('numbered') "
        "except select 100 + substr(customer, 2)::int, 100 + substr(product, 2)::bigint, "
        "rank, score from m_recommend('bought'))"
    ).fetchall()
    assert found == [(0,)]
    assert types(con, "from n_recommend('numbered')")["product"] == "BIGINT"


@pytest.mark.parametrize("where", ["customer = 'c01'", "product = 'p03'"])
def test_one_customer_or_one_product_is_too_little(con, where: str) -> None:
    outcome = fit(con, "m", f"from bought where {where}", **NAMES, time_col="bought_at")
    assert outcome.status == "insufficient_data"
    assert rows(con, "from m_recommend('bought')") == []


def test_a_customer_with_100_000_purchases_decides_nothing_alone(con) -> None:
    con.execute(
        "insert into bought select 'reseller', 'p' || lpad((n % 14)::varchar, 2, '0'), "
        "timestamp '2026-01-01' + interval (n) second from range(100000) t(n)"
    )
    fit(con, "m", "from bought", **NAMES, time_col="bought_at", similarity_type="COSINE")
    shared = con.execute("select max(shared_user_count) from m__neighbours").fetchall()[0][0]
    assert shared <= 61
    found = rows(con, "from m_recommend('bought', n := 3) where customer in ('reseller', 'c01')")
    assert len(found) == 6


def test_an_order_of_thousands_of_products_leaves_the_others_to_judge(con) -> None:
    con.execute(
        "insert into bought select 'c01', 'w' || n, timestamp '2025-12-01' from range(5000) t(n)"
    )
    fit(con, "m", "from bought", **NAMES, time_col="bought_at", similarity_type="COSINE")
    judged = con.execute(
        "select min(judged_user_count), count(distinct split) from m__evaluation "
        "where target = 'all'"
    ).fetchall()[0]
    assert judged[0] > 20
    assert judged[1] == 2


def test_what_nobody_can_judge_is_shipped_with_a_word(con) -> None:
    once = (
        "select customer, product, min(bought_at) over (partition by customer) as bought_at "
        "from bought"
    )
    outcome = fit(con, "m", once, **NAMES, time_col="bought_at", similarity_type="COSINE")
    assert outcome.status == "trained"
    assert any("not judged: nobody with earlier purchases" in line for line in outcome.log)
    assert any("popularity, which is shipped" in line for line in outcome.log)
    assert con.execute("select count(*) from m__evaluation where split = 'judged'").fetchall() == [
        (0,)
    ]


def test_purchases_since_a_moment_judge_what_was_before(con) -> None:
    con.execute("create table early as from bought where bought_at < timestamp '2026-02-10'")
    fit(con, "m", "from early", **NAMES, time_col="bought_at")
    found = rows(con, "from m_evaluate_since('bought', timestamp '2026-02-10')")[0]
    later: dict[str, set[str]] = {}
    for customer, product in con.execute(
        "select customer, product from bought where bought_at >= '2026-02-10' "
        "and customer in (select customer from early)"
    ).fetchall():
        later.setdefault(customer, set()).add(product)
    lists: dict[str, list[str]] = {}
    for customer, product in con.execute(
        "select customer, product from m_recommend('early') order by customer, rank"
    ).fetchall():
        lists.setdefault(customer, []).append(product)
    gains, recalls, precisions = [], [], []
    for customer, wanted in later.items():
        hit = np.array([product in wanted for product in lists[customer]], dtype=float)
        discount = 1 / np.log2(np.arange(2, 12))
        most = min(len(wanted), 10)
        gains.append((hit * discount[: len(hit)]).sum() / discount[:most].sum())
        recalls.append(hit.sum() / len(wanted))
        places = np.arange(1, len(hit) + 1)
        precisions.append((hit * np.cumsum(hit) / places).sum() / most)
    assert found["judged_user_count"] == len(later) > 20
    assert found["ndcg_at_10"] == pytest.approx(np.mean(gains))
    assert found["recall_at_10"] == pytest.approx(np.mean(recalls))
    assert found["mean_average_precision_at_10"] == pytest.approx(np.mean(precisions))
    shown = {product for customer in later for product in lists[customer]}
    count = con.execute("select count(*) from m__items").fetchall()[0][0]
    assert found["coverage"] == pytest.approx(len(shown) / count)
