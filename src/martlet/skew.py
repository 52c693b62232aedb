"""Training statistics that stay with a model, and the stored function that compares rows with them.

Numbers keep a histogram of equal widths, everything else its most frequent values. The distance of
two histograms is the Jensen-Shannon divergence (Lin 1991, with logarithms to base 2, so at most 1)
over the edges of both, values spread evenly within a bucket; the distance of two sets of categories
is that, or the largest difference of a share (L-infinity), as in ML.VALIDATE_DATA_SKEW.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import duckdb

from martlet.estimators.base import Part
from martlet.sqltext import PREFIX, identifier, render, text

__all__ = ["skew_function", "training_statistics"]

#: Buckets and values that are kept of the training rows.
_BUCKETS, _VALUES = 10, 50

_COLUMNS = {
    "input": "varchar",
    "is_number": "boolean",
    "category": "varchar",
    "low": "double",
    "width": "double",
    "place": "bigint",
    "row_count": "bigint",
}

_NUMBERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "UHUGEINT", "BIGNUM", "FLOAT", "DOUBLE",
}  # fmt: skip

# The rows `v(name, number, category)` as buckets and values.
_SUMMARY = """
r as (
    select name, min(number) as low, max(number) as high
    from v where isfinite(number) group by name
),
n as (
    select
        v.name,
        case when r.high > r.low
            then least(floor((v.number - r.low) / (r.high - r.low) * {buckets}), {buckets} - 1)
            else 0
        end as place,
        any_value(r.low) as low,
        any_value((r.high - r.low) / {buckets}) as width,
        count(*) as row_count
    from v join r on r.name = v.name
    where isfinite(v.number)
    group by 1, 2
),
c as (
    select name, category, count(*) as row_count
    from v where category is not null
    group by 1, 2
    qualify row_number() over (partition by name order by count(*) desc, category) <= {values}
)
"""


def training_statistics(
    con: duckdb.DuckDBPyConnection, rows: str, features: Sequence[Mapping[str, str]]
) -> Part:
    """Summarise the features of the training rows.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the rows are.
    rows : str
        A query of the training rows.
    features : sequence of mapping
        ``name`` and ``type`` (DuckDB's) of each raw column.

    Returns
    -------
    Part
        One row a bucket (with its number of rows) or a frequent value.
    """
    if not features:
        return Part(_COLUMNS, [])
    summary = _SUMMARY.format(buckets=_BUCKETS, values=_VALUES)
    query = (
        f"with g as ({rows}), v as ({' union all '.join(_values(features, 'g'))}), {summary} "
        "select name, true, null, low, width, place, row_count from n union all "
        "select name, false, category, null, null, null, row_count from c order by all"
    )
    return Part(_COLUMNS, con.execute(query).fetchall())


def _is_number(kind: str) -> bool:
    base = kind.removesuffix("[]")
    return base in _NUMBERS or base.startswith(("DECIMAL", "TIMESTAMP"))


def _values(features: Sequence[Mapping[str, str]], rows: str) -> Iterator[str]:
    """Yield, for each column, a query of its values: ``name``, ``number``, ``category``."""
    for feature in features:
        kind = feature["type"]
        base = kind.removesuffix("[]")
        value = f"{rows}.{identifier(feature['name'])}"
        if kind.endswith("[]"):
            value = f"unnest(cast({value} as {kind}))"
        number, category = "cast(null as double)", "cast(null as varchar)"
        if base.startswith("TIMESTAMP"):
            number = f"epoch(cast(value as {base}))"
        elif _is_number(kind):
            number = "cast(value as double)"
        else:
            category = "cast(value as varchar)"
        yield (
            f"select {render(text(feature['name']))} as name, {number} as number, "
            f"{category} as category from (select {value} as value from {rows}) "
            "where value is not null"
        )


def skew_function(features: Sequence[Mapping[str, str]], kept: str) -> str:
    """Return the function that compares rows with the statistics of the training rows.

    Parameters
    ----------
    features : sequence of mapping
        ``name`` and ``type`` of each raw column.
    kept : str
        SQL of the rows of the companion table with the statistics.

    Returns
    -------
    str
        Text after ``create macro <name>``; no column at all makes a function without rows.
    """
    kinds = ", ".join(
        f"({place}, {render(text(item['name']))}, {str(_is_number(item['type'])).lower()})"
        for place, item in enumerate(features)
    )
    rows = f"{PREFIX}given"
    values = " union all ".join(_values(features, rows)) or (
        "select cast(null as varchar) as name, 0.0 as number, '' as category where false"
    )
    summary = _SUMMARY.format(buckets="num_histogram_buckets", values="num_rank_histogram_buckets")
    listed = f"(values {kinds}) as f(place, name, is_number)"
    if not features:
        listed = "(select 0 as place, '' as name, true as is_number where false) as f"
    return f"""(
    input, num_histogram_buckets := 10, num_rank_histogram_buckets := 50,
    categorical_default_threshold := 0.3, categorical_metric_type := 'L_INFTY',
    numerical_default_threshold := 0.3, thresholds := null
) as table (
with {rows} as (select * from query_table(input)), k as {kept}, v as ({values}), {summary},
shares as (
    select 'base' as side, k.input as name, low, width, place, category,
        row_count / sum(row_count) over (partition by k.input) as share
    from k
    union all
    select 'study', name, low, width, place, null,
        row_count / sum(row_count) over (partition by name) from n
    union all
    select 'study', name, null, null, null, category,
        row_count / sum(row_count) over (partition by name) from c
),
edges as (
    select distinct name, low + width * place as edge
    from (
        select distinct side, name, low, width,
            unnest(range(case side when 'base' then {_BUCKETS} else num_histogram_buckets end + 1))
                as place
        from shares where category is null
    )
),
cumulated as (
    select e.name, e.edge, s.side, sum(s.share * case
        when s.width > 0 then least(greatest((e.edge - s.low) / s.width - s.place, 0), 1)
        when e.edge >= s.low then 1
        else 0
    end) as below
    from edges as e join shares as s on s.name = e.name and s.category is null
    group by all
),
bins as (
    select side, name, cast(edge as varchar) as bin,
        below - coalesce(lag(below) over (partition by side, name order by edge), 0) as share
    from cumulated
    union all
    select side, name, category, share from shares where category is not null
),
paired as (
    select name, bin,
        coalesce(max(share) filter (where side = 'base'), 0) as p,
        coalesce(max(share) filter (where side = 'study'), 0) as q
    from bins group by name, bin
),
measured as (
    select name, max(abs(p - q)) as l_infty, greatest(sum(
        case when p > 0 then p / 2 * log2(2 * p / (p + q)) else 0 end
        + case when q > 0 then q / 2 * log2(2 * q / (p + q)) else 0 end
    ), 0) as divergence, sum(p) > 0 and sum(q) > 0 as has_both
    from paired group by name
),
compared as (
    select
        f.place,
        f.name as input,
        case when f.is_number then 'JENSEN_SHANNON_DIVERGENCE' else categorical_metric_type end
            as metric,
        cast(coalesce(
            cast(thresholds as map(varchar, double))[lower(f.name)],
            case when f.is_number then numerical_default_threshold
                else categorical_default_threshold end
        ) as double) as threshold,
        cast(case
            when m.name is null then 0
            when not m.has_both then 1
            when not f.is_number and categorical_metric_type = 'L_INFTY' then m.l_infty
            else m.divergence
        end as double) as value
    from {listed} left join measured as m on m.name = f.name
)
select compared.input, metric, threshold, value, value > threshold as is_anomaly
from compared order by compared.input
)"""
