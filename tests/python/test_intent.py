"""Purchase intent: nothing looks ahead, splits by time, waiting by an oracle, effects recovered."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from martlet.churn.folds import Fold
from martlet.churn.measures import roc_auc
from martlet.errors import MartletError
from martlet.estimators import find_estimator
from martlet.estimators.base import Training
from martlet.intent.response import learn_response
from martlet.intent.sides import Columns, choosing_rows, ordinary_rows
from martlet.intent.trial import Drawn, trial_rows
from martlet.intent.waiting import Economics, first_stops, learn_states, next_rows, waiting_values
from martlet.options import parse_options
from martlet.simulate.interventions import (
    HESITANT,
    Observed,
    draw_moments,
    draw_visits,
    outcome_of,
)
from martlet.split import HASH, SPLIT
from ml_support import connect, fit, rows
from support import beside, query, run_dbt

SESSION_MODELS = (
    "int_visitors__to_rebuild", "int_session_buckets__counted", "int_events__marking_sessions",
    "int_visitors__to_cut", "int_sessions__cut", "int_sessions__judged", "ftr_sessions__intent",
)  # fmt: skip
UNTIL = "timestamp '2026-06-01 12:00:00'"
ROWS = "select * exclude (ingest_number) from features.ftr_sessions__intent"


@pytest.fixture(scope="module")
def shop(sample_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample shop, in the folder that later runs share."""
    return Path(shutil.copy(sample_shop, tmp_path_factory.mktemp("intent")))


def test_later_events_never_change_an_earlier_row_and_a_load_adds_what_a_refresh_would(
    shop: Path,
) -> None:
    early = beside(shop, "early")
    shutil.copy(shop, early)
    with duckdb.connect(str(early)) as con:
        con.execute(f"create table main.later as from shop.shop_events where event_at >= {UNTIL}")
        con.execute(f"delete from shop.shop_events where event_at >= {UNTIL}")
    target = shop.parent / "target"
    run_dbt("run", "--full-refresh", "--select", *SESSION_MODELS, database=early, target=target)
    past = f"{ROWS} where moment_at < {UNTIL}"
    before, after = set(query(early, past)), set(query(shop, past))
    assert len(before) > 5000
    # A visitor may turn out to be a robot later: rows go, none changes.
    assert {row[:3] for row in after - before} == set()
    assert len(before - after) < 0.01 * len(before)
    with duckdb.connect(str(early)) as con:
        # A load more, and its line in the ledger of loads.
        con.execute(
            """insert into shop.shop_events
            select * replace (2 as ingest_number) from main.later"""
        )
        con.execute(
            """insert into intermediate.int_event_batches__observed
            select * replace (2 as ingest_number)
            from intermediate.int_event_batches__observed limit 1"""
        )
    run_dbt("run", "--select", *SESSION_MODELS, database=early, target=target)
    assert set(query(early, ROWS)) == set(query(shop, ROWS))


def test_no_visitor_is_on_both_sides_and_time_divides_them(shop: Path) -> None:
    ((both, overlap),) = query(
        shop,
        """select (select count(*) from (select visitor_id from ml.ml_intent__training_set
                group by 1 having count(distinct is_evaluation) > 1)),
            (select count(*) from ml.ml_intent__training_set where not is_evaluation
                and as_of_date > (select min(as_of_date) + 1 from ml.ml_intent__training_set
                    where is_evaluation))""",
    )
    assert (both, overlap) == (0, 0)


def test_no_feature_holds_the_answer(shop: Path) -> None:
    """At the first event nobody knows; what the whole session came to would give it away."""
    with duckdb.connect(str(shop), read_only=True) as con:
        table = con.execute(
            """select t.* exclude (session_id, moment_kind, moment_number, as_of_date, visitor_id,
                last_event_name, channel_group, device_category, order_amount, is_evaluation,
                will_leave), s.funnel_step as leak, s.event_count as whole_session_count
            from ml.ml_intent__training_set as t
            inner join intermediate.int_sessions__cut as s using (session_id)
            where moment_kind = 'event' and moment_number = 1"""
        ).fetchnumpy()
    target = table.pop("will_buy").astype(float)

    def area(name: str) -> float:
        score = np.ma.filled(np.ma.asarray(table[name], float), -1.0)
        found = roc_auc(target, score)
        assert found is not None
        return max(found, 1 - found)

    leaks = {name: area(name) for name in ("leak", "whole_session_count")}
    assert min(leaks.values()) > 0.9
    honest = {name: area(name) for name in table if name not in leaks}
    assert max(honest.values()) < 0.8, honest


