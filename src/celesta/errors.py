"""All errors and warnings. The command line prints an error as one line and exits non-zero."""

from __future__ import annotations


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
