"""`celesta verify`."""

from __future__ import annotations

from pathlib import Path

from celesta.cli import console
from celesta.cli.batch import each_file
from celesta.cli.inputs import find_cel, inputs
from celesta.cli.options import CelFiles, Json
from celesta.cli.progress import working


def verify(sources: CelFiles, as_json: Json = False) -> None:
    """Check that .cel files are complete and undamaged.

    Prints OK for each such file, and exits with 1 if there is another one. The header, the payload's SHA-256 and all
    values are checked; nothing is decoded to audio.

    Example: `celesta verify latents/`
    """
    with working("verify", "looking for files") as meter:
        found = inputs(sources, find_cel)
        files = found.files
        from celesta.latents import verify as verify_file

        def work(file: Path) -> None:
            meta = verify_file(file)
            if as_json:
                console.emit({"source": file, "valid": True, "model": meta.model})
            else:
                console.say(f"{file}: OK")

        single = len(sources) == 1 and sources == files
        each_file(meter, files, work, single=single, failed=found.failed, as_json=as_json)
