"""Stored functions of an item similarity, over its companion tables ``neighbours`` and ``items``.

Nothing of the users is stored: their history is given to the function, so a new customer, or a new
purchase, counts at once, without another fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from martlet.similarity.history import DAY
from martlet.similarity.judging import Blend
from martlet.similarity.probability import Probability
from martlet.sqltext import identifier, number, render

#: More than there are items: a share and an item in one number.
_ITEMS = 2**31

__all__ = ["RECOMMENDED", "SIMILAR", "Chance", "Columns", "functions"]

#: Columns of ``recommend`` after user and item, with ``reason_<item>`` of the item's type last.
RECOMMENDED = {
    "rank": "integer",
    "score": "double",
    "similarity_score": "double",
    "frequency_score": "double",
    "popularity_score": "double",
    "is_repeat": "boolean",
    "cold_start_level": "varchar",
    "probability": "double",
}
#: Columns of ``similar`` after item and ``similar_<item>``.
SIMILAR = {"rank": "integer", "similarity": "double", "shared_user_count": "bigint"}


@dataclass(frozen=True)
class Columns:
    """User, item and time (None: there is none), with types."""

    user: str
    item: str
    time: str | None
    user_type: str = "varchar"
    item_type: str = "varchar"


@dataclass(frozen=True)
class Chance:
    """Probabilities, and the moment that days are counted to (microseconds)."""

    probability: Probability | None = None
    until: int = 0

    def expression(self) -> str:
        """Return the probability of a score, with orders and their last moment in ``a``."""
        if self.probability is None:
            return "null::double"
        own = {
            name: render(number(value)) for name, value in self.probability.as_parameters().items()
        }
        days = f"greatest(0, {self.until} - a.last) / {DAY}e0"
        return (
            f"case when a.size > 0 then 1 / (1 + exp(-({own['intercept']} "
            f"+ {own['score']} * ln(r.score + {own['floor']}) "
            f"+ {own['orders']} * ln(1e0 + a.orders) + {own['days']} * ln(1e0 + {days})))) end"
        )


def functions(
    columns: Columns, blend: Blend, longest: int, chance: Chance | None = None
) -> dict[str, str]:
    """Return the texts after ``create macro <name>``.

    Parameters
    ----------
    columns : Columns
        Of the rows that the functions are given.
    blend : Blend
        Weights of the parts of a score.
    longest : int
        Latest items of a user's history that count.
    chance : Chance, optional
        Turns scores into probabilities; without it they are NULL.
    """
    best = _best(columns, blend, longest, chance or Chance())
    found = {
        "recommend": f"(input, n := 10, unseen_only := false) as table ({best})",
        "similar": _similar(columns),
    }
    if columns.time:
        found["evaluate_since"] = _evaluate_since(columns, blend, longest)
    return found


def _best(
    columns: Columns,
    blend: Blend,
    longest: int,
    chance: Chance,
    known: str = "true",
    most: str = "n",
    unseen: str = "unseen_only",
) -> str:
    """Recommend the `most` best from those rows of the input that are `known`.

    Users and items are numbers in between, the items in the order of their ids; a reason is found
    as the greatest of share and item in one number; and only rows that reach the last of the
    `most` best scores are sorted.
    """
    user, item = identifier(columns.user), identifier(columns.item)
    time = f"epoch_us(cast({identifier(columns.time)} as timestamp))" if columns.time else "0"
    weights = {
        name: render(number(value))
        for name, value in blend.as_parameters().items()
        if isinstance(value, float)
    }
    reason = identifier(f"reason_{columns.item}")
    return f"""with given as (
    select distinct cast({user} as varchar) as u, cast({item} as varchar) as i, {time} as t
    from query_table(input) where {user} is not null and {known}
), bought as (
    select u, i, t, dense_rank() over (partition by u order by t desc) - 1 as back from given
    where i is not null and t is not null
), pairs as (
    select u, i, round(sum(power({weights["frequency_decay"]}, back)), 12) as bought, max(t) as last
    from bought group by u, i
), habits as (
    select u, count(distinct t) as orders, max(t) as last from bought group by u
), aged as (
    select u, i, bought, dense_rank() over (partition by u order by last desc) - 1 as age,
        row_number() over (partition by u order by last desc, i) as place
    from pairs
), shares as (
    select u, i, power({weights["recency_decay"]}, age)
            / sum(power({weights["recency_decay"]}, age)) over (partition by u) as recent,
        bought as frequency
    from aged where place <= {longest}
), goods as materialized (
    select item_id, popularity, popularity_rank,
        cast(row_number() over (order by item_id) as integer) as item from {{part:items}}
), users as materialized (
    select g.u, cast(row_number() over (order by g.u) as integer) as w, b.orders, b.last
    from (select distinct u from given) as g left join habits as b on b.u = g.u
), history as materialized (
    select us.w, g.item, s.recent, s.frequency
    from shares as s inner join users as us on us.u = s.u left join goods as g on g.item_id = s.i
), neighbours as (
    select one.item, other.item as neighbour, n.similarity
    from {{part:neighbours}} as n inner join goods as one on one.item_id = n.item_id
    inner join goods as other on other.item_id = n.neighbour_id
), near as (
    select h.w, n.neighbour as item, round(sum(h.recent * n.similarity), 12) as near,
        max(cast(round(h.recent * n.similarity * 1e12) as hugeint) * {_ITEMS} + h.item) as reason
    from history as h inner join neighbours as n on n.item = h.item group by h.w, n.neighbour
), asked as materialized (
    select us.w, us.u, us.orders, us.last, count(h.w) as size, count(h.item) as known
    from users as us left join history as h on h.w = us.w
    group by us.w, us.u, us.orders, us.last
), popular as (
    select a.w, g.item from asked as a inner join goods as g on g.popularity_rank <= {most} + a.size
), besides as (
    select coalesce(h.w, p.w) as w, coalesce(h.item, p.item) as item, h.frequency
    from (select * from history where item is not null) as h
    full join popular as p on p.w = h.w and p.item = h.item
), put_together as (
    select coalesce(n.w, b.w) as w, coalesce(n.item, b.item) as item, n.reason,
        coalesce(n.near, 0) * {weights["similarity"]} as near,
        coalesce(b.frequency, 0) * {weights["frequency"]} as frequency,
        b.frequency is not null as is_repeat
    from near as n full join besides as b on b.w = n.w and b.item = n.item
), scored as materialized (
    select p.*, coalesce(g.popularity, 0) * {weights["popularity"]} as popularity,
        p.near + p.frequency + coalesce(g.popularity, 0) * {weights["popularity"]} as score
    from put_together as p inner join goods as g on g.item = p.item
    where not ({unseen} and p.is_repeat)
), floors as (
    select w, list_last(max(score, greatest(1, least({most}, (select count(*) from goods)))))
        as floor
    from scored group by w
), ranked as (
    select s.*, row_number() over (partition by s.w order by s.score desc, s.item) as rank
    from scored as s inner join floors as f on f.w = s.w where s.score >= f.floor
)
select cast(a.u as {columns.user_type}) as {user}, cast(g.item_id as {columns.item_type}) as {item},
    cast(r.rank as integer) as rank, r.score, r.near as similarity_score,
    r.frequency as frequency_score, r.popularity as popularity_score, r.is_repeat,
    case when a.known > 0 then 'history' when a.size > 0 then 'unknown_items' else 'no_history' end
        as cold_start_level,
    {chance.expression()} as probability,
    cast(case when r.near > 0 then b.item_id end as {columns.item_type}) as {reason}
