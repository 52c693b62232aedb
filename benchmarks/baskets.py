"""Measure basket mining and basket completion against mlxtend and popularity.

``python benchmarks/baskets.py --data DIR`` reads DIR/groceries, DIR/tafeng_nbr and
DIR/online_retail (Parquet files, laid out as below) and prints, for each task, the counts with the
published ones, CPU seconds (user and system, both threads, median over the rounds) and peak memory.
Every contender runs in a process of its own; its imports and the loading of its libraries are not
timed. mlxtend (fpgrowth on a one-hot frame, then association_rules) is timed from the same rows,
encoding included. Data that is not there is left out.

Groceries: Hahsler, Hornik and Reutterer 2006; published counts of arules. Ta-Feng: histories of
the next-basket form. Online Retail: Chen, Sain and Guo 2012, no cancellations, quantity above 0.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import duckdb

TASKS: dict[str, dict[str, Any]] = {
    "groceries": {
        "query": "select transaction_id as b, item_id as i from '{data}/groceries/"
        "transactions.parquet'",
        "file": "groceries/transactions.parquet",
        "runs": [(0.001, 0.1, None), (0.006, 0.25, None), (0.01, 0.5, None)],
        "expected": "13492 itemsets, 32783 rules (5668 at .5, 410 at .8, 18 of them redundant), "
        "463, 15; top lifts 11.235, 18.996, 35.716",
        "bar": "1 CPU second, 300 MB",
    },
    "tafeng pairs": {
        "query": "select user_id * 1000 + basket_no as b, item_id as i "
        "from '{data}/tafeng_nbr/history.parquet'",
        "file": "tafeng_nbr/history.parquet",
        "runs": [(0.0001, 0.1, 2)],
        "expected": "3992 rules (mlxtend loses those on the threshold: 3971)",
        "bar": "none",
    },
    "online retail": {
        "query": "select invoice_no as b, stock_code as i from '{data}/online_retail/"
        "online_retail.parquet' where invoice_no not like 'C%' and quantity > 0",
        "file": "online_retail/online_retail.parquet",
        "runs": [(0.005, 0.5, None)],
        "expected": "16352 itemsets, 17958 rules",
        "bar": "8 CPU seconds",
    },
}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def martlet(task: str, data: str) -> tuple[str, float, float]:
    """Mine with the package; return what was found, CPU seconds and peak MB."""
    from martlet.baskets.itemsets import mine_itemsets
    from martlet.baskets.load import BasketColumns, least_count, load_baskets
    from martlet.baskets.rules import itemset_table, mine_rules, rule_table

    con = duckdb.connect(config={"threads": 2, "memory_limit": "2GB"})
    con.execute("set enable_progress_bar = false")
    query = TASKS[task]["query"].format(data=data)
    found, start = [], _cpu()
    for support, confidence, longest in TASKS[task]["runs"]:
        baskets = load_baskets(con, query, BasketColumns("b", "i"), 10**9)
        itemsets = mine_itemsets(baskets, least_count(support, baskets.baskets), longest)
        mine_rules(baskets, itemsets, confidence)
        sets, rules = itemset_table(baskets, itemsets), rule_table(baskets, itemsets)
        con.register("rules", rules)
        found.append(f"{sets.num_rows} itemsets {'/'.join(map(str, itemsets.levels))}")
        found.append(f"{rules.num_rows} rules")
        if task == "groceries" and support == 0.001:
            counts = con.execute(
                "select count(*) filter (confidence >= 0.5), count(*) filter (confidence >= 0.8), "
                "count(*) filter (confidence >= 0.8 and is_redundant), "
                "round(max(lift) filter (confidence >= 0.8), 3), "
                "round(max(lift) filter (confidence >= 0.5), 3), round(max(lift), 3) from rules"
            ).fetchall()[0]
            found.append("{} at .5, {} at .8, {} redundant, top {} {} {}".format(*counts))
    return "; ".join(found), _cpu() - start, _peak()


def mlxtend(task: str, data: str) -> tuple[str, float, float]:
    """Mine with mlxtend's fpgrowth; one-item consequents are counted afterwards."""
    import pandas as pd
    from mlxtend.frequent_patterns import association_rules, fpgrowth
    from scipy import sparse

    con = duckdb.connect(config={"threads": 2})
    con.execute("set enable_progress_bar = false")
    query = TASKS[task]["query"].format(data=data)
    found, start = [], _cpu()
    for support, confidence, longest in TASKS[task]["runs"]:
        lines = con.execute(
            "select cast(dense_rank() over (order by b) - 1 as integer) as b, "
            "cast(dense_rank() over (order by i) - 1 as integer) as i "
            f"from (select distinct b, i from ({query}))"
        ).fetchnumpy()
        shape = (int(lines["b"].max()) + 1, int(lines["i"].max()) + 1)
        ones = [True] * len(lines["b"])
        matrix = sparse.coo_matrix((ones, (lines["b"], lines["i"])), shape, bool)
        names = [str(place) for place in range(shape[1])]
        frame = pd.DataFrame(matrix.toarray(), columns=names)
        sets = fpgrowth(frame, min_support=support, use_colnames=True, max_len=longest)
        rules = association_rules(sets, metric="confidence", min_threshold=confidence)
        single = rules[rules["consequents"].map(len) == 1]
        found.append(f"{len(sets)} itemsets; {len(single)} rules")
    return "; ".join(found), _cpu() - start, _peak()


