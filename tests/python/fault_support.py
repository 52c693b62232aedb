"""Raw rows that are wrong or hostile, and small disks, for the tests of faults."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from martlet.simulate import RAW_COLUMNS

__all__ = [
    "HOSTILE",
    "MEGABYTE",
    "any_text",
    "junk_rows",
    "make_hostile",
    "malformed_rows",
    "read_raw",
    "small_disk",
    "write_raw",
]

Row = dict[str, str | None]

#: Texts that end a string, a statement, a template, a line, a cell, a tag or a C string.
HOSTILE = (
    "it's",
    'say "hi"',
    "'; drop table shop.shop_orders; --",
    "\"); attach 'other.duckdb' as x; --",
    "{{ run_query('drop schema marts cascade') }}",
    "{% do exceptions.raise_compiler_error('no') %}",
    "$$ || $1 ? :name %s %(x)s {0} {input}",
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "a\r\nb\tc",
    "1.2.3.4 allow;\n}\ninclude /etc/passwd;",
    '=HYPERLINK("http://example.com")',
    "nul\0nul",
    "\U0001f389\U0001f469\u200d\U0001f4bb",
    "\u202eright to left\u202c",
    "e\u0301\ufeff\u200b\ud7ff\uffff",
    "\\\\n\\u0000\\",
    "/* comment */ -- comment",
    "Robert'); DELETE FROM marts.fct_orders WHERE 1=1;--",
    "__martlet_rows",
    "null",
    "NaN",
)

#: Longer than any field of a shop.
MEGABYTE = "x'\"<" * 262_144

_BAD_TIMES = (
    None, "", " ", "never", "2025-13-45", "2025-02-30 10:00:00", "1970-01-01 00:00:00", "infinity",
    "-infinity", "epoch", "2099-01-01", "9999-12-31 23:59:59", "290000-01-01 00:00:00",
    "300000-01-01 00:00:00", "-5000-01-01", "0001-01-01 00:00:00", "44-03-15 (BC)", "1761955200",
    "2025-10-01 25:61:61", "2025-10-01T10:00:00+zz:00", "10/01/2025", "\0", *HOSTILE,
)  # fmt: skip
_NO_NUMBERS = (
    "nan", "NaN", "inf", "-inf", "Infinity", "1e400", "-1e400", "1e30", "99999999999999999999",
    "12,50", "1.2.3", "0x1F", "--1", "1-", "\u0661\u0662", "$5", "5 EUR", *HOSTILE,
)  # fmt: skip
_NEGATIVE = ("-1", "-0.01", "-99999999999999.9999", "-1e3")
_NO_CODES = (None, "", "??", "EURO", "€", "0", *HOSTILE)
_NO_KEYS = (None, "", "   ")
#: Keys that nothing has.
_NOBODY = tuple(f"nobody {text}" for text in HOSTILE)


def any_text(dice: random.Random) -> str | None:
    """Draw a text of any kind, from nothing over numbers at their limits to noise."""
    kind = dice.randrange(8)
    if kind == 0:
        return dice.choice((None, "", " ", "0", "-0", "1", "true"))
    if kind == 1:
        return dice.choice(HOSTILE)
    if kind == 2:
        return dice.choice(_BAD_TIMES)
    if kind == 3:
        return dice.choice(_NO_NUMBERS + _NEGATIVE)
    if kind == 4:
        return repr(dice.choice((-1, 1)) * 10 ** dice.uniform(-30, 30))
    if kind == 5:
        return str(dice.choice((2**31, 2**63, 10**13, 10**14 - 1, 9999999999)) - dice.randrange(2))
    if kind == 6:
        return f"{dice.randrange(1, 3000):04}-{dice.randrange(14):02}-{dice.randrange(33):02}"
    points = [dice.choice((32, 127, 255, 2**16, 0x110000)) for _ in range(dice.randrange(12))]
    letters = (dice.randrange(limit) for limit in points)
    return "".join(chr(code) for code in letters if not 0xD800 <= code < 0xE000)


Breaks = dict[str, tuple[str | None, ...]]

#: By raw table: what no row may have in a column. Each value of itself sends a row to quarantine.
_BREAKS: dict[str, Breaks] = {
    "customers": {"customer_id": _NO_KEYS, "created_at": _BAD_TIMES},
    "products": {
        "product_id": _NO_KEYS, "list_price": _NO_NUMBERS + _NEGATIVE,
        "unit_cost": _NO_NUMBERS + _NEGATIVE, "currency": ("??", "EURO", *HOSTILE, "USD"),
    },
    "orders": {
        "order_id": _NO_KEYS, "created_at": _BAD_TIMES, "status": _NO_CODES,
        "currency": _NO_CODES, "subtotal": _NO_NUMBERS + _NEGATIVE, "total": _NO_NUMBERS,
        "discount": _NEGATIVE, "shipping": _NO_NUMBERS, "tax": _NEGATIVE,
        "exchange_rate": ("0", "-1", *_NO_NUMBERS),
    },
    "order_lines": {
        "line_id": _NO_KEYS, "order_id": (None, "", *_NOBODY), "product_id": (None, *_NOBODY),
        "quantity": (None, "0", "-1", "1.5", *_NO_NUMBERS), "unit_price": _NO_NUMBERS + _NEGATIVE,
        "discount": _NEGATIVE,
    },
    "refunds": {
        "refund_id": _NO_KEYS, "order_id": _NOBODY, "quantity": ("-1", "1.5"),
        "amount": (None, "", *_NO_NUMBERS, *_NEGATIVE), "currency": _NO_CODES,
        "created_at": _BAD_TIMES,
    },
    "payments": {
        "payment_id": _NO_KEYS, "order_id": (None, "", *_NOBODY), "created_at": _BAD_TIMES,
        "status": _NO_CODES, "amount": (None, *_NO_NUMBERS, *_NEGATIVE), "currency": _NO_CODES,
    },
    "events": {
        "event_id": _NO_KEYS, "event_time": _BAD_TIMES, "event": (None, "", " "),
        "quantity": ("1.5", *_NO_NUMBERS), "value": _NO_NUMBERS,
    },
    "page_requests": {
        "request_id": _NO_KEYS, "time": _BAD_TIMES, "status": ("200.5", *_NO_NUMBERS),
        "bytes": _NO_NUMBERS, "duration_ms": _NO_NUMBERS,
    },
    "emails_sent": {"message_id": _NO_KEYS, "customer_id": _NO_KEYS, "sent_at": _BAD_TIMES},
    "email_events": {
        "event_id": _NO_KEYS, "message_id": (None, *_NOBODY), "type": _NO_CODES,
        "time": _BAD_TIMES,
    },
    "support_messages": {"message_id": _NO_KEYS, "created_at": _BAD_TIMES},
    "stock": {
        "product_id": (*_NO_KEYS, *_NOBODY), "counted_at": _BAD_TIMES,
        "on_hand": (None, "", "0.5", *_NO_NUMBERS),
    },
    "competitor_prices": {
        "product_id": (*_NO_KEYS, *_NOBODY), "competitor": _NO_KEYS, "seen_at": _BAD_TIMES,
        "price": (None, *_NO_NUMBERS, *_NEGATIVE), "currency": (*_NO_CODES, "USD"),
    },
    "experiment_exposures": {
        "experiment": _NO_KEYS, "variant": _NO_KEYS, "exposed_at": _BAD_TIMES,
    },
}  # fmt: skip


def read_raw(folder: Path) -> dict[str, list[Row]]:
    """Read every raw table of a folder of Parquet files."""
    tables: dict[str, list[Row]] = {}
    for table in RAW_COLUMNS:
        files = sorted([*folder.glob(f"raw_{table}.parquet"), *folder.glob(f"raw_{table}_[0-9]*")])
        tables[table] = [row for file in files for row in pq.read_table(file).to_pylist()]
    return tables


def write_raw(folder: Path, tables: dict[str, list[Row]]) -> None:
    """Write raw tables as Parquet files, every column as text."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        schema = pa.schema([(name, pa.string()) for name in RAW_COLUMNS[table]])
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / f"raw_{table}.parquet")


