"""TRANSFORM and the manual preprocessing functions: learned at fit, replayed at prediction."""

from __future__ import annotations

import numpy as np
import pytest

from martlet.errors import MartletError
from ml_support import TRAINING, columns, connect, fit, rows


@pytest.fixture(scope="module")
def con():
    con = connect()
    con.execute(TRAINING)
    con.execute(
        "create table new_rows as select * from (values "
        "(1, 100.0, 5, 'red'), (2, null, null, null), (3, -7.0, 11, 'unseen')) "
        "as t(id, x, n, colour)"
    )
    return con


def transformed(con, item: str, table: str = "new_rows") -> list:
    fit(con, "prepared", "select id, x, n, colour from training", model_type="transform_only",
        transform=[f"{item} as made"])  # fmt: skip
    return [row["made"] for row in rows(con, f"from prepared_transform('{table}')")]


def learned(con, sql: str):
    return con.execute(f"select {sql} from training").fetchall()[0][0]


def test_scalers_replay_training_statistics(con):
    mean, deviation = learned(con, "avg(n)"), learned(con, "stddev_samp(n)")
    found = transformed(con, "ML.STANDARD_SCALER(n) OVER ()")
    assert found[0] == pytest.approx((5 - mean) / deviation)
    assert found[1] is None
    assert transformed(con, "ml_max_abs_scaler(n)")[2] == pytest.approx(11 / 22)
    # Beyond the training range it is cut to 0 and 1.
    found = transformed(con, "ML.MIN_MAX_SCALER(x) OVER()")
    assert found == [1.0, None, 0.0]
    low, high = learned(con, "quantile_cont(n, .25)"), learned(con, "quantile_cont(n, .75)")
    found = transformed(con, "ML.ROBUST_SCALER(n) OVER ()")
    assert found[0] == pytest.approx((5 - learned(con, "median(n)")) / (high - low))
    found = transformed(con, "ML.ROBUST_SCALER(n, [10, 90], FALSE, TRUE) OVER ()")
    spread = learned(con, "quantile_cont(n, .9)") - learned(con, "quantile_cont(n, .1)")
    assert found[0] == pytest.approx(5 / spread)


def test_imputers(con):
    assert transformed(con, "ML.IMPUTER(x, 'mean') OVER ()")[1] == pytest.approx(
        learned(con, "avg(x)")
    )
    assert transformed(con, "ML.IMPUTER(x, 'median') OVER ()")[1] == pytest.approx(
        learned(con, "median(x)")
    )
    assert transformed(con, "ML.IMPUTER(colour, 'most_frequent') OVER ()") == [
        "red", "blue", "unseen",
    ]  # fmt: skip


def test_encoders(con):
    assert transformed(con, "ML.LABEL_ENCODER(colour) OVER ()") == [3, 0, 0]
    assert transformed(con, "ML.LABEL_ENCODER(colour, 1) OVER ()") == [0, 0, 0]
    found = transformed(con, "ML.ONE_HOT_ENCODER(colour) OVER ()")
    assert found[0] == [{"index": 3, "value": 1.0}]
    assert found[1] == found[2] == [{"index": 0, "value": 1.0}]
    found = transformed(con, "ML.ONE_HOT_ENCODER(colour, 'most_frequent') OVER ()", "training")
    assert {"index": 1, "value": 0.0} in [entry for row in found for entry in row]
    found = transformed(con, "ML.MULTI_HOT_ENCODER([colour, 'red']) OVER ()")
    assert found[2] == [{"index": 0, "value": 1.0}, {"index": 3, "value": 1.0}]


def test_buckets(con):
    assert transformed(con, "ML.BUCKETIZE(n, [5, 10])") == ["bin_2", None, "bin_3"]
    assert transformed(con, "ML.BUCKETIZE(n, [0, 10, 20], TRUE)") == ["bin_1", None, "bin_2"]
    found = transformed(con, "ML.BUCKETIZE(n, [5, 10], FALSE, 'bucket_ranges')")
    assert found == ["[5, 10)", None, "[10, +inf)"]
    assert transformed(con, "ML.QUANTILE_BUCKETIZE(n, 2) OVER ()") == ["bin_1", None, "bin_2"]
    found = transformed(con, "ML.HASH_BUCKETIZE(colour, 4)", "training")
    assert {value for value in found if value is not None} <= {0, 1, 2, 3}


def test_crossings_polynomials_vectors_and_text(con):
    found = transformed(con, "ML.FEATURE_CROSS(STRUCT(colour, n))")
    assert found == [{"colour_n": "red_5"}, {"colour_n": None}, {"colour_n": "unseen_11"}]
    found = transformed(con, "ML.POLYNOMIAL_EXPAND(STRUCT(x, n), 2)")
    assert found[2] == {"x": -7.0, "n": 11.0, "x_x": 49.0, "x_n": -77.0, "n_n": 121.0}
    assert transformed(con, "ML.NORMALIZER([3.0, 4.0])")[0] == [0.6, 0.8]
    assert transformed(con, "ML.LP_NORM([3.0, -4.0], 1)")[0] == pytest.approx(7)
    assert transformed(con, "ML.DISTANCE([1.0, 2.0], [4.0, 6.0])")[0] == pytest.approx(5)
    assert transformed(con, "ML.DISTANCE([1.0, 2.0], [4.0, 6.0], 'MANHATTAN')")[0] == 7
    found = transformed(con, "ML.NGRAMS(['a', 'b', 'c'], [1, 2], '#')")[0]
    assert found == ["a", "b", "c", "a#b", "b#c"]


