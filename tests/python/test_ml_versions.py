"""Versions: reuse, challenger, rollback, pin, verify, and the command line."""

from __future__ import annotations

import argparse

import pytest

from martlet.errors import MartletError
from martlet.models_cli import add_arguments, run
from martlet.store import ModelStore
from martlet.verify import verify_version
from ml_support import TRAINING, connect, fit, refit, rows

LINE = {"model_type": "linear_reg", "labels": "y", "data_split_method": "NO_SPLIT"}
GOOD = "select x, n, colour, y from training"
POOR = "select x, y from training"


@pytest.fixture
def con():
    con = connect()
    con.execute(TRAINING)
    return con


def predictions(con, function="line_predict"):
    return rows(con, f"select id, predicted_y from {function}('training') order by id")


def test_nothing_changed_nothing_fitted(con):
    assert fit(con, "line", GOOD, **LINE).status == "trained"
    outcome = fit(con, "line", GOOD, **LINE)
    assert outcome.status == "reused"
    assert "rows, query, options and package are unchanged" in outcome.log[0]
    assert [row["status"] for row in rows(con, "from line")] == ["reused"]


def test_the_order_of_rows_and_the_spelling_of_options_do_not_matter(con):
    con.execute("create table shuffled as from training order by hash(id)")
    con.execute("create view source as from training")
    fit(con, "line", "select x, n, colour, y from source", **LINE)
    con.execute("create or replace view source as from shuffled")
    same = {"MODEL_TYPE": "LINEAR_REG", "Labels": ["y"], "data_split_method": "no_split"}
    assert fit(con, "line", "select x, n,  colour, y\nfrom source", **same).status == "reused"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("update training set x = x + 1 where id = 3", "rows have changed"),
        ("insert into training select * from training where id = 3", "rows have changed"),
    ],
)
def test_changed_rows_are_fitted_again_with_the_reason(con, change, reason):
    fit(con, "line", GOOD, **LINE)
    con.execute(change)
    assert reason in fit(con, "line", GOOD, **LINE).log[0]


def test_changed_options_are_fitted_again_with_the_reason(con):
    fit(con, "line", GOOD, **LINE)
    assert "options have changed" in fit(con, "line", GOOD, **LINE, l2_reg=0.1).log[0]


def test_a_full_refresh_always_fits(con):
    fit(con, "line", GOOD, **LINE)
    outcome = refit(con, "line", GOOD, **LINE)
    assert (outcome.status, outcome.version) == ("trained", 2)
    assert "--full-refresh" in outcome.log[0]


KEEPING = {**LINE, "retrain_after_days": 7}


def aged(con, days):
    con.execute(f"update line set trained_at = trained_at - interval {days} day")


def test_new_rows_wait_until_the_last_fit_is_old_enough(con):
    fit(con, "line", GOOD, **LINE)
    con.execute("insert into training select * from training where id = 3")
    # To begin to wait is no reason to fit.
    outcome = fit(con, "line", GOOD, **KEEPING)
    assert (outcome.status, outcome.version) == ("reused", 1)
    assert outcome.log == [
        "version 1 is reused: rows have changed, but the last fit is 0 of 7 days old "
        "(retrain_after_days)"
    ]
    aged(con, 6)
    assert "6 of 7 days old" in fit(con, "line", GOOD, **KEEPING).log[0]
    aged(con, 1)
    outcome = fit(con, "line", GOOD, **KEEPING)
    assert (outcome.version, outcome.log[0]) == (2, "fits again: rows have changed since version 1")
    # Without the option the next change of the rows fits, as ever.
    con.execute("insert into training select * from training where id = 4")
    assert fit(con, "line", GOOD, **LINE).version == 3


