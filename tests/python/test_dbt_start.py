"""What dbt imports of Martlet when it starts."""

from __future__ import annotations

import subprocess
import sys

START = """
import gc
from dbt.plugins.manager import PluginManager
before = gc.get_threshold()
found = PluginManager.from_modules("martlet")
print(before[0] < gc.get_threshold()[0], gc.isenabled(), len(found._plugins))
"""


def test_dbt_finds_the_module_that_makes_it_look_for_garbage_less_often() -> None:
    run = [sys.executable, "-c", START]
    found = subprocess.run(run, check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["True", "True", "0"]
