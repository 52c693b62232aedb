"""The best items of very many users: the rows of ``recommend_top``, in a fraction of its time.

The stored function makes one product of vectors after another. Here NumPy multiplies blocks of
users with all items in single precision and keeps whatever may be among the best, allowing for
rounding; the few pairs that are left get their score from the stored function ``predict``, and are
ranked by it. So the rows are those of ``recommend_top``, to the last bit.

References
----------
Higham (2002), "Accuracy and stability of numerical algorithms", section 3.1 (rounding of an inner
product).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from martlet.errors import MartletError
from martlet.sqltext import PREFIX, identifier

__all__ = ["recommend_top"]

#: Scores held at a time.
_CELLS = 10_000_000
#: Stretches of items whose best give the floor, for each item wanted.
_STRETCHES = 16
_ASKED, _PAIRS, _STRANGER = (f"{PREFIX}{name}" for name in ("asked", "pairs", "stranger"))


def recommend_top(
    con: duckdb.DuckDBPyConnection,
    model: str,
    users: duckdb.DuckDBPyRelation | pa.Table,
    n: int = 10,
    unseen_only: bool = True,
) -> pa.Table:
    """Return the `n` best items of each user, by the champion of a matrix factorization.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the model is: the ``session`` of a dbt Python model.
    model : str
        Its name, with the schema: ``"ml.my_factors"``.
    users : DuckDBPyRelation or pyarrow.Table
        Has the model's ``user_col``; users are taken once, NULL is left out.
    n : int
        Items for each user.
    unseen_only : bool
        Leaves out what the user had in training.

    Returns
    -------
    pyarrow.Table
        The rows of ``<model>_recommend_top``, ordered by user and rank.

    Raises
    ------
    MartletError
        If the model has no champion or is no matrix factorization, or the users have no such
        column.

    Examples
    --------
    >>> def model(dbt, session):
    ...     dbt.config(materialized="table")
    ...     dbt.ref("my_factors")  # is built before
    ...     return recommend_top(session, "ml.my_factors", dbt.ref("my_customers"))
    """
    champion = _Champion.find(con, model)
    rows = users if isinstance(users, pa.Table) else users.to_arrow_table()
    if champion.user.lower() not in {name.lower() for name in rows.column_names}:
        raise MartletError(f"The users have no column '{champion.user}', the user_col of {model}.")
    con.register(_ASKED, rows)
    try:
        if n > 0:
            con.register(_PAIRS, _candidates(con, champion, n, unseen_only))
        return con.query(_answer(con, champion, n, unseen_only)).to_arrow_table()
    finally:
        for view in (_ASKED, _PAIRS)[: 1 + (n > 0)]:
            con.unregister(view)


@dataclass(frozen=True)
class _Champion:
    """The version that answers: its user and item columns, and where its tables are."""

    schema: str
    name: str
    version: int
    user: str
    item: str

    @classmethod
    def find(cls, con: duckdb.DuckDBPyConnection, model: str) -> _Champion:
        *path, name = (part.strip('"') for part in model.split("."))
        schema = "".join(f"{identifier(part)}." for part in path)
        found = con.execute(
            "select model_version, model_type, options "
            f"from {schema}{identifier(name)} where is_champion"
        ).fetchall()
        if not found or found[0][1] != "matrix_factorization":
            what = f"it is of type {found[0][1]}" if found else "it has no champion"
            raise MartletError(f"{model} is no fitted matrix factorization: {what}.")
        version, _, options = found[0]
        columns = json.loads(options)
        return cls(schema, name, version, columns["user_col"], columns["item_col"])

    def function(self, function: str) -> str:
        return f"{self.schema}{identifier(f'{self.name}_{function}')}"

    def top(self, users: str, n: int, unseen_only: bool = True) -> str:
        arguments = f"'{users}', n := {int(n)}, unseen_only := {str(bool(unseen_only)).lower()}"
        return f"{self.function('recommend_top')}({arguments})"

    def part(self, part: str) -> str:
        table = f"{self.schema}{identifier(f'{self.name}__{part}')}"
        return f"(select * from {table} where model_version = {self.version})"


def _candidates(
    con: duckdb.DuckDBPyConnection, champion: _Champion, n: int, unseen_only: bool
) -> pa.Table:
    """Return pairs of user and item, as text, among which are the best of each known user."""
    users = con.query(
        "select user_id, intercept, factors, seen_items "
        f"from {champion.part('users')} where user_id in (select cast({identifier(champion.user)} "
        f"as varchar) from {_ASKED}) order by user_id"
    ).to_arrow_table()
    items = con.query(
        f"select item_id, intercept, factors from {champion.part('items')} order by item_number"
    ).to_arrow_table()
    user_ids, item_ids = (table.column(0).combine_chunks() for table in (users, items))
    if users.num_rows and items.num_rows:
        with threadpool_limits(1):
            places = _best(_Side.of(users), _Side.of(items), _seen(users, unseen_only), n)
    else:
        places = (np.empty(0, np.int64), np.empty(0, np.int64))
    ids = (
        ids.take(pa.array(place)) for ids, place in zip((user_ids, item_ids), places, strict=True)
    )
    return pa.table(dict(zip((champion.user, champion.item), ids, strict=True)))


@dataclass(frozen=True)
class _Side:
    """Vectors, shape (rows, factors), and intercepts of users or items."""

    vectors: NDArray[np.float32]
    intercept: NDArray[np.float32]

    @classmethod
    def of(cls, table: pa.Table) -> _Side:
        flat = table.column("factors").combine_chunks().flatten().to_numpy()
        intercept = table.column("intercept").to_numpy().astype(np.float32)
        return cls(flat.reshape(table.num_rows, -1), intercept)

    def rounding(self, other: _Side) -> NDArray[np.float32]:
        """Return what two ways to add up a score may differ by at most, for each row of this side.

        Each sum is off by up to ``factors * 2^-24`` of the product of the lengths, and the
        intercepts by as much of theirs; twice that is allowed.
        """
        longest = np.linalg.norm(other.vectors, axis=1).max() if len(other.vectors) else 0.0
        size = np.linalg.norm(self.vectors, axis=1) * longest
        size += np.abs(self.intercept) + np.abs(other.intercept).max()
        return np.asarray(size * (self.vectors.shape[1] + 2) * 2.0**-22, dtype=np.float32)


def _seen(users: pa.Table, unseen_only: bool) -> tuple[Any, Any]:
    """Return where the items of each user begin, and their places."""
    if not unseen_only:
        return np.zeros(users.num_rows + 1, dtype=np.int64), np.empty(0, dtype=np.int64)
    listed = users.column("seen_items").combine_chunks()
    return listed.offsets.to_numpy() - listed.offsets[0].as_py(), listed.flatten().to_numpy() - 1


def _best(users: _Side, items: _Side, seen: tuple[Any, Any], n: int) -> tuple[Any, Any]:
    """Return places of users and items: all that may be among the `n` best of a user."""
    starts, places = seen
    allowance = users.rounding(items)
    turned = np.ascontiguousarray(items.vectors.T)
    found = []
    size = max(1, _CELLS // len(items.vectors))
    for begin in range(0, len(users.vectors), size):
        part = slice(begin, begin + size)
        # The user's own intercept changes nothing of the order.
        scores = users.vectors[part] @ turned + items.intercept
        first, last = starts[begin], starts[min(begin + size, len(users.vectors))]
        counts = np.diff(starts[begin : begin + len(scores) + 1])
        scores[np.repeat(np.arange(len(scores)), counts), places[first:last]] = -np.inf
        floor = _floor(scores, n) - allowance[part]
        user, item = np.nonzero(scores >= np.maximum(floor, -np.finfo(np.float32).max)[:, None])
        found.append((user + begin, item))
    user, item = (np.concatenate(column) for column in zip(*found, strict=True))
    return user, item


def _floor(scores: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Return what the `n`-th best of each row reaches at least.

    It is the `n`-th best of the maxima of stretches of the row, which takes less than ordering it.
    """
    rows, width = scores.shape
    if n >= width:
        return np.full(rows, -np.inf, dtype=np.float32)
    stretch = max(1, width // (_STRETCHES * n))
    whole = width // stretch * stretch
    best = scores[:, :whole].reshape(rows, stretch, -1).max(axis=1)
    return np.asarray(np.partition(best, -n, axis=1)[:, -n])


def _answer(con: duckdb.DuckDBPyConnection, champion: _Champion, n: int, unseen_only: bool) -> str:
    """Return the query that scores the pairs, ranks them, and adds users unknown to the model.

    To the model these are all alike: one of them is asked about.
    """
    user, item = identifier(champion.user), identifier(champion.item)
    empty = f"from {champion.top(_ASKED, 0)}"
    nobody = con.query(empty)
    if n < 1:
        return empty
    score, kinds = identifier(nobody.columns[-1]), nobody.types
    return f"""with ranked as (
    select {user}, {item}, {score},
        row_number() over (partition by {user} order by {score} desc, {item}) as rank
    from {champion.function("predict")}('{_PAIRS}')
), strangers as (
    select distinct cast({user} as varchar) as {user} from {_ASKED}
    where {user} is not null
        and cast({user} as varchar) not in (select user_id from {champion.part("users")})
), {_STRANGER} as (
    select min({user}) as {user} from strangers
)
select cast({user} as {kinds[0]}) as {user}, cast({item} as {kinds[1]}) as {item},
    cast(rank as integer) as rank, {score}
from ranked where rank <= {int(n)}
union all
select cast(s.{user} as {kinds[0]}), t.{item}, t.rank, t.{score}
from strangers as s
cross join {champion.top(_STRANGER, n, unseen_only)} as t
order by 1, 3"""
