"""The one error type whose text is meant for the person at the keyboard."""

from __future__ import annotations

__all__ = ["MartletError"]


class MartletError(Exception):
    """A mistake that can be mended: the message says what, where and how."""
