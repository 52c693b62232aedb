"""Compare churn on the sample shop with the best possible: what its generator knows.

``python benchmarks/churn_ceiling.py --database FILE`` reads a built sample shop (``martlet build``
with the sample connector), simulates the same shop again for its planted truths and prints, for
the buyers of the test cut-off, the model next to three observers:

- order histories: knows the planted distributions and sees every customer's purchase days; no
  model of purchase days alone can rank better on average;
- own rates: is told each customer's planted purchase rate and drop-out probability as well;
- all: is told who has left already; what remains is chance.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from martlet.churn.measures import measure
from martlet.simulate.config import Parameters, ShopConfig
from martlet.simulate.shop import simulate_shop

SHOWN = ("roc_auc", "log_loss", "calibration_error", "lift_at_10_percent")


def buyers(database: str, truth: Path) -> dict[str, Any]:
    """Return the test cut-off's buyers: prediction, outcome, history and planted truths."""
    con = duckdb.connect(config={"threads": 2})
    con.execute(f"attach '{database}' as built (read_only)")
    return con.execute(
        f"""
        select
            rows.is_churned::double as churned, rows.horizon_days::double as horizon,
            predictions.churn_probability as model,
            rows.purchase_day_count - 1.0 as repeats, rows.recency_days::double as recency,
            rows.tenure_days::double as tenure, planted.purchase_rate_per_day as rate,
            planted.dropout_probability as dropout,
            coalesce(
                planted.dropped_out_day
                <= date_diff('day', date '{ShopConfig().start}', rows.as_of_date), false
            ) as is_gone
        from built.ml.ml_churn__training_set as rows
        inner join built.ml.ml_churn__predictions as predictions using (customer_id, as_of_date)
        inner join '{truth}/truth_customers.parquet' as planted using (customer_id)
        where rows.is_test and planted.kind = 'buyer'
        order by rows.customer_id
        """
    ).fetchnumpy()


def observers(rows: dict[str, Any]) -> dict[str, Any]:
    """Return each observer's probability of no order within the horizon.

    BG/NBD: a customer may leave after every repeat purchase. Fader, Hardie and Lee (2005),
    equations for P(alive) and P(X(t) = 0).
    """
    p, x, t = Parameters(), rows["repeats"], rows["horizon"]
    seen = p.bgnbd_alpha + rows["tenure"]
    last = seen - rows["recency"]
    gone = np.where(
        x > 0,
        p.bgnbd_a / (p.bgnbd_b + x - 1) * (seen / last) ** (p.bgnbd_r + x),
        0.0,
    )
    idle = (seen / (seen + t)) ** (p.bgnbd_r + x)
    own_gone = rows["dropout"] / (1 - rows["dropout"]) * np.exp(rows["rate"] * rows["recency"])
    own_gone, own_idle = np.where(x > 0, own_gone, 0.0), np.exp(-rows["rate"] * t)
    return {
        "model": rows["model"],
        "order histories": (gone + idle) / (gone + 1),
        "own rates": (own_gone + own_idle) / (own_gone + 1),
        "all": np.where(rows["is_gone"], 1.0, own_idle),
    }


def main() -> None:
    """Simulate, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", required=True, help="a built sample shop")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        simulate_shop(ShopConfig(), Path(folder), with_truth=True)
        rows = buyers(arguments.database, Path(folder) / "truth")
    churned = rows["churned"]
    print(f"planted churners ranked: {len(churned)} buyers, {churned.mean():.1%} left")
    print(f"{'':18s}", *(f"{key[:9]:>9s}" for key in SHOWN))
    for name, values in observers(rows).items():
        found = measure(churned, np.asarray(values, dtype=float))
        print(f"{name:18s}", *(f"{found[key]:9.4f}" for key in SHOWN))


if __name__ == "__main__":
    main()
