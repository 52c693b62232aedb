"""The ``martlet simulate`` command."""

from __future__ import annotations

import argparse
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from martlet.errors import MartletError

if TYPE_CHECKING:
    from martlet.simulate.config import ShopConfig

__all__ = ["add_arguments", "run"]

_EPILOG = (
    "The same options always write the same bytes. A million customers take a few minutes and "
    "less than 1 GB of memory, which --chunk-customers bounds. docs/sample-shop.md lists what is "
    "planted and how to find it again."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to a parser."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder for raw_<table>.<format>"
    )
    parser.add_argument(
        "--customers", type=int, default=2000, help="customers with an account (2000)"
    )
    parser.add_argument(
        "--start", default="2024-07-01", metavar="DATE", help="first day (2024-07-01)"
    )
    parser.add_argument("--end", default="2026-06-30", metavar="DATE", help="last day (2026-06-30)")
    parser.add_argument("--seed", type=int, default=20260701, help="any whole number (20260701)")
    parser.add_argument(
        "--format", choices=["parquet", "csv"], default="parquet", help="file format (parquet)"
    )
    parser.add_argument(
        "--truth",
        action="store_true",
        help="also write the planted truths to DIR/truth/truth_<table>.parquet",
    )
    parser.add_argument(
        "--chunk-customers",
        type=int,
        default=20000,
        metavar="N",
        help="customers simulated at a time (20000); another number is another shop",
    )
    parser.add_argument(
        "--clickstream-days",
        type=int,
        default=120,
        metavar="N",
        help="days before the end that still have events (120)",
    )
    parser.add_argument(
        "--clickstream-share",
        type=float,
        default=0.26,
        metavar="SHARE",
        help="share of visitors whose events are kept, above 0 to 1 (0.26)",
    )
    parser.add_argument(
        "--request-days",
        type=int,
        default=35,
        metavar="N",
        help="days before the end that still have a server log (35)",
    )
    parser.add_argument(
        "--email-days",
        type=int,
        default=365,
        metavar="N",
        help="days before the end that still have e-mails (365)",
    )
    parser.add_argument(
        "--max-file-mb",
        type=float,
        default=0.0,
        metavar="MB",
        help="split larger CSV files into raw_<table>_1.csv, _2.csv, ...; 0: never (0)",
    )


def run(args: argparse.Namespace) -> int:
    """Simulate a shop as the options say.

    Raises
    ------
    MartletError
        For options no shop can be made of, and for a folder that cannot be written to.
    """
    from martlet.simulate.shop import simulate_shop

    config = _config(args)
    if args.max_file_mb < 0:
        raise MartletError(f"simulate: --max-file-mb must not be negative, not {args.max_file_mb}")
    if args.max_file_mb and args.format != "csv":
        raise MartletError("simulate: --max-file-mb needs --format csv")
    folder = Path(args.output)
    _check_writable(folder)
    try:
        summary = simulate_shop(
            config,
            folder,
            args.format,
            with_truth=args.truth,
            max_file_bytes=round(args.max_file_mb * 1_000_000),
            progress=lambda line: print(line, flush=True),
        )
    except OSError as error:
        raise MartletError(f"simulate: cannot write to {folder}: {error.strerror}") from error
    for table, rows in sorted(summary.rows.items()):
        print(f"  raw_{table:<22}{rows:>14,}")
    print(
        f"{summary.total_rows:,} rows in {summary.seconds:.1f} s "
        f"({summary.rows_per_second:,.0f} rows/s) in {folder}"
    )
    return 0


def _config(args: argparse.Namespace) -> ShopConfig:
    """Return the settings the options ask for."""
    from martlet.simulate.config import ShopConfig

    try:
        return ShopConfig(
            customers=args.customers,
            start=_date("start", args.start),
            end=_date("end", args.end),
            seed=args.seed,
            chunk_customers=args.chunk_customers,
            clickstream_days=args.clickstream_days,
            clickstream_share=args.clickstream_share,
            request_days=args.request_days,
            email_days=args.email_days,
        )
    except ValueError as error:
        raise MartletError(f"simulate: {error}") from error


def _date(name: str, text: str) -> date:
    """Read a date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise MartletError(
            f"simulate: --{name} must be a date such as 2026-06-30, not {text!r}"
        ) from None


def _check_writable(folder: Path) -> None:
    """Refuse a folder nothing can be written to, before any work is done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise MartletError(f"simulate: cannot write to {folder}: {error.strerror}") from error
