"""The comparison that the number of segments was chosen by."""

from __future__ import annotations

from typing import Any

from martlet.report.drawing import NARROW, data
from martlet.report.parts import Chart, Details, Text
from martlet.report.reading import Marts

__all__ = ["scan_details"]

_QUERY = """
select method, transform, cluster_count, silhouette, davies_bouldin_index, stability_mean,
    smallest_share, is_chosen, verdict
from marts.fct_segment_scan
where is_champion
order by candidate_number
"""
_MEASURES = {
    "silhouette": "silhouette (more is clearer)",
    "davies_bouldin_index": "Davies-Bouldin (less is clearer)",
    "stability_mean": "stability (1: the same again)",
}
_GATES = (
    "Two segments nearly always look clearest, and say no more than active and lapsed; so the "
    "fewest allowed is a setting. Candidates with a segment that is too small, or that resamples "
    "do not find again, are out. Stability is measured after the transform in use."
)


def scan_details(marts: Marts) -> list[Details]:
    """Return why there are so many segments, folded away; nothing without a scan."""
    rows = marts.rows("fct_segment_scan", _QUERY) or []
    chosen = next((row for row in rows if row["is_chosen"]), None)
    if chosen is None:
        return []
    said = (
        f"{chosen['cluster_count']} segments after the transform {chosen['transform']} (ringed): "
        f"silhouette {chosen['silhouette']:.3f}, Davies-Bouldin "
        f"{chosen['davies_bouldin_index']:.3f}, smallest segment {chosen['smallest_share']:.1%} "
        "of the customers"
    )
    if chosen["stability_mean"] is not None:
        said += f", found again in resamples with an agreement of {chosen['stability_mean']:.2f}"
    scanned = [row for row in rows if row["method"] == "kmeans"]
    chart = Chart(
        "Candidates by number of segments",
        f"Silhouette, Davies-Bouldin index and stability by number of segments. {said}.",
        lambda width: _chart(scanned, width),
    )
    density = [
        Text(f"HDBSCAN finds {row['cluster_count']} clusters and {row['verdict']}.")
        for row in rows
        if row["method"] == "hdbscan"
    ]
    title = f"Why {chosen['cluster_count']} segments and not more or fewer?"
    return [Details(title, [Text(said + "."), Text(_GATES), chart, *density])]


def _chart(rows: list[dict[str, Any]], width: int) -> Any:
    import altair as alt

    wide = width > NARROW

    def panel(measure: str, title: str) -> Any:
        base = alt.Chart(data(rows)).encode(
            x=alt.X("cluster_count:O", title="segments").axis(labelAngle=0),
            y=alt.Y(f"{measure}:Q", title=title).scale(zero=False),
            color=alt.Color("transform:N", title="transform"),
        )
        ring = base.transform_filter("datum.is_chosen").mark_point(size=220, strokeWidth=2)
        ring = ring.encode(color=alt.value("var(--ink)"))
        shape = {"width": 170, "height": 200} if wide else {"width": 220, "height": 150}
        return (base.mark_line(point=True) + ring).properties(**shape)

    panels = [panel(measure, title) for measure, title in _MEASURES.items()]
    return alt.hconcat(*panels) if wide else alt.vconcat(*panels)
