"""Boosted trees and forests on the penguins beside XGBoost, the library behind BigQuery ML's.

The same rows and options on both sides: body mass from all other columns, all rows for training,
BigQuery ML's defaults (20 rounds of depth 6; 100 trees of depth 15, subsample .8). Categories are
numbered by the alphabet on both sides. Needs XGBoost, which nothing else here does:

    pip install xgboost
    python benchmarks/trees.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "shared/data/penguins/penguins.csv"
QUERY = "select * from penguins where body_mass_g is not null"
#: Recorded from BigQuery ML: mean absolute error and R².
RECORDED = {"boosted_tree_regressor": (108.8, 0.9676), "random_forest_regressor": (317.0, 0.7527)}


def show(name: str, error: float, share: float) -> None:
    """Print one line."""
    print(f"{name:42} {error:8.3f} {share:8.5f}")


def ours(con: Any, model_type: str) -> tuple[float, float]:
    """Fit with Martlet and return its own evaluation."""
    from martlet.fit import ModelSpec, fit_model

    config = {"model_type": model_type, "labels": ["body_mass_g"], "data_split_method": "NO_SPLIT"}
    fit_model(con, ModelSpec(model_type, QUERY, config))
    query = f"select mean_absolute_error, r2_score from {model_type}_evaluate()"
    error, share = con.execute(query).fetchall()[0]
    return error, share


def encoded(con: Any) -> tuple[Any, Any]:
    """Return the features, categories numbered from 1 and 0 for none, and the label."""
    data = con.query(QUERY).df()
    for name in ("species", "island", "sex"):
        places = {value: i for i, value in enumerate(sorted(data[name].dropna().unique()), 1)}
        data[name] = data[name].map(places).fillna(0)
    return data.drop(columns="body_mass_g").to_numpy(float), data["body_mass_g"].to_numpy(float)


def main() -> int:
    """Run the comparison."""
    import duckdb
    import xgboost
    from sklearn.metrics import mean_absolute_error, r2_score

    con = duckdb.connect()
    con.execute(f"create table penguins as from read_csv('{FILE}')")
    points, target = encoded(con)
    print(f"{len(target)} penguins, XGBoost {xgboost.__version__}")
    print(f"{'':42} {'MAE':>8} {'R²':>8}")
    for name, (error, share) in RECORDED.items():
        show(f"{name}, BigQuery ML", error, share)
        show(f"{name}, Martlet", *ours(con, name))
        for start, base in (("mean", float(target.mean())), ("0.5", 0.5)):
            if name == "boosted_tree_regressor":
                peer = xgboost.XGBRegressor(
                    n_estimators=20, max_depth=6, learning_rate=0.3, reg_lambda=1.0,
                    tree_method="hist", base_score=base,
                )  # fmt: skip
            else:
                peer = xgboost.XGBRFRegressor(
                    n_estimators=100, max_depth=15, subsample=0.8, colsample_bynode=0.8,
                    reg_lambda=1.0, base_score=base, random_state=0,
                )  # fmt: skip
            found = peer.fit(points, target).predict(points)
            errors = (mean_absolute_error(target, found), r2_score(target, found))
            show(f"{name}, XGBoost from {start}", *map(float, errors))
    return 0


if __name__ == "__main__":
    sys.exit(main())
