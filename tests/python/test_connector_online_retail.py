"""The connector online_retail: every line counted once, to the cent, from any publication."""

from __future__ import annotations

import datetime
import shutil
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import openpyxl
import pandas as pd
import pytest

from martlet.errors import MartletError
from martlet.excel import read_workbook
from support import PROJECT, query, run_dbt

REAL_FILE = PROJECT.parent / "shared" / "data" / "online_retail" / "online_retail.parquet"

needs_real_file = pytest.mark.skipif(
    not REAL_FILE.is_file(), reason=f"the public Online Retail data is not at {REAL_FILE}"
)

#: Staging, the contract and the look-ups they need; no unit tests, those run with every build.
NO_OTHER_TESTS = ("--exclude-resource-type", "unit_test", "--indirect-selection", "buildable")
SELECTION = ("--select", "+models/shop", *NO_OTHER_TESTS)
COLUMNS = {
    "uci": [
        "InvoiceNo",
        "StockCode",
        "Description",
        "Quantity",
        "InvoiceDate",
        "UnitPrice",
        "CustomerID",
        "Country",
    ],
    "online_retail_2": [
        "Invoice",
        "StockCode",
        "Description",
        "Quantity",
        "InvoiceDate",
        "Price",
        "Customer ID",
        "Country",
    ],
}


def settings(path: Path | str, **others: Any) -> dict[str, Any]:
    return {
        "martlet_connector": "online_retail",
        "martlet_currency": "GBP",
        "martlet_raw_path": str(path),
        **others,
    }


def lines() -> pd.DataFrame:
    """Lines with every trap of the source, in the layout of the Parquet file."""
    rng = np.random.default_rng(7)
    start = pd.Timestamp("2011-03-26 09:00")
    rows: list[tuple[Any, ...]] = []
    for number in range(120):
        # Across the change to summer time on 27 March.
        time = start + pd.Timedelta(minutes=int(number * 23))
        customer = None if number % 5 == 0 else 12000 + number % 17
        country = ("United Kingdom", "EIRE", "Channel Islands")[number % 3]
        for _ in range(int(rng.integers(1, 6))):
            code = f"{20000 + int(rng.integers(30))}{'Aa'[number % 2]}"
            name = f"LAMP, LARGE {code.upper()}"
            rows.append((str(540000 + number), code, name, int(rng.integers(1, 20)), time,
                         float(rng.integers(1, 900)) / 100, customer, country))  # fmt: skip
    last = start + pd.Timedelta(days=3)
    first = rows[1]
    rows.append(first)
    rows.append(("C541000", first[1], first[2], -first[3], last, *first[5:]))
    rows.append(("541001", "gift_0001_20", "Gift Voucher £20.00", 1, last, 17.02, None, "EIRE"))
    rows.append(("541002", "POST", "POSTAGE", 1, last, 18.0, 12001, "Unspecified"))
    rows.append(("541003", "20001A", None, -9, last, 0.0, None, "United Kingdom"))
    rows.append(("541004", "20001A", "found", 9, last, 0.0, None, "United Kingdom"))
    rows.append(("A541005", "B", "Adjust bad debt", 1, last, -11062.06, None, "United Kingdom"))
    columns = [
        "invoice_no",
        "stock_code",
        "description",
        "quantity",
        "invoice_date",
        "unit_price",
        "customer_id",
        "country",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"customer_id": "Int64"})


def write_uci_csv(frame: pd.DataFrame, file: Path) -> Path:
    """Write as the UCI file saved as CSV by a US spreadsheet: 12/1/2010 8:26, Latin-1."""
    table = frame.set_axis(COLUMNS["uci"], axis=1)
    times = table["InvoiceDate"]
    table["InvoiceDate"] = [f"{t.month}/{t.day}/{t.year} {t.hour}:{t.minute:02}" for t in times]
    table.to_csv(file, index=False, encoding="latin-1")
    return file


def write_online_retail_2_csv(frame: pd.DataFrame, file: Path) -> Path:
    """Write as the CSV of Online Retail II: ISO times, customers as 17850.0, UTF-8."""
    table = frame.set_axis(COLUMNS["online_retail_2"], axis=1)
    table["Customer ID"] = table["Customer ID"].astype("float64")
    # Another order of the rows must not matter either.
    table.iloc[::-1].to_csv(file, index=False, encoding="utf-8")
    return file


