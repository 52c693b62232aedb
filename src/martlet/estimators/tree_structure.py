"""Decision trees as plain arrays, from whichever scikit-learn class grew them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martlet.encoding import Encoding
from martlet.estimators.base import Part

__all__ = [
    "Tree",
    "digest",
    "from_forest",
    "from_histogram",
    "importance_part",
    "nodes_part",
    "widened",
]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Tree:
    """One binary tree; node 0 is the root.

    Attributes
    ----------
    feature
        Encoded column of each split, -1 in a leaf.
    threshold
        A row goes left when its value, a double, is at most this.
    missing_left
        Whether a missing value goes left.
    left, right
        Nodes below, -1 in a leaf.
    values
        What each node adds to each output; counts in leaves.
    gain
        How much the split lowers the loss, 0 in a leaf.
    cover
        Weight of the training rows in each node.
    """

    feature: Whole
    threshold: Array
    missing_left: NDArray[np.bool_]
    left: Whole
    right: Whole
    values: Array
    gain: Array
    cover: Array

    @cached_property
    def leaves(self) -> list[int]:
        """The leaves, from left to right."""
        features, lefts, rights = self.feature.tolist(), self.left.tolist(), self.right.tolist()
        found, stack = [], [0]
        while stack:
            node = stack.pop()
            if features[node] < 0:
                found.append(node)
            else:
                stack += [rights[node], lefts[node]]
        return found


def from_histogram(nodes: Any, output: int, outputs: int) -> Tree:
    """Read a tree of HistGradientBoosting.

    Parameters
    ----------
    nodes : numpy structured array
        The nodes of one predictor.
    output, outputs : int
        Which of how many outputs the tree adds to.
    """
    leaf = nodes["is_leaf"].astype(bool)
    values = np.zeros((len(nodes), outputs))
    values[:, output] = nodes["value"]
    return Tree(
        np.where(leaf, -1, nodes["feature_idx"]).astype(np.int64),
        nodes["num_threshold"].astype(float),
        nodes["missing_go_to_left"].astype(bool),
        np.where(leaf, -1, nodes["left"].astype(np.int64)),
        np.where(leaf, -1, nodes["right"].astype(np.int64)),
        values,
        np.where(leaf, 0.0, nodes["gain"]),
        nodes["count"].astype(float),
    )


def from_forest(tree: Any, columns: slice, share: float) -> Tree:
    """Read a tree of a random forest.

    Parameters
    ----------
    tree : sklearn.tree._tree.Tree
        The fitted tree.
    columns : slice
        Outputs to keep: the one number, the second of two classes, or all classes.
    share
        What part of the forest the tree is.
    """
    cover = tree.weighted_n_node_samples
    impurity = cover * tree.impurity
    split = tree.children_left >= 0
    below = impurity[tree.children_left] + impurity[tree.children_right]
    return Tree(
        np.where(split, tree.feature, -1).astype(np.int64),
        widened(tree.threshold),
        tree.missing_go_to_left.astype(bool),
        tree.children_left.astype(np.int64),
        tree.children_right.astype(np.int64),
        tree.value[:, 0, columns] * share,
        np.where(split, np.maximum(impurity - below, 0.0), 0.0),
        cover.astype(float),
    )


def widened(thresholds: Array) -> Array:
    """Return the largest doubles that are at most the thresholds once rounded to single precision.

    Forests round their input to float32 before they compare. Moving the threshold instead gives
    the same answer for every double, without a cast.

    Examples
    --------
    >>> float(widened(np.array([0.5]))[0]), bool(np.float32(0.50000001) <= 0.5)
    (0.5000000298023224, True)
    """
    wide = np.asarray(thresholds, dtype=float)
    below = wide.astype(np.float32)
    below = np.where(below.astype(float) > wide, np.nextafter(below, np.float32(-np.inf)), below)
    above = np.nextafter(below, np.float32(np.inf))
    middle = (below.astype(float) + above.astype(float)) / 2
    # A tie is rounded to the even one.
    rounds_down = middle.astype(np.float32) == below
    return np.asarray(np.where(rounds_down, middle, np.nextafter(middle, -np.inf)))


def digest(trees: Sequence[Tree]) -> str:
    """Return a fingerprint of everything that decides a prediction."""
    found = hashlib.sha256()
    for tree in trees:
        fields = (tree.feature, tree.threshold, tree.missing_left, tree.left, tree.right)
        for field in (*fields, tree.values):
            found.update(np.ascontiguousarray(field).tobytes())
    return found.hexdigest()


def importance_part(trees: Sequence[Tree], encoding: Encoding) -> Part:
    """Return ML.FEATURE_IMPORTANCE: how often, how usefully and on how many rows inputs split.

    Parameters
    ----------
    trees : sequence of Tree
        The model.
    encoding : Encoding
        The encoded columns; those of one input count together.
    """
    feature = np.concatenate([tree.feature for tree in trees])
    gain = np.concatenate([tree.gain for tree in trees])
    cover = np.concatenate([tree.cover for tree in trees])
    rows = []
    for block, place in encoding.slices():
        own = (feature >= place.start) & (feature < place.stop)
        count = int(own.sum())
        means = (float(gain[own].mean()), float(cover[own].mean())) if count else (0.0, 0.0)
        rows.append((block.name, float(count), *means))
    columns = {
        "feature": "varchar",
        "importance_weight": "double",
        "importance_gain": "double",
        "importance_cover": "double",
    }
    return Part(columns, rows)


def nodes_part(trees: Sequence[Tree], encoding: Encoding) -> Part:
    """Return the trees as rows: one a node."""
    import pyarrow as pa

    names = [name if item is None else f"{name}={item}" for name, item in encoding.names]
    feature = np.concatenate([tree.feature for tree in trees])
    split = feature >= 0

    def column(name: str, kind: Any, keep: Any = None) -> Any:
        values = np.concatenate([getattr(tree, name) for tree in trees])
        return pa.array(values, kind, mask=None if keep is None else ~keep)

    counts = [len(tree.feature) for tree in trees]
    table = pa.table(
        {
            "tree": pa.array(np.repeat(np.arange(len(trees)), counts), pa.int32()),
            "node": pa.array(np.concatenate([np.arange(count) for count in counts]), pa.int32()),
            "feature": pa.array([names[place] if place >= 0 else None for place in feature]),
            "threshold": column("threshold", pa.float64(), split),
            "missing_left": column("missing_left", pa.bool_(), split),
            "left_node": column("left", pa.int32(), split),
            "right_node": column("right", pa.int32(), split),
            "leaf_values": pa.array(
                [
                    None if inner else value.tolist()
                    for inner, value in zip(
                        split, np.concatenate([tree.values for tree in trees]), strict=True
                    )
                ],
                pa.list_(pa.float64()),
            ),
            "gain": column("gain", pa.float64()),
            "cover": column("cover", pa.float64()),
        }
    )
    columns = {
        "tree": "integer",
        "node": "integer",
        "feature": "varchar",
        "threshold": "double",
        "missing_left": "boolean",
        "left_node": "integer",
        "right_node": "integer",
        "leaf_values": "double[]",
        "gain": "double",
        "cover": "double",
    }
    return Part(columns, table)
