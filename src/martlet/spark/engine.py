"""A Spark Connect server to talk to: the one that is named, or Sail or Spark on this machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from martlet.errors import MartletError

__all__ = ["ENGINES", "spark_server", "spark_session"]

#: What can be started on this machine.
ENGINES = ("sail", "spark")


@contextmanager
def spark_server(folder: Path, engine: str | None = None) -> Iterator[str]:
    """Give the address of a server, and end the server if it was started here.

    Parameters
    ----------
    folder : Path
        Where a server started here keeps its tables.
    engine : str, optional
        Which of `ENGINES` to start; by default ``MARTLET_SPARK_ENGINE``, else Sail.

    Yields
    ------
    str
        ``sc://host:port/;session_id=...``: ``MARTLET_SPARK_REMOTE`` if it is set.

    Raises
    ------
    MartletError
        If the engine is unknown, not installed, or does not start.
    """
    named = os.environ.get("MARTLET_SPARK_REMOTE")
    if named:
        yield named
        return
    engine = engine or os.environ.get("MARTLET_SPARK_ENGINE") or ENGINES[0]
    if engine not in ENGINES:
        raise MartletError(f"There is no engine '{engine}': choose {' or '.join(ENGINES)}.")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, settings = _sail(port) if engine == "sail" else _spark(port, folder)
    with (folder / f"{engine}.log").open("wb") as log:
        server = subprocess.Popen(
            command, env=os.environ | settings, cwd=folder, stdout=log, stderr=log
        )
    try:
        _wait_for(server, port, folder / f"{engine}.log")
        # One session for all calls: each session of Sail has a catalogue of its own.
        yield f"sc://127.0.0.1:{port}/;session_id={uuid.uuid4()}"
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def spark_session(remote: str) -> Iterator[Any]:
    """Talk to a server, and end the session if the server ends: else this process waits for it.

    On a server that stays, a session that was ended could not be taken up again under its id.

    Parameters
    ----------
    remote : str
        Of `spark_server`.

    Yields
    ------
    pyspark.sql.SparkSession
        The session.
    """
    from pyspark.sql import SparkSession

    session = SparkSession.builder.remote(remote).getOrCreate()
    try:
        yield session
    finally:
        if remote != os.environ.get("MARTLET_SPARK_REMOTE"):
            session.stop()


def _sail(port: int) -> tuple[list[str], dict[str, str]]:
    """Return what starts Sail, and its settings."""
    program = Path(sys.executable).with_name("sail")
    if not program.exists():
        raise MartletError(
            'Sail is not installed here: run `make spark` or `pip install -e ".[spark]"`, or name '
            "a Spark Connect server in MARTLET_SPARK_REMOTE."
        )
    command = [str(program), "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
    # A fit may take longer than the five minutes after which a silent session is forgotten.
    return command, {"SAIL_SPARK__SESSION_TIMEOUT_SECS": "86400"}


def _spark(port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return what starts Spark in local mode, and its settings."""
    found = importlib.util.find_spec("pyspark")
    home = Path(found.origin).parent if found and found.origin else Path("absent")
    # The client alone is a package of the same name without Spark in it.
    if not (home / "jars").is_dir() or not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise MartletError(
            'Spark needs Java 17 or newer and `pip install -e ".[spark-local]"`; Sail needs '
            "neither (MARTLET_SPARK_ENGINE=sail)."
        )
    configuration = {
        "spark.master": f"local[{os.environ.get('MARTLET_THREADS', '2')}]",
        "spark.driver.memory": os.environ.get("MARTLET_MEMORY_LIMIT", "4GB").removesuffix("B"),
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        # What is known of a column is told to each step that uses it, which for steps of many CASEs
        # never ends.
        "spark.sql.constraintPropagation.enabled": "false",
        # As many tasks as one machine needs: with 200 a small table takes seconds.
        "spark.sql.shuffle.partitions": "4",
        # Planning anew after each step takes minutes where steps are many and tables small.
        "spark.sql.adaptive.enabled": "false",
        "spark.ui.enabled": "false",
        "spark.log.level": "WARN",
    }
    options = [f"--conf={name}={value}" for name, value in configuration.items()]
    server = "org.apache.spark.sql.connect.service.SparkConnectServer"
    command = [str(home / "bin" / "spark-submit"), "--class", server, *options, "spark-internal"]
    # Merging needs Delta, which Spark has not without a further jar; whole tables need no format.
    return command, {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}


def _wait_for(server: subprocess.Popen[bytes], port: int, log: Path, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    said = log.read_text(errors="replace").strip().splitlines()[-3:]
    raise MartletError(f"The server did not start on port {port}: {' '.join(said) or 'no word'}")
