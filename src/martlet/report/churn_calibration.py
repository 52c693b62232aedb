"""Whether churn probabilities come true."""

from __future__ import annotations

import duckdb

from martlet.report.parts import Chart, Section, Text, missing, read

__all__ = ["section"]

_TITLE = "Churn probabilities"
_QUESTION = "Of the customers given 70 %, do 70 in 100 stay away?"
_QUERY = """
select as_of_date, bin_from, bin_until, customer_count, mean_predicted_probability,
    observed_churn_rate, observed_churn_rate_lower, observed_churn_rate_upper
from ml.ml_churn__calibration
order by bin
"""


def section(con: duckdb.DuckDBPyConnection) -> Section:
    """Return the section."""
    rows = read(con, "ml.ml_churn__calibration", _QUERY)
    if not rows:
        return missing(_TITLE, _QUESTION, rows, "ml.ml_churn__calibration")
    import altair as alt

    data = alt.Data(values=[{k: v for k, v in row.items() if k != "as_of_date"} for row in rows])
    share = alt.Scale(domain=[0, 1])
    line = alt.Chart(alt.Data(values=[{"p": 0}, {"p": 1}])).mark_line(
        color="#999", strokeDash=[4, 4]
    )
    line = line.encode(x=alt.X("p:Q").scale(share), y=alt.Y("p:Q").scale(share))
    base = alt.Chart(data).encode(
        x=alt.X("mean_predicted_probability:Q", title="predicted probability of churn").scale(share)
    )
    bars = base.mark_rule(color="#4c78a8").encode(
        y=alt.Y("observed_churn_rate_lower:Q", title="share that churned").scale(share),
        y2="observed_churn_rate_upper:Q",
    )
    points = base.mark_circle(color="#4c78a8", opacity=0.9).encode(
        y="observed_churn_rate:Q",
        size=alt.Size("customer_count:Q", title="customers").scale(range=[20, 500]),
    )
    customers = sum(row["customer_count"] for row in rows)
    error = (
        sum(
            row["customer_count"]
            * abs(row["mean_predicted_probability"] - row["observed_churn_rate"])
            for row in rows
        )
        / customers
    )
    said = (
        f"{customers:,} customers at the test cut-off {rows[0]['as_of_date']}, whom the model did "
        f"not learn from: predictions are off by {error:.3f} on average over the bins (expected "
        "calibration error). On the dashed line they come true; lines are 95 % intervals."
    )
    chart = (line + bars + points).properties(width=420, height=360)
    return Section(
        _TITLE,
        _QUESTION,
        (Text(said), Chart(chart, "Calibration: predicted against observed churn")),
    )
