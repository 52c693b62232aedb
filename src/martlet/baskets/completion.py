"""What an open basket is completed with: popularity tilted by the rules that apply.

For a basket B and an item c outside it,

    P(c | B) = popularity(c) * exp(u(c, B)) / Z,
    u(c, B) = best * max weight + together * sum of weights / sqrt(size of B),

over the rules with one or two items of B on the left, weight = log((n + k) / (expected n + k)):
the log lift, shrunk by k baskets; the sum is over rules with one item. The two factors and k are
those with the least log loss on the last fifth of the training baskets; both factors at 0 are
popularity, so rules are used as far as they help. Z needs only the items that a rule points to,
because the popularity of all others is known to sum to the rest: scoring is one join.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from martlet.baskets.itemsets import Itemsets
from martlet.baskets.load import Baskets
from martlet.sqltext import PREFIX, identifier

__all__ = [
    "METRICS",
    "PAIR_COLUMNS",
    "Tilt",
    "choose_tilt",
    "evaluate_query",
    "make_pairs",
    "predict_query",
]

#: Type of each column of the rules that complete baskets.
PAIR_COLUMNS = {
    "item": "varchar",
    "second_item": "varchar",
    "next_item": "varchar",
    "lift": "double",
    "weight": "double",
}

METRICS = (
    "log_loss",
    "hit_rate_at_1",
    "hit_rate_at_5",
    "hit_rate_at_10",
    "mean_reciprocal_rank",
    "judged_basket_count",
)

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


def make_pairs(
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
        As for `make_pairs`.
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
        query = make_pairs(baskets, itemsets, shrinkage, neighbours, until)
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


def _scored(tilt: Tilt, items: str, pairs: str) -> str:
    """Return the common steps: from rows (basket, item) to items with a tilted popularity."""
    p = PREFIX
    return (
        f"{p}items as (select * from {items}), {p}pairs as (select * from {pairs}), "
        f"{p}sizes as (select rows.basket, count(*) as size, "
        "round(sum(coalesce(items.prior, 0)), 12) as taken "
        f"from {p}rows as rows left join {p}items as items on items.item = rows.item "
        "group by rows.basket), "
        f"{p}hits as (select rows.basket, pairs.next_item as item, pairs.weight, "
        "pairs.weight as alone, [rows.item] as reason, pairs.lift "
        f"from {p}rows as rows inner join {p}pairs as pairs on pairs.item = rows.item "
        "and pairs.second_item is null union all "
        "select rows.basket, pairs.next_item, pairs.weight, 0, "
        "list_sort([rows.item, second.item]), pairs.lift "
        f"from {p}rows as rows inner join {p}pairs as pairs on pairs.item = rows.item "
        f"inner join {p}rows as second on second.basket = rows.basket "
        "and second.item = pairs.second_item), "
        f"{p}pulled as (select hits.basket, hits.item, max(weight) as strongest, "
        # Rounded, because the last digit of a sum depends on the order of the rows.
        "round(sum(alone), 12) as total, max_by(struct_pack(items := reason, lift := lift), "
        "struct_pack(weight := weight, items := reason)) as reason "
        f"from {p}hits as hits "
        f"anti join {p}rows as own on own.basket = hits.basket and own.item = hits.item "
        "group by hits.basket, hits.item), "
        f"{p}scored as (select pulled.basket, pulled.item, pulled.reason, items.prior, items.prior "
        f"* exp({tilt.best!r}e0 * pulled.strongest + {tilt.together!r}e0 * pulled.total "
        f"/ sqrt(sizes.size)) as tilted from {p}pulled as pulled "
        f"inner join {p}sizes as sizes on sizes.basket = pulled.basket "
        f"inner join {p}items as items on items.item = pulled.item), "
        f"{p}norms as (select sizes.*, greatest(1 - sizes.taken, 1e-12) "
        "+ coalesce(extra.tilted, 0) as norm "
        f"from {p}sizes as sizes left join "
        "(select basket, round(sum(tilted - prior), 12) as tilted "
        f"from {p}scored group by basket) as extra on extra.basket = sizes.basket)"
    )


def predict_query(
    tilt: Tilt, columns: tuple[str, str], types: tuple[str, str], items: str, pairs: str
) -> str:
    """Return the text of the stored function ``predict(input, top_k := 10)``.

    Parameters
    ----------
    tilt : Tilt
        How strongly rules count.
    columns, types : tuple of str
        Name and DuckDB type of the basket and the item.
    items, pairs : str
        SQL of the companion rows.
    """
    p, (basket, item) = PREFIX, columns
    made = {name: identifier(f"{name}_{item}") for name in ("predicted", "reason")}
    return (
        f"(input, top_k := 10) as table (with {p}rows as (select distinct {identifier(basket)} "
        f"as basket, cast({identifier(item)} as varchar) as item from query_table(input) "
        f"where {identifier(basket)} is not null and {identifier(item)} is not null), "
        f"{_scored(tilt, items, pairs)}, "
        # An item without a rule is behind all more popular ones: few of them can be in the list.
        f"{p}popular as (select norms.basket, items.item, items.prior from {p}norms as norms "
        f"inner join {p}items as items on items.popularity_rank <= top_k + norms.size "
        f"anti join {p}rows as own on own.basket = norms.basket and own.item = items.item "
        f"anti join {p}scored as scored on scored.basket = norms.basket "
        "and scored.item = items.item), "
        f"{p}candidates as (select basket, item, tilted, reason from {p}scored union all by name "
        f"select basket, item, prior as tilted from {p}popular), "
        f"{p}ranked as (select candidates.*, least(candidates.tilted / norms.norm, 1) as "
        "probability, row_number() over (partition by candidates.basket "
        "order by candidates.tilted desc, candidates.item) as place "
        f"from {p}candidates as candidates inner join {p}norms as norms "
        "on norms.basket = candidates.basket) "
        f"select basket as {identifier(basket)}, cast(place as integer) as rank, "
        f"cast(item as {types[1]}) as {made['predicted']}, "
        f"probability as {identifier(f'predicted_{item}_probability')}, "
        f"cast(reason.items as {types[1]}[]) as {made['reason']}, reason.lift as reason_lift "
        f"from {p}ranked where place <= top_k)"
    )


def evaluate_query(
    tilt: Tilt,
    rows: str,
    items: str,
    pairs: str,
    max_basket_size: int,
    unseen: float,
    most_baskets: int,
) -> str:
    """Return a query of `METRICS`: one item of each basket, to be told from the others.

    Which item is hidden is decided by a hash of basket and item. The rank is one more than the
    number of items with a higher probability.

    Parameters
    ----------
    tilt : Tilt
        How strongly rules count; factors of 0 judge popularity.
    rows : str
        SQL of the rows, columns ``basket`` and ``item`` (text).
    items, pairs : str
        SQL of the companion rows.
    max_basket_size : int
        Larger baskets are skipped.
    unseen : float
        Popularity of an item that training has not seen.
    most_baskets : int
        Of more baskets so many are judged, those with the lowest hash.
    """
    p = PREFIX
    return (
        f"with {p}whole as (select distinct basket, item from ({rows}) "
        "where basket is not null and item is not null), "
        f"{p}held as (select basket, arg_min(item, md5(basket::varchar || '|' || item)) as item "
        f"from {p}whole group by basket having count(*) between 2 and {max_basket_size} "
        f"order by md5(basket::varchar) limit {most_baskets}), "
        f"{p}rows as (select whole.* from {p}whole as whole inner join {p}held as held "
        "on held.basket = whole.basket and held.item <> whole.item), "
        f"{_scored(tilt, items, pairs)}, "
        f"{p}cases as (select held.basket, held.item, norms.norm, coalesce(scored.tilted, "
        f"items.prior, {unseen!r}::double) as tilted from {p}held as held "
        f"inner join {p}norms as norms on norms.basket = held.basket "
        f"left join {p}items as items on items.item = held.item "
        f"left join {p}scored as scored on scored.basket = held.basket "
        "and scored.item = held.item), "
        f"{p}steps as (select prior, max(popularity_rank) as above from {p}items group by prior), "
        # Items ahead by popularity, without those of the basket and those a rule points to ...
        f"{p}ahead as (select cases.*, coalesce(steps.above, 0) as above from {p}cases as cases "
        f"asof left join {p}steps as steps on cases.tilted < steps.prior), "
        f"{p}taken as (select cases.basket, count(*) as n from {p}cases as cases "
        f"inner join (select basket, item from {p}rows union select basket, item from {p}scored) "
        f"as known on known.basket = cases.basket inner join {p}items as items "
        "on items.item = known.item and items.prior > cases.tilted group by cases.basket), "
        # ... and those that a rule puts ahead.
        f"{p}pulling as (select cases.basket, count(*) as n from {p}cases as cases "
        f"inner join {p}scored as scored on scored.basket = cases.basket "
        "and scored.tilted > cases.tilted group by cases.basket), "
        f"{p}ranks as (select ahead.tilted / ahead.norm as probability, 1 + ahead.above "
        f"- coalesce(taken.n, 0) + coalesce(pulling.n, 0) as rank from {p}ahead as ahead "
        f"left join {p}taken as taken on taken.basket = ahead.basket "
        f"left join {p}pulling as pulling on pulling.basket = ahead.basket) "
        "select round(avg(-ln(least(probability, 1))), 12) as log_loss, "
        "avg((rank <= 1)::int) as hit_rate_at_1, avg((rank <= 5)::int) as hit_rate_at_5, "
        "avg((rank <= 10)::int) as hit_rate_at_10, "
        "round(avg(1e0 / rank), 12) as mean_reciprocal_rank, count(*) as judged_basket_count "
        f"from {p}ranks"
    )
