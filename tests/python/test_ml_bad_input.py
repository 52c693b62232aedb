"""Bad input: one clear error, or the treatment that is documented; never a broken champion."""

from __future__ import annotations

import json

import numpy as np
import pytest

from martlet.errors import MartletError
from ml_support import TRAINING, connect, fit, parameters, rows, types

LINE = {"model_type": "linear_reg", "labels": "y", "data_split_method": "NO_SPLIT"}
PAIR = {"model_type": "logistic_reg", "labels": "two", "data_split_method": "NO_SPLIT"}


@pytest.fixture
def con():
    con = connect()
    con.execute(TRAINING)
    return con


def refuse(con, match: str, sql: str, **ml_config) -> None:
    with pytest.raises(MartletError, match=match):
        fit(con, "refused", sql, **ml_config)


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"model_type": "linear_rag"}, "no model_type 'linear_rag': did you mean 'linear_reg'"),
        ({}, "has no model_type"),
        (LINE | {"l1_rag": 1}, "no option 'l1_rag': did you mean 'l1_reg'"),
        (LINE | {"data_split_method": "rndom"}, "does not know 'rndom': did you mean 'RANDOM'"),
        (LINE | {"max_iterations": 0}, "'max_iterations' must be a whole number at least 1"),
        (LINE | {"l2_reg": "much"}, "'l2_reg' must be a number"),
        (LINE | {"early_stop": "maybe"}, "'early_stop' must be true or false"),
        (LINE | {"labels": ["y", "x"]}, "takes one column"),
        (LINE | {"labels": "z"}, "'z' is not a column"),
        (LINE | {"entity_cols": ["customer"]}, "entity_cols: 'customer' is not a column"),
        (LINE | {"entity_cols": ["y"]}, "'y' is the label and cannot have another purpose"),
        (LINE | {"data_split_method": "SEQ"}, "needs data_split_col"),
        (LINE | {"data_split_method": "SEQ", "data_split_col": "whn"}, "'whn' is not a column"),
        (LINE | {"data_split_method": "CUSTOM", "data_split_col": "colour"}, "needs a BOOL column"),
        (LINE | {"labels": "colour"}, "must be a number"),
        (LINE | {"l1_reg": 1, "optimize_strategy": "normal_equation"}, "cannot use l1_reg"),
        (LINE | {"calculate_p_values": True}, "DUMMY_ENCODING"),
        (LINE | {"learn_rate_strategy": "CONSTANT", "learn_rate": 500, "max_iterations": 400,
                 "early_stop": False, "optimize_strategy": "BATCH_GRADIENT_DESCENT"}, "diverged"),
        (PAIR | {"class_weights": [("yes", 1.0)]}, "'no' is missing"),
        (PAIR | {"class_weights": {"yes": 1, "no": 1, "maybe": 1}}, "no class 'maybe'"),
        (PAIR | {"class_weights": {"yes": 1, "no": 1}, "auto_class_weights": True}, "not both"),
        (PAIR | {"l2_reg": {"range": [0, 1]}}, "set num_trials"),
        ({"model_type": "kmeans", "num_clusters": 1}, "'num_clusters' must be"),
        ({"model_type": "kmeans", "kmeans_init_method": "CUSTOM"}, "needs kmeans_init_col"),
        ({"model_type": "pca"}, "exactly one of"),
        ({"model_type": "pca", "num_principal_components": 99}, "lower it"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_clear_error(con, config, match):
    refuse(con, match, "select x, n, colour, flag, y, two from training", **config)


def test_no_label(con):
    refuse(con, "needs a label", "select x, n from training", model_type="linear_reg")


def test_duplicate_and_reserved_names(con):
    refuse(con, "two columns named 'X'", 'select x, n as "X", y from training', **LINE)
    refuse(
        con, "must not begin with __martlet_", "select x as __martlet_x, y from training", **LINE
    )
    refuse(
        con, "has the name of the prediction", "select x as predicted_y, y from training", **LINE
    )


@pytest.mark.parametrize("model_type", ["random_forest_regressor", "linear_reg", "pca"])
def test_names_that_look_like_the_placeholders_of_functions(con, model_type):
    con.execute("""create view odd as select x as "{part:paths} ""q"" it's", n as "{here}", y """
                """from training""")  # fmt: skip
    label = {} if model_type == "pca" else {"labels": "y"}
    options = {"random_forest_regressor": {"num_parallel_tree": 3, "enable_global_explain": True},
               "pca": {"num_principal_components": 2}}.get(model_type, {})  # fmt: skip
    fit(con, "m", "from odd", model_type=model_type, **label, **options)
    assert len(rows(con, "from m_predict('odd')")) == 400
    if label:
        assert len(rows(con, "from m_explain_predict('odd')")) == 400


def test_label_as_feature_is_impossible_and_no_feature_is_an_error(con):
    refuse(con, "no feature", "select y from training", **LINE)


def test_a_type_no_model_can_learn_from(con):
    refuse(con, "cast it", "select interval 1 day as i, y from training", **LINE)
    refuse(con, "same length", "select list_resize([1.0], n + 1) as v, y from training", **LINE)


def test_fewer_rows_than_classes_or_clusters(con):
    refuse(con, "nothing to learn", "select x, id::varchar as two from training limit 9", **PAIR)
    refuse(con, "more than 50 classes", "select x, id % 60 as two from training", **PAIR)
    refuse(
        con, "different rows", "select 1 as a from training", model_type="kmeans", num_clusters=3
    )


@pytest.mark.parametrize(
    ("sql", "config", "reason"),
    [
        ("select x, y from training where false", LINE, "no training rows"),
        ("select x, null::double as y from training", LINE, "no training rows"),
        ("select x, 'yes' as two from training", PAIR, "same label, two = yes"),
        ("select x from training where false", {"model_type": "kmeans"}, "no training rows"),
    ],
)
def test_too_little_data_gives_an_empty_model_and_one_warning(con, sql, config, reason):
    outcome = fit(con, "poor", sql, **config)
    assert outcome.status == "insufficient_data"
    assert len(outcome.warnings) == 1
    assert reason in outcome.warnings[0]
    (row,) = rows(con, "select status, is_champion from poor")
    assert row == {"status": "insufficient_data", "is_champion": True}
    assert rows(con, "from poor_predict('training')") == []
    assert rows(con, "from poor_evaluate()") == []
    # The next build finds the same and does nothing.
    assert fit(con, "poor", sql, **config).status == "insufficient_data"
    assert len(rows(con, "from poor")) == 1


@pytest.mark.parametrize(
    ("model_type", "label", "options"),
    [
        ("linear_reg", "y", {"calculate_p_values": True, "enable_global_explain": True,
                             "category_encoding_method": "DUMMY_ENCODING"}),
        ("logistic_reg", "two", {"num_trials": 2, "enable_global_explain": True}),
        ("boosted_tree_regressor", "y", {"max_iterations": 2}),
        ("random_forest_classifier", "two", {"num_parallel_tree": 2, "num_trials": 2,
                                             "max_tree_depth": {"hparam_range": [2, 3]}}),
        ("dnn_classifier", "two", {"hidden_units": [2], "max_iterations": 2}),
        ("kmeans", None, {"num_clusters": 2}),
        ("pca", None, {"num_principal_components": 2}),
    ],
)  # fmt: skip
def test_a_model_without_data_has_every_function_with_its_columns(con, model_type, label, options):
    options = {"model_type": model_type} | ({"labels": label} if label else {}) | options
    con.execute("create table longer as select t.* from training t, range(2)")
    listed = f"x, n{f', {label}' if label else ''}"
    fit(con, "whole", f"select {listed} from longer", **options)
    outcome = fit(con, "poor", f"select {listed} from longer where false", **options)
    assert outcome.status == "insufficient_data"
    (stored,) = rows(con, "select functions as f from whole where is_champion")
    for function, texts in json.loads(stored["f"]).items():
        for text in texts:
            given = "'longer'" if "input" in text.split(" as table", 1)[0] else ""
            given += ", 0.1" if function == "detect_anomalies" else ""
            full = types(con, f"from whole_{function}({given})")
            poor = types(con, f"from poor_{function}({given})")
            # Nobody has seen the classes of a confusion matrix.
            known = {n: t for n, t in full.items() if function != "confusion_matrix" or n in poor}
            assert poor == known, function
            assert function in ("feature_info",) or not rows(con, f"from poor_{function}({given})")


def test_too_little_data_later_leaves_the_champion(con):
    fit(con, "line", "select x, n, y from training", **LINE)
    before = rows(con, "select predicted_y from line_predict('training')")
    outcome = fit(con, "line", "select x, n, y from training where false", **LINE)
    assert "version 1 goes on" in outcome.warnings[0]
    assert rows(con, "select predicted_y from line_predict('training')") == before


def test_empty_and_constant_features_have_no_effect(con):
    sql = "select x, n, null::double as gone, 3 as same, null::varchar as none, y from training"
    outcome = fit(con, "line", sql, **LINE)
    assert any("gone has no value in training" in item for item in outcome.log)
    assert any("same is constant in training" in item for item in outcome.log)
    fit(con, "bare", "select x, n, y from training", **LINE)
    con.execute("create view wide as select *, 5.0 as gone, 3 as same, null as none from training")
    wide = rows(con, "select round(predicted_y, 9) as p from line_predict('wide')")
    bare = rows(con, "select round(predicted_y, 9) as p from bare_predict('wide')")
    assert wide == bare


@pytest.mark.parametrize("model_type", ["boosted_tree_regressor", "random_forest_regressor"])
def test_trees_pass_over_a_feature_that_is_never_there(con, model_type):
    sql = "select x, n, 'nan'::double as a, 'inf'::double as b, null::double as c, y from training"
    options = {"max_iterations": 3} if "boosted" in model_type else {"num_parallel_tree": 3}
    fit(con, "grown", sql, model_type=model_type, labels="y", **options)
    found = rows(con, "select feature, importance_weight as w from grown_feature_importance()")
    assert {row["feature"]: row["w"] for row in found if row["feature"] in "abc"} == {
        "a": 0, "b": 0, "c": 0,
    }  # fmt: skip
    other = "select *, 5.0 as a, 5.0 as b, 5.0 as c from training"
    (row,) = rows(
        con, f"with r as ({other}) select count(predicted_y) as n from grown_predict('r')"
    )
    assert row == {"n": 400}


def test_wide_rows_of_kmeans_are_told_apart_without_sorting_their_numbers(monkeypatch):
    from martlet.estimators import kmeans

    points = np.repeat(np.random.default_rng(0).integers(-2, 3, (60, 3)).astype(float), 2, axis=0)
    points[points == 0] *= np.resize([1.0, -1.0], (points == 0).sum())
    wanted = points[kmeans._different(points)]
    centroids = points[:4].copy()
    distances = kmeans._distances(points, centroids, False)
    monkeypatch.setattr(kmeans, "_MANY", 7)
    found = points[kmeans._different(points)]
    assert {tuple(row) for row in found + 0.0} == {tuple(row) for row in wanted + 0.0}
    assert len(found) == len(wanted)
    assert (kmeans._distances(points, centroids, False) == distances).all()


def test_nan_and_infinity_count_as_missing_and_are_told(con):
    odd = "select case id when 1 then 'nan'::double when 2 then 'inf'::double else x end as x, n, y"
    missing = "select case when id in (1, 2) then null else x end as x, n, y"
    outcome = fit(con, "odd", f"{odd} from training", **LINE)
    fit(con, "missing", f"{missing} from training", **LINE)
    assert any(
        "column x: 2 NaN or infinite values count as missing" in line for line in outcome.log
    )
    for key in ("weights", "intercept"):
        first, second = parameters(con, "odd")[key], parameters(con, "missing")[key]
        assert np.array(first) == pytest.approx(np.array(second), rel=1e-9)


def test_rows_without_a_label_are_left_out_and_told(con):
    label = "case id when 1 then null when 2 then 'nan'::double else y end"
    sql = f"select x, n, {label} as y from training"
    outcome = fit(con, "line", sql, **LINE)
    assert any("2 rows without a (finite) label are left out" in line for line in outcome.log)
    assert rows(con, "select training_rows as n from line") == [{"n": 398}]


def test_ten_thousand_categories():
    con = connect()
    con.execute(
        "create table many as select 'c' || (i % 10000) as code, "
        "i % 10000 / 1000.0 + (i % 3) as y, i % 3 as n from range(30000) as r(i)"
    )
    outcome = fit(con, "codes", "from many", **LINE, optimize_strategy="NORMAL_EQUATION")
    assert outcome.status == "trained"
    (found,) = rows(con, "from codes_evaluate('many')")
    assert found["r2_score"] > 0.999
    (unseen,) = rows(
        con, "with new_row as (select 'never' as code, 1 as n) from codes_predict('new_row')"
    )
    assert unseen["predicted_y"] is not None


def test_types_that_hold_a_row_as_a_vector_refuse_ten_thousand_categories():
    con = connect()
    con.execute(
        "create table many as select 'c' || (i % 10000) as code, i % 3 as n, i % 7 as y "
        "from range(20000) as r(i)"
    )
    for model_type, options in (
        ("kmeans", {"num_clusters": 3}),
        ("pca", {"num_principal_components": 2}),
        ("dnn_regressor", {"labels": "y"}),
    ):
        refuse(
            con,
            "takes at most 4,000 encoded columns",
            "select code, n, y from many" if "labels" in options else "select code, n from many",
            model_type=model_type,
            **options,
        )


def test_an_identifier_as_a_feature_is_refused():
    con = connect()
    con.execute(
        "create table people as select 'p' || i as person, i % 7 as y from range(120000) as r(i)"
    )
    refuse(con, "looks like an identifier: list it in entity_cols", "from people", **LINE)


def test_numbers_too_large_to_average_are_refused(con):
    refuse(con, "too large to average", "select 1e308 * sign(y) as x, y from training", **LINE)


def test_a_column_gone_or_retyped_at_prediction_is_a_clear_error(con):
    import duckdb

    fit(con, "line", "select x, n, y from training", **LINE)
    with pytest.raises(duckdb.BinderException, match='"n"'):
        con.execute("with less as (select x from training) from line_predict('less')").fetchall()
    with pytest.raises(duckdb.ConversionException, match="many"):
        con.execute(
            "with other as (select 1.0 as x, 'many' as n) from line_predict('other')"
        ).fetchall()
    # A number written as text is still that number.
    same = "with other as (select '1.0' as x, '2' as n), this as (select 1.0 as x, 2 as n) "
    same += "select (select predicted_y from line_predict('other')) = "
    same += "(select predicted_y from line_predict('this'))"
    assert con.execute(same).fetchall() == [(True,)]


def test_what_a_library_cannot_do_is_told_and_the_champion_goes_on(monkeypatch):
    import json

    from martlet import materialization

    con = connect()
    con.execute(TRAINING)
    given = {"name": "line", "schema": "main", "database": "memory", "full_refresh": True,
             "sql": "select x, n, y from training", "ml_config": LINE}  # fmt: skip
    con.execute("begin")
    materialization.run(con, json.dumps(given))
    con.execute("commit")

    def fail(*_: object) -> None:
        raise ValueError("array is too small")

    monkeypatch.setattr("martlet.estimators.linear.LinearRegression.fit", fail)
    con.execute("begin")
    materialization.run(con, json.dumps(given))
    con.execute("rollback")
    said = json.loads(con.execute("select getvariable('martlet_outcome')").fetchall()[0][0])
    assert said["error"] == (
        "Fitting 'line' failed with ValueError: array is too small\n"
        "Nothing has changed: version 1 of 'line' goes on working."
    )
    assert rows(con, "select count(predicted_y) as n from line_predict('training')") == [{"n": 400}]


def test_a_failing_fit_leaves_everything_as_it_was(con):
    fit(con, "line", "select x, n, y from training", **LINE)
    before = rows(con, "from line"), rows(con, "from line_weights()")
    con.execute("begin")
    with pytest.raises(MartletError):
        fit(con, "line", "select x, n, y from training", **(LINE | {"entity_cols": ["y"]}))
    con.execute("rollback")
    con.execute("begin")
    with pytest.raises(MartletError):
        fit(con, "line", "select 1e308 * sign(y) as x, n, y from training", **LINE)
    con.execute("rollback")
    assert (rows(con, "from line"), rows(con, "from line_weights()")) == before
    assert len(rows(con, "from line_predict('training')")) == 400


AS_OF = "date '2025-01-01' + id::int as as_of_date, x, n, y"


@pytest.mark.parametrize(
    ("column", "config"),
    [
        ("date '2025-01-02' + id::int as seen_on", {}),
        ("(date '2025-01-01' + id::int)::timestamp + interval 1 second as seen_at", {}),
        ("date '2025-01-02' + id::int as seen_on", {"entity_cols": ["seen_on"]}),
        ("case when id = 7 then date '2026-12-31' end as seen_on", {}),
    ],
)
def test_a_column_later_than_the_as_of_date_is_refused(con, column, config):
    sql = f"select {AS_OF}, {column} from training"
    match = r"'seen_\w+' is later than 'as_of_date' \(as_of_col\) in [\d,]+ of 400 rows"
    refuse(con, match, sql, **LINE, **config, as_of_col="as_of_date")


def test_the_guard_lets_pass_what_was_known_and_what_only_splits(con):
    seen = "(date '2025-01-01' + id::int)::timestamp as seen_at, date '2030-01-01' as split_on"
    split = {"data_split_method": "SEQ", "data_split_col": "split_on"}
    sql = f"select {AS_OF}, {seen} from training"
    outcome = fit(con, "line", sql, **(LINE | split), as_of_col="as_of_date")
    assert outcome.status == "trained"
    # Without as_of_col nothing is known of the order of time.
    late = f"select {AS_OF}, date '2030-01-01' as seen_on from training"
    assert fit(con, "free", late, **LINE, entity_cols=["as_of_date"]).status == "trained"
