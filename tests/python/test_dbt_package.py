"""Martlet as a package of another project, and a project written for dbt_ml moved over."""

# ruff: noqa: E501  (the files of the projects stand here as they would in a folder)

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.cli.main import dbtRunner

from ml_support import TRAINING
from support import PROJECT, _close_databases

PROJECT_YAML = """
name: {name}
version: 1.0.0
profile: {profile}
flags: {{send_anonymous_usage_stats: false}}
"""

PROFILES = """
{profile}:
  target: dev
  outputs:
    dev: {{type: duckdb, path: "{database}", threads: 2}}
"""

FOREIGN = {
    "packages.yml": f"packages: [{{local: {PROJECT}}}]",
    "models/training.sql": "{{ config(materialized='table') }}\n" + TRAINING.split(" as\n", 1)[1],
    "models/propensity.sql": """
{{ config(materialized='model', ml_config={'model_type': 'logistic_reg', 'labels': ['two'], 'entity_cols': ['id'],
    'data_split_method': 'no_split'}) }}
select id, x, n, two from {{ ref('training') }}
""",
    "models/scored.sql": """
{{ config(materialized='table') }}
with newest as (select * from {{ ref('training') }} where id >= 300)
select id, predicted_two, predicted_two_probs[1].prob as probability
from {{ martlet.ml_predict(ref('propensity'), 'newest') }}
""",
    "models/report.sql": """
select * from {{ martlet.ml_evaluate(ref('propensity')) }}
""",
    "models/models.yml": """
models:
  - name: propensity
    data_tests:
      - martlet.ml_metric_at_least: {name: good_enough, arguments: {metric: roc_auc, minimum: 0.6}}
      - martlet.ml_metric_at_least: {name: too_much, arguments: {metric: roc_auc, minimum: 1.1}, config: {severity: warn}}
      - martlet.ml_prediction_equals_python
  - name: scored
    data_tests:
      - martlet.ml_one_prediction_per_entity:
          name: everybody
          arguments: {eligible: "(select id from {{ ref('training') }} where id >= 300)", entity_cols: id}
""",
}

#: The shape of dbt_ml's README: folder config with hooks, config under `meta`, its macros.
MOVED = {
    "packages.yml": f"packages: [{{local: {PROJECT}}}, {{local: {PROJECT}/aliases/dbt_ml}}]",
    "models/training.sql": "{{ config(materialized='table') }}\n" + TRAINING.split(" as\n", 1)[1],
    "models/ml/buyers.sql": """
{{
    config(
        materialized='model',
        meta = {
            'ml_config' : {
                'model_type': 'logistic_reg',
                'early_stop': true,
                'ls_init_learn_rate': 0.1,
                'input_label_cols': ['two'],
            }
        }
    )
}}
select x, n, two from {{ ref('training') }}
""",
    "models/ml/tuned.sql": """
{{ config(ml_config={
    'model_type': 'dnn_classifier', 'auto_class_weights': true, 'learn_rate': @@.hparam_range(0.01, 0.1),
    'early_stop': false, 'max_iterations': 3, 'num_trials': 2, 'optimizer': @@.hparam_candidates(['adam', 'sgd']),
    'input_label_cols': ['two'], 'data_split_method': 'random'
}) }}
select x, n, two from {{ ref('training') }}
""",
    "models/ml/groups.sql": """
{{ config(ml_config={'model_type': 'kmeans', 'num_clusters': 3}) }}
select x, n from {{ ref('training') }}
""",
    "models/predicted.sql": """
{{ config(materialized='table') }}
with eval_data as (select * from {{ ref('training') }} limit 10)
select * from {{ @@.predict(ref('buyers'), 'eval_data', 0.3) }}
""",
    "models/odd.sql": """
{{ config(materialized='table') }}
with eval_data as (select * from {{ ref('training') }})
select * from {{ @@.detect_anomalies(ref('groups'), 'eval_data', 0.9) }}
""",
}
MOVED_YAML = """
vars:
  "@@:audit_schema": "audit"
  "@@:audit_table": "ml_models"
models:
  moved:
    ml:
      enabled: true
      schema: ml
      materialized: model
      post-hook:
        - "{{ @@.create_model_audit_table() }}"
        - "{{ @@.model_audit() }}"
"""


