"""What all tests share: the folder of parsed projects, and the order of the files."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

from support import PARSED

#: The files that take longest are begun first, so that no worker ends with one alone.
FIRST = (
    "test_sessions", "test_sample_build", "test_connector_online_retail", "test_lookers",
    "test_connector_ga4", "test_intent", "test_point_in_time", "test_connector_sample",
    "test_customers", "test_rescoring", "test_order_risk", "test_baskets", "test_faults",
    "test_settings", "test_spark_differences",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(FIRST)))


def pytest_configure(config: pytest.Config) -> None:
    # Workers are given the folder by the process that started them.
    if not hasattr(config, "workerinput"):
        os.environ[PARSED] = tempfile.mkdtemp(prefix="martlet-parsed-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(PARSED), ignore_errors=True)
