"""The answers of the purchase processes as DuckDB SQL.

The functions read the parameters from the companion table ``fits``, so that one function serves
every date and cohort a fit was made for. What depends on fewer values than a row has is
computed once for each distinct set of them: the expectation given alive depends on purchases
and age only, the terms of its series on purchases only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from martlet.sqltext import PREFIX, identifier

__all__ = [
    "HistoryColumns",
    "alive_function",
    "evaluate_function",
    "expectation_function",
    "predict_function",
]

#: Most terms of a series; reached only by customers with hundreds of thousands of purchases.
MOST_TERMS = 200_000

#: Places the integral of the Pareto/NBD's distribution is added up at.
_NODES = 48

#: It leaves out exp(-32) on either side.
_REACH = 32.0

#: What is foretold of the purchases within a horizon.
_ENDINGS = ("", "_variance", "_lower", "_upper", "_interval_probability")


@dataclass(frozen=True)
class HistoryColumns:
    """Where the input has what the functions read.

    Attributes
    ----------
    frequency, recency, age
        Columns with repeat purchases, time of the last one, time observed.
    as_of
        Column with the date looked from, if fits are made by date.
    cohorts
        Columns that name the cohort, if fits are made by cohort.
    families
        The families among the fits that predict; leaves out SQL that none of them needs.
    fraction_steps
        Steps of the continued fraction that the Pareto/NBD needs.
    """

    frequency: str
    recency: str
    age: str
    as_of: str | None = None
    cohorts: Sequence[str] = ()
    families: frozenset[str] = frozenset({"bg_nbd", "mbg_nbd", "pareto_nbd", "nbd"})
    fraction_steps: int = 60

    @property
    def cohort(self) -> str:
        """SQL of the cohort's name."""
        return cohort_name(self.cohorts)


def cohort_name(columns: Sequence[str]) -> str:
    """Return SQL that names a row's cohort from its columns."""
    named = [f"coalesce(cast({identifier(name)} as varchar), '')" for name in columns]
    return f"concat_ws(' | ', {', '.join(named)})"


def _histories(columns: HistoryColumns, source: str, more: str) -> str:
    """Return the steps that read the rows and find the fit that holds for each."""
    as_of = f"cast({identifier(columns.as_of)} as date)" if columns.as_of else "cast(null as date)"
    cohort = columns.cohort if columns.cohorts else "cast(null as varchar)"
    x, t, age = (
        f"cast({identifier(name)} as double)"
        for name in (columns.frequency, columns.recency, columns.age)
    )
    p = PREFIX
    head = f"""
{p}rows as (
    select *, {as_of} as {p}date, {cohort} as {p}cohort,
        {x} as {p}x, {t} as {p}t, {age} as {p}age{more}
    from {source}
)"""
    chosen = f"""f.as_of_date as {p}fit_date, f.set_number as {p}set,
        f.predicting_family as {p}family,
        f.r as {p}r, f.alpha as {p}alpha, f.a as {p}a, f.b as {p}b,
        f.s as {p}s, f.beta as {p}beta,
        case when f.predicting_family = 'mbg_nbd' then 1 else 0 end as {p}first"""
    if not columns.as_of and not columns.cohorts:
        # One fit answers all rows: nothing to look up.
        return f"""{head},
{p}fits as (select {chosen} from {{part:fits}} as f where f.is_chosen),
{p}joined as (select r.*, f.* from {p}rows as r cross join {p}fits as f)"""
    return f"""{head},
{p}keys as (select distinct {p}date, {p}cohort from {p}rows),
-- The latest fit that knows nothing from after the row's date; a cohort's own before that of all.
{p}fits as (
    select k.{p}date as {p}fit_for_date, k.{p}cohort as {p}fit_for_cohort, {chosen},
        row_number() over (
            partition by k.{p}date, k.{p}cohort
            order by f.as_of_date desc nulls last, f.cohort asc nulls last
        ) as {p}place
    from {p}keys as k
    inner join {{part:fits}} as f
        on f.is_chosen
        and (f.as_of_date is null or f.as_of_date <= k.{p}date)
        and (f.cohort is null or f.cohort = k.{p}cohort)
),
{p}joined as (
    select r.*, f.*
    from {p}rows as r
    left join {p}fits as f
        on f.{p}place = 1
        and r.{p}date is not distinct from f.{p}fit_for_date
        and r.{p}cohort is not distinct from f.{p}fit_for_cohort
)"""


