"""One option of a model and the reading of its value."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from martlet.errors import MartletError

__all__ = ["Candidates", "Option", "Range", "check_value", "nearest", "read_search"]

_HPARAM = re.compile(r"^\s*hparam_(range|candidates)\s*\((.*)\)\s*$", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Option:
    """One option of a model type.

    Attributes
    ----------
    name
        Name in lower case.
    default
        Value when it is not given.
    kind
        ``integer``, ``number``, ``boolean``, ``choice``, ``text``, ``columns`` (one name or a
        list), ``weights`` (label and weight pairs), ``numbers`` (a list of whole numbers).
    choices
        Values of a choice, upper case.
    low, high
        Inclusive limits of a number; None is no limit.
    tunable
        Whether hyper-parameter tuning may vary it.
    ignored
        Why the option has no effect here; empty when it has one.
    """

    name: str
    default: Any
    kind: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    tunable: bool = False
    ignored: str = ""


@dataclass(frozen=True)
class Range:
    """An interval that tuning draws from: ``HPARAM_RANGE(low, high)``."""

    low: float
    high: float


@dataclass(frozen=True)
class Candidates:
    """Values that tuning chooses from: ``HPARAM_CANDIDATES([...])``."""

    values: tuple[Any, ...]


def nearest(name: str, valid: Sequence[str]) -> str:
    """Say which valid names are near to a wrong one, for an error message.

    Examples
    --------
    >>> nearest("l1_rag", ["l1_reg", "l2_reg", "seed"])
    "did you mean 'l1_reg'?"
    """
    lowered = {item.lower(): item for item in valid}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.5)
    if close:
        return f"did you mean '{lowered[close[0]]}'?"
    return "it knows: " + ", ".join(sorted(valid)) + "."


def read_search(option: Option, value: Any) -> Range | Candidates | None:
    """Read ``HPARAM_RANGE`` or ``HPARAM_CANDIDATES``, as text or as a mapping; else None."""
    if isinstance(value, str) and (match := _HPARAM.match(value)):
        kind, content = match[1].lower(), match[2].strip()
        try:
            items = json.loads(f"[{content}]" if kind == "range" else content.replace("'", '"'))
        except json.JSONDecodeError as error:
            raise MartletError(f"Option '{option.name}': cannot read {value!r}.") from error
        value = {kind: items}
    if not isinstance(value, Mapping) or option.kind in ("weights", "any"):
        return None
    content = {str(key).lower().removeprefix("hparam_"): item for key, item in value.items()}
    if set(content) == {"range"} and len(content["range"]) == 2:
        low, high = (check_value(option, item) for item in content["range"])
        if low < high:
            return Range(low, high)
    if set(content) == {"candidates"} and content["candidates"]:
        return Candidates(tuple(check_value(option, item) for item in content["candidates"]))
    raise MartletError(
        f"Option '{option.name}': tuning takes HPARAM_RANGE(low, high) or HPARAM_CANDIDATES([...])."
    )


def check_value(option: Option, value: Any) -> Any:
    """Bring a value to the option's kind or raise a clear error."""

    def wrong(expected: str) -> MartletError:
        return MartletError(f"Option '{option.name}' must be {expected}, not {value!r}.")

    match option.kind:
        case "boolean":
            if isinstance(value, bool):
                return value
            if str(value).strip().lower() in ("true", "false"):
                return str(value).strip().lower() == "true"
            raise wrong("true or false")
        case "integer" | "number":
            return _number(option, value)
        case "choice":
            word = str(value).strip().upper()
            if word not in option.choices:
                raise MartletError(
                    f"Option '{option.name}' does not know {value!r}: "
                    f"{nearest(word, option.choices)}"
                )
            return word
        case "columns":
            items = [value] if isinstance(value, str) else value
            if not isinstance(items, list | tuple) or not all(isinstance(i, str) for i in items):
                raise wrong("a name or a list of names")
            return [str(item).strip() for item in items]
        case "numbers":
            if not isinstance(value, list | tuple) or not value:
                raise wrong("a list of whole numbers")
            whole = Option(option.name, None, "integer", low=option.low, high=option.high)
            return [_number(whole, item) for item in value]
        case "weights":
            return _weights(option, value)
        case "text":
            return str(value).strip()
    return value


def _number(option: Option, value: Any) -> int | float:
    limits = [
        f"at least {option.low:g}" if option.low is not None else "",
        f"at most {option.high:g}" if option.high is not None else "",
    ]
    kind = "a whole number" if option.kind == "integer" else "a number"
    expected = " ".join([kind, " and ".join(limit for limit in limits if limit)]).strip()
    wrong = MartletError(f"Option '{option.name}' must be {expected}, not {value!r}.")
    try:
        if isinstance(value, bool):
            raise wrong
        result = float(value)
    except (TypeError, ValueError):
        raise wrong from None
    low_enough = option.high is None or result <= option.high
    high_enough = option.low is None or result >= option.low
    if not (low_enough and high_enough) or (option.kind == "integer" and result != int(result)):
        raise wrong
    return int(result) if option.kind == "integer" else result


def _weights(option: Option, value: Any) -> dict[str, float]:
    """Read class weights: a mapping, pairs, or BigQuery's structs with any two keys."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, list | tuple):
        for item in value:
            parts = list(item.values()) if isinstance(item, Mapping) else item
            if not isinstance(parts, list | tuple) or len(parts) != 2:
                pairs = []
                break
            pairs.append((parts[0], parts[1]))
    if not pairs:
        raise MartletError(f"Option '{option.name}' must be a list of (label, weight) pairs.")
    positive = Option(option.name, None, "number", low=0)
    return {_label_text(label): float(_number(positive, weight)) for label, weight in pairs}


def _label_text(label: Any) -> str:
    """Write a class as DuckDB writes it when it casts it to text."""
    return str(label).lower() if isinstance(label, bool) else str(label)
