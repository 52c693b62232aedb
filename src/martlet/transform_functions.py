"""The manual preprocessing functions of BigQuery ML, compiled to DuckDB SQL.

Each function says which aggregates it learns from the training rows and how a value is computed
with them. Standard deviations are of the sample; quantiles are exact. ``HASH_BUCKETIZE`` uses md5,
so its buckets are not those of BigQuery's fingerprint.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp

from martlet.errors import MartletError
from martlet.sqltext import PREFIX, array, call, cast, integer, lookup, number, render, text

__all__ = ["FUNCTIONS", "Call", "Function"]

Arguments = Mapping[str, Any]
Learned = Mapping[str, Any]


@dataclass(frozen=True)
class Function:
    """One function: its parameters, what it learns and what it becomes."""

    parameters: tuple[str, ...]
    defaults: Mapping[str, Any]
    compile: Callable[[exp.Expr, Arguments, Learned], exp.Expr]
    learn: Callable[[str, Arguments], dict[str, str]] = lambda _value, _arguments: {}


class Call:
    """One call of a function with its arguments.

    Parameters
    ----------
    name : str
        Lower case, for the messages.
    function : Function
        What it does.
    arguments : sequence of sqlglot expression
        The value first; the others must be constants.
    """

    def __init__(self, name: str, function: Function, arguments: Sequence[exp.Expr]) -> None:
        if not arguments:
            raise MartletError(f"transform: ML.{name.upper()} needs a value.")
        self.function = function
        self.value = arguments[0].copy()
        self.arguments = dict(function.defaults)
        for place, argument in enumerate(arguments[1:]):
            key = function.parameters[place] if place < len(function.parameters) else ""
            if isinstance(argument, exp.Kwarg | exp.PropertyEQ):
                key, argument = argument.this.name.lower(), argument.expression
            if key not in function.parameters:
                raise MartletError(
                    f"transform: ML.{name.upper()} has no argument '{key or place + 2}'."
                )
            self.arguments[key] = argument if key == "other" else _constant(argument, name)
        missing = [key for key in function.parameters if key not in self.arguments]
        if missing:
            raise MartletError(f"transform: ML.{name.upper()} needs its argument {missing[0]}.")

    def statistics(self) -> dict[str, str]:
        """Return the aggregates to learn, by name."""
        return self.function.learn(render(self.value), self.arguments)

    def compile(self, learned: Learned) -> exp.Expr:
        """Return the expression that replays the function."""
        return self.function.compile(self.value, self.arguments, learned)


def _constant(node: exp.Expr, name: str) -> Any:
    if isinstance(node, exp.Paren):
        return _constant(node.this, name)
    if isinstance(node, exp.Literal):
        return node.this if node.is_string else float(node.this)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Neg):
        return -_constant(node.this, name)
    if isinstance(node, exp.Array | exp.Tuple):
        return [_constant(item, name) for item in node.expressions]
    raise MartletError(
        f"transform: an argument of ML.{name.upper()} must be a constant, "
        f"not {node.sql(dialect='duckdb')}."
    )


def _sql(template: str, **parts: exp.Expr) -> exp.Expr:
    """Parse DuckDB SQL with ``:name`` places."""
    tree = sqlglot.parse_one(template, dialect="duckdb")

    def fill(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Placeholder):
            return exp.Paren(this=parts[node.name].copy())
        return node

    return tree.transform(fill)


def _double(value: exp.Expr) -> exp.Expr:
    return cast(value.copy(), "double")


def _number(value: Any) -> exp.Expr:
    return exp.Null() if value is None else number(float(value))


def _scaled(value: exp.Expr, centre: Any, scale: Any) -> exp.Expr:
    """Return (value - centre) / scale; 0 when there is nothing to scale by."""
    if not scale:
        return _sql("case when :x is not null then 0e0 end", x=_double(value))
    return _sql("(:x - :c) / :s", x=_double(value), c=_number(centre or 0.0), s=_number(scale))


def _min_max(value: exp.Expr, _: Arguments, learned: Learned) -> exp.Expr:
    low, high = learned["low"], learned["high"]
    spread = (high - low) if low is not None and high is not None else 0
    return _sql(
        "case when :x is not null then least(greatest(:x, 0e0), 1e0) end",
        x=_scaled(value, low, spread),
    )


def _robust_learn(value: str, arguments: Arguments) -> dict[str, str]:
    low, high = (float(part) / 100 for part in arguments["quantile_range"])
    number_ = f"cast({value} as double)"
    return {
        "median": f"median({number_})",
        "low": f"quantile_cont({number_}, {low})",
        "high": f"quantile_cont({number_}, {high})",
    }


def _robust(value: exp.Expr, arguments: Arguments, learned: Learned) -> exp.Expr:
    centre = learned["median"] if arguments["with_median"] else 0.0
    spread = 1.0
    if arguments["with_quantile_range"] and learned["low"] is not None:
        spread = learned["high"] - learned["low"]
    return _scaled(value, centre, spread)


def _imputer_learn(value: str, arguments: Arguments) -> dict[str, str]:
    strategies = {
        "mean": f"avg(cast({value} as double))",
        "median": f"median(cast({value} as double))",
        # Of equally frequent values the least.
        "most_frequent": (
            f"(list_sort(list_transform(map_entries(histogram({value})), "
            f"lambda {PREFIX}e: {{'n': -{PREFIX}e.value::bigint, 'v': {PREFIX}e.key}})))[1].v"
        ),
    }
    strategy = str(arguments["strategy"]).lower()
    if strategy not in strategies:
        raise MartletError(
            f"transform: ML.IMPUTER knows {', '.join(strategies)}, not '{strategy}'."
        )
    return {"fill": strategies[strategy]}


def _imputer(value: exp.Expr, arguments: Arguments, learned: Learned) -> exp.Expr:
    fill = learned["fill"]
    if isinstance(fill, str):
        return _sql("coalesce(:x, :f)", x=value, f=text(fill))
    return _sql("coalesce(:x, :f)", x=_double(value), f=_number(fill))


def _vocabulary_learn(value: str, _: Arguments) -> dict[str, str]:
    return {"counts": f"histogram(cast({value} as varchar))"}


def _members_learn(value: str, _: Arguments) -> dict[str, str]:
    flat = f"flatten(list(list_distinct(cast({value} as varchar[]))))"
    return {"counts": f"list_aggregate({flat}, 'histogram')"}


def _vocabulary(arguments: Arguments, learned: Learned) -> dict[str, int]:
    """Return the place of each category, from 1 in alphabetical order."""
    counts: dict[str, int] = learned["counts"] or {}
    kept = [name for name, count in counts.items() if count >= arguments["frequency_threshold"]]
    kept.sort(key=lambda name: (-counts[name], name))
    return {name: place for place, name in enumerate(sorted(kept[: int(arguments["top_k"])]), 1)}


def _label(value: exp.Expr, arguments: Arguments, learned: Learned) -> exp.Expr:
    places = _vocabulary(arguments, learned)
    codes = {name: integer(place) for name, place in places.items()}
    return cast(lookup(cast(value.copy(), "varchar"), codes, integer(0)), "bigint")


def _pair(place: exp.Expr, amount: exp.Expr) -> exp.Expr:
    return _sql("{'index': :p, 'value': :v}", p=cast(place, "bigint"), v=amount)


def _one_hot(value: exp.Expr, arguments: Arguments, learned: Learned) -> exp.Expr:
    place = _label(value, arguments, learned)
    amount: exp.Expr = number(1.0)
    counts = learned["counts"] or {}
    kept = _vocabulary(arguments, learned)
    if str(arguments["drop"]).lower() == "most_frequent" and kept:
        dropped = kept[min(kept, key=lambda name: (-counts[name], name))]
        amount = _sql("case when :p = :d then 0e0 else 1e0 end", p=place, d=integer(dropped))
    return array([_pair(place, amount)])


def _multi_hot(value: exp.Expr, arguments: Arguments, learned: Learned) -> exp.Expr:
    places = _vocabulary(arguments, learned)
    names = array(text(name) for name in places)
    return _sql(
        f"list_transform(list_sort(list_distinct(list_transform(:x, lambda {PREFIX}e: "
        f"coalesce(list_position(:n, {PREFIX}e), 0)))), "
        f"lambda {PREFIX}p: {{'index': {PREFIX}p::bigint, 'value': 1e0}})",
        x=cast(value.copy(), "varchar[]"),
        n=cast(names, "varchar[]"),
    )


def _words_learn(value: str, arguments: Arguments) -> dict[str, str]:
    return {**_members_learn(value, arguments), "documents": f"count({value})"}


def _bag_of_words(value: exp.Expr, arguments: Arguments, learned: Learned) -> exp.Expr:
    return _words(value, _vocabulary(arguments, learned), "count")


def _tf_idf(value: exp.Expr, arguments: Arguments, learned: Learned) -> exp.Expr:
    names, counts = _vocabulary(arguments, learned), learned["counts"] or {}
    rarity = [math.log(1 + learned["documents"] / (1 + counts[name])) for name in names]
    # What is not in the dictionary is as rare as its words are on average.
    unknown = sum(rarity) / len(rarity) if rarity else math.log(1 + learned["documents"])
    listed = render(array(number(weight) for weight in (unknown, *rarity)))
    return _words(value, names, f"count / len(:x) * {listed}[{PREFIX}p + 1]")


def _words(value: exp.Expr, names: Mapping[str, int], measure: str) -> exp.Expr:
    """Return each word of the dictionary in a document, 0 for all others, with its measure."""
    places = f"list_transform(:x, lambda {PREFIX}e: coalesce(list_position(:n, {PREFIX}e), 0))"
    count = f"len(list_filter({places}, lambda {PREFIX}q: {PREFIX}q = {PREFIX}p))::double"
    return _sql(
        f"list_transform(list_sort(list_distinct({places})), lambda {PREFIX}p: "
        f"{{'index': {PREFIX}p::bigint, 'value': {measure.replace('count', count)}}})",
        x=cast(value.copy(), "varchar[]"),
        n=cast(array(text(name) for name in names), "varchar[]"),
    )


def _buckets(value: exp.Expr, points: Sequence[float], output: str) -> exp.Expr:
    if output not in ("bucket_names", "bucket_ranges"):
        raise MartletError(
            f"transform: output_format '{output}' is not bucket_names or bucket_ranges."
        )
    case = exp.Case()
    edges = ["-inf", *(f"{point:g}" for point in points), "+inf"]
    for place, point in enumerate([*points, None], start=1):
        name = f"bin_{place}"
        if output == "bucket_ranges":
            name = f"[{edges[place - 1]}, {edges[place]})"
        if point is None:
            present = _sql("not :x is null", x=value)
            case = case.when(present, text(name))
        else:
            case = case.when(exp.LT(this=_double(value), expression=number(point)), text(name))
    return case


def _bucketize(value: exp.Expr, arguments: Arguments, _: Learned) -> exp.Expr:
    points = sorted(float(point) for point in arguments["points"])
    if arguments["exclude_boundaries"]:
        points = points[1:-1]
    return _buckets(value, points, str(arguments["output_format"]))


def _quantile_learn(value: str, arguments: Arguments) -> dict[str, str]:
    count = int(arguments["num_buckets"])
    shares = ", ".join(str(place / count) for place in range(1, count))
    return {"points": f"quantile_cont(cast({value} as double), [{shares}])" if shares else "[]"}


def _quantiles(value: exp.Expr, arguments: Arguments, learned: Learned) -> exp.Expr:
    points = sorted({float(point) for point in learned["points"] or []})
    return _buckets(value, points, str(arguments["output_format"]))


def _hash(value: exp.Expr, arguments: Arguments, _: Learned) -> exp.Expr:
    count = int(arguments["num_buckets"])
    if count < 1:
        raise MartletError("transform: ML.HASH_BUCKETIZE needs at least one bucket.")
    hashed = call("md5_number_lower", cast(value.copy(), "varchar"))
    return cast(_sql("mod(:h, :n)", h=hashed, n=integer(count)), "bigint")


def _fields(value: exp.Expr, name: str) -> list[tuple[str, exp.Expr]]:
    """Return the fields of a STRUCT that is written out."""
    if not isinstance(value, exp.Struct):
        raise MartletError(
            f"transform: ML.{name} takes a STRUCT that is written out: STRUCT(a, b)."
        )
    fields = []
    for item in value.expressions:
        if isinstance(item, exp.PropertyEQ | exp.Alias | exp.Slice):
            inner = item.expression if not isinstance(item, exp.Alias) else item.this
            key = item.alias if isinstance(item, exp.Alias) else item.this.name
        else:
            inner, key = item, item.name
        fields.append((key, inner))
    return fields


def _struct(pairs: Sequence[tuple[str, exp.Expr]]) -> exp.Expr:
    return exp.Struct(
        expressions=[
            exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=value)
            for name, value in pairs
        ]
    )


def _cross(value: exp.Expr, arguments: Arguments, _: Learned) -> exp.Expr:
    fields, degree = _fields(value, "FEATURE_CROSS"), int(arguments["degree"])
    if not 2 <= degree <= 4:
        raise MartletError("transform: the degree of ML.FEATURE_CROSS is 2 to 4.")
    pairs = []
    for size in range(2, degree + 1):
        for group in itertools.combinations(fields, size):
            joined: exp.Expr = cast(group[0][1].copy(), "varchar")
            for _name, part in group[1:]:
                joined = _sql("concat_ws('_', :a, :b)", a=joined, b=cast(part.copy(), "varchar"))
                # A missing part makes the crossing missing.
                joined = _sql("case when :p is not null then :j end", p=part, j=joined)
            first = _sql("case when :p is not null then :j end", p=group[0][1], j=joined)
            pairs.append(("_".join(name for name, _part in group), first))
    return _struct(pairs)


def _polynomial(value: exp.Expr, arguments: Arguments, _: Learned) -> exp.Expr:
    fields, degree = _fields(value, "POLYNOMIAL_EXPAND"), int(arguments["degree"])
    if not 1 <= degree <= 4:
        raise MartletError("transform: the degree of ML.POLYNOMIAL_EXPAND is 1 to 4.")
    pairs = []
    for size in range(1, degree + 1):
        for group in itertools.combinations_with_replacement(fields, size):
            product = _double(group[0][1])
            for _name, part in group[1:]:
                product = exp.Mul(this=product, expression=_double(part))
            pairs.append(("_".join(name for name, _part in group), product))
    return _struct(pairs)


def _normalizer(value: exp.Expr, arguments: Arguments, _: Learned) -> exp.Expr:
    return _sql(
        f"list_transform(:x, lambda {PREFIX}e: {PREFIX}e / nullif(:n, 0))",
        x=cast(value.copy(), "double[]"),
        n=_norm(value, arguments, {}),
    )


def _norm(value: exp.Expr, arguments: Arguments, _: Learned) -> exp.Expr:
    numbers = cast(value.copy(), "double[]")
    power = arguments["p"]
    if str(power).lower().lstrip("+") == "inf":
        return _sql(f"list_max(list_transform(:x, lambda {PREFIX}a: abs({PREFIX}a)))", x=numbers)
    return _sql(
        f"pow(list_sum(list_transform(:x, lambda {PREFIX}a: pow(abs({PREFIX}a), :p))), 1e0 / :p)",
        x=numbers,
        p=number(float(power)),
    )


def _distance(value: exp.Expr, arguments: Arguments, _: Learned) -> exp.Expr:
    functions = {
        "EUCLIDEAN": "list_distance(:x, :y)",
        "COSINE": "list_cosine_distance(:x, :y)",
        "MANHATTAN": (
            f"list_sum(list_transform(list_zip(:x, :y), lambda {PREFIX}e: "
            f"abs({PREFIX}e[1] - {PREFIX}e[2])))"
        ),
    }
    kind = str(arguments["type"]).upper()
    if kind not in functions:
        raise MartletError(f"transform: ML.DISTANCE knows {', '.join(functions)}, not '{kind}'.")
    other = arguments["other"]
    return _sql(functions[kind], x=cast(value.copy(), "double[]"), y=cast(other.copy(), "double[]"))


def _ngrams(value: exp.Expr, arguments: Arguments, _: Learned) -> exp.Expr:
    sizes = arguments["range"]
    low, high = (int(sizes[0]), int(sizes[-1])) if isinstance(sizes, list) else (int(sizes),) * 2
    words = cast(value.copy(), "varchar[]")
    parts = [
        _sql(
            f"list_transform(range(1, len(:x) - :n + 2), lambda {PREFIX}i: "
            f"array_to_string(:x[{PREFIX}i:{PREFIX}i + :n - 1], :s))",
            x=words,
            n=integer(size),
            s=text(str(arguments["separator"])),
        )
        for size in range(low, high + 1)
    ]
    return call("flatten", array(parts))


_TOP = {"top_k": 32000, "frequency_threshold": 5}


def _moments(value: str, _: Arguments) -> dict[str, str]:
    number_ = f"cast({value} as double)"
    return {"mean": f"avg({number_})", "deviation": f"stddev_samp({number_})"}


#: Every function by its name without the prefix.
FUNCTIONS: dict[str, Function] = {
    "standard_scaler": Function(
        (), {}, lambda x, _, s: _scaled(x, s["mean"], s["deviation"]), _moments
    ),
    "min_max_scaler": Function(
        (),
        {},
        _min_max,
        lambda x, _: {
            "low": f"min(cast({x} as double))",
            "high": f"max(cast({x} as double))",
        },
    ),
    "max_abs_scaler": Function(
        (),
        {},
        lambda x, _, s: _scaled(x, 0.0, s["top"]),
        lambda x, _: {"top": f"max(abs(cast({x} as double)))"},
    ),
    "robust_scaler": Function(
        ("quantile_range", "with_median", "with_quantile_range"),
        {"quantile_range": [25, 75], "with_median": True, "with_quantile_range": True},
        _robust,
        _robust_learn,
    ),
    "imputer": Function(("strategy",), {}, _imputer, _imputer_learn),
    "label_encoder": Function(("top_k", "frequency_threshold"), _TOP, _label, _vocabulary_learn),
    "one_hot_encoder": Function(
        ("drop", "top_k", "frequency_threshold"),
        {"drop": "none", **_TOP},
        _one_hot,
        _vocabulary_learn,
    ),
    "multi_hot_encoder": Function(
        ("top_k", "frequency_threshold"), _TOP, _multi_hot, _members_learn
    ),
    "bag_of_words": Function(("top_k", "frequency_threshold"), _TOP, _bag_of_words, _words_learn),
    "tf_idf": Function(("top_k", "frequency_threshold"), _TOP, _tf_idf, _words_learn),
    "bucketize": Function(
        ("points", "exclude_boundaries", "output_format"),
        {"exclude_boundaries": False, "output_format": "bucket_names"},
        _bucketize,
    ),
    "quantile_bucketize": Function(
        ("num_buckets", "output_format"),
        {"output_format": "bucket_names"},
        _quantiles,
        _quantile_learn,
    ),
    "hash_bucketize": Function(("num_buckets",), {}, _hash),
    "feature_cross": Function(("degree",), {"degree": 2}, _cross),
    "polynomial_expand": Function(("degree",), {"degree": 2}, _polynomial),
    "normalizer": Function(("p",), {"p": 2}, _normalizer),
    "lp_norm": Function(("p",), {}, _norm),
    "distance": Function(("other", "type"), {"type": "EUCLIDEAN"}, _distance),
    "ngrams": Function(("range", "separator"), {"separator": " "}, _ngrams),
}