def _fraction(steps: int, b: str, c: str, z: str) -> str:
    """Return SQL of 2F1(1, b; c; z) as Gauss's continued fraction, last step first."""
    p = PREFIX
    half = f"floor({p}k / 2)"
    places = f"list_transform(range({steps}, 0, -1), lambda {p}k: cast({p}k as double))"
    return (
        f"1 / list_reduce({places}, "
        f"lambda {p}tail, {p}k: 1 - (case when {p}k % 2 = 1 "
        f"then ({b} + {half}) * ({c} - 1 + {half}) / (({c} + {p}k - 2) * ({c} + {p}k - 1)) "
        f"else {half} * ({c} - {b} + {half} - 1) / (({c} + {p}k - 2) * ({c} + {p}k - 1)) end) "
        f"* {z} / {p}tail, cast(1 as double))"
    )


def _fractions(columns: HistoryColumns, horizons: Sequence[int | str]) -> str:
    """Return the step with C(y) at every distinct time, for the Pareto/NBD."""
    p = PREFIX
    times = [f"{p}t", f"{p}age", *(f"{p}age + {horizon}" for horizon in horizons)]
    distinct = " union ".join(
        f"select {p}set, {p}x, {time} as {p}time, {p}r, {p}alpha, {p}s, {p}beta "
        f"from {p}joined where {p}family = 'pareto_nbd'"
        for time in times
    )
    value = _fraction(
        columns.fraction_steps,
        f"({p}r + {p}x)",
        f"({p}r + {p}s + {p}x + 1)",
        f"(({p}alpha - {p}beta) / ({p}alpha + {p}time))",
    )
    return f""",
{p}times as ({distinct}),
{p}fractions as (
    select {p}set as {p}key_set, {p}x as {p}key_x, {p}time as {p}key_time, {value} as {p}fraction
    from {p}times
)"""


def _gone_terms(pareto: bool) -> tuple[str, str, str]:
    """Return SQL of 1 / grown likelihood, and of the two parts of the odds of having left.

    Everything is divided by the growth E, which overflows for customers with many purchases:
    P(alive) = e / (e + then - later e) with e = 1 / E.
    """
    p = PREFIX
    shrunk = f"exp(({p}r + {p}x) * ln(({p}alpha + {p}t) / ({p}alpha + {p}age)))"
    share = (
        f"case when {p}family in ('bg_nbd', 'mbg_nbd') and {p}x + {p}first > 0 "
        f"then {p}a / ({p}b + {p}x - 1 + {p}first) else 0.0e0 end"
    )
    if not pareto:
        return shrunk, share, "0.0e0"
    is_pareto = f"{p}family = 'pareto_nbd'"
    shrunk = (
        f"{shrunk} * case when {is_pareto} "
        f"then exp({p}s * ln(({p}beta + {p}t) / ({p}beta + {p}age))) else 1.0e0 end"
    )
    weight = f"{p}s / ({p}r + {p}s + {p}x)"
    then = f"case when {is_pareto} then {weight} * {p}c_t.{p}fraction else {share} end"
    later = f"case when {is_pareto} then {weight} * {p}c_age.{p}fraction else 0.0e0 end"
    return shrunk, then, later


def _join_fraction(alias: str, time: str) -> str:
    p = PREFIX
    return (
        f" left join {p}fractions as {p}c_{alias} on {p}c_{alias}.{p}key_set = {p}set "
        f"and {p}c_{alias}.{p}key_x = {p}x and {p}c_{alias}.{p}key_time = {time}"
    )


