"""The sample shop builds as a whole: every model, every test of the data and every unit test."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

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
