"""Automatic preprocessing: from raw columns to the numbers a model learns from.

All statistics come from one DuckDB aggregate query over the training rows. Every encoded column is
an SQL expression over the raw columns, and its values for fitting are read from DuckDB through
that same expression: fitting and scoring cannot differ.

The rules (standardised numbers with the sample deviation, NULL to the mean, categories as 0 or 1
that are not centred, NULL as a category of its own, the parts of a timestamp) are BigQuery ML's
"automatic feature preprocessing". NaN and the infinities count as missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp

from martlet.blocks import (
    Block,
    CategoryBlock,
    LabelBlock,
    MembersBlock,
    NumberBlock,
    SparseBlock,
)
from martlet.encoding import Encoding
from martlet.errors import MartletError
from martlet.schema import Feature
from martlet.sqltext import PREFIX, ROWS, call, cast, identifier, integer, render, text

__all__ = ["NULL_CATEGORY", "FeatureInfo", "Preparation", "learn_encoding"]

#: How outputs name the category of NULL.
NULL_CATEGORY = "_null_filler"

#: Beyond so many categories a column is taken for an identifier.
MAX_CATEGORIES = 100_000

#: Parts of a timestamp that become categories, with BigQuery's names.
_PARTS = {
    "_TS_DOM_": "extract(day from {})",
    "_TS_DOW_": "extract(dow from {}) + 1",
    "_TS_MOY_": "extract(month from {})",
    "_TS_HOD_": "extract(hour from {})",
    "_TS_MOH_": "extract(minute from {})",
    "_TS_WOY_": "extract(week from {})",
    "_TS_YEAR_": "extract(year from {})",
}


@dataclass(frozen=True)
class Preparation:
    """How a model type wants its features.

    Attributes
    ----------
    numbers
        ``standardize`` (mean 0, sample deviation 1), ``center`` (mean 0), ``impute`` (as they are,
        missing to the mean) or ``raw`` (as they are, missing stays NULL: for trees).
    categories
        ``one_hot``, ``dummy`` (the most frequent one has no column) or ``label`` (1, 2, ... in
        alphabetical order, NULL and unseen 0: for trees).
    """

    numbers: str = "standardize"
    categories: str = "one_hot"


@dataclass(frozen=True)
class FeatureInfo:
    """One row of ML.FEATURE_INFO: what an input column looked like in training."""

    input: str
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    median: float | None = None
    stddev: float | None = None
    category_count: int | None = None
    null_count: int | None = None
    dimension: int | None = None


@dataclass(frozen=True)
class _Item:
    """One thing to learn about: a number or a set of categories."""

    name: str
    kind: str
    value: exp.Expr
    feature: Feature


def learn_encoding(
    con: duckdb.DuckDBPyConnection,
    rows: str,
    features: Sequence[Feature],
    preparation: Preparation,
) -> tuple[Encoding, list[FeatureInfo], list[str]]:
    """Learn the encoding of the features from training rows.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the rows are.
    rows : str
        A query of the training rows.
    features : sequence of Feature
        The input columns.
    preparation : Preparation
        How the model type wants them.

    Returns
    -------
    encoding : Encoding
        The learned blocks.
    information : list of FeatureInfo
        One entry a feature.
    notices : list of str
        What the reader of the log should know (missing, constant, not finite).
    """
    widths = _vector_widths(con, rows, features)
    items = [item for feature in features for item in _items(feature, widths)]
    statistics = _statistics(con, rows, items)
    blocks: list[Block] = []
    information: dict[str, FeatureInfo] = {}
    notices: list[str] = []
    for item in items:
        learned = statistics[item.name]
        blocks.append(_block(item, learned, preparation))
        notices += _notices(item, learned)
        if item.feature.name not in information:
            information[item.feature.name] = _information(item, learned, widths)
    return Encoding(tuple(blocks)), list(information.values()), notices


def _items(feature: Feature, widths: Mapping[str, int]) -> list[_Item]:
    value = feature.expression
    if feature.role == "numeric":
        return [_Item(feature.name, "number", feature.as_number, feature)]
    if feature.role == "category":
        return [_Item(feature.name, "category", feature.as_text, feature)]
    if feature.role == "members":
        return [_Item(feature.name, "members", cast(value, "varchar[]"), feature)]
    if feature.role == "sparse":
        return [_Item(feature.name, "sparse", _pairs(value, feature.fields), feature)]
    if feature.role == "vector":
        return [
            _Item(
                f"{feature.name}[{position}]",
                "number",
                cast(call("list_extract", value, integer(position)), "double"),
                feature,
            )
            for position in range(1, widths[feature.name] + 1)
        ]
    # Zoned or not, the clock that counts is UTC's.
    zoned = feature.type == "TIMESTAMP WITH TIME ZONE"
    moment = call("timezone", text("UTC"), value) if zoned else cast(value, "timestamp")
    seconds = _Item(feature.name, "number", cast(call("epoch", moment), "double"), feature)
    parts = [
        _Item(prefix + feature.name, "category", _part(pattern, moment), feature)
        for prefix, pattern in _PARTS.items()
    ]
    return [seconds, *parts]


def _pairs(value: exp.Expr, fields: Sequence[str]) -> exp.Expr:
    import sqlglot

    place, amount = (f"{PREFIX}e.{identifier(name)}" for name in fields)
    return sqlglot.parse_one(
        f"list_transform({render(value)}, lambda {PREFIX}e: "
        f"{{'k': cast({place} as bigint), 'v': cast({amount} as double)}})",
        dialect="duckdb",
    )


def _part(pattern: str, moment: exp.Expr) -> exp.Expr:
    import sqlglot

    return sqlglot.parse_one(f"cast({pattern.format(render(moment))} as varchar)", dialect="duckdb")


def _vector_widths(
    con: duckdb.DuckDBPyConnection, rows: str, features: Sequence[Feature]
) -> dict[str, int]:
    """Length of each array of numbers, which must be one and the same in every row."""
    vectors = [feature for feature in features if feature.role == "vector"]
    if not vectors:
        return {}
    parts = [
        f"min(len({value})), max(len({value}))"
        for value in (render(feature.expression) for feature in vectors)
    ]
    found = con.execute(f"select {', '.join(parts)} from ({rows}) as {ROWS}").fetchall()[0]
    widths: dict[str, int] = {}
    for feature, low, high in zip(vectors, found[::2], found[1::2], strict=True):
        if low != high or not low:
            raise MartletError(
                f"Array column '{feature.name}' has between {low} and {high} numbers: "
                "an array of numbers must have the same length in every row."
            )
        widths[feature.name] = int(low)
    return widths


def _statistics(
    con: duckdb.DuckDBPyConnection, rows: str, items: Sequence[_Item]
) -> dict[str, dict[str, Any]]:
    """Everything learned about every item, by one aggregate query."""
    columns: list[str] = []
    aggregates: list[str] = []
    places: list[tuple[str, str]] = []
    for number_of_item, item in enumerate(items):
        given, finite = f"v{number_of_item}", f"f{number_of_item}"
        value = render(item.value)
        columns.append(f"{value} as {given}")
        if item.kind == "number":
            columns.append(f"case when isfinite({value}) then {value} end as {finite}")
        for name, aggregate in _aggregates(item, given, finite).items():
            places.append((item.name, name))
            aggregates.append(aggregate)
    if not aggregates:
        return {}
    # Columns first: a filter on each of hundreds of aggregates costs more than the aggregates.
    query = (
        f"select {', '.join(aggregates)} from "
        f"(select {', '.join(columns)} from ({rows}) as {ROWS}) as {PREFIX}items"
    )
    values = con.execute(query).fetchall()[0]
    learned: dict[str, dict[str, Any]] = {item.name: {} for item in items}
    for (item_name, name), value in zip(places, values, strict=True):
        learned[item_name][name] = value
    return learned


def _aggregates(item: _Item, given: str, finite: str) -> dict[str, str]:
    """Return what is asked of a column with the values and, of numbers, one with the finite."""
    missing = {"nulls": f"count(*) - count({given})"}
    if item.kind == "number":
        return missing | {
            "min": f"min({finite})",
            "max": f"max({finite})",
            "mean": f"avg({finite})",
            "median": f"median({finite})",
            "deviation": f"stddev_samp({finite})",
            "odd": f"count({given}) - count({finite})",
        }
    if item.kind == "category":
        return missing | {"counts": f"histogram({given})"}
    element = f"lambda {PREFIX}e: {PREFIX}e" + (".k" if item.kind == "sparse" else "")
    members = f"list_distinct(list_transform({given}, {element}))"
    # One histogram of everything in the arrays.
    flat = f"flatten(list({members}))"
    return missing | {
        "counts": f"list_aggregate({flat}, 'histogram')",
        "longest": f"max(len({given}))",
    }


def _block(item: _Item, learned: Mapping[str, Any], preparation: Preparation) -> Block:
    if item.kind == "number":
        mean, deviation = learned["mean"], learned["deviation"]
        if not all(part is None or math.isfinite(part) for part in (mean, deviation)):
            raise MartletError(
                f"Column '{item.name}' has numbers too large to average "
                f"(up to {max(abs(learned['min']), abs(learned['max'])):g}): "
                "clip or drop them in the training query."
            )
        if preparation.numbers == "center":
            return NumberBlock(item.name, item.value, mean or 0.0, 1.0, "standardize")
        return NumberBlock(
            item.name, item.value, mean or 0.0, deviation or 0.0, preparation.numbers
        )
    counts: dict[Any, int] = learned["counts"] or {}
    if len(counts) > MAX_CATEGORIES:
        raise MartletError(
            f"Column '{item.name}' has {len(counts):,} different values, which looks like an "
            "identifier: list it in entity_cols or leave it out."
        )
    if item.kind == "sparse":
        return SparseBlock(item.name, item.value, tuple(sorted(counts)))
    names = tuple(sorted(counts))
    if item.kind == "members":
        return MembersBlock(item.name, item.value, names)
    if preparation.categories == "label":
        return LabelBlock(item.name, item.value, names)
    null = learned["nulls"] > 0
    dropped = None
    if preparation.categories == "dummy" and (names or null):
        sizes = {name: -counts[name] for name in names}
        if null:
            sizes[NULL_CATEGORY] = -learned["nulls"]
        dropped = min(sizes, key=lambda name: (sizes[name], name))
    return CategoryBlock(item.name, item.value, names, NULL_CATEGORY if null else None, dropped)


def _notices(item: _Item, learned: Mapping[str, Any]) -> list[str]:
    if item.kind != "number":
        return []
    if learned["mean"] is None:
        return [f"column {item.name} has no value in training and has no effect"]
    notices = []
    if learned["odd"]:
        notices.append(
            f"column {item.name}: {learned['odd']} NaN or infinite values count as missing"
        )
    if learned["min"] == learned["max"]:
        notices.append(f"column {item.name} is constant in training and has no effect")
    return notices


def _information(item: _Item, learned: Mapping[str, Any], widths: Mapping[str, int]) -> FeatureInfo:
    name, nulls = item.feature.name, int(learned["nulls"])
    if item.feature.role == "vector":
        return FeatureInfo(name, null_count=nulls, dimension=widths[name])
    if item.kind == "number":
        low, high, mean, median, deviation = (
            learned[part] for part in ("min", "max", "mean", "median", "deviation")
        )
        return FeatureInfo(name, low, high, mean, median, deviation, null_count=nulls)
    counts: dict[Any, int] = learned["counts"] or {}
    if item.kind == "sparse":
        return FeatureInfo(name, null_count=nulls, dimension=len(counts))
    return FeatureInfo(name, category_count=len(counts), null_count=nulls)
