"""The sample shop builds as a whole: every model, every test of the data and every unit test."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from martlet.report import SECTIONS
from martlet.report.page import write_report
from support import parse_manifest, run_dbt


def test_everything_is_green(tmp_path: Path) -> None:
    result = run_dbt(
        *("build", "--selector", "everything"),
        database=tmp_path / "martlet.duckdb",
        target=tmp_path / "target",
    )
    assert {str(item.status) for item in result.results} <= {"success", "pass"}, result.messages
    built = Counter(str(item.node.resource_type) for item in result.results)
    manifest = parse_manifest("sample")
    assert built["unit_test"] == len(manifest.unit_tests)
    assert built["model"] > 150
    assert built["test"] > 150
    the_report_shows_every_section(tmp_path)


def the_report_shows_every_section(folder: Path) -> None:
    titles = write_report(folder / "martlet.duckdb", folder / "report.html")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert len(titles) == len(SECTIONS)
    assert "needs marts of this version" not in page
    assert len(page) < 3_000_000
    assert 3 <= page.split("</ol>")[0].count("<li>") <= 5
