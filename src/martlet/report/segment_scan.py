"""The comparison that the number of segments was chosen by."""

from __future__ import annotations

from typing import Any

import duckdb

from martlet.report.parts import Chart, Section, Text, missing, read

__all__ = ["section"]

_TITLE = "How many segments"
_QUESTION = "Why so many and not more or fewer?"
_QUERY = """
select method, transform, cluster_count, silhouette, davies_bouldin_index, stability_mean,
    smallest_share, passes_gates, is_chosen, verdict
from marts.fct_segment_scan
where is_champion
order by candidate_number
"""


def section(con: duckdb.DuckDBPyConnection) -> Section:
    """Return the section."""
    rows = read(con, "marts.fct_segment_scan", _QUERY)
    if not rows:
        return missing(_TITLE, _QUESTION, rows, "marts.fct_segment_scan")
    import altair as alt

    scanned = [row for row in rows if row["method"] == "kmeans"]
    chosen = next(row for row in rows if row["is_chosen"])
    density = [row for row in rows if row["method"] == "hdbscan"]

    def panel(measure: str, title: str) -> Any:
        base = alt.Chart(alt.Data(values=scanned)).encode(
            x=alt.X("cluster_count:O", title="segments").axis(labelAngle=0),
            y=alt.Y(f"{measure}:Q", title=title).scale(zero=False),
            color=alt.Color("transform:N", title="transform"),
        )
        ring = base.transform_filter("datum.is_chosen").mark_point(
            size=220, color="black", strokeWidth=2
        )
        ring = ring.encode(color=alt.value("black"))
        return (base.mark_line(point=True) + ring).properties(width=215, height=220)

    chart = alt.hconcat(
        panel("silhouette", "silhouette (more is clearer)"),
        panel("davies_bouldin_index", "Davies-Bouldin (less is clearer)"),
        panel("stability_mean", "stability (1: the same again)"),
    )
    said = (
        f"{chosen['cluster_count']} segments after the transform {chosen['transform']} (ringed): "
        f"silhouette {chosen['silhouette']:.3f}, Davies-Bouldin "
        f"{chosen['davies_bouldin_index']:.3f}, smallest segment {chosen['smallest_share']:.1%} "
        "of the customers"
    )
    if chosen["stability_mean"] is not None:
        said += f", found again in resamples with an agreement of {chosen['stability_mean']:.2f}"
    said += "."
    gates = (
        "Two segments nearly always look clearest, and say no more than active and lapsed; so the "
        "fewest allowed is a setting. Candidates with a segment that is too small, or that "
        "resamples do not find again, are out. Stability is measured after the transform in use."
    )
    parts: list[Text | Chart] = [
        Text(said),
        Text(gates),
        Chart(chart, "Silhouette, Davies-Bouldin index and stability by number of segments"),
    ]
    parts += [
        Text(f"HDBSCAN finds {row['cluster_count']} clusters and {row['verdict']}.")
        for row in density
    ]
    return Section(_TITLE, _QUESTION, parts)
