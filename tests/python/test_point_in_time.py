"""Rows of the past stay as they are when the shop goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from point_in_time import Twice, build_twice

#: The first of May in Berlin.
AS_OF_DATE, UNTIL = "2026-05-01", "2026-04-30 22:00:00"
MODELS = (
    "int_as_of_dates__spine", "path:models/intermediate/sessions",
    "path:models/intermediate/orders", "path:models/intermediate/carts",
    "path:models/intermediate/traffic", "path:models/features/ip_addresses",
    "int_marketing_paths__assembled", "ftr_orders__risk", "ftr_sessions__intent", "fct_sessions",
    "fct_orders", "fct_carts",
)  # fmt: skip


@pytest.fixture(scope="module")
def twice(sample_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Twice:
    """The sample shop of May and of the end of its data, both as of the first of May."""
    folder = tmp_path_factory.mktemp("point_in_time")
    shop = Path(shutil.copy(sample_shop, folder))
    return build_twice(shop, folder, MODELS, AS_OF_DATE, UNTIL)


LOADED = ("ingest_number", "predicted_at")


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ("features.ftr_orders__risk", f"as_of_date < '{AS_OF_DATE}'"),
        ("features.ftr_sessions__intent", f"moment_at < '{UNTIL}'"),
        *(
            (f"features.ftr_ip_addresses__{name}", f"as_of_date <= '{AS_OF_DATE}'")
            for name in ("activity", "orders", "neighbourhood", "signs")
        ),
        ("intermediate.int_cart_items__netted", "true"),
        ("intermediate.int_carts__measured", "true"),
        ("marts.fct_carts", "true"),
        ("intermediate.int_marketing_paths__assembled", "true"),
    ],
)
def test_what_came_later_changes_no_row_of_the_past(twice: Twice, table: str, where: str) -> None:
    assert twice.differences(table, where, LOADED) == ""
