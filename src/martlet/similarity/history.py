"""Purchases as sparse matrices: who bought what, how often, how long ago, in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from martlet.sqltext import identifier

__all__ = ["DAY", "History", "Window", "load_history"]

#: Microseconds of a day.
DAY = 86_400_000_000

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class History:
    """One row per user, item and time.

    Attributes
    ----------
    users, items
        Ids as text, ascending.
    user, item
        Places in them, one a row.
    time
        Microseconds, ascending; all 0 without a time.
    incomplete
        Rows left out because an id or the time is missing.
    """

    users: list[str]
    items: list[str]
    user: Codes
    item: Codes
    time: Codes
    incomplete: int

    def window(self, begin: int | None, end: int | None) -> Window:
        """Return the rows from `begin` on and before `end`."""
        kept = np.ones(len(self.time), dtype=bool)
        if begin is not None:
            kept &= self.time >= begin
        if end is not None:
            kept &= self.time < end
        shape = (len(self.users), len(self.items))
        return Window(shape, self.user[kept], self.item[kept], self.time[kept])


@dataclass(frozen=True)
class Window:
    """The rows of one stretch of time, and what was worked out of them before."""

    shape: tuple[int, int]
    user: Codes
    item: Codes
    time: Codes
    _found: dict[Any, tuple[Any, Any]] = field(default_factory=dict, repr=False, compare=False)

    def found(self, name: Any, settings: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` gives: again, if it was made last with the same settings.

        Every measure, weight and decay that is tried asks for the same matrices again.
        """
        if name not in self._found or self._found[name][0] != settings:
            self._found[name] = settings, make()
        return self._found[name][1]

    def pairs(self, longest: int) -> tuple[Codes, Codes, Codes, Codes]:
        """Return user, item, number of purchases and age of each pair.

        The age counts the user's later times of purchase: 0 is the last one. A user's `longest`
        latest pairs are kept; of as late ones those with the lower place.
        """
        found: tuple[Codes, Codes, Codes, Codes] = self.found(
            ("pairs", longest), None, lambda: self._pairs(longest)
        )
        return found

    def _pairs(self, longest: int) -> tuple[Codes, Codes, Codes, Codes]:
        key, place, count = np.unique(
            self.user * self.shape[1] + self.item, return_inverse=True, return_counts=True
        )
        last = np.full(len(key), np.iinfo(np.int64).min)
        np.maximum.at(last, place, self.time)
        user, item = key // self.shape[1], key % self.shape[1]
        order = np.lexsort((item, -last, user))
        user, item, count, last = user[order], item[order], count[order], last[order]
        first = np.concatenate([[True], user[1:] != user[:-1]]) if len(user) else np.zeros(0, bool)
        later = np.concatenate([[False], (last[1:] != last[:-1])]) if len(user) else first
        steps = np.cumsum(later & ~first)
        start = np.maximum.accumulate(np.where(first, np.arange(len(user)), 0))
        age = steps - steps[start]
        kept = np.arange(len(user)) - start < longest
        return user[kept], item[kept], count[kept], age[kept]

    def bought(self, longest: int) -> Any:
        """Return users x items, 1 where bought."""
        return self.found(("bought", longest), None, lambda: self._bought(longest))

    def _bought(self, longest: int) -> Any:
        user, item, _, _ = self.pairs(longest)
        return sparse.csr_matrix((np.ones(len(user)), (user, item)), shape=self.shape)

    def recent(self, longest: int, decay: float) -> Any:
        """Return users x items with decay ** age, each row summing to 1."""
        return self.found("recent", (longest, decay), lambda: self._recent(longest, decay))

    def _recent(self, longest: int, decay: float) -> Any:
        user, item, _, age = self.pairs(longest)
        weight = decay ** age.astype(float)
        total = np.bincount(user, weights=weight, minlength=self.shape[0])
        return sparse.csr_matrix((weight / total[user], (user, item)), shape=self.shape)

    def frequency(self, longest: int, decay: float = 1.0) -> Any:
        """Return users x items with the number of purchases, each weighing decay ** age.

        Here the age counts the user's later orders, of whatever item.
        """
        return self.found("frequency", (longest, decay), lambda: self._frequency(longest, decay))

    def _frequency(self, longest: int, decay: float) -> Any:
        kept = self.bought(longest)
        age = self.found("orders since", None, self._orders_since)
        weight = decay ** age.astype(float)
        total = sparse.csr_matrix((weight, (self.user, self.item)), shape=self.shape)
        return total.multiply(kept).tocsr()

    def _orders_since(self) -> Codes:
        """Return for each row how many later times of purchase its user has."""
        order = np.lexsort((-self.time, self.user))
        user, time = self.user[order], self.time[order]
        first = np.ones(len(user), dtype=bool)
        first[1:] = user[1:] != user[:-1]
        later = np.zeros(len(user), dtype=np.int64)
        later[1:] = (time[1:] != time[:-1]) & ~first[1:]
        steps = np.cumsum(later)
        start = np.maximum.accumulate(np.where(first, np.arange(len(user)), 0))
        result = np.empty(len(user), dtype=np.int64)
        result[order] = steps - steps[start]
        return result

    def next_orders(self) -> Window:
        """Return only each user's first time of purchase."""
        found: Window = self.found("next orders", None, self._next_orders)
        return found

    def _next_orders(self) -> Window:
        first = np.full(self.shape[0], np.iinfo(np.int64).max)
        np.minimum.at(first, self.user, self.time)
        kept = self.time == first[self.user]
        return Window(self.shape, self.user[kept], self.item[kept], self.time[kept])

    def habits(self) -> tuple[Codes, Codes]:
        """Return the number of times of purchase and the last one of each user (0: none)."""
        last = np.zeros(self.shape[0], dtype=np.int64)
        np.maximum.at(last, self.user, self.time)
        order = np.lexsort((self.time, self.user))
        user, time = self.user[order], self.time[order]
        fresh = np.ones(len(user), dtype=bool)
        fresh[1:] = (user[1:] != user[:-1]) | (time[1:] != time[:-1])
        return np.bincount(user[fresh], minlength=self.shape[0]), last

    def popularity(self, half_life_days: float = 0.0) -> NDArray[np.float64]:
        """Return the number of users of each item, divided by the greatest.

        With a half-life a user's last purchase of an item weighs half for each such stretch of
        time before the last purchase of all.
        """
        found: NDArray[np.float64] = self.found(
            "popularity", half_life_days, lambda: self._popularity(half_life_days)
        )
        return found

    def _popularity(self, half_life_days: float) -> NDArray[np.float64]:
        key, place = np.unique(self.user * self.shape[1] + self.item, return_inverse=True)
        weight = np.ones(len(key))
        if half_life_days and len(key):
            last = np.full(len(key), np.iinfo(np.int64).min)
            np.maximum.at(last, place, self.time)
            weight = 0.5 ** ((last.max() - last) / (half_life_days * DAY))
        count = np.bincount(key % self.shape[1], weights=weight, minlength=self.shape[1])
        return count / max(float(count.max(initial=0.0)), 1e-300)


