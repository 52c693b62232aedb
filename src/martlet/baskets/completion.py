"""What an open basket is completed with: popularity tilted by the rules that apply.

For a basket B and an item c outside it,

    P(c | B) = popularity(c) * exp(u(c, B)) / Z,
    u(c, B) = best * max weight + together * sum of weights / sqrt(size of B),

over the rules with one or two items of B on the left, weight = log((n + k) / (expected n + k)):
the log lift, shrunk by k baskets; the sum is over rules with one item. The two factors and k are
those with the least log loss on the last fifth of the training baskets; both factors at 0 are
popularity, so rules are used as far as they help. Z needs only the items that a rule points to,
because the popularity of all others is known to sum to the rest: scoring is one join
(`martlet.baskets.functions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from martlet.baskets.itemsets import Itemsets
from martlet.baskets.load import Baskets

__all__ = ["PAIR_COLUMNS", "Tilt", "choose_tilt", "pairs_query"]

#: Type of each column of the rules that complete baskets.
PAIR_COLUMNS = {
    "item": "varchar",
    "second_item": "varchar",
    "next_item": "varchar",
    "lift": "double",
    "weight": "double",
}

_SHRINKAGES = (0.2, 0.5, 2.0, 8.0)
_FACTORS = (
    (0.0, 0.0), (0.5, 0.0), (0.75, 0.0), (1.0, 0.0), (1.25, 0.0), (0.5, 0.25), (0.75, 0.25),
    (1.0, 0.25), (0.5, 0.5), (1.0, 0.5), (1.25, 0.5), (1.0, 0.75),
)  # fmt: skip
#: Baskets on which the factors are chosen, and how few are too few.
_CASES, _FEWEST_CASES = 1000, 50


@dataclass(frozen=True)
class Tilt:
    """How strongly rules move popularity.

    Attributes
    ----------
    shrinkage
        Baskets added to a count and to what was expected.
    best, together
        Factors of the strongest rule and of all rules.
    cases
        Baskets they were chosen on; 0 means they are the defaults.
    log_loss, popularity_log_loss
        On those baskets.
    """

    shrinkage: float = 2.0
    best: float = 0.75
    together: float = 0.25
    cases: int = 0
    log_loss: float | None = None
    popularity_log_loss: float | None = None

    def as_parameters(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def pairs_query(
    baskets: Baskets,
    itemsets: Itemsets,
    shrinkage: float,
    neighbours: int,
    until: int | None = None,
) -> str:
    """Return a query of the rules (item, second_item) -> next_item that raise the chance.

    A rule of two items is kept when it says more than each of them alone.

    Parameters
    ----------
    baskets : Baskets
        The loaded baskets.
    itemsets : Itemsets
        Their itemsets; rules have been mined.
    shrinkage : float
        See `Tilt`.
    neighbours : int
        Most rules kept that begin with an item: those with the largest count times weight.
    until : int, optional
        Count only baskets up to this number.
    """
    table = baskets.table
    total = baskets.baskets if until is None else until
    longest = min(3, len(itemsets.levels))
    counts = [f"select item as set_id, count(*) as n from {table('lines')} "] + [
        f"select set_id, count(*) as n from {table(f'in_{size}')} "
        for size in range(2, longest + 1)
    ]
    counted = " union all ".join(f"{count} where tid <= {total} group by 1" for count in counts)
    shrunk = f"{shrinkage!r}::double"
    return (
        f"with counted as ({counted}), measured as (select rules.size, "
        "rules.antecedent[1] as item, rules.antecedent[2] as second_item, "
        "rules.consequent as next_item, whole.n, "
        f"whole.n::double * {total} / (a.n::double * c.n) as lift, "
        f"ln((whole.n + {shrunk}) / (a.n::double * c.n / {total} + {shrunk})) as weight "
        f"from {table('rule_candidates')} as rules "
        "inner join counted as whole on whole.set_id = rules.set_id "
        "inner join counted as a on a.set_id = rules.antecedent_id "
        "inner join counted as c on c.set_id = rules.consequent "
        # What is counted decides, so that later baskets do not choose the rules of earlier ones.
        f"where rules.size <= {longest} and whole.n >= {itemsets.minimum}), "
        "better as (select rules.* from measured as rules left join measured as one "
        "on one.size = 2 and one.item = rules.item and one.next_item = rules.next_item "
        "left join measured as other on other.size = 2 and other.item = rules.second_item "
        "and other.next_item = rules.next_item where rules.size = 2 "
        "or rules.weight > greatest(coalesce(one.weight, 0), coalesce(other.weight, 0))), "
        "ranked as (select *, row_number() over (partition by item, size "
        "order by n * weight desc, second_item, next_item) as place from better where weight > 0) "
        "select item, second_item, next_item, lift, weight from ranked "
        f"where place <= {neighbours}"
    )


def choose_tilt(baskets: Baskets, itemsets: Itemsets, neighbours: int) -> Tilt:
    """Choose shrinkage and factors on the last fifth of the baskets.

    One item of each basket (decided by a hash) is to be told from the others, with rules from the
    baskets before.

    Parameters
    ----------
    baskets : Baskets
        The loaded training baskets.
    itemsets : Itemsets
        Their itemsets; rules have been mined.
    neighbours : int
        As for `pairs_query`.
    """
    until = int(baskets.baskets * 0.8)
    con, table = baskets.con, baskets.table
    held, pairs = table("held"), table("tried")
    con.execute(
        f"create or replace temp table {held} as select tid, arg_min(item, md5(tid || '|' || item))"
        f" as item, count(*) - 1 as size from {table('lines')} where tid > {until} group by tid "
        f"having count(*) > 1 order by md5(tid::varchar) limit {_CASES}"
    )
    cases = baskets.number(f"select count(*) from {held}")
    if cases < _FEWEST_CASES:
        return Tilt()
    losses: dict[tuple[float, float, float], float] = {}
    for shrinkage in _SHRINKAGES:
        query = pairs_query(baskets, itemsets, shrinkage, neighbours, until)
        con.execute(f"create or replace temp table {pairs} as {query}")
        losses |= _losses(baskets, until, shrinkage)
    best = min(losses, key=lambda key: (losses[key], key))
    return Tilt(*best, cases, losses[best], losses[(best[0], 0.0, 0.0)])


def _numbers(baskets: Baskets, query: str) -> dict[str, Any]:
    found = baskets.con.execute(query).fetchnumpy()
    return {name: np.asarray(values) for name, values in found.items()}


def _losses(
    baskets: Baskets, until: int, shrinkage: float
) -> Mapping[tuple[float, float, float], float]:
    """Return the log loss of each pair of factors over the held-out items."""
    table = baskets.table
    prior = (
        f"(select item, (count(*) filter (tid <= {until}) + 0.5e0) "
        f"/ sum(count(*) filter (tid <= {until}) + 0.5e0) over () as prior "
        f"from {table('lines')} group by item)"
    )
    cases = _numbers(
        baskets,
        "select held.tid, held.size, any_value(own.prior) as own, sum(prior.prior) as taken "
        f"from {table('held')} as held inner join {table('lines')} as lines "
        "on lines.tid = held.tid and lines.item <> held.item "
        f"inner join {prior} as prior on prior.item = lines.item "
        f"inner join {prior} as own on own.item = held.item group by 1, 2 order by 1",
    )
    pulled = _numbers(
        baskets,
        f"with open as (select held.tid, held.item as held, lines.item from {table('held')} as held"
        f" inner join {table('lines')} as lines on lines.tid = held.tid and lines.item <> held.item"
        f"), hits as (select open.tid, held, next_item, weight, weight as alone from open "
        f"inner join {table('tried')} as pairs on pairs.item = open.item "
        "and pairs.second_item is null union all "
        "select open.tid, open.held, next_item, weight, 0 as alone from open "
        f"inner join {table('tried')} as pairs on pairs.item = open.item "
        "inner join open as second on second.tid = open.tid and second.item = pairs.second_item) "
        "select hits.tid, next_item = held as is_held, any_value(prior.prior) as prior, "
        "max(weight) as strongest, round(sum(alone), 12) as total from hits "
        f"inner join {prior} as prior on prior.item = hits.next_item "
        "anti join open on open.tid = hits.tid and open.item = hits.next_item "
        "group by hits.tid, next_item, held order by hits.tid, next_item",
    )
    case = np.searchsorted(cases["tid"], pulled["tid"])
    is_held = np.asarray(pulled["is_held"], dtype=bool)
    losses = {}
    for best, together in _FACTORS:
        tilt = best * pulled["strongest"] + together * pulled["total"] / np.sqrt(
            cases["size"][case]
        )
        extra = np.bincount(case, pulled["prior"] * np.expm1(tilt), len(cases["tid"]))
        own = np.log(cases["own"])
        own[case[is_held]] += tilt[is_held]
        norm = np.maximum(1 - cases["taken"], 1e-12) + extra
        losses[(shrinkage, best, together)] = round(float(np.mean(np.log(norm) - own)), 9)
    return losses
