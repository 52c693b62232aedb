"""Attribution: removal effects against enumerated paths, credit that sums to one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from martlet.errors import MartletError
from martlet.estimators.markov_attribution import removal_effects
from ml_support import columns, connect, fit, rows

PATHS = [
    (["ad", "mail"], True),
    (["ad"], False),
    (["mail", "mail", "direct"], True),
    (["direct"], True),
    (["ad", "direct"], False),
    (["ad", "ad", "mail"], False),
]


def table(paths: list[tuple[list[str], bool]]) -> str:
    values = ", ".join(
        f"('p{number}', {place}, '{channel}', {won})"
        for number, (channels, won) in enumerate(paths)
        for place, channel in enumerate(channels, start=1)
    )
    return (
        f"select * from (values {values}) as t(path_id, touch_number, channel_group, is_converted)"
    )


def conversion_by_walking(paths: list[tuple[list[str], bool]], removed: str | None) -> float:
    """Sum the probability of every walk of up to 60 steps, without any linear algebra."""
    steps: dict[str, dict[str, int]] = {}
    for channels, won in paths:
        states = ["start", *channels, "won" if won else "lost"]
        for before, after in itertools.pairwise(states):
            steps.setdefault(before, {}).setdefault(after, 0)
            steps[before][after] += 1
    here, won_so_far = {"start": 1.0}, 0.0
    for _ in range(60):
        after: dict[str, float] = {}
        for state, chance in here.items():
            for target, number in steps[state].items():
                moved = chance * number / sum(steps[state].values())
                if target == "won":
                    won_so_far += moved
                elif target not in ("lost", removed):
                    after[target] = after.get(target, 0.0) + moved
        here = after
    return won_so_far


def test_removal_effects_are_those_of_walking_the_chain() -> None:
    con = connect()
    fit(con, "m", table(PATHS), model_type="markov_attribution")
    full = conversion_by_walking(PATHS, None)
    found = {
        row["channel"]: row["removal_effect"]
        for row in rows(con, "from m__removal_effects order by channel")
    }
    for channel in ("ad", "direct", "mail"):
        expected = 1 - conversion_by_walking(PATHS, channel) / full
        assert found[channel] == pytest.approx(expected, abs=1e-9)
    shares = rows(
        con, "select from_state, sum(transition_probability) as s from m__transitions group by 1"
    )
    assert all(row["s"] == pytest.approx(1) for row in shares)


def test_credit_sums_to_one_a_path_and_follows_the_effects() -> None:
    con = connect()
    fit(con, "m", table(PATHS), model_type="markov_attribution")
    con.execute(f"create table paths as {table([*PATHS, (['never seen'], True)])}")
    sums = rows(con, "select path_id, sum(markov_credit) as s from m_predict('paths') group by 1")
    assert all(row["s"] == pytest.approx(1, abs=1e-12) for row in sums)
    two = rows(con, "from m_predict('paths') where path_id = 'p0' order by touch_number")
    assert two[0]["markov_credit"] / two[1]["markov_credit"] == pytest.approx(
        two[0]["removal_effect"] / two[1]["removal_effect"]
    )


def test_equal_shares_of_the_channels_are_the_shapley_value() -> None:
    """What the mart calls shapley, against the definition over every order of joining."""
    won = [frozenset(channels) for channels, is_won in PATHS if is_won]
    channels = sorted(frozenset().union(*won))

    def worth(coalition: frozenset[str]) -> int:
        return sum(path <= coalition for path in won)

    for channel in channels:
        gains = []
        for order in itertools.permutations(channels):
            before = frozenset(order[: order.index(channel)])
            gains.append(worth(before | {channel}) - worth(before))
        shared = sum(1 / len(path) for path in won if channel in path)
        assert np.mean(gains) == pytest.approx(shared)


def test_a_channel_every_conversion_needs_has_the_whole_effect() -> None:
    _, effects = removal_effects(np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0.5, 0.5]]))
    assert effects == pytest.approx([1, 1])


def test_the_chain_is_judged_on_paths_it_has_not_seen() -> None:
    con = connect()
    # After an advert comes the shop, after the shop a purchase: the past tells what follows.
    paths = [(["ad", "shop"], True) if i % 2 else (["mail"], False) for i in range(200)]
    sql = f"select *, substring(path_id, 2)::int >= 150 as held from ({table(paths)})"
    fit(
        con,
        "m",
        sql,
        model_type="markov_attribution",
        data_split_method="CUSTOM",
        data_split_col="held",
    )
    row = rows(con, "select metrics->>'log_loss' as m, baseline_metrics->>'log_loss' as b from m")[
        0
    ]
    assert float(row["m"]) < 0.4 < 1.2 < float(row["b"])


def test_without_a_conversion_there_is_too_little_data() -> None:
    con = connect()
    outcome = fit(con, "m", table([(["ad"], False)]), model_type="markov_attribution")
    assert outcome.status == "insufficient_data"
    assert "no path ends in a conversion" in outcome.warnings[0]
    con.execute(f"create table paths as {table(PATHS)}")
    assert columns(con, "from m_predict('paths')")[-2:] == ["removal_effect", "markov_credit"]
    assert rows(con, "from m__removal_effects") == []
    with pytest.raises(MartletError, match="is NULL in 1 rows: name a channel"):
        fit(
            con,
            "n",
            f"select * replace (null::varchar as channel_group) from ({table([(['x'], True)])})",
            model_type="markov_attribution",
        )