def _alive_steps(
    columns: HistoryColumns,
    horizons: Sequence[int | str] = (),
    source: str = "query_table(input)",
    more: str = "",
) -> str:
    """Return the steps up to the probability of being alive, one row for each given."""
    p = PREFIX
    pareto = "pareto_nbd" in columns.families
    shrunk, then, later = _gone_terms(pareto)
    joins, kept = "", ""
    if pareto:
        joins = _join_fraction("t", f"{p}t") + _join_fraction("age", f"{p}age")
        for horizon in horizons:
            joins += _join_fraction(f"h{horizon}", f"{p}age + {horizon}")
            kept += f", {p}c_h{horizon}.{p}fraction as {p}fraction_{horizon}"
    fractions = _fractions(columns, horizons) if pareto else ""
    return f"""with {_histories(columns, source, more)}{fractions},
{p}odds as (
    select {p}joined.*, {shrunk} as {p}shrunk, {then} as {p}then, {later} as {p}later{kept}
    from {p}joined{joins}
),
{p}alive_rows as (
    select *,
        case when {p}x >= 0 and {p}t >= 0 and {p}age >= {p}t then
            {p}shrunk / ({p}shrunk + greatest({p}then - {p}later * {p}shrunk, 0))
        end as {p}alive
    from {p}odds
)"""


def alive_function(columns: HistoryColumns) -> str:
    """Return the function that adds the probability of being alive to rows."""
    name = "predicted_alive_probability"
    return (
        f"(input) as table ({_alive_steps(columns)} select {{inputs:{name}}}, "
        f"{PREFIX}alive as {name} from {PREFIX}alive_rows)"
    )


def _moment_steps(columns: HistoryColumns, horizons: str) -> str:
    """Return the steps with E[Y] and E[Y(Y-1)] given alive, one row a purchase count and age."""
    p = PREFIX
    geometric = bool(columns.families & {"bg_nbd", "mbg_nbd"})
    base = f""",
{p}pairs as (
    select distinct {p}set, {p}x, {p}age, {p}family, {p}r, {p}alpha, {p}a, {p}b, {p}s, {p}beta,
        {p}first
    from {p}alive_rows where {p}alive is not null
),
{p}spans as (
    select *, {p}r + {p}x as {p}shape, {p}h / ({p}alpha + {p}age + {p}h) as {p}z,
        ({p}r + {p}x) * {p}h / ({p}alpha + {p}age) as {p}mean
    from (select *, cast(unnest({horizons}) as double) as {p}h from {p}pairs)
)"""
    series, joined = "", ""
    once, twice = "null", "null"
    if geometric:
        series = _series_steps()
        joined = (
            f" left join {p}sums as e on s.{p}set = e.{p}set and s.{p}x = e.{p}x "
            f"and s.{p}age = e.{p}age and s.{p}h = e.{p}h"
        )
        once, twice = f"e.{p}once", f"e.{p}twice"
    rest = f"(s.{p}beta + s.{p}age)"
    growth = f"ln(1 + s.{p}h / {rest})"

    def gap(power: str) -> str:
        u = f"({power} * {growth})"
        return (
            f"(case when abs{u} < 1e-5 then {growth} * (1 + {u} / 2 + pow({u}, 2) / 6) "
            f"else (exp{u} - 1) / {power} end)"
        )

    first, second = gap(f"(1 - s.{p}s)"), gap(f"(2 - s.{p}s)")
    shape, rate = f"s.{p}shape", f"(s.{p}alpha + s.{p}age)"
    return (
        base
        + series
        + f""",
{p}moments as (
    select s.{p}set, s.{p}x, s.{p}age, s.{p}h,
        case s.{p}family when 'nbd' then s.{p}mean
            when 'pareto_nbd' then {shape} / {rate} * {rest} * {first}
            else {once} end as {p}once,
        case s.{p}family when 'nbd' then s.{p}mean * s.{p}mean * (1 + 1 / {shape})
            when 'pareto_nbd' then {shape} * ({shape} + 1) / pow({rate}, 2) * 2 * pow({rest}, 2)
                * ({second} - {first})
            else {twice} end as {p}twice
    from {p}spans as s{joined}
)"""
    )


