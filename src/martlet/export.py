"""``martlet export``: a fitted model's scoring as one query for another engine.

The query stands by itself: constants and plain SQL, built as a syntax tree and written in the
dialect asked for.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import sqlglot
from sqlglot import exp

from martlet import models_cli
from martlet.errors import MartletError
from martlet.estimators.tree_structure import Tree
from martlet.options import nearest
from martlet.scoring.portable import Lowering, largest, raw_column
from martlet.scoring.trees import balanced, tree_case
from martlet.sqltext import PREFIX, ROWS, cast, integer, number
from martlet.store import ModelStore

__all__ = ["DIALECTS", "add_arguments", "export_model", "run"]

DIALECTS = ("bigquery", "snowflake", "postgres", "spark", "sqlite", "duckdb")

#: Engines in which 1.5e0 is not a double unless it says so.
_CAST_CONSTANTS = ("postgres", "snowflake")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``martlet export``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Its parser.
    """
    parser.add_argument("model", help="name of the model, or schema.name")
    parser.add_argument("--dialect", required=True, help=", ".join(DIALECTS))
    parser.add_argument("--version", type=int, help="by default the champion")
    parser.add_argument("--table", default="input_rows", help="rows to score (input_rows)")
    parser.add_argument("--output", "-o", type=Path, help="file to write; by default the screen")
    models_cli.add_database_arguments(parser)


def run(options: argparse.Namespace, project: Path | None = None) -> int:
    """Run ``martlet export``.

    Parameters
    ----------
    options : argparse.Namespace
        Parsed arguments.
    project : Path, optional
        The dbt project; by default the current folder.

    Returns
    -------
    int
        Exit code.
    """
    with models_cli.open_database(options, project) as con:
        store = models_cli.find_model(con, options.model)
        row = models_cli.find_version(store, options.version)
        query = export_model(con, store, row, options.dialect.lower(), options.table)
    if options.output:
        options.output.write_text(query)
    else:
        print(query, end="")
    return 0


def export_model(
    con: duckdb.DuckDBPyConnection, store: ModelStore, row: Mapping[str, Any], dialect: str,
    table: str = "input_rows",
) -> str:  # fmt: skip
    """Write the scoring of one version as a query.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        The database of the model.
    store : ModelStore
        The model.
    row : mapping
        The version, as a row of the fitted-model relation.
    dialect : str
        One of `DIALECTS`.
    table : str
        Name of the rows to score in the other engine.

    Returns
    -------
    str
        A select of the entity columns, the features and the prediction.

    Raises
    ------
    MartletError
        If the dialect is not known or the model uses what other engines do not have.
    """
    if dialect not in DIALECTS:
        raise MartletError(f"There is no dialect '{dialect}': {nearest(dialect, DIALECTS)}")
    if not row["scoring_sql"] or row["status"] == "insufficient_data":
        raise MartletError(f"Model '{row['model_name']}' has nothing to export: it has no scoring.")
    scoring = _Scoring(row)
    steps = [scoring.lower(step) for step in scoring.steps]
    if str(row["model_type"]).startswith(("boosted_tree", "random_forest")):
        steps = _tree_steps(con, store, row, scoring)
    steps += scoring.tops()
    source: exp.Query = exp.select("*").from_(exp.to_table(table, dialect=dialect))
    result = exp.select(*scoring.outputs(), copy=False)
    for place, step in enumerate(steps):
        result = result.with_(f"step_{place}", as_=source, copy=False)
        columns = [exp.alias_(value, name, copy=False) for name, value in step.items()]
        star = exp.Column(this=exp.Star(), table=exp.to_identifier(ROWS))
        source = exp.select(star, *columns, copy=False).from_(_rows(place), copy=False)
    result = result.with_(f"step_{len(steps)}", as_=source, copy=False)
    result = result.from_(_rows(len(steps)), copy=False)
    if dialect in _CAST_CONSTANTS:
        _cast_constants(result)
    version = f"{row['model_name']} version {row['model_version']} ({row['model_type']})"
    return f"-- {version}, exported by Martlet for {dialect}\n{result.sql(dialect=dialect)}\n"


