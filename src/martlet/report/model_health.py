"""How the fitted models stand, and how their predictions came true."""

from __future__ import annotations

from typing import Any

import duckdb

from martlet.report.parts import Chart, Section, Table, Text, missing, read

__all__ = ["section"]

_TITLE = "Model health"
_QUESTION = "Can the predictions still be trusted, and if not, what is to be done?"
_MODELS = """
select m.model_name, m.title, m.status, cast(m.trained_at as date) as fitted,
    m.training_row_count as rows_learned_from, m.metric, m.metric_value, m.baseline_value,
    m.is_better_than_baseline, m.insufficient_data_reason,
    coalesce(c.alarms, 0) as alarms, coalesce(c.watched, 0) as watched
from marts.dim_ml_models as m
left join (
    select model_name, count(*) filter (where status = 'alarm') as alarms,
        count(*) filter (where status = 'watch') as watched
    from (
        select model_name, status, as_of_date,
            max(as_of_date) over (partition by model_name, check_kind, subject) as newest
        from marts.fct_ml_monitoring
    )
    where as_of_date = newest
    group by model_name
) as c on c.model_name = m.model_name
order by m.title
"""
_TRIGGERS = """
select model_name, rule, evidence, action
from marts.fct_ml_retrain_triggers
where is_triggered
order by model_name, rule
"""
_COURSE = """
select m.title, cast(p.as_of_date as varchar) as as_of_date, p.check_value, p.baseline_value
from marts.fct_ml_monitoring as p
join marts.dim_ml_models as m on m.model_name = p.model_name
where p.check_kind = 'performance' and p.subject = 'log_loss' and p.status <> 'too_little_data'
order by m.title, p.as_of_date
"""
_COLUMNS = (
    "model", "fitted", "rows", "metric", "value", "without a model", "better", "alarms", "watched",
    "note",
)  # fmt: skip


def section(con: duckdb.DuckDBPyConnection) -> Section:
    """Return the section."""
    models = read(con, "marts.dim_ml_models", _MODELS)
    if not models:
        return missing(_TITLE, _QUESTION, models, "marts.dim_ml_models")
    triggers = read(con, "marts.fct_ml_retrain_triggers", _TRIGGERS) or []
    course = read(con, "marts.fct_ml_monitoring", _COURSE) or []
    short = sum(row["status"] == "insufficient_data" for row in models)
    said = (
        f"{len(models)} models are watched; {short} of them have too little data. "
        f"{len(triggers)} rules call for something to be done. Alarms count the newest checks; "
        "each is a sentence in marts.fct_ml_monitoring."
    )
    parts: list[Text | Table | Chart] = [Text(said), Table(_COLUMNS, [_row(m) for m in models])]
    if triggers:
        rows = [(t["model_name"], t["rule"], t["evidence"], t["action"]) for t in triggers]
        parts.append(Table(("model", "rule", "evidence", "what to do"), rows))
    if course:
        parts.append(Chart(_chart(course), "Log loss of predictions that came due, by date"))
        parts.append(
            Text(
                "Each point: predictions of that date, after their outcome was known. Dashed: the "
                "share known then as everybody's probability. Less is better."
            )
        )
    return Section(_TITLE, _QUESTION, parts)


def _row(model: dict[str, Any]) -> tuple[Any, ...]:
    enough = model["status"] != "insufficient_data"
    return (
        model["title"], model["fitted"], model["rows_learned_from"], model["metric"],
        model["metric_value"], model["baseline_value"], model["is_better_than_baseline"],
        model["alarms"], model["watched"],
        model["status"] if enough else model["insufficient_data_reason"],
    )  # fmt: skip


def _chart(course: list[dict[str, Any]]) -> Any:
    import altair as alt

    lines = [
        {"model": row["title"], "date": row["as_of_date"], "kind": kind, "loss": row[value]}
        for row in course
        for kind, value in (("model", "check_value"), ("without a model", "baseline_value"))
        if row[value] is not None
    ]
    base = alt.Chart(alt.Data(values=lines)).encode(
        x=alt.X("date:T", title="as-of date"),
        y=alt.Y("loss:Q", title="log loss").scale(zero=False),
        color=alt.Color("model:N", title=None),
        strokeDash=alt.StrokeDash("kind:N", title=None),
    )
    return base.mark_line(point=True).properties(width=520, height=300)
