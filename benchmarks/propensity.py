"""Measure the pair classifier on Ta-Feng: which candidates the next basket of a customer holds.

``python benchmarks/propensity.py --data DIR`` reads DIR/tafeng_nbr (history and the last basket of
the users with an even number). Trained on the last basket of everybody's history, from what was
before it; tested on the basket after. Candidates of a user: all that was bought, 40 popular items,
40 by factorization, 40 by cosine. Of the pairs not bought 20 for each bought one teach; all are
tested. Recall@10 and NDCG@10 (ideal over min(10, size)) are means over users and count targets that
are no candidates as missed; ROC AUC and average precision are over all tested pairs. Log loss is
of the probability with the sampling undone; the base rate's beside. The rules rank the same
candidates. CPU seconds are of fitting and scoring trees, the two factorizations apart.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from martlet.factorization.als import Settings, factorize
from martlet.factorization.ratings import RatingColumns, load_ratings
from martlet.fit import ModelSpec, fit_model
from martlet.similarity.history import load_history
from martlet.similarity.judging import Learning

_EACH = 40
_FACTORS = Settings(64, 0.02, weigh_ridge=True, alpha=10.0, iterations=8, min_progress=None)
_BOOSTING: dict[str, Any] = {
    "model_type": "boosted_tree_classifier", "input_label_cols": ["is_bought"],
    "entity_cols": ["u", "i"], "data_split_method": "no_split", "max_iterations": 120,
    "learn_rate": 0.1, "max_tree_depth": 5, "min_tree_child_weight": 50, "early_stop": False,
}  # fmt: skip


def vectors(con: duckdb.DuckDBPyConnection, history: str) -> tuple[Any, Any, Any]:
    """Return the history, scores by factorization and by cosine, as functions of places."""
    rows = f"select u, i, timestamp '2020-01-01' + interval (b) day as t from ({history})"
    found = load_history(con, rows, "u", "i", "t")
    ratings = load_ratings(
        con, f"select u, i, 1 as r from ({history})", RatingColumns("u", "i", "r"), True
    )
    with threadpool_limits(1):
        made = factorize(ratings, _FACTORS)
    window = found.window(None, None)
    near = Learning(200, 100, 5.0, 1.0, 0.7).near("COSINE", window).matrix
    recent = window.recent(200, 0.8)
    return found, (made.users, made.items), (recent, near)


def candidates(con: duckdb.DuckDBPyConnection, name: str, history: str) -> None:
    """Make a table of candidates with the scores of both models."""
    found, (users, items), (recent, near) = vectors(con, history)
    window = found.window(None, None)
    bought = window.bought(10**9)
    popular = np.argsort(-window.popularity(), kind="stable")[:_EACH]
    parts = []
    for begin in range(0, len(users), 500):
        chosen = np.arange(begin, min(begin + 500, len(users)))
        mf = users[chosen] @ items.T
        knn = (recent[chosen] @ near).toarray()
        wanted = bought[chosen].toarray() > 0
        wanted[:, popular] = True
        for score in (mf, knn):
            best = np.argpartition(-score, _EACH, axis=1)[:, :_EACH]
            np.put_along_axis(wanted, best, True, axis=1)
        row, item = np.nonzero(wanted)
        parts.append((chosen[row], item, mf[row, item], knn[row, item]))
    user, item, *scores = (np.concatenate(column) for column in zip(*parts, strict=True))
    ids = [np.asarray(names, dtype=np.int64) for names in (found.users, found.items)]
    table = pa.table({"u": ids[0][user], "i": ids[1][item], "mf": scores[0], "knn": scores[1]})
    con.register("made", table)
    con.execute(f"create or replace table {name}_candidates as from made")
    con.unregister("made")


def features(con: duckdb.DuckDBPyConnection, name: str, history: str, target: str) -> None:
    """Make the table of pairs with label."""
    con.execute(f"""create or replace table {name} as with h as ({history}),
users as (select u, max(b) as baskets, count(*) / max(b) as mean_size,
    count(distinct i) / count(*) as new_share from h group by u),
pairs as (select u, i, count(*) as bought, max(b) as last, min(b) as first,
    sum(power(0.9, m - b)) as decayed
    from (select *, max(b) over (partition by u) as m from h) group by u, i),
items as (select i, count(*) as sold, count(distinct u) as buyers from h group by i),
everything as (select max(buyers) as most from items), targets as ({target})
select c.u, c.i, c.mf, c.knn, coalesce(p.bought, 0) as bought, coalesce(p.decayed, 0) as decayed,
    p.bought / s.baskets as bought_share, s.baskets - p.last as recency,
    (s.baskets - p.last) / nullif((p.last - p.first) / nullif(p.bought - 1, 0), 0) as due,
    n.buyers / e.most as popularity, n.sold / n.buyers as repeats, s.baskets, s.mean_size,
    s.new_share, t.u is not null as is_bought