def completion(task: str, data: str) -> tuple[str, float, float]:
    """Fit the type association_rules on the earlier four fifths, judge it on the later fifth."""
    import json

    from martlet.fit import ModelSpec, fit_model

    order = {
        "groceries": "transaction_id",
        "online retail": "min(invoice_date) over (partition by invoice_no)",
    }[task]
    query = TASKS[task]["query"].format(data=data).replace("select ", f"select {order} as o, ", 1)
    con = duckdb.connect(config={"threads": 2, "memory_limit": "3GB"})
    con.execute("set enable_progress_bar = false")
    config = {
        "model_type": "association_rules", "basket_col": "b", "item_col": "i",
        "data_split_method": "SEQ", "data_split_col": "o", "min_support": 0.002,
        "max_itemset_size": 3,
    }  # fmt: skip
    start = _cpu()
    fit_model(con, ModelSpec("m", query, config))
    used = _cpu() - start
    row = con.execute("select metrics, baseline_metrics from m").fetchall()[0]
    ours, popular = json.loads(row[0]), json.loads(row[1])
    shown = [f"{name} {ours[name]:.4f} (popularity {popular[name]:.4f})" for name in ours]
    return ", ".join(shown), used, _peak()


def _run(
    contender: Callable[[str, str], tuple[str, float, float]], task: str, data: str, rounds: int
) -> None:
    cpu, peak, found = [], [], ""
    for _ in range(rounds):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            found, seconds, memory = pool.submit(contender, task, data).result()
        cpu.append(seconds)
        peak.append(memory)
    print(
        f"  {contender.__name__:10} {statistics.median(cpu):7.2f} CPU s "
        f"{max(peak):6.0f} MB  {found}",
        flush=True,
    )


def main() -> None:
    """Run every task whose data is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-peer", action="store_true")
    options = parser.parse_args()
    started = time.strftime("%Y-%m-%d")
    print(f"{started}, duckdb {duckdb.__version__}, 2 threads, {options.rounds} rounds")
    for task, settings in TASKS.items():
        if not (options.data / settings["file"]).is_file():
            print(f"{task}: {options.data / settings['file']} is not there, left out")
            continue
        print(f"{task}: expected {settings['expected']}; bar {settings['bar']}")
        _run(martlet, task, str(options.data), options.rounds)
        if not options.without_peer:
            _run(mlxtend, task, str(options.data), options.rounds)
        if task != "tafeng pairs":
            print("  completion: one product of each later basket hidden, min_support 0.002")
            _run(completion, task, str(options.data), 1)


if __name__ == "__main__":
    main()