def _drawn(
    sound: dict[str, list[Row]],
    count: int,
    seed: int,
    change: Callable[[random.Random, str, Row], None],
) -> Iterator[tuple[str, Row]]:
    dice = random.Random(seed)
    names = sorted(RAW_COLUMNS)
    for number in range(count):
        table = names[number % len(names)]
        row = dict(dice.choice(sound[table]))
        change(dice, table, row)
        yield table, row


def malformed_rows(sound: dict[str, list[Row]], count: int, seed: int) -> Iterator[tuple[str, Row]]:
    """Make rows with at least one thing in them that the contract refuses."""

    def change(dice: random.Random, table: str, row: Row) -> None:
        breaks = _BREAKS[table]
        columns = sorted(breaks)
        for column in dice.sample(columns, dice.choice((1, 1, 1, min(2, len(columns))))):
            row[column] = dice.choice(breaks[column])

    return _drawn(sound, count, seed, change)


def junk_rows(sound: dict[str, list[Row]], count: int, seed: int) -> Iterator[tuple[str, Row]]:
    """Make rows whose fields, some or all, hold any text at all."""

    def change(dice: random.Random, table: str, row: Row) -> None:
        columns = list(RAW_COLUMNS[table])
        for column in dice.sample(columns, dice.choice((1, 1, 2, len(columns)))):
            row[column] = any_text(dice)

    return _drawn(sound, count, seed, change)