from {name}_candidates as c inner join users as s using (u) inner join items as n using (i)
cross join everything as e left join pairs as p on p.u = c.u and p.i = c.i
left join targets as t on t.u = c.u and t.i = c.i""")


def judge(con: duckdb.DuckDBPyConnection, score: str, size: str) -> tuple[float, ...]:
    """Return recall@10, NDCG@10, ROC AUC and average precision of an order of the tested pairs."""
    lists = con.execute(f"""with ranked as (select u, is_bought, row_number() over (
    partition by u order by {score} desc, i) as place from scored),
per_user as (select u, count(*) filter (where is_bought) as hits,
    coalesce(sum(1 / log2(place + 1)) filter (where is_bought), 0) as gain
    from ranked where place <= 10 group by u),
ideal as (select n, sum(1 / log2(n2 + 1)) as best from range(1, 11) a(n), range(1, 11) b(n2)
    where n2 <= n group by n)
select avg(coalesce(hits, 0) / size), avg(coalesce(gain, 0) / best) from ({size}) as t
left join per_user using (u) inner join ideal on n = least(size, 10)""").fetchall()[0]
    from sklearn.metrics import average_precision_score, roc_auc_score

    found = con.execute(f"select {score} as s, is_bought as y from scored").fetchnumpy()
    truth, values = np.asarray(found["y"]), np.asarray(found["s"], dtype=float)
    return (*lists, roc_auc_score(truth, values), average_precision_score(truth, values))


def main() -> None:
    """Train on one basket, test on the next."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data / "tafeng_nbr"
    con = duckdb.connect(config={"threads": 2})
    con.execute(
        "create table history as select user_id as u, item_id as i, basket_no as b, "
        f"max(basket_no) over (partition by user_id) as m from '{folder}/history.parquet'"
    )
    con.execute(
        f"create table future as select user_id as u, item_id as i "
        f"from '{folder}/future_dev.parquet'"
    )
    windows = {
        "train": ("select u, i, b from history where b < m",
                  "select u, i from history where b = m"),
        "test": ("select u, i, b from history", "select u, i from future"),
    }  # fmt: skip
    begun = time.process_time()
    for name, (history, target) in windows.items():
        candidates(con, name, history)
        features(con, name, history, target)
    print(f"candidates and features: {time.process_time() - begun:.1f} CPU seconds")
    con.execute("delete from test where u not in (select u from future)")
    con.execute(
        "create table sample as select * from train where is_bought or hash(u, i) % 100000 < "
        "(select 2000000.0 * count(*) filter (where is_bought) / count(*) from train)"
    )
    counts = con.execute(
        "select (select count(*) from train), (select avg(is_bought::int) from train), "
        "(select count(*) from sample), (select count(*) from test), "
        "(select avg(is_bought::int) from test), "
        "(select count(*) filter (where not is_bought) from sample) "
        "/ (select count(*) filter (where not is_bought) from train)"
    ).fetchall()[0]
    print(
        f"train {counts[0]:,} pairs ({counts[1]:.4f} bought), {counts[2]:,} of them taught; "
        f"test {counts[3]:,} pairs ({counts[4]:.4f} bought)"
    )
    begun = time.process_time()
    fit_model(con, ModelSpec("pairs", "from sample", _BOOSTING))
    con.execute(
        f"create table scored as select *, s * {counts[5]} / (s * {counts[5]} + 1 - s) as p from "
        "(select *, predicted_is_bought_probs[1].prob as s from pairs_predict('test'))"
    )
    used = time.process_time() - begun
    size = "select u, count(distinct i) as size from future group by u"
    rows = {
        f"pair classifier ({used:.0f} CPU seconds)": "p",
        "frequency, ties by popularity": "bought + popularity * 0.99",
        "frequency + 1.5 x popularity": "bought + 1.5 * popularity",
        "latest purchase, ties by popularity": "coalesce(1 / (1 + recency), 0) + popularity / 100",
        "factorization": "mf", "cosine": "knn", "popularity": "popularity",
    }  # fmt: skip
    print("recall@10, NDCG@10, ROC AUC, average precision")
    for name, score in rows.items():
        print("  {:40} {:.4f} {:.4f} {:.4f} {:.4f}".format(name, *judge(con, score, size)))
    loss, base, mean = con.execute(
        "select -avg(ln(case when is_bought then p else 1 - p end)), "
        f"-avg(ln(case when is_bought then {counts[1]} else 1 - {counts[1]} end)), avg(p) "
        "from scored"
    ).fetchall()[0]
    print(f"  log loss {loss:.5f} (base rate of training {base:.5f}); mean probability {mean:.4f}")
    print("  measured elsewhere, all users: pair classifier .1519/.1377, AUC .7651; TIFU-KNN .1300")


if __name__ == "__main__":
    main()
