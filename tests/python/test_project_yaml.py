"""The project's own rules: YAML dbt knows, names by room, stated and tested grains."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt.jsonschemas import JSONSCHEMAS_PATH
from jsonschema import Draft7Validator

from support import PROJECT, parse_manifest

ROOMS = ("models", "python_models", "macros", "seeds", "tests")
YAML_FILES = sorted(
    path
    for room in ROOMS
    for path in (PROJECT / room).rglob("*.y*ml")
    if "fixtures" not in path.parts
)

# Folder under models/ or python_models/ -> what a model's name must look like.
NAMES = {
    "staging": r"stg_{folder}__[a-z0-9_]+",
    "shop": r"shop_[a-z0-9_]+",
    "intermediate": r"int_[a-z0-9_]+__[a-z0-9_]+",
    "features": r"ftr_{folder}__[a-z0-9_]+",
    "ml": r"ml_{folder}__[a-z0-9_]+",
    "marts": r"(dim|fct)_[a-z0-9_]+",
    "exports": r"exp_[a-z0-9_]+__[a-z0-9_]+",
}


def unknown_keys(document: Any) -> Iterator[str]:
    """Name the keys of one properties file that dbt's own schema does not know."""
    # Metrics stand in the shape that dbt 1.11 reads; its schema has only the one of 1.12. dbt
    # itself refuses their unknown keys (test_metrics.py).
    document = {key: value for key, value in (document or {}).items() if key != "metrics"}
    schema = json.loads((Path(JSONSCHEMAS_PATH) / "resources" / "latest.json").read_text())
    pending = list(Draft7Validator(schema).iter_errors(document))
    while pending:
        error = pending.pop()
        if error.validator in ("anyOf", "oneOf"):
            # Each branch complains; only the branch that comes closest says what is wrong.
            branches: dict[int, list[Any]] = {}
            for sub_error in error.context or []:
                branches.setdefault(int(sub_error.schema_path[0]), []).append(sub_error)
            if branches:
                pending.extend(min(branches.values(), key=len))
        elif error.validator == "additionalProperties":
            yield f"{'.'.join(map(str, error.absolute_path))}: {error.message}"