def write_workbook(frame: pd.DataFrame, file: Path) -> Path:
    """Write as the workbook of Online Retail II: a sheet for each year, and one of notes."""
    table = frame.set_axis(COLUMNS["online_retail_2"], axis=1)
    table["Customer ID"] = table["Customer ID"].astype("float64")
    # A spreadsheet keeps invoice numbers as numbers where it can.
    table["Invoice"] = [int(n) if n.isdigit() else n for n in table["Invoice"]]
    is_early = table["InvoiceDate"] < pd.Timestamp("2011-03-27")
    with pd.ExcelWriter(file, engine="openpyxl") as writer:
        pd.DataFrame({"Notes": ["about the data"]}).to_excel(writer, sheet_name="Notes")
        table[is_early].to_excel(writer, sheet_name="Year 2009-2010", index=False)
        table[~is_early].to_excel(writer, sheet_name="Year 2010-2011", index=False)
    return file


def write_folder(frame: pd.DataFrame, folder: Path) -> Path:
    """Write one CSV a day, half of them in another encoding."""
    folder.mkdir()
    for number, (day, rows) in enumerate(frame.groupby(frame["invoice_date"].dt.date)):
        write = write_uci_csv if number % 2 else write_online_retail_2_csv
        write(rows, folder / f"{day}.csv")
    return folder


def shop_tables(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything the shop knows, and what was refused and why."""
    tables = {
        name: query(database, f"select * from shop.shop_{name} order by all")
        for name in ("customers", "products", "orders", "order_items", "returns")
    }
    tables["quarantine"] = query(
        database,
        "select entity, source_key, rejection_reason from shop.shop_quarantine order by all",
    )
    return tables


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The made lines and, where it is at hand, ten days of the real ones."""
    frame = lines()
    if REAL_FILE.is_file():
        real = duckdb.sql(
            f"select * from '{REAL_FILE}' where invoice_date between '2011-05-01' and '2011-05-11'"
        ).df()
        # Sheets and files are cut by day or year, so the made lines come first.
        frame = pd.concat([frame, real.astype({"customer_id": "Int64"})], ignore_index=True)
    return frame


@pytest.fixture(scope="module")
def from_parquet(
    source: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[tuple[Any, ...]]]:
    folder = tmp_path_factory.mktemp("parquet")
    source.to_parquet(folder / "lines.parquet")
    database = folder / "martlet.duckdb"
    run_dbt("build", *SELECTION, database=database, target=folder, vars=settings(folder))
    return shop_tables(database)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_uci_csv, "data.csv"),
        (write_online_retail_2_csv, "online_retail_II.csv"),
        (write_workbook, "online_retail_II.xlsx"),
        (write_folder, "days"),
    ],
)
def test_every_publication_gives_the_same_shop(
    write: Any,
    name: str,
    source: pd.DataFrame,
    from_parquet: dict[str, list[tuple[Any, ...]]],
    tmp_path: Path,
) -> None:
    database = tmp_path / "martlet.duckdb"
    raw = write(source, tmp_path / name)
    run_dbt("build", *SELECTION, database=database, target=tmp_path, vars=settings(raw))
    tables = shop_tables(database)
    assert {table: len(rows) for table, rows in tables.items()} == {
        table: len(rows) for table, rows in from_parquet.items()
    }
    assert tables == from_parquet


def test_traps_of_the_source_are_told_apart(
    source: pd.DataFrame, from_parquet: dict[str, list[tuple[Any, ...]]]
) -> None:
    reasons = {row[1]: row[2] for row in from_parquet["quarantine"]}
    assert reasons["541003-1"] == "stock_correction"
    assert reasons["541004-1"] == "zero_price"
    assert reasons["A541005-1"] == "bad_debt_adjustment"
    kept = len(from_parquet["order_items"]) + len(from_parquet["returns"])
    assert kept + len(reasons) == len(source)
    # The line that stands twice is kept twice.
    repeated = source[source.duplicated()]
    assert len(repeated) > 0
    for invoice in repeated["invoice_no"]:
        if not invoice.startswith(("A", "C")):
            sold = (source["invoice_no"] == invoice) & (source["unit_price"] > 0)
            kept = [row for row in from_parquet["order_items"] if row[1] == invoice]
            assert len(kept) == sold.sum()
    products = {row[0]: row for row in from_parquet["products"]}
    assert "20001a" not in products
    assert "GIFT_0001_20" in products
    assert "service" in products["POST"]


