"""Altair charts as SVG that follows the page: its colours, its width, its fonts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

__all__ = ["NARROW", "PALETTE", "WIDE", "data", "drawn", "names", "svg"]

#: Widths in pixels: beside each other on the page, one of them is shown.
WIDE, NARROW = 860, 300

#: Colours are variables of the page's style sheet: a dark screen has its own.
PALETTE = [f"var(--c{number})" for number in range(1, 9)]
_INK, _FAINT, _LINE = "var(--ink)", "var(--faint)", "var(--line)"

_CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _FAINT, "titleColor": _FAINT, "gridColor": _LINE, "domainColor": _LINE,
        "tickColor": _LINE, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
        "labelOverlap": True,
    },
    "legend": {
        "labelColor": _INK, "titleColor": _FAINT, "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal", "orient": "top", "direction": "horizontal",
        "symbolOpacity": 1,
    },
    "header": {"labelColor": _INK, "titleColor": _FAINT, "labelFontSize": 12},
    "range": {"category": PALETTE, "ordinal": PALETTE},
    "text": {"color": _INK, "fontSize": 12},
    "bar": {"color": PALETTE[0]}, "rect": {"color": PALETTE[0]}, "circle": {"color": PALETTE[0]},
    "point": {"color": PALETTE[0]}, "line": {"color": PALETTE[0]}, "rule": {"color": PALETTE[0]},
    "tick": {"color": PALETTE[1]},
}  # fmt: skip

_SVG = "{http://www.w3.org/2000/svg}"
_KEPT = {"svg", "g", "path", "line", "text", "rect", "circle", "defs", "clipPath", "tspan"}
_DROPPED = {"class", "role", "pointer-events", "version"}
_LONG = re.compile(r"-?\d+\.\d{3,}")
# A mark's description becomes its tooltip; descriptions of axes and legends repeat what is seen.
_FURNITURE = {"axis", "legend", "title"}


def data(rows: Sequence[dict[str, Any]]) -> Any:
    """Return rows as data of a chart; dates become text."""
    import altair as alt

    return alt.Data(
        values=[
            {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()}
            for row in rows
        ]
    )


def names(values: Sequence[str], length: int) -> list[str]:
    """Cut names for an axis so that no two become one."""
    from martlet.report.words import short

    cut = [short(value, length) for value in values]
    return [
        text if cut.count(text) == 1 else f"{short(value, length - 4)} ({place + 1})"
        for place, (value, text) in enumerate(zip(values, cut, strict=True))
    ]


def drawn(chart: Any, width: int, prefix: str) -> str:
    """Draw a chart.

    Parameters
    ----------
    chart : altair.Chart
        Without a configuration of its own.
    width : int
        It is for: `WIDE` or `NARROW`.
    prefix : str
        Of the identifiers in it, one a drawing: many drawings share a page.

    Returns
    -------
    str
        The ``<svg>`` element.
    """
    import vl_convert

    spec = chart.to_dict(validate=False)
    columns = 4 if width >= WIDE else 1
    legend = _CONFIG["legend"] | {
        "columns": columns,
        "labelLimit": width // columns - (30 if columns > 1 else 80),
    }
    axis = _CONFIG["axis"] | {"labelLimit": int(width * 0.46)}
    spec["config"] = _CONFIG | {"legend": legend, "axis": axis}
    if not {"hconcat", "vconcat", "concat"} & spec.keys():
        spec |= {"width": width, "autosize": {"type": "fit", "contains": "padding"}}
    return svg(str(vl_convert.vegalite_to_svg(spec)), prefix)


def svg(text: str, prefix: str) -> str:
    """Reduce a drawing to shapes, texts and tooltips: nothing else may be in the page.

    Parameters
    ----------
    text : str
        SVG with namespaces.
    prefix : str
        Of the identifiers.
    """
    root = ElementTree.fromstring(text)
    _reduce(root, prefix)
    root.set("focusable", "false")
    return ElementTree.tostring(root, encoding="unicode")


def _reduce(element: ElementTree.Element, prefix: str) -> None:
    element.tag = element.tag.removeprefix(_SVG)
    label = element.get("aria-label")
    furniture = element.get("aria-roledescription") in _FURNITURE
    kept = {}
    for name, value in element.attrib.items():
        if name in _DROPPED or name.startswith(("aria-", "{", "on")):
            continue
        if name == "id":
            value = prefix + value
        kept[name] = _LONG.sub(_rounded, value.replace("url(#", f"url(#{prefix}"))
    element.attrib.clear()
    element.attrib.update(kept)
    for child in list(element):
        if child.tag.removeprefix(_SVG) not in _KEPT or _is_empty(child):
            element.remove(child)
        else:
            _reduce(child, prefix)
    if label and element.tag != "g" and not furniture:
        title = ElementTree.Element("title")
        title.text = label
        element.insert(0, title)


def _is_empty(element: ElementTree.Element) -> bool:
    return element.get("display") == "none" or element.get("d") in ("", "M0,0h0v0h0Z")


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found.group()):.2f}".rstrip("0").rstrip(".")