@pytest.mark.parametrize(
    ("sql", "config", "changed"),
    [
        (POOR, {}, "rows, columns and query have"),
        (GOOD + " where id < 300", {}, "rows and query have"),
        (GOOD, {"l2_reg": 0.5}, "rows and options have"),
    ],
)
def test_another_definition_of_the_model_does_not_wait(con, sql, config, changed):
    fit(con, "line", GOOD, **KEEPING)
    con.execute("update training set x = x + 1 where id = 3")
    assert changed in fit(con, "line", sql, **KEEPING, **config).log[0]


def test_another_type_of_a_column_does_not_wait(con):
    con.execute("create table typed as select x, n, y from training")
    fit(con, "line", "select * from typed", **KEEPING)
    con.execute("alter table typed alter n type double")
    assert "columns" in fit(con, "line", "select * from typed", **KEEPING).log[0]


def test_a_full_refresh_does_not_wait(con):
    fit(con, "line", GOOD, **KEEPING)
    con.execute("update training set x = x + 1 where id = 3")
    assert refit(con, "line", GOOD, **KEEPING).version == 2


def test_a_model_does_not_wait_in_a_past_that_it_has_learned_from(con):
    dated = {**KEEPING, "as_of_col": "as_of_date"}
    con.execute("create table dated as select *, date '2026-03-01' as as_of_date from training")
    query = "select x, n, y, as_of_date from dated"
    fit(con, "line", query, **dated)
    con.execute("update dated set as_of_date = date '2026-02-28'")
    assert fit(con, "line", query, **dated).version == 2


def test_days_are_those_of_the_data_too(con):
    dated = {**KEEPING, "as_of_col": "as_of_date"}
    con.execute("create table dated as select *, date '2026-03-01' as as_of_date from training")
    query = "select x, n, y, as_of_date from dated"
    fit(con, "line", query, **dated)
    con.execute("update dated set as_of_date = date '2026-03-07'")
    assert "6 of 7 days old" in fit(con, "line", query, **dated).log[0]
    con.execute("update dated set as_of_date = date '2026-03-08'")
    assert fit(con, "line", query, **dated).version == 2


@pytest.mark.parametrize(("added", "version"), [(40, 1), (41, 2)])
def test_a_tenth_more_rows_do_not_wait(con, added, version):
    fit(con, "line", GOOD, **KEEPING)
    con.execute(f"insert into training select * from training limit {added}")
    assert fit(con, "line", GOOD, **KEEPING).version == version


def test_too_little_data_does_not_wait(con):
    con.execute("create table few as select * from training limit 0")
    fit(con, "line", "select x, n, y from few", **KEEPING)
    con.execute("insert into few select * from training")
    assert fit(con, "line", "select x, n, y from few", **KEEPING).status == "trained"


def test_days_to_wait_are_a_number(con):
    with pytest.raises(MartletError, match="retrain_after_days"):
        fit(con, "line", GOOD, **LINE, retrain_after_days="weekly")
    with pytest.raises(MartletError, match="retrain_after_days"):
        fit(con, "line", GOOD, **LINE, retrain_after_days=-1)


def test_a_worse_version_stays_challenger(con):
    fit(con, "line", GOOD, **LINE)
    champion = predictions(con)
    outcome = fit(con, "line", GOOD, **LINE, l2_reg=1e6)
    assert outcome.status == "challenger"
    assert "worse: mean_squared_error" in outcome.warnings[0]
    assert predictions(con) == champion
    assert predictions(con, "line_v2_predict") != champion
    # The same again is not fitted again.
    outcome = fit(con, "line", GOOD, **LINE, l2_reg=1e6)
    assert (outcome.status, outcome.version) == ("reused", 1)
    assert len(rows(con, "from line")) == 2


def test_the_tolerance_decides(con):
    fit(con, "line", GOOD, **LINE)
    outcome = fit(con, "line", GOOD, **LINE, l2_reg=1.0, champion_tolerance=10.0)
    assert outcome.status == "trained"
    with pytest.raises(MartletError, match="champion_metric 'r3' is not a metric"):
        fit(con, "line", GOOD, **LINE, champion_metric="r3")


