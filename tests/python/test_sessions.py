"""Sessions equal the plain definition, however the events come in."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from session_oracle import SESSION_COLUMNS, session_oracle
from support import beside, query, run_dbt

MICROSECONDS = 1_000_000
MINUTE = 60 * MICROSECONDS
HOUR = 60 * MINUTE
DAY = 24 * HOUR
#: 2025-03-29 00:00 UTC, the day before the clocks of Europe/Berlin go forward.
START = 1_743_206_400 * MICROSECONDS
NAMES = (
    ["page_view"] * 6
    + ["view_item"] * 4
    + ["add_to_cart", "remove_from_cart", "search", "view_item_list", "add_to_wishlist"]
    + ["begin_checkout", "add_payment_info", "purchase", "purchase", "scroll"]
)
RAW_COLUMNS = [
    *(
        "event_id",
        "cookie_id",
        "user_id",
        "event_time",
        "received_time",
        "event",
        "url",
        "referrer",
    ),
    *("product_id", "quantity", "value", "currency", "order_id", "search_term", "utm_source"),
    *("utm_medium", "utm_campaign", "device", "os", "browser", "country", "ip", "user_agent"),
    "load_id",
]


@dataclass(frozen=True)
class Event:
    """A raw event; times in microseconds since 1970."""

    id: str
    visitor: str | None
    at: int
    received: int
    load: str
    name: str = "page_view"
    page: int = 0
    customer: str | None = None
    campaign: tuple[str | None, str | None, str | None] = (None, None, None)
    order: str | None = None
    value: str | None = None
    device: str = "mobile"

    def row(self) -> tuple[str | None, ...]:
        source, medium, name = self.campaign
        return (
            self.id, self.visitor, self.customer, _text(self.at), _text(self.received), self.name,
            f"https://shop.example/p{self.page}", None, None, None, self.value, None, self.order,
            None, source, medium, name, self.device, "Android", "Chrome", "DE",
            f"10.0.0.{self.page}", f"Mozilla/5.0 p{self.page}", self.load,
        )  # fmt: skip


def _text(microseconds: int) -> str:
    return str(np.datetime64(microseconds, "us")) + "Z"


def random_events(seed: int, *, visitors: int, days: int, timeout: int) -> list[Event]:
    """Return events with ties, pauses near the timeout, campaigns, log-ins and missing visitors."""
    rng = np.random.default_rng(seed)
    events: list[Event] = []
    pauses = [0, 0, MICROSECONDS, timeout - 1, timeout, timeout + 1, timeout // 2, 5 * HOUR, DAY]
    for visitor in range(visitors):
        at = START + int(rng.integers(0, days * DAY))
        for _ in range(int(rng.integers(1, 40))):
            name = str(rng.choice(NAMES))
            bought = name == "purchase"
            campaign: tuple[str | None, str | None, str | None] = (None, None, None)
            if rng.random() < 0.25:
                campaign = (
                    str(rng.choice(["google", "bing"])),
                    str(rng.choice(["cpc", "organic"])) if rng.random() < 0.8 else None,
                    str(rng.choice(["spring", "sale"])) if rng.random() < 0.5 else None,
                )
            late = (
                int(rng.integers(0, 3 * DAY)) if rng.random() < 0.1 else int(rng.integers(0, HOUR))
            )
            events.append(
                Event(
                    id=f"e{seed}-{len(events)}",
                    visitor=None if rng.random() < 0.03 else f"v{visitor}",
                    at=at,
                    received=at + late,
                    load="",
                    name=name,
                    page=int(rng.integers(0, 50)),
                    customer=f"C{visitor % 7}" if rng.random() < 0.08 else None,
                    campaign=campaign,
                    order=f"O{int(rng.integers(0, 3))}" if bought and rng.random() < 0.9 else None,
                    value=f"{int(rng.integers(100, 90000)) / 100:.2f}" if bought else None,
                    device=str(rng.choice(["mobile", "desktop"])),
                )
            )
            pause = (
                int(rng.choice(pauses)) if rng.random() < 0.6 else int(rng.exponential(20 * MINUTE))
            )
            at += pause
    # A runaway: a script that never sleeps.
    at = START
    for number in range(400):
        events.append(Event(f"r{seed}-{number}", "runaway", at, at, "", page=number % 50))
        at += 5 * MINUTE
    # The load is the day the event was received.
    return [replace(event, load=f"load-{(event.received - START) // DAY:03d}") for event in events]


def write_raw(folder: Path, events: list[Event]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        columns = ", ".join(f"{column} varchar" for column in RAW_COLUMNS)
        connection.execute(f"create table raw_events ({columns})")
        marks = ", ".join("?" * len(RAW_COLUMNS))
        rows = [event.row() for event in events]
        if rows:
            connection.executemany(f"insert into raw_events values ({marks})", rows)
        connection.execute(f"copy raw_events to '{folder}/raw_events.parquet'")


@dataclass
class Shop:
    """A warehouse that is built from whatever loads have arrived."""

    folder: Path
    vars: dict[str, Any]
    name: str = "first"
    raw: Path = field(init=False)

    def __post_init__(self) -> None:
        self.raw = self.folder / "raw"

    @property
    def database(self) -> Path:
        return beside(self.folder / "martlet.duckdb", self.name)

    def build(self, *args: str) -> None:
        # Events look up what their order was paid in, and orders their customers.
        if not (self.raw / "raw_orders.parquet").exists():
            self.raw.mkdir(parents=True, exist_ok=True)
            with duckdb.connect() as connection:
                for table in ("orders", "customers"):
                    seed = Path(__file__).parents[2] / "seeds" / "sample" / f"raw_{table}.csv"
                    connection.execute(
                        f"copy (from read_csv('{seed}', all_varchar = true) limit 5)"
                        f" to '{self.raw}/raw_{table}.parquet'"
                    )
        run_dbt(
            "build",
            "--select",
            "+fct_sessions",
            "int_sessions__described",
            "--exclude-resource-type",
            "unit_test",
            "--exclude",
            "test_type:singular",
            *args,
            database=self.database,
            target=self.folder / "target",
            vars={**self.vars, "martlet_raw_path": str(self.raw)},
        )

    def load(self, events: list[Event], *args: str) -> None:
        write_raw(self.raw, events)
        self.build(*args)

    def difference(self, left: str, right: str) -> list[tuple[Any, ...]]:
        return query(
            self.database,
            f"(({left}) except all ({right})) union all (({right}) except all ({left}))",
        )


def session_columns(relation: str) -> str:
    return f"select {', '.join(SESSION_COLUMNS)} from {relation}"


def assert_equals_oracle(shop: Shop) -> None:
    oracle = session_oracle(
        "shop.shop_events",
        rule=shop.vars["martlet_session_rule"],
        timeout_minutes=shop.vars["martlet_session_timeout_minutes"],
        time_zone=shop.vars["martlet_time_zone"],
    )
    assert shop.difference(oracle, session_columns("intermediate.int_sessions__described")) == []
    in_mart = [column for column in SESSION_COLUMNS if column not in ("ip_address", "user_agent")]
    zone = shop.vars["martlet_time_zone"]
    day = f"cast(timezone('{zone}', timezone('UTC', session_started_at)) as date)"
    seconds = "(epoch_us(session_ended_at) - epoch_us(session_started_at)) / 1000000.0"
    columns = ", ".join(in_mart)
    assert (
        shop.difference(
            f"select {columns}, {day}, cast({seconds} as double), {seconds} > 24 * 3600"
            f" from ({oracle})",
            f"select {columns}, session_date, duration_seconds, is_quarantined"
            " from marts.fct_sessions",
        )
        == []
    )


RULES = {
    "ga4": ("ga4", 30, "Europe/Berlin"),
    "ga360": ("ga360", 30, "Europe/Berlin"),
    "ga360_quarter_hour_zone": ("ga360", 30, "Asia/Kathmandu"),
    "custom": ("custom", 7, "America/New_York"),
}


@pytest.mark.parametrize("rule", RULES)
def test_sessions_equal_the_definition_and_a_full_refresh_in_any_order(
    tmp_path: Path, rule: str
) -> None:
    name, minutes, zone = RULES[rule]
    settings = {
        "martlet_session_rule": name,
        "martlet_session_timeout_minutes": minutes,
        "martlet_time_zone": zone,
    }
    shop = Shop(tmp_path, settings)
    seed = list(RULES).index(rule)
    rng = np.random.default_rng(100 + seed)
    events = random_events(seed, visitors=60, days=200, timeout=minutes * MINUTE)
    loads = sorted({event.load for event in events})
    delivered = [event for event in events if event.load in set(loads[: len(loads) * 3 // 4])]

    # Most of the past, every tenth load missing.
    missing = set(loads[::10])
    first = [event for event in delivered if event.load not in missing]
    shop.load(first)
    assert_equals_oracle(shop)

    # The missing loads come late and last first, with repeated events, replayed ones that were
    # received earlier and say something else, and an event that tells 150 days later who it was.
    replayed = []
    for number, event in enumerate(rng.permutation(np.array(first, dtype=object))[:60]):
        replayed.append(
            replace(
                event,
                received=event.received - (HOUR if number % 3 else 0),
                load=f"replay-{number % 4}",
                page=event.page + 1,
                campaign=("newsletter", "email", None) if number % 2 else (None, None, None),
                customer="C9" if number % 5 == 0 else event.customer,
            )
        )
    late = [
        Event(f"late-{visitor}", f"v{visitor}", START + 60 * DAY, START + 210 * DAY, "very-late",
              customer=f"C{visitor}", campaign=("bing", "cpc", None))
        for visitor in range(30)
    ]  # fmt: skip
    second = first + [event for event in delivered if event.load in missing][::-1] + replayed + late
    shop.load(second)
    assert_equals_oracle(shop)
    assert (
        query(shop.database, "select count(*) from shop.shop_events where event_version > 1")[0][0]
        > 0
    )

    # The rest, and a load written anew: its rows say something else under their old ids.
    rewritten = sorted({event.load for event in first})[3]
    third = [
        replace(event, page=event.page + 7, campaign=("google", "cpc", "spring"))
        if event.load == rewritten
        else event
        for event in second + [event for event in events if event not in set(delivered)]
    ]
    shop.load([third[index] for index in rng.permutation(len(third))])
    assert_equals_oracle(shop)

    # What came first counts, over all loads.
    assert (
        shop.difference(
            "select event_id, received_at from shop.shop_events",
            "select event_id, min(received_at) from staging.stg_sample__events group by event_id",
        )
        == []
    )

    # Building again changes nothing.
    stored = "select * from marts.fct_sessions"
    before = query(shop.database, f"{stored} order by session_id")
    batches = query(shop.database, "select count(*) from intermediate.int_event_batches__observed")
    shop.build()
    assert query(shop.database, f"{stored} order by session_id") == before
    assert (
        query(shop.database, "select count(*) from intermediate.int_event_batches__observed")
        == batches
    )

    fresh = replace(shop, name="fresh")
    fresh.build()
    for relation, ways_to_come in (
        ("shop.shop_events", "batch_id, ingest_number, event_version"),
        ("marts.fct_sessions", "ingest_number"),
    ):
        with duckdb.connect() as connection:
            connection.execute(f"attach '{shop.database}' as a (read_only)")
            connection.execute(f"attach '{fresh.database}' as b (read_only)")
            for one, other in itertools.permutations("ab"):
                assert (
                    connection.execute(
                        f"select * exclude ({ways_to_come}) from {one}.{relation}"
                        f" except all select * exclude ({ways_to_come}) from {other}.{relation}"
                    ).fetchall()
                    == []
                )


def boundary_events() -> list[Event]:
    """Return a few visitors whose sessions can be told by hand."""
    noon = START + 12 * HOUR
    # 2025-03-29 23:00 UTC is midnight in Berlin; a day later it is 22:00: the clocks went forward.
    midnight, next_midnight = START + 23 * HOUR, START + 46 * HOUR
    google = ("google", "cpc", None)
    bing = ("bing", "cpc", None)
    return [
        Event(f"b{number}", visitor, at, at, "load", campaign=campaign)
        for number, (visitor, at, campaign) in enumerate(
            [
                ("gap", noon, (None, None, None)),
                ("gap", noon + 30 * MINUTE, (None, None, None)),
                ("gap", noon + 60 * MINUTE + 1, (None, None, None)),
                ("midnight", midnight - 1, (None, None, None)),
                ("midnight", midnight, (None, None, None)),
                ("midnight", midnight + MINUTE, (None, None, None)),
                ("clocks", next_midnight - 1, (None, None, None)),
                ("clocks", next_midnight, (None, None, None)),
                ("campaign", noon, (None, None, None)),
                ("campaign", noon + MINUTE, google),
                ("campaign", noon + 2 * MINUTE, google),
                ("campaign", noon + 3 * MINUTE, (None, None, None)),
                ("campaign", noon + 4 * MINUTE, bing),
                ("campaign", noon + 5 * HOUR, bing),
                ("campaign", noon + 5 * HOUR + MINUTE, google),
            ]
        )
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            "ga4",
            {
                "gap": [("first", 2), ("timeout", 1)],
                "midnight": [("first", 3)],
                "clocks": [("first", 2)],
                "campaign": [("first", 5), ("timeout", 2)],
            },
        ),
        (
            "ga360",
            {
                "gap": [("first", 2), ("timeout", 1)],
                "midnight": [("first", 1), ("midnight", 2)],
                "clocks": [("first", 1), ("midnight", 1)],
                "campaign": [
                    ("first", 1),
                    ("campaign", 3),
                    ("campaign", 1),
                    ("timeout", 1),
                    ("campaign", 1),
                ],
            },
        ),
    ],
)
def test_pauses_midnights_and_campaigns_cut_where_they_should(
    tmp_path: Path, rule: str, expected: dict[str, list[tuple[str, int]]]
) -> None:
    shop = Shop(
        tmp_path,
        {
            "martlet_session_rule": rule,
            "martlet_session_timeout_minutes": 30,
            "martlet_time_zone": "Europe/Berlin",
        },
    )
    shop.load(boundary_events())
    rows = query(
        shop.database,
        "select visitor_id, start_reason, event_count from marts.fct_sessions"
        " order by visitor_id, session_number",
    )
    sessions: dict[str, list[tuple[str, int]]] = {}
    for visitor, reason, count in rows:
        sessions.setdefault(visitor, []).append((reason, count))
    assert sessions == expected


def test_a_state_that_cannot_be_carried_on_is_refused(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "martlet_session_rule": "ga4",
        "martlet_session_timeout_minutes": 30,
        "martlet_time_zone": "Europe/Berlin",
    }
    shop = Shop(tmp_path, settings)
    shop.load(boundary_events())

    def check(**changes: Any) -> str:
        result = run_dbt(
            "run-operation",
            "check_session_state",
            database=shop.database,
            target=tmp_path / "target",
            vars={**settings, "martlet_raw_path": str(shop.raw), **changes},
            check=False,
        )
        return "" if result.success else result.messages

    assert check() == ""
    refused = check(martlet_session_rule="custom", martlet_session_timeout_minutes=45)
    assert "timeout 30.0 min" in refused
    assert "timeout 45.0 min" in refused
    assert "--full-refresh" in refused
    assert "connector sample" in check(martlet_connector="ga4")

    with duckdb.connect(str(shop.database)) as connection:
        connection.execute("delete from shop.shop_events where visitor_id = 'gap'")
    assert "were not made from the stored shop_events" in check()
