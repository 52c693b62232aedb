"""Ensembles of trees as plain DuckDB SQL.

Two ways, both exact:

- *Masks* (QuickScorer). The leaves of all trees are laid out as bits of 62-bit words. For each
  encoded column a small table says, for each place of a value among the thresholds, which leaves
  remain possible; one left join a column fetches these words, and their conjunction keeps one bit
  a tree: the leaf. Cost is one look-up a column and word, whatever the depth.
- *Cases*. One nested CASE a tree. It is the shorter text for very small ensembles, and the one
  that plans in time for very large ones.

References
----------
Lucchese et al. (2015), "QuickScorer: a fast algorithm to rank documents with additive ensembles of
regression trees", SIGIR.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlglot import exp

from martlet.estimators.tree_structure import Tree
from martlet.scoring.chain import Step
from martlet.scoring.tree_bins import Bins, branch, constants
from martlet.scoring.tree_walk import walk_trees
from martlet.sqltext import PREFIX, call, cast, column, integer, number

__all__ = ["balanced", "compile_trees", "tree_case"]

#: Leaves a word: bits 1 to 62, so that a word is a positive BIGINT and no place is 0.
WORD = 62
#: Up to so many leaves nested CASEs plan at once.
_SMALL = 300
#: Up to so many they are worth planning, when many rows are to be expected.
_LARGE = 4000
#: A model that learned from fewer rows is taken to be applied to few.
_FEW_ROWS = 5000

Steps = tuple[Step, ...]


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
        ``cases``, ``walk`` or ``masks``; by default what suits the size.

    Returns
    -------
    steps : tuple of Step
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
    if way == "walk":
        walked, scores = walk_trees(trees, values, baselines)
        return (Step(inputs), *walked), scores
    masks = _Masks(trees)
    starts: dict[str, exp.Expr] = dict(inputs)
    places: dict[str, exp.Expr] = {}
    joins: list[exp.Join] = []
    later: dict[str, exp.Expr] = {}
    for feature, thresholds in masks.thresholds.items():
        name = f"{PREFIX}start_{feature}"
        bins = Bins(thresholds, values[feature])
        before, place = bins.steps(name)
        later |= before
        places[f"{PREFIX}place_{feature}"] = place
        joins.append(masks.join(feature, bins))
    made = (Step(starts), Step(later), Step(places), Step(masks.words(), joins))
    return tuple(step for step in made if step), masks.scores(baselines)


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


def _cases(
    trees: Sequence[Tree],
    inputs: dict[str, exp.Expr],
    values: dict[int, exp.Expr],
    baselines: Sequence[float],
) -> tuple[Steps, list[exp.Expr]]:
    """Return one nested CASE a tree: the value, or the leaf when it adds to several outputs."""
    terms: list[list[exp.Expr]] = [[number(baseline)] for baseline in baselines]
    places: dict[str, exp.Expr] = {}
    for count, tree in enumerate(trees):
        leaves = tree.leaves
        outputs = np.flatnonzero(np.any(tree.values[leaves] != 0, axis=0))
        if len(outputs) == 1:
            own = {leaf: number(float(tree.values[leaf, outputs[0]])) for leaf in leaves}
            terms[outputs[0]].append(tree_case(tree, 0, values, own))
        elif len(outputs):
            name = f"{PREFIX}leaf_{count}"
            own = {leaf: integer(place) for place, leaf in enumerate(leaves, start=1)}
            places[name] = tree_case(tree, 0, values, own)
            for output in outputs:
                listed = constants([float(item) for item in tree.values[leaves, output]], "double")
                terms[output].append(call("list_extract", listed, column(name)))
    steps = tuple(step for step in (Step(inputs), Step(places)) if step)
    return steps, [balanced(items, exp.Add) for items in terms]


def tree_case(
    tree: Tree, node: int, values: dict[int, exp.Expr], answers: dict[int, exp.Expr]
) -> exp.Expr:
    """Return the nested CASE of a tree from a node on.

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
    """
    if tree.feature[node] < 0:
        return answers[node]
    value = values[int(tree.feature[node])].copy()
    left = tree_case(tree, int(tree.left[node]), values, answers)
    right = tree_case(tree, int(tree.right[node]), values, answers)
    if np.isposinf(tree.threshold[node]):
        # The split parts missing values from all others.
        missing = exp.Is(this=value, expression=exp.Null())
        return left if tree.missing_left[node] else branch([(missing, right)], left)
    threshold = number(float(tree.threshold[node]))
    # A comparison with NULL is not true: a missing value takes the ELSE.
    if tree.missing_left[node]:
        return branch([(exp.GT(this=value, expression=threshold), right)], left)
    return branch([(exp.LTE(this=value, expression=threshold), left)], right)


def balanced(terms: Sequence[exp.Expr], kind: type[exp.Binary]) -> exp.Expr:
    """Join terms as a balanced tree: a long chain would plan slowly and be refused."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    left, right = balanced(terms[:middle], kind), balanced(terms[middle:], kind)
    return exp.Paren(this=kind(this=left, expression=right))