def load_history(
    con: duckdb.DuckDBPyConnection, query: str, user: str, item: str, time: str | None
) -> History:
    """Read the purchases of a query; a pair at the same time counts once."""
    when = f"epoch_us(cast({identifier(time)} as timestamp))" if time else "0::bigint"
    con.execute(
        "create or replace temporary table __martlet_history as select distinct "
        f"cast({identifier(user)} as varchar) as u, cast({identifier(item)} as varchar) as i, "
        f"{when} as t from ({query}) where u is not null and i is not null and t is not null"
    )
    missing = con.execute(
        f"select count(*) from ({query}) where {identifier(user)} is null "
        f"or {identifier(item)} is null or {when} is null"
    ).fetchall()[0][0]
    names: dict[str, list[str]] = {}
    for column in ("u", "i"):
        found = con.execute(f"select distinct {column} from __martlet_history order by 1")
        names[column] = [str(name) for (name,) in found.fetchall()]
    rows: dict[str, Any] = con.execute(
        "with us as (select u, row_number() over (order by u) - 1 as n "
        "from (select distinct u from __martlet_history)), "
        "ie as (select i, row_number() over (order by i) - 1 as n "
        "from (select distinct i from __martlet_history)) "
        "select us.n as u, ie.n as i, h.t from __martlet_history as h "
        "inner join us on us.u = h.u inner join ie on ie.i = h.i order by h.t, us.n, ie.n"
    ).fetchnumpy()
    con.execute("drop table __martlet_history")
    codes = [np.asarray(rows[name], dtype=np.int64) for name in ("u", "i", "t")]
    return History(names["u"], names["i"], codes[0], codes[1], codes[2], int(missing))
