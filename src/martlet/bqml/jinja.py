"""Values of BigQuery's SQL as values of Jinja."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

__all__ = ["NotConstantError", "constant", "jinja"]


class NotConstantError(Exception):
    """The expression has no value before the query runs."""


def constant(node: exp.Expr) -> Any:
    """Return the value of a constant expression.

    Parameters
    ----------
    node : exp.Expr
        Literals, arrays, structs, tuples, HPARAM_RANGE, HPARAM_CANDIDATES, GENERATE_ARRAY.

    Returns
    -------
    object
        A string, number (``int`` or ``Decimal``), boolean, None, list or dictionary.
        A tuning range is ``{'hparam_range': [low, high]}``, and candidates are alike.

    Raises
    ------
    NotConstantError
        When it depends on anything but itself.
    """
    if isinstance(node, exp.Literal):
        return node.name if node.is_string else _number(node.name)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, (exp.Paren, exp.Cast, exp.Date, exp.Timestamp)):
        return constant(node.this)
    if isinstance(node, exp.Neg):
        value = constant(node.this)
        if isinstance(value, (int, Decimal)):
            return -value
    if isinstance(node, (exp.Array, exp.Tuple)):
        return [constant(part) for part in node.expressions]
    if isinstance(node, exp.Struct):
        return [constant(_value(part)) for part in node.expressions]
    if isinstance(node, exp.Anonymous):
        name = node.name.lower()
        if name in {"hparam_range", "hparam_candidates"}:
            values = [constant(part) for part in node.expressions]
            return {name: values[0] if name == "hparam_candidates" and values else values}
    if isinstance(node, exp.GenerateSeries):
        return _series(node)
    if isinstance(node, exp.Binary):
        simpler = simplify(node.copy(), dialect="bigquery")
        if not isinstance(simpler, exp.Binary):
            return constant(simpler)
    raise NotConstantError(node.sql("bigquery"))


def _value(part: exp.Expr) -> exp.Expr:
    if isinstance(part, exp.PropertyEQ):
        value: exp.Expr = part.expression
        return value
    return part.unalias()


def _number(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:
        try:
            return Decimal(text)
        except InvalidOperation as error:
            raise NotConstantError(text) from error


def _series(node: exp.GenerateSeries) -> list[int | Decimal]:
    low, high = constant(node.args["start"]), constant(node.args["end"])
    step = node.args.get("step")
    by = constant(step) if step is not None else 1
    if not all(isinstance(part, (int, Decimal)) for part in (low, high, by)) or by <= 0:
        raise NotConstantError(node.sql("bigquery"))
    values: list[int | Decimal] = []
    while low <= high and len(values) < 100_000:
        values.append(low)
        low += by
    return values


def jinja(value: Any, indent: int | None = None) -> str:
    """Write a value as Jinja reads it; dictionaries over several lines when `indent` is given.

    Parameters
    ----------
    value : object
        What :func:`constant` returns, or a dictionary of such.
    indent : int, optional
        Blanks before the closing bracket.
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, dict):
        inner = [f"{jinja(key)}: {jinja(part, _deeper(indent))}" for key, part in value.items()]
        return _bracketed(inner, "{}", None if len(value) == 1 else indent)
    if isinstance(value, list):
        inner = [jinja(part) for part in value]
        long = indent is not None and sum(len(part) + 2 for part in inner) > 60
        return _bracketed(inner, "[]", indent if long else None)
    return _text(str(value))


def _text(value: str) -> str:
    """Write a text.

    dbt reads a plain ``config(...)`` without Jinja, and then keeps the backslash of an escape. So
    quotes are chosen that need no escape; what needs one is joined to something, which dbt leaves
    to Jinja.
    """
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    if "'" not in value:
        written = f"'{escaped}'"
    elif '"' not in value:
        written = f'"{escaped}"'
    else:
        escaped = escaped.replace("'", "\\'")
        written = f"'{escaped}'"
    return written if escaped == value else f"{written} ~ ''"


def _decimal(value: Decimal) -> str:
    text = f"{value:f}"
    if len(text) > 20:
        # Jinja reads 1e-05 only with a digit after the point.
        mantissa, _, exponent = repr(float(value)).partition("e")
        text = mantissa if "." in mantissa else f"{mantissa}.0"
        text += f"e{exponent}" if exponent else ""
    return text if "." in text or "e" in text else f"{text}.0"


def _deeper(indent: int | None) -> int | None:
    return None if indent is None else indent + 4


def _bracketed(inner: list[str], brackets: str, indent: int | None) -> str:
    if indent is None or not inner:
        return f"{brackets[0]}{', '.join(inner)}{brackets[1]}"
    lines = "".join(f"{' ' * (indent + 4)}{part},\n" for part in inner)
    return f"{brackets[0]}\n{lines}{' ' * indent}{brackets[1]}"