def _series_steps() -> str:
    """Return the steps that add the series of the beta-geometric families.

    A term is the chance of n purchases by a customer who never leaves, times those of them that
    one who may leave makes: S(n) = sum over j < n of the chance to stay j times; all positive.
    What belongs to purchases and n alone is computed once; one exponential a term is left.
    """
    p = PREFIX
    loyal = f"({p}b + {p}x + {p}first)"
    stayed = (
        f"exp(lgamma({loyal} + {p}n) - lgamma({loyal}) "
        f"- lgamma({p}a + {loyal} + {p}n) + lgamma({p}a + {loyal}))"
    )
    frame = (
        f"over (partition by {p}set, {p}x order by {p}n "
        "rows between unbounded preceding and 1 preceding)"
    )
    return f""",
{p}lengths as (
    select {p}set, {p}x, {p}age, {p}h, {p}shape, ln({p}z) as {p}log_z, ln(1 - {p}z) as {p}log_rest,
        cast(least(ceil(
            {p}mean + 10 * sqrt({p}mean / (1 - {p}z)) + 34 / -ln({p}z)
        ), {MOST_TERMS}) as bigint) as {p}terms,
        {p}a, {p}b, {p}first
    from {p}spans
    where {p}family in ('bg_nbd', 'mbg_nbd')
),
{p}places as (
    select *, cast(unnest(range(0, {p}most + 1)) as double) as {p}n
    from (
        select {p}set, {p}x, {p}shape, {p}a, {p}b, {p}first, max({p}terms) as {p}most
        from {p}lengths
        group by {p}set, {p}x, {p}shape, {p}a, {p}b, {p}first
    )
),
{p}stays as (select *, {stayed} as {p}stayed from {p}places),
{p}prefixes as (
    select {p}set, {p}x, {p}n,
        lgamma({p}shape + {p}n) - lgamma({p}shape) - lgamma({p}n + 1) as {p}log_count,
        sum({p}stayed) {frame} as {p}happen,
        sum(2 * {p}n * {p}stayed) {frame} as {p}happen_twice
    from {p}stays
),
{p}terms as (
    select {p}set, {p}x, {p}n, {p}log_count + ln({p}happen) as {p}log_term,
        {p}happen_twice / {p}happen as {p}ratio
    from {p}prefixes where {p}n > 0
),
{p}sums as (
    select {p}set, {p}x, {p}age, {p}h, sum({p}term) as {p}once, sum({p}term * {p}ratio) as {p}twice
    from (
        select l.{p}set, l.{p}x, l.{p}age, l.{p}h, t.{p}ratio,
            exp(t.{p}log_term + t.{p}n * l.{p}log_z + l.{p}shape * l.{p}log_rest) as {p}term
        from {p}lengths as l
        inner join {p}terms as t
            on l.{p}set = t.{p}set and l.{p}x = t.{p}x and t.{p}n <= l.{p}terms
    )
    group by {p}set, {p}x, {p}age, {p}h
)"""


