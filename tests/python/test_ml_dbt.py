"""The materialization, the macros and the gates in a small dbt project of their own."""

# ruff: noqa: E501  (the files of the project stand here as they would in a folder)

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

import duckdb
import pytest
from dbt.cli.main import dbtRunner

from ml_support import TRAINING
from support import _close_databases

ROOT = Path(__file__).resolve().parents[2]

FILES = {
    "dbt_project.yml": """
name: martlet
version: 0.1.0
profile: small
model-paths: [models, python_models]
test-paths: [tests]
flags:
  require_generic_test_arguments_property: true
  send_anonymous_usage_stats: false
""",
    "profiles.yml": """
small:
  target: dev
  outputs:
    dev: {type: duckdb, path: "{{ env_var('SMALL_DATABASE') }}", threads: 2}
""",
    "models/training.sql": "{{ config(materialized='table') }}\n" + TRAINING.split(" as\n", 1)[1],
    "models/line.sql": """
{{ config(materialized='model', ml_config={
    'model_type': var('line_type', 'linear_reg'), 'input_label_cols': ['y'],
    'data_split_method': 'no_split', 'entity_cols': ['id'], 'l2_reg': var('l2_reg', 0)
}) }}
-- A comment with 'quotes', "more" and a \\backslash
select id, x, n, colour, y from {{ ref('training') }}
""",
    "models/pair.sql": """
{{ config(materialized='model', meta={'ml_config': {'model_type': 'logistic_reg', 'labels': ['two'],
    'entity_cols': ['id'], 'enable_global_explain': true}}) }}
select id, x, n, flag, two from {{ ref('training') }}
""",
    "models/axes.sql": """
{{ config(materialized='model', ml_config={'model_type': 'pca', 'num_principal_components': 2}) }}
select x, n from {{ ref('training') }};
""",
    "python_models/ml_groups__fit.py": '''
def model(dbt, session):
    """Fit the groups."""
    from martlet.python_model import fitted_model

    dbt.config(materialized="model")
    return fitted_model(dbt.ref("training").select("x, n"), dbt.config.meta_get("ml_config"))
''',
    "python_models/ml_groups__fit.yml": """
models:
  - name: ml_groups__fit
    config: {meta: {ml_config: {model_type: kmeans, num_clusters: 3}}}
""",
    "models/scored.sql": """
{{ config(materialized='table') }}
with some_rows as (select * from {{ ref('training') }} where id < 100)
select p.id, p.two, p.predicted_two, p.predicted_two_probs[1].prob as probability,
    g.CENTROID_ID as centroid, date '2025-01-01' as as_of_date, date '2025-01-01' as seen_on
from {{ ml_predict(ref('pair'), 'some_rows', threshold=0.4) }} as p
join {{ ml_predict(ref('ml_groups__fit'), ref('training'), version=1) }} as g on g.id = p.id
""",
    "models/every_function.sql": """
{{ config(materialized='table') }}
{%- set rows = ref('training') %}
select 'evaluate' as f, (select count(*) from {{ ml_evaluate(ref('line')) }}) as n
union all select 'evaluate rows', (select count(*) from {{ ml_evaluate(ref('pair'), rows, threshold=0.3) }})
union all select 'confusion', (select count(*) from {{ ml_confusion_matrix(ref('pair')) }})
union all select 'roc', (select count(*) from {{ ml_roc_curve(ref('pair'), rows, thresholds=[0.2, 0.8]) }})
union all select 'training', (select count(*) from {{ ml_training_info(ref('line')) }})
union all select 'features', (select count(*) from {{ ml_feature_info(ref('line')) }})
union all select 'weights', (select count(*) from {{ ml_weights(ref('line'), standardize=true) }})
union all select 'centroids', (select count(*) from {{ ml_centroids(ref('ml_groups__fit')) }})
union all select 'components', (select count(*) from {{ ml_principal_components(ref('axes')) }})
union all select 'component info', (select count(*) from {{ ml_principal_component_info(ref('axes')) }})
union all select 'anomalies', (select count(*) from {{ ml_detect_anomalies(ref('axes'), rows, contamination=0.1) }})
union all select 'explain', (select count(*) from {{ ml_explain_predict(ref('pair'), rows, top_k_features=2) }})
union all select 'global', (select count(*) from {{ ml_global_explain(ref('pair')) }})
union all select 'by class', (select count(*) from {{ ml_global_explain(ref('pair'), class_level_explain=true) }})
union all select 'pca', (select count(*) from {{ ml_predict(ref('axes'), rows, keep_original_columns=true) }})
""",
    "models/gates.yml": """
models:
  - name: pair
    data_tests:
      - ml_metric_at_least: {name: at_least_ok, arguments: {metric: roc_auc, minimum: 0.7}}
      - ml_metric_at_least: {name: at_least_bad, arguments: {metric: roc_auc, minimum: 0.9999}}
      - ml_metric_at_most: {name: at_most_ok, arguments: {metric: log_loss, maximum: 0.69}}
      - ml_metric_at_most: {name: at_most_bad, arguments: {metric: log_loss, maximum: 0.0001}}
      - ml_metric_at_least: {name: at_least_unknown, arguments: {metric: rock_auc, minimum: 0}}
      - ml_metric_at_most: {name: at_most_unknown, arguments: {metric: rmse, maximum: 1}}
      - ml_not_worse_than_baseline: {name: baseline_unknown, arguments: {metric: recall}}
      - ml_not_worse_than_baseline: {name: majority_ok, arguments: {metric: accuracy}}
      - ml_not_worse_than_baseline: {name: majority_bad, arguments: {metric: accuracy, margin: 0.9}}
      - ml_not_worse_than_baseline: {name: previous_ok, arguments: {metric: accuracy, baseline: previous_version}}
      - ml_prediction_equals_python: {name: python_ok}
      - ml_prediction_equals_python: {name: python_bad, arguments: {tolerance: -1}}
  - name: line
    data_tests:
      - ml_not_worse_than_baseline: {name: mean_bad, arguments: {metric: mean_squared_error, baseline: mean, margin: 1000}}
      - ml_not_worse_than_baseline: {name: previous_far_better, arguments: {metric: r2_score, baseline: previous_version, margin: 1.5}}
      - ml_not_worse_than_baseline: {name: mean_ok, arguments: {metric: mean_squared_error, baseline: mean}}
  - name: scored
    data_tests:
      - ml_calibrated_within: {name: calibrated_ok, arguments: {probability: probability, outcome: "two = 'yes'", tolerance: 0.5}}
      - ml_calibrated_within: {name: calibrated_bad, arguments: {probability: probability, outcome: "two = 'no'", tolerance: 0.1}}
      - ml_one_prediction_per_entity: {name: entity_ok, arguments: {eligible: "(select id from {{ ref('training') }} where id < 100)", entity_cols: id}}
      - ml_one_prediction_per_entity: {name: entity_bad, arguments: {eligible: ref('training'), entity_cols: [id]}}
      - ml_no_feature_after_anchor: {name: anchor_ok, arguments: {columns: [seen_on]}}
      - ml_no_feature_after_anchor: {name: anchor_bad, arguments: {columns: [as_of_date], anchor: "(as_of_date - 1)"}}
  - name: shifted
    columns:
      - name: n
        data_tests:
          - ml_drift_below: {name: drift_ok, arguments: {compare_to: ref('shifted'), threshold: 0.000001}}
          - ml_drift_below: {name: drift_bad, arguments: {compare_to: ref('training'), threshold: 0.2}}
          - ml_drift_below: {name: drift_js_bad, arguments: {compare_to: ref('training'), threshold: 0.1, method: jensen_shannon}}
      - name: colour
        data_tests:
          - ml_drift_below: {name: drift_category_bad, arguments: {compare_to: ref('training'), threshold: 0.3, method: l_infinity, numeric: false}}
          - ml_unseen_categories_below: {name: unseen_ok, arguments: {compare_to: ref('shifted')}}
          - ml_unseen_categories_below: {name: unseen_bad, arguments: {compare_to: ref('training'), maximum_share: 0.5}}
""",
    "models/shifted.sql": "{{ config(materialized='table') }}\n"
    "select x, n + 12 as n, 'new ' || coalesce(colour, '') as colour from {{ ref('training') }}",
}


