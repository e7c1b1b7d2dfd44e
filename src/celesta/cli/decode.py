"""`celesta decode`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from celesta.cli import console
from celesta.cli.batch import each_file
from celesta.cli.checks import check_compute, check_model
from celesta.cli.files import WRITABLE, Kind, plan
from celesta.cli.inputs import find_cel
from celesta.cli.options import Backend, CelFiles, Device, Force, Json, Precision, Strict
from celesta.cli.progress import working
from celesta.cli.standard import STANDARD, opened_input, opened_output
from celesta.cli.versions import From, To, check_stretch, compare_ends, stretch_name
from celesta.errors import UsageError

if TYPE_CHECKING:
    from celesta.codec import Codec


def decode(
    sources: CelFiles,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE|FOLDER", help="An audio file, a folder, or - for WAV to stdout."),
    ] = None,
    suffix: Annotated[
        str, typer.Option("--format", metavar="NAME", help="Format in folders: wav, flac, ogg, opus or mp3.")
    ] = "flac",
    sample_rate: Annotated[
        int | None,
        typer.Option(
            min=8_000, max=192_000, metavar="HZ", help="Sample rate; by default the source's.", show_default=False
        ),
    ] = None,
    start: From = None,
    stop: To = None,
    salvage: Annotated[
        bool,
        typer.Option("--salvage", help="Decode what is left of damaged files; lost windows are silent, and listed."),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="MODEL", help="Run folder of the model, if it has moved.", show_default=False
        ),
    ] = None,
    device: Device = "auto",
    precision: Precision = "float32",
    backend: Backend = "auto",
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Decode latents (.cel files) to audio of the source's sample rate and exact length.

    Without --output, song.cel becomes song.flac next to it. With --from and --to, only what is needed is decoded. The
    input - is standard input, and the output - is standard output, as WAV.

    Example: `celesta decode song.cel -o song.wav`

    Example: `celesta decode latents/ -o albums/ --format opus`

    Example: `celesta decode song.cel --from 1:00 --to 1:15 -o chorus.wav`

    Example: `celesta decode damaged.cel --salvage -o rest.wav`

    Example: `celesta decode song.cel -o - | ffplay -`
    """
    suffix = f".{suffix.lower().lstrip('.')}"
    if suffix not in WRITABLE:
        raise UsageError(f"--format must be one of {', '.join(s[1:] for s in WRITABLE)}, got {suffix[1:]}")
    console.be_strict(strict)
    check_compute(device, precision, backend)
    check_stretch(start, stop)
    if model is not None:
        check_model(model)
    with working("decode", "looking for files") as meter:
        planned = plan(sources, output, Kind(WRITABLE, f"{stretch_name(start, stop)}{suffix}", find_cel), force=force)
        targets = planned.targets
        from celesta.latents import CelReader

        codec = _loader(model, device=device, precision=precision, backend=backend)
        stretch: dict[str, Any] = {"sample_rate": sample_rate, "start": start, "stop": stop}

        def work(file: Path) -> None:
            with opened_input(file) as source, opened_output(targets[file], ".wav") as target:
                with CelReader(source, salvage=salvage) as reader:
                    meta = reader.meta
                compare_ends(file, start, stop, meta.n_samples / meta.source_rate)
                used = codec(meta.model)
                lost = used.decode_file(source, target, **stretch, salvage=salvage, progress=meter.seconds)
            if targets[file] == STANDARD:
                return
            if not as_json:
                console.say(f"{file} -> {targets[file]}")
                return
            row: dict[str, Any] = {"source": file, "output": targets[file], "model": used.name}
            row |= {"sample_rate": sample_rate or meta.source_rate, "channels": meta.channels}
            row["seconds"] = meta.n_samples / meta.source_rate
            console.emit({**row, "lost": lost} if salvage else row)

        single = len(sources) == 1 and sources == list(targets)
        each_file(meter, targets, work, single=single, failed=planned.failed, as_json=as_json)


def _loader(model: str | None, **compute: str) -> Callable[[str], Codec]:
    """Return a function that loads each model once: the one of a file, or always the one that was asked for."""
    from celesta import codec as codecs

    @functools.cache
    def load(name: str) -> Codec:
        return codecs.load(name, **compute)

    return lambda name: load(model or name)