def evaluate_function(columns: HistoryColumns, entity: str | None, horizon: float) -> str:
    """Return the function that judges a fit on rows.

    ``holdout_log_score`` is the mean logarithm of the probability given to what happened: did a
    customer of one date buy again until the first date at least a horizon later? NULL without dates
    or a key. ``mean_log_likelihood`` is of the histories themselves.

    Parameters
    ----------
    columns : HistoryColumns
        What the input has.
    entity : str or None
        Column with the customer's key.
    horizon : float
        Least days from a date to the one that tells.
    """
    p = PREFIX
    source = "query_table(input)"
    days = f", cast(0 as double) as {p}days, cast(null as boolean) as {p}bought"
    if columns.as_of and entity:
        key, x = identifier(entity), f"cast({identifier(columns.frequency)} as double)"
        known = f"select {key} as {p}key, cast({identifier(columns.as_of)} as date) as {p}day"
        source = f"""(
    with days as (select distinct {p}day from ({known} from query_table(input))),
    pairs as (
        select b.{p}day as since, min(l.{p}day) as until from days as b inner join days as l
            on date_diff('day', b.{p}day, l.{p}day) >= {float(horizon)!r} group by b.{p}day
    ),
    later as (select {key} as {p}key, cast({identifier(columns.as_of)} as date) as {p}day,
        {x} as {p}count from query_table(input))
    select i.*, coalesce(date_diff('day', pairs.since, pairs.until), 0)::double as {p}days,
        later.{p}count > cast(i.{identifier(columns.frequency)} as double) as {p}bought
    from query_table(input) as i
    left join pairs on cast(i.{identifier(columns.as_of)} as date) = pairs.since
    left join later on i.{key} = later.{p}key and pairs.until = later.{p}day
)"""
        days = ""
    steps = _alive_steps(columns, [f"{p}days"], source, days)
    none = f"greatest(least({_no_purchase(columns, f'{p}days')}, 1 - 1e-9), 1e-9)"
    n = f"({p}x + {p}first)"
    loyal = f"lgamma({p}b + {n}) - lgamma({p}b) + lgamma({p}a + {p}b) - lgamma({p}a + {p}b + {n})"
    likelihood = (
        f"lgamma({p}r + {p}x) - lgamma({p}r) + {p}r * ln({p}alpha) "
        f"- ({p}r + {p}x) * ln({p}alpha + {p}age) - ln(greatest({p}alive, 1e-300)) "
        f"+ case {p}family when 'nbd' then 0 "
        f"when 'pareto_nbd' then {p}s * ln({p}beta / ({p}beta + {p}age)) else {loyal} end"
    )
    return (
        f"(input) as table ({steps} select "
        f"avg(ln(case when {p}bought then 1 - {p}none else {p}none end)) "
        f"filter (where {p}bought is not null) as holdout_log_score, "
        f"avg({p}likelihood) as mean_log_likelihood "
        f"from (select {p}bought, {none} as {p}none, {likelihood} as {p}likelihood "
        f"from {p}alive_rows as a where {p}alive is not null))"
    )


def expectation_function(columns: HistoryColumns) -> str:
    """Return the function that adds the purchases expected within a horizon to rows."""
    p, name = PREFIX, "predicted_purchases"
    return (
        f"(input, horizon) as table ({_alive_steps(columns)}{_moment_steps(columns, '[horizon]')} "
        f"select {{inputs:{name}}}, a.{p}alive * m.{p}once as {name} "
        f"from {p}alive_rows as a left join {p}moments as m "
        f"on a.{p}set = m.{p}set and a.{p}x = m.{p}x and a.{p}age = m.{p}age)"
    )


