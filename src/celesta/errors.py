"""All errors and warnings. The command line prints an error as one line and exits non-zero."""

from __future__ import annotations

import sys
import warnings

_INSIDE = (__package__, "importlib")
"""Packages whose frames are not named in a warning: this one, and what imports its modules."""


class CelestaError(Exception):
    """Base of all errors that Celesta raises on purpose.

    The message is one line that names the file or the argument at fault and, where there is one, the remedy.

    Example:
        >>> import celesta
        >>> try:
        ...     celesta.load("nested3")
        ... except celesta.CelestaError as error:
        ...     print(type(error).__name__)
        ModelError
    """


class AudioError(CelestaError):
    """An audio file cannot be read or written (missing, corrupt, unsupported, not finite)."""


class LatentError(CelestaError):
    """A latent or a .cel file is damaged, of an unknown version, or does not fit what is asked of it."""


class ModelError(CelestaError):
    """A model name, its configuration or its weights are unknown, damaged or do not fit together."""


class DataError(CelestaError):
    """A data set lacks what the work needs: files, labels, groups, or enough of them."""


class TrainingError(CelestaError):
    """A training run cannot start, go on or be resumed."""


class LatentWarning(UserWarning):
    """A .cel file was written, but not exactly as asked: tags shortened, or a bitrate that cannot be met."""


class UsageError(CelestaError):
    """Arguments of a wrong type or shape, outside their range, or contradicting each other."""


class MissingExtraError(CelestaError):
    """An optional package is needed; the message says which extra installs it."""


class LibraryError(CelestaError):
    """A music library cannot be opened, read or written, or lacks what is asked of it."""


def warn(warning: Warning) -> None:
    """Give a warning that names the line outside Celesta that led to it.

    A fixed ``stacklevel`` would be wrong for all but one of the ways that lead there.

    Args:
        warning: an instance of its class, with the text.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warn(UserWarning("clipped"))
        >>> "celesta/errors.py" in caught[0].filename
        False
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _INSIDE:
        frame = frame.f_back
    names = frame.f_globals
    registry = names.setdefault("__warningregistry__", {})
    warnings.warn_explicit(
        warning, type(warning), frame.f_code.co_filename, frame.f_lineno, names.get("__name__"), registry
    )


def warn_moved(old: str, new: str) -> None:
    """Give a warning that a module was imported by its former name.

    Args:
        old: the former name.
        new: the name to use.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     warn_moved("celesta.latent", "celesta.latents")
        >>> print(caught[0].message)
        celesta.latent has moved; import celesta.latents instead
    """
    warn(DeprecationWarning(f"{old} has moved; import {new} instead"))
