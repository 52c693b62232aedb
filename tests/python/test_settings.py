"""A wrong setting ends a build before it starts, with one message that says how to mend it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from support import run_dbt

WRONG = [
    (
        {"martlet_conector": "sample"},
        "martlet_conector does not exist. Known settings: ",
    ),
    ({"martlet_connector": "shopify"}, "shopify(.|\n)*ga4, online_retail, sample"),
    ({"martlet_connector": []}, "martlet_connector(.|\n)*ga4, online_retail, sample"),
    (
        {"martlet_session_rule": "ga3"},
        "martlet_session_rule is 'ga3'. Choose one of: ga4, ga360",
    ),
    (
        {"martlet_session_timeout_minutes": "thirty"},
        "martlet_session_timeout_minutes is 'thirty'. It must be a whole number from 1 to 1440",
    ),
    ({"martlet_session_timeout_minutes": 0}, "martlet_session_timeout_minutes is '0'"),
    ({"martlet_as_of_months": -1}, "martlet_as_of_months is '-1'"),
    ({"martlet_as_of_date": "2026-02-30"}, "martlet_as_of_date is '2026-02-30'. It must be a date"),
    ({"martlet_as_of_date": "30.06.2026"}, "martlet_as_of_date is '30.06.2026'. It must be a date"),
    ({"martlet_currency": "euro"}, "martlet_currency is 'euro'. It must be an ISO 4217 code"),
    (
        {"martlet_intervention_experiments": "voucher"},
        "martlet_intervention_experiments is voucher. It must be a list of names",
    ),
    ({"martlet_time_zone": "Berlin"}, "martlet_time_zone is 'Berlin'. It must be an IANA name"),
]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings")


@pytest.mark.parametrize(("settings", "message"), WRONG, ids=lambda value: str(value)[:60])
def test_wrong_setting(target: Path, settings: dict[str, Any], message: str) -> None:
    result = run_dbt(
        "run-operation",
        "check_settings",
        database=target / "martlet.duckdb",
        target=target,
        vars=settings,
        check=False,
    )
    assert not result.success
    assert re.search(message, result.messages), result.messages


def test_defaults_pass_and_a_public_key_is_named(target: Path) -> None:
    result = run_dbt(
        "run-operation", "check_settings", database=target / "martlet.duckdb", target=target
    )
    assert "MARTLET_HASH_KEY" not in result.messages
    result = run_dbt(
        "run-operation",
        "check_settings",
        database=target / "martlet.duckdb",
        target=target,
        vars={"martlet_connector": "ga4"},
    )
    assert "MARTLET_HASH_KEY is not set" in result.messages