def test_words_have_the_numbers_of_the_reference(con):
    """The example in the reference of ML.TF_IDF, to all its digits."""
    con.execute(
        "create or replace table texts as select * from (values "
        "(1, ['I', 'like', 'pie', 'pie', 'pie', null]), (2, ['yum', 'yum', 'pie', null]), "
        "(3, ['I', 'yum', 'pie', null]), (4, ['you', 'like', 'pie', null])) as t(id, f)"
    )
    items = ["ML.TF_IDF(f, 3, 1) OVER () as rare", "ML.BAG_OF_WORDS(f, 3, 1) OVER () as bag"]
    fit(con, "texts_read", "from texts", model_type="transform_only", transform=["id", *items])
    found = rows(con, "from texts_read_transform('texts') order by id")

    def pairs(name):
        return [{entry["index"]: entry["value"] for entry in row[name]} for row in found]

    wanted = [
        {0: 0.12679902142647365, 1: 0.1412163100645339, 2: 0.1412163100645339,
         3: 0.29389333245105953},
        {0: 0.5705955964191315, 3: 0.14694666622552977},
        {0: 0.380397064279421, 1: 0.21182446509680086, 3: 0.14694666622552977},
        {0: 0.380397064279421, 2: 0.21182446509680086, 3: 0.14694666622552977},
    ]  # fmt: skip
    for own, expected in zip(pairs("rare"), wanted, strict=True):
        assert own == pytest.approx(expected, rel=1e-14)
    assert pairs("bag") == [{0: 1, 1: 1, 2: 1, 3: 3}, {0: 3, 3: 1}, {0: 2, 1: 1, 3: 1},
                            {0: 2, 2: 1, 3: 1}]  # fmt: skip
    # New documents: words never seen, none at all, no document.
    con.execute(
        "create or replace table later as select * from (values (1, ['new', 'pie']), "
        "(2, cast([] as varchar[])), (3, null)) as t(id, f)"
    )
    found = rows(con, "from texts_read_transform('later') order by id")
    assert found[0]["bag"] == [{"index": 0, "value": 1.0}, {"index": 3, "value": 1.0}]
    assert (found[1]["bag"], found[1]["rare"]) == ([], [])
    assert (found[2]["bag"], found[2]["rare"]) == (None, None)


def test_a_model_with_transform_takes_raw_rows(con):
    fit(
        con, "line", "select id, x, n, colour, y from training", model_type="linear_reg",
        labels="y", entity_cols=["id"], data_split_method="NO_SPLIT",
        transform=["* exclude (id, n)", "ML.QUANTILE_BUCKETIZE(n, 4) OVER () as n_bin",
                   "ML.IMPUTER(ML.STANDARD_SCALER(x) OVER (), 'median') OVER () as x_filled",
                   "ML.FEATURE_CROSS(STRUCT(colour, n > 5 as many)) as both"],
    )  # fmt: skip
    assert columns(con, "from line_predict('new_rows')") == [
        "id",
        "x",
        "n",
        "colour",
        "predicted_y",
    ]
    found = [row["predicted_y"] for row in rows(con, "from line_predict('new_rows')")]
    assert np.isfinite(found).all()
    # The label is not made at prediction time; what is made is what the model was trained on.
    made = columns(con, "from line_transform('new_rows')")
    assert made == ["x", "colour", "n_bin", "x_filled", "both"]
    names = {row["processed_input"] for row in rows(con, "from line_weights()")}
    assert names == {"x", "colour", "n_bin", "x_filled", "both_colour_many", "__INTERCEPT__"}
    assert [row["input"] for row in rows(con, "from line_feature_info()")] == ["x", "n", "colour"]
    (row,) = rows(con, "select scoring_difference as d from line")
    assert row["d"] <= 1e-9


@pytest.mark.parametrize(
    ("items", "match"),
    [
        (["x"], "must pass on the column 'y'"),
        (["y + 0 as y", "x"], "must pass on the column 'y'"),
        (["sum(x) as s", "y"], "aggregate"),
        (["row_number() over () as r", "y"], "not allowed"),
        (["x + 1", "y"], "has no name"),
        (["zz as q", "y"], "'zz' is not a column"),
        (["ML.STANDARD_SCALAR(x) OVER () as q", "y"], "did you mean 'standard_scaler'"),
        (["(select 1) as q", "y"], "subqueries"),
        (["ML.BUCKETIZE(x, n) as b", "y"], "must be a constant"),
        (["ML.BUCKETIZE(x) as b", "y"], "needs its argument points"),
        (["ML.IMPUTER(x, 'mode') OVER () as b", "y"], "knows mean"),
        (["x x x", "y"], "cannot read"),
        (["y"], "makes no feature"),
        (["x", "X", "y"], "two columns named"),
        (3, "list of select items"),
    ],
)
def test_a_wrong_transform_is_one_clear_error(con, items, match):
    with pytest.raises(MartletError, match=match):
        fit(con, "refused", "select x, n, y from training", model_type="linear_reg", labels="y",
            transform=items)  # fmt: skip


def test_transform_only_needs_a_transform(con):
    with pytest.raises(MartletError, match="needs the option transform"):
        fit(con, "refused", "select x from training", model_type="transform_only")
