"""All frequent itemsets of any length, level by level, in SQL.

The method is Eclat's (Zaki 2000) in the form of joins: every level keeps which basket holds which
set, and two sets of one basket that differ in their last item make a set of the next level
(Agrawal and Srikant 1994 for the idea that every part of a frequent set is frequent).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from martlet.baskets.load import Baskets
from martlet.errors import MartletError

__all__ = ["Itemsets", "TooManyItemsetsError", "mine_itemsets"]

_COUNTS = (
    "count(*) as n, count(*) filter (tid > {boundary}) as n_recent, "
    "min(tid) as first_tid, max(tid) as last_tid"
)
#: A row for each basket and pair. Read twice rather than kept: it can be many times the baskets.
_PAIRS = (
    "(select one.tid, one.item as parent, other.item as last_item "
    "from {frequent} as one inner join {frequent} as other "
    "on one.tid = other.tid and one.item < other.item)"
)
_GROWN = (
    "(select parent, last_item, {counts} from {pairs} group by parent, last_item "
    "having count(*) >= {minimum})"
)


#: Rows of basket and candidate that one level may have: 12 bytes each.
_MOST_ROWS = 100_000_000


class TooManyItemsetsError(MartletError):
    """There are more frequent itemsets than are wanted, or can be counted.

    Attributes
    ----------
    size
        Items of the sets that were too many.
    """

    def __init__(self, what: str, size: int) -> None:
        super().__init__(
            f"There are more than {what}: raise min_support or min_count, or limit "
            "max_itemset_size, or set raise_support."
        )
        self.size = size


@dataclass(frozen=True)
class Itemsets:
    """Frequent itemsets in the temporary table ``sets``.

    Attributes
    ----------
    minimum
        Least number of baskets of a set.
    levels
        How many sets of each size, from 1.
    complete
        Whether there is no longer frequent set (else the size was limited).
    """

    minimum: int
    levels: tuple[int, ...]
    complete: bool


def mine_itemsets(
    baskets: Baskets,
    minimum: int,
    max_size: int | None = None,
    max_itemsets: int = 1_000_000,
    counted_pairs: bool = False,
) -> Itemsets:
    """Find all sets of items that lie together in at least `minimum` baskets.

    Writes the temporary tables ``sets`` (set_id, size, items, n, n_recent, first_tid, last_tid;
    items as numbers, ascending) and ``in_<size>`` (tid, set_id), the baskets of each set.

    Parameters
    ----------
    baskets : Baskets
        The loaded baskets.
    minimum : int
        Least number of baskets.
    max_size : int, optional
        Longest set; by default there is no limit.
    max_itemsets : int
        More sets than this are refused.
    counted_pairs : bool
        Whether these baskets were mined before with a lower minimum, so that pairs are counted.

    Raises
    ------
    TooManyItemsetsError
        If there are more sets than `max_itemsets`, or too many candidates to be counted.
    """
    counts = _COUNTS.format(boundary=baskets.boundary)
    table, con = baskets.table, baskets.con
    sets, frequent = table("sets"), table("frequent")
    con.execute(
        f"create or replace temp table {sets} as select item as set_id, "
        "cast(1 as integer) as size, [item] as items, n, n_recent, first_tid, last_tid, "
        f"cast(0 as integer) as parent, item as last_item from {table('all_items')} "
        f"where n >= {minimum}"
    )
    con.execute(
        f"create or replace temp table {frequent} as select tid, item from {table('lines')} "
        f"semi join {sets} as sets on item = sets.last_item"
    )
    if not counted_pairs:
        _count_pairs(baskets, minimum)
    levels = [baskets.number(f"select count(*) from {sets}")]
    _check(levels, max_itemsets)
    size, first = 1, baskets.number(f"select coalesce(max(set_id), 0) from {sets}")
    while levels[-1] and (max_size is None or size < max_size):
        size += 1
        pairs = _PAIRS.format(frequent=frequent) if size == 2 else _candidates(baskets, size)
        grown = _GROWN.format(counts=counts, pairs=pairs, minimum=minimum)
        if size == 2:
            grown = f"(select * from {table('pair_counts')} where n >= {minimum})"
        _add_sets(baskets, size, first, grown)
        found = baskets.number(f"select count(*) from {sets} where size = {size}")
        levels.append(found)
        _check(levels, max_itemsets)
        first += found
        if found:
            con.execute(
                f"create or replace temp table {table(f'in_{size}')} as "
                f"select tid, set_id, sets.parent, sets.last_item from {pairs} as grown "
                f"inner join {sets} as sets on sets.size = {size} "
                "and grown.parent = sets.parent and grown.last_item = sets.last_item"
            )
        if found and size == 2:
            _describe_pairs(baskets, counts)
    complete = levels[-1] == 0
    return Itemsets(minimum, tuple(n for n in levels if n), complete)


def _add_sets(baskets: Baskets, size: int, first: int, grown: str) -> None:
    """Add counted sets, each one item longer than its parent, numbered from `first` on."""
    sets = baskets.table("sets")
    baskets.con.execute(
        f"insert into {sets} select cast({first} + row_number() over "
        "(order by grown.parent, grown.last_item) as integer), "
        f"{size}, list_append(sets.items, grown.last_item), grown.n, grown.n_recent, "
        f"grown.first_tid, grown.last_tid, grown.parent, grown.last_item from {grown} as grown "
        f"inner join {sets} as sets on grown.parent = sets.set_id"
    )


def _count_pairs(baskets: Baskets, minimum: int) -> None:
    """Count the baskets of each pair, and nothing else of them: most are not frequent."""
    pairs = _PAIRS.format(frequent=baskets.table("frequent"))
    baskets.con.execute(
        f"create or replace temp table {baskets.table('pair_counts')} as select parent, last_item, "
        "count(*) as n, cast(null as bigint) as n_recent, cast(null as integer) as first_tid, "
        f"cast(null as integer) as last_tid from {pairs} group by parent, last_item "
        f"having count(*) >= {minimum}"
    )


def _describe_pairs(baskets: Baskets, counts: str) -> None:
    """Add to the frequent pairs what else is counted of a set."""
    baskets.con.execute(
        f"update {baskets.table('sets')} as sets set n_recent = found.n_recent, "
        "first_tid = found.first_tid, last_tid = found.last_tid from "
        f"(select set_id, {counts} from {baskets.table('in_2')} group by set_id) as found "
        "where sets.set_id = found.set_id"
    )


def _candidates(baskets: Baskets, size: int) -> str:
    """Return a table with a row for each basket and set of `size`, 3 or more, to be counted."""
    table = baskets.table
    before, candidates = table(f"in_{size - 1}"), table("candidates")
    rows = baskets.number(
        "select coalesce(sum(n * (n - 1) // 2), 0) from "
        f"(select count(*) as n from {before} group by tid, parent)"
    )
    if rows > _MOST_ROWS:
        what = f"{_MOST_ROWS:,} sets of {size} items to be counted in their baskets"
        raise TooManyItemsetsError(what, size)
    # Two sets of one basket with the same parent; their last items must be a frequent pair.
    baskets.con.execute(
        f"create or replace temp table {candidates} as select one.tid, one.set_id as parent, "
        f"other.last_item from {before} as one inner join {before} as other "
        "on one.tid = other.tid and one.parent = other.parent "
        "and one.last_item < other.last_item "
        f"semi join {table('sets')} as pairs on pairs.size = 2 "
        "and pairs.parent = one.last_item and pairs.last_item = other.last_item"
    )
    return candidates


def _check(levels: Sequence[int], most: int) -> None:
    if sum(levels) > most:
        what = f"{most:,} frequent itemsets (max_itemsets)"
        raise TooManyItemsetsError(what, len(levels))
