"""Optional packages: whether they are installed, and which extra installs them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

from celesta.errors import MissingExtraError

PACKAGES = {
    "torch": ("PyTorch", "train"),
    "onnx": ("onnx", "train"),
    "sklearn": ("scikit-learn", "science"),
    "matplotlib": ("matplotlib", "science"),
}
"""Module to the package's name and the extra that installs it."""


def installed(module: str) -> bool:
    """Whether a module can be imported; does not import it.

    >>> installed("numpy"), installed("no_such_module")
    (True, False)
    """
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def require(module: str, what: str) -> None:
    """Check that an optional package is installed.

    Args:
        module: key of :data:`PACKAGES`.
        what: needs it, for the message.

    Raises:
        MissingExtraError: it is not installed.
    """
    if not installed(module):
        raise missing(module, what)


def missing(module: str, what: str) -> MissingExtraError:
    """Return the error that names the extra which installs a package; arguments as for :func:`require`."""
    package, extra = PACKAGES[module]
    return MissingExtraError(f"{what} needs {package}, the extra [{extra}]; pip install 'celesta[{extra}]'")


def import_module(name: str) -> ModuleType:
    """Import a module of Celesta.

    Raises:
        MissingExtraError: it needs an optional package that is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in PACKAGES:
            raise
        raise missing(package, name) from None
