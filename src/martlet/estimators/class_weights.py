"""Weights of the classes, for every classifier that takes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from martlet.errors import MartletError
from martlet.estimators.base import Label
from martlet.options import Option, Options, nearest

__all__ = ["CLASS_WEIGHTS", "row_weights"]

CLASS_WEIGHTS = (
    Option("auto_class_weights", False, "boolean"),
    Option("class_weights", None, "weights"),
)


def row_weights(options: Options, label: Label, target: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return the weight of each training row.

    Parameters
    ----------
    options : Options
        With ``auto_class_weights`` (rows / (rows of the class x classes)) or ``class_weights``.
    label : Label
        The classes.
    target : numpy.ndarray
        Place of each row's class.

    Raises
    ------
    MartletError
        If both are given, or a class has no weight, or a weight no class.
    """
    given = options.get("class_weights")
    if given and options["auto_class_weights"]:
        raise MartletError("Give either auto_class_weights or class_weights, not both.")
    if given:
        for name in given:
            if name not in label.classes:
                raise MartletError(
                    f"class_weights: label '{label.name}' has no class '{name}': "
                    f"{nearest(name, label.classes)}"
                )
        missing = [name for name in label.classes if name not in given]
        if missing:
            raise MartletError(
                f"class_weights must weigh every class of '{label.name}': "
                f"'{missing[0]}' is missing."
            )
        table = np.array([given[name] for name in label.classes], dtype=float)
    elif options["auto_class_weights"]:
        counts = np.bincount(target, minlength=len(label.classes))
        table = len(target) / (counts * len(label.classes))
    else:
        return np.ones(len(target))
    return np.asarray(table[target])
