"""Stored functions of a matrix factorization, over its companion tables ``users`` and ``items``.

A user or item that training has not seen has no vector and no intercept of its own: its prediction
is the intercept of the other and the global one. Ids are text in the tables and have the type of
the training query in answers. Ranks are ties of nothing: the item that comes first as text wins.
"""

from __future__ import annotations

from dataclasses import dataclass

from martlet.factorization.fold_in import Ridge, fold_in_steps
from martlet.factorization.ratings import RatingColumns
from martlet.sqltext import PREFIX, identifier, number, render, text

__all__ = ["IMPLICIT_METRICS", "Answers", "judge_ranking", "prediction_name"]

#: Columns of ``evaluate`` for implicit feedback.
IMPLICIT_METRICS = (
    "mean_average_precision", "mean_squared_error", "normalized_discounted_cumulative_gain",
    "average_rank",
)  # fmt: skip

#: So many of the longest item vectors give the floor below which no score is among the best.
_FIRST = 512
#: Stands for a column that the given rows do not have.
_ABSENT = "chr(1)"


@dataclass(frozen=True)
class Answers:
    """What the functions are made of.

    Attributes
    ----------
    columns
        User, item and rating with their types.
    factors
        Length of the vectors.
    intercept
        The global one.
    implicit
        Whether the prediction is a confidence.
    ridge
        How a new user is folded in.
    """

    columns: RatingColumns
    factors: int
    intercept: float
    implicit: bool
    ridge: Ridge

    @property
    def predicted(self) -> str:
        """Name of the prediction."""
        return prediction_name(self.columns, self.implicit)

    @property
    def users(self) -> str:
        """SQL of the users."""
        return "(select user_id, intercept, seen_items, factors as v from {part:users})"

    @property
    def items(self) -> str:
        """SQL of the items."""
        return (
            "(select item_id, item_number, intercept, rating_count, factors as v from {part:items})"
        )

    def score(self, user: str, item: str) -> str:
        """Return the prediction for a row of users and a row of items, either of them missing."""
        dot = f"coalesce(cast(list_inner_product({user}.v, {item}.v) as double), 0.0e0)"
        if self.implicit:
            return dot
        return (
            f"{render(number(self.intercept))} + coalesce({user}.intercept, 0.0e0) "
            f"+ coalesce({item}.intercept, 0.0e0) "
            f"+ {dot}"
        )

    def shown(self, user: str, item: str) -> str:
        """Select the ids in their own types."""
        names = self.columns
        return (
            f"cast({user} as {names.user_type}) as {identifier(names.user)}, "
            f"cast({item} as {names.item_type}) as {identifier(names.item)}"
        )

    def functions(self) -> dict[str, str]:
        """Return the texts after ``create macro <name>``, without ``evaluate``."""
        return {
            "predict": self._predict(),
            "recommend": f"{self._all_pairs()}, {self._recommend()}",
            "recommend_top": self._top(),
            "fold_in": self._fold_in(),
            "recommend_new": self._top_new(),
            "weights": self._weights(),
        }

    def _predict(self) -> str:
        names = self.columns
        made = identifier(self.predicted)
        return f"""(input) as table (
select {{inputs:{self.predicted}}}, {PREFIX}score as {made} from (
    select r.*, {self.score("u", "i")} as {PREFIX}score from query_table(input) as r
    left join {self.users} as u on u.user_id = cast(r.{identifier(names.user)} as varchar)
    left join {self.items} as i on i.item_id = cast(r.{identifier(names.item)} as varchar)))"""

    def _all_pairs(self) -> str:
        made = identifier(self.predicted)
        return f"""() as table (
select {self.shown("u.user_id", "i.item_id")}, {self.score("u", "i")} as {made}
from {self.users} as u cross join {self.items} as i)"""

    def _given(self) -> str:
        """Read whichever of the two columns the given rows have; the other is marked absent."""
        names = self.columns
        user, item = identifier(names.user), identifier(names.item)

        def value(name: str) -> str:
            has = f"list_contains(names, {render(text(name.lower()))})"
            return f"case when {has} then cast({identifier(name)} as varchar) else {_ABSENT} end"

        return f"""named as (
    select list_transform(json_keys(to_json(r)), lambda x: lower(x)) as names
    from query_table(input) as r limit 1
), given as (
    select distinct t.u, t.i from (select {value(names.user)} as u, {value(names.item)} as i from (
        select cast(null as {names.user_type}) as {user}, cast(null as {names.item_type}) as {item}
        where false union all by name select * from query_table(input)) cross join named) as t
    where t.u is not null and t.i is not null)"""

    def _recommend(self) -> str:
        score = self.score("u", "i")
        unseen = "not unseen_only or u.seen_items is null or i.item_number is null "
        unseen += "or not list_contains(u.seen_items, i.item_number)"
        return f"""(input, unseen_only := false) as table (
with {self._given()},
users as (from {self.users}), items as (from {self.items}), scored as (
    select g.u, i.item_id as i, {score} as s from given as g
    left join users as u on u.user_id = g.u cross join items as i
    where g.i = {_ABSENT} and ({unseen})
    union all
    select u.user_id, g.i, {score} from given as g
    left join items as i on i.item_id = g.i cross join users as u
    where g.u = {_ABSENT} and ({unseen})
    union all
    select g.u, g.i, {score} from given as g
    left join users as u on u.user_id = g.u left join items as i on i.item_id = g.i
    where g.u <> {_ABSENT} and g.i <> {_ABSENT} and ({unseen}))
select {self.shown("u", "i")}, s as {identifier(self.predicted)} from scored)"""

    def _top(self) -> str:
        user = identifier(self.columns.user)
        return f"""(input, n := 10, unseen_only := true) as table (
with asked as (
    select g.u, u.user_id, u.intercept, u.v, u.seen_items
    from (select distinct cast({user} as varchar) as u from query_table(input)
        where {user} is not null) as g
    left join {self.users} as u on u.user_id = g.u
), {self._best()})"""

    def _best(self) -> str:
        """Read the best items of each row of ``asked``; nothing is sorted whole.

        As many more are fetched as the user has seen, then those are dropped. The longest item
        vectors come first and give a floor: an item can only be among the best when its score
        reaches it, and only be scored so high when its length allows (Cauchy-Schwarz).
        """
        # Nothing is missing in ``wishes`` and ``goods``: a bare product takes half the time.
        score = "list_inner_product(u.v, i.v)"
        if not self.implicit:
            score = (
                f"{render(number(self.intercept))} + u.intercept + i.intercept "
                f"+ cast({score} as double)"
            )
        best = f"max(struct_pack(s := {score}, t := -i.item_number), u.wanted)"
        length = "sqrt(cast(list_inner_product(v, v) as double))"
        nothing = f"list_resize(cast([] as float[]), {self.factors}, cast(0 as float))"
        # A product of floats loses a relative 64 * 6e-8 at most: the bound allows for that.
        bound = "1.00001e0 * u.length * i.length"
        if not self.implicit:
            bound += f" + 1.0e-6 + {render(number(self.intercept))} + u.intercept + i.intercept"
        return f"""goods as materialized (
    select *, row_number() over (order by length desc, item_number) as length_rank
    from (select *, {length} as length from {self.items})
), wishes as materialized (
    select *, {length} as length from (
        select u, coalesce(intercept, 0.0e0) as intercept, coalesce(v, {nothing}) as v, least(
            n + case when unseen_only then coalesce(len(seen_items), 0) else 0 end,
            (select count(*) from goods)) as wanted
        from asked where n > 0)
), floors as (
    select u.u, {best} as b
    from wishes as u cross join (from goods where length_rank <= {_FIRST}) as i group by u.u
), bounded as (
    select w.*, case
            when len(f.b) >= w.wanted then f.b[w.wanted].s else cast('-infinity' as float)
        end as floor
    from wishes as w inner join floors as f on f.u = w.u
), best as (
    select u.u, {best} as b from bounded as u cross join goods as i
    where {bound} >= u.floor and {score} >= u.floor group by u.u
), listed as (
    select u, unnest(b, recursive := true) from best
), ranked as (
    select listed.u, -listed.t as item_number, listed.s,
        row_number() over (partition by listed.u order by listed.s desc, listed.t desc) as rank
    from listed inner join asked on asked.u = listed.u
    where not unseen_only or asked.seen_items is null
        or not list_contains(asked.seen_items, -listed.t)
)
select {self.shown("r.u", "i.item_id")}, cast(r.rank as integer) as rank,
    cast(r.s as double) as {identifier(self.predicted)}
from ranked as r inner join {{part:items}} as i on i.item_number = r.item_number
where r.rank <= n"""

    def _fold_in(self) -> str:
        names = self.columns
        own = f"x[{self.factors} + 1]" if not self.implicit else "0.0e0"
        return f"""(input) as table (
with {fold_in_steps(names, self.ridge, self.factors)}
select cast(u as {names.user_type}) as {identifier(names.user)}, {own} as intercept,
    x[1:{self.factors}] as factors, known as rating_count
from folded)"""

    def _top_new(self) -> str:
        own = f"x[{self.factors} + 1]" if not self.implicit else "0.0e0"
        return f"""(input, n := 10, unseen_only := true) as table (
with {fold_in_steps(self.columns, self.ridge, self.factors)},
asked as (
    select u, u as user_id, {own} as intercept, cast(x[1:{self.factors}] as float[]) as v,
        seen as seen_items
    from folded
), {self._best()})"""

    def _weights(self) -> str:
        factors = (
            f"list_transform(range(1, {self.factors} + 1), "
            "lambda x: struct_pack(factor := x, weight := cast(factors[x] as double)))"
        )
        names = self.columns
        user, item = (
            f"'{name.replace(chr(39), chr(39) * 2)}'" for name in (names.user, names.item)
        )
        whole = "'global__INTERCEPT__'"
        return f"""() as table (
select {user} as processed_input, user_id as feature, {factors} as factor_weights, intercept
from {{part:users}}
union all select {item}, item_id, {factors}, intercept from {{part:items}}
union all select {whole}, {whole},
    cast([] as struct(factor bigint, weight double)[]), {render(number(self.intercept))})"""


