"""The sample shop builds as a whole: every model and every test of the data."""

from __future__ import annotations

import runpy
import shutil
from argparse import Namespace
from collections import Counter
from ipaddress import ip_address, ip_network
from pathlib import Path

import numpy as np

from martlet import lookers_cli
from martlet.churn.measures import roc_auc
from martlet.readers.publication import publish
from martlet.report import SECTIONS
from martlet.report.page import write_report
from martlet.simulate.config import ShopConfig
from martlet.simulate.shop import simulate_shop
from privacy import known_addresses, personal_columns, personal_words
from support import PROJECT, SampleBuild, query

#: Where the sample shop plants machines that nobody wants (docs/sample-shop.md).
UNWANTED = [
    ip_network(text)
    for text in ("198.51.100.0/24", "198.19.0.0/18", "198.19.64.0/18", "192.0.2.128/27")
]


def test_everything_is_green(sample_build: SampleBuild) -> None:
    # An exposure says who reads a table: there is nothing to run.
    expected = {"success", "pass", "no-op"}
    assert {status for _, status in sample_build.results} <= expected, sample_build.messages
    built = Counter(kind for kind, _ in sample_build.results)
    assert built["model"] > 150
    assert built["test"] > 150


def test_what_readers_see(sample_shop: Path, tmp_path: Path) -> None:
    shutil.copy(sample_shop, tmp_path / "martlet.duckdb")
    the_report_shows_every_section(tmp_path)
    the_lookers_are_the_planted_ones(tmp_path / "martlet.duckdb")
    churners_are_ranked_nearly_as_well_as_can_be(tmp_path)
    no_address_leaves(tmp_path)


def the_report_shows_every_section(folder: Path) -> None:
    titles = write_report(folder / "martlet.duckdb", folder / "report.html")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert len(titles) == len(SECTIONS)
    assert "needs marts of this version" not in page
    assert len(page) < 3_000_000
    assert 3 <= page.split("</ol>")[0].count("<li>") <= 5


def the_lookers_are_the_planted_ones(database: Path) -> None:
    """All scrapers are acted on; no crawler, monitor, office, carrier or customer is."""
    rows = query(
        database,
        """select distinct split_part(l.network_key, '/', 1), a.hit_count, p.action
        from ml.ml_lookers__predictions p
        join features.ftr_ip_addresses__activity a using (address_id, as_of_date)
        join intermediate.int_ip_addresses__listed l using (address_id) where p.is_current""",
    )
    unwanted = {
        text: hits for text, hits, _ in rows
        if any(ip_address(text) in network for network in UNWANTED)
    }  # fmt: skip
    acted = {text for text, _, action in rows if action in ("rate_limit", "challenge", "block")}
    assert len(rows) > 1_000
    assert acted <= set(unwanted)
    assert sum(unwanted[text] for text in acted) >= 0.95 * sum(unwanted.values()) > 0


def churners_are_ranked_nearly_as_well_as_can_be(folder: Path) -> None:
    """No model of purchase days ranks better, on average, than who knows how they were drawn."""
    ceiling = runpy.run_path(str(PROJECT / "benchmarks" / "churn_ceiling.py"))
    simulate_shop(ShopConfig(), folder / "planted", with_truth=True)
    rows = ceiling["buyers"](str(folder / "martlet.duckdb"), folder / "planted" / "truth")
    seen = ceiling["observers"](rows)
    found = {name: roc_auc(rows["churned"], np.asarray(seen[name], float)) for name in seen}
    assert len(rows["churned"]) > 1000
    assert found["model"] > found["order histories"] - 0.03, found
    # Who is told more ranks better: a model that did as well would have looked into the future.
    assert found["model"] < found["own rates"] < found["all"], found


def no_address_leaves(folder: Path) -> None:
    """No IP or e-mail address is in a mart, an export, what is published, the report, a review."""
    database = folder / "martlet.duckdb"
    known = known_addresses(database)
    assert len(known) > 1_000
    # What is looked for would be found.
    assert len(personal_columns(database, ["shop"], known)) >= 5
    assert personal_columns(database, ["marts", "exports"], known) == []
    publish(database, PROJECT, folder / "published")
    (served,) = (folder / "published").glob("*.duckdb")
    assert personal_columns(served, ["main", "marts", "exports", "ml"], known) == []
    assert personal_words((folder / "report.html").read_text(encoding="utf-8"), known) == set()
    review = folder / "review.csv"
    options = Namespace(
        action="review", output=review, database=database, project_dir=None, target=None
    )
    lookers_cli.run(options, PROJECT)
    assert review.read_text().count("\n") > 1
    assert personal_words(review.read_text(), known) == set()
