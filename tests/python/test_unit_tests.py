"""Every unit test of the project is green."""

from __future__ import annotations

import shutil
from pathlib import Path

from support import parse_manifest, run_dbt


def test_unit_tests_are_green(sample_shop: Path, tmp_path: Path) -> None:
    database = tmp_path / sample_shop.name
    shutil.copy(sample_shop, database)
    result = run_dbt("test", "--select", "test_type:unit", database=database, target=tmp_path)
    found = [item for item in result.results if item.node.resource_type == "unit_test"]
    assert {str(item.status) for item in found} == {"pass"}, result.messages
    assert len(found) == len(parse_manifest("sample").unit_tests) > 100
