"""Rules between items, with everything that tells a good rule from a lucky one.

A rule ``antecedent -> consequent`` has one item on the right. Counts are whole numbers and
thresholds are compared in counts. Measures: Brin et al. 1997 (lift, conviction, chi-square),
Piatetsky-Shapiro 1991 (leverage), Zhang 2000, Wu, Chen and Han 2010 (Kulczynski, imbalance);
redundancy as in arules: some part of the antecedent has at least the same confidence.
"""

from __future__ import annotations

import pyarrow as pa

from martlet.baskets.itemsets import Itemsets
from martlet.baskets.load import Baskets
from martlet.baskets.significance import fisher_p_values

__all__ = ["ITEMSET_COLUMNS", "RULE_COLUMNS", "itemset_table", "mine_rules", "rule_table"]

#: Type of each column of the itemsets, for an item of type VARCHAR.
ITEMSET_COLUMNS = {
    "items": "varchar[]",
    "item_count": "integer",
    "basket_count": "bigint",
    "support": "double",
    "is_closed": "boolean",
    "is_maximal": "boolean",
    "first_seen_at": "timestamp",
    "last_seen_at": "timestamp",
}

#: Type of each column of the rules.
RULE_COLUMNS = {
    "antecedent": "varchar[]",
    "consequent": "varchar",
    "item_count": "integer",
    "basket_count": "bigint",
    "antecedent_count": "bigint",
    "consequent_count": "bigint",
    "support": "double",
    "confidence": "double",
    "lift": "double",
    "lift_lower": "double",
    "lift_upper": "double",
    "leverage": "double",
    "conviction": "double",
    "zhang": "double",
    "kulczynski": "double",
    "imbalance_ratio": "double",
    "chi_square": "double",
    "fisher_p_value": "double",
    "fisher_q_value": "double",
    "is_redundant": "boolean",
    "is_closed": "boolean",
    "is_maximal": "boolean",
    "first_seen_at": "timestamp",
    "last_seen_at": "timestamp",
    "earlier_lift": "double",
    "recent_lift": "double",
    "lift_trend": "double",
    "lift_trend_z": "double",
    "attached_revenue_amount": "double",
    "attached_margin_amount": "double",
}

#: Variance of the logarithm of a lift, by the delta method over the four cells of the table.
_VARIANCE = (
    "greatest(1e0 / nullif({n}, 0) - 1e0 / nullif({a}, 0) - 1e0 / nullif({c}, 0) "
    "+ 2e0 * {n} / nullif({a}::double * {c}, 0) - 1e0 / nullif({total}, 0), 0)"
)


def mine_rules(baskets: Baskets, itemsets: Itemsets, min_confidence: float) -> None:
    """Make the temporary tables ``rules`` (kept) and ``superset`` of mined itemsets.

    Parameters
    ----------
    baskets : Baskets
        The loaded baskets.
    itemsets : Itemsets
        Their frequent itemsets.
    min_confidence : float
        Least share of the baskets with the antecedent that hold the consequent too. All rules are
        tested against chance and corrected for each other, those below it too.
    """
    table, con = baskets.table, baskets.con
    sets, candidates, total = table("sets"), table("rule_candidates"), baskets.baskets
    con.execute(
        f"create or replace temp table {candidates} as select parts.set_id, parts.size, "
        "parts.consequent, sub.set_id as antecedent_id, sub.items as antecedent, parts.n, "
        "sub.n as n_a, one.n as n_c, parts.n_recent, sub.n_recent as a_recent, "
        "one.n_recent as c_recent, parts.first_tid, parts.last_tid, "
        f"parts.n::double / sub.n as confidence, one.n::double / {total} as weaker from ("
        f"select *, unnest(items) as consequent from {sets} where size > 1) as parts "
        f"inner join {sets} as sub on sub.size = parts.size - 1 and sub.items = "
        "list_filter(parts.items, lambda x: x <> parts.consequent) "
        f"inner join {sets} as one on one.size = 1 and one.last_item = parts.consequent"
    )
    con.execute(
        f"create or replace temp table {table('superset')} as select antecedent_id as set_id, "
        f"max(n) as n from {candidates} group by antecedent_id"
    )
    for size in range(3, len(itemsets.levels) + 1):
        _pass_on_confidence(baskets, size)
    _test(baskets)
    con.execute(
        f"create or replace temp table {table('rules')} as select candidates.*, tested.p, tested.q "
        f"from {candidates} as candidates inner join {table('tested')} as tested "
        "using (n, n_a, n_c) "
        f"where candidates.n >= {float(min_confidence)!r} * candidates.n_a - 1e-9"
    )
    _attach_money(baskets, itemsets)


