"""Environments of their own for tests against other versions and tools, kept between runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["python_with"]


def python_with(config: pytest.Config, name: str, *requirements: str, python: str = "") -> Path:
    """Make an environment, or find it again, and return its Python.

    Parameters
    ----------
    config
        Of the request: environments live in the cache folder of pytest.
    name
        Of the environment.
    *requirements
        What to install, pinned, from the index that uv uses.
    python
        Interpreter; by default the one that runs the tests.

    The test is skipped, with the reason, where they cannot be installed.
    """
    folder = Path(config.cache.mkdir(f"environment-{name}"))  # type: ignore[union-attr]
    interpreter, ready = folder / "bin" / "python", folder / "installed.txt"
    wanted = "\n".join((python, *requirements))
    if not ready.is_file() or ready.read_text() != wanted:
        uv = str(Path(sys.executable).with_name("uv"))
        commands = [
            [uv, "venv", "--quiet", "--clear", "--python", python or sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(interpreter), *requirements],
        ]
        for command in commands:
            try:
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
            except (OSError, subprocess.SubprocessError) as error:
                said = str(getattr(error, "stderr", "") or error).strip()
                pytest.skip(f"{', '.join(requirements)} cannot be installed here: {said[-200:]}")
        ready.write_text(wanted)
    return interpreter
