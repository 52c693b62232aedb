"""Customer segments against scikit-learn: quality on Online Retail, cost on a million customers.

Online Retail: recency, frequency and monetary value as of 2011-12-10 of the 4,338 customers with a
purchase, log(1 + x), standardised. For each number of clusters: silhouette, Davies-Bouldin and
inertia of Martlet's k-means, beside scikit-learn's KMeans(n_init=10, random_state=42) with
silhouette_score over every pair.

A million customers (lognormal, three columns, four kinds): one fit of 5 clusters and the silhouette
by 2,000 drawn customers, each scored exactly against all, with its standard error; beside it the
usual shortcut, silhouette_score(sample_size=10000), which scores a sample against itself.

    python benchmarks/segments.py --online-retail PATH/online_retail.parquet
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import duckdb
import numpy as np
from threadpoolctl import threadpool_limits

from martlet.clustering.comparison import Rules, compare
from martlet.clustering.lloyd import kmeans
from martlet.clustering.transforms import learn_columns, standardized
from martlet.clustering.validity import davies_bouldin, silhouettes


def online_retail(path: Path) -> np.ndarray:
    """Return recency, frequency and monetary value, one row a customer."""
    table = duckdb.execute(f"""
        select date_diff('day', max(invoice_date)::date, date '2011-12-10')::double as recency,
            count(distinct invoice_no)::double as frequency,
            sum(quantity * unit_price) as monetary
        from '{path}'
        where customer_id is not null and invoice_no not like 'C%' and quantity > 0
            and unit_price > 0
        group by customer_id order by customer_id
    """).fetchnumpy()
    return np.column_stack(list(table.values())).astype(float)


def quality(path: Path) -> None:
    """Print the comparison on Online Retail."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import davies_bouldin_score, silhouette_score

    matrix = online_retail(path)
    started = time.process_time()
    found = compare(matrix, Rules(), np.random.default_rng(0))
    own = time.process_time() - started
    points = standardized(matrix, learn_columns(matrix, "log"))
    print(f"Online Retail, {len(matrix)} customers; the whole comparison (2 transforms, 2-10")
    print(f"clusters, bootstrap, HDBSCAN) took {own:.1f} CPU s")
    print("k   silhouette (peer)   Davies-Bouldin (peer)  inertia (peer)       stability  verdict")
    started = time.process_time()
    for item in found.candidates:
        if item.method == "kmeans" and item.transform == "log":
            peer = KMeans(item.clusters, n_init=10, random_state=42).fit(points)
            silhouette = silhouette_score(points, peer.labels_)
            bouldin = davies_bouldin_score(points, peer.labels_)
            print(
                f"{item.clusters:<3} {item.silhouette.value:.4f} ({silhouette:.4f})     "
                f"{item.davies_bouldin:.4f} ({bouldin:.4f})        "
                f"{item.inertia:8.2f} ({peer.inertia_:8.2f})  {item.agreement:.3f}      "
                f"{item.verdict}"
            )
    print(f"peer, one transform, without bootstrap: {time.process_time() - started:.1f} CPU s")


def million(rows: int, scored: int) -> None:
    """Print what a million customers cost."""
    from sklearn.metrics import silhouette_score

    generator = np.random.default_rng(0)
    centres = np.array([[2.5, 2.5, 9.0], [4.2, 1.6, 7.5], [3.0, 1.1, 6.3], [5.2, 0.8, 5.9]])
    logs = centres[generator.integers(4, size=rows)] + 0.45 * generator.normal(size=(rows, 3))
    matrix = np.expm1(np.abs(logs))
    points = standardized(matrix, learn_columns(matrix, "log"))
    started = time.process_time()
    fit = kmeans(points, 5, generator, starts=4)
    print(f"\n{rows:,} customers: k-means, 5 clusters, {time.process_time() - started:.1f} CPU s")
    started = time.process_time()
    mean = silhouettes(points, [fit.labels], generator, scored)[0]
    spent = time.process_time() - started
    print(f"silhouette {mean.value:.4f} +- {mean.standard_error:.4f}, {scored:,} rows scored")
    print(f"against all: {spent:.1f} CPU s, peak {memory():.0f} MB so far")
    started = time.process_time()
    print(f"Davies-Bouldin {davies_bouldin(points, fit.labels):.4f}", end=": ")
    print(f"{time.process_time() - started:.2f} CPU s")
    started = time.process_time()
    peer = silhouette_score(points, fit.labels, sample_size=10_000, random_state=0)
    print(f"peer, sample of 10,000 against itself: {peer:.4f}", end=", ")
    print(f"{time.process_time() - started:.1f} CPU s, peak {memory():.0f} MB")


def memory() -> float:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run both parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--online-retail", type=Path, help="the UCI data as Parquet")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--scored", type=int, default=2_000)
    options = parser.parse_args()
    with threadpool_limits(1):
        million(options.rows, options.scored)
        if options.online_retail:
            quality(options.online_retail)


if __name__ == "__main__":
    main()
