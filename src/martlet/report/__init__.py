"""``martlet report``: pictures of the built marts in one HTML file.

A section is one module with a function ``section(con) -> Section``, which reads marts through an
open read-only connection; it is listed in `SECTIONS`. What a section needs and does not find, it
says (`martlet.report.parts.missing`). Charts are drawn as SVG when the file is written: it holds no
script, needs no network and opens anywhere.
"""

from __future__ import annotations

#: Where each section lives, in the order of the page.
SECTIONS: tuple[str, ...] = (
    "martlet.report.segments",
    "martlet.report.segment_scan",
    "martlet.report.churn_calibration",
    "martlet.report.model_health",
)