#: Columns that name the same thing in several tables: changed everywhere alike.
_KEYS = frozenset(
    [
        "customer_id",
        "product_id",
        "order_id",
        "line_id",
        "cookie_id",
        "user_id",
        "message_id",
        "campaign",
        "coupon_code",
        "category",
        "subcategory",
        "brand",
        "experiment",
        "device_id",
        "card_fingerprint",
    ]
)
#: Text that is free in its table.
_TEXTS = frozenset(
    [
        "title",
        "description",
        "city",
        "search_term",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "os",
        "browser",
        "device",
        "user_agent",
        "referrer",
        "url",
        "path",
        "query",
        "subject",
        "body",
        "reason",
        "channel",
        "tags",
        "email",
        "load_id",
        "competitor",
        "ip",
        "method",
        "intent",
    ]
)


def make_hostile(source: Path, folder: Path) -> None:
    """Copy raw files; every fifth key and every fourth free text ends in something hostile."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as con:
        con.execute("set variable hostile = ?", [list(HOSTILE)])
        for table, columns in RAW_COLUMNS.items():
            shown = []
            for name in columns:
                share = 5 if name in _KEYS else 4 if name in _TEXTS else 0
                salt = "" if name in _KEYS else f" || '{name}'"
                number = f'hash("{name}"{salt})'
                shown.append(
                    f"case when {number} % {share} = 0 then \"{name}\" || ' ' || getvariable("
                    f"'hostile')[1 + ({number} // 7 % {len(HOSTILE)})::int] else \"{name}\" end "
                    f'as "{name}"'
                    if share
                    else f'"{name}"'
                )
            con.execute(
                f"copy (select {', '.join(shown)} from '{source}/raw_{table}*.parquet') "
                f"to '{folder}/raw_{table}.parquet' (format parquet)"
            )


@contextlib.contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """Mount a file system of its own, ``size=24m`` or ``ro``, or skip the test."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True, check=False,
    ) if shutil.which("mount") else None  # fmt: skip
    if made is None or made.returncode:
        pytest.skip("a file system of its own can be mounted by the superuser only")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
