"""Baskets: counts against published ones and brute force, completion, sequences, search."""

from __future__ import annotations

import itertools
import json
import math
import random
import re
import shutil
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from martlet.baskets.itemsets import mine_itemsets
from martlet.baskets.load import BasketColumns, Baskets, least_count, load_baskets
from martlet.baskets.rules import itemset_table, mine_rules, rule_table
from martlet.baskets.significance import fisher_p_values
from martlet.errors import MartletError
from martlet.fit import ModelSpec, Outcome, fit_model
from martlet.simulate import ShopConfig, simulate_shop
from ml_support import connect, rows
from support import PROJECT, query

DATA = PROJECT.parent / "shared" / "data"
GROCERIES = DATA / "groceries" / "transactions.parquet"
TOYS = DATA / "amazon_toys_5core" / "interactions.parquet"

needs_groceries = pytest.mark.skipif(
    not GROCERIES.is_file(), reason=f"the Groceries data set is not at {GROCERIES}"
)
needs_toys = pytest.mark.skipif(not TOYS.is_file(), reason=f"the Toys data set is not at {TOYS}")

Rows = Sequence[tuple[Any, ...]]


def groceries(con: duckdb.DuckDBPyConnection) -> Baskets:
    columns = BasketColumns("transaction_id", "item_id")
    return load_baskets(con, f"select * from '{GROCERIES}'", columns, 1000)


def mined(
    con: duckdb.DuckDBPyConnection, baskets: Baskets, support: float, confidence: float
) -> tuple[Any, Any, Any]:
    """Return the itemsets' levels, the itemsets and the rules."""
    itemsets = mine_itemsets(baskets, least_count(support, baskets.baskets))
    mine_rules(baskets, itemsets, confidence)
    return itemsets.levels, itemset_table(baskets, itemsets), rule_table(baskets, itemsets)


@pytest.mark.real_data
@needs_groceries
def test_groceries_gives_the_counts_of_arules() -> None:
    con = connect()
    baskets = groceries(con)
    levels, _, rules = mined(con, baskets, 0.001, 0.1)
    con.register("rules", rules)
    assert levels == (157, 2981, 6831, 3137, 376, 10)
    counted = con.sql(
        "select count(*), count(*) filter (confidence >= 0.5), count(*) filter (confidence >= 0.8),"
        " count(*) filter (confidence >= 0.8 and is_redundant) from rules"
    ).fetchall()[0]
    assert counted == (32783, 5668, 410, 18)
    by_length = con.sql(
        "select item_count, count(*) from rules where confidence >= 0.8 group by 1 order by 1"
    ).fetchall()
    assert by_length == [(3, 29), (4, 229), (5, 140), (6, 12)]
    top = [
        con.sql(f"select max(lift) from rules where confidence >= {least}").fetchall()[0][0]
        for least in (0.8, 0.5, 0.1)
    ]
    assert top == pytest.approx([11.235, 18.996, 35.716], abs=1e-3)
    for support, confidence, expected in ((0.006, 0.25, 463), (0.01, 0.5, 15)):
        assert mined(con, baskets, support, confidence)[2].num_rows == expected
    assert rules.num_rows == 32783


def random_baskets(seed: int, baskets: int = 60, items: int = 7) -> Rows:
    """Return (basket, item, time, amount): correlated, with rare and common items."""
    rng = random.Random(seed)
    made = []
    for basket in range(baskets):
        chosen = {item for item in range(items) if rng.random() < 0.7 / (1 + item * 0.4)}
        if 1 in chosen and rng.random() < 0.8:
            chosen.add(4)
        for item in sorted(chosen):
            made.append((f"b{basket}", f"item {item}", basket * 86400, rng.randint(1, 90) / 10))
    return made


def load(con: duckdb.DuckDBPyConnection, given: Rows) -> None:
    con.execute(
        "create or replace table lines (basket varchar, item varchar, made timestamp, "
        "amount double)"
    )
    con.executemany(
        "insert into lines values (?, ?, make_timestamp(?::bigint * 1000000), ?)", given
    )


