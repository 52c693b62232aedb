"""Scoring in SQL against fetching, predicting in Python and writing back.

Both sides do the whole job in one process and one run: read a table of ROWS rows and 20 numeric
columns (2% missing), score, write id and prediction to a table. CPU seconds (user and system, all
threads) are compared, so that another load on the machine matters little.

    python benchmarks/scoring.py [--rows 1000000] [--threads 1] [--only logistic,50x15]

The sides of Python: DuckDB to NumPy, scikit-learn's predict, a pyarrow table back. Missing values
are filled for the models of scikit-learn that take none, as the SQL does.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

FEATURES = 20
TREES = {
    # name: (trees, leaves, levels, most that is wanted)
    "50x15": (50, 15, None, 0.7),
    "100x31": (100, 31, None, 1.6),
    "deep13": (20, 200, 13, 2.5),
}


def make_data(rows: int, seed: int) -> Any:
    """Return rows with skewed, whole and missing numbers, and a target that needs all kinds."""
    import numpy as np

    generator = np.random.default_rng(seed)
    points = generator.normal(size=(rows, FEATURES))
    points[:, 3] = np.exp(2 * points[:, 3])
    points[:, 4] = np.round(points[:, 4] * 3)
    points[generator.random((rows, FEATURES)) < 0.02] = np.nan
    filled = np.nan_to_num(points)
    target = filled[:, 0] * filled[:, 1] + np.sin(3 * filled[:, 2]) + np.log1p(abs(filled[:, 3]))
    target += filled[:, 4] * (filled[:, 5] > 0) + 0.2 * filled[:, 6:].sum(axis=1)
    return points, target + 0.3 * generator.normal(size=rows)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return CPU seconds and the result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


class Bench:
    """One table to score and both ways to score it."""

    def __init__(self, rows: int, threads: int) -> None:
        import duckdb
        import numpy as np
        import pyarrow as pa

        self.points, self.target = make_data(20_000, 0)
        points, _ = make_data(rows, 1)
        self.con = duckdb.connect(config={"threads": threads})
        columns = {f"x{i}": pa.array(points[:, i], from_pandas=True) for i in range(FEATURES)}
        data = pa.table({"id": np.arange(rows), **columns})
        self.con.register("data", data)
        self.con.execute("create table given as from data")
        self.con.unregister("data")
        del data, points
        print(f"{rows:,} rows x {FEATURES}, {threads} thread(s), DuckDB {duckdb.__version__}")
        print(f"{'model':12} {'SQL':>8} {'Python':>8} {'ratio':>6} {'wanted':>7} {'gap':>9}")

    def python(self, predict: Callable[[Any], Any]) -> Any:
        """Fetch, predict, write back."""
        import numpy as np
        import pyarrow as pa

        fetched = self.con.execute("from given").fetchnumpy()
        points = np.column_stack(
            [np.ma.filled(np.ma.asarray(fetched[f"x{i}"]), np.nan) for i in range(FEATURES)]
        )
        answer = pa.table({"id": fetched["id"], "score": predict(points)})
        self.con.register("answer", answer)
        self.con.execute("create or replace table by_python as from answer")
        self.con.unregister("answer")

    def compare(self, name: str, steps: Any, score: str, predict: Any, wanted: float) -> None:
        """Run both ways three times and print the medians."""
        from martlet.scoring.chain import Chain
        from martlet.sqltext import PREFIX

        chain = Chain(steps, "select * from given")
        query = f"{chain.scored} select id, {PREFIX}rows.{score} as score from {chain.last}"
        self.con.execute(f"create or replace macro scored() as table ({query})")
        # Turn about, so that a change of the machine's load meets both.
        sides: tuple[list[float], list[float]] = ([], [])
        for _ in range(3):
            sides[0].append(
                seconds(
                    lambda: self.con.execute("create or replace table by_sql as from scored()")
                )[0]
            )
            sides[1].append(seconds(lambda: self.python(predict))[0])
        sql, other = (sorted(side)[1] for side in sides)
        gap = self.con.execute(
            "select max(abs(a.score - b.score)) from by_sql a join by_python b using (id)"
        ).fetchall()[0][0]
        print(
            f"{name:12} {sql:8.2f} {other:8.2f} {sql / other:6.2f} {wanted:7.2f} {gap:9.1e}",
            flush=True,
        )


def encoding(points: Any, mode: str) -> Any:
    """Return the encoding that a fit on these rows learns."""
    import numpy as np

    from martlet.blocks import NumberBlock
    from martlet.encoding import Encoding
    from martlet.sqltext import cast, column

    return Encoding(
        tuple(
            NumberBlock(
                f"x{i}",
                cast(column(f"x{i}"), "double"),
                float(np.nanmean(points[:, i])),
                float(np.nanstd(points[:, i], ddof=1)),
                mode,
            )
            for i in range(FEATURES)
        )
    )


def linear_and_kmeans(bench: Bench, only: set[str]) -> None:
    """Compare logistic regression and k-means."""
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression
    from sqlglot import exp

    from martlet.scoring.links import sigmoid
    from martlet.scoring.vectors import fixed_vector
    from martlet.sqltext import PREFIX, array, call, column, number

    own = encoding(bench.points, "standardize")
    mean = np.nanmean(bench.points, axis=0)
    deviation = np.nanstd(bench.points, axis=0, ddof=1)

    def standard(points: Any) -> Any:
        return np.nan_to_num((points - mean) / deviation)

    if "logistic" in only:
        model = LogisticRegression().fit(standard(bench.points), bench.target > 1)
        score = own.product(list(model.coef_[0]), float(model.intercept_[0]))
        steps = [{PREFIX + "probability": sigmoid(score)}]
        bench.compare(
            "logistic",
            steps,
            PREFIX + "probability",
            lambda points: model.predict_proba(standard(points))[:, 1],
            0.25,
        )
    if "kmeans" in only:
        groups = KMeans(8, n_init=1, random_state=0).fit(standard(bench.points))
        vector = column(PREFIX + "vector")
        distances = array(
            call("array_distance", vector.copy(), fixed_vector([float(v) for v in centre]))
            for centre in groups.cluster_centers_
        )
        listed = column(PREFIX + "distances")
        nearest = call("list_position", listed, call("list_min", listed.copy()))
        steps = [
            {PREFIX + "vector": own.vector()},
            {PREFIX + "distances": distances},
            {PREFIX + "centroid": exp.Sub(this=nearest, expression=number(1.0))},
        ]
        bench.compare(
            "kmeans 8",
            steps,
            PREFIX + "centroid",
            lambda points: groups.predict(standard(points)),
            1.0,
        )


def trees(bench: Bench, only: set[str], ways: Sequence[str]) -> None:
    """Compare boosted trees, as cases and as a walk, and measure the plan of 300 trees."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingRegressor

    from martlet.estimators.tree_structure import from_histogram
    from martlet.scoring.trees import compile_trees
    from martlet.sqltext import PREFIX

    columns = encoding(bench.points, "raw").numbers()

    def grown(count: int, leaves: int, levels: int | None) -> tuple[Any, Any]:
        model = HistGradientBoostingRegressor(
            max_iter=count,
            max_leaf_nodes=leaves,
            max_depth=levels,
            min_samples_leaf=3,
            early_stopping=False,
            random_state=0,
        ).fit(bench.points, bench.target)
        found = [from_histogram(item[0].nodes, 0, 1) for item in model._predictors]
        return model, found

    for name, (count, leaves, levels, wanted) in TREES.items():
        if name not in only:
            continue
        model, found = grown(count, leaves, levels)
        start = [float(np.ravel(model._baseline_prediction)[0])]
        for way in ways:
            steps, scores = compile_trees(found, columns, start, way=way)
            steps = [*steps, {PREFIX + "score": scores[0]}]
            bench.compare(f"{name} {way}", steps, PREFIX + "score", model.predict, wanted)
    if "plan" in only:
        from martlet.scoring.chain import Chain

        _, found = grown(300, 64, 6)
        leaves = sum(len(tree.leaves) for tree in found)
        for way in ("cases", "walk"):
            text, chain = seconds(
                lambda way=way: _chain(Chain, compile_trees(found, columns, [0.0], way=way))
            )
            query = f"{chain.scored} select {PREFIX}rows.{PREFIX}score from {chain.last}"
            bench.con.execute(f"create or replace macro scored() as table ({query})")
            plan, _ = seconds(
                lambda: bench.con.execute("explain select * from scored()").fetchall()
            )
            print(
                f"300 trees of depth 6, {leaves:,} leaves, {way}: text {text:.2f} s, "
                f"{len(query):,} characters, plan {plan:.2f} s (wanted at most 2)"
            )


def _chain(chain: Any, compiled: Any) -> Any:
    from martlet.sqltext import PREFIX

    steps, scores = compiled
    return chain([*steps, {PREFIX + "score": scores[0]}], "select * from given")


def main() -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="logistic,kmeans,50x15,100x31,deep13,plan")
    parser.add_argument("--ways", default="cases,walk", help="how trees are compiled")
    options = parser.parse_args()
    # Both sides get the same number of threads; set before NumPy is imported.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    bench = Bench(options.rows, options.threads)
    only = set(options.only.split(","))
    linear_and_kmeans(bench, only)
    trees(bench, only, options.ways.split(","))
    return 0


if __name__ == "__main__":
    sys.exit(main())
