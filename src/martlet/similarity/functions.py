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
    """Recommend the `most` best from those rows of the input that are `known`."""
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
), history as (
    select u, i, power({weights["recency_decay"]}, age)
            / sum(power({weights["recency_decay"]}, age)) over (partition by u) as recent,
        bought as frequency
    from aged where place <= {longest}
), near as (
    select h.u, s.neighbour_id as i, round(sum(h.recent * s.similarity), 12) as near,
        max(struct_pack(v := round(h.recent * s.similarity, 12), i := h.i)).i as reason
    from history as h inner join {{part:neighbours}} as s on s.item_id = h.i
    group by h.u, s.neighbour_id
), asked as (
    select g.u, count(h.i) as size, count(i.item_id) as known,
        max(b.orders) as orders, max(b.last) as last
    from (select distinct u from given) as g left join history as h on h.u = g.u
    left join habits as b on b.u = g.u
    left join {{part:items}} as i on i.item_id = h.i group by g.u
), candidates as (
    select u, i, near, null::double as frequency, reason from near
    union all select u, i, null, frequency, null from history
    union all select a.u, p.item_id, null, null, null
    from asked as a inner join {{part:items}} as p on p.popularity_rank <= {most} + a.size
), put_together as (
    select c.u, c.i, coalesce(max(c.near), 0) * {weights["similarity"]} as near,
        coalesce(max(c.frequency), 0) * {weights["frequency"]} as frequency,
        coalesce(max(p.popularity), 0) * {weights["popularity"]} as popularity,
        max(c.frequency) is not null as is_repeat, max(c.reason) as reason
    from candidates as c inner join {{part:items}} as p on p.item_id = c.i
    group by c.u, c.i
), ranked as (
    select *, near + frequency + popularity as score,
        row_number() over (partition by u order by near + frequency + popularity desc, i) as rank
    from put_together where not ({unseen} and is_repeat)
)
select cast(r.u as {columns.user_type}) as {user}, cast(r.i as {columns.item_type}) as {item},
    cast(r.rank as integer) as rank, r.score, r.near as similarity_score,
    r.frequency as frequency_score, r.popularity as popularity_score, r.is_repeat,
    case when a.known > 0 then 'history' when a.size > 0 then 'unknown_items' else 'no_history' end
        as cold_start_level,
    {chance.expression()} as probability,
    cast(case when r.near > 0 then r.reason end as {columns.item_type}) as {reason}
from ranked as r inner join asked as a on a.u = r.u where r.rank <= {most}"""


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