def _rows(place: int) -> exp.Expr:
    return exp.to_table(f"step_{place}").as_(ROWS, copy=False)


def _cast_constants(query: exp.Expr) -> None:
    for item in list(query.find_all(exp.Literal)):
        if not item.is_string and "e" in item.name.lower():
            item.replace(cast(item.copy(), "double"))


class _Scoring:
    """What the stored function says, taken apart."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        _, _, body = str(row["scoring_sql"]).partition(" as table (")
        query = sqlglot.parse_one(body.rstrip()[:-1], dialect="duckdb")
        self.row = row
        self.options = json.loads(row["options"])
        self.features = {item["name"]: item["type"] for item in row["features"]}
        self.steps: list[dict[str, exp.Expr]] = []
        for own in query.args["with_"].expressions[1:]:
            named = [item for item in own.this.expressions if isinstance(item, exp.Alias)]
            self.steps.append({item.alias: item.this for item in named})
        self.lowering = Lowering(self.features)
        self.output = list(self.steps[-1])[-1].removeprefix(PREFIX)
        self.classes = self._classes(query)

    @staticmethod
    def _classes(query: exp.Expr) -> list[exp.Expr]:
        """Return the classes as constants, ascending; the stored list descends."""
        found = []
        for struct in query.find_all(exp.Struct):
            for item in struct.expressions:
                if item.this.name == "label":
                    found.append(item.expression.copy())
        return found[::-1]

    def lower(self, step: Mapping[str, exp.Expr]) -> dict[str, exp.Expr]:
        """Lower one step; those of trees are made anew from their table."""
        walked = str(self.row["model_type"]).startswith(("boosted_tree", "random_forest"))
        if walked and not all(name.startswith(PREFIX + "input_") for name in step):
            return {}
        return self.lowering.step(step)

    def tops(self) -> list[dict[str, exp.Expr]]:
        """Return a step that names the best of several scores."""
        if self.output not in ("probabilities", "distances"):
            return []
        values = self.lowering.elements(PREFIX + self.output)
        if self.output == "distances":
            return [{PREFIX + "best": largest(values, exp.Least)}]
        return [{PREFIX + "best": largest(values, exp.Greatest)}]

    def outputs(self) -> list[exp.Expr]:
        """Return the columns of the answer."""
        kept = list(dict.fromkeys([*self.options.get("entity_cols", ()), *self.features]))
        answer = {"score": self._score, "probability": self._pair}.get(self.output, self._many)
        return [raw_column(name) for name in kept] + answer()

    def _score(self) -> list[exp.Expr]:
        value = self.lowering.elements(PREFIX + "score")[0]
        return [exp.alias_(value, f"predicted_{self.row['label']}")]

    def _pair(self) -> list[exp.Expr]:
        positive = self.lowering.elements(PREFIX + "probability")[0]
        above = exp.GT(this=positive.copy(), expression=number(0.5))
        chosen = exp.Case().when(above, self.classes[1]).else_(self.classes[0])
        negative = exp.Sub(this=number(1.0), expression=positive.copy())
        return self._classified(chosen, [negative, positive])

    def _classified(self, chosen: exp.Expr, probabilities: list[exp.Expr]) -> list[exp.Expr]:
        made = f"predicted_{self.row['label']}"
        names = [f"{made}_prob_{_word(item)}" for item in self.classes]
        if len(set(names)) < len(names):
            names = [f"{made}_prob_{place}" for place in range(1, len(names) + 1)]
        pairs = zip(probabilities, names, strict=True)
        return [exp.alias_(chosen, made), *(exp.alias_(value, name) for value, name in pairs)]

    def _many(self) -> list[exp.Expr]:
        values = self.lowering.elements(PREFIX + self.output)
        if self.output == "components":
            return [
                exp.alias_(value.copy(), f"principal_component_{place}")
                for place, value in enumerate(values, start=1)
            ]
        best = exp.column(PREFIX + "best", table=ROWS)
        answers = self.classes or [integer(place) for place in range(1, len(values) + 1)]
        chosen = exp.Case()
        for value, answer in list(zip(values, answers, strict=True))[:-1]:
            chosen = chosen.when(exp.EQ(this=value.copy(), expression=best.copy()), answer.copy())
        chosen = chosen.else_(answers[-1].copy())
        if self.output == "probabilities":
            return self._classified(chosen, [value.copy() for value in values])
        return [exp.alias_(chosen, "centroid_id"), exp.alias_(best, "centroid_distance")]


def _word(item: exp.Expr) -> str:
    literal = item.find(exp.Literal)
    name = literal.name if literal is not None else item.name
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())


def _tree_steps(
    con: duckdb.DuckDBPyConnection, store: ModelStore, row: Mapping[str, Any], scoring: _Scoring
) -> list[dict[str, exp.Expr]]:
    """Write each tree as one CASE, and their sums."""
    parameters = json.loads(row["parameters"])
    names = [name if item is None else f"{name}={item}" for name, item in parameters["columns"]]
    query = store.part_query(row["model_version"], "trees")
    table = con.query(f"select * from ({query}) order by tree, node").fetchnumpy()
    trees = _read_trees(table, {name: place for place, name in enumerate(names)})
    inputs = scoring.lowering.step(scoring.steps[0])
    used = {int(place) for tree in trees for place in tree.feature if place >= 0}
    values: dict[int, exp.Expr] = {
        place: exp.column(f"{PREFIX}input_{place}", table=ROWS) for place in used
    }
    outputs = range(len(parameters["baselines"]))
    sums: dict[str, exp.Expr] = {}
    for output in outputs:
        terms: list[exp.Expr] = [number(parameters["baselines"][output])]
        for tree in trees:
            leaves = {leaf: number(float(tree.values[leaf, output])) for leaf in tree.leaves}
            if any(tree.values[leaf, output] for leaf in leaves):
                terms.append(tree_case(tree, 0, values, leaves))
        sums[f"{PREFIX}sum_{output}"] = balanced(terms, exp.Add)
    sums = scoring.lowering.step(sums)
    steps = [inputs, sums] if inputs else [sums]
    own = [exp.column(f"{PREFIX}sum_{output}", table=ROWS) for output in outputs]
    boosted = str(row["model_type"]).startswith("boosted_tree")
    for step in _links(own, scoring.output, boosted):
        steps.append(scoring.lowering.step(step))
    return steps


def _links(sums: list[exp.Column], output: str, boosted: bool) -> list[dict[str, exp.Expr]]:
    """Return the steps from the sums of the leaves to the prediction."""
    from martlet.scoring.softmax import softmax

    if output == "probabilities":
        if boosted:
            return list(softmax(list(sums)))
        return [{PREFIX + output: exp.Array(expressions=list(sums))}]
    value: exp.Expr = sums[0]
    if output == "probability" and boosted:
        power = exp.Exp(this=exp.Neg(this=value))
        below = exp.Paren(this=exp.Add(this=number(1.0), expression=power))
        value = exp.Div(this=number(1.0), expression=below)
    return [{PREFIX + output: value}]


def _read_trees(table: Mapping[str, Any], places: Mapping[str, int]) -> list[Tree]:
    trees = []
    column = {name: np.ma.asarray(values) for name, values in table.items()}
    bounds = np.flatnonzero(np.diff(column["tree"].data, prepend=-1, append=-1))
    for start, stop in itertools.pairwise(bounds):
        own = slice(int(start), int(stop))
        names = column["feature"][own]
        feature = np.array([-1 if n is None or n is np.ma.masked else places[n] for n in names])
        listed = list(column["leaf_values"][own])
        width = max(len(v) for v in listed if v is not None and v is not np.ma.masked)
        values = np.array(
            [np.zeros(width) if v is None or v is np.ma.masked else np.asarray(v) for v in listed]
        )
        thresholds = np.ma.filled(column["threshold"][own].astype(float), 0.0)
        missing = np.ma.filled(column["missing_left"][own], False).astype(bool)
        left = np.ma.filled(column["left_node"][own], -1).astype(int)
        right = np.ma.filled(column["right_node"][own], -1).astype(int)
        none = np.zeros(len(feature))
        trees.append(Tree(feature, thresholds, missing, left, right, values, none, none))
    return trees
