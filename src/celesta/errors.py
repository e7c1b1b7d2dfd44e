"""All errors and warnings. The command line prints an error as one line and exits non-zero."""

from __future__ import annotations

import sys
import warnings


class CelestaError(Exception):
    """Base of all errors that Celesta raises on purpose.

    The message is one line that names the file or the argument at fault and, where there is one, the remedy.
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

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warn(UserWarning("clipped"))
        >>> "celesta/errors.py" in caught[0].filename
        False
    """
    level = 1
    frame = sys._getframe()
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == __package__:
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)
