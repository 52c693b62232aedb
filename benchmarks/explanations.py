"""What it costs to explain a row of a large tree ensemble in SQL, and in the shap library.

The same scikit-learn trees on both sides, one thread, CPU time (user and system) of the whole
query, from the stored rows to the attributions: of one row, which is mostly planning, and of each
of ROWS further ones. The gap is the largest difference over the largest attribution. shap's part
is left out where it is not installed, which nothing else here needs:

    pip install shap
    python benchmarks/explanations.py [--rows 400]

Data: the penguins (six inputs, categories numbered) and 5,000 generated rows of 20 numbers.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

PENGUINS = Path(__file__).resolve().parents[2] / "shared/data/penguins/penguins.csv"


def generated() -> tuple[Any, Any]:
    """Return 5,000 rows of 20 numbers and a target that needs several of them together."""
    import numpy as np

    generator = np.random.default_rng(0)
    points = generator.normal(size=(5000, 20))
    target = points[:, 0] * points[:, 1] + np.sin(3 * points[:, 2]) + 0.2 * points.sum(axis=1)
    return points, target + 0.3 * generator.normal(size=5000)


def penguins() -> tuple[Any, Any]:
    """Return the six inputs of the penguins without gaps, and their mass."""
    import duckdb

    names = "species, island, culmen_length_mm, culmen_depth_mm, flipper_length_mm, sex"
    listed = ", ".join(
        f"dense_rank() over (order by {name})" if name in ("species", "island", "sex") else name
        for name in names.split(", ")
    )
    query = (
        f"select columns(*)::double from (select {listed}, body_mass_g "
        f"from read_csv('{PENGUINS}') where body_mass_g is not null)"
    )
    import numpy as np

    found = np.array(duckdb.sql(query).fetchall())
    return found[:, :-1], found[:, -1]


def forest(points: Any, target: Any) -> tuple[Any, Any]:
    """Grow the forest that Martlet grows when nothing is said: 100 trees, 20,000 leaves at most."""
    from sklearn.ensemble import RandomForestRegressor

    from martlet.estimators.tree_structure import from_forest

    model = RandomForestRegressor(
        100, max_depth=15, max_leaf_nodes=200, max_features=0.8, max_samples=0.8, random_state=0
    ).fit(points, target)
    return model, [from_forest(one.tree_, slice(0, 1), 0.01) for one in model.estimators_]


def boosted(points: Any, target: Any, count: int, leaves: int, levels: int | None) -> Any:
    """Grow boosted trees."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    from martlet.estimators.tree_structure import from_histogram

    model = HistGradientBoostingRegressor(
        max_iter=count, max_leaf_nodes=leaves, max_depth=levels, min_samples_leaf=1,
        early_stopping=False,
    ).fit(points, target)  # fmt: skip
    return model, [from_histogram(item[0].nodes, 0, 1) for item in model._predictors]


def seconds(work: Any) -> tuple[float, Any]:
    """Return CPU seconds and the result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def in_sql(points: Any, trees: Any) -> tuple[float, float, Any]:
    """Return the seconds of one row and of each further one, and the attributions."""
    import duckdb
    import numpy as np
    import pyarrow as pa

    from martlet.blocks import NumberBlock
    from martlet.encoding import Encoding
    from martlet.estimators.tree_explanations import explain_trees
    from martlet.scoring.chain import Chain
    from martlet.sqltext import PREFIX, array, cast, column

    width = points.shape[1]
    names = [f"x{place}" for place in range(width)]
    blocks = [NumberBlock(n, cast(column(n), "double"), 0.0, 1.0, "raw") for n in names]
    explanation = explain_trees(trees, Encoding(tuple(blocks)), [0.0])
    assert explanation is not None
    con = duckdb.connect(config={"threads": 1})
    given = pa.table({"id": np.arange(len(points)), **dict(zip(names, points.T, strict=True))})
    leaves = explanation.parts["paths"].rows
    for name, rows in (("given", given), ("leaves", leaves)):
        con.register("arrow_rows", rows)
        con.execute(f"create table {name} as from arrow_rows")
    shares = array(explanation.attributions[0].values())
    chain = Chain(
        [*explanation.steps, {PREFIX + "shown": shares}], "from given", {"paths": "leaves"}
    )
    query = f"{chain.scored} select {PREFIX}rows.{PREFIX}shown from {chain.last} order by id"
    one = query.replace("from given", "from given where id = 0")
    first = sorted(seconds(lambda: con.execute(one).fetchall())[0] for _ in range(3))[1]
    whole, found = seconds(lambda: con.execute(query).fetchall())
    return first, (whole - first) / (len(points) - 1), np.array([row[0] for row in found])


def main() -> int:
    """Run the comparison."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    try:
        import shap
    except ImportError:
        shap = None
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=400)
    rows = parser.parse_args().rows
    few, many = penguins() if PENGUINS.is_file() else None, generated()
    cases = {
        "penguins, default forest": lambda: few and (few[0], *forest(*few)),
        "20 inputs, default forest": lambda: (many[0], *forest(*many)),
        "20 inputs, 300 trees of depth 6": lambda: (many[0], *boosted(*many, 300, 64, 6)),
        "20 inputs, 100 trees of 31 leaves": lambda: (many[0], *boosted(*many, 100, 31, None)),
        "20 inputs, 50 trees of 15 leaves": lambda: (many[0], *boosted(*many, 50, 15, None)),
    }
    print(f"{'ms of CPU':34} {'leaves':>7} {'first':>7} {'each':>7} {'shap':>7} gap")
    with threadpool_limits(limits=1):
        for name, make in cases.items():
            case = make()
            if not case:
                continue
            points, model, trees = case
            points = points[:rows]
            count = sum(len(tree.leaves) for tree in trees)
            first, each, found = in_sql(points, trees)
            peer, gap = "", ""
            if shap is not None:
                explainer = shap.TreeExplainer(model)
                spent, other = seconds(
                    lambda e=explainer, p=points: e.shap_values(p, check_additivity=False)
                )
                peer = f"{1000 * spent / len(points):7.2f}"
                gap = f"{np.abs(found - other).max() / np.abs(other).max():.0e}"
            costs = f"{1000 * first:7.0f} {1000 * each:7.2f} {peer:>7}"
            print(f"{name:34} {count:7,} {costs} {gap}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