def test_the_later_sheet_counts_when_two_hold_an_invoice(tmp_path: Path) -> None:
    table = lines().set_axis(COLUMNS["online_retail_2"], axis=1)
    raw = tmp_path / "overlap.xlsx"
    with pd.ExcelWriter(raw, engine="openpyxl") as writer:
        table.to_excel(writer, sheet_name="Year 2009-2010", index=False)
        table.to_excel(writer, sheet_name="Year 2010-2011", index=False)
    database = tmp_path / "martlet.duckdb"
    run_dbt("build", *SELECTION, database=database, target=tmp_path, vars=settings(raw))
    counts = dict(
        query(
            database,
            "select coalesce(rejection_reason, 'kept'), count(*) "
            "from staging.stg_online_retail__lines group by 1",
        )
    )
    assert counts["superseded_row"] == len(table)
    assert sum(counts.values()) == 2 * len(table)
    assert counts["kept"] == len(table) - 3


# --- the real file ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    run_dbt(
        "build",
        *SELECTION,
        database=folder / "martlet.duckdb",
        target=folder,
        vars=settings(REAL_FILE.parent),
    )
    return folder / "martlet.duckdb"


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    """The raw lines with exact amounts, sorted into the connector's groups by other means."""
    frame = pd.read_parquet(REAL_FILE)
    price = (frame["unit_price"] * 10_000).round().astype("int64")
    frame["ten_thousandths"] = price * frame["quantity"].astype("int64")
    frame["kind"] = "order"
    frame.loc[frame["unit_price"] == 0, "kind"] = "zero_price"
    frame.loc[frame["quantity"] <= 0, "kind"] = "stock_correction"
    frame.loc[frame["invoice_no"].str.startswith("A"), "kind"] = "bad_debt_adjustment"
    frame.loc[frame["invoice_no"].str.startswith("C"), "kind"] = "return"
    return frame


def amount(frame: pd.DataFrame) -> Decimal:
    return Decimal(int(frame["ten_thousandths"].sum())) / 10_000


@needs_real_file
@pytest.mark.real_data
def test_every_real_line_is_accounted_for_once(real_shop: Path, raw: pd.DataFrame) -> None:
    expected = raw["kind"].value_counts().to_dict()
    found = dict(
        query(
            real_shop,
            "select 'order', count(*) from shop.shop_order_items "
            "union all select 'return', count(*) from shop.shop_returns "
            "union all select rejection_reason, count(*) from shop.shop_quarantine group by 1",
        )
    )
    assert found == expected
    assert sum(found.values()) == len(raw) == 541_909
    by_invoice = raw[raw["kind"] == "order"].groupby("invoice_no").size().to_dict()
    assert by_invoice == dict(
        query(real_shop, "select order_id, count(*) from shop.shop_order_items group by 1")
    )


@needs_real_file
@pytest.mark.real_data
def test_real_revenue_reconciles_to_the_cent(real_shop: Path, raw: pd.DataFrame) -> None:
    sold, returned = raw[raw["kind"] == "order"], raw[raw["kind"] == "return"]
    [(items, orders, refunds, order_count, customers, guests)] = query(
        real_shop,
        """
        select
            (select sum(line_amount) from shop.shop_order_items),
            (select sum(total_amount) from shop.shop_orders),
            (select sum(refund_amount) from shop.shop_returns),
            (select count(*) from shop.shop_orders),
            (select count(distinct customer_id) from shop.shop_orders),
            (select count(*) from shop.shop_orders where customer_id is null)
        """,
    )
    assert items == orders == amount(sold)
    assert refunds == -amount(returned)
    assert items - refunds == amount(sold) + amount(returned)
    # All the money of the file: what is sold, taken back and written off as bad debt.
    assert amount(raw) == Decimal("9747747.934")
    assert amount(raw) == items - refunds + amount(raw[raw["kind"] == "bad_debt_adjustment"])
    assert order_count == sold["invoice_no"].nunique()
    assert customers == sold["customer_id"].nunique()
    assert guests == sold.loc[sold["customer_id"].isna(), "invoice_no"].nunique()


