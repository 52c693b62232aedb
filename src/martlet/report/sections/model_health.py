"""How the fitted models stand, and how their predictions came true."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import NARROW, data
from martlet.report.parts import Chart, Column, Finding, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import plural

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Model health"
QUESTION = "Can the predictions still be trusted, and if not, what is to be done?"
_ALARMS = """
select model_name, count(*) filter (status = 'alarm') as alarms,
    count(*) filter (status = 'watch') as watched
from (
    select model_name, status, as_of_date,
        max(as_of_date) over (partition by model_name, check_kind, subject) as newest
    from marts.fct_ml_monitoring
)
where as_of_date = newest
group by model_name
"""
_MODELS = """
select model_name, title, champion_version, status, cast(trained_at as date) as fitted,
    training_row_count, metric, metric_value, baseline_value, is_better_than_baseline,
    insufficient_data_reason
from marts.dim_ml_models
order by title
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
_COLUMNS: list[Column] = [
    ("Model", "text"), ("Version", "count"), ("Fitted", "date"), ("Rows", "count"),
    ("Metric", "text"), ("Value", "number"), ("Without a model", "number"), ("Better", "text"),
    ("Alarms", "count"), ("Watched", "count"), ("Note", "text"),
]  # fmt: skip
_TO_DO: list[Column] = [
    ("Model", "text"), ("Rule", "text"), ("Evidence", "text"), ("What to do", "text"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    models = marts.rows("dim_ml_models", _MODELS)
    if not models:
        return missing(TITLE, QUESTION, models, "dim_ml_models", "monitoring.md")
    triggers = marts.rows("fct_ml_retrain_triggers", _TRIGGERS) or []
    course = marts.rows("fct_ml_monitoring", _COURSE) or []
    alarms = {row["model_name"]: row for row in marts.rows("fct_ml_monitoring", _ALARMS) or []}
    said, findings = _words(models, triggers)
    parts: list[Part] = [
        Text(said),
        Table("Models", _COLUMNS, [_row(m, alarms.get(m["model_name"], {})) for m in models]),
    ]
    if triggers:
        body = [
            (_plain(t["model_name"]), _plain(t["rule"]), t["evidence"], t["action"])
            for t in triggers
        ]
        parts.append(Table("What calls for something to be done", _TO_DO, body))
    if course:
        title = "Log loss of predictions that came due, by date"
        how = (
            "Each point: predictions of that date, after their outcome was known. Dashed: the "
            "share known then as everybody's probability. Less is better."
        )
        parts += [Chart(title, f"{title}. {how}", lambda width: _chart(course, width)), Text(how)]
    reads = ("dim_ml_models", "fct_ml_monitoring", "fct_ml_retrain_triggers")
    return Section(TITLE, QUESTION, parts, reads, "monitoring.md", findings)


def _plain(name: str) -> str:
    return name.removeprefix("ml_").removesuffix("__fit").replace("_", " ")


def _words(
    models: list[dict[str, Any]], triggers: list[dict[str, Any]]
) -> tuple[str, list[Finding]]:
    short = sum(model["status"] == "insufficient_data" for model in models)
    worse = [m["title"] for m in models if m["is_better_than_baseline"] is False]
    said = (
        f"{plural(len(models), 'model is', 'models are')} watched; {short} of them "
        f"{'has' if short == 1 else 'have'} too little data. "
        f"{plural(len(triggers), 'rule calls', 'rules call')} for something to be done. Alarms "
        "count the newest checks; each is a sentence in marts.fct_ml_monitoring."
    )
    if worse:
        said += f" No better than an answer without a model: {', '.join(worse)}."
    if not triggers:
        return said, []
    touched = {trigger["model_name"] for trigger in triggers}
    first = triggers[0]
    text = (
        f"{plural(len(touched), 'of the models calls', 'of the models call')} for attention. "
        f"First, {_plain(first['model_name'])}: {first['action']}"
    )
    return said, [Finding(text, 0.3 * len(touched) / len(models))]


def _row(model: dict[str, Any], alarms: dict[str, Any]) -> tuple[Any, ...]:
    enough = model["status"] != "insufficient_data"
    return (
        model["title"], model["champion_version"], model["fitted"], model["training_row_count"],
        _plain(model["metric"]) if model["metric"] else None, model["metric_value"],
        model["baseline_value"], model["is_better_than_baseline"],
        alarms.get("alarms", 0), alarms.get("watched", 0),
        model["status"] if enough else model["insufficient_data_reason"],
    )  # fmt: skip


def _chart(course: list[dict[str, Any]], width: int) -> Any:
    import altair as alt

    lines = [
        {"model": row["title"], "date": row["as_of_date"], "kind": kind, "loss": row[value]}
        for row in course
        for kind, value in (("model", "check_value"), ("without a model", "baseline_value"))
        if row[value] is not None
    ]
    base = alt.Chart(data(lines)).encode(
        x=alt.X("date:T", title="as-of date").axis(format="%b %y", tickCount=6),
        y=alt.Y("loss:Q", title="log loss").scale(zero=False),
        color=alt.Color("model:N", title=None),
        strokeDash=alt.StrokeDash("kind:N", legend=None, sort=["model", "without a model"]),
    )
    return base.mark_line(point=True).properties(height=300 if width > NARROW else 320)