class Small:
    """One dbt project and its database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "small.duckdb"
        for name, content in FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        shutil.copytree(ROOT / "macros" / "ml", folder / "macros" / "ml")
        (folder / "tests" / "generic").mkdir(parents=True)
        for path in (ROOT / "tests" / "generic").glob("ml_*.sql"):
            shutil.copy(path, folder / "tests" / "generic")

    def run(self, *words: str) -> tuple[dict[str, str], str]:
        """Run dbt; return status by node, and everything said."""
        lines: list[str] = []
        before = dict(os.environ)
        os.environ["SMALL_DATABASE"] = str(self.database)
        folder = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        quiet = ["--log-level", "none", "--log-level-file", "none", "--no-use-colors"]
        target = ["--target-path", str(self.folder / "target")]
        try:
            outcome = dbtRunner(
                callbacks=[lambda e: lines.append(e.info.msg) if e.info.level != "debug" else None]
            ).invoke([*words, *folder, *target, *quiet])
        finally:
            with contextlib.suppress(Exception):
                _close_databases()
            os.environ.clear()
            os.environ.update(before)
        if outcome.exception is not None:
            raise outcome.exception
        return {r.node.name: str(r.status) for r in outcome.result.results}, "\n".join(lines)

    def query(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.database), read_only=True) as con:
            return con.execute(sql).fetchall()


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Small:
    return Small(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def built(small):
    status, said = small.run("run")
    tested, told = small.run("test")
    return status | tested, said + told


def test_everything_builds_with_two_threads(built):
    status, said = built
    models = ("line", "pair", "axes", "ml_groups__fit", "scored", "every_function", "shifted")
    assert {name: status[name] for name in models} == dict.fromkeys(models, "success"), said
    assert "line: version 1 is the champion: it is the first version" in said


def test_every_gate_says_yes_and_no(built):
    status, said = built
    good = {name: state for name, state in status.items() if name.endswith("_ok")}
    bad = {name: state for name, state in status.items() if name.endswith("_bad")}
    assert len(good) >= 11
    assert len(bad) >= 11
    assert set(good.values()) == {"pass"}, (good, said)
    assert set(bad.values()) == {"fail"}, (bad, said)


def test_a_gate_on_a_metric_that_the_model_lacks_names_those_it_has(built):
    status, said = built
    unknown = {name: state for name, state in status.items() if name.endswith("_unknown")}
    assert len(unknown) == 3
    assert set(unknown.values()) == {"error"}, (unknown, said)
    assert "Model 'pair' has no metric 'rock_auc'; it has: accuracy, f1_score, log_loss" in said
    assert "Model 'pair' has no metric 'rmse'; it has: " in said
    assert "has no baseline metric 'recall'; it has: accuracy, log_loss, roc_auc." in said


def test_the_functions_answer_through_the_macros(built, small):
    found = dict(small.query("select f, n from every_function"))
    assert found["weights"] == 4
    assert found["centroids"] == 6
    assert found["roc"] == 2
    assert min(found.values()) > 0
    assert small.query("select count(*), count(distinct id) from scored") == [(100, 100)]


def test_the_second_run_fits_nothing_and_a_failing_fit_leaves_the_champion(built, small):
    before = small.query("select * from line")
    status, said = small.run("run", "--select", "line", "pair", "axes", "ml_groups__fit")
    assert set(status.values()) == {"success"}
    assert len(re.findall("is reused: rows, query, options and package are unchanged", said)) == 4
    status, said = small.run("run", "--select", "line", "--vars", "{line_type: linear_rag}")
    assert status == {"line": "error"}
    assert "did you mean 'linear_reg'" in said
    status, said = small.run("run", "--select", "line", "--vars", "{line_type: ARIMA_PLUS}")
    assert status == {"line": "error"}
    assert "There is no model_type 'ARIMA_PLUS' here: BigQuery ML has it" in said
    assert "version 1 of 'line' goes on working" in said
    asked = "select * from {{ ml_forecast(ref('line')) }}"
    with pytest.raises(Exception, match="Model 'line' is a linear_reg, which has no ml_forecast"):
        small.run("show", "--inline", asked)
    status, said = small.run("run", "--select", "line", "--vars", "{l2_reg: 1000000}")
    assert status == {"line": "success"}
    assert "version 2 stays challenger: worse: mean_squared_error" in said
    after = small.query("select * from line where model_version = 1")
    assert [row[:1] for row in after] == [row[:1] for row in before]
    # There was no previous version to be far better than; now there is.
    assert built[0]["previous_far_better"] == "pass"
    status, said = small.run("build", "--select", "line", "--full-refresh")
    assert (status["line"], status["previous_far_better"], status["mean_ok"]) == (
        "success",
        "fail",
        "pass",
    )
    assert "--full-refresh" in said