def test_a_champion_that_cannot_score_the_new_rows_is_replaced(con):
    fit(con, "line", GOOD, **LINE)
    outcome = fit(con, "line", POOR, **LINE)
    assert outcome.status == "trained"
    assert "cannot be compared: it needs column n, which is gone" in outcome.log[-1]


def test_rollback_and_pins(con):
    fit(con, "line", GOOD, **LINE)
    first = predictions(con)
    fit(con, "line", POOR, **LINE)
    assert predictions(con, "line_v1_predict") == first
    assert predictions(con) == predictions(con, "line_v2_predict") != first
    ModelStore(con, "memory", "main", "line").promote(1)
    assert predictions(con) == first
    assert rows(con, "from line_evaluate()") == rows(con, "from line_v1_evaluate()")
    weights = {row["processed_input"] for row in rows(con, "from line_weights()")}
    assert weights == {"x", "n", "colour", "__INTERCEPT__"}
    with pytest.raises(MartletError, match="has no version 7. It has: 1, 2"):
        ModelStore(con, "memory", "main", "line").promote(7)


def test_functions_of_another_type_go_when_the_type_changes(con):
    import duckdb

    fit(con, "m", "select x, n, two from training", model_type="logistic_reg", labels="two")
    fit(con, "m", "select x, n from training", model_type="kmeans", num_clusters=2)
    with pytest.raises(duckdb.CatalogException):
        con.execute("from m_roc_curve()")
    assert rows(con, "from m_v1_roc_curve()")


def test_missing_functions_are_made_again(con):
    fit(con, "line", GOOD, **LINE)
    before = predictions(con)
    con.execute("drop macro table line_predict")
    assert "made again" in fit(con, "line", GOOD, **LINE).log[0]
    assert predictions(con) == before


@pytest.mark.parametrize(
    ("sql", "config"),
    [
        (GOOD, LINE),
        ("select x, n, two from training", {"model_type": "logistic_reg", "labels": "two"}),
        ("select x, n from training", {"model_type": "kmeans", "num_clusters": 3, "seed": 5}),
        ("select x, n from training", {"model_type": "pca", "num_principal_components": 2}),
    ],
)
def test_verify_proves_the_same_parameters(con, sql, config):
    fit(con, "m", sql, **config)
    store = ModelStore(con, "memory", "main", "m")
    same, lines = verify_version(store)
    assert same, lines
    con.execute("update training set x = x + 1 where id = 3")
    same, lines = verify_version(store)
    assert not same
    assert "not those it was trained on" in lines[0]


def test_verify_sees_another_type_of_a_column(con):
    con.execute("create table typed as select x, n, y from training")
    fit(con, "m", "select * from typed", **LINE)
    con.execute("alter table typed alter n type hugeint")
    same, lines = verify_version(ModelStore(con, "memory", "main", "m"))
    assert not same
    assert "not those it was trained on" in lines[0]


def test_verify_sees_a_changed_parameter(con):
    fit(con, "m", GOOD, **LINE)
    changed = "replace(parameters::text, '\"intercept\": [', '\"intercept\": [1')"
    con.execute(f"update m set parameters = {changed}")
    same, _ = verify_version(ModelStore(con, "memory", "main", "m"))
    assert not same


def command(database, *words) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([*words, "--database", str(database)]))


def test_the_command_line(tmp_path, capsys):
    import duckdb

    database = tmp_path / "shop.duckdb"
    with duckdb.connect(str(database)) as con:
        con.execute(TRAINING)
        from martlet.fit import ModelSpec, fit_model

        for sql in (GOOD, POOR):
            fit_model(con, ModelSpec("line", sql, LINE, database="shop"))
    assert command(database, "list") == 0
    assert "main.line" in capsys.readouterr().out
    assert command(database, "compare", "line") == 0
    out = capsys.readouterr().out
    assert "2*" in out
    assert "mean_squared_error" in out
    assert command(database, "show", "line", "--version", "1") == 0
    assert "linear_reg" in capsys.readouterr().out
    assert command(database, "rollback", "line") == 0
    assert "version 1 is the champion" in capsys.readouterr().out
    assert command(database, "verify", "main.line") == 0
    assert "same rows" in capsys.readouterr().out
    with pytest.raises(MartletError, match="no fitted model 'lime': did you mean 'line'"):
        command(database, "show", "lime")
    with pytest.raises(MartletError, match="no version before"):
        command(database, "rollback", "line")
    with pytest.raises(MartletError, match="There is no database"):
        command(tmp_path / "none.duckdb", "list")


