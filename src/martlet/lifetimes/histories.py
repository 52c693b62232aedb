"""Reading purchase histories from the training rows, grouped in DuckDB."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from martlet.estimators.base import Training
from martlet.lifetimes.scoring import cohort_name
from martlet.lifetimes.statistics import PurchaseStatistics
from martlet.sqltext import identifier

__all__ = ["Histories", "Outcome", "read_histories"]

Key = tuple[datetime.date | None, str | None]


@dataclass(frozen=True)
class Outcome:
    """What customers known at one date did until a later one.

    Attributes
    ----------
    data
        Histories at the first date.
    bought
        Weight of those who bought again, one a group.
    days
        Between the dates.
    """

    data: PurchaseStatistics
    bought: NDArray[np.float64]
    days: float


@dataclass(frozen=True)
class Histories:
    """The histories of every date and cohort.

    Attributes
    ----------
    groups
        By date and cohort; the cohort None has all customers of the date.
    outcomes
        By later date: what those known at an earlier one did.
    notices
        Sentences for the log.
    """

    groups: Mapping[Key, PurchaseStatistics]
    outcomes: Mapping[datetime.date, Outcome]
    notices: list[str]


def read_histories(training: Training) -> Histories:
    """Group the training rows.

    Parameters
    ----------
    training : Training
        With the options of a purchase process.
    """
    options = training.options
    x, t, age = (
        f"cast({identifier(options[name])} as double)"
        for name in ("frequency_col", "recency_col", "age_col")
    )
    as_of = identifier(options["as_of_col"]) if options["as_of_col"] else None
    day = f"cast({as_of} as date)" if as_of else "cast(null as date)"
    cohort = cohort_name(options["cohort_cols"]) if options["cohort_cols"] else "null"
    entity = identifier(options["entity_cols"][0]) if options["entity_cols"] else "null"
    table = f'"__martlet_histories_{id(training)}"'
    con = training.con
    con.execute(
        f"create or replace temporary table {table} as select {entity} as entity, {day} as d, "
        f"{cohort} as cohort, {x} as x, {t} as t, {age} as age from ({training.query('train')})"
    )
    valid = (
        "x >= 0 and x = floor(x) and t >= 0 and age >= t and isfinite(age) and (x = 0) = (t = 0)"
    )
    bad, total = con.execute(
        f"select count(*) filter (where ({valid}) is not true), count(*) from {table}"
    ).fetchall()[0]
    notices = []
    if bad:
        notices.append(
            f"{bad} of {total} rows are no purchase history (needed: whole purchases, "
            "0 <= time of the last <= time observed) and are left out"
        )
    groups: dict[Key, PurchaseStatistics] = {}
    keys = ["d, null"] + (["d, cohort"] if options["cohort_cols"] else [])
    for key in keys:
        found = con.execute(
            "select *, dense_rank() over (order by d, cohort) as place from ("
            f"select d, {key.split(', ')[1]} as cohort, x, t, age, count(*) as weight "
            f"from {table} where {valid} group by all) order by place, x, t, age"
        ).fetchnumpy()
        groups |= _split(found)
    outcomes = {}
    if as_of and options["entity_cols"]:
        outcomes = _outcomes(con, table, valid, options["backtest_horizon"])
    con.execute(f"drop table {table}")
    return Histories(groups, outcomes, notices)


def _split(found: Mapping[str, Any]) -> dict[Key, PurchaseStatistics]:
    """Cut ordered rows at every change of date or cohort."""
    count = len(found["x"])
    if not count:
        return {}
    places = np.asarray(found["place"])
    edges = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), count]
    values = [np.asarray(found[name], float) for name in ("x", "t", "age", "weight")]
    return {
        (_plain(found["d"][low]), _plain(found["cohort"][low])): PurchaseStatistics(
            *(value[low:high] for value in values)
        )
        for low, high in itertools.pairwise(edges)
    }


def _plain(item: Any) -> Any:
    """Return a value of a column as Python has it."""
    if item is None or item is np.ma.masked:
        return None
    if isinstance(item, np.datetime64):
        return None if np.isnat(item) else item.astype("datetime64[D]").astype(object)
    return item


def _outcomes(
    con: duckdb.DuckDBPyConnection, table: str, valid: str, horizon: float
) -> dict[datetime.date, Outcome]:
    """Match every date with the latest one at least a horizon before it."""
    if con.execute(f"select count(*) = 0 from {table} where d is not null").fetchall()[0][0]:
        return {}
    found = con.execute(
        f"""
        with dates as (select distinct d from {table} where d is not null),
        matched as (
            select n.d as later, max(o.d) as earlier from dates n
            inner join dates o on date_diff('day', o.d, n.d) >= {float(horizon)} group by n.d
        )
        select m.later as d, null as cohort, date_diff('day', m.earlier, m.later) as days,
            o.x, o.t, o.age, count(*) as weight,
            count(*) filter (where n.x > o.x) as bought
        from matched m
        inner join (select * from {table} where {valid}) o on o.d = m.earlier
        inner join (select * from {table} where {valid}) n on n.d = m.later and n.entity = o.entity
        group by all order by m.later, o.x, o.t, o.age
        """
    ).fetchnumpy()
    outcomes = {}
    dates = np.asarray(found["d"]).astype("datetime64[D]")
    for later in np.unique(dates):
        rows = dates == later
        x, t, age, weight, bought = (
            np.asarray(found[name], float)[rows] for name in ("x", "t", "age", "weight", "bought")
        )
        outcomes[_plain(later)] = Outcome(
            PurchaseStatistics(x, t, age, weight), bought, float(found["days"][rows][0])
        )
    return outcomes
