"""Traffic that no shop wants builds whole, and nothing is concluded that it does not say."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fault_support import read_raw, write_raw
from martlet.simulate import ShopConfig, simulate_shop
from privacy import known_addresses, personal_columns
from support import query, run_dbt
from test_lookers import ODD

Raw = dict[str, list[dict[str, Any]]]

#: Sessions, carts, intent, lookers, order risk and the quality of the data, with all their tests.
MODELS = (
    "+path:models/marts/traffic", "+path:models/marts/operations", "+path:models/exports",
    "+fct_attribution",
)  # fmt: skip
PROGRAMS = ("curl/8.0", "python-requests/2.31", "Mozilla/5.0 (compatible; Googlebot/2.1)")
TRAFFIC = ("events", "page_requests")


@cache
def sound_shop(folder: Path) -> None:
    """Simulate a small shop once."""
    config = ShopConfig(customers=400, start=dt.date(2025, 6, 1), end=dt.date(2026, 5, 31), seed=3)
    simulate_shop(config, folder)


def nothing(raw: Raw) -> None:
    for table in TRAFFIC:
        raw[table] = []


def no_visitors(raw: Raw) -> None:
    for table in (*TRAFFIC, "orders"):
        for row in raw[table]:
            row["cookie_id"] = None


def programs_only(raw: Raw) -> None:
    for table in TRAFFIC:
        for place, row in enumerate(raw[table]):
            row["user_agent"] = PROGRAMS[place % len(PROGRAMS)]


def one_address(raw: Raw) -> None:
    for table in (*TRAFFIC, "orders"):
        for row in raw[table]:
            row["ip"] = "198.51.100.7"


def runaway(raw: Raw) -> None:
    """One visitor's 200,000 events, never half an hour apart."""
    at = dt.datetime(2026, 3, 1)
    for number in range(200_000):
        at += dt.timedelta(seconds=5 + number % 30)
        when = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        raw["events"].append(
            {"event_id": f"run {number}", "cookie_id": "runaway", "event_time": when,
             "received_time": when, "event": ("page_view", "view_item", "add_to_cart")[number % 3],
             "ip": "203.0.113.9", "load_id": when[:10]}
        )  # fmt: skip


def strange(raw: Raw) -> None:
    """Addresses, user agents, clocks, names, links and amounts of every kind."""
    dice, spellings = random.Random(5), [*ODD, "fe80::1%25en0", "1.2.3.4/8", "'; drop table x", "%"]
    agents = [None, "", "Mozilla " * 1000, "\u202e';--", "x" * 8192]
    names = ["my_event", "PageView", "", "Add To Cart", "x" * 5000, " purchase "]
    links = [None, "", "/%00", "/" + "a" * 9000, "javascript:alert(1)", "/bye/anna.b@mail.example"]
    for table in TRAFFIC:
        for row in raw[table]:
            row["ip"] = dice.choice(spellings) if dice.random() < 0.5 else row["ip"]
            row["user_agent"] = dice.choice(agents) if dice.random() < 0.5 else row["user_agent"]
            if table == "page_requests":
                row["path"] = dice.choice(links) if dice.random() < 0.5 else row["path"]
    for row in raw["events"]:
        row["event"] = dice.choice(names) if dice.random() < 0.1 else row["event"]
        row["url"] = dice.choice(links) if dice.random() < 0.5 else row["url"]
        row["value"] = None if dice.random() < 0.5 else row["value"]
        if dice.random() < 0.05:
            row["utm_source"], row["utm_campaign"] = "mail", "to bob%40mail.example"
        kind, at = dice.randrange(50), dt.datetime(2026, 5, 1) + dt.timedelta(dice.random() * 30)
        if kind == 0:
            row["event_time"] = f"{at:%Y-%m-%dT%H:%M:%S}+14:00"
        elif kind == 1:
            row["event_time"], row["received_time"] = f"{at:%Y-%m-%d %H:%M:%S}", None
        elif kind == 2:
            row["event_time"] = "2088-01-01T00:00:00Z"
        elif kind == 3:
            row["received_time"] = f"{at + dt.timedelta(90):%Y-%m-%dT%H:%M:%SZ}"


SESSIONS = "select count(*) from marts.fct_sessions"
Expected = Callable[[Path], bool]


def one(database: Path, sql: str) -> Any:
    return query(database, sql)[0][0]


def acted_on(database: Path) -> int:
    found = one(
        database,
        """select count(*) from ml.ml_lookers__predictions
        where action in ('rate_limit', 'challenge', 'block')""",
    )
    return int(found)


def champion(database: Path) -> str:
    return str(one(database, "select status from ml.ml_intent__fit where is_champion"))


CASES: dict[str, tuple[Callable[[Raw], None], Expected]] = {
    "nothing": (
        nothing,
        lambda shop: (
            one(shop, SESSIONS) == 0
            and champion(shop) == "insufficient_data"
            and one(shop, "select count(*) from marts.dim_ip_addresses") == 0
        ),
    ),
    "no visitors": (
        no_visitors,
        lambda shop: (
            one(shop, SESSIONS) == 0
            and one(
                shop,
                """select affected_share from marts.fct_data_quality
            where check_name = 'events_without_visitor'""",
            )
            == 1
        ),
    ),
    "programs only": (
        programs_only,
        lambda shop: (
            one(shop, "select bool_and(is_bot) from marts.fct_sessions")
            and one(shop, "select sum(human_session_count) from marts.fct_traffic_quality") == 0
            and not one(shop, "select bool_or(is_reminder_eligible) from marts.fct_carts")
            and champion(shop) == "insufficient_data"
        ),
    ),
    "one address": (
        one_address,
        lambda shop: (
            acted_on(shop) == 0 and one(shop, "select count(*) from marts.dim_ip_addresses") == 1
        ),
    ),
    "runaway": (
        runaway,
        lambda shop: (
            query(
                shop,
                """select count(*), max(event_count), bool_and(is_quarantined)
            from marts.fct_sessions where visitor_id = 'runaway'""",
            )
            == [(1, 200_000, True)]
            and one(
                shop,
                "select count(*) from features.ftr_sessions__intent where visitor_id = 'runaway'",
            )
            == 0
        ),
    ),
    "strange": (
        strange,
        lambda shop: (
            champion(shop) == "trained"
            and personal_columns(shop, ["marts", "exports"], known_addresses(shop)) == []
        ),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_hostile_traffic_builds(
    case: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sound = tmp_path_factory.getbasetemp() / "sound_shop"
    sound_shop(sound)
    change, expected = CASES[case]
    raw: Raw = read_raw(sound)
    change(raw)
    write_raw(tmp_path / "raw", raw)
    database = tmp_path / "martlet.duckdb"
    result = run_dbt(
        *("build", "--indirect-selection", "cautious", "--exclude-resource-type", "unit_test"),
        *("--select", *MODELS),
        database=database,
        target=tmp_path / "target",
        vars={"martlet_raw_path": str(tmp_path / "raw")},
    )
    assert result.success, result.messages
    assert expected(database)