class _Masks:
    """The leaves of all trees as bits."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        #: Tree, word and the range of its bits.
        self.segments: list[tuple[int, int, int, int]] = []
        #: Threshold, whether missing goes left, leaves on the left, on the right: by column, word.
        self.splits: dict[int, dict[int, list[tuple[float, bool, int, int]]]] = {}
        self.values: list[np.ndarray] = []
        for place, tree in enumerate(trees):
            self._add(place, tree)
        self.thresholds = {
            feature: np.unique([split[0] for splits in words.values() for split in splits])
            for feature, words in sorted(self.splits.items())
        }

    @property
    def lookups(self) -> int:
        """How many words are fetched a row."""
        return sum(len(words) for words in self.splits.values())

    def _add(self, place: int, tree: Tree) -> None:
        first = len(self.values)
        spans: dict[int, tuple[int, int]] = {}
        for offset, leaf in enumerate(tree.leaves):
            spans[leaf] = (first + offset, first + offset + 1)
            self.values.append(tree.values[leaf])
        last = len(self.values)
        order, stack = [], [0]
        while stack:
            node = stack.pop()
            if tree.feature[node] >= 0:
                order.append(node)
                stack += [int(tree.left[node]), int(tree.right[node])]
        for node in reversed(order):
            left, right = int(tree.left[node]), int(tree.right[node])
            spans[node] = (spans[left][0], spans[right][1])
        for word in range(first // WORD, (last - 1) // WORD + 1):
            low, high = max(first, word * WORD), min(last, (word + 1) * WORD)
            self.segments.append((place, word, low - word * WORD, high - word * WORD))
        for node in order:
            halves = spans[int(tree.left[node])], spans[int(tree.right[node])]
            words = self.splits.setdefault(int(tree.feature[node]), {})
            for word in range(spans[node][0] // WORD, (spans[node][1] - 1) // WORD + 1):
                left_bits, right_bits = (_bits(*half, word) for half in halves)
                split = (float(tree.threshold[node]), bool(tree.missing_left[node]))
                words.setdefault(word, []).append((*split, left_bits, right_bits))

    def join(self, feature: int, bins: Bins) -> exp.Join:
        """Return the join with the table of one column."""
        place = exp.column("place")
        table = f"{PREFIX}masks_{feature}"
        names: list[exp.Expr] = [place.copy()]
        for word, splits in self.splits[feature].items():
            own = sorted({split[0] for split in splits})
            missing = exp.EQ(this=place.copy(), expression=integer(0))
            cases: list[tuple[exp.Expr, exp.Expr]] = [(missing, _word(_remaining(splits, None)))]
            ends = np.searchsorted(bins.thresholds, own) + 1
            for end, threshold in zip(ends, own, strict=True):
                within = exp.LTE(this=place.copy(), expression=integer(int(end)))
                cases.append((within, _word(_remaining(splits, threshold))))
            case = branch(cases, _word(_remaining(splits, float("nan"))))
            names.append(exp.alias_(cast(case, "bigint"), f"word_{word}", copy=False))
        places = exp.select(cast(exp.column("range"), "smallint").as_("place")).from_(
            call("range", integer(bins.count))
        )
        query = exp.select(*names, copy=False).from_(places.subquery("places"), copy=False)
        condition = exp.EQ(
            this=column(f"{PREFIX}place_{feature}"), expression=exp.column("place", table=table)
        )
        # Every place is in the table once. A left join, unlike an inner one, keeps its place in
        # the plan and the order of the rows.
        return exp.Join(this=query.subquery(table, copy=False), side="LEFT", on=condition)

    def words(self) -> dict[str, exp.Expr]:
        """Return the words with one bit left a tree."""
        fetched: dict[int, list[exp.Expr]] = {}
        for feature, words in self.splits.items():
            for word in words:
                source = exp.column(f"word_{word}", table=f"{PREFIX}masks_{feature}")
                fetched.setdefault(word, []).append(source)
        return {
            f"{PREFIX}word_{word}": balanced(items, exp.BitwiseAnd)
            for word, items in sorted(fetched.items())
        }

    def scores(self, baselines: Sequence[float]) -> list[exp.Expr]:
        """Return the sums of the values of the leaves that are left."""
        split_words = {word for words in self.splits.values() for word in words}
        terms: list[list[exp.Expr]] = [[number(baseline)] for baseline in baselines]
        for _, word, low, high in self.segments:
            own = np.stack(self.values[word * WORD + low : word * WORD + high])
            if word not in split_words:
                # Trees of one leaf: nothing is asked.
                for output, value in enumerate(own.sum(axis=0)):
                    terms[output].append(number(float(value)))
                continue
            left: exp.Expr = column(f"{PREFIX}word_{word}")
            if high - low < WORD:
                mask = _word(((1 << (high - low)) - 1) << (low + 1))
                left = exp.Paren(this=exp.BitwiseAnd(this=left, expression=mask))
            place = call("bit_count", exp.Sub(this=left, expression=cast(integer(1), "bigint")))
            for output in range(own.shape[1]):
                if not own[:, output].any():
                    continue
                # Without a bit left the count is 64: the leaf is in the tree's next word.
                padded = [0.0] * 64
                padded[low:high] = [float(value) for value in own[:, output]]
                found = call("list_extract", constants(padded, "double"), place.copy())
                terms[output].append(found)
        return [balanced(items, exp.Add) for items in terms]


def _bits(start: int, stop: int, word: int) -> int:
    low, high = max(start, word * WORD), min(stop, (word + 1) * WORD)
    return ((1 << (high - low)) - 1) << (low - word * WORD + 1) if high > low else 0


def _remaining(splits: Sequence[tuple[float, bool, int, int]], threshold: float | None) -> int:
    """Return the leaves possible for values up to a threshold; None is missing, NaN beyond all."""
    remaining = (1 << (WORD + 1)) - 2
    for split, missing_left, left, right in splits:
        goes_left = missing_left if threshold is None else threshold <= split
        remaining &= ~right if goes_left else ~left
    return remaining


def _word(bits: int) -> exp.Expr:
    return exp.Literal.number(bits)
