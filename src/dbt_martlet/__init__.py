"""What dbt imports when it starts: fewer searches for garbage.

dbt imports every installed package whose name begins with ``dbt_``, before it reads a project.
A parsed project is some million Python objects that stay until the end, and with Python's own
thresholds the collector looks through all of them again and again: 7 of the 88 CPU seconds of a
first build of the sample shop. Garbage is still found, in larger batches.
"""

from __future__ import annotations

import gc

__all__: list[str] = []

#: Objects made before the youngest are searched, and searches of one age before the next.
_THRESHOLDS = (10_000, 20, 100)

if gc.isenabled() and gc.get_threshold()[0] < _THRESHOLDS[0]:
    gc.set_threshold(*_THRESHOLDS)