#: One model of each kind of scoring, with what is asked of it.
KINDS = {
    "line": (GOOD, LINE),
    "pair": ("select x, n, flag, two from training", {"model_type": "logistic_reg"}),
    "trio": ("select x, n, three from training", {"model_type": "logistic_reg"}),
    "groups": ("select x, n, colour from training", {"model_type": "kmeans", "num_clusters": 3}),
    "axes": ("select x, n from training", {"model_type": "pca", "num_principal_components": 2}),
    "net": ("select x, n, two from training", {"model_type": "dnn_classifier"}),
    "curve": ("select x, n, y from training", {"model_type": "dnn_regressor"}),
    "boosted": (
        "select x, n, colour, three from training",
        {"model_type": "boosted_tree_classifier", "max_iterations": 5},
    ),
    "woods": (
        "select x, n, colour, y from training",
        {"model_type": "random_forest_regressor", "num_parallel_tree": 10},
    ),
    "prepared": (
        "select x, n, colour from training",
        {
            "model_type": "transform_only",
            "transform": [
                "ML.STANDARD_SCALER(x) OVER () as x",
                "ML.ONE_HOT_ENCODER(colour) OVER () as colour",
                "ML.QUANTILE_BUCKETIZE(n, 3) OVER () as n",
            ],
        },
    ),
}
LABELS = {
    "pair": "two",
    "trio": "three",
    "net": "two",
    "curve": "y",
    "boosted": "three",
    "woods": "y",
}


def test_a_fresh_process_without_martlet_scores_a_read_only_file(tmp_path):
    import subprocess
    import sys

    import duckdb

    from martlet.fit import ModelSpec, fit_model

    database = tmp_path / "shop.duckdb"
    queries = [
        f"with some_rows as (from training where id < 9) from main.{name}_predict('some_rows')"
        for name in KINDS
        if name != "prepared"
    ]
    queries += [
        "with some_rows as (from training where id < 9) from main.prepared_transform('some_rows')",
        "from main.boosted_explain_predict('training', top_k_features := 2)",
        "from main.boosted_feature_importance()",
        "from main.woods_v1_predict('training')",
        "from main.woods_evaluate()",
        "from main.line_weights() order by all",
        "from main.pair_explain_predict('training')",
        "select round(columns(*), 9) from main.pair_evaluate('training', threshold := 0.3)",
        "from main.trio_confusion_matrix('training')",
        "from main.groups_detect_anomalies('training', 0.1)",
        "select input, round(value, 9) from main.groups_validate_data_skew('training')",
    ]
    with duckdb.connect(str(database)) as con:
        con.execute(TRAINING)
        for name, (sql, config) in KINDS.items():
            label = {"labels": LABELS[name]} if name in LABELS else {}
            fit_model(con, ModelSpec(name, sql, config | label, database="shop"))
        wanted = [repr(con.execute(query).fetchall()) for query in queries]
    # Another name, another folder, no right to write: nothing may depend on them.
    moved = tmp_path / "elsewhere" / "copy.duckdb"
    moved.parent.mkdir()
    database.rename(moved)
    moved.chmod(0o444)
    script = (
        "import sys; sys.modules['martlet'] = None\n"
        "import datetime, duckdb\n"
        f"con = duckdb.connect({str(moved)!r}, read_only=True)\n"
        f"for query in {queries!r}:\n"
        "    print(repr(con.execute(query).fetchall()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == wanted
