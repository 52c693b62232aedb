"""Stored functions of a basket model, over its companion tables ``items`` and ``pairs``.

What is computed is defined in `martlet.baskets.completion`.
"""

from __future__ import annotations

from martlet.baskets.completion import Tilt
from martlet.sqltext import PREFIX, identifier

__all__ = ["METRICS", "evaluate_query", "predict_query"]

#: Columns of ``evaluate``.
METRICS = (
    "log_loss",
    "hit_rate_at_1",
    "hit_rate_at_5",
    "hit_rate_at_10",
    "mean_reciprocal_rank",
    "judged_basket_count",
)


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
        f"{p}candidates as (select basket, item, tilted, reason from {p}scored union all "
        f"select basket, item, prior, null from {p}popular), "
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
