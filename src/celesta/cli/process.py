"""Set up the process for one call of the command, and turn exceptions into one line and an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any

import typer

from celesta.audio import AudioWarning, SkippedWarning
from celesta.cli import console
from celesta.errors import CelestaError, UsageError

OK, FAILED, USAGE, SAVED, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 75, 130, 141
EXIT_CODES = {
    OK: "everything was done",
    FAILED: "an error, or some of the files failed (the others were done)",
    USAGE: "wrong options or arguments",
    SAVED: "training was stopped and its state is saved; go on with --resume",
    INTERRUPTED: "interrupted by Ctrl-C",
    PIPE_CLOSED: "the reader of the output went away",
    128 + signal.SIGTERM: "ended by SIGTERM; no temporary files are left",
}
"""Exit codes of every verb, with their meaning."""

TRACEBACK = "CELESTA_TRACEBACK"
"""Environment variable that lets unexpected errors end in a traceback."""


class Terminated(BaseException):
    """SIGTERM or SIGHUP arrived; raised so that temporary files are deleted on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Run a verb: signals, warnings and encodings are set up and restored, and errors become one line on stderr.

    Raises:
        typer.Exit: with one of :data:`EXIT_CODES`.
    """
    console.reset()
    with _streams(), _signals(), _warnings():
        try:
            yield
            sys.stdout.flush()
        except CelestaError as error:
            console.fail(error)
            raise typer.Exit(USAGE if isinstance(error, UsageError) else FAILED) from None
        except BrokenPipeError:  # celesta models | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(PIPE_CLOSED) from None
        except OSError as error:
            console.fail(reason(error))
            raise typer.Exit(FAILED) from None
        except KeyboardInterrupt:
            console.note("celesta: interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except Terminated as stop:
            console.note(f"celesta: ended by {signal.Signals(stop.number).name}")
            raise typer.Exit(128 + stop.number) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            console.fail(unexpected(error))
            raise typer.Exit(FAILED) from None
    if console.problems:
        raise typer.Exit(FAILED)


def unexpected(error: Exception) -> str:
    """Return an error that nobody expected as a line for a report of it."""
    return f"unexpected {type(error).__name__}: {error}; please report it, with what {TRACEBACK}=1 shows"


def reason(error: OSError) -> str:
    """Return an OSError as a line that is never empty: the file, and the system's words."""
    said = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {said}" if error.filename else said


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """Let stdout and stderr escape what their encoding does not have."""
    before = [(stream, stream.errors) for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")]
    for stream, _ in before:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in before:
            with contextlib.suppress(ValueError):  # closed by now
                stream.reconfigure(errors=errors)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn the first SIGTERM or SIGHUP into :class:`Terminated`; a second one ends the process at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Terminated(number)

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is not signal.SIG_IGN:  # nohup
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _warnings() -> Iterator[None]:
    """Show warnings as one line each, once each; a folder that was skipped makes the exit code 1."""
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if str(message) in shown:
            return
        shown.add(str(message))
        if issubclass(category, SkippedWarning):
            console.fail(message)
        elif issubclass(category, AudioWarning):
            console.warn_of_damage(message)
        else:
            console.warn(message)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
