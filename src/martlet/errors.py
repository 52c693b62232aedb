"""The one error type whose text is meant for the person at the keyboard."""

from __future__ import annotations

__all__ = ["InsufficientData", "MartletError"]


class MartletError(Exception):
    """A mistake that can be mended: the message says what, where and how."""


class InsufficientData(MartletError):  # noqa: N818 - a status more than an error
    """Too little to learn from: no mistake, the model is written empty with the reason."""
