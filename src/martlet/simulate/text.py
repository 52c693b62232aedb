"""Fast text columns: numbers, times, codes and addresses as Arrow strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from martlet.simulate.config import BoolArray, FloatArray, IntArray

__all__ = [
    "blank_where",
    "digits",
    "hexadecimal",
    "ids",
    "ip_texts",
    "join",
    "mix",
    "money",
    "pick",
    "times",
    "to_cents",
]

_TWO = pa.array([f"{number:02d}" for number in range(100)])
_CLOCK = pa.array(
    [f"{h:02d}:{m:02d}:{s:02d}" for h in range(24) for m in range(60) for s in range(60)]
)
_BYTE = pa.array([str(number) for number in range(256)])


def join(*parts: Any) -> Any:
    """Put texts and columns side by side without a separator."""
    return pc.binary_join_element_wise(*parts, "")


def pick(values: Sequence[str], positions: IntArray) -> Any:
    """Look positions up in a list of texts."""
    return pa.array(list(values), type=pa.string()).take(pa.array(positions))


def blank_where(column: Any, mask: BoolArray) -> Any:
    """Empty the text where the mask says so."""
    return pc.if_else(pa.array(mask), "", column)


def digits(numbers: IntArray, width: int = 0) -> Any:
    """Write whole numbers, padded with zeros to a width."""
    texts = pc.cast(pa.array(numbers), pa.string())
    return pc.utf8_lpad(texts, width, "0") if width else texts


def ids(prefix: str, numbers: IntArray, width: int = 6) -> Any:
    """Write ids such as C000012."""
    return join(prefix, digits(numbers, width))


def hexadecimal(numbers: npt.NDArray[np.uint64], width: int = 12) -> Any:
    """Write the last hexadecimal digits of 64-bit numbers."""
    raw = numbers.astype(">u8").tobytes().hex().encode()
    fixed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(numbers), [None, pa.py_buffer(raw)]
    )
    return pc.utf8_slice_codeunits(pc.cast(pc.cast(fixed, pa.binary()), pa.string()), 16 - width)


def to_cents(amounts: FloatArray) -> IntArray:
    """Round amounts to whole cents."""
    return np.rint(amounts * 100).astype(np.int64)


def money(cents: IntArray) -> Any:
    """Write cents as 12.34."""
    sign = pick(["", "-"], (cents < 0).astype(np.int64))
    whole, rest = np.divmod(np.abs(cents), 100)
    return join(sign, digits(whole), ".", _TWO.take(pa.array(rest)))


def times(seconds: IntArray, form: IntArray | int = 0, millis: IntArray | None = None) -> Any:
    """Write moments (seconds since 1970, UTC) in one of four forms.

    0 ``2025-03-01T09:22:33Z``, 1 ``2025-03-01T10:22:33+01:00``, 2 ``2025-03-01 09:22:33 UTC``,
    3 ``2025-03-01T04:22:33-05:00``; with milliseconds where they are given.
    """
    forms = np.broadcast_to(np.asarray(form, dtype=np.int64), seconds.shape)
    moved = seconds + np.array([0, 3600, 0, -18000])[forms]
    days, clock = np.divmod(moved, 86400)
    first = int(days.min()) if len(days) else 0
    last = int(days.max()) if len(days) else 0
    calendar = np.datetime_as_string(np.arange(first, last + 1).astype("datetime64[D]"))
    dates = pa.array(calendar.astype(object), type=pa.string()).take(pa.array(days - first))
    fraction: Any = "" if millis is None else join(".", digits(millis, 3))
    return join(
        dates,
        pick(["T", "T", " ", "T"], forms),
        _CLOCK.take(pa.array(clock)),
        fraction,
        pick(["Z", "+01:00", " UTC", "-05:00"], forms),
    )


def mix(*parts: Any) -> npt.NDArray[np.uint64]:
    """Hash whole numbers to evenly spread 64-bit numbers (splitmix64), the same on every run."""
    state = np.zeros(1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in parts:
            state = state + np.asarray(part).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return state


def ip_texts(address: npt.NDArray[np.uint64], is_v6: BoolArray) -> Any:
    """Write addresses: IPv4 numbers, or 2001:db8:<network>::<host> from 32 + 32 bits."""
    if len(address) == 0:
        return pa.array([], type=pa.string())
    low = address & np.uint64(0xFFFFFFFF)
    octets = [_BYTE.take(pa.array((low >> np.uint64(s)) & np.uint64(255))) for s in (24, 16, 8, 0)]
    v4 = join(octets[0], ".", octets[1], ".", octets[2], ".", octets[3])
    if not is_v6.any():
        return v4
    groups = [
        hexadecimal(
            np.uint64(0x1000) + ((address >> np.uint64(s)) & np.uint64(0xFFFF)) % np.uint64(0xF000),
            4,
        )
        for s in (48, 32, 16, 0)
    ]
    v6 = join("2001:db8:", groups[0], ":", groups[1], "::", groups[2], ":", groups[3])
    return pc.if_else(pa.array(is_v6), v6, v4)