#: Sessions of people at their second event, half of them drawn into a trial: 0.7 are stepped into
#: where something is in the cart, 0.3 elsewhere. The variant is drawn given the outcome, with the
#: chances Bayes' rule gives when stepping in doubles the rate of purchases.
PLANTED = """
create table main.drawn as
with moments as (
    select f.session_id, f.visitor_id, f.moment_at, f.cart_item_count > 0 as has_cart, t.will_buy,
        if(f.cart_item_count > 0, 0.7, 0.3) as chance
    from features.ftr_sessions__intent as f
    inner join ml.ml_intent__training_set as t using (session_id, moment_kind, moment_number)
    where moment_kind = 'event' and moment_number = 2 and hash(session_id) % 2 = 0
),
rated as (
    select *, avg(will_buy::double) over (partition by has_cart) as rate from moments
),
planted as (
    select *, rate / (1 + chance) as control_rate, 2 * rate / (1 + chance) as treated_rate,
        hash(session_id || 'variant') % 1000003 / 1000003 as luck
    from rated
)
select *, luck < chance * if(will_buy, treated_rate / rate, (1 - treated_rate) / (1 - rate))
    as is_treated
from planted
"""
RAW_TRIAL = """
create or replace table {table} as
select experiment, variant, cookie_id, customer_id, exposed_at, null as propensity from {table}
union all
select 'voucher', if(is_treated, 'ten per cent', 'control'), visitor_id, null,
    strftime(moment_at + interval 1 second, '%Y-%m-%dT%H:%M:%SZ'),
    if(is_treated, chance, 1 - chance)::varchar
from main.drawn
union all
select 'voucher', 'control', 'v' || i, null, '2026-06-01T10:00:00Z', chance
from (values (1, 'often'), (2, '0'), (3, '1.01'), (4, 'nan')) as t(i, chance)
"""


def test_a_shops_own_trial_goes_from_raw_rows_to_effect_and_model(shop: Path) -> None:
    tried = beside(shop, "tried")
    shutil.copy(shop, tried)
    with duckdb.connect(str(tried)) as con:
        con.execute(PLANTED)
        ((schema,),) = con.execute(
            "select schema_name from duckdb_tables() where table_name = 'raw_experiment_exposures'"
        ).fetchall()
        con.execute(RAW_TRIAL.format(table=f"{schema}.raw_experiment_exposures"))
        # A shop that is not fitted yet: a fit of today would be kept.
        con.execute("drop schema ml cascade")
    run_dbt(
        "run", "--select", "stg_sample__experiment_exposures", "shop_experiment_exposures",
        "int_exposures__placed", "path:models/ml/intent", "path:python_models/ml/intent",
        "fct_interventions", "fct_intervention_effects",
        database=tried, target=shop.parent / "tried",
        vars={"martlet_intervention_experiments": ["voucher"]},
    )  # fmt: skip
    rejected = "from staging.stg_sample__experiment_exposures where rejection_reason = "
    assert query(tried, f"select visitor_id {rejected} 'not_a_number'") == [("v1",)]
    assert query(tried, f"select visitor_id {rejected} 'impossible_probability' order by 1") == [
        ("v2",), ("v3",), ("v4",),
    ]  # fmt: skip
    ((drawn, truth),) = query(
        tried, "select count(*), avg(treated_rate - control_rate) from main.drawn"
    )
    ((shown, known, unplaced),) = query(
        tried,
        """select count(*), count_if(is_propensity_known), count_if(moment_number is null)
        from marts.fct_interventions where experiment_id = 'voucher'""",
    )
    # A sample shop loses nobody: each showing is in its session, at a moment the model has seen.
    assert (shown, known, unplaced) == (drawn, drawn, 0)
    ((effect, low, high),) = query(
        tried,
        """select conversion_effect, conversion_effect_lower, conversion_effect_upper
        from marts.fct_intervention_effects where experiment_id = 'voucher'""",
    )
    assert low <= truth <= high
    assert effect > 0
    ((least, most),) = query(
        tried,
        """select conversion_effect_lower, conversion_effect_upper
        from ml.ml_intent__trial where role = 'selection' and moments = 'all'""",
    )
    assert least <= truth <= most
    ((learned,),) = query(
        tried,
        "select parameters ->> 'response_moments' from ml.ml_intent__fit where is_champion",
    )
    assert int(learned) > 200


