"""The command as a function, in this process and in one of its own."""

import os
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from celesta.cli.main import app


def call_in_process(*args, code=0, **options):
    result = CliRunner().invoke(app, [str(a) for a in args], **options)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="session")
def call():
    """The function `call(*args, code=0)`: runs the command, checks its exit code; has .stdout, .stderr, .output."""
    return call_in_process


def default_signals():
    """Undo what a shell sets for commands in the background: they ignore Ctrl-C and hang-ups."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def start_process(*args, cwd, env=(), **options):
    return subprocess.Popen(
        [sys.executable, "-m", "celesta.cli.main", *args],
        cwd=cwd,
        env={**os.environ, "CELESTA_CACHE": str(cwd / "cache"), **dict(env)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=default_signals,
        **options,
    )


@pytest.fixture(scope="session")
def start():
    """The function `start(*args, cwd, env)`: the command as a process of its own; its output is bytes."""
    return start_process