class Guest:
    """One project that has Martlet as a package."""

    def __init__(self, folder: Path, name: str, files: dict[str, str], more: str = "") -> None:
        self.folder, self.database = folder, folder / "guest.duckdb"
        profile = f"{name}_profile"
        files = files | {
            "dbt_project.yml": PROJECT_YAML.format(name=name, profile=profile) + more,
            "profiles.yml": PROFILES.format(profile=profile, database=self.database),
        }
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)

    def run(self, command: str, *words: str) -> tuple[Any, str]:
        """Run dbt; return its result and everything said."""
        lines: list[str] = []
        before, start = dict(os.environ), Path.cwd()
        os.chdir(self.folder)
        # The environment may point dbt at Martlet's own profile.
        os.environ["DBT_PROFILES_DIR"] = str(self.folder)
        quiet = ["--log-level", "none", "--log-level-file", "none", "--no-use-colors"]
        try:
            outcome = dbtRunner(
                callbacks=[lambda e: lines.append(e.info.msg) if e.info.level != "debug" else None]
            ).invoke([command, *words, *quiet])
        finally:
            os.chdir(start)
            with contextlib.suppress(Exception):
                _close_databases()
            os.environ.clear()
            os.environ.update(before)
        if outcome.exception is not None:
            raise outcome.exception
        return outcome.result, "\n".join(lines)

    def build(self) -> tuple[dict[str, str], str]:
        result, said = self.run("build")
        return {item.node.name: str(item.status) for item in result.results}, said

    def query(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.database), read_only=True) as con:
            return con.execute(sql).fetchall()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    guest = Guest(tmp_path_factory.mktemp("foreign"), "foreign", FOREIGN)
    guest.run("deps")
    return guest, *guest.build()


def test_another_project_builds_with_the_package_and_nothing_of_the_shop(foreign):
    guest, status, said = foreign
    models = {"training", "propensity", "scored", "report"}
    hooks = {name for name in status if name.startswith("martlet-on-run-start")}
    tests = {name for name in status if "test" in name} | {"good_enough", "too_much", "everybody"}
    assert (
        set(status)
        - hooks
        - tests
        - models
        - {name for name in status if name.startswith("martlet_ml_prediction")}
        == set()
    ), said
    assert {status[name] for name in models} == {"success"}, said
    schemas = guest.query("select distinct schema_name from duckdb_tables()")
    assert schemas == [("main",)]
    assert guest.query("select count(*), min(probability) > 0 from scored") == [(100, True)]


def test_the_gates_work_there_and_can_fail(foreign):
    _, status, said = foreign
    assert status["good_enough"] == status["everybody"] == "pass", said
    assert status["too_much"] == "warn"
    assert [s for name, s in status.items() if "equals_python" in name] == ["pass"]


def test_not_even_a_warning_about_the_shop(foreign):
    guest, _, said = foreign
    assert "disabled" not in said.lower()
    result, _ = guest.run("ls")
    assert not [name for name in result if name.startswith("martlet.")]


@pytest.mark.parametrize("package", ["martlet", "dbt_ml"])
def test_a_dbt_ml_project_moves_over(tmp_path, package):
    files = {name: content.replace("@@", package) for name, content in MOVED.items()}
    guest = Guest(tmp_path, "moved", files, MOVED_YAML.replace("@@", package))
    guest.run("deps")
    status, said = guest.build()
    named = ("buyers", "tuned", "groups", "predicted", "odd")
    assert {name: status.get(name) for name in named} == dict.fromkeys(named, "success"), said
    assert guest.query("select count(*) from predicted") == [(10,)]
    ((share,),) = guest.query("select avg(is_anomaly::int) from odd")
    assert 0.05 < share < 0.15
    audited = guest.query(
        "select model, schema, len(training_info) > 0, len(feature_info), len(weights) from audit.ml_models order by 1"
    )
    assert audited == [
        ("buyers", "main_ml", True, 2, 3),
        ("groups", "main_ml", True, 2, None),
        ("tuned", "main_ml", True, 2, None),
    ]
    guest.build()
    assert guest.query("select count(*) from audit.ml_models") == [(3,)]
