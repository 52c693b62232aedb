"""Customer states: log-likelihood reached on CDNOW and Online Retail, and what it costs.

Purchase days per calendar month from the month of the first purchase. Published figures beside
ours: 12-start EM, and hmmlearn 0.3.3's PoissonHMM with 2 starts and 100 iterations, which stops far
below. With --hmmlearn the peer runs here too (it must be installed); with --after-birth the
sequences begin one month later, as in the shipped model: the month of the first purchase holds one
by definition and would take a state of its own.

    python benchmarks/states.py --data FOLDER_WITH_cdnow_AND_online_retail
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import duckdb
import numpy as np
from threadpoolctl import threadpool_limits

from martlet.states.poisson_hmm import fit_hmm, group_sequences
from martlet.states.selection import choose_states

#: File, day, condition, end of the fit and of the hold-out.
SETS = {
    "cdnow": ("cdnow/cdnow_sample.parquet", "date", "true", "1998-03-01", "1998-07-01"),
    "online_retail": (
        "online_retail/online_retail.parquet",
        "invoice_date::date",
        "customer_id is not null and invoice_no not like 'C%' and quantity > 0 and unit_price > 0",
        "2011-09-01",
        "2011-12-01",
    ),
}
#: Log-likelihood of 12-start EM and of hmmlearn by number of states.
KNOWN = {
    "cdnow": {1: (-16617.14, None), 2: (-12206.43, -12206.57), 3: (-11641.58, -12200.27),
              4: (-11406.67, None), 5: (-11355.01, None)},
    "online_retail": {2: (-17425.15, -17425.44), 3: (-16359.72, -17397.13),
                      4: (-15925.74, None), 5: (-15780.32, None)},
}  # fmt: skip


def panel(folder: Path, name: str, after_birth: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return customer, count and whether the row is held out, sequence after sequence."""
    file, day, condition, until, end = SETS[name]
    later = 1 if after_birth else 0
    found = duckdb.execute(f"""
        with days as (
            select distinct customer_id as id, {day} as d from '{folder / file}' where {condition}
        ), births as (
            select id, date_trunc('month', min(d)) + to_months({later}) as birth from days
            where d < date '{until}' group by id
        ), months as (
            select id, unnest(generate_series(birth::timestamp,
                date '{end}' - interval 1 month, interval 1 month))::date as month
            from births
        )
        select months.id::bigint as id, count(days.d) as n,
            months.month >= date '{until}' as held
        from months left join days
            on days.id = months.id and date_trunc('month', days.d) = months.month
        group by months.id, months.month order by months.id, months.month
    """).fetchnumpy()
    return tuple(np.asarray(found[key]) for key in ("id", "n", "held"))


def compared(folder: Path, name: str, states: int, after_birth: bool, peer: bool) -> None:
    """Print one data set."""
    sequence, counts, held = panel(folder, name, after_birth)
    data = group_sequences(sequence[~held], counts[~held])
    print(f"\n{name}: {int(data.weights.sum()):,} sequences ({len(data.weights):,} different),")
    print(f"{int(data.rows):,} rows to fit on, {int(held.sum()):,} held out")
    print("states  log-likelihood  known EM    hmmlearn    CPU s")
    for number in range(1, states + 1):
        started = time.process_time()
        model = fit_hmm(data, number, np.random.default_rng(0))
        spent = time.process_time() - started
        em, other = KNOWN[name].get(number, (None, None)) if not after_birth else (None, None)
        shown = [f"{value:.2f}" if value is not None else "-" for value in (em, other)]
        print(
            f"{number:<7} {model.log_likelihood:<15.2f} {shown[0]:<11} {shown[1]:<11} {spent:.2f}"
        )
        if peer and number > 1:
            run_hmmlearn(sequence[~held], counts[~held], number)
    candidates = range(1, states + 1)
    scan, chosen, reason = choose_states(
        sequence, counts, held, candidates, np.random.default_rng(0), 12
    )
    print("states  held-out log-likelihood a row  AUC    log loss (a purchase next month)")
    for place, item in enumerate(scan):
        mark = f"<- chosen: {reason}" if place == chosen else ""
        print(f"{place + 1:<7} {item.held_out:<30.4f} {item.auc:.3f}  {item.log_loss:.3f}  {mark}")


def run_hmmlearn(sequence: np.ndarray, counts: np.ndarray, states: int) -> None:
    """Fit the peer with two starts."""
    from hmmlearn.hmm import PoissonHMM

    lengths = np.unique(sequence, return_counts=True)[1]
    started, best = time.process_time(), -np.inf
    for seed in range(2):
        model = PoissonHMM(states, n_iter=100, random_state=seed)
        model.fit(counts.reshape(-1, 1), lengths)
        best = max(best, model.score(counts.reshape(-1, 1), lengths))
    print(f"        hmmlearn here: {best:.2f}, {time.process_time() - started:.1f} CPU s")


def main() -> None:
    """Run both data sets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--states", type=int, default=5)
    parser.add_argument("--after-birth", action="store_true")
    parser.add_argument("--hmmlearn", action="store_true")
    options = parser.parse_args()
    with threadpool_limits(1):
        for name in SETS:
            compared(options.data, name, options.states, options.after_birth, options.hmmlearn)


if __name__ == "__main__":
    main()
