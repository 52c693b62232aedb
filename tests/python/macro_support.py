"""Render the low-code macros without dbt: a fraction of its start-up, for tests of their SQL."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import jinja2

from support import PROJECT


class MacroError(Exception):
    """What `exceptions.raise_compiler_error` said."""


def _raise(message: str) -> None:
    raise MacroError(message)


class _Namespace:
    """`martlet.<macro>`, looked up when it is called."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_module(), name)


@functools.cache
def _module() -> Any:
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    environment.globals |= {
        "martlet": _Namespace(),
        "exceptions": SimpleNamespace(raise_compiler_error=_raise),
        "adapter": SimpleNamespace(
            quote=lambda name: f'"{name}"',
            dispatch=lambda name, package: getattr(_module(), f"default__{name}"),
        ),
        "return": lambda value: value,
    }
    files = [
        path.read_text()
        for path in sorted((PROJECT / "macros" / "ml").glob("*.sql"))
        if not path.name.startswith("materialization")
    ]
    # Jinja keeps names with an underscore to themselves; dbt does not.
    text = "\n".join(files).replace("macro _", "macro own_").replace("martlet._", "martlet.own_")
    return environment.from_string(text).module


def render(macro: str, *arguments: Any, **named: Any) -> str:
    """Return the SQL that a macro of macros/ml writes."""
    return str(getattr(_module(), macro)(*arguments, **named))
