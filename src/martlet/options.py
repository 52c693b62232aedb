"""Options of a model: BigQuery ML's names, values and defaults, checked.

Names and text values are case-insensitive. An unknown name or value is an error that names the
nearest valid one; an option that means nothing on DuckDB is recorded and ignored with a notice.

The options and their defaults follow the reference pages of BigQuery ML's CREATE MODEL statement.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from martlet.errors import MartletError
from martlet.option_values import (
    Candidates,
    Option,
    Range,
    check_value,
    nearest,
    read_search,
)

__all__ = [
    "COMMON",
    "SPLITTING",
    "SUPERVISED",
    "TUNING",
    "Candidates",
    "Option",
    "Options",
    "Range",
    "nearest",
    "parse_options",
]


@dataclass(frozen=True)
class Options(Mapping[str, Any]):
    """The options of one model: every option of its type with the value that holds.

    Attributes
    ----------
    model_type
        The type, lower case.
    settings
        Value by option name, defaults included.
    given
        Names that the user wrote.
    notices
        Sentences for the log: options that were ignored and why.
    search
        What tuning varies, by option name.
    """

    model_type: str
    settings: Mapping[str, Any]
    given: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()
    search: Mapping[str, Range | Candidates] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.settings)

    def __len__(self) -> int:
        return len(self.settings)

    def replaced(self, **changes: Any) -> Options:
        """Return the same options with some values changed and nothing to tune."""
        return Options(self.model_type, {**self.settings, **changes}, self.given, self.notices)

    def fitting(self) -> str:
        """Write what a fit depends on: all options but those of when to fit."""
        settings = {name: value for name, value in self.settings.items() if name not in _WHEN}
        return Options(self.model_type, settings, search=self.search).as_json()

    def as_json(self) -> str:
        """Write the options as one JSON object, keys sorted, with what tuning varied."""
        search = {
            name: list(item.values) if isinstance(item, Candidates) else [item.low, item.high]
            for name, item in self.search.items()
        }
        values = dict(self.settings, model_type=self.model_type)
        if search:
            values["hparam_search"] = search
        return json.dumps(values, sort_keys=True)


#: They say when to fit, not what comes of it.
_WHEN = ("retrain_after_days",)
_CLOUD = "there is no model registry outside Google Cloud"

#: Options of every type.
COMMON = (
    Option("seed", 0, "integer", low=0, high=2**31 - 1),
    Option("entity_cols", (), "columns"),
    Option("as_of_col", None, "text"),
    Option("transform", None, "any"),
    Option("champion_metric", None, "text"),
    Option("champion_tolerance", 0.0, "number", low=0),
    Option("retrain_after_days", 0.0, "number", low=0),
    Option("model_registry", None, "text", ignored=_CLOUD),
    Option("vertex_ai_model_id", None, "text", ignored=_CLOUD),
    Option("vertex_ai_model_version_aliases", None, "any", ignored=_CLOUD),
    Option("kms_key_name", None, "text", ignored="the database file is not encrypted by a key"),
    Option("warm_start", False, "boolean", ignored="every fit starts afresh, so that it repeats"),
)

#: Options of types that keep rows for evaluation.
SPLITTING = (
    Option(
        "data_split_method",
        "AUTO_SPLIT",
        "choice",
        ("AUTO_SPLIT", "RANDOM", "CUSTOM", "SEQ", "NO_SPLIT"),
    ),
    Option("data_split_eval_fraction", 0.2, "number", low=0, high=1),
    Option("data_split_test_fraction", 0.0, "number", low=0, high=1),
    Option("data_split_col", None, "text"),
)

#: Options of types that learn from a label.
SUPERVISED = (
    Option("input_label_cols", (), "columns"),
    *SPLITTING,
    Option("enable_global_explain", False, "boolean"),
)

#: Options of types whose settings can be searched.
TUNING = (
    Option("num_trials", None, "integer", low=1, high=100),
    Option(
        "max_parallel_trials", 1, "integer", low=1, high=5, ignored="trials run one after another"
    ),
    Option(
        "hparam_tuning_algorithm",
        "VIZIER_DEFAULT",
        "choice",
        ("VIZIER_DEFAULT", "RANDOM_SEARCH", "GRID_SEARCH"),
    ),
    Option("hparam_tuning_objectives", (), "columns"),
)

_ALIASES = {"labels": "input_label_cols", "label": "input_label_cols"}


def parse_options(
    model_type: str, ml_config: Mapping[str, Any], options: Sequence[Option]
) -> Options:
    """Check the options of a model and fill in the defaults.

    Parameters
    ----------
    model_type : str
        The type, for the messages.
    ml_config : mapping
        What the user wrote, without or with ``model_type``.
    options : sequence of Option
        The options that the type takes.

    Returns
    -------
    Options
        Every option with its value.

    Raises
    ------
    MartletError
        If a name or a value is not valid.
    """
    known = {option.name: option for option in options}
    values: dict[str, Any] = {option.name: option.default for option in options}
    given: set[str] = set()
    notices: list[str] = []
    search: dict[str, Range | Candidates] = {}
    for key, value in ml_config.items():
        name = str(key).strip().lower()
        if name == "model_type":
            continue
        name = _ALIASES.get(name, name)
        if name not in known:
            raise MartletError(
                f"{model_type} has no option '{key}': {nearest(name, list(known))} "
                "Change ml_config in the model's config."
            )
        if name in given:
            raise MartletError(f"Option '{name}' is given twice in ml_config: keep one.")
        option = known[name]
        given.add(name)
        found = read_search(option, value)
        if found is not None:
            if not option.tunable:
                raise MartletError(f"Option '{name}' of {model_type} cannot be tuned.")
            search[name] = found
            continue
        values[name] = None if value is None else check_value(option, value)
        if option.ignored:
            notices.append(f"option {name} is recorded and ignored: {option.ignored}")
    if search and not values.get("num_trials"):
        raise MartletError(
            f"Option '{next(iter(search))}' is given as a range or candidates: "
            "set num_trials to tune, or give one value."
        )
    return Options(model_type, values, frozenset(given), tuple(notices), search)