def visits(count: int, with_cart: float = 0.0, without: float = 0.0) -> Any:
    """Simulated visits in columns the model type takes; chance steps in at one moment of each."""
    import pyarrow as pa

    con = connect()
    con.register("given", pa.table(draw_moments(draw_visits(count, 7), 8, with_cart, without, 5)))
    con.execute(
        f"""create table visits as select visit::varchar as session_id,
        (visit // 2)::varchar as visitor_id, event_count as moment,
        date '2026-01-01' + (visit * 50 // {count})::int as as_of_date, event_count,
        has_cart as cart, cart_step, seconds_since_start, 0.0 as seconds_since_last_event, will_buy,
        will_leave, case when will_buy then amount end as order_amount,
        case when not isnan(treated) then treated > 0 end as is_treated,
        nullif(propensity, 'nan'::double) as propensity,
        visit >= 0.75 * {count} as is_evaluation from given"""
    )
    return con


CONFIG = {
    "model_type": "purchase_intent", "as_of_col": "as_of_date", "data_split_method": "custom",
    "data_split_col": "is_evaluation", "moment_cols": ["moment"], "buy_rule": "cart",
    "leave_rule": "cart_step > 2", "offer_cost": 2.5,
}  # fmt: skip
#: What a trial adds to it.
TRIAL = {"treated_col": "is_treated", "propensity_col": "propensity"}


def test_a_fit_scores_in_sql_as_in_python_and_decides(tmp_path: Path) -> None:
    con = visits(6000, 0.5, 0.5)
    fit(con, "intent", "select * from visits", **TRIAL, **CONFIG)
    (row,) = rows(con, "select * from intent")
    assert row["status"] == "trained"
    assert row["scoring_difference"] < 1e-9
    (answer,) = rows(
        con,
        """with live as (select 4 as event_count, true as cart, 1.0 as cart_step,
            60.0 as seconds_since_start, 0.0 as seconds_since_last_event)
        select * from intent_predict('live')""",
    )
    assert 0 < answer["buy_probability"] < answer["treated_buy_probability"] < 1
    assert answer["uplift"] == pytest.approx(
        answer["treated_buy_probability"] - answer["buy_probability"]
    )
    value = answer["treated_buy_probability"] * (0.3 * answer["expected_order_amount"] - 2.5)
    value -= answer["buy_probability"] * 0.3 * answer["expected_order_amount"] + 0.1
    assert answer["value_now_amount"] == pytest.approx(value)
    decisions = rows(
        con,
        """select decision, min(value_now_amount - value_wait_amount) as least,
            min(value_now_amount) as now from intent_predict('visits') group by 1 order by 1""",
    )
    by = {item["decision"]: item for item in decisions}
    assert by["intervene"]["least"] >= 0
    assert by["intervene"]["now"] > 0
    assert by["wait"]["least"] < 0


def test_the_champion_beats_the_one_rule_on_later_visits() -> None:
    con = visits(4000)
    columns = "* exclude (is_treated, propensity)"
    fit(con, "intent", f"select {columns} from visits", **CONFIG)
    found = {
        (item["candidate"], item["is_champion"]): item["log_loss"]
        for item in rows(
            con,
            """select * from intent__comparison
            where role = 'test' and target = 'buy' and moment = 'all'""",
        )
    }
    champion = next(loss for (_, chosen), loss in found.items() if chosen)
    assert champion <= found["one_rule", False] < found["prior", False]


def test_of_many_moments_whole_visitors_are_drawn_and_all_judge() -> None:
    con = visits(2000)
    outcome = fit(con, "intent", "select * from visits", max_training_rows=2000, **CONFIG)
    assert "training rows were drawn (max_training_rows)" in " ".join(outcome.log)
    query = """select row_count from intent__comparison
        where role = 'test' and target = 'buy' and moment = 'all'"""
    judged = {item["row_count"] for item in rows(con, query)}
    (kept,) = rows(con, "select count(*) as n from visits where is_evaluation")
    assert judged == {kept["n"]}
    assert rows(con, "from duckdb_tables() where temporary") == []


def test_a_random_split_is_refused() -> None:
    con = visits(200)
    with pytest.raises(MartletError, match="data_split_method"):
        fit(con, "intent", "select * from visits", **CONFIG | {"data_split_method": "random"})


def test_too_few_visits_give_an_empty_model() -> None:
    con = visits(100)
    outcome = fit(con, "intent", "select * from visits", **CONFIG)
    assert outcome.status == "insufficient_data"
    assert rows(con, "select * from intent_predict('visits')") == []


