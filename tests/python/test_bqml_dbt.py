"""dbt takes the converted corpus as a project: every ref, source and macro call resolves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from dbt.adapters.factory import reset_adapters
from dbt.cli.main import dbtRunner

from bqml_support import FIXTURES
from martlet.bqml import Conversion, Settings, convert
from martlet.bqml.calls import TABLE_FUNCTIONS
from martlet.bqml.project import write_project

PROJECT = """\
name: converted
profile: converted
model-paths: [models]
macro-paths: [macros]
flags: {send_anonymous_usage_stats: false}
"""
PROFILE = "converted: {target: dev, outputs: {dev: {type: duckdb, path: ':memory:'}}}\n"


@pytest.fixture(scope="module")
def conversion() -> Conversion:
    files = sorted(FIXTURES.glob("*.sql"))
    return convert({path.name: path.read_text(encoding="utf-8") for path in files}, Settings())


@pytest.fixture(scope="module")
def manifest(conversion: Conversion, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("converted")
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILE)
    (folder / "macros").mkdir()
    macros = [
        f"{{% macro ml_{name}(model, data=none) %}}"
        "{% set options = kwargs %}{{ model }}{% endmacro %}"
        for name in sorted(TABLE_FUNCTIONS)
    ]
    (folder / "macros" / "doubles.sql").write_text("\n".join(macros))
    write_project(conversion, folder / "models" / "bigquery")
    words = ["parse", "--project-dir", str(folder), "--profiles-dir", str(folder)]
    words += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    outcome = dbtRunner().invoke([*words, "--log-level", "none", "--warn-error"])
    reset_adapters()
    if outcome.exception is not None:
        raise outcome.exception
    return outcome.result


def test_every_file_is_a_node(conversion: Conversion, manifest: Any) -> None:
    nodes = {node.name for node in manifest.nodes.values()}
    assert nodes == {file.name for file in conversion.files}


def test_materializations_and_configurations_arrive(manifest: Any) -> None:
    nodes = {node.name: node for node in manifest.nodes.values()}
    model = nodes["propensity"].config
    assert model.materialized == "model"
    assert model.extra["ml_config"]["auto_class_weights"] is True
    assert nodes["scored"].config.materialized == "view"
    assert nodes["first_visits"].config.materialized == "table"


def test_nodes_depend_on_what_their_statements_read(manifest: Any) -> None:
    nodes = {node.name: node for node in manifest.nodes.values()}
    needs = {
        name: {key.rpartition(".")[2] for key in node.depends_on.nodes}
        for name, node in nodes.items()
    }
    assert needs["propensity"] == {"first_visits"}
    assert needs["scored"] == {"propensity", "first_visits"}
    assert needs["first_visits"] == {"events"}
    assert needs["weight_model"] == {"births"}


def test_sources_are_known_to_dbt(manifest: Any) -> None:
    sources = {(s.source_name, s.name): s for s in manifest.sources.values()}
    assert "events_*" in sources["ga4_obfuscated_sample_ecommerce", "events"].description
    assert sources["yellow", "trips"].schema == "yellow"


def test_project_folder_is_self_contained(conversion: Conversion, tmp_path: Path) -> None:
    written = write_project(conversion, tmp_path / "models")
    again = write_project(conversion, tmp_path / "models")
    assert written == again
    assert len(written) == len(conversion.files) + 1


MACROS = Path(__file__).resolve().parents[2] / "macros" / "ml"


@pytest.mark.parametrize(
    "name", sorted(name for name in TABLE_FUNCTIONS if (MACROS / f"ml_{name}.sql").is_file())
)
def test_macros_take_what_the_converter_passes(name: str) -> None:
    text = (MACROS / f"ml_{name}.sql").read_text(encoding="utf-8")
    signature = re.search(rf"macro ml_{name}\(([^)]*)\)", text)
    assert signature is not None
    takes = {part.partition("=")[0].strip() for part in signature.group(1).split(",")}
    assert takes >= TABLE_FUNCTIONS[name]