def prediction_name(columns: RatingColumns, implicit: bool) -> str:
    """Return the column with the prediction, as BigQuery ML calls it."""
    return f"predicted_{columns.rating}" + ("_confidence" if implicit else "")


def judge_ranking(answers: Answers, source: str, score: str, limit: str) -> str:
    """Return a query of `IMPLICIT_METRICS`.

    For each user all items are ranked that the user had not seen in training, with those of
    `source` among them. Users and items that training has not seen are left out.

    Parameters
    ----------
    answers : Answers
        The model.
    source : str
        What to read the judged rows from.
    score : str
        SQL over ``u`` and ``i``, higher first.
    limit : str
        SQL of the most users to judge; those with the first hashes of their id.

    Notes
    -----
    Average precision and NDCG count an item of `source` as relevant, whatever its rating. The
    average rank is the expected percentile of Hu, Koren and Volinsky (2008), section 5: 0 is the
    top of the list, 0.5 chance; ratings weigh it.
    """
    return f"""with judged as (
    select j.u, j.i, sum(j.r) as r from ({answers.columns.query(source)}) as j
    inner join {{part:users}} as u on u.user_id = j.u
    inner join {{part:items}} as i on i.item_id = j.i
    where j.r > 0 group by j.u, j.i
), chosen as materialized (
    select n, u.* from (select u as user_id, row_number() over (order by md5(u), u) as n
        from (select distinct u from judged))
    inner join {answers.users} as u using (user_id) where n <= {limit}
), wanted as (
    select c.n, i.item_number, j.r
    from judged as j inner join chosen as c on c.user_id = j.u
    inner join {{part:items}} as i on i.item_id = j.i
), hidden as (
    select n, item_number from (select n, unnest(seen_items) as item_number from chosen)
    anti join wanted using (n, item_number)
), scored as (
    select u.n, i.item_number, {score} as s from chosen as u cross join {answers.items} as i
), placed as (
    select n, item_number, s, row_number() over (partition by n order by s desc, item_number)
        as place
    from scored anti join hidden using (n, item_number)
), relevant as (
    select p.n, p.s, w.r, p.place,
        row_number() over (partition by p.n order by p.place) as hit,
        (select count(*) from {{part:items}}) - coalesce(h.hidden, 0) as candidates
    from placed as p inner join wanted as w using (n, item_number)
    left join (select n, count(*) as hidden from hidden group by n) as h using (n)
), users as (
    select n, avg(hit / place) as ap,
        sum(1 / log2(place + 1)) / sum(1 / log2(hit + 1)) as ndcg
    from relevant group by n
)
select (select avg(ap) from users) as mean_average_precision,
    (select avg((1 - s) * (1 - s)) from relevant) as mean_squared_error,
    (select avg(ndcg) from users) as normalized_discounted_cumulative_gain,
    (select sum(r * (place - 1) / nullif(candidates - 1, 0)) / sum(r) from relevant)
        as average_rank"""