def predict_function(columns: HistoryColumns, horizons: Sequence[int], level: float) -> str:
    """Return the function that adds all predictions to rows.

    Parameters
    ----------
    columns : HistoryColumns
        What the input has.
    horizons : sequence of int
        Times to look ahead, in the unit of the ages.
    level : float
        Coverage of the intervals.
    """
    p = PREFIX
    listed = "[" + ", ".join(str(horizon) for horizon in horizons) + "]"
    joins, makes, bounds = "", [], []
    outputs = ["fit_family", "fit_as_of_date", "predicted_alive_probability"]
    selects = [
        f"{p}family as fit_family",
        f"{p}fit_date as fit_as_of_date",
        f"{p}alive as predicted_alive_probability",
    ]
    for h in horizons:
        key = (
            f"on a.{p}set = {{0}}{h}.{p}set and a.{p}x = {{0}}{h}.{p}x "
            f"and a.{p}age = {{0}}{h}.{p}age and {{0}}{h}.{p}h = {h}"
        )
        joins += f" left join {p}moments as m{h} {key.format('m')}"
        joins += f" left join {p}tails as t{h} {key.format('t')}"
        makes += [
            f"a.{p}alive * m{h}.{p}once as {p}once_{h}",
            f"a.{p}alive * m{h}.{p}twice as {p}twice_{h}",
            f"{_no_purchase(columns, h)} as {p}none_{h}",
            f"t{h}.{p}tails as {p}tails_{h}",
        ]
        bounds += [
            f"{sql} as {p}{side}_{h}"
            for side, sql in zip(("lower", "upper"), _interval(h, level), strict=True)
        ]
        names = [f"predicted_purchases_{h}{end}" for end in _ENDINGS]
        selects += [
            f"{p}once_{h} as {names[0]}",
            f"{p}twice_{h} + {p}once_{h} - pow({p}once_{h}, 2) as {names[1]}",
            f"{p}lower_{h} as {names[2]}",
            f"{p}upper_{h} as {names[3]}",
            f"{_between(h)} as {names[4]}",
            f"{p}none_{h} as predicted_no_purchase_probability_{h}",
        ]
        outputs += [*names, f"predicted_no_purchase_probability_{h}"]
    return (
        f"(input) as table ({_alive_steps(columns, horizons)}{_moment_steps(columns, listed)}"
        f"{_tail_steps(columns, (1 - level) / 2)},\n"
        f"{p}expected as (select a.*, {', '.join(makes)} from {p}alive_rows as a{joins}),\n"
        f"{p}bounded as (select *, {', '.join(bounds)} from {p}expected) "
        f"select {{inputs:{','.join(outputs)}}}, {', '.join(selects)} from {p}bounded)"
    )


def _no_purchase(columns: HistoryColumns, h: int | str) -> str:
    """Return SQL of the probability of no purchase within a horizon."""
    p = PREFIX
    ratio = f"exp((a.{p}r + a.{p}x) * ln((a.{p}alpha + a.{p}age) / (a.{p}alpha + a.{p}age + {h})))"
    plain = f"1 - a.{p}alive * (1 - {ratio})"
    if "pareto_nbd" not in columns.families:
        return plain
    ratio += f" * exp(a.{p}s * ln((a.{p}beta + a.{p}age) / (a.{p}beta + a.{p}age + {h})))"
    weight = f"a.{p}s / (a.{p}r + a.{p}s + a.{p}x)"
    pareto = (
        f"({ratio} * (1 - {weight} * a.{p}fraction_{h}) * a.{p}shrunk + a.{p}then) "
        f"/ (a.{p}shrunk + greatest(a.{p}then - a.{p}later * a.{p}shrunk, 0))"
    )
    return f"case when a.{p}family = 'pareto_nbd' then least({pareto}, 1) else {plain} end"


def _tail_steps(columns: HistoryColumns, least: float) -> str:
    """Return the step with P(Y > j | alive), j from 0, down to the first below ``least``.

    Beta-geometric: P(Y > j | alive) = P(N > j) S(j): the customer would buy more than j times and
    stays after each of the first j. Cantelli's inequality says how many j are enough.
    """
    p = PREFIX
    loyal = f"({p}b + {p}x + {p}first)"
    stayed = (
        f"case when {p}family = 'nbd' then 1 else exp(lgamma({loyal} + {p}n) - lgamma({loyal}) "
        f"- lgamma({p}a + {loyal} + {p}n) + lgamma({p}a + {loyal})) end"
    )
    count = (
        f"exp(lgamma({p}shape + {p}n) - lgamma({p}shape) - lgamma({p}n + 1) "
        f"+ {p}n * ln({p}z) + {p}shape * ln(1 - {p}z))"
    )
    enough = f"{p}mean + {(1 / least - 1) ** 0.5!r} * sqrt({p}mean / (1 - {p}z)) + 1"
    key = f"{p}set, {p}x, {p}age, {p}h"
    tail = f"""{stayed} * greatest(1 - sum({count}) over (
            partition by {key} order by {p}n rows between unbounded preceding and current row
        ), 0)"""
    limits = ""
    if "pareto_nbd" in columns.families:
        limits = f", {', '.join(_pareto_limits())}"
        tail = f"case when {p}family = 'pareto_nbd' then {_pareto_tail()} else {tail} end"
    return f""",
{p}tail_places as (
    select *{limits}
    from (
        select *, cast(unnest(range(0, cast(ceil({enough}) as bigint) + 1)) as double) as {p}n
        from {p}spans
    )
),
{p}tail_values as (
    select {key}, {p}n, {tail} as {p}tail
    from {p}tail_places
),
{p}tails as (
    select {key}, list({p}tail order by {p}n) as {p}tails
    from (
        select *, lag({p}tail, 1, 1.0) over (partition by {key} order by {p}n) as {p}before
        from {p}tail_values
    )
    where {p}before > {least!r}
    group by {key}
)"""


