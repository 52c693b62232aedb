"""Exact TreeSHAP as SQL: what each input adds to a prediction.

The path-dependent Shapley value of an input is a sum over leaves. For a leaf of value v whose path
asks the inputs j, let o_j be 1 when the row answers as the path does, and z_j the share of training
rows that do. The input i gets

    v (o_i - z_i) * integral from 0 to 1 of product over j != i of (z_j (1 - t) + o_j t) dt,

which is the subset sum of the definition, since the weight of a subset is a Beta integral. The
integrand is a polynomial, so a Gauss-Legendre rule of half its degree is exact. One row a leaf in a
table of constants and flat arithmetic give all inputs at once.

References
----------
Lundberg et al. (2020), "From local explanations to global understanding with explainable AI for
trees", Nature Machine Intelligence 2.
Yu et al. (2022), "Linear TreeShap", NeurIPS (the polynomial form).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlglot
from numpy.typing import NDArray
from sqlglot import exp

from martlet.encoding import Encoding
from martlet.estimators.base import Explanation
from martlet.estimators.tree_structure import Tree
from martlet.scoring.tree_constants import constants
from martlet.sqltext import PREFIX, ROWS, array, call, column, integer, number, render, total

__all__ = ["MOST_ANSWERS", "explain_trees"]

#: A global explanation reads as many rows as come to about so many answers, at least 100.
_GLOBAL_ANSWERS = 10_000_000

#: Beyond so many answers (leaves times inputs asked on a path) a model is not explained.
MOST_ANSWERS = 100_000

Array = NDArray[np.float64]


def explain_trees(
    trees: Sequence[Tree], encoding: Encoding, baselines: Sequence[float]
) -> Explanation | None:
    """Compile the attributions.

    Parameters
    ----------
    trees : sequence of Tree
        The trees.
    encoding : Encoding
        The encoded columns; the shares of those of one input are added up.
    baselines : sequence of float
        What the trees add to, one an output.

    Returns
    -------
    Explanation or None
        None when the ensemble is larger than `MOST_ANSWERS`.
    """
    sums = np.sum([_expectation(tree) for tree in trees], axis=0)
    expected = [float(value) for value in np.asarray(baselines) + sums]
    paths = _paths(trees)
    count, depth = paths.asked.shape
    if depth * count > MOST_ANSWERS:
        return None
    values, shares = PREFIX + "values", PREFIX + "shares"
    steps: tuple[dict[str, exp.Expr], ...] = ()
    if count:
        query = _query(paths, len(expected), f'{ROWS}."{values}"')
        steps = (
            {values: array(item.copy() for item in encoding.numbers())},
            {shares: exp.Subquery(this=sqlglot.parse_one(query, dialect="duckdb"))},
        )
    used = set(paths.asked.ravel().tolist())
    attributions = []
    for output in range(len(expected)):
        own = call("list_extract", column(shares), integer(output + 1))
        found: dict[str, exp.Expr] = {}
        for block, place in encoding.slices():
            terms = [
                exp.Coalesce(
                    this=call(
                        "list_extract", call("map_extract", own.copy(), integer(i + 1)), integer(1)
                    ),
                    expressions=[number(0.0)],
                )
                for i in range(place.start, place.stop)
                if i in used
            ]
            found[block.name] = total(terms)
        attributions.append(found)
    rows = max(100, _GLOBAL_ANSWERS // max(1, depth * count))
    return Explanation(tuple(expected), tuple(attributions), steps, rows)


def _expectation(tree: Tree) -> Array:
    """Return the mean of the leaves over the training rows."""
    leaves = tree.leaves
    weight = tree.cover[leaves]
    return np.asarray(weight @ tree.values[leaves] / weight.sum())


@dataclass(frozen=True)
class _Paths:
    """What is asked on the way to each leaf; several questions about one input are one.

    Attributes
    ----------
    values
        What each leaf adds, one column an output.
    asked
        Encoded column of each question, -1 where a leaf has fewer; one column a question.
    low, high, missing, share
        In the same places: above, at most, whether missing passes, share of rows.
    """

    values: Array
    asked: NDArray[np.int64]
    low: Array
    high: Array
    missing: NDArray[np.bool_]
    share: Array


def _paths(trees: Sequence[Tree]) -> _Paths:
    """Return one row a leaf that is not a root."""
    found = [_questions(tree) for tree in trees if tree.feature[0] >= 0]
    depth = max((item.asked.shape[1] for item in found), default=0)

    def joined(name: str, filling: Any) -> Any:
        # A path that asks less is filled with questions that every row answers.
        items = [getattr(item, name) for item in found]
        result = np.full((sum(len(item) for item in items), depth), filling)
        start = 0
        for item in items:
            result[start : start + len(item), : item.shape[1]] = item
            start += len(item)
        return result

    values = np.concatenate([item.values for item in found]) if found else np.empty((0, 0))
    low, high = joined("low", -np.inf), joined("high", np.inf)
    return _Paths(values, joined("asked", -1), low, high, joined("missing", True),
                  joined("share", 1.0))  # fmt: skip


def _questions(tree: Tree) -> _Paths:
    """Walk down a tree, all nodes of a level at once."""
    used = np.unique(tree.feature[tree.feature >= 0])
    shape = (len(tree.feature), len(used))
    asked, missing = np.zeros(shape, dtype=bool), np.ones(shape, dtype=bool)
    low, high, share = np.full(shape, -np.inf), np.full(shape, np.inf), np.ones(shape)
    level = np.array([0])
    while (level := level[tree.feature[level] >= 0]).size:
        own = np.searchsorted(used, tree.feature[level])
        left, right = tree.left[level], tree.right[level]
        for child in (left, right):
            for item in (asked, missing, low, high, share):
                item[child] = item[level]
            asked[child, own] = True
            share[child, own] *= np.maximum(tree.cover[child] / tree.cover[level], 1e-15)
        high[left, own] = np.minimum(high[left, own], tree.threshold[level])
        low[right, own] = np.maximum(low[right, own], tree.threshold[level])
        missing[left, own] &= tree.missing_left[level]
        missing[right, own] &= ~tree.missing_left[level]
        level = np.concatenate([left, right])
    leaves = np.array(tree.leaves)
    asked = asked[leaves]
    # The questions of each leaf go first.
    order = np.argsort(~asked, axis=1, kind="stable")[:, : int(asked.sum(axis=1).max())]
    places = np.where(np.take_along_axis(asked, order, axis=1), used[order], -1)
    low, high, missing, share = (
        np.take_along_axis(item[leaves], order, axis=1) for item in (low, high, missing, share)
    )
    return _Paths(tree.values[leaves], places, low, high, missing, share)


def _query(paths: _Paths, outputs: int, values: str) -> str:
    """Return a query of one row: a list with a map from encoded column to share, an output each."""
    depth = paths.asked.shape[1]
    degree = max(1, (depth + 1) // 2)
    points, weights = np.polynomial.legendre.leggauss(degree)
    points, weights = (points + 1) / 2, weights / 2
    slots = range(depth)

    def listed(items: Any, kind: str, name: str) -> str:
        return f"unnest({render(constants(items.tolist(), kind))}) as {name}"

    columns = [listed(paths.values[:, output], "double", f"v{output}") for output in range(outputs)]
    for slot in slots:
        place = np.where(paths.asked[:, slot] < 0, 0, paths.asked[:, slot])
        columns.append(listed(place + 1, "integer", f"f{slot}"))
        columns.append(listed(paths.low[:, slot], "double", f"a{slot}"))
        columns.append(listed(paths.high[:, slot], "double", f"b{slot}"))
        columns.append(listed(paths.missing[:, slot].astype(int), "tinyint", f"m{slot}"))
        columns.append(listed(paths.share[:, slot], "double", f"z{slot}"))

    def factor(slot: int, point: float) -> str:
        rest, own = render(number(1 - point)), render(number(point))
        return f"(z{slot} * {rest} + o{slot} * {own})"

    answers = ", ".join(
        f"cast(coalesce(list_extract({values}, f{slot}) > a{slot} "
        f"and list_extract({values}, f{slot}) <= b{slot}, m{slot} = 1) as double) as o{slot}"
        for slot in slots
    )
    products = ", ".join(
        f"{render(number(float(weight)))} * "
        + " * ".join(factor(slot, float(point)) for slot in slots)
        + f" as g{place}"
        for place, (point, weight) in enumerate(zip(points, weights, strict=True))
    )
    integrals = [
        f"(o{slot} - z{slot}) * ("
        + " + ".join(f"g{place} / {factor(slot, float(p))}" for place, p in enumerate(points))
        + ")"
        for slot in slots
    ]
    names = ", ".join(f"f{slot}" for slot in slots)
    leaf = ", ".join(f"v{output}" for output in range(outputs))
    sums = ", ".join(f"sum(v{output} * u) as s{output}" for output in range(outputs))
    maps = ", ".join(f"map(list(f), list(s{output}))" for output in range(outputs))
    return (
        f"select [{maps}] from (select f, {sums} from ("
        f"select {leaf}, unnest([{names}]) as f, unnest([{', '.join(integrals)}]) as u from ("
        f"select *, {products} from (select *, {answers} from (select {', '.join(columns)}))))"
        " group by f)"
    )
