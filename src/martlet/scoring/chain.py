"""The frame of every stored function: rows in, named steps, rows out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from martlet.estimators.base import Step
from martlet.sqltext import PREFIX, ROWS, identifier, render

__all__ = ["Chain", "fill", "inputs"]


class Chain:
    """Common table expressions that compute named steps over the rows a function is given.

    Every step reads the one before it under the name `martlet.sqltext.ROWS`.

    Parameters
    ----------
    steps : sequence of mapping or str
        Expressions, or their text, by name, one mapping a step; or a query, see
        `martlet.estimators.base.Explanation`.
    source : str
        SQL of the rows.
    parts : mapping of str to str, optional
        SQL of the rows of each companion table that a query among the steps reads.
    """

    def __init__(
        self,
        steps: Sequence[Step | Mapping[str, str]],
        source: str = "select * from query_table(input)",
        parts: Mapping[str, str] | None = None,
    ) -> None:
        found = [f"{PREFIX}0 as ({source})"]
        for place, step in enumerate(steps, start=1):
            if isinstance(step, str):
                names = {"here": f"{PREFIX}{place}", "before": f"{PREFIX}{place - 1}"}
                names |= {f"part:{name}": query for name, query in (parts or {}).items()}
                # Every second piece stood between braces.
                pieces = re.split(r"\{([^{}]*)\}", step)
                pieces[1::2] = [names[piece] for piece in pieces[1::2]]
                found.append("".join(pieces))
                continue
            named = ", ".join(
                f"{value if isinstance(value, str) else render(value)} as {identifier(name)}"
                for name, value in step.items()
            )
            found.append(
                f"{PREFIX}{place} as (select {ROWS}.*, {named} from {PREFIX}{place - 1} as {ROWS})"
            )
        #: ``with ...``: goes before a select.
        self.scored = "with " + ", ".join(found)
        #: What the select reads from.
        self.last = f"{PREFIX}{len(steps)} as {ROWS}"


def inputs(*made: str) -> str:
    """Select the columns a function was given, without those it makes itself.

    Parameters
    ----------
    *made : str
        Names the function returns besides; a given column of such a name is replaced.
    """
    names = ", ".join("'" + name.lower().replace("'", "''") + "'" for name in made)
    hidden = f" and lower({PREFIX}c) not in ({names})" if made else ""
    return f"columns(lambda {PREFIX}c: not starts_with({PREFIX}c, '{PREFIX}'){hidden})"


def fill(template: str, chain: Chain, parts: Mapping[str, str]) -> str:
    """Put chain, inputs and companion tables into a function's text.

    Parameters
    ----------
    template : str
        With ``{scored}``, ``{last}``, ``{inputs:a,b}``, ``{part:name}`` and ``{predict}``.
        ``{inputs}`` means every column in scope that does not begin with
        `martlet.sqltext.PREFIX`: after a join, name what is joined so.
    chain : Chain
        The model's steps.
    parts : mapping of str to str
        SQL of the rows of each companion table; under ``predict`` the function of that name.
    """

    def replace(match: re.Match[str]) -> str:
        kind, _, content = match[1].partition(":")
        match kind:
            case "scored":
                return chain.scored
            case "last":
                return chain.last
            case "part":
                # What names no table is part of a name or of a category.
                return parts.get(content, match[0])
            case "predict":
                return parts["predict"]
        return inputs(*(content.split(",") if content else ()))

    return re.sub(r"\{((?:scored|last|inputs|part|predict)(?::[^{}]*)?)\}", replace, template)
