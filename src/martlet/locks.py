"""One writer at a time, and a name for whoever holds a file."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Lock", "holder", "is_lock_error", "only_one"]


def is_lock_error(error: Exception) -> bool:
    """Tell whether DuckDB could not open a file because another program has it open."""
    return "lock" in str(error).lower()


def holder(error: Exception) -> str:
    """Say who holds the file that DuckDB could not lock.

    Parameters
    ----------
    error : Exception
        DuckDB's error, which names the process.

    Returns
    -------
    str
        ``process 4711 (python load.py)``; ``another program`` when DuckDB does not know.
    """
    found = re.search(r"\(PID (\d+)\)", str(error))
    return _process(int(found.group(1))) if found else "another program"


def _process(number: int) -> str:
    """Name a process by number and, where the system tells (Linux), by command line."""
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return f"process {number}"
    command = " ".join(word.decode(errors="replace") for word in words if word)
    command = re.sub(r"\s+", " ", command)
    shown = command if len(command) <= 100 else command[:97] + "..."
    return f"process {number} ({shown})" if shown else f"process {number}"


@dataclass(frozen=True)
class Lock:
    """What `only_one` found.

    Attributes
    ----------
    owner
        None when the lock is ours, else who has it.
    descriptors
        To be passed on to processes that shall hold the lock as well, until they end.
    """

    owner: str | None = None
    descriptors: tuple[int, ...] = ()


@contextlib.contextmanager
def only_one(lock: Path) -> Iterator[Lock]:
    """Hold a lock for the time of the block; the system drops it when the process dies.

    Parameters
    ----------
    lock : Path
        The lock file, in a folder that exists. It stays when the block is left.

    Yields
    ------
    Lock
        Whether the lock is ours, else who has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows: DuckDB's own lock on the file has to do
        yield Lock()
        return
    with lock.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            owner = handle.read().strip()
            yield Lock(_owner(int(owner)) if owner.isdigit() else "another process")
            return
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield Lock(None, (handle.fileno(),))


def _owner(number: int) -> str:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return f"what process {number} started and left behind when it was killed"
    except OSError:
        pass  # it is there and somebody else's
    return _process(number)
