"""Model types whose answer is of a kind of its own: task "custom"."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import duckdb
import pytest

from martlet.errors import InsufficientData
from martlet.estimators.base import Estimator, Fitted, Part, Scoring, Training
from martlet.fit import ModelSpec, Outcome, fit_model
from martlet.options import COMMON, SPLITTING, Option, Options
from martlet.scoring.functions import no_rows
from martlet.store import ModelStore
from martlet.verify import verify_version
from ml_support import columns, connect, rows


class Popularity(Estimator):
    """How often each item is bought: the share of its rows, judged by mean absolute error."""

    model_type = "popularity"
    task = "custom"
    metrics = ("coverage", "seen_share")
    higher_is_better = frozenset({"coverage", "seen_share"})
    options = (*COMMON, *SPLITTING, Option("item_col", "item", "text"))

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        return [options["item_col"]]

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        return {"shares": {"item": "varchar", "share": "double"}}

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        return {"predict": no_rows({"share": "double"})}

    def fit(self, training: Training) -> Fitted:
        item = training.options["item_col"]
        counted = training.con.execute(
            f"select {item}::varchar, count(*) / sum(count(*)) over () "
            f"from ({training.query('train')}) group by 1 order by 1"
        ).fetchall()
        if len(counted) < 2:
            raise InsufficientData(f"{len(counted)} item, at least 2 are needed")
        before = training.previous
        return Fitted(
            {"items": len(counted), "previous_version": before.version if before else None},
            Scoring(None),
            parts={"shares": Part({"item": "varchar", "share": "double"}, counted)},
            functions={
                "predict": (
                    "(input) as table (select {inputs:share}, __martlet_share as share from ("
                    "select r.*, s.share as __martlet_share from query_table(input) r "
                    f"left join {{part:shares}} s on r.{item}::varchar = s.item))"
                ),
                "evaluate": (
                    "(input) as table (select count(distinct share)::double as coverage, "
                    "avg((share is not null)::int) as seen_share from {predict}(input))"
                ),
            },
            baseline_metrics={"seen_share": 0.0},
        )


def fit(con: duckdb.DuckDBPyConnection, sql: str, **ml_config: Any) -> Outcome:
    return fit_model(con, ModelSpec("popular", sql, ml_config, estimator=Popularity()))


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = connect()
    con.execute(
        "create table bought as select ['a', 'b', 'b', 'c'][1 + i % 4] as item from range(8) r(i)"
    )
    return con


def test_a_custom_type_has_versions_functions_and_a_gate(con: duckdb.DuckDBPyConnection) -> None:
    assert fit(con, "from bought").status == "trained"
    assert columns(con, "from popular_predict('bought')") == ["item", "share"]
    found = rows(con, "select distinct item, share from popular_predict('bought') order by item")
    assert [(row["item"], row["share"]) for row in found] == [("a", 0.25), ("b", 0.5), ("c", 0.25)]
    assert rows(con, "from popular_evaluate()") == [{"coverage": 2.0, "seen_share": 1.0}]
    row = rows(con, "from popular")[0]
    assert row["features"] == [{"name": "item", "type": "VARCHAR"}]
    assert json.loads(row["baseline_metrics"]) == {"seen_share": 0.0}
    assert fit(con, "from bought").status == "reused"
    # One share fewer on the same rows: the champion stays.
    con.execute("update bought set item = 'b' where item = 'c'")
    con.execute("update bought set item = 'a' where rowid in (1, 2)")
    outcome = fit(con, "from bought where item <> 'c'")
    assert outcome.status == "challenger"
    assert "coverage 1 against 2" in outcome.warnings[0]


def test_a_fit_is_told_of_the_champion_and_repeats_with_it(con: duckdb.DuckDBPyConnection) -> None:
    fit(con, "from bought")
    con.execute("insert into bought values ('d')")
    assert fit(con, "from bought").status == "trained"
    found = rows(con, "select parameters from popular where is_champion")[0]["parameters"]
    assert json.loads(found) == {"items": 4, "previous_version": 1}
    # A type outside the registry cannot be found again by its name.
    with pytest.raises(Exception, match="There is no model_type 'popularity'"):
        verify_version(ModelStore(con, "memory", "main", "popular"))


def test_too_little_data_is_a_status_with_empty_tables(con: duckdb.DuckDBPyConnection) -> None:
    outcome = fit(con, "from bought where item = 'a'")
    assert outcome.status == "insufficient_data"
    assert outcome.warnings == [
        "not enough data: 1 item, at least 2 are needed; predictions are empty"
    ]
    assert columns(con, "from popular_predict('bought')") == ["item", "share"]
    assert rows(con, "from popular_predict('bought')") == []
    assert columns(con, "from popular_evaluate()") == ["coverage", "seen_share"]
    assert rows(con, "from popular__shares") == []
    # Afterwards a version with enough data takes over.
    assert fit(con, "from bought").status == "trained"
    # And too little data later leaves it at work.
    outcome = fit(con, "from bought where item = 'b'")
    assert "version 2 goes on" in outcome.warnings[0]
    assert len(rows(con, "from popular_predict('bought')")) == 8