def _pareto_limits() -> tuple[str, str]:
    """Return SQL of where the integral of `_pareto_tail` begins and ends.

    The time of purchase j + 1 is (alpha + T) G / G', of two gamma variables with shapes j + 1 and
    r + x; each lies with 1 - exp(-x) between a - sqrt(2 a x) and a + sqrt(2 a x) + x.
    """
    p, x = PREFIX, _REACH
    later, own = f"({p}n + 1)", f"{p}shape"
    least = (
        f"(greatest({later} - sqrt({2 * x!r} * {later}), 0) "
        f"/ ({own} + sqrt({2 * x!r} * {own}) + {x!r}))"
    )
    few = f"greatest({own} - sqrt({2 * x!r} * {own}), 1e-300)"
    most = f"(({later} + sqrt({2 * x!r} * {later}) + {x!r}) / {few})"
    return (
        f"least({least} / (1 + {least}), {p}z) as {p}from",
        f"least({most} / (1 + {most}), {p}z) as {p}until",
    )


def _pareto_tail() -> str:
    """Return SQL of the Pareto/NBD's P(Y > j | alive).

    It is the chance that purchase j + 1 comes within the horizon and the customer is still there
    then: the integral of beta density (j + 1, r + x) of u = y / (alpha + T + y) times the survival
    ((beta + T) / (beta + T + y))^s, y the time of that purchase; by Gauss and Legendre's rule.
    """
    p = PREFIX
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    listed = ", ".join(
        f"{{'at': {float(at + 1) / 2!r}, 'weight': {float(weight) / 2!r}}}"
        for at, weight in zip(nodes, weights, strict=True)
    )
    u = f"({p}from + ({p}until - {p}from) * {p}node.at)"
    rest = f"({p}beta + {p}age)"
    gone = f"(({p}alpha + {p}age) * {u} / (1 - {u}))"
    log = (
        f"lgamma({p}n + 1 + {p}shape) - lgamma({p}shape) - lgamma({p}n + 1) "
        f"+ {p}n * ln({u}) + ({p}shape - 1) * ln(1 - {u}) - {p}s * ln(1 + {gone} / {rest})"
    )
    total = f"list_sum(list_transform([{listed}], lambda {p}node: {p}node.weight * exp({log})))"
    return f"case when {p}until > {p}from then ({p}until - {p}from) * {total} else 0 end"


def _interval(h: int, level: float) -> tuple[str, str]:
    """Return SQL of the fewest and the most purchases of an interval.

    Whole numbers leave out at most what the level allows. Where none is within the interval
    nothing lies below it, and all that may be left out is left out above.
    """
    out = 1 - level
    lower, most, upper = (_exceeded(h, tail) for tail in (1 - out / 2, out, out / 2))
    return lower, f"case when {lower} = 0 then {most} else {upper} end"


def _exceeded(h: int, tail: float) -> str:
    """Return SQL of the fewest purchases that are exceeded with at most the given probability."""
    p = PREFIX
    return f"array_length(list_filter({p}tails_{h}, lambda {p}tail: {p}alive * {p}tail > {tail!r}))"


def _between(h: int) -> str:
    """Return SQL of the probability of the interval."""
    p = PREFIX
    below = f"case when {p}lower_{h} = 0 then 1 else {p}alive * {p}tails_{h}[{p}lower_{h}] end"
    return f"{below} - {p}alive * {p}tails_{h}[{p}upper_{h} + 1]"
