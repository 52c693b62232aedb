"""Raw rows that were set aside, and what the checks found."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import NARROW, PALETTE, data
from martlet.report.parts import Chart, Column, Finding, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import count, plural, share

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Data quality"
QUESTION = "Can the figures be trusted, or does the raw data miss something?"
_QUERY = """
select entity, check_name, rejection_reason, checked_count, affected_count, affected_share,
    severity, meaning
from marts.fct_data_quality
order by case severity when 'error' then 0 when 'warning' then 1 else 2 end,
    affected_share desc nulls last, data_quality_id
"""
_HARMLESS = ("duplicate_row", "superseded_row")
_COLUMNS: list[Column] = [
    ("Found in", "text"), ("What", "text"), ("Rows", "count"), ("Share", "share"),
    ("How bad", "text"), ("What it means", "text"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    rows = marts.rows("fct_data_quality", _QUERY)
    if not rows:
        return missing(TITLE, QUESTION, rows, "fct_data_quality", "data-contract.md")
    reasons = [row for row in rows if row["check_name"] == "rejected_rows_by_reason"]
    broken = [row for row in reasons if row["rejection_reason"] not in _HARMLESS]
    # Totals by entity repeat the reasons.
    listed = [
        row for row in rows if row["severity"] != "ok" and row["check_name"] != "rejected_rows"
    ]
    said, findings = _words(rows, broken, listed)
    parts: list[Part] = [Text(said)]
    if reasons:
        parts.append(
            Chart("Raw rows set aside, by entity", said, lambda width: _chart(reasons, width))
        )
    if listed:
        parts.append(Table("What the checks found", _COLUMNS, [_row(row) for row in listed[:15]]))
    if len(listed) > 15:
        parts.append(Text(f"{len(listed) - 15} more are in marts.fct_data_quality."))
    return Section(TITLE, QUESTION, parts, ("fct_data_quality",), "data-contract.md", findings)


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    what = row["rejection_reason"] or row["check_name"]
    return (
        row["entity"].replace("_", " "), what.replace("_", " "), row["affected_count"],
        row["affected_share"], row["severity"], row["meaning"],
    )  # fmt: skip


def _words(
    rows: list[dict[str, Any]], broken: list[dict[str, Any]], listed: list[dict[str, Any]]
) -> tuple[str, list[Finding]]:
    totals = [row for row in rows if row["check_name"] == "rejected_rows"]
    checked = sum(row["checked_count"] for row in totals)
    number = sum(row["affected_count"] for row in broken)
    errors = [row for row in listed if row["severity"] == "error"]
    said = (
        f"Of {plural(checked, 'raw row')} {count(number)} are broken "
        f"({share(number / checked) if checked else '0%'}) and stand aside in shop.shop_quarantine "
        f"with the reason; copies and older versions are dropped besides. "
        f"{plural(len(errors), 'finding is', 'findings are')} bad enough to be called an error."
    )
    if not errors:
        return said, []
    worst = max(errors, key=lambda row: row["affected_share"] or 0)
    what = (worst["rejection_reason"] or worst["check_name"]).replace("_", " ")
    text = (
        f"The raw data have {plural(len(errors), 'serious fault')}; the worst: {what} in "
        f"{plural(worst['affected_count'], 'row')} of {worst['entity'].replace('_', ' ')} "
        f"({share(worst['affected_share'] or 0)})."
    )
    return said, [Finding(text, max(0.05, min(1.0, worst["affected_share"] or 0)))]


def _chart(reasons: list[dict[str, Any]], width: int) -> Any:
    import altair as alt

    kinds = ["broken", "copy or older version"]
    values = [
        {
            "entity": row["entity"].replace("_", " "), "share": row["affected_share"],
            "kind": kinds[row["rejection_reason"] in _HARMLESS],
            "tip": f"{row['entity']}: {row['rejection_reason']} {count(row['affected_count'])}",
        }
        for row in reasons
    ]  # fmt: skip
    entities = len({value["entity"] for value in values})
    return (
        alt.Chart(data(values))
        .mark_bar()
        .encode(
            y=alt.Y("entity:N", title=None, sort="-x"),
            x=alt.X("sum(share):Q", title="share of the raw rows").axis(format="~%", tickCount=4),
            color=alt.Color("kind:N", title=None).scale(
                domain=kinds, range=[PALETTE[4], PALETTE[7]]
            ),
            description="tip:N",
        )
        .properties(height=(22 if width > NARROW else 24) * entities + 70)
    )
