"""Ensembles of trees as plain DuckDB SQL.

Two ways, both exact: one CASE a tree, quick for each row but planned node by node, and
a walk over lists of constants (`martlet.scoring.tree_walk`), which is planned at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlglot import exp

from martlet.estimators.tree_structure import Tree
from martlet.scoring.tree_constants import branch, constants
from martlet.scoring.tree_walk import walk_trees
from martlet.sqltext import PREFIX, call, cast, column, integer, number

__all__ = ["balanced", "compile_trees", "tree_case"]

#: Up to so many leaves CASEs plan at once.
_SMALL = 300
#: Up to so many they are worth planning, when many rows are to be expected.
_LARGE = 4000
#: A model that learned from fewer rows is taken to be applied to few.
_FEW_ROWS = 5000

Steps = tuple[dict[str, exp.Expr], ...]
Sides = tuple[dict[int, exp.Expr], dict[int, exp.Expr]]


def compile_trees(
    trees: Sequence[Tree],
    columns: Sequence[exp.Expr],
    baselines: Sequence[float],
    rows: int = 0,
    way: str | None = None,
) -> tuple[Steps, list[exp.Expr]]:
    """Compile an ensemble.

    Parameters
    ----------
    trees : sequence of Tree
        The trees.
    columns : sequence of sqlglot expression
        Each encoded column over the raw columns; missing values are NULL.
    baselines : sequence of float
        What the trees add to, one an output.
    rows : int
        How many rows it learned from.
    way : str, optional
        ``cases`` or ``walk``; by default what suits the size.

    Returns
    -------
    steps : tuple of dict
        What to compute first.
    scores : list of sqlglot expression
        One an output, over the last step.
    """
    inputs, values = _inputs(trees, columns)
    if way is None:
        leaves = sum(len(tree.leaves) for tree in trees)
        way = "cases" if leaves <= (_SMALL if rows < _FEW_ROWS else _LARGE) else "walk"
    if way == "cases" or not values:
        return _cases(trees, inputs, values, baselines)
    walked, scores = walk_trees(trees, values, baselines)
    return (inputs, *walked), scores


def _inputs(
    trees: Sequence[Tree], columns: Sequence[exp.Expr]
) -> tuple[dict[str, exp.Expr], dict[int, exp.Expr]]:
    """Name the encoded columns that the trees use."""
    used = sorted({int(place) for tree in trees for place in tree.feature if place >= 0})
    names = {place: f"{PREFIX}input_{place}" for place in used}
    return (
        {names[place]: cast(columns[place].copy(), "double") for place in used},
        {place: column(names[place]) for place in used},
    )


def _sides(trees: Sequence[Tree], values: dict[int, exp.Expr]) -> tuple[dict[str, exp.Expr], Sides]:
    """Name each column twice: with a missing value as the least number, and as the greatest."""
    steps: dict[str, exp.Expr] = {}
    sides: Sides = ({}, {})
    # DuckDB holds NaN to be greater than every number.
    for side, name, missing in ((0, "least", "-inf"), (1, "greatest", "nan")):
        used = {
            int(feature)
            for tree in trees
            for feature, left in zip(tree.feature, tree.missing_left, strict=True)
            if feature >= 0 and bool(left) == (side == 0)
        }
        for place in sorted(used):
            own = f"{PREFIX}{name}_{place}"
            filled = [number(float(missing))]
            steps[own] = exp.Coalesce(this=values[place].copy(), expressions=filled)
            sides[side][place] = column(own)
    return steps, sides


def _cases(
    trees: Sequence[Tree],
    inputs: dict[str, exp.Expr],
    values: dict[int, exp.Expr],
    baselines: Sequence[float],
) -> tuple[Steps, list[exp.Expr]]:
    """Return one CASE a tree: the value, or the leaf when it adds to several outputs."""
    named, sides = _sides(trees, values)
    terms: list[list[exp.Expr]] = [[number(baseline)] for baseline in baselines]
    places: dict[str, exp.Expr] = {}
    for count, tree in enumerate(trees):
        leaves = tree.leaves
        outputs = np.flatnonzero(np.any(tree.values[leaves] != 0, axis=0))
        if len(outputs) == 1:
            own = {leaf: number(float(tree.values[leaf, outputs[0]])) for leaf in leaves}
            terms[outputs[0]].append(tree_case(tree, 0, values, own, sides))
        elif len(outputs):
            name = f"{PREFIX}leaf_{count}"
            own = {leaf: integer(place) for place, leaf in enumerate(leaves, start=1)}
            places[name] = tree_case(tree, 0, values, own, sides)
            for output in outputs:
                listed = constants([float(item) for item in tree.values[leaves, output]], "double")
                terms[output].append(call("list_extract", listed, column(name)))
    steps = tuple(step for step in (inputs, named, places) if step)
    return steps, [balanced(items, exp.Add) for items in terms]


def tree_case(
    tree: Tree,
    node: int,
    values: dict[int, exp.Expr],
    answers: dict[int, exp.Expr],
    sides: Sides | None = None,
) -> exp.Expr:
    """Return the CASE of a tree from a node on.

    What lies in the ELSE goes on as further WHENs of the same CASE: an engine that works on columns
    then copies an answer once for each CASE around it, not once a level. With `sides` each split
    can be asked either way, and the smaller side becomes the nested one.

    Parameters
    ----------
    tree : Tree
        The tree.
    node : int
        Where to begin; 0 is the root.
    values : dict of int to sqlglot expression
        The encoded columns, NULL when missing.
    answers : dict of int to sqlglot expression
        What each leaf says.
    sides : pair of dict of int to sqlglot expression, optional
        The encoded columns with a missing value as the least number, and as the greatest.
    """
    counts = _leaf_counts(tree) if sides else {}

    def case(node: int) -> exp.Expr:
        cases: list[tuple[exp.Expr, exp.Expr]] = []
        while (feature := int(tree.feature[node])) >= 0:
            left, right = int(tree.left[node]), int(tree.right[node])
            missing_left = bool(tree.missing_left[node])
            if np.isposinf(tree.threshold[node]):
                # The split parts missing values from all others, or nothing at all.
                if missing_left:
                    node = left
                    continue
                condition: exp.Expr = exp.Is(this=values[feature].copy(), expression=exp.Null())
                goes_left = False
            else:
                # A comparison with NULL is not true: a missing value takes the ELSE.
                goes_left = counts[left] <= counts[right] if sides else not missing_left
                value = sides[0 if missing_left else 1][feature] if sides else values[feature]
                kind = exp.LTE if goes_left else exp.GT
                threshold = number(float(tree.threshold[node]))
                condition = kind(this=value.copy(), expression=threshold)
            inner, node = (left, right) if goes_left else (right, left)
            cases.append((condition, case(inner)))
        return branch(cases, answers[node]) if cases else answers[node]

    return case(node)


def _leaf_counts(tree: Tree) -> dict[int, int]:
    """Count the leaves below each node."""
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        order.append(node)
        if tree.feature[node] >= 0:
            stack += [int(tree.left[node]), int(tree.right[node])]
    counts: dict[int, int] = {}
    for node in reversed(order):
        inner = tree.feature[node] >= 0
        counts[node] = counts[int(tree.left[node])] + counts[int(tree.right[node])] if inner else 1
    return counts


def balanced(terms: Sequence[exp.Expr], kind: type[exp.Binary]) -> exp.Expr:
    """Join terms as a balanced tree: a long chain would plan slowly and be refused."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    left, right = balanced(terms[:middle], kind), balanced(terms[middle:], kind)
    return exp.Paren(this=kind(this=left, expression=right))
