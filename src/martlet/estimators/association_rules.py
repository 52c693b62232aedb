"""Association rules: which items lie together in a basket, and which comes next.

BigQuery ML has no such type. A row of the training query is one item of one basket; frequent
itemsets and rules are companion tables, and ``predict`` completes open baskets with the rules
that apply (`martlet.baskets`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from martlet.baskets.completion import PAIR_COLUMNS, Tilt, choose_tilt, pairs_query
from martlet.baskets.functions import METRICS, evaluate_query, predict_query
from martlet.baskets.itemsets import Itemsets, TooManyItemsetsError, mine_itemsets
from martlet.baskets.load import BasketColumns, Baskets, least_count, load_baskets
from martlet.baskets.rules import (
    ITEMSET_COLUMNS,
    RULE_COLUMNS,
    itemset_table,
    mine_rules,
    rule_table,
)
from martlet.errors import InsufficientData, MartletError
from martlet.estimators.base import Estimator, Fitted, Part, Scoring, Training
from martlet.options import COMMON, Option, Options
from martlet.scoring.functions import no_rows
from martlet.split import SPLIT
from martlet.sqltext import identifier, render, text

__all__ = ["AssociationRules"]

_LEVEL = {"item_level": "varchar"}
_AUDIT = {
    "item_level": "varchar",
    "basket_count": "bigint",
    "skipped_basket_count": "bigint",
    "incomplete_row_count": "bigint",
    "repeated_row_count": "bigint",
    "least_basket_count": "bigint",
    "item_count": "bigint",
    "itemset_count": "bigint",
    "rule_count": "bigint",
    "longest_itemset": "integer",
    "is_complete": "boolean",
    "recent_since_at": "timestamp",
}
_ITEMS = {
    "item_level": "varchar",
    "item": "varchar",
    "basket_count": "bigint",
    "prior": "double",
    "popularity_rank": "bigint",
}
_PARTS: dict[str, dict[str, str]] = {
    "itemsets": _LEVEL | ITEMSET_COLUMNS,
    "rules": _LEVEL | RULE_COLUMNS,
    "levels": _AUDIT,
    "items": _ITEMS,
    "pairs": PAIR_COLUMNS,
}
_DEFAULT_LEVEL = "item"
_FREQUENT = "select count(*) from {} where n >= {}"


class _Mined(NamedTuple):
    level: str
    baskets: Baskets
    itemsets: Itemsets
    tables: Mapping[str, pa.Table]
    audit: tuple[Any, ...]


class AssociationRules(Estimator):
    """Frequent itemsets, rules and the completion of baskets."""

    model_type = "association_rules"
    task = "custom"
    reads_in_order = False
    metrics = METRICS
    higher_is_better = frozenset(METRICS) - {"log_loss", "judged_basket_count"}
    options = (
        *COMMON,
        Option("basket_col", None, "text"),
        Option("item_col", None, "text"),
        Option("time_col", None, "text"),
        Option("revenue_col", None, "text"),
        Option("margin_col", None, "text"),
        Option("level_col", None, "text"),
        Option("predicted_level", None, "text"),
        Option("min_support", 0.001, "number", low=0, high=1),
        Option("min_count", 2, "integer", low=1),
        Option("min_confidence", 0.1, "number", low=0, high=1),
        Option("max_itemset_size", None, "integer", low=1),
        Option("max_itemsets", 1_000_000, "integer", low=1),
        Option("raise_support", False, "boolean"),
        Option("max_basket_size", 200, "integer", low=1),
        Option("max_neighbours", 200, "integer", low=1),
        Option("recent_days", None, "integer", low=1),
        Option("max_judged_baskets", 5000, "integer", low=1),
        Option("data_split_method", "NO_SPLIT", "choice", ("NO_SPLIT", "SEQ", "CUSTOM")),
        Option("data_split_eval_fraction", 0.2, "number", low=0, high=1),
        Option("data_split_test_fraction", 0.0, "number", low=0, high=1),
        Option("data_split_col", None, "text"),
    )

    @classmethod
    def carried_columns(cls, options: Options) -> list[str]:
        """Return the basket and its time."""
        return [options[name] for name in ("basket_col", "time_col") if options[name]]

    @classmethod
    def extra_columns(cls, options: Options) -> list[str]:
        """Return the columns of the basket."""
        for name in ("basket_col", "item_col"):
            if not options[name]:
                raise MartletError(
                    f"association_rules needs {name}: name the column "
                    f"of the {name.removesuffix('_col')}."
                )
        names = ("basket_col", "item_col", "time_col", "revenue_col", "margin_col", "level_col")
        return [options[name] for name in names if options[name]]

    def empty_parts(self, options: Options) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of the companion tables."""
        return _PARTS

    def empty_functions(self, options: Options) -> Mapping[str, str]:
        """Return a prediction without rows."""
        item = options["item_col"]
        columns = {
            options["basket_col"]: "varchar",
            "rank": "integer",
            f"predicted_{item}": "varchar",
            f"predicted_{item}_probability": "double",
            f"reason_{item}": "varchar[]",
            "reason_lift": "double",
        }
        # The parameter must be used somewhere, or DuckDB does not take it.
        return {"predict": no_rows(columns, "input, top_k := 10")}

    def fit(self, training: Training) -> Fitted:
        """Mine every level, then learn to complete baskets of one."""
        options = training.options
        _check_split(training)
        levels = _levels(training)
        mined, predicted = [], _predicted_level(training, levels)
        for level in sorted(levels, key=lambda name: name == predicted):
            mined.append(_mine(training, level))
            if level != predicted:
                mined[-1].baskets.drop()
        last = mined[-1]
        if not last.itemsets.levels:
            raise InsufficientData(
                f"no item lies in {last.itemsets.minimum} of {last.baskets.baskets} baskets"
            )
        tilt = choose_tilt(last.baskets, last.itemsets, options["max_neighbours"])
        tables = {
            name: pa.concat_tables([one.tables[name] for one in mined])
            for name in ("itemsets", "rules", "items")
        }
        tables["pairs"] = _pairs(last, tilt, options)
        parts = {name: Part(_PARTS[name], table) for name, table in tables.items()}
        parts["levels"] = Part(_AUDIT, sorted(one.audit for one in mined))
        baseline = _baseline(training, tables, predicted)
        last.baskets.drop()
        return Fitted(
            {
                "predicted_level": predicted,
                "tilt": tilt.as_parameters(),
                "levels": {one.level: list(one.itemsets.levels) for one in mined},
            },
            Scoring(None),
            parts=parts,
            functions=_functions(training, tilt, predicted, _unseen(tables, predicted)),
            baseline_metrics=baseline,
            notices=[notice for one in mined for notice in _notices(one)],
        )


