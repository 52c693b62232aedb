"""Measure matrix factorization against published figures, the mean and popularity.

``python benchmarks/recommendations.py --data DIR`` reads DIR/movielens_100k and
DIR/movielens_1m_ncf, DIR/amazon_toys_5core and DIR/tafeng_nbr (Parquet files). What
is not there is left out.

Explicit: MovieLens-100K, 5 folds of a shuffle with seed 0, mean RMSE and MAE over the folds,
no rounding or clipping. Implicit: MovieLens-1M in the leave-one-out form of He et al. (2017): the
held-out item among its 99 given negatives (as a set; ties count by mean rank), HR@10 and NDCG@10.
Next basket: Ta-Feng, every basket but the last is known. Item similarity: the last fifth of the
purchases by time judges, the fifth before it chooses; a user's last purchase has the latest time,
as these sets give an order and no time. NDCG@10 and hit rate of ten products over at most 1,000
users, repeats allowed; popularity and personal frequency beside. Scoring: the ten best unseen
items in SQL and by the package's ``recommend_top`` for 1,000 users x 10,000 items x 64 factors of
random vectors, compared with each other and with NumPy cell by cell; CPU seconds are of the two
calls alone (``--only scoring --users 100000``). Sample shop: what a list that was told the planted
sequences would gain, in a built database (``--only sample --database martlet.duckdb``). Fits are
the package's own, the low-code layer included; CPU seconds (user and system) are of the fit with
reading the rows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from martlet.factorization.als import Factors, Settings, factorize
from martlet.factorization.ratings import RatingColumns, load_ratings
from martlet.factorization.top import recommend_top
from martlet.fit import ModelSpec, fit_model
from martlet.simulate import ShopConfig, simulate_shop

EXPLICIT = {
    "BigQuery ML's defaults (log2 factors, ridge 1)": {},
    "10 factors, ridge 0.12 x ratings": {
        "num_factors": 10, "l2_reg": 0.12, "weigh_l2_reg": True, "early_stop": False,
    },
    "34 factors, ridge 0.12 x ratings": {
        "num_factors": 34, "l2_reg": 0.12, "weigh_l2_reg": True, "early_stop": False,
    },
}  # fmt: skip
IMPLICIT = {
    "BigQuery ML's defaults (20 factors, alpha 40, ridge 1)": Settings(20, 1.0, alpha=40.0),
    "64 factors, alpha 3.3, ridge 0.007 x weight, 12 iterations": Settings(
        64, 0.007, weigh_ridge=True, alpha=1 / 0.3, iterations=12, min_progress=None
    ),
    "192 factors, the same": Settings(
        192, 0.007, weigh_ridge=True, alpha=1 / 0.3, iterations=12, min_progress=None
    ),
}


def explicit(data: Path) -> None:
    """Print the error on held-out ratings."""
    con = duckdb.connect(config={"threads": 2})
    con.execute(
        f"create table ratings as from '{data}/movielens_100k/ratings.parquet' order by all"
    )
    count = con.execute("select count(*) from ratings").fetchall()[0][0]
    folds = np.random.default_rng(0).permutation(count) % 5
    con.register("fold_rows", pa.table({"fold": folds}))
    con.execute("create table rated as select user_id, item_id, rating, fold from ratings "
                "positional join fold_rows")  # fmt: skip
    print(f"MovieLens-100K, 5 folds ({count:,} ratings): RMSE, MAE, CPU seconds of the five fits")
    means = con.execute(
        "select avg(rmse), avg(mae) from (select f.fold, "
        "sqrt(avg(power(r.rating - f.m, 2))) as rmse, avg(abs(r.rating - f.m)) as mae from rated r "
        "inner join (select t.fold, (select avg(rating) from rated where fold <> t.fold) as m "
        "from (select distinct fold from rated) t) f on r.fold = f.fold group by 1)"
    ).fetchall()[0]
    print(f"  mean of the training ratings{'':24} {means[0]:.4f} {means[1]:.4f}")
    for name, options in EXPLICIT.items():
        errors, used = [], 0.0
        for fold in range(5):
            config: dict[str, Any] = {
                "model_type": "matrix_factorization", "user_col": "user_id", "item_col": "item_id",
                **options,
            }  # fmt: skip
            sql = f"select user_id, item_id, rating from rated where fold <> {fold}"
            begun = time.process_time()
            fit_model(con, ModelSpec("mf", sql, config, full_refresh=True))
            used += time.process_time() - begun
            last = con.execute("select max(model_version) from mf").fetchall()[0][0]
            con.execute(f"create or replace view held as from rated where fold = {fold}")
            found = con.execute(
                "select sqrt(mean_squared_error), mean_absolute_error "
                f"from mf_v{last}_evaluate('held')"
            ).fetchall()[0]
            errors.append(found)
        rmse, mae = np.mean(errors, axis=0)
        print(f"  {name:52} {rmse:.4f} {mae:.4f} {used:6.1f}")
    print("  measured elsewhere: surprise 1.1.5 SVD .9361/.7373, KNNBaseline .9298/.7328")


def implicit(data: Path) -> None:
    """Print hit rate and gain of the held-out item among 99 negatives."""
    con = duckdb.connect(config={"threads": 2})
    folder = data / "movielens_1m_ncf"
    tests = con.execute(
        f"select t.user_id, t.item_id, n.negatives from '{folder}/test.parquet' as t "
        f"inner join '{folder}/test_negatives.parquet' as n using (user_id) order by 1"
    ).fetchall()
    print("MovieLens-1M, leave one out, 99 negatives: HR@10, NDCG@10, CPU seconds")
    query = f"select user_id, item_id, 1 as rating from '{folder}/train.parquet'"
    columns = RatingColumns("user_id", "item_id", "rating")
    begun = time.process_time()
    ratings = load_ratings(con, query, columns, True)
    reading = time.process_time() - begun
    users = {int(name): place for place, name in enumerate(ratings.users)}
    items = {int(name): place for place, name in enumerate(ratings.items)}
    counts = np.bincount(ratings.item).astype(float)

    def judge(score: Any) -> tuple[float, float]:
        ranks = []
        for user, item, negatives in tests:
            # An item that nobody rated in training scores below all others.
            others = np.array([items[n] for n in set(negatives) - {item} if n in items])
            if item not in items:
                ranks.append(len(others))
                continue
            own, rest = score(users[user], np.array([items[item]]))[0], score(users[user], others)
            ranks.append(np.sum(rest > own) + np.sum(rest == own) / 2)
        rank = np.array(ranks)
        return float(np.mean(rank < 10)), float(np.mean((rank < 10) / np.log2(rank + 2)))

    print("  {:60} {:.4f} {:.4f}".format("popularity", *judge(lambda u, i: counts[i])))
    for name, settings in IMPLICIT.items():
        begun = time.process_time()
        with threadpool_limits(1):
            found = factorize(ratings, settings)
        used = time.process_time() - begun + reading
        hit, gain = judge(lambda u, i, f=found: f.items[i] @ f.users[u])
        print(f"  {name:60} {hit:.4f} {gain:.4f} {used:6.1f}")
    print("  measured elsewhere: implicit 0.7.3 ALS .7142/.4392; published NeuMF .6725/.4011")


SHOPS = {
    "Amazon Toys": "select user_id, item_id, position as place from '{data}/amazon_toys_5core/"
    "interactions.parquet'",
    "Ta-Feng, every fourth user": "select user_id, item_id, basket_no as place "
    "from '{data}/tafeng_nbr/history.parquet' where user_id % 4 = 0",
}


def similarity(data: Path) -> None:
    """Print the recommender of the shop beside its baselines."""
    config = {
        "model_type": "item_similarity", "user_col": "user_id", "item_col": "item_id",
        "time_col": "bought_at",
    }  # fmt: skip
    for name, query in SHOPS.items():
        con = duckdb.connect(config={"threads": 2})
        rows = (
            "select user_id, item_id, timestamp '2026-01-01' - interval "
            "(max(place) over (partition by user_id) - place) day as bought_at "
            f"from ({query.format(data=data)})"
        )
        begun = time.process_time()
        fit_model(con, ModelSpec("shop", rows, config))
        used = time.process_time() - begun
        found = con.execute(
            "select recommender, ndcg_at_10, hit_rate_at_10, coverage, judged_user_count "
            "from shop__evaluation where target = 'all' and split = 'judged' order by 2 desc"
        ).fetchall()
        print(f"{name}: NDCG@10, hit rate, coverage ({found[0][-1]} users, {used:.1f} CPU seconds)")
        for recommender, gain, hit, coverage, _ in found:
            print(f"  {recommender:20} {gain:.4f} {hit:.4f} {coverage:.3f}")


def next_basket(data: Path) -> None:
    """Print how much of the last basket is told from the ones before, repeats and new items alike.

    The protocol of Li et al. (2023): every basket but the last is known, ten items are named. The
    weights are chosen on earlier baskets; the users judged are those with an even number.
    """
    folder = data / "tafeng_nbr"
    con = duckdb.connect(config={"threads": 2})
    con.execute(
        "create table history as select user_id, item_id, timestamp '2026-01-01' - interval "
        "(max(basket_no) over (partition by user_id) - basket_no) day as bought_at "
        f"from '{folder}/history.parquet'"
    )
    con.execute(f"create table wanted as select distinct * from '{folder}/future_dev.parquet'")
    config = {
        "model_type": "item_similarity", "user_col": "user_id", "item_col": "item_id",
        "time_col": "bought_at", "predicts": "NEXT_ORDER", "similarity_type": "COSINE",
        "max_judged_users": 20_000,  # all of them: with 4,000 chance hides the gain
    }  # fmt: skip
    begun = time.process_time()
    fit_model(con, ModelSpec("basket", "select * from history", config))
    used = time.process_time() - begun
    con.execute("create table asked as from history where user_id in (select user_id from wanted)")
    con.execute("create table named as from basket_recommend('asked', n := 10)")
    users, recall, gain, hit = con.execute(
        "with found as (select w.user_id, count(*) as size, count(n.rank) as hits, "
        "coalesce(sum(1 / log2(n.rank + 1)), 0) as gain from wanted as w "
        "left join named as n on n.user_id = w.user_id and n.item_id = w.item_id group by 1) "
        "select count(*), avg(hits / size), avg(gain / (select sum(1 / log2(place + 1)) "
        "from range(1, 11) as r(place) where place <= size)), avg((hits > 0)::int) from found"
    ).fetchall()[0]
    kind = con.execute("select any_value(shipped_kind) from basket__evaluation").fetchall()[0][0]
    print(
        f"Ta-Feng, the last basket of {users:,} users: recall@10 {recall:.4f}, NDCG@10 {gain:.4f}, "
        f"hit rate {hit:.4f} ({kind} shipped, {used:.1f} CPU seconds of the fit)"
    )
    print("  measured elsewhere, recall@10: TIFU-KNN .1300, UP-CF@r .1269, most frequent .1351")


def scoring(user_count: int, item_count: int) -> None:
    """Print the time of the ten best unseen both ways, and how many cells are those of NumPy."""
    generator = np.random.default_rng(0)
    made: list[Any] = []

    def drawn(ratings: Any, _: Settings) -> Factors:
        sides = [
            generator.normal(size=(len(ids), 64)).astype(np.float32)
            for ids in (ratings.users, ratings.items)
        ]
        made.extend(sides)
        return Factors(*sides, *(np.zeros(len(side)) for side in sides), 0.0, [])

    con = duckdb.connect(config={"threads": 2})
    had = generator.choice(item_count, (user_count, 20))
    # One user more has had every item, so that each has a vector; ids are ordered as text.
    pairs = {
        "user": [f"{n // 20:07}" for n in range(had.size)] + ["all"] * item_count,
        "item": [f"{n:07}" for n in had.ravel()] + [f"{n:07}" for n in range(item_count)],
    }
    con.register("pairs", pa.table(pairs))
    config = {"model_type": "matrix_factorization", "feedback_type": "implicit"}
    with mock.patch("martlet.estimators.matrix_factorization.factorize", drawn):
        fit_model(con, ModelSpec("mf", "select *, 1 as rating from pairs", config))
    con.execute('create table asked as select distinct "user" from pairs where "user" <> \'all\'')
    begun = time.process_time()
    con.execute("create table answer as from mf_recommend_top('asked')")
    in_sql = time.process_time() - begun
    begun = time.process_time()
    same = recommend_top(con, "mf", con.table("asked"))
    in_blocks = time.process_time() - begun
    con.register("same", same)
    differing = con.execute(
        "select count(*) from ((from answer except from same) union all "
        "(from same except from answer))"
    ).fetchall()[0][0]
    answer = con.execute('select item from answer order by "user", rank').fetchnumpy()["item"]
    got = answer.astype(int).reshape(user_count, 10)
    users, items = made
    equal = 0
    for begin in range(0, user_count, 1000):
        part = slice(begin, min(begin + 1000, user_count))
        scores = users[part] @ items.T
        np.put_along_axis(scores, had[part], -np.inf, axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
        equal += int(np.sum(best == got[part]))
    print(
        f"The ten best unseen, {user_count:,} x {item_count:,} x 64, CPU seconds: "
        f"{in_sql:.1f} in SQL, {in_blocks:.1f} by recommend_top of the package; "
        f"{differing:,} of {same.num_rows:,} rows differ between them; "
        f"{equal / (10 * user_count):.6f} of the cells in SQL equal plain NumPy's"
    )


def sample_shop(database: str) -> None:
    """Print what a list could gain over popularity that was told the planted sequences.

    Judged are the purchases that judge the recommender of the built sample shop; the product that
    follows one of the customer's last order comes first, the most popular after it.
    """
    with tempfile.TemporaryDirectory() as name:
        simulate_shop(ShopConfig(), Path(name), "parquet", with_truth=True)
        told = f"{name}/truth/truth_sequences.parquet"
        planted = dict(duckdb.sql(f"select product_id, next_product_id from '{told}'").fetchall())
    con = duckdb.connect(database, read_only=True)
    rows = con.execute(
        "select distinct customer_id, product_id, basket_at, basket_at < (select "
        "any_value(judged_since_at) from ml.ml_recommendations__fit__evaluation "
        "where split = 'judged') from ml.ml_recommendations__training_set order by 3, 1, 2"
    ).fetchall()
    sold = Counter(item for _, item, _, is_before in rows if is_before)
    popular = sorted(sold, key=lambda item: (-sold[item], item))
    last: dict[str, tuple[Any, list[str]]] = {}
    later: dict[str, set[str]] = {}
    for user, item, moment, is_before in rows:
        if not is_before:
            later.setdefault(user, set()).add(item)
        elif user in last and last[user][0] == moment:
            last[user][1].append(item)
        else:
            last[user] = (moment, [item])
    discount = 1 / np.log2(np.arange(2, 12))

    def gain(items: list[str], wanted: set[str]) -> float:
        hits = np.array([item in wanted for item in items[:10]])
        return float((hits * discount).sum() / discount[: min(10, len(wanted))].sum())

    found = []
    for user in sorted(later.keys() & last.keys()):
        first = [planted[item] for item in last[user][1] if item in planted]
        told_first = list(dict.fromkeys(first + popular))
        found.append((gain(popular, later[user]), gain(told_first, later[user])))
    plain, oracle = np.array(found).T
    draws = np.random.default_rng(0).integers(0, len(plain), (500, len(plain)))
    low, high = np.quantile((oracle - plain)[draws].mean(axis=1), [0.025, 0.975])
    print(
        f"Sample shop, {len(plain)} customers, NDCG@10: popularity {plain.mean():.4f}, told the "
        f"planted sequences {oracle.mean():.4f}, gain {low:.4f} to {high:.4f}"
    )


def main() -> None:
    """Run what the data is there for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", choices=("explicit", "implicit", "shops", "scoring", "sample"))
    parser.add_argument("--database", default="martlet.duckdb", help="a build of the sample shop")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--items", type=int, default=10_000)
    given = parser.parse_args()

    def wanted(part: str, *sets: str) -> bool:
        return given.only in (None, part) and all((given.data / name).is_dir() for name in sets)

    if wanted("explicit", "movielens_100k"):
        explicit(given.data)
    if wanted("implicit", "movielens_1m_ncf"):
        implicit(given.data)
    if wanted("shops", "amazon_toys_5core", "tafeng_nbr"):
        similarity(given.data)
        next_basket(given.data)
    if wanted("scoring"):
        scoring(given.users, given.items)
    if wanted("sample") and Path(given.database).is_file():
        sample_shop(given.database)


if __name__ == "__main__":
    main()