@needs_real_file
@pytest.mark.real_data
def test_real_cancellations_reconcile_and_find_their_sale(
    real_shop: Path, raw: pd.DataFrame
) -> None:
    cancelled = raw[raw["invoice_no"].str.startswith("C")]
    [(invoices, rows)] = query(
        real_shop,
        "select count(distinct split_part(return_id, '-', 1)), count(*) from shop.shop_returns",
    )
    assert invoices == cancelled["invoice_no"].nunique() == 3_836
    assert rows == len(cancelled) == 9_288
    [(linked, sales, consistent)] = query(
        real_shop,
        """
        select
            count(*),
            count(distinct returns.order_item_id),
            count(*) filter (
                where orders.customer_id = returns.customer_id
                and items.product_id = returns.product_id
                and items.order_id = returns.order_id
                and items.quantity = returns.quantity
                and items.line_amount = returns.refund_amount
                and orders.ordered_at <= returns.returned_at
            )
        from shop.shop_returns as returns
        inner join shop.shop_order_items as items using (order_item_id)
        inner join shop.shop_orders as orders on orders.order_id = items.order_id
        """,
    )
    assert linked == sales == consistent
    # The two largest invoices of the file were taken back within the hour.
    largest = query(
        real_shop,
        "select order_id from shop.shop_returns where refund_amount > 50000 order by 1",
    )
    assert largest == [("541431",), ("581483",)]
    assert linked == linked_sales(raw)


def linked_sales(raw: pd.DataFrame) -> int:
    """Match returns with a queue of sales a customer, product, quantity and price; count them."""
    moves = raw[raw["kind"].isin(["order", "return"]) & raw["customer_id"].notna()].copy()
    moves["is_return"] = moves["kind"] == "return"
    moves["stock_code"] = moves["stock_code"].str.upper()
    moves["pieces"] = moves["quantity"].abs()
    keys = ["customer_id", "stock_code", "pieces", "unit_price"]
    moves = moves.sort_values([*keys, "invoice_date", "is_return"])
    linked, key, waiting = 0, None, 0
    for *move_key, is_return in moves[[*keys, "is_return"]].itertuples(index=False):
        if move_key != key:
            key, waiting = move_key, 0
        if not is_return:
            waiting += 1
        elif waiting:
            waiting -= 1
            linked += 1
    return linked


@needs_real_file
@pytest.mark.real_data
def test_the_usual_purchase_filter_gives_the_published_figures(real_shop: Path) -> None:
    [(rows, customers, revenue)] = query(
        real_shop,
        """
        select count(*), count(distinct orders.customer_id), sum(items.line_amount)
        from shop.shop_order_items as items
        inner join shop.shop_orders as orders using (order_id)
        where orders.customer_id is not null
        """,
    )
    assert (rows, customers) == (397_884, 4_338)
    assert round(revenue, 2) == Decimal("8911407.90")


@needs_real_file
@pytest.mark.real_data
def test_real_times_are_utc(real_shop: Path, raw: pd.DataFrame) -> None:
    sold = raw[raw["kind"] == "order"].groupby("invoice_no")["invoice_date"].min()
    expected = sold.dt.tz_localize("Europe/London").dt.tz_convert("UTC").dt.tz_localize(None)
    found = dict(query(real_shop, "select order_id, ordered_at from shop.shop_orders"))
    assert found == {order: time.to_pydatetime() for order, time in expected.items()}
    assert found["536365"] == datetime.datetime(2010, 12, 1, 8, 26)


# --- what can go wrong -----------------------------------------------------------------------


