"""`celesta encode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import Tell, each_file, out
from celesta.cli.files import pairs
from celesta.cli.options import Force, ModelName, Precision, Sources


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

    codec = codecs.load(model, precision=precision)
    targets = pairs(sources, output, ".cel", find_audio, force)

    def work(file: Path, tell: Tell) -> None:
        made = codec.encode_file(
            file,
            targets[file],
            kbps=kbps,
            quality=quality,
            channels=channels,
            detail=detail,
            dtype=dtype,
            bits=bits,
            mono=mono,
            verify=check,
            progress=tell,
        )
        out.print(f"{file} -> {targets[file]}  {made.n_bytes:,} bytes", markup=False)

    each_file(list(targets), "encode", work)
