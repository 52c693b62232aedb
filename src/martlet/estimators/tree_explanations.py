"""Exact TreeSHAP in SQL: what each input adds to a prediction.

The path-dependent Shapley value of an input is a sum over leaves. For a leaf of value v whose path
asks the inputs j, let o_j be 1 when the row answers as the path does, and z_j the share of training
rows that do. The input i gets

    v (o_i - z_i) * integral from 0 to 1 of product over j != i of (z_j (1 - t) + o_j t) dt,

which is the subset sum of the definition, since the weight of a subset is a Beta integral. The
integrand is a polynomial, so a Gauss-Legendre rule of half its degree is exact. The leaves are
rows of a companion table; one query for each number of questions meets them with the rows to be
explained, in flat arithmetic, so that its text grows with the depth of the trees and not with their
number.

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
from numpy.typing import NDArray
from sqlglot import exp

from martlet.encoding import Encoding
from martlet.estimators.base import Explanation, Part, Step
from martlet.estimators.tree_structure import Tree
from martlet.sqltext import PREFIX, ROWS, array, call, column, integer, number, render, total

__all__ = ["MOST_ANSWERS", "explain_trees"]

#: A global explanation reads as many rows as come to about so many answers, at least 100.
_GLOBAL_ANSWERS = 10_000_000

#: Beyond so many answers (inputs asked on the way to a leaf, over all leaves) a model is not
#: explained: its table would take hundreds of megabytes, each row half a second.
MOST_ANSWERS = 10_000_000

#: Leaves are taken together by how many inputs their path asks; longer ones are filled up to these.
_LENGTHS = (*range(1, 9), 10, 12, 14, 16, 20, 24, 32, 40, 50)

_KEY, _VALUES, _SHARES = PREFIX + "key", PREFIX + "values", PREFIX + "shares"
_KEYED, _FOUND = PREFIX + "keyed", PREFIX + "found"

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
    if sum(len(tree.leaves) for tree in trees) > MOST_ANSWERS:
        return None
    sums = np.sum([_expectation(tree) for tree in trees], axis=0)
    expected = [float(value) for value in np.asarray(baselines) + sums]
    paths = _paths(trees)
    answers = int((paths.asked >= 0).sum())
    if answers > MOST_ANSWERS:
        return None
    steps: tuple[Step, ...] = ()
    parts: dict[str, Part] = {}
    if answers:
        lengths, groups = _lengths(paths), _groups(paths)
        parts = {"paths": _part(paths, lengths, groups)}
        values = {_VALUES: array(item.copy() for item in encoding.numbers())}
        steps = (values, _step(lengths, groups, len(expected)))
    used = set(paths.asked.ravel().tolist())
    attributions = []
    for output in range(len(expected)):
        own = call("list_extract", column(_SHARES), integer(output + 1))
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
    rows = max(100, _GLOBAL_ANSWERS // max(1, answers))
    return Explanation(tuple(expected), tuple(attributions), steps, rows, parts)


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


def _lengths(paths: _Paths) -> NDArray[np.int64]:
    """Return how many questions each leaf is written with."""
    places = np.searchsorted(_LENGTHS, (paths.asked >= 0).sum(axis=1))
    return np.asarray(np.array(_LENGTHS)[places])


def _groups(paths: _Paths) -> NDArray[np.int64]:
    """Return a number for the set of inputs that each leaf asks."""
    # The questions of a leaf are in the order of the inputs.
    return np.asarray(np.unique(paths.asked, axis=0, return_inverse=True)[1].ravel())


def _part(paths: _Paths, lengths: NDArray[np.int64], groups: NDArray[np.int64]) -> Part:
    """Return one row a leaf: what it adds to each output, and each question of its path."""
    import pyarrow as pa

    # Leaves that are read together lie together.
    order = np.lexsort((groups, lengths))
    columns, arrays = {"length": "integer", "input_group": "integer"}, {}
    arrays["length"] = pa.array(lengths[order], pa.int32())
    arrays["input_group"] = pa.array(groups[order], pa.int32())
    for output, values in enumerate(paths.values.T, start=1):
        columns[f"value_{output}"] = "double"
        arrays[f"value_{output}"] = pa.array(values[order])
    filled = int(lengths.max())
    for slot in range(1, filled + 1):
        there = slot <= lengths[order]
        asked = np.where(slot <= paths.asked.shape[1], slot - 1, -1)
        for name, kind, own, filling in (
            ("input", "integer", np.maximum(paths.asked, 0) + 1, 1),
            ("above", "double", paths.low, -np.inf),
            ("at_most", "double", paths.high, np.inf),
            ("missing", "boolean", paths.missing, True),
            ("share", "double", paths.share, 1.0),
        ):
            items = own[order, asked] if asked >= 0 else np.full(len(order), filling)
            columns[f"{name}_{slot}"] = kind
            arrays[f"{name}_{slot}"] = pa.array(items, mask=~there)
    return Part(columns, pa.table(arrays))


def _step(lengths: NDArray[np.int64], groups: NDArray[np.int64], outputs: int) -> str:
    """Return the query that adds a list of maps from encoded column to share, one an output."""
    queries = []
    for length in np.unique(lengths).tolist():
        own = groups[lengths == length]
        # Few sets of inputs are summed up before their shares are handed out, one row a set.
        queries.append(_leaves(length, outputs, grouped=4 * len(np.unique(own)) <= len(own)))
    places = range(1, outputs + 1)
    sums = ", ".join(f"sum(s{output}) as s{output}" for output in places)
    maps = ", ".join(f"map(list(f), list(s{output}))" for output in places)
    return (
        f"{_KEYED} as materialized (select {ROWS}.*, row_number() over () as {_KEY} "
        f"from {{before}} as {ROWS}), "
        f"{_FOUND} as (select {_KEY}, [{maps}] as {_SHARES} from ("
        f"select {_KEY}, f, {sums} from ({' union all '.join(queries)}) group by {_KEY}, f) "
        f"group by {_KEY}), "
        f"{{here}} as (select {ROWS}.*, {_FOUND}.{_SHARES} from {_KEYED} as {ROWS} "
        f"left join {_FOUND} on {_FOUND}.{_KEY} = {ROWS}.{_KEY})"
    )


def _leaves(length: int, outputs: int, grouped: bool) -> str:
    """Return the query over the leaves of one length: key of the row, encoded column, shares."""
    points, weights = np.polynomial.legendre.leggauss((length + 1) // 2)
    rule = [(float(p + 1) / 2, float(w) / 2) for p, w in zip(points, weights, strict=True)]
    slots, places = range(1, length + 1), range(1, outputs + 1)
    answers = ", ".join(
        f"cast(coalesce(list_extract({_VALUES}, input_{slot}) > above_{slot} "
        f"and list_extract({_VALUES}, input_{slot}) <= at_most_{slot}, missing_{slot}) as double) "
        f"as o{slot}"
        for slot in slots
    )
    factors = ", ".join(
        f"share_{slot} * {render(number(1 - point))} + o{slot} * {render(number(point))} "
        f"as c{slot}_{node}"
        for node, (point, _) in enumerate(rule)
        for slot in slots
    )
    products = ", ".join(
        f"{render(number(weight))} * " + " * ".join(f"c{slot}_{node}" for slot in slots)
        + f" as g{node}"
        for node, (_, weight) in enumerate(rule)
    )  # fmt: skip
    shares = [
        f"(o{slot} - share_{slot}) * ("
        + " + ".join(f"g{node} / c{slot}_{node}" for node in range(len(rule)))
        + ")"
        for slot in slots
    ]
    leaves = (
        f"select *, {products} from (select *, {factors} from (select *, {answers} from ("
        f"select k.{_KEY}, k.{_VALUES}, p.* from {_KEYED} as k, {{part:paths}} as p "
        f"where p.length = {length})))"
    )
    inputs = ", ".join(f"input_{slot}" for slot in slots)
    if not grouped:
        sums = ", ".join(f"sum(value_{output} * u) as s{output}" for output in places)
        values = ", ".join(f"value_{output}" for output in places)
        return (
            f"select {_KEY}, f, {sums} from (select {_KEY}, {values}, unnest([{inputs}]) as f, "
            f"unnest([{', '.join(shares)}]) as u from ({leaves})) group by {_KEY}, f"
        )
    sums = ", ".join(
        f"sum(value_{output} * {share}) as s{output}_{slot}"
        for slot, share in zip(slots, shares, strict=True)
        for output in places
    )
    handed_out = ", ".join(
        f"unnest([{', '.join(f's{output}_{slot}' for slot in slots)}]) as s{output}"
        for output in places
    )
    asked = ", ".join(f"any_value(input_{slot}) as input_{slot}" for slot in slots)
    return (
        f"select {_KEY}, unnest([{inputs}]) as f, {handed_out} from ("
        f"select {_KEY}, {asked}, {sums} from ({leaves}) group by {_KEY}, input_group)"
    )