@pytest.fixture
def without_excel_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One place for all failures: with the same settings dbt parses the project only once."""
    return tmp_path_factory.mktemp("failures")


@pytest.fixture
def raw_folder(workplace: Path) -> Path:
    """The folder that martlet_raw_path names, empty."""
    folder = workplace / "raw"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def message_of_failure(workplace: Path, path: str | None = None, **others: Any) -> str:
    result = run_dbt(
        "run",
        "--select",
        "stg_online_retail__raw_lines",
        database=workplace / "martlet.duckdb",
        target=workplace,
        vars=settings(workplace / "raw" if path is None else path, **others),
        check=False,
    )
    assert not result.success
    assert result.messages.count("Compilation Error") == 1
    assert "Traceback" not in result.messages
    return result.messages


def test_a_missing_file_is_named(raw_folder: Path) -> None:
    messages = message_of_failure(raw_folder.parent)
    assert f"found no parquet or csv or excel file at '{raw_folder}'" in messages
    assert "martlet_raw_path" in messages
    missing = str(raw_folder / "missing.csv")
    assert f"file at '{missing}'" in message_of_failure(raw_folder.parent, missing)


def test_a_path_that_is_not_set_is_asked_for(raw_folder: Path) -> None:
    assert "set the var martlet_raw_path" in message_of_failure(raw_folder.parent, "")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_a_missing_column_is_named(suffix: str, raw_folder: Path) -> None:
    frame = lines().head(3).set_axis(COLUMNS["uci"], axis=1).rename(columns={"UnitPrice": "Amount"})
    save(frame, raw_folder / f"lines.{suffix}")
    messages = message_of_failure(raw_folder.parent)
    assert "misses the column unit_price in" in messages
    assert f"lines.{suffix}" in messages
    assert "Amount" in messages


def test_an_empty_file_is_named(raw_folder: Path) -> None:
    (raw_folder / "lines.csv").touch()
    messages = message_of_failure(raw_folder.parent)
    assert "found an empty file" in messages
    assert "lines.csv' has 0 bytes" in messages


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_a_file_with_a_header_alone_is_named(suffix: str, raw_folder: Path) -> None:
    save(lines().head(0).set_axis(COLUMNS["uci"], axis=1), raw_folder / f"lines.{suffix}")
    messages = message_of_failure(raw_folder.parent)
    assert "found no rows in" in messages
    assert f"lines.{suffix}" in messages


def save(frame: pd.DataFrame, file: Path) -> None:
    write = {".csv": frame.to_csv, ".parquet": frame.to_parquet, ".xlsx": frame.to_excel}
    write[file.suffix](file, index=False)


def test_a_broken_workbook_is_named(raw_folder: Path) -> None:
    (raw_folder / "lines.xlsx").write_text("not a workbook")
    assert "lines.xlsx as an Excel workbook" in message_of_failure(raw_folder.parent)


@pytest.mark.usefixtures("without_excel_reader")
def test_a_workbook_without_the_extra_says_what_to_install(raw_folder: Path) -> None:
    write_workbook(lines(), raw_folder / "lines.xlsx")
    assert 'pip install "martlet[excel]"' in message_of_failure(raw_folder.parent)


def test_another_reporting_currency_is_refused(raw_folder: Path) -> None:
    save(lines(), raw_folder / "lines.parquet")
    messages = message_of_failure(raw_folder.parent, martlet_currency="EUR")
    assert "set the var martlet_currency to GBP" in messages


def test_one_path_for_two_connectors_is_refused(raw_folder: Path) -> None:
    messages = message_of_failure(
        raw_folder.parent, martlet_connector=["online_retail", "ga4"], martlet_currency="GBP"
    )
    assert "martlet_raw_path: {online_retail: <path>, ga4: <path>}" in messages


def test_an_absent_file_does_not_stop_parsing(raw_folder: Path) -> None:
    run_dbt(
        "parse",
        database=raw_folder.parent / "martlet.duckdb",
        target=raw_folder.parent,
        vars=settings(raw_folder),
    )


def test_workbooks_are_read_in_bounded_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append(["A b", "C", "Time"])
    for number in range(5):
        workbook.active.append([number, number / 2, datetime.datetime(2011, 1, 1, 8, 30)])
    workbook.save(tmp_path / "w.xlsx")
    monkeypatch.setattr("martlet.excel._BATCH_ROWS", 2)
    columns = {"c": ["c"], "b": ["b", "ab"], "time": ["time"]}
    batches = list(read_workbook(tmp_path / "w.xlsx", columns, "x"))
    assert [batch.num_rows for batch in batches] == [2, 2, 1]
    assert batches[0].column_names == ["c", "b", "time", "source_part"]
    assert batches[0].to_pydict() == {
        "c": ["0", "0.5"],
        "b": ["0", "1"],
        "time": ["2011-01-01 08:30:00"] * 2,
        "source_part": ["w.xlsx/Sheet"] * 2,
    }
    with pytest.raises(MartletError, match="misses the column d in .*closest sheet has: A b, C"):
        list(read_workbook(tmp_path / "w.xlsx", {**columns, "d": ["d"]}, "x"))