def _level_filter(options: Options, level: str) -> str:
    """Return the condition of rows of a level."""
    if not options["level_col"]:
        return "true"
    return f"cast({identifier(options['level_col'])} as varchar) = {render(text(level))}"


def _levels(training: Training) -> dict[str, int]:
    """Return the levels with their number of items."""
    options = training.options
    if not options["level_col"]:
        return {_DEFAULT_LEVEL: 0}
    level, item = identifier(options["level_col"]), identifier(options["item_col"])
    found = training.con.execute(
        f"select cast({level} as varchar), count(distinct {item}) "
        f"from ({training.query('train')}) where {level} is not null group by 1 order by 1"
    ).fetchall()
    if not found:
        raise InsufficientData(f"{options['level_col']} is NULL in every row")
    return dict(found)


def _predicted_level(training: Training, levels: Mapping[str, int]) -> str:
    wanted = training.options["predicted_level"]
    if wanted and wanted not in levels:
        raise MartletError(
            f"predicted_level '{wanted}' does not occur in {training.options['level_col']}: "
            f"it has {', '.join(levels)}."
        )
    return wanted or max(levels, key=lambda name: levels[name])


def _check_split(training: Training) -> None:
    basket = identifier(training.options["basket_col"])
    cut = training.con.execute(
        f"select any_value({basket}) from {training.table} where {basket} is not null "
        f"group by {basket} having count(distinct {SPLIT}) > 1 limit 1"
    ).fetchall()
    if cut:
        raise MartletError(
            f"Basket '{cut[0][0]}' is in the training and in the evaluation rows: the values of "
            "data_split_col must be the same for all rows of a basket."
        )


def _mine(training: Training, level: str) -> _Mined:
    options = training.options
    columns = BasketColumns(
        options["basket_col"],
        options["item_col"],
        options["time_col"],
        options["revenue_col"],
        options["margin_col"],
    )
    query = f"select * from ({training.query('train')}) where {_level_filter(options, level)}"
    baskets = load_baskets(
        training.con, query, columns, options["max_basket_size"], options["recent_days"]
    )
    minimum = max(options["min_count"], least_count(options["min_support"], baskets.baskets))
    itemsets = _itemsets(baskets, minimum, options)
    minimum = itemsets.minimum
    mine_rules(baskets, itemsets, options["min_confidence"])
    tables = {
        "itemsets": _of_level(itemset_table(baskets, itemsets), level),
        "rules": _of_level(rule_table(baskets, itemsets), level),
        "items": _of_level(_items(baskets), level),
    }
    audit = (
        level,
        baskets.baskets,
        baskets.skipped,
        baskets.incomplete,
        baskets.repeated,
        minimum,
        tables["items"].num_rows,
        tables["itemsets"].num_rows,
        tables["rules"].num_rows,
        len(itemsets.levels),
        itemsets.complete,
        _recent_since(baskets),
    )
    return _Mined(level, baskets, itemsets, tables, audit)


