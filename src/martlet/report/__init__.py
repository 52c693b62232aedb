"""``martlet report``: the built marts in one HTML file for the owner of the shop.

A section is one module with a function ``section(marts) -> Section``, which reads marts through
`martlet.report.reading.Marts`; it is listed in `SECTIONS`. What a section needs and does not find,
it says (`martlet.report.parts.missing`). Charts are Altair charts drawn as SVG when the file is
written, once for wide and once for narrow screens: the file holds no script, needs no network and
opens, prints and follows a dark or light screen anywhere.
"""

from __future__ import annotations

#: Modules of `martlet.report.sections`, in the order of the page.
SECTIONS: tuple[str, ...] = (
    "sales",
    "products",
    "cohorts",
    "segments",
    "churn",
    "lifetime_value",
    "baskets",
    "recommendations",
    "next_purchases",
    "trending",
    "visits",
    "carts",
    "intent",
    "attribution",
    "lookers",
    "order_risk",
    "data_quality",
    "model_health",
)
