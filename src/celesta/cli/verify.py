"""`celesta verify`."""

from __future__ import annotations

from pathlib import Path

from celesta.cli.console import Tell, each_file, out
from celesta.cli.files import find_cel
from celesta.cli.options import Sources


def verify(sources: Sources) -> None:
    """Prove .cel files whole: header, payload's SHA-256, finite values. Exits non-zero if one is not.

    Example: `celesta verify latents/`
    """
    from celesta.latents import verify as verify_file

    def work(file: Path, tell: Tell) -> None:
        verify_file(file)
        out.print(f"{file}: whole", markup=False)

    each_file([f for source in sources for f in find_cel(source)], "verify", work)
