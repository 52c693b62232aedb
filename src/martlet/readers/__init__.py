"""``martlet publish``: copies of the marts for readers outside, whole at every moment.

A publication is a folder. Each run adds one generation to it, a sub-folder that never changes
again: a database file and Parquet files of the public tables, and a manifest that lists them. The
names a reader opens (``manifest.json``, the database) are swapped by rename when the generation is
whole, the manifest last. Nothing here fits or stores models: that is `martlet.versions`.
"""

from __future__ import annotations
