"""Whether churn probabilities come true, and whom to keep."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import NARROW, PALETTE, data
from martlet.report.parts import Chart, Column, Finding, Part, Section, Table, Text, missing
from martlet.report.reading import Marts
from martlet.report.words import count, day, listed, plural, share

__all__ = ["QUESTION", "TITLE", "section"]

TITLE = "Customers about to leave"
QUESTION = "Whom do we risk to lose, whom should we keep, and can the probabilities be believed?"
_BANDS = ("very low", "low", "medium", "high", "very high")
_TOTALS = """
select risk_band, any_value(horizon_days) as horizon_days, count(*) as customers,
    cast(sum(value_at_risk_amount) as double) as at_risk,
    count(*) filter (suggested_action = 'send an offer' and not is_in_holdout) as offers,
    cast(sum(value_at_risk_amount) filter (
        suggested_action = 'send an offer' and not is_in_holdout
    ) as double) as offered_at_risk,
    cast(sum(expected_offer_profit_amount) filter (
        suggested_action = 'send an offer' and not is_in_holdout
    ) as double) as offer_profit
from marts.fct_customer_churn
group by risk_band
"""
_KEEP = """
select customer_id, churn_probability, yearly_margin_amount, value_at_risk_amount,
    days_since_last_order, concat_ws('; ', reason_1, reason_2) as reasons
from marts.fct_customer_churn
where suggested_action = 'send an offer' and not is_in_holdout
order by value_at_risk_amount desc, customer_id
limit 12
"""
_CALIBRATION = """
select as_of_date, customer_count, mean_predicted_probability, observed_churn_rate,
    observed_churn_rate_lower, observed_churn_rate_upper
from marts.fct_churn_calibration
order by bin
"""
_UPLIFT = """
select count(*) filter (has_gain) as with_gain, count(*) filter (is_persuadable) as persuadable,
    count(*) as customers
