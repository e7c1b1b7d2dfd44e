"""`celesta encode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import Tell, each_file, out
from celesta.cli.files import pairs
from celesta.cli.options import Force, ModelName, Precision, Sources

DEFAULT_QUALITY = 5.0


def encode(
    sources: Sources,
    model: ModelName = "nested",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The .cel file, or a folder.")] = None,
    mono: Annotated[bool, typer.Option(help="Mix to one channel; else each channel is coded by itself.")] = False,
    dtype: Annotated[str | None, typer.Option(help="float16 or float32, not coded.")] = None,
    bits: Annotated[int | None, typer.Option(min=1, max=16, help="Quantise to so many bits a number.")] = None,
    kbps: Annotated[float | None, typer.Option(help="nested only: code to so many kbit/s over the song.")] = None,
    quality: Annotated[float | None, typer.Option(help="nested only: code to a quality, 0 to 10.")] = None,
    channels: Annotated[
        int | None,
        typer.Option("--channels", "-K", min=1, help="nested only: channels of the base; with or without the above."),
    ] = None,
    detail: Annotated[float | None, typer.Option(help="nested only: coefficients a frame, on average.")] = None,
    check: Annotated[bool, typer.Option("--verify", help="Decode each file before its name appears.")] = False,
    precision: Precision = "float32",
    force: Force = False,
) -> None:
    """Encode sound files to .cel files. Files already encoded are skipped when a folder is given.

    The codec nested codes to quality 5 unless something else is asked for; other models keep float16.

    Example: `celesta encode song.mp3 --kbps 12 -o song.cel`

    Example: `celesta encode albums/ -o latents/`

    Example: `celesta encode song.wav -m cel-silu -o song.cel`
    """
    from celesta import codec as codecs
    from celesta.audio import find_audio
    from celesta.codec import bitrate
    from celesta.latents.file import verify as verify_file

    codec = codecs.load(model, precision=precision)
    targets = pairs(sources, output, ".cel", find_audio, force)
    coded = any(one is not None for one in (kbps, quality, channels, detail))
    if model == "nested" and not coded and dtype is None and bits is None:
        quality, coded = DEFAULT_QUALITY, True
    wanted = bitrate.Target(kbps, quality, channels, detail)

    def work(file: Path, tell: Tell) -> None:
        if coded:
            bitrate.encode_file(codec, file, targets[file], wanted, mono=mono, progress=tell)
            if check:
                verify_file(targets[file])
        else:
            codec.encode_file(
                file, targets[file], mono=mono, dtype=dtype or "float16", bits=bits, check=check, progress=tell
            )
        _say_size(file, targets[file])

    each_file(list(targets), "encode", work)


def _say_size(file: Path, target: Path) -> None:
    out.print(f"{file} -> {target}  {target.stat().st_size:,} bytes", markup=False)
