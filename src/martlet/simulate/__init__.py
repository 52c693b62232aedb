"""A seeded sample shop of any size, with planted truths.

``simulate_shop`` writes the raw tables the ``sample`` connector reads, as messy as a real export.
What was planted in them (who is still a customer, what a price does, which order is fraud) can be
written beside them. docs/sample-shop.md tells all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from martlet.simulate.config import RAW_COLUMNS, Parameters, ShopConfig
    from martlet.simulate.shop import Summary, simulate_shop

__all__ = ["RAW_COLUMNS", "Parameters", "ShopConfig", "Summary", "simulate_shop"]


def __getattr__(name: str) -> Any:
    """Import a part when it is first asked for: the command line starts without NumPy."""
    if name in ("Summary", "simulate_shop"):
        from martlet.simulate import shop

        return getattr(shop, name)
    if name in __all__:
        from martlet.simulate import config

        return getattr(config, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
