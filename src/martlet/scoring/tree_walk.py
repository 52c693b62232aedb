"""An ensemble of any size as one short expression: every tree is walked a level at a time.

All nodes of all trees lie in four lists of constants. A row holds one place a tree, and each level
moves all of them at once: left, or one further when the value is above the threshold. A leaf leads
to itself. The text grows with the depth, not with the leaves: it is planned in milliseconds,
where one CASE a node takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sqlglot
from numpy.typing import NDArray
from sqlglot import exp

from martlet.estimators.tree_structure import Tree
from martlet.scoring.tree_constants import constants
from martlet.sqltext import PREFIX, ROWS, array, call, column, integer, number

__all__ = ["walk_trees"]

_NODE = PREFIX + "node"
_LISTS = {name: f'{ROWS}."{PREFIX}{name}"' for name in ("features", "thresholds", "lefts")}


def walk_trees(
    trees: Sequence[Tree], values: dict[int, exp.Expr], baselines: Sequence[float]
) -> tuple[list[dict[str, exp.Expr]], list[exp.Expr]]:
    """Compile an ensemble.

    Parameters
    ----------
    trees : sequence of Tree
        The trees.
    values : dict of int to sqlglot expression
        The encoded columns that the trees use, NULL when missing.
    baselines : sequence of float
        What the trees add to, one an output.

    Returns
    -------
    steps : list of dict
        What to compute first.
    scores : list of sqlglot expression
        One an output, over the last step.
    """
    places = np.zeros(max(values, default=0) + 1, dtype=np.int64)
    places[list(values)] = 2 * np.arange(len(values))
    nodes = _Nodes(trees, places)
    # A missing value goes left as the least number and right as NaN, the greatest.
    sides = (number(float("-inf")), number(float("nan")))
    both = [
        exp.Coalesce(this=value.copy(), expressions=[side.copy()])
        for value in values.values()
        for side in sides
    ]
    lists = {
        "sides": array(both),
        "roots": constants(nodes.roots, "integer"),
        "features": constants(nodes.features, "integer"),
        "thresholds": constants(nodes.thresholds, "double"),
        "lefts": constants(nodes.lefts, "integer"),
    }
    for output in range(len(baselines)):
        lists[f"leaf_values_{output}"] = constants(nodes.values[output], "double")
    scores: list[exp.Expr] = []
    for output, baseline in enumerate(baselines):
        leaves = f'{ROWS}."{PREFIX}leaf_values_{output}"'
        own: exp.Expr = column(PREFIX + "leaves")
        if nodes.spans:
            first, last = nodes.spans[output]
            own = call("list_slice", own, integer(first), integer(last))
        taken = call("list_transform", own, _lambda(f"{leaves}[{_NODE}]"))
        whole = exp.Coalesce(this=call("list_sum", taken), expressions=[number(0.0)])
        scores.append(exp.Add(this=number(baseline), expression=whole))
    steps = [
        {PREFIX + name: value for name, value in lists.items()},
        {PREFIX + "leaves": _moved(nodes.depth)},
    ]
    return steps, scores


def _lambda(body: str) -> exp.Expr:
    found = sqlglot.parse_one(f"list_transform(x, lambda {_NODE}: {body})", dialect="duckdb")
    expression = found.find(exp.Lambda)
    assert expression is not None
    return expression


def _moved(depth: int) -> exp.Expr:
    """Return the places of all trees after so many levels."""
    places: exp.Expr = column(PREFIX + "roots")
    value = f'{ROWS}."{PREFIX}sides"[{_LISTS["features"]}[{_NODE}]]'
    right = f"cast({value} > {_LISTS['thresholds']}[{_NODE}] as integer)"
    step = _lambda(f"{_LISTS['lefts']}[{_NODE}] + {right}")
    for _ in range(depth):
        places = call("list_transform", places, step.copy())
    return places


class _Nodes:
    """The nodes of all trees, each tree by levels, so that the two below a split are neighbours.

    Trees that add to one output each are sorted by it, and `spans` says which are whose.
    """

    def __init__(self, trees: Sequence[Tree], places: NDArray[np.int64]) -> None:
        self.roots: list[int] = []
        self.features: list[int] = []
        self.thresholds: list[float] = []
        self.lefts: list[int] = []
        self.depth = 0
        outputs = trees[0].values.shape[1] if trees else 1
        self.values: list[list[float]] = [[] for _ in range(outputs)]
        used = [np.flatnonzero(np.any(tree.values[tree.leaves] != 0, axis=0)) for tree in trees]
        self.spans: list[tuple[int, int]] = []
        order = list(range(len(trees)))
        if outputs > 1 and all(len(own) <= 1 for own in used):
            owner = [int(own[0]) if len(own) else 0 for own in used]
            order.sort(key=lambda place: owner[place])
            ends = np.cumsum(np.bincount(owner, minlength=outputs))
            self.spans = [
                (int(end - count) + 1, int(end))
                for end, count in zip(ends, np.diff(ends, prepend=0), strict=True)
            ]
        for place in order:
            self._add(trees[place], places)

    def _add(self, tree: Tree, places: NDArray[np.int64]) -> None:
        base = len(self.features) + 1
        self.roots.append(base)
        levels = [np.array([0])]
        while (inner := levels[-1][tree.feature[levels[-1]] >= 0]).size:
            levels.append(np.stack([tree.left[inner], tree.right[inner]], axis=1).ravel())
        self.depth = max(self.depth, len(levels) - 1)
        order = np.concatenate(levels)
        feature, splits = tree.feature[order], tree.feature[order] >= 0
        # The two below a split come after those of all splits before it.
        below = base + 2 * np.cumsum(splits) - 1
        itself = base + np.arange(len(order))
        sides = places[feature] + 1 + ~tree.missing_left[order]
        self.features += np.where(splits, sides, 1).tolist()
        self.thresholds += np.where(splits, tree.threshold[order], np.inf).tolist()
        self.lefts += np.where(splits, below, itself).tolist()
        for output, values in enumerate(self.values):
            values += np.where(splits, 0.0, tree.values[order, output]).tolist()
