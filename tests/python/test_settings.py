"""A wrong setting ends a build before it starts, with one message that says how to mend it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from support import ASKED_WHEN_RUN, parse_manifest, run_dbt

WRONG = [
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


def test_reading_the_project_stops_at_no_wrong_setting_but_two(target: Path) -> None:
    wrong: dict[str, Any] = {"martlet_conector": "sample"}
    wrong |= {name: value for settings, _ in WRONG for name, value in settings.items()}
    del wrong["martlet_connector"]
    where: dict[str, Any] = {"database": target / "martlet.duckdb", "target": target / "wrong"}
    result = run_dbt("parse", **where, vars=wrong, check=False)
    assert "Setting martlet_session_rule is 'ga3'" in result.messages
    for name in ("martlet_session_rule", "martlet_session_timeout_minutes"):
        del wrong[name]
    assert len(wrong) >= 5
    check = ("run-operation", "check_settings")
    result = run_dbt(*check, **where, vars=wrong, parse_anew=True, check=False)
    assert "Setting martlet_conector does not exist. Known settings: " in result.messages


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


def test_settings_asked_when_run_make_no_other_project(target: Path) -> None:
    other: dict[str, Any] = {
        "martlet_session_timeout_minutes": 45, "martlet_time_zone": "Asia/Kathmandu",
        "martlet_as_of_date": "2026-05-01", "martlet_as_of_months": 3, "martlet_currency": "GBP",
        "martlet_intervention_experiments": ["voucher"],
    }  # fmt: skip
    assert set(other) == ASKED_WHEN_RUN
    other["martlet_session_rule"] = "custom"  # the others have a timeout of their own
    raw = {"martlet_raw_path": "elsewhere"}
    where = {"database": target / "other" / "martlet.duckdb", "target": target / "other"}
    (found,) = run_dbt("parse", **where, vars=raw | other).results
    first, second = parse_manifest("sample", **raw).to_dict(), found.to_dict()
    for kind in ("nodes", "disabled", "macros", "unit_tests", "exposures"):
        assert first[kind]
        assert timeless(first[kind]) == timeless(second[kind]), kind


def timeless(value: Any) -> Any:
    """Leave out when something was parsed."""
    if isinstance(value, dict):
        return {key: timeless(one) for key, one in value.items() if key != "created_at"}
    return [timeless(one) for one in value] if isinstance(value, list) else value