from ranked as r inner join asked as a on a.w = r.w inner join goods as g on g.item = r.item
left join goods as b on b.item = r.reason % {_ITEMS} where r.rank <= {most}"""


def _evaluate_since(columns: Columns, blend: Blend, longest: int) -> str:
    """Recommend from what was bought before a moment, and compare with what was bought after.

    Users with purchases both before and from then on are judged, as in a fit.
    """
    user, item = identifier(columns.user), identifier(columns.item)
    time = f"cast({identifier(columns.time or '')} as timestamp)"
    before = f"{time} < cast(since as timestamp)"
    best = _best(columns, blend, longest, Chance(), before, "10", "false")
    ideal = "list_sum(list_transform(range(1, least(size, 10) + 1), lambda k: 1 / log2(k + 1)))"
    return f"""(input, since) as table (
with best as ({best}), later as (
    select distinct cast({user} as varchar) as u, cast({item} as varchar) as i
    from query_table(input)
    where {user} is not null and {item} is not null and {time} >= cast(since as timestamp)
), judged as (
    select u, count(*) as size from later where u in (
        select cast({user} as varchar) from query_table(input)
        where {item} is not null and {time} < cast(since as timestamp))
    group by u
), shown as (
    select j.u, j.size, b.rank, cast(b.{item} as varchar) as i,
        case when l.i is not null then 1 else 0 end as hit
    from judged as j inner join best as b on cast(b.{user} as varchar) = j.u
    left join later as l on l.u = j.u and l.i = cast(b.{item} as varchar)
), counted as (
    select *, sum(hit) over (partition by u order by rank) as hits from shown
), users as (
    select u, size, sum(hit / log2(rank + 1)) / {ideal} as ndcg, max(hit) as hit,
        sum(hit) / size as recall, sum(hit * hits / rank) / least(size, 10) as precision
    from counted group by u, size
)
select avg(ndcg) as ndcg_at_10, avg(cast(hit as double)) as hit_rate_at_10,
    avg(recall) as recall_at_10, avg(precision) as mean_average_precision_at_10,
    (select count(distinct i) from shown) / (select nullif(count(*), 0) from {{part:items}})
        as coverage, count(*) as judged_user_count
from users)"""


def _similar(columns: Columns) -> str:
    item, other = identifier(columns.item), identifier(f"similar_{columns.item}")
    kind = columns.item_type
    return f"""(input, n := 10) as table (
select cast(s.item_id as {kind}) as {item}, cast(s.neighbour_id as {kind}) as {other},
    s.rank, s.similarity, s.shared_user_count
from {{part:neighbours}} as s
inner join (select distinct cast({item} as varchar) as i from query_table(input)) as g
    on g.i = s.item_id where s.rank <= n)"""
