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
    paths = [path for tree in trees for path in _paths(tree) if path[0]]
    depth = max((len(path[0]) for path in paths), default=0)
    if depth * len(paths) > MOST_ANSWERS:
        return None
    values, shares = PREFIX + "values", PREFIX + "shares"
    steps: tuple[dict[str, exp.Expr], ...] = ()
    if paths:
        query = _query(paths, depth, len(expected), f'{ROWS}."{values}"')
        steps = (
            {values: array(item.copy() for item in encoding.numbers())},
            {shares: exp.Subquery(this=sqlglot.parse_one(query, dialect="duckdb"))},
        )
    used = {place for path in paths for place in path[0]}
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
    rows = max(100, _GLOBAL_ANSWERS // max(1, depth * len(paths)))
    return Explanation(tuple(expected), tuple(attributions), steps, rows)


def _expectation(tree: Tree) -> Array:
    """Return the mean of the leaves over the training rows."""
    leaves = tree.leaves
    weight = tree.cover[leaves]
    return np.asarray(weight @ tree.values[leaves] / weight.sum())


#: Inputs asked, and for each: above, at most, whether missing passes, share of rows; leaf values.
Path = tuple[tuple[int, ...], list[tuple[float, float, bool, float]], Array]


def _paths(tree: Tree) -> list[Path]:
    """Return one entry a leaf; several questions about one input are one."""
    found: list[Path] = []
    start: dict[int, tuple[float, float, bool, float]] = {}
    stack: list[tuple[int, dict[int, tuple[float, float, bool, float]]]] = [(0, start)]
    features, thresholds = tree.feature.tolist(), tree.threshold.tolist()
    missings, covers = tree.missing_left.tolist(), tree.cover.tolist()
    lefts, rights = tree.left.tolist(), tree.right.tolist()
    while stack:
        node, asked = stack.pop()
        feature = features[node]
        if feature < 0:
            found.append((tuple(asked), list(asked.values()), tree.values[node]))
            continue
        low, high, missing, share = asked.get(feature, (-np.inf, np.inf, True, 1.0))
        threshold, missing_left = thresholds[node], missings[node]
        for child, goes_left in ((lefts[node], True), (rights[node], False)):
            part = max(covers[child] / covers[node], 1e-15)
            bounds = (low, min(high, threshold)) if goes_left else (max(low, threshold), high)
            passes = missing and missing_left == goes_left
            stack.append((child, asked | {feature: (*bounds, passes, share * part)}))
    return found


def _query(paths: Sequence[Path], depth: int, outputs: int, values: str) -> str:
    """Return a query of one row: a list with a map from encoded column to share, an output each."""
    degree = max(1, (depth + 1) // 2)
    points, weights = np.polynomial.legendre.leggauss(degree)
    points, weights = (points + 1) / 2, weights / 2
    slots = range(depth)

    def listed(items: Sequence[Any], kind: str, name: str) -> str:
        return f"unnest({render(constants(items, kind))}) as {name}"

    # A path that asks less is filled with questions that every row answers.
    empty = (-np.inf, np.inf, True, 1.0)
    columns = [
        listed([float(path[2][output]) for path in paths], "double", f"v{output}")
        for output in range(outputs)
    ]
    for slot in slots:
        asked = [path[1][slot] if slot < len(path[1]) else empty for path in paths]
        place = [path[0][slot] + 1 if slot < len(path[0]) else 1 for path in paths]
        columns.append(listed(place, "integer", f"f{slot}"))
        columns.append(listed([item[0] for item in asked], "double", f"a{slot}"))
        columns.append(listed([item[1] for item in asked], "double", f"b{slot}"))
        columns.append(listed([int(item[2]) for item in asked], "tinyint", f"m{slot}"))
        columns.append(listed([item[3] for item in asked], "double", f"z{slot}"))

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