def test_the_rows_that_choose_share_no_visitor_with_those_that_teach() -> None:
    con = visits(2000)
    con.execute(
        f"""create table t as select *, hash(session_id, moment) as {HASH},
        'train' as {SPLIT} from visits"""
    )

    config = CONFIG | TRIAL
    options = parse_options("purchase_intent", config, find_estimator("purchase_intent").options)
    nothing: Any = None
    training = Training(con, "t", options, [], nothing, None, {"train": 1}, 0)
    chosen = choosing_rows(training, Columns(training))
    name = Fold("selection", chosen, None).training.table
    assert set(chosen.rows) == {"train", "eval"}
    assert con.execute(
        f"""select count(*) from (select visitor_id from {name} where {SPLIT} is not null
        group by 1 having count(distinct {SPLIT}) > 1)"""
    ).fetchall() == [(0,)]
    ((latest, first),) = con.execute(
        f"""select max(as_of_date) filter ({SPLIT} = 'train'),
        min(as_of_date) filter ({SPLIT} = 'eval') from {name}"""
    ).fetchall()
    assert latest < first
    # Without a trial every row counts once.
    every = con.execute(f"select count(*), count(distinct {HASH}) from t").fetchall()[0]
    ordinary = ordinary_rows(training, Columns(training))
    assert ordinary.rows == {"train": every[0]}
    assert sum(chosen.rows.values()) <= every[0]


def test_the_last_digits_of_a_fit_do_not_decide_the_band() -> None:
    generator = np.random.default_rng(4)
    value = np.repeat(generator.normal(size=40), 25)
    leave = np.repeat([0.1, 0.4, 0.4, 0.9], 250)
    idle, events = np.zeros(len(value)), np.ones(len(value))
    places = []
    for noise in (0.0, 1e-12):
        moved = value + noise * generator.normal(size=len(value))
        states = learn_states(moved, leave + noise * generator.normal(size=len(leave)))
        assert len(states.value_edges) == 7
        places.append(states.place(idle, events, moved, leave))
    np.testing.assert_array_equal(*places)


def test_waiting_is_worth_what_backward_induction_says() -> None:
    """Three moments; from the first a visit goes on with 0.6, from the second with 0.5."""
    rng = np.random.default_rng(3)
    count, worth = 40_000, (1.0, 2.5, 4.0)
    alive = np.column_stack([np.ones(count), rng.random(count) < 0.6, rng.random(count) < 0.5])
    alive = np.cumprod(alive, axis=1) > 0
    visit, step = np.nonzero(alive)
    value = np.asarray(worth)[step]
    following = next_rows(visit.astype(str).astype(object), step.astype(float), step + 1.0)
    states = learn_states(value, np.zeros(len(value)))
    place = states.place(np.zeros(len(value)), step + 1.0, value, np.zeros(len(value)))
    found = waiting_values(place, states, value, following)[place]
    # Backward: at the second, waiting is worth 0.5 x 4 = 2 < 2.5; at the first 0.6 x 2.5 = 1.5 > 1.
    for moment, expected in enumerate((1.5, 2.0, 0.0)):
        assert found[step == moment].mean() == pytest.approx(expected, abs=0.03)
    act = value >= found
    first = first_stops(act, following)
    chosen = {int(visit[i]): int(step[i]) for i in np.flatnonzero(first)}
    by_hand: dict[int, int] = {}
    for i in np.flatnonzero(act):
        by_hand[int(visit[i])] = min(by_hand.get(int(visit[i]), 9), int(step[i]))
    assert chosen == by_hand


def test_value_now_is_the_margin_added_less_what_it_costs() -> None:
    money = Economics(margin_share=0.5, contact_cost=1.0, offer_cost=10.0)
    # 0.3 x (50 - 10) - 0.2 x 50 - 1
    assert money.value_now(np.array([0.2]), np.array([0.3]), np.array([100.0])) == pytest.approx(
        1.0
    )


def test_a_planted_response_is_found_and_none_is_not_made_up() -> None:
    rng = np.random.default_rng(5)
    count = 40_000
    rule, treated = rng.random(count) < 0.3, rng.random(count) < 0.5
    buy, leave = rng.normal(-2, 1, count), rng.normal(0, 1, count)
    planted = np.where(rule, 0.8, -0.4) * treated
    bought = rng.random(count) < 1 / (1 + np.exp(-(buy + planted)))
    args = (rule.astype(float), buy, leave, treated.astype(float), bought.astype(float))
    found = learn_response(1.3, *args)
    assert found.weights[0] == pytest.approx(-0.4, abs=0.1)
    assert found.weights[0] + found.weights[1] == pytest.approx(0.8, abs=0.1)
    assert found.weights[2:] == pytest.approx((0.0, 0.0), abs=0.08)
    nothing = learn_response(1.3, *(item[:0] for item in args))
    assert nothing.weights == (0.0, pytest.approx(np.log(1.3)), 0.0, 0.0)


