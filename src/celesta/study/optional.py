"""What a study leaves out where torch is not installed."""

from __future__ import annotations

from collections.abc import Sequence

from celesta import _device, _extras
from celesta.features.registry import entry

LEADER = "celesta-features"
"""The features that late layers are averaged with, and that train across collections."""


def computable(features: Sequence[str], classifier: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the features that can be computed here, and why other parts of a study are left out.

    Raises:
        MissingExtraError: no feature is left.
    """
    if _device.has_torch():
        return list(features), {}
    absent = [name for name in features if entry(name).needs_torch]
    left = [name for name in features if name not in absent]
    if not left:
        raise _extras.missing("torch", ", ".join(absent))
    parts = [
        *absent,
        *(["the classifier of the 2024 report"] if classifier else []),
        *(["late layers"] if LEADER in left else []),
    ]
    return left, {part: str(_extras.missing("torch", part)) for part in parts}