def test_there_is_yaml_to_check() -> None:
    assert len(YAML_FILES) > 20


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_yaml_has_only_keys_dbt_knows(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    problems = list(unknown_keys(document))
    assert not problems, "\n".join(problems)
    # `tests:` still works in dbt 1.11 without a warning, but is the old name.
    assert not re.search(r"^\s*tests:", path.read_text(), flags=re.MULTILINE)


def test_misspelt_keys_are_found() -> None:
    document = {"models": [{"name": "x", "grain": ["id"], "config": {"materialised": "table"}}]}
    problems = "\n".join(unknown_keys(document))
    assert "grain" in problems
    assert "materialised" in problems


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    """All models of the project, whichever connector is chosen."""
    found: dict[str, Any] = {}
    for connector in ("sample", "online_retail", "ga4"):
        for node in parse_manifest(connector).nodes.values():
            if node.resource_type == "model" and node.package_name == "martlet":
                found[node.name] = node
    return found


@pytest.fixture(scope="module")
def key_tests() -> dict[str, list[list[str]]]:
    """Columns of the grain tests of each model."""
    found: dict[str, list[list[str]]] = {}
    for connector in ("sample", "online_retail", "ga4"):
        for node in parse_manifest(connector).nodes.values():
            metadata = getattr(node, "test_metadata", None)
            if metadata is not None and metadata.name == "grain_is_unique":
                name = node.attached_node.split(".")[-1]
                found.setdefault(name, []).append(metadata.kwargs["columns"])
    return found


def test_models_stand_in_the_right_room_under_the_right_name(models: dict[str, Any]) -> None:
    wrong = []
    for node in models.values():
        room, *folders = Path(node.path).parts[:-1]
        pattern = NAMES.get(room)
        if pattern is None:
            wrong.append(f"{node.path}: there is no room called {room}")
            continue
        expected = pattern.format(folder=folders[0] if folders else "")
        if not re.fullmatch(expected, node.name):
            wrong.append(f"{node.path}: the name should look like {expected}")
    assert not wrong, "\n".join(wrong)


def test_each_model_has_a_yaml_file_of_its_own(models: dict[str, Any]) -> None:
    wrong = [
        node.name
        for node in models.values()
        if node.patch_path is None or Path(node.patch_path).stem != node.name
    ]
    assert not wrong


def test_each_model_says_its_grain_and_tests_it(
    models: dict[str, Any], key_tests: dict[str, list[list[str]]]
) -> None:
    wrong = []
    for name, node in models.items():
        if not node.description.strip().startswith("One row per "):
            wrong.append(f"{name}: the description does not start with 'One row per'")
        grain = node.config.meta.get("grain")
        if not grain:
            wrong.append(f"{name}: config.meta.grain is missing")
        elif grain not in key_tests.get(name, []):
            wrong.append(f"{name}: no grain_is_unique test on {grain}")
    assert not wrong, "\n".join(wrong)


def test_each_column_is_described(models: dict[str, Any]) -> None:
    wrong = [f"{name}: no columns" for name, node in models.items() if not node.columns]
    wrong += [
        f"{name}.{column.name}"
        for name, node in models.items()
        for column in node.columns.values()
        if not column.description.strip()
    ]
    assert not wrong, "\n".join(wrong)


def test_public_shapes_are_contracts(models: dict[str, Any]) -> None:
    wrong = [
        name
        for name, node in models.items()
        if Path(node.path).parts[0] in ("shop", "marts") and not node.contract.enforced
    ]
    assert not wrong


def test_only_staging_reads_raw_data(models: dict[str, Any]) -> None:
    wrong = []
    for name, node in models.items():
        room = Path(node.path).parts[0]
        raw = [parent for parent in node.depends_on.nodes if ".raw_" in parent]
        staging = [parent for parent in node.depends_on.nodes if ".stg_" in parent]
        if raw and room != "staging":
            wrong.append(f"{name} reads {raw}")
        # The ledger of loads has to see what staging holds before shop_events reads it.
        if staging and room not in ("staging", "shop") and name != "int_event_batches__observed":
            wrong.append(f"{name} reads {staging}")
    assert not wrong, "\n".join(wrong)


def test_marts_are_not_read_upstream(models: dict[str, Any]) -> None:
    wrong = [
        f"{name} reads {parent}"
        for name, node in models.items()
        if Path(node.path).parts[0] not in ("marts", "exports")
        for parent in node.depends_on.nodes
        if re.search(r"\.(dim|fct)_", parent)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_public_macro_has_a_file_and_a_description() -> None:
    manifest = parse_manifest("sample")
    wrong = []
    for macro in manifest.macros.values():
        private = macro.name.startswith("_") or "__" in macro.name
        # dbt makes a macro of each generic test and materialization under a name of its own.
        made_by_dbt = macro.name.startswith(("test_", "materialization_"))
        if macro.package_name != "martlet" or private or made_by_dbt:
            continue
        if Path(macro.path).stem != macro.name:
            wrong.append(f"{macro.name} should stand in a file of its own name, not {macro.path}")
        if not macro.description.strip():
            wrong.append(f"{macro.name} is not described")
    assert not wrong, "\n".join(wrong)


def test_known_settings_are_those_of_the_project_file() -> None:
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    text = (PROJECT / "macros" / "project" / "check_settings.sql").read_text()
    listed = re.findall(r"^        '(martlet_\w+)':", text, flags=re.MULTILINE)
    assert sorted(listed) == sorted(project["vars"])
    described = re.findall(r"^\| `(martlet_\w+)`", (PROJECT / "docs/settings.md").read_text(), re.M)
    assert sorted(described) == sorted(project["vars"])


def test_one_version_number() -> None:
    import martlet

    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    assert project["version"] == martlet.__version__
    assert f"## {martlet.__version__}" in (PROJECT / "CHANGELOG.md").read_text()


def test_sample_shop_is_small() -> None:
    sizes = [path.stat().st_size for path in (PROJECT / "seeds" / "sample").glob("*.csv")]
    assert sizes
    assert sum(sizes) <= 10_000_000