from marts.fct_customer_retention_targets
"""
_COLUMNS: list[Column] = [
    ("Customer", "text"), ("At risk a year", "money"), ("Risk of leaving", "share"),
    ("Worth a year", "money"), ("Days since order", "count"), ("What the model goes by", "text"),
]  # fmt: skip


def section(marts: Marts) -> Section:
    """Return the section."""
    bands = marts.rows("fct_customer_churn", _TOTALS)
    if not bands:
        return missing(TITLE, QUESTION, bands, "fct_customer_churn", "churn.md")
    said, findings = _words(bands, marts)
    parts: list[Part] = [
        Text(said),
        Chart("Yearly margin at risk by risk of leaving", said, lambda w: _bands(bands, marts, w)),
    ]
    keep = marts.rows("fct_customer_churn", _KEEP) or []
    if keep:
        table = Table("Who to keep first", _COLUMNS, [_row(row) for row in keep])
        parts += [table, *_uplift(marts)]
    parts += _calibration(marts)
    reads = ("fct_customer_churn", "fct_churn_calibration", "fct_customer_retention_targets")
    return Section(TITLE, QUESTION, parts, reads, "churn.md", findings)


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["customer_id"], row["value_at_risk_amount"], row["churn_probability"],
        row["yearly_margin_amount"], row["days_since_last_order"], row["reasons"],
    )  # fmt: skip


def _words(bands: list[dict[str, Any]], marts: Marts) -> tuple[str, list[Finding]]:
    customers = sum(row["customers"] for row in bands)
    at_risk = sum(row["at_risk"] or 0 for row in bands)
    offers = sum(row["offers"] for row in bands)
    offered, profit = (
        sum(row[key] or 0 for row in bands) for key in ("offered_at_risk", "offer_profit")
    )
    horizon = bands[0]["horizon_days"]
    said = (
        f"A customer counts as lost after {horizon} days without an order. With each of the "
        f"{plural(customers, 'customer')} weighted by the probability of losing them, "
        f"{marts.money(at_risk)} of yearly margin is at risk."
    )
    if not offers:
        return said + " An offer is expected to pay for none of them.", []
    text = (
        f"{plural(offers, 'customer')} {'is' if offers == 1 else 'are'} worth an offer to keep: "
        f"{marts.money(offered)} of yearly margin is at risk with them, and offers are expected to "
        f"bring {marts.money(profit)} after their cost."
    )
    return f"{said} {text}", [Finding(text, min(1.0, offered / marts.yearly_revenue))]


def _uplift(marts: Marts) -> list[Text]:
    rows = marts.rows("fct_customer_retention_targets", _UPLIFT) or []
    if not rows or not rows[0]["customers"]:
        return [Text("How much an offer helps is an assumption until an experiment measures it.")]
    if not rows[0]["with_gain"]:
        return [
            Text(
                "In the past experiment nobody could be told whom the offer changes, so the list "
                "is by value and risk alone. The held-back customers will tell what offers do."
            )
        ]
    return [
        Text(
            f"In the past experiment the offer changed some customers and not others: "
            f"{plural(rows[0]['persuadable'], 'customer')} would be persuaded at a profit "
            "(marts.fct_customer_retention_targets)."
        )
    ]


def _bands(bands: list[dict[str, Any]], marts: Marts, width: int) -> Any:
    import altair as alt

    found = {row["risk_band"]: row for row in bands}
    values = [
        {
            "band": band, "part": part, "amount": amount,
            "tip": f"{band}, {part}: {marts.money(amount)} "
            f"({count(found[band]['customers'])} customers in the band)",
        }
        for band in _BANDS
        if band in found
        for part, amount in (
            ("worth an offer", found[band]["offered_at_risk"] or 0.0),
            ("left alone or held back",
             (found[band]["at_risk"] or 0.0) - (found[band]["offered_at_risk"] or 0.0)),
        )
    ]  # fmt: skip
    kinds = ["worth an offer", "left alone or held back"]
    return (
        alt.Chart(data(values))
        .mark_bar()
        .encode(
            x=alt.X("band:O", title="risk of leaving", sort=list(_BANDS)).axis(labelAngle=0),
            y=alt.Y("amount:Q", title=f"margin at risk ({marts.unit})").axis(format="~s"),
            color=alt.Color("part:N", title=None).scale(
                domain=kinds, range=[PALETTE[1], PALETTE[7]]
            ),
            description="tip:N",
        )
        .properties(height=240)
    )


def _calibration(marts: Marts) -> list[Part]:
    rows = marts.rows("fct_churn_calibration", _CALIBRATION)
    if not rows:
        return [Text("Whether the probabilities come true is not known yet.")]
    customers = sum(row["customer_count"] for row in rows)
    error = (
        sum(
            row["customer_count"]
            * abs(row["mean_predicted_probability"] - row["observed_churn_rate"])
            for row in rows
        )
        / customers
    )
    far = [
        share(row["mean_predicted_probability"])
        for row in rows
        if not row["observed_churn_rate_lower"] - 1e-9
        <= row["mean_predicted_probability"]
        <= row["observed_churn_rate_upper"] + 1e-9
    ]
    verdict = (
        f"Further off than chance explains: those given about {listed(far)}."
        if far
        else "No group is further off than chance explains."
    )
    said = (
        f"{plural(customers, 'customer')} at the test cut-off {day(rows[0]['as_of_date'])}, whom "
        f"the model did not learn from: predictions are off by {error:.3f} on average (expected "
        f"calibration error). {verdict} On the dashed line they come true; bars are 95 % intervals."
    )
    title = "Of the customers given 70 %, do 70 in 100 stay away?"
    return [Chart(title, said, lambda width: _dots(rows, width)), Text(said)]


def _dots(rows: list[dict[str, Any]], width: int) -> Any:
    import altair as alt

    scale = alt.Scale(domain=[0, 1])
    line = (
        alt.Chart(alt.Data(values=[{"p": 0}, {"p": 1}]))
        .mark_line(color="var(--faint)", strokeDash=[4, 4])
        .encode(x=alt.X("p:Q").scale(scale), y=alt.Y("p:Q").scale(scale))
    )
    values = [
        row | {"tip": f"given {share(row['mean_predicted_probability'])}: "
               f"{share(row['observed_churn_rate'])} of {row['customer_count']} left"}
        for row in rows
    ]  # fmt: skip
    base = alt.Chart(data(values)).encode(
        x=alt.X("mean_predicted_probability:Q", title="predicted probability of leaving")
        .scale(scale)
        .axis(format="%")
    )
    bars = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("observed_churn_rate_lower:Q", title="share that left")
        .scale(scale)
        .axis(format="%"),
        y2="observed_churn_rate_upper:Q",
    )
    points = base.mark_circle(opacity=0.9).encode(
        y="observed_churn_rate:Q",
        size=alt.Size("customer_count:Q", legend=None).scale(
            range=[30, 500 if width > NARROW else 250]
        ),
        description="tip:N",
    )
    return (line + bars + points).properties(height=340 if width > NARROW else 280)
