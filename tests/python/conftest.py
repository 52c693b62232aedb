"""What all tests share: parsed projects, the sample shop, and the order of the files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from support import SHARED, SampleBuild, build_sample_shop

#: The files that take longest are begun first, so that no worker ends with one alone.
FIRST = (
    "test_sample_build", "test_sessions", "test_unit_tests", "test_connector_online_retail",
    "test_lookers", "test_connector_ga4", "test_intent", "test_point_in_time",
    "test_connector_sample", "test_customers", "test_rescoring", "test_order_risk", "test_baskets",
    "test_faults", "test_settings",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(FIRST)))


def pytest_configure(config: pytest.Config) -> None:
    # Workers are given the folder by the process that started them.
    if not hasattr(config, "workerinput"):
        os.environ[SHARED] = tempfile.mkdtemp(prefix="martlet-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(SHARED), ignore_errors=True)


@pytest.fixture(scope="session")
def sample_build() -> SampleBuild:
    """The sample shop, built once for all workers."""
    return build_sample_shop(Path(os.environ[SHARED]) / "sample")


@pytest.fixture(scope="session")
def sample_shop(sample_build: SampleBuild) -> Path:
    """The warehouse of the sample shop, all green. Copy it to change it."""
    kinds = {status for _, status in sample_build.results}
    assert sample_build.results
    assert kinds <= {"success", "pass", "no-op"}, sample_build.messages
    return sample_build.database