def _itemsets(baskets: Baskets, minimum: int, options: Options) -> Itemsets:
    """Mine itemsets; where asked to, with twice the least count until they are few enough.

    Baskets may be so alike that no count tells their sets apart: then the shorter sets are kept.
    """
    most, lowest, longest = options["max_itemsets"], minimum, options["max_itemset_size"]
    while True:
        try:
            return mine_itemsets(baskets, minimum, longest, most, minimum > lowest)
        except TooManyItemsetsError as error:
            if not options["raise_support"]:
                raise
            raised, sets = minimum * 2, baskets.table("sets")
            # Of the sets counted so far it is known how many would be left: no need to try.
            while baskets.number(_FREQUENT.format(sets, raised)) > most:
                raised *= 2
            if error.size > 1 and not baskets.number(
                _FREQUENT.format(sets, raised) + " and size > 1"
            ):
                longest = error.size - 1
            else:
                minimum = raised


def _recent_since(baskets: Baskets) -> Any:
    found = baskets.run(
        f"select min(basket_at) from {baskets.table('times')} where tid > {baskets.boundary}"
    )
    return found.fetchall()[0][0]


def _items(baskets: Baskets) -> pa.Table:
    """Return each item with its popularity; half a basket more for each, for what is rare."""
    return baskets.con.sql(
        "select name as item, n as basket_count, (n + 0.5e0) / sum(n + 0.5e0) over () as prior, "
        f"row_number() over (order by n desc, name) as popularity_rank "
        f"from {baskets.table('all_items')} order by popularity_rank"
    ).to_arrow_table()


def _of_level(table: pa.Table, level: str) -> pa.Table:
    return table.add_column(0, "item_level", pa.array([level] * table.num_rows, pa.string()))


def _pairs(mined: _Mined, tilt: Tilt, options: Options) -> pa.Table:
    query = pairs_query(mined.baskets, mined.itemsets, tilt.shrinkage, options["max_neighbours"])
    names = mined.baskets.table("all_items")
    return mined.baskets.con.sql(
        "select item.name as item, second_item.name as second_item, "
        "next_item.name as next_item, pairs.lift, pairs.weight "
        f"from ({query}) as pairs inner join {names} as item on item.item = pairs.item "
        f"left join {names} as second_item on second_item.item = pairs.second_item "
        f"inner join {names} as next_item on next_item.item = pairs.next_item "
        "order by item.name, second_item.name, pairs.weight desc, next_item.name"
    ).to_arrow_table()


def _unseen(tables: Mapping[str, pa.Table], level: str) -> float:
    """Return the popularity of an item that training has not seen: that of half a basket."""
    rows = [row for row in tables["items"].to_pylist() if row["item_level"] == level]
    return 0.5 / float(sum(row["basket_count"] + 0.5 for row in rows))


def _case_rows(options: Options, level: str, source: str) -> str:
    return (
        f"select {identifier(options['basket_col'])} as basket, "
        f"cast({identifier(options['item_col'])} as varchar) as item from {source} "
        f"where {_level_filter(options, level)}"
    )


def _functions(training: Training, tilt: Tilt, level: str, unseen: float) -> dict[str, str]:
    options = training.options
    columns = (options["basket_col"], options["item_col"])
    types = tuple(
        str(training.con.query(f"select {identifier(name)} from {training.table}").types[0])
        for name in columns
    )
    items = f"{{part:items}} where item_level = {render(text(level))}"
    pairs = "{part:pairs}"
    evaluation = evaluate_query(
        tilt,
        _case_rows(options, level, "query_table(input)"),
        items,
        pairs,
        options["max_basket_size"],
        unseen,
        options["max_judged_baskets"],
    )
    return {
        "predict": predict_query(tilt, columns, (types[0], types[1]), items, pairs),
        "evaluate": f"(input) as table ({evaluation})",
    }


def _baseline(
    training: Training, tables: Mapping[str, pa.Table], level: str
) -> dict[str, float | None]:
    """Return the metrics of popularity on the evaluation rows."""
    con, options = training.con, training.options
    con.register("__martlet_items", tables["items"])
    source = f"({training.query(training.evaluation)})"
    query = evaluate_query(
        Tilt(best=0.0, together=0.0),
        _case_rows(options, level, source),
        f"__martlet_items where item_level = {render(text(level))}",
        "(select null::varchar as item, null::varchar as second_item, null::varchar as next_item, "
        "null::double as lift, null::double as weight where false)",
        options["max_basket_size"],
        _unseen(tables, level),
        options["max_judged_baskets"],
    )
    values = con.execute(query).fetchall()[0]
    con.unregister("__martlet_items")
    return dict(zip(METRICS, values, strict=True))


def _notices(mined: _Mined) -> Sequence[str]:
    where = "" if mined.level == _DEFAULT_LEVEL else f" of level {mined.level}"
    said = [
        (mined.baskets.skipped, "baskets with more items than max_basket_size are skipped"),
        (mined.baskets.incomplete, "rows without basket or item are left out"),
        (mined.baskets.repeated, "rows repeat an item of their basket and are put together"),
    ]
    return [f"{count:,} {what}{where}" for count, what in said if count]
