"""docs/data-contract.md and the YAML of models/shop say the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from support import PROJECT

PAGE = (PROJECT / "docs" / "data-contract.md").read_text()
CONTRACTS: dict[str, Any] = {
    model["name"]: model
    for path in sorted((PROJECT / "models" / "shop").glob("shop_*.yml"))
    for model in yaml.safe_load(path.read_text())["models"]
    if model["name"] != "shop_quarantine"
}


def section(name: str) -> str:
    """Return the part of the page under the heading of an entity."""
    found = re.search(rf"^### {name}$(.*?)(?=^##|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found, f"docs/data-contract.md has no section {name}"
    return found[1]


def cells(line: str) -> list[str]:
    """Return the cells of a line of a table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_every_entity_has_a_section() -> None:
    assert re.findall(r"^### (\S+)$", PAGE, flags=re.MULTILINE) != []
    assert set(re.findall(r"^### (\S+)$", PAGE, flags=re.MULTILINE)) == set(CONTRACTS)
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    entities = project["vars"]["martlet_connector_entities"]["sample"]
    assert {f"shop_{entity}" for entity in entities} == set(CONTRACTS)


@pytest.mark.parametrize("name", CONTRACTS)
def test_page_and_yaml_agree(name: str) -> None:
    model = CONTRACTS[name]
    text = section(name)
    assert " ".join(model["description"].split()) in " ".join(text.split())
    keys = re.search(r"^Key: (.*)\.$", text, flags=re.MULTILINE)
    assert keys
    assert re.findall(r"`(\w+)`", keys[1]) == model["config"]["meta"]["grain"]
    rows = [cells(line) for line in text.splitlines() if line.startswith("| `")]
    expected = [
        [
            f"`{column['name']}`",
            column["data_type"],
            "yes" if {"type": "not_null"} in column.get("constraints", []) else "",
            " ".join(column["description"].split()),
        ]
        for column in model["columns"]
    ]
    assert rows == expected


def test_every_reason_of_the_sample_is_explained() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", PAGE, flags=re.MULTILINE))
    sources = [*(PROJECT / "models" / "staging" / "sample").glob("*.sql")]
    sources.append(PROJECT / "macros" / "connectors" / "version_reason.sql")
    given = {
        reason
        for path in sources
        for reason in re.findall(r"then '(\w+_\w+)'$", path.read_text(), re.M)
    }
    given -= {"charged_back"}
    assert given
    assert given <= explained
