"""A Spark Connect server to talk to: the one that is named, or Sail on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from martlet.errors import MartletError

__all__ = ["spark_server"]


@contextmanager
def spark_server(folder: Path) -> Iterator[str]:
    """Give the address of a server, and end the server if it was started here.

    Parameters
    ----------
    folder : Path
        Where a server started here keeps its tables.

    Yields
    ------
    str
        ``sc://host:port/;session_id=...``: ``MARTLET_SPARK_REMOTE`` if it is set.

    Raises
    ------
    MartletError
        If Sail is not installed or does not start.
    """
    named = os.environ.get("MARTLET_SPARK_REMOTE")
    if named:
        yield named
        return
    sail = Path(sys.executable).with_name("sail")
    if not sail.exists():
        raise MartletError(
            'Sail is not installed here: run `make spark` or `pip install -e ".[spark]"`, or name '
            "a Spark Connect server in MARTLET_SPARK_REMOTE."
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sail, "spark", "server", "--ip", "127.0.0.1", "--port", str(port)],
        # A fit may take longer than the five minutes after which a silent session is forgotten.
        env=os.environ | {"SAIL_SPARK__SESSION_TIMEOUT_SECS": "86400"},
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(server, port)
        # One session for all calls: each session has a catalogue of its own.
        yield f"sc://127.0.0.1:{port}/;session_id={uuid.uuid4()}"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(server: subprocess.Popen[bytes], port: int, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise MartletError(f"Sail did not start on port {port} within {seconds:.0f} s.")