def _pass_on_confidence(baskets: Baskets, size: int) -> None:
    """Note the best confidence that any part of the antecedent has, from the size before."""
    candidates = baskets.table("rule_candidates")
    baskets.con.execute(
        f"update {candidates} as rules set weaker = found.best from ("
        "select rules.set_id, rules.consequent, "
        "max(greatest(shorter.confidence, shorter.weaker)) as best "
        f"from {candidates} as rules inner join {candidates} as removed "
        "on removed.set_id = rules.set_id and removed.consequent <> rules.consequent "
        f"inner join {candidates} as shorter on shorter.set_id = removed.antecedent_id "
        f"and shorter.consequent = rules.consequent where rules.size = {size} group by 1, 2"
        ") as found where rules.set_id = found.set_id and rules.consequent = found.consequent"
    )


def _test(baskets: Baskets) -> None:
    """Test every different table of counts once and control the false discovery rate.

    Benjamini and Hochberg 1995, over all rules.
    """
    table, con = baskets.table, baskets.con
    tests = con.execute(
        f"select n, n_a, n_c, count(*) as rules from {table('rule_candidates')} "
        "group by all order by all"
    ).fetchnumpy()
    tests["p"] = fisher_p_values(tests["n"], tests["n_a"], tests["n_c"], baskets.baskets)
    con.register("__martlet_tests", tests)
    con.execute(
        f"create or replace temp table {table('tested')} as select n, n_a, n_c, p, "
        "least(min(p * total / rank) over (order by p desc), 1) as q from ("
        "select *, sum(rules) over () as total, sum(rules) over (order by p) as rank "
        "from __martlet_tests)"
    )
    con.unregister("__martlet_tests")


def _attach_money(baskets: Baskets, itemsets: Itemsets) -> None:
    """Sum what the consequent brought in the baskets of the whole rule."""
    table = baskets.table
    given = baskets.columns.amount or baskets.columns.margin
    queries = [
        "select rules.set_id, rules.consequent, sum(lines.amount) as amount, "
        f"sum(lines.margin) as margin from {table('rules')} as rules "
        f"inner join {table(f'in_{size}')} as members on members.set_id = rules.set_id "
        f"inner join {table('lines')} as lines "
        f"on lines.tid = members.tid and lines.item = rules.consequent where rules.size = {size} "
        "group by 1, 2"
        for size in range(2, len(itemsets.levels) + 1)
        if given
    ]
    empty = (
        "select null::integer as set_id, null::integer as consequent, null::double as amount, "
        "null::double as margin where false"
    )
    baskets.con.execute(
        f"create or replace temp table {table('money')} as {' union all '.join(queries) or empty}"
    )


def itemset_table(baskets: Baskets, itemsets: Itemsets) -> pa.Table:
    """Return the frequent itemsets with the columns `ITEMSET_COLUMNS`, commonest first.

    Of the longest sets it is not known whether they are closed or maximal when the size was
    limited: NULL.
    """
    table = baskets.table
    named = _names(baskets)
    return baskets.con.sql(
        f"{named} select named.items, sets.size as item_count, sets.n as basket_count, "
        f"sets.n::double / {baskets.baskets} as support, "
        f"{_closed(itemsets)} as is_closed, {_maximal(itemsets)} as is_maximal, "
        "first.basket_at as first_seen_at, last.basket_at as last_seen_at "
        f"from {table('sets')} as sets inner join named using (set_id) "
        f"left join {table('superset')} as superset on superset.set_id = sets.set_id "
        f"inner join {table('times')} as first on first.tid = sets.first_tid "
        f"inner join {table('times')} as last on last.tid = sets.last_tid "
        "order by sets.n desc, sets.size, named.items"
    ).to_arrow_table()