def test_a_trial_with_unequal_chances_says_what_was_planted_and_spoils_nothing() -> None:
    """With a cart seven in ten are stepped into, without two in ten."""
    count = 24_000
    con = visits(count, 0.7, 0.2)
    fit(con, "weighed", "select * from visits", **TRIAL, **CONFIG)
    drawn = draw_visits(count, 99)
    seen: list[Observed] = []
    outcome_of(drawn, lambda now: np.zeros(count, dtype=bool), seen)
    # What stepping in at the same drawn moments really changes, by the same luck with and without.
    at = np.random.default_rng(8).integers(1, 6, count)
    never, _ = outcome_of(drawn, lambda now: np.zeros(count, dtype=bool))
    always, _ = outcome_of(drawn, lambda now: at == now.step)
    with_cart = np.zeros(count, dtype=bool)
    reached = np.zeros(count, dtype=bool)
    for now in seen:
        here = now.is_open & (at == now.step)
        reached |= here
        with_cart |= here & now.cart
    found = {
        (row["role"], row["moments"]): row
        for row in rows(con, "from weighed__trial where role = 'test'")
    }
    for group, within in (("rule holds", with_cart), ("rule does not hold", reached & ~with_cart)):
        truth = float(always[within].mean() - never[within].mean())
        row = found["test", group]
        assert row["conversion_effect_lower"] <= truth <= row["conversion_effect_upper"], group
        assert row["expected_conversion_effect"] == pytest.approx(truth, abs=0.06)
    held = found["test", "rule holds"]
    assert held["conversion_effect_lower"] > 0 > found["test", "rule does not hold"]["value_amount"]
    # Many carts were stepped into; the probabilities are still those of visits left alone.
    untouched = visits(count)
    untouched.execute("create table others as select * from visits where is_evaluation")
    truth = untouched.execute("select avg(will_buy::int) from others where cart").fetchall()[0][0]
    con.register("others", untouched.sql("from others").to_arrow_table())
    said = con.execute(
        "select avg(buy_probability) from weighed_predict('others') where cart"
    ).fetchall()[0][0]
    assert said == pytest.approx(truth, abs=0.03)


def test_a_wrong_model_does_not_mislead_a_trial() -> None:
    rng = np.random.default_rng(12)
    count = 20_000
    state = rng.random(count) < 0.4
    chance = np.where(state, 0.8, 0.2)
    treated = (rng.random(count) < chance).astype(float)
    base = np.where(state, 0.5, 0.1)
    bought = (rng.random(count) < base + 0.1 * treated).astype(float)
    weight = 1 / np.where(treated > 0, chance, 1 - chance)
    wrong = np.full(count, 0.9)
    money = Economics(margin_share=0.3, contact_cost=0.1, offer_cost=5.0)
    drawn = Drawn(
        treated, bought, weight, 100 * bought, wrong, wrong, np.full(count, 10.0), np.arange(count)
    )
    (found,) = trial_rows("test", drawn, {"all": np.ones(count, dtype=bool)}, money)
    _, _, _, _, effect, low, high, said, _, least, most, _ = found
    assert low <= 0.1 <= high
    assert high - low < 0.1
    assert said == 0
    # 0.1 x 30 of margin more, less an offer to 0.36 of them, less the contact.
    assert least <= 0.1 * 30 - 0.36 * 5 - 0.1 <= most
    naive = bought[treated > 0].mean() - bought[treated == 0].mean()
    assert abs(naive - 0.1) > 0.1 > abs(effect - 0.1)


def test_the_simulator_answers_as_planted() -> None:
    drawn = draw_visits(20_000, 1)
    never, _ = outcome_of(drawn, lambda now: np.zeros(len(drawn), dtype=bool))
    carted, acted = outcome_of(drawn, lambda now: now.cart & (now.cart_step == 0))
    early, _ = outcome_of(drawn, lambda now: np.full(len(drawn), now.step == 1))
    hesitant = drawn.kind == HESITANT
    # Only hesitant visitors who were stepped in for are changed; without a cart some are lost.
    assert (carted == never)[~(hesitant & (acted > 0))].all()
    assert carted[hesitant].mean() > never[hesitant].mean() + 0.05
    assert early.mean() < never.mean()