def exact_tail(n: int, a: int, c: int, total: int) -> float:
    hits = sum(math.comb(c, k) * math.comb(total - c, a - k) for k in range(n, min(a, c) + 1))
    return hits / math.comb(total, a)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_itemsets_and_rules_equal_brute_force(seed: int) -> None:
    con = connect()
    given = random_baskets(seed)
    load(con, given)
    columns = BasketColumns("basket", "item", "made", "amount", "amount")
    baskets = load_baskets(con, "select * from lines", columns, 100)
    itemsets = mine_itemsets(baskets, 5)
    mine_rules(baskets, itemsets, 0.4)
    found = itemset_table(baskets, itemsets).to_pylist()
    contents: dict[str, dict[str, float]] = defaultdict(dict)
    for basket, item, _, amount in given:
        contents[basket][item] = amount
    names = sorted({item for _, item, _, _ in given})
    count = {
        chosen: sum(set(chosen) <= set(held) for held in contents.values())
        for size in range(len(names) + 1)
        for chosen in itertools.combinations(names, size)
    }
    frequent = {chosen: n for chosen, n in count.items() if chosen and n >= 5}
    assert {tuple(row["items"]): row["basket_count"] for row in found} == frequent
    for row in found:
        chosen = set(row["items"])
        larger = [n for other, n in frequent.items() if chosen < set(other)]
        assert row["is_maximal"] == (not larger)
        assert row["is_closed"] == (row["basket_count"] not in larger)
    check_rules(rule_table(baskets, itemsets).to_pylist(), contents, count)


