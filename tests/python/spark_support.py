"""A Spark Connect engine for tests: Sail, or Spark itself if ``MARTLET_SPARK_ENGINE`` says so."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from martlet.spark.engine import spark_server, spark_session

__all__ = ["ENGINE", "needs_engine", "started"]

ENGINE = os.environ.get("MARTLET_SPARK_ENGINE", "sail")


def _is_installed() -> bool:
    if ENGINE == "sail":
        return importlib.util.find_spec("pysail") is not None
    found = importlib.util.find_spec("pyspark")
    return bool(found and found.origin and (Path(found.origin).parent / "jars").is_dir())


needs_engine = [
    pytest.mark.skipif(
        not _is_installed(), reason=f"the engine {ENGINE} is not installed: make test-{ENGINE}"
    ),
    pytest.mark.filterwarnings("ignore"),
]


@contextmanager
def started(folder: Path) -> Iterator[Any]:
    """Give a session on an engine of its own, which keeps its tables in the folder."""
    with spark_server(folder) as remote, spark_session(remote) as session:
        yield session
