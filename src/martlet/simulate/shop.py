"""Puts the parts together: chunk after chunk of customers, written as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from martlet.simulate import raw_shop
from martlet.simulate.chunk import Numbers, simulate_chunk
from martlet.simulate.config import RAW_COLUMNS, ShopConfig, Streams
from martlet.simulate.dirt import add_mess
from martlet.simulate.products import make_catalogue
from martlet.simulate.stock import competitor_table, stock_table
from martlet.simulate.tally import Tally
from martlet.simulate.truth import shop_truths
from martlet.simulate.write import FolderWriter

__all__ = ["Summary", "simulate_shop"]


@dataclass(frozen=True)
class Summary:
    """What was written.

    Parameters
    ----------
    rows
        Rows of each raw table.
    seconds
        How long it took.
    """

    rows: dict[str, int]
    seconds: float

    @property
    def total_rows(self) -> int:
        """Rows of all raw tables together."""
        return sum(self.rows.values())

    @property
    def rows_per_second(self) -> float:
        """Raw rows written a second."""
        return self.total_rows / max(self.seconds, 1e-9)


def simulate_shop(
    config: ShopConfig,
    output: Path,
    file_format: str = "parquet",
    with_truth: bool = False,
    max_file_bytes: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Summary:
    """Simulate a shop and write its raw tables, one file each.

    Parameters
    ----------
    config
        Size, dates, seed and planted parameters.
    output
        Folder for ``raw_<table>.parquet`` or ``.csv``; truth tables go to ``truth`` in it.
    file_format
        ``parquet`` or ``csv``.
    with_truth
        Whether to write the truth tables.
    max_file_bytes
        Split CSV files above this size; 0: never.
    progress
        Called with a line after every chunk.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> summary = simulate_shop(ShopConfig(customers=50), folder)
    >>> summary.rows["customers"] >= 50
    True
    """
    started = time.perf_counter()
    catalogue = make_catalogue(config)
    tally = Tally.empty(config, catalogue)
    numbers = Numbers()
    truths = FolderWriter(output / "truth", "parquet", "truth_") if with_truth else None
    defects: list[pa.Table] = []
    with FolderWriter(output, file_format, "raw_", max_file_bytes) as writer:
        for chunk, customers in enumerate(config.chunks):
            clean, truth = simulate_chunk(config, chunk, customers, catalogue, numbers, tally)
            _write(config, writer, chunk, clean, defects)
            if truths is not None:
                for name, table in truth.items():
                    truths.append(name, table)
            if progress is not None:
                passed = time.perf_counter() - started
                rows = sum(writer.rows.values())
                progress(
                    f"{min((chunk + 1) * config.chunk_customers, config.customers):,} customers, "
                    f"{rows:,} rows, {rows / passed:,.0f} rows/s"
                )
        shop = {
            "products": (raw_shop.products_table(config, catalogue), None),
            "stock": (stock_table(config, catalogue, tally.sold), None),
            "competitor_prices": (competitor_table(config, catalogue), None),
        }
        _write(config, writer, -1, shop, defects)
    if truths is not None:
        with truths:
            for name, table in shop_truths(config, catalogue, tally).items():
                truths.append(name, table)
            _write_defects(truths, defects)
    return Summary(dict(writer.rows), time.perf_counter() - started)


def _write(
    config: ShopConfig,
    writer: FolderWriter,
    chunk: int,
    tables: dict[str, tuple[pa.Table, pa.Array | None]],
    defects: list[pa.Table],
) -> None:
    """Make a mess of the clean tables and append them."""
    for name, (table, earlier) in tables.items():
        rng = Streams(config.seed, chunk)("mess " + name)
        dirty, records = add_mess(name, table, rng, max(chunk, 0), earlier)
        if name == "events":
            # Delivered load by load.
            order = pc.sort_indices(dirty["load_id"])
            dirty = dirty.take(order)
        writer.append(name, dirty.select(list(RAW_COLUMNS[name])))
        defects.extend(records)


def _write_defects(truths: FolderWriter, defects: list[pa.Table]) -> None:
    """Write every planted row and the counts of each defect."""
    rows = pa.concat_tables(defects)
    truths.append("defect_rows", rows)
    keys = ["table_name", "defect", "rejection_reason"]
    counts = rows.group_by(keys).aggregate([("raw_key", "count")])
    counts = counts.rename_columns([*keys, "planted_rows"])
    truths.append("defects", counts.sort_by([(key, "ascending") for key in keys]))