def check_rules(
    found: list[dict[str, Any]],
    contents: dict[str, dict[str, float]],
    count: dict[tuple[str, ...], int],
) -> None:
    total = len(contents)
    candidates = {
        (tuple(item for item in chosen if item != consequent), consequent): n
        for chosen, n in count.items()
        if len(chosen) > 1 and n >= 5
        for consequent in chosen
    }
    p_values = {
        rule: exact_tail(n, count[rule[0]], count[(rule[1],)], total)
        for rule, n in candidates.items()
    }
    ordered = sorted(p_values.values())
    kept = {rule for rule, n in candidates.items() if n * 10 >= 4 * count[rule[0]]}
    assert {(tuple(row["antecedent"]), row["consequent"]) for row in found} == kept
    days = sorted(contents, key=lambda name: int(name[1:]))
    late = set(days[len(days) // 2 :])
    for row in found:
        rule = (tuple(row["antecedent"]), row["consequent"])
        n, a, c = candidates[rule], count[rule[0]], count[(rule[1],)]
        confidence, lift = n / a, n * total / (a * c)
        assert row["confidence"] == pytest.approx(confidence, rel=1e-12)
        assert row["lift"] == pytest.approx(lift, rel=1e-12)
        assert row["leverage"] == pytest.approx(n / total - a * c / total**2, abs=1e-12)
        if confidence < 1:
            assert row["conviction"] == pytest.approx((1 - c / total) / (1 - confidence))
        else:
            assert row["conviction"] is None
        inverse = (c - n) / (total - a) if a < total else 0.0
        zhang = (confidence - inverse) / max(confidence, inverse)
        if a < total:
            assert row["zhang"] == pytest.approx(zhang, abs=1e-9)
        cells = [n, a - n, c - n, total - a - c + n]
        margins = [a * c, a * (total - c), (total - a) * c, (total - a) * (total - c)]
        if all(margins):
            chi = sum(
                (o - m / total) ** 2 / (m / total) for o, m in zip(cells, margins, strict=True)
            )
            assert row["chi_square"] == pytest.approx(chi, abs=1e-8)
        assert row["fisher_p_value"] == pytest.approx(p_values[rule], rel=1e-9)
        adjusted = min(
            p * len(ordered) / (place + 1)
            for place, p in enumerate(ordered)
            if p >= p_values[rule] * (1 - 1e-9)
        )
        assert row["fisher_q_value"] == pytest.approx(min(adjusted, 1), rel=1e-9)
        shorter = [
            count[tuple(sorted((*part, rule[1])))] / (count[part] if part else total)
            for size in range(len(rule[0]))
            for part in itertools.combinations(rule[0], size)
        ]
        assert row["is_redundant"] == (max(shorter) >= confidence - 1e-12)
        whole = {*rule[0], rule[1]}
        holders = [name for name in days if whole <= set(contents[name])]
        assert row["attached_revenue_amount"] == pytest.approx(
            sum(contents[name][rule[1]] for name in holders)
        )
        assert row["first_seen_at"].timestamp() == int(holders[0][1:]) * 86400
        assert row["last_seen_at"].timestamp() == int(holders[-1][1:]) * 86400
        recent = [
            sum(part <= set(contents[name]) for name in late)
            for part in (whole, set(rule[0]), {rule[1]})
        ]
        if recent[1] and recent[2]:
            expected = recent[0] * len(late) / (recent[1] * recent[2])
            assert row["recent_lift"] == pytest.approx(expected)


def test_fisher_equals_the_exact_sum_also_far_out() -> None:
    cases = [(3, 4, 3, 10), (0, 5, 5, 12), (5, 5, 5, 12), (1, 30, 40, 100), (39, 40, 60, 100)]
    cases += [(20, 100, 100, 1000), (9, 100, 100, 1000), (10, 100, 100, 1000), (80, 100, 90, 1000)]
    found = fisher_p_values(*map(list, zip(*cases, strict=True)))
    expected = [exact_tail(*case) for case in cases]
    assert found == pytest.approx(expected, rel=1e-9)
    assert 0 < expected[-1] < 1e-80


def test_interval_of_lift_covers_the_truth() -> None:
    # 3,000 shops of 2,000 baskets with a true lift of 2: about 95 of 100 intervals hold it.
    rng = np.random.default_rng(0)
    total = 2000
    both, only_a, only_c, _ = rng.multinomial(total, [0.04, 0.06, 0.16, 0.74], 3000).T
    a, c = both + only_a, both + only_c
    lift = both * total / (a * c)
    spread = np.sqrt(1 / both - 1 / a - 1 / c + 2 * both / (a * c) - 1 / total)
    inside = np.abs(np.log(lift / 2)) <= 1.959963984540054 * spread
    assert inside.mean() == pytest.approx(0.95, abs=0.012)
    con = connect()
    con.execute(
        "create table lines as select b, i from (select range as b from range(2000)), "
        "(values ('a'), ('c'), ('x')) as v(i) where i = 'x' or (i = 'a' and b < 200) "
        "or (i = 'c' and (b < 80 or b between 200 and 519))"
    )
    baskets = load_baskets(con, "from lines", BasketColumns("b", "i"), 10)
    rules = mined(con, baskets, 0.01, 0.1)[2].to_pylist()
    rule = next(row for row in rules if (row["antecedent"], row["consequent"]) == (["a"], "c"))
    spread = math.sqrt(1 / 80 - 1 / 200 - 1 / 400 + 160 / 80000 - 1 / 2000)
    assert rule["lift_lower"] == pytest.approx(2 * math.exp(-1.959963984540054 * spread))
    assert rule["lift_upper"] == pytest.approx(2 * math.exp(1.959963984540054 * spread))


def fit(con: duckdb.DuckDBPyConnection, sql: str = "from lines", **config: Any) -> Outcome:
    given = {"model_type": "association_rules", "basket_col": "basket", "item_col": "item"}
    return fit_model(con, ModelSpec("m", sql, given | config, full_refresh=True))


def completed(
    con: duckdb.DuckDBPyConnection, held: set[str]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Compute P(c | basket) for every product by hand, from the companion tables."""
    tilt = json.loads(con.execute("select parameters from m").fetchall()[0][0])["tilt"]
    prior = dict(con.execute("select item, prior from m__items").fetchall())
    pairs = con.execute("select item, second_item, next_item, weight from m__pairs").fetchall()
    scores = {}
    for item in set(prior) - held:
        hits = [
            (weight, second is None)
            for first, second, target, weight in pairs
            if target == item and first in held and (second is None or second in held)
        ]
        alone = sum(weight for weight, single in hits if single)
        strongest = max((weight for weight, _ in hits), default=0.0)
        score = tilt["best"] * strongest + tilt["together"] * alone / math.sqrt(len(held))
        scores[item] = prior[item] * math.exp(score)
    total = sum(scores.values())
    return {item: score / total for item, score in scores.items()}, tilt


def test_completion_equals_its_definition_and_sums_to_one() -> None:
    con = connect()
    load(con, random_baskets(7, baskets=400, items=9))
    config = {"time_col": "made", "data_split_method": "SEQ", "data_split_col": "made"}
    assert fit(con, **config).status == "trained"
    con.execute(
        "create table open as select * from (values ('x', 'item 1'), ('x', 'item 0'), "
        "('x', 'item 1'), ('y', 'item 8'), ('z', 'nobody knows'), (null, 'item 1'), ('w', null)) "
        "as v(basket, item)"
    )
    found = rows(con, "select * from m_predict('open', top_k := 100)")
    assert {row["basket"] for row in found} == {"x", "y", "z"}
    for basket, held in (("x", {"item 0", "item 1"}), ("y", {"item 8"})):
        expected, tilt = completed(con, held)
        mine = {
            row["predicted_item"]: row["predicted_item_probability"]
            for row in found
            if row["basket"] == basket
        }
        assert mine == pytest.approx(expected, rel=1e-9)
        assert sum(mine.values()) == pytest.approx(1)
    assert tilt["cases"] > 0
    assert tilt["log_loss"] <= tilt["popularity_log_loss"]
    best = next(row for row in found if row["basket"] == "x" and row["predicted_item"] == "item 4")
    assert "item 1" in best["reason_item"]
    assert best["reason_lift"] > 1
    few = rows(con, "select basket, rank, predicted_item from m_predict('open', top_k := 2)")
    whole = [(row["basket"], row["rank"], row["predicted_item"]) for row in found]
    assert {tuple(row.values()) for row in few} == {row for row in whole if row[1] <= 2}


def test_evaluation_equals_its_definition() -> None:
    con = connect()
    load(con, random_baskets(8, baskets=400, items=9))
    config = {"time_col": "made", "data_split_method": "SEQ", "data_split_col": "made"}
    fit(con, **config)
    con.execute(
        "create view later as from lines where made >= make_timestamp(320::bigint * 86400000000)"
    )
    found = rows(con, "select * from m_evaluate('later')")[0]
    held: dict[str, set[str]] = defaultdict(set)
    for basket, item in con.execute("select basket, item from later").fetchall():
        held[basket].add(item)
    ranks, losses = [], []
    for basket, items in held.items():
        if len(items) < 2:
            continue
        hidden = con.execute(
            "select arg_min(item, md5(? || '|' || item)) from unnest(?::varchar[]) as t(item)",
            [basket, sorted(items)],
        ).fetchall()[0][0]
        expected, _ = completed(con, items - {hidden})
        losses.append(-math.log(expected[hidden]))
        ranks.append(1 + sum(p > expected[hidden] * (1 + 1e-12) for p in expected.values()))
    assert found["log_loss"] == pytest.approx(np.mean(losses), rel=1e-9)
    assert found["hit_rate_at_1"] == pytest.approx(np.mean([rank <= 1 for rank in ranks]))
    assert found["hit_rate_at_5"] == pytest.approx(np.mean([rank <= 5 for rank in ranks]))
    assert found["mean_reciprocal_rank"] == pytest.approx(np.mean([1 / rank for rank in ranks]))
    stored = con.execute("select metrics, baseline_metrics from m where is_champion").fetchall()[0]
    assert json.loads(stored[0])["log_loss"] < json.loads(stored[1])["log_loss"]


@pytest.mark.parametrize("most", [40, 150, 600])
def test_support_is_doubled_until_the_itemsets_are_few_enough(most: int) -> None:
    con = connect()
    load(con, random_baskets(11, baskets=400, items=14))
    given = {"model_type": "association_rules", "basket_col": "basket", "item_col": "item"}
    given |= {"min_support": 0, "min_count": 2, "max_itemsets": most, "raise_support": True}
    assert fit_model(con, ModelSpec("m", "from lines", given)).status == "trained"
    found = con.execute("select least_basket_count, itemset_count from m__levels").fetchall()[0]
    assert found[1] <= most

    baskets = load_baskets(con, "from lines", BasketColumns("basket", "item"), 200)
    minimum, tried = 2, sum(mine_itemsets(baskets, 2).levels)
    assert tried > most
    while tried > most:
        minimum *= 2
        tried = sum(mine_itemsets(baskets, minimum).levels)
    assert found == (minimum, tried)


@pytest.mark.parametrize(("most_rows", "sizes"), [(10**8, (20, 190, 1140)), (50_000, (20, 190))])
def test_baskets_all_alike_keep_their_shorter_sets(
    most_rows: int, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    con = connect()
    con.execute(
        "create table lines as select b as basket, i as item from range(50) a(b), range(20) c(i)"
    )
    monkeypatch.setattr("martlet.baskets.itemsets._MOST_ROWS", most_rows)
    given = {"model_type": "association_rules", "basket_col": "basket", "item_col": "item"}
    given |= {"max_itemsets": 2000, "raise_support": True}
    assert fit_model(con, ModelSpec("m", "from lines", given)).status == "trained"
    found = con.execute(
        "select item_count, count(*), min(basket_count) from m__itemsets group by 1"
    )
    wanted = [(size, count, 50) for size, count in enumerate(sizes, start=1)]
    assert sorted(found.fetchall()) == wanted
    assert con.execute("select is_complete from m__levels").fetchall() == [(False,)]
    with pytest.raises(MartletError, match="There are more than .* or set raise_support"):
        fit_model(con, ModelSpec("n", "from lines", given | {"raise_support": False}))


def test_at_most_so_many_baskets_are_judged() -> None:
    con = connect()
    load(con, random_baskets(12, baskets=400, items=9))
    given = {"model_type": "association_rules", "basket_col": "basket", "item_col": "item"}
    fit_model(con, ModelSpec("few", "from lines", given | {"max_judged_baskets": 60}))
    fit_model(con, ModelSpec("all", "from lines", given))
    read = "select metrics from {} where is_champion"
    few, whole = (
        json.loads(con.execute(read.format(name)).fetchall()[0][0]) for name in ("few", '"all"')
    )
    assert few["judged_basket_count"] == 60
    assert whole["judged_basket_count"] > 60
    assert few["log_loss"] == pytest.approx(whole["log_loss"], rel=0.2)


def test_a_new_version_is_judged_on_the_same_later_baskets() -> None:
    con = connect()
    load(con, random_baskets(7, baskets=300, items=9))
    config = {"time_col": "made", "data_split_method": "SEQ", "data_split_col": "made"}
    given = {"model_type": "association_rules", "basket_col": "basket", "item_col": "item"}
    spec = ModelSpec("m", "from lines", given | config)
    assert fit_model(con, spec).status == "trained"
    assert fit_model(con, spec).status == "reused"
    con.execute("insert into lines select 'n' || basket, item, made, amount from lines")
    outcome = fit_model(con, spec)
    assert any("on the same rows" in line for line in [*outcome.log, *outcome.warnings])
    versions = con.execute("select distinct model_version from m__rules order by 1").fetchall()
    assert versions == [(1,), (2,)]
    assert con.execute("select count(*) from m_v1_predict('lines', top_k := 1)").fetchall()[0][0]


def test_later_baskets_do_not_reach_the_rules() -> None:
    con = connect()
    given = [row for row in random_baskets(9, baskets=200) if row[2] < 160 * 86400]
    future = [
        (f"f{i}", item, (170 + i) * 86400, 1.0) for i in range(40) for item in ("new", "item 0")
    ]
    load(con, [*given, *future])
    marked = "select *, epoch(made) >= 160 * 86400 as later from lines"
    fit(con, marked, time_col="made", data_split_method="CUSTOM", data_split_col="later")
    assert not con.execute("from m__items where item = 'new'").fetchall()
    assert con.execute(
        "select max(last_seen_at) < make_timestamp(160::bigint * 86400000000) from m__rules"
    ).fetchall() == [(True,)]


@pytest.mark.parametrize("kind", ["bigint", "varchar"])
def test_ids_keep_their_type_and_bad_rows_are_counted(kind: str) -> None:
    con = connect()
    con.execute(
        f"create table lines as select cast(b as {kind}) as basket, cast(i as {kind}) as item "
        "from ("
        "select range as b, unnest([1, 2, 3 + range % 3]) as i from range(40) "
        "union all select range, 1 from range(5) union all select null, 1 union all select 1, null "
        "union all select 999, range from range(100000))"
    )
    outcome = fit(con)
    assert outcome.status == "trained"
    said = " ".join(outcome.log)
    assert "1 baskets with more items than max_basket_size are skipped" in said
    assert "2 rows without basket or item are left out" in said
    assert "5 rows repeat an item of their basket" in said
    level = rows(con, "select * from m__levels")[0]
    assert (level["basket_count"], level["skipped_basket_count"]) == (40, 1)
    con.execute(
        f"create table open as select cast(7 as {kind}) as basket, cast(1 as {kind}) as item"
    )
    relation = con.query("select basket, predicted_item, reason_item from m_predict('open')")
    assert [str(item) for item in relation.types] == [
        kind.upper(),
        kind.upper(),
        f"{kind.upper()}[]",
    ]
    assert str(relation.fetchall()[0][1]) == "2"


@pytest.mark.parametrize(
    ("sql", "status"),
    [
        ("select 'one' as basket, unnest(['a', 'b']) as item", "insufficient_data"),
        ("select range as basket, 'only' as item from range(50)", "trained"),
        ("select 1 as basket, 'x' as item where false", "insufficient_data"),
        ("select null::int as basket, 'x' as item from range(9)", "insufficient_data"),
        ("select range as basket, 'i' || range as item from range(50)", "insufficient_data"),
    ],
)
def test_little_data_is_no_error(sql: str, status: str) -> None:
    con = connect()
    assert fit(con, sql).status == status
    con.execute("create table open as select '1' as basket, 'only' as item")
    assert con.execute("from m_predict('open')").fetchall() == []
    assert con.execute("select count(*) from m__rules").fetchall() == [(0,)]


def test_mistakes_get_one_clear_message() -> None:
    con = connect()
    load(con, random_baskets(1))
    with pytest.raises(MartletError, match="needs item_col"):
        fit_model(
            con,
            ModelSpec(
                "m", "from lines", {"model_type": "association_rules", "basket_col": "basket"}
            ),
        )
    with pytest.raises(
        MartletError, match="more than 10 frequent itemsets .max_itemsets.: raise min_support"
    ):
        fit(con, max_itemsets=10)
    with pytest.raises(MartletError, match="is in the training and in the evaluation rows"):
        fit(con, data_split_method="SEQ", data_split_col="amount")
    with pytest.raises(MartletError, match="predicted_level 'no' does not occur"):
        fit(con, "select *, 'l' as lvl from lines", level_col="lvl", predicted_level="no")


def test_a_limited_length_leaves_the_longest_undecided() -> None:
    con = connect()
    load(con, random_baskets(2))
    fit(con, max_itemset_size=2)
    longest = con.execute(
        "select distinct item_count, is_closed is null, is_maximal is null from m__itemsets "
        "order by 1"
    ).fetchall()
    assert longest == [(1, False, False), (2, True, True)]


@pytest.fixture(scope="module")
def shop(sample_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Copy the sample shop beside its truth; return the database and dbt's target folder."""
    folder = tmp_path_factory.mktemp("baskets")
    simulate_shop(ShopConfig(), folder / "raw", "parquet", with_truth=True)
    return Path(shutil.copy(sample_shop, folder)), sample_shop.parent / "target"


def test_planted_pairs_are_found_and_little_else(shop: tuple[Path, Path]) -> None:
    database, _ = shop
    truth = database.parent / "raw" / "truth" / "truth_pairs.parquet"
    planted = set(query(database, f"select product_id, partner_id from '{truth}'"))
    found = query(
        database,
        "select antecedent[1], consequent, lift_lower from marts.fct_basket_rules "
        "where item_level = 'product' and item_count = 2 and is_significant",
    )
    both_ways = planted | {(b, a) for a, b in planted}
    assert planted <= {(a, b) for a, b, _ in found}
    assert len(found) >= 14
    assert len(found) <= len(both_ways) + 2
    assert all(lower > 1 for *_, lower in found)


def test_planted_sequences_are_among_the_strongest(shop: tuple[Path, Path]) -> None:
    database, _ = shop
    truth = database.parent / "raw" / "truth" / "truth_sequences.parquet"
    ranked = query(
        database,
        "select t.product_id, t.next_product_id, s.product_id is not null, next_order_lift "
        f"from marts.fct_product_transitions as t left join '{truth}' as s "
        "using (product_id, next_product_id) where next_order_count >= 2 "
        "order by next_order_z desc",
    )
    places = [place for place, row in enumerate(ranked, start=1) if row[2]]
    assert len(places) == 6
    # Three have enough orders to stand out; the others came true two or three times only.
    assert places[:3] == [1, 2, 3]
    assert all(row[3] > 5 for row in ranked if row[2])


def test_baskets_are_completed_better_than_by_popularity(shop: tuple[Path, Path]) -> None:
    gains = dict(
        query(
            shop[0],
            "select metric, gain_over_popularity from ml.ml_basket__metrics where is_champion",
        )
    )
    assert gains["log_loss"] > 0.03
    assert gains["hit_rate_at_10"] > 0.02
    kinds = dict(
        query(
            shop[0],
            "select basket_kind, count(distinct basket_id) from marts.fct_basket_completions "
            "group by 1",
        )
    )
    assert kinds["open_cart"] > 10
    assert kinds["last_order"] > 1000
    assert query(
        shop[0],
        "select count(*) from marts.fct_basket_completions as c "
        "inner join intermediate.int_baskets__open as o using (basket_id, product_id)",
    ) == [(0,)]


@pytest.mark.real_data
@needs_toys
def test_toys_sequences_are_those_of_prefixspan(shop: tuple[Path, Path]) -> None:
    compiled = next(
        (shop[1] / "compiled").rglob("models/intermediate/baskets/int_products__sequences.sql")
    ).read_text()
    con = connect()
    con.execute(
        "create view toys as select user_id as customer_number, "
        "position as customer_order_number, item_id::varchar as product_id, "
        "(dense_rank() over (order by item_id))::integer as product_number, "
        "date '2020-01-01' + position::integer as basket_date, "
        f"date '2030-01-01' as as_of_date from '{TOYS}'"
    )
    sql = re.sub(r'"\w+"\."intermediate"\."int_purchases__numbered"', "toys", compiled)
    # PrefixSpan asks for a number of customers only, not for a share of all.
    assert "0.005 * count" in sql
    sql = sql.replace("0.005 * count", "0 * count")
    found = con.execute(
        f"select step_count, count(*) from ({sql}) group by 1 order by 1"
    ).fetchall()
    assert found == [(1, 11924), (2, 4377), (3, 1478)]


def tokens(text: str | None) -> list[str]:
    plain = unicodedata.normalize("NFD", text or "")
    plain = "".join(c for c in plain if not unicodedata.combining(c)).lower()
    return re.findall(r"[^\W_]+", plain)


def stem(word: str) -> str:
    """Cut the ending of an English plural; the words of the sample shop need no more."""
    if len(word) <= 3 or any(c.isdigit() for c in word):
        return word
    if word in ("lens", "women", "womens"):
        return {"lens": "lens"}.get(word, "woman")
    if len(word) > 4 and word.endswith(("ies", "ie")):
        return word[: word.rindex("ie")] + "y"
    if word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and word[-2] not in "siu" else word


def bm25(
    con: duckdb.DuckDBPyConnection, documents: dict[str, Counter[str]], words: list[str]
) -> dict[str, float]:
    """Score by hand: Robertson's formula, misspelt words replaced by the most similar one."""
    frequency = Counter(term for words_of in documents.values() for term in words_of)
    mean = sum(sum(words_of.values()) for words_of in documents.values()) / len(documents)
    wanted: dict[str, float] = {}
    for word in set(words):
        if word in frequency:
            wanted[word] = 1.0
            continue
        near = [
            (con.execute("select jaro_winkler_similarity(?, ?)", [word, term]).fetchall()[0][0],
             frequency[term], term)
            for term in frequency
        ]  # fmt: skip
        best = max(near, key=lambda item: (item[0], item[1]))
        if len(word) >= 3 and best[0] >= 0.85:
            wanted[best[2]] = max(best[0], wanted.get(best[2], 0.0))
    scores: dict[str, float] = {}
    for product, words_of in documents.items():
        length = sum(words_of.values())
        for term, weight in wanted.items():
            if term in words_of:
                rarity = math.log(
                    1 + (len(documents) - frequency[term] + 0.5) / (frequency[term] + 0.5)
                )
                part = words_of[term] * 2.2 / (words_of[term] + 1.2 * (0.25 + 0.75 * length / mean))
                scores[product] = scores.get(product, 0.0) + weight * rarity * part
    return scores


def test_search_equals_bm25_by_hand(shop: tuple[Path, Path]) -> None:
    documents: dict[str, Counter[str]] = {}
    for product, name, filed, text in query(
        shop[0],
        "select product_id, product_name, concat_ws(' ', category, subcategory, brand), "
        "product_description from shop.shop_products",
    ):
        words = tokens(name) * 3 + tokens(filed) * 2 + tokens(text)
        documents[product] = Counter(map(stem, words))
    con = duckdb.connect(str(shop[0]), read_only=True)
    for text in (
        "rain jacket",
        "Ránía JACKET",
        "choclate tnet",
        "tent tent tents",
        "granite-flask!",
    ):
        expected = bm25(con, documents, [stem(word) for word in tokens(text)])
        ranked = sorted(expected, key=lambda product: (-round(expected[product], 9), product))[:10]
        found = con.execute(
            "select product_id, score from search_products(?, n := 10)", [text]
        ).fetchall()
        assert [round(score, 9) for _, score in found] == [
            round(expected[product], 9) for product in ranked
        ]
        assert {product for product, _ in found} == set(ranked)


def test_search_knows_plurals_and_numbers(shop: tuple[Path, Path]) -> None:
    con = duckdb.connect(str(shop[0]), read_only=True)

    def found(text: str) -> list[tuple[Any, ...]]:
        return con.execute(
            "select product_id, score, matched_terms from search_products(?, n := 5)", [text]
        ).fetchall()

    for singular, plural in (("tent", "tents"), ("flask", "Flasks"), ("jacket", "jackets")):
        assert found(singular) == found(plural)
        assert len(found(singular)) == 5
    number = con.execute("select max(product_id) from shop.shop_products").fetchall()[0][0]
    for typed in (number, f" {number.lower()} ", f"tent {number[:2]}-{number[2:]}"):
        first = found(typed)[0]
        assert first[0] == number
        assert number in first[2]
    # A number that no product has is not like another.
    assert found(f"{number}999") == []


@pytest.mark.parametrize(
    "text", ["", "   ", "🙂", "'", "%_\\", None, "zzzzqqqq", "x'; drop table y"]
)
def test_search_survives_any_text(shop: tuple[Path, Path], text: str | None) -> None:
    con = duckdb.connect(str(shop[0]), read_only=True)
    assert con.execute("select * from marts.search_products(?)", [text]).fetchall() == []
    found = con.execute("select * from search_products(?, n := 3)", [f"{text or ''} tent 🙂 '"])
    assert len(found.fetchall()) == 3
    assert con.execute("select * from search_products('tent', n := 0)").fetchall() == []
