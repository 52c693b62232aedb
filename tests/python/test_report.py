"""martlet report: one file that opens anywhere, with every text escaped and every figure right."""

from __future__ import annotations

import re
import sys
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from martlet.cli import main
from martlet.errors import MartletError
from martlet.report import SECTIONS
from martlet.report.drawing import svg
from martlet.report.page import first_things, write_report
from martlet.report.parts import Finding, Section
from martlet.report.reading import clean
from martlet.report.words import money, share, short
from report_support import HOSTILE, create_marts, fill_marts


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "shop.duckdb"
    create_marts(path)
    fill_marts(path)
    return path


@pytest.fixture(scope="module")
def file(shop: Path) -> Path:
    output = shop.with_name("report.html")
    assert len(write_report(shop, output)) == len(SECTIONS)
    return output


@pytest.fixture(scope="module")
def page(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def told(page: str, title: str) -> str:
    """Return the text of a section, without markup."""
    found = re.search(rf"<h2[^>]*>{title}</h2>(.*?)</section>", page, re.DOTALL)
    assert found, title
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found.group(1)))


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.identifiers: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.identifiers.append(value or "")
            if tag == "a" and name == "href":
                self.targets.append(value or "")


def test_the_file_is_whole_small_and_fetches_nothing(file: Path, page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert file.stat().st_size < 1_000_000
    assert not list(file.parent.glob("*.part"))
    assert not {"script", "iframe", "img", "object", "embed", "image", "use"} & tags.names
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert '<html lang="en">' in page
    assert "default-src 'none'" in page
    # The only addresses are names of XML namespaces; links stay in the page or the docs.
    addresses = set(re.findall(r"https?://[^\"' <]+", page))
    assert all(address.startswith("http://www.w3.org/") for address in addresses)
    assert len(tags.identifiers) == len(set(tags.identifiers))
    inside = {target[1:] for target in tags.targets if target.startswith("#")}
    assert inside <= set(tags.identifiers)
    assert all(target.startswith("#") for target in tags.targets), "the file is sent on alone"
    root = Path(__file__).resolve().parents[2]
    named = re.findall(r"How it is made: (docs/\S+\.md) in the project", page)
    assert len(named) > 10
    assert all((root / name).is_file() for name in named)


def test_hostile_texts_are_escaped_cut_and_without_addresses(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page
    assert "<b>half" not in page
    assert "fit &lt;again&gt;" in page
    assert "x" * 300 not in page
    assert not set("\0\u202e") & set(page)
    assert "\N{PARTY POPPER}" in page
    for address in ("ann@example.com", "203.0.113.7", "2001:db8::17", "198.51.100"):
        assert address not in page
    assert "[e-mail]" in page


def test_texts_are_cleaned() -> None:
    assert clean("a\0b\u202ec\nd") == "a b c d"
    assert clean("seen at 10:20:30 on 2026-07-02, version 1.2.3") == (
        "seen at 10:20:30 on 2026-07-02, version 1.2.3"
    )
    assert clean("from 10.0.0.1/8, 2001:DB8:0:1::/64 or Bob.B+x@a.example.") == (
        "from [address], [address] or [e-mail]"
    )
    assert len(clean("x" * 2_000_000)) == 281
    assert "@" not in clean("y" * 270 + " someone@a-very-long-name-that-goes-on.example")
    assert len(clean(HOSTILE)) <= 281


def test_a_drawing_keeps_shapes_and_nothing_else() -> None:
    drawn = svg(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        '<script>1</script><foreignObject/><image xlink:href="http://a.example/"/>'
        '<clipPath id="c"/><g clip-path="url(#c)" onclick="1" class="x">'
        '<path d="M1.23456,2" aria-label="a &lt;b&gt;" aria-roledescription="bar"/></g></svg>',
        "v1-",
    )
    assert drawn == (
        '<svg focusable="false"><clipPath id="v1-c" /><g clip-path="url(#v1-c)">'
        '<path d="M1.23,2"><title>a &lt;b&gt;</title></path></g></svg>'
    )


def test_numbers_are_written_for_people() -> None:
    assert money(1234.5, "EUR") == "€1,234"
    assert money(-12.345, "GBP") == "\N{MINUS SIGN}£12.35" or money(-12.345, "GBP").endswith(
        "12.34"
    )
    assert money(0, "CHF") == "CHF 0.00"
    assert money(1_000_000, None) == "1,000,000"
    assert (share(0.5), share(0.0567), share(0)) == ("50%", "5.7%", "0%")
    assert short("a long name", 7) == "a long…"


def test_sales_are_those_of_the_orders(page: str, shop: Path) -> None:
    with duckdb.connect(str(shop), read_only=True) as con:

        def revenue(first: date, until: date) -> float:
            return float(
                con.execute(
                    "select sum(net_revenue_amount) from marts.fct_orders "
                    "where order_date >= ? and order_date < ?",
                    [first, until],
                ).fetchall()[0][0]
            )

        last = revenue(date(2026, 6, 1), date(2026, 7, 1))
        now = revenue(date(2025, 7, 1), date(2026, 7, 1))
        before = revenue(date(2024, 7, 1), date(2025, 7, 1))
    said = told(page, "Sales")
    assert f"June 2026 brought £{last:,.0f} after returns" in said
    way = "more" if now >= before else "less"
    change = share(abs(now / before - 1))
    assert f"the last 12 months: £{now:,.0f}, {change} {way} than" in said
    assert "Amounts in GBP" in page


def test_sections_tell_what_the_marts_hold(page: str) -> None:
    assert "Told as of 2 July 2026" in page
    assert "Built 2 July 2026, 03:04 UTC" in page
    churn = told(page, "Customers about to leave")
    assert "500 customers at the test cut-off 1 March 2026" in churn
    assert "off by 0.050 on average" in churn
    assert "Further off than chance explains: those given about 35%." in churn
    assert "30 customers are worth an offer to keep: £1,770 of yearly margin" in churn
    value = told(page, "Lifetime value")
    # The six best of 0..59 expect 54 to 59, 339 of 1770.
    assert "60 customers are expected to spend £1,770" in value
    assert "19% of the next year" in value
    visits = told(page, "Visits")
    assert "49 visits of people" in visits
    assert "Machines (2.0% of all visits)" in visits
    carts = told(page, "Carts")
    assert "50% of 20 carts were left behind, worth £100." in carts
    assert "1 customer may be reminded now, of £10.00 in all." in carts
    intent = told(page, "Purchase intent")
    assert "visits that came to 1 event, 10% are expected to end in a purchase; of those" in intent
    assert "In 9 visits of 20 there was a moment worth stepping in, for £36.00" in intent
    assert " 2 20 30% 25% 50% 50% " in intent
    following = told(page, "Next purchases")
    assert "1 repeat of 1 customer is due now, and 8 more in the next 8 weeks." in following
    assert "Of 30 pairs of a customer and a product, 5 purchases are to be expected" in following
    assert "hold 0.50 purchases on average, 40% of them repeats (4 customers)" in following
    trends = told(page, "Trending products")
    assert "2 products sell surely more than before" in trends
    lookers = told(page, "Lookers to review")
    assert "3 addresses look and never buy: 1,200 requests (40% of all)" in lookers
    assert "3 of them wait for a decision" in lookers
    risk = told(page, "Order risk")
    assert "6 orders of the last 14 days should be looked at or refused: £420" in risk
    assert "Of past orders marked “deny” 100% were charged back (3 of 3)" in risk
    advice = told(page, "Recommendations")
    # Of the many rows of the mart those that judge these recommendations, of all products.
    assert "a later purchase for 50% of them, the ten best sellers for 40%." in advice
    assert "hybrid: NDCG 0.300, 90 customers" in advice
    assert advice.count("popularity: NDCG") == 2
    baskets = told(page, "Bought together")
    assert "4 of 4 product rules are more than chance" in baskets
    health = told(page, "Model health")
    assert "2 models are watched; 1 of them has too little data. 1 rule calls" in health
    # The alarm is of an older date, the newest check is only watched.
    assert re.search(r" churn 3 2026-06-01 1,234 log loss 0.4 0.5 yes 0 1 trained ", health)


def test_retention_is_counted_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    create_marts(path)
    with duckdb.connect(str(path)) as con:
        con.execute("""
            insert into marts.fct_orders by name
            select customer_id, d::date as order_date, true as is_revenue_order,
                10 as net_revenue_amount, 10 as gross_revenue_amount, 0 as returned_amount
            from (values ('a', '2026-01-05'), ('a', '2026-02-03'), ('a', '2026-02-20'),
                ('b', '2026-01-31'), ('b', '2026-04-01'), ('c', '2026-02-02'),
                (null, '2026-03-01')) as t(customer_id, d)
        """)
    write_report(path, tmp_path / "r.html")
    said = told((tmp_path / "r.html").read_text(), "Cohorts")
    # As of 2 April: month 1 of January's two (a came) and of February's one (nobody).
    assert "In the first month after the month of the first order 33% order again" in said
    assert "January 2026 2 50% 0% - - -" in said
    assert "February 2026 1 0% - - - -" in said


def test_what_to_look_at_first_is_what_most_hangs_on(page: str) -> None:
    def made(title: str, *stakes: float) -> Section:
        return Section(title, "?", findings=[Finding(f"{title} {s}", s) for s in stakes])

    sections = [made(str(n), n / 10) for n in range(7)] + [made("two", 0.1, 0.9), made("none")]
    found = [finding.text for finding, _ in first_things(sections)]
    assert found == ["two 0.9", "6 0.6", "5 0.5", "4 0.4", "3 0.3"]
    first = re.search(r'<div class="first".*?</div>', page, re.DOTALL)
    assert first is not None
    assert first.group().count("<li>") == 5
    # A loss of 420 in a fortnight is most of what a fortnight brings.
    assert "6 orders of the last 14 days should be looked at" in first.group()


def test_an_empty_shop_says_so_in_every_section(tmp_path: Path) -> None:
    path, output = tmp_path / "shop.duckdb", tmp_path / "r.html"
    create_marts(path)
    assert write_report(path, output) == []
    page = output.read_text()
    # Every query binds to the columns of the contracts.
    assert "needs marts of this version" not in page
    assert page.count(" is empty: the shop delivers no such data") == len(SECTIONS)
    assert "The marts hold nothing to tell of yet." in page


def test_absent_marts_and_marts_of_an_older_build_cost_only_their_section(tmp_path: Path) -> None:
    path, output = tmp_path / "shop.duckdb", tmp_path / "r.html"
    with duckdb.connect(str(path)) as con:
        con.execute("create schema marts")
        con.execute("create table marts.fct_carts as select 'bought' as cart_state")
    assert write_report(path, output) == []
    page = output.read_text()
    assert "marts.fct_orders is not in this warehouse" in told(page, "Sales")
    assert "This part needs marts of this version of Martlet" in told(page, "Carts")


def test_mistakes_are_one_sentence(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    absent = ["report", "--database", str(tmp_path / "no.duckdb"), "--output", "x.html"]
    assert main(absent) == 2
    assert "There is no database at" in capsys.readouterr().err
    empty = tmp_path / "empty.duckdb"
    duckdb.connect(str(empty)).close()
    nowhere = ["report", "--database", str(empty), "--output", str(tmp_path / "no" / "x.html")]
    assert main(nowhere) == 2
    assert "cannot be written: No such file or directory." in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(MartletError, match=r'pip install "martlet\[report\]"'):
        write_report(shop, tmp_path / "x.html")