def rule_table(baskets: Baskets, itemsets: Itemsets) -> pa.Table:
    """Return the rules with the columns `RULE_COLUMNS`, highest lift first."""
    table, total = baskets.table, baskets.baskets
    recent = total - baskets.boundary
    counts = {
        "all": {"n": "n", "a": "n_a", "c": "n_c", "total": total},
        "recent": {"n": "n_recent", "a": "a_recent", "c": "c_recent", "total": recent},
        "earlier": {
            "n": "(n - n_recent)",
            "a": "(n_a - a_recent)",
            "c": "(n_c - c_recent)",
            "total": total - recent,
        },
    }
    variance = {when: _VARIANCE.format(**part) for when, part in counts.items()}
    lift = {
        when: "{n}::double * {total} / nullif({a}::double * {c}, 0)".format(**part)
        for when, part in counts.items()
    }
    n = f"{total}::double"
    return baskets.con.sql(
        f"{_names(baskets)}, measured as (select rules.*, "
        f"{lift['all']} as lift, {lift['recent']} as lift_recent, "
        f"{lift['earlier']} as lift_earlier, sqrt({variance['all']}) as spread, "
        f"sqrt({variance['recent']} + {variance['earlier']}) as trend_spread, "
        f"n / {n} as support, n_a / {n} as s_a, n_c / {n} as s_c from {table('rules')} as rules) "
        "select named.items as antecedent, items.name as consequent, rules.size as item_count, "
        "rules.n as basket_count, n_a as antecedent_count, n_c as consequent_count, support, "
        "confidence, lift, lift * exp(-1.959963984540054e0 * spread) as lift_lower, "
        "lift * exp(1.959963984540054e0 * spread) as lift_upper, "
        "support - s_a * s_c as leverage, "
        "case when rules.n < n_a then (1e0 - s_c) / (1e0 - confidence) end as conviction, "
        "coalesce((support - s_a * s_c) / nullif(greatest(support * (1e0 - s_a), "
        "s_a * (s_c - support)), 0), 0) as zhang, "
        "(confidence + rules.n::double / n_c) / 2 as kulczynski, "
        "abs(n_a - n_c)::double / (n_a + n_c - rules.n) as imbalance_ratio, "
        f"{n} * pow(rules.n * {n} - n_a::double * n_c, 2) / nullif(n_a::double * n_c "
        f"* ({n} - n_a) * ({n} - n_c), 0) as chi_square, p as fisher_p_value, "
        "q as fisher_q_value, weaker >= confidence as is_redundant, "
        f"{_closed(itemsets, 'rules.n')} as is_closed, {_maximal(itemsets)} as is_maximal, "
        "first.basket_at as first_seen_at, last.basket_at as last_seen_at, "
        "lift_earlier as earlier_lift, lift_recent as recent_lift, "
        "case when lift_earlier > 0 and lift_recent > 0 then ln(lift_recent / lift_earlier) end "
        "as lift_trend, case when lift_earlier > 0 and lift_recent > 0 "
        "then ln(lift_recent / lift_earlier) / nullif(trend_spread, 0) end as lift_trend_z, "
        "money.amount as attached_revenue_amount, money.margin as attached_margin_amount "
        "from measured as rules "
        "inner join named on named.set_id = rules.antecedent_id "
        f"inner join {table('all_items')} as items on items.item = rules.consequent "
        f"left join {table('superset')} as superset on superset.set_id = rules.set_id "
        f"left join {table('money')} as money on money.set_id = rules.set_id "
        "and money.consequent = rules.consequent "
        f"inner join {table('times')} as first on first.tid = rules.first_tid "
        f"inner join {table('times')} as last on last.tid = rules.last_tid "
        "order by lift desc, basket_count desc, antecedent, consequent"
    ).to_arrow_table()


def _names(baskets: Baskets) -> str:
    """Begin a query with the names of the items of each set, in alphabetical order."""
    return (
        "with named as (select parts.set_id, list(items.name order by items.name) as items from ("
        f"select set_id, unnest(items) as item from {baskets.table('sets')}) as parts "
        f"inner join {baskets.table('all_items')} as items using (item) group by parts.set_id)"
    )


def _closed(itemsets: Itemsets, count: str = "sets.n") -> str:
    longest = f"size = {len(itemsets.levels)}" if not itemsets.complete else "false"
    return f"case when {longest} then null else coalesce(superset.n < {count}, true) end"


def _maximal(itemsets: Itemsets) -> str:
    longest = f"size = {len(itemsets.levels)}" if not itemsets.complete else "false"
    return f"case when {longest} then null else superset.n is null end"
