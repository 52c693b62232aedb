"""Measure uplift on Hillstrom's e-mail experiment, next to scikit-learn and the response model.

``python benchmarks/uplift.py`` takes the women's mail against none (visit in two weeks), splits
the customers in half, fits on one half and judges on the other: uplift among the 30 % ranked
highest, and Qini. Means over the splits. The peers, T-learners of plain scikit-learn models and a
response model, are split in half too, at random.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from martlet.fit import ModelSpec, fit_model
from martlet.uplift import qini, uplift_at

FILE = Path(__file__).resolve().parents[2] / "shared/data/hillstrom_email/hillstrom.parquet"
COLUMNS = "recency, history, history_segment, mens, womens, zip_code, newbie, channel"
CONFIG: dict[str, Any] = {
    "model_type": "uplift_classifier",
    "input_label_cols": ["visited"],
    "treatment_col": "is_treated",
    "entity_cols": ["customer_id"],
    "data_split_method": "RANDOM",
    "data_split_eval_fraction": 0.5,
}


def peers(con: duckdb.DuckDBPyConnection, seed: int) -> dict[str, tuple[float, float]]:
    """Fit the peers on a split of their own kind and judge them on its other half."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    frame = con.query("select * from hillstrom order by customer_id").df()
    matrix = pd.get_dummies(frame.drop(columns=["customer_id", "is_treated", "visited"]))
    matrix = matrix.to_numpy(dtype=float)
    treated = frame["is_treated"].to_numpy(dtype=float)
    outcome = frame["visited"].to_numpy(dtype=float)
    train = np.random.default_rng(seed).random(len(frame)) < 0.5

    def learned(model: Any, rows: Any) -> Any:
        return model.fit(matrix[rows], outcome[rows]).predict_proba(matrix[~train])[:, 1]

    def logistic() -> Any:
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))

    scores = {
        "scikit-learn T-learner, logistic": learned(logistic(), train & (treated > 0))
        - learned(logistic(), train & (treated == 0)),
        "scikit-learn T-learner, boosting": learned(
            HistGradientBoostingClassifier(random_state=seed), train & (treated > 0)
        )
        - learned(HistGradientBoostingClassifier(random_state=seed), train & (treated == 0)),
        "scikit-learn response": learned(logistic(), train),
    }
    judged = treated[~train], outcome[~train]
    return {name: (uplift_at(s, *judged), qini(s, *judged)) for name, s in scores.items()}


def main() -> None:
    """Print means over the splits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=str(FILE))
    parser.add_argument("--splits", type=int, default=5)
    arguments = parser.parse_args()
    con = duckdb.connect()
    con.execute(
        f"create table hillstrom as select customer_id, {COLUMNS}, segment = 'Womens E-Mail' as "
        f"is_treated, visit = 1 as visited from '{arguments.data}' where segment <> 'Mens E-Mail'"
    )
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    seconds = []
    for seed in range(1, arguments.splits + 1):
        started, name = time.process_time(), f"split_{seed}"
        fit_model(con, ModelSpec(name, "select * from hillstrom", CONFIG | {"seed": seed}))
        seconds.append(time.process_time() - started)
        query = f"select candidate, uplift_at_30_percent, qini, is_champion from {name}__comparison"
        for candidate, uplift, area, is_champion in con.execute(query).fetchall():
            found[candidate].append((uplift, area))
            if is_champion:
                found["champion (best Qini of the split)"].append((uplift, area))
        for peer, figures in peers(con, seed).items():
            found[peer].append(figures)
    print(f"Hillstrom, women's mail against none, visit; mean of {arguments.splits} splits in half")
    print(f"fit and judge: {np.median(seconds):.1f} CPU s (median)")
    for label, values in found.items():
        uplift, area = np.mean(values, axis=0)
        print(f"{label:36s} uplift at 30 % {uplift:.4f}   Qini {area:.5f}")


if __name__ == "__main__":
    main()
