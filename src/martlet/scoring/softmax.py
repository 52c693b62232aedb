"""Scores of classes to probabilities, as SQL."""

from __future__ import annotations

from sqlglot import exp

from martlet.sqltext import PREFIX, array, call, column, integer

__all__ = ["softmax"]


def softmax(scores: list[exp.Expr]) -> tuple[dict[str, exp.Expr], ...]:
    """Return scoring steps that turn one score a class into probabilities.

    Parameters
    ----------
    scores : list of sqlglot expression
        Over the raw columns or earlier steps, one a class.
    """
    listed, top, powers = (column(PREFIX + name) for name in ("scores", "top", "powers"))

    def at(values: exp.Expr, place: int) -> exp.Expr:
        return call("list_extract", values.copy(), integer(place))

    places = range(1, len(scores) + 1)
    differences = (exp.Sub(this=at(listed, place), expression=top.copy()) for place in places)
    whole = column(PREFIX + "whole")
    return (
        {PREFIX + "scores": array(scores)},
        {PREFIX + "top": call("list_max", listed.copy())},
        {PREFIX + "powers": array(call("exp", difference) for difference in differences)},
        {PREFIX + "whole": call("list_sum", powers.copy())},
        {
            PREFIX + "probabilities": array(
                exp.Div(this=at(powers, place), expression=whole.copy()) for place in places
            )
        },
    )
