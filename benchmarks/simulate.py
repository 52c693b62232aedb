"""Measure the shop simulator: rows a second and peak memory at a given size.

Run ``python benchmarks/simulate.py --customers 100000``; the files go to a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path

from martlet.simulate import ShopConfig, simulate_shop


def main() -> None:
    """Simulate one shop and print what it took as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--chunk-customers", type=int, default=20_000)
    parser.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    options = parser.parse_args()
    config = ShopConfig(customers=options.customers, chunk_customers=options.chunk_customers)
    with tempfile.TemporaryDirectory() as folder:
        summary = simulate_shop(
            config,
            Path(folder),
            options.format,
            with_truth=True,
            progress=lambda line: print(line, file=sys.stderr),
        )
        written = sum(file.stat().st_size for file in Path(folder).glob("raw_*"))
    # Linux counts in kibibytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(
        json.dumps(
            {
                "customers": options.customers,
                "format": options.format,
                "rows": summary.total_rows,
                "seconds": round(summary.seconds, 1),
                "rows_per_second": round(summary.rows_per_second),
                "peak_memory_mb": round(peak / 1_000_000),
                "written_mb": round(written / 1_000_000, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
