"""`celesta encode`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from celesta.audio import find_audio
from celesta.cli import console
from celesta.cli.files import STANDARD, Kind, each_file, opened_input, opened_output, plan
from celesta.cli.options import (
    DEFAULT_MODEL,
    BaseChannels,
    Device,
    Force,
    Json,
    Kbps,
    ModelName,
    Mono,
    Precision,
    Songs,
    Strict,
)
from celesta.cli.progress import working
from celesta.errors import CelestaError, UsageError

if TYPE_CHECKING:
    from celesta.latents import WrittenFile


def encode(
    sources: Songs,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE|FOLDER", help="A .cel file, a folder, or - for standard output."),
    ] = None,
    model: ModelName = DEFAULT_MODEL,
    kbps: Kbps = None,
    quality: Annotated[
        float | None, typer.Option(metavar="0..10", help="Constant quality.", show_default=False)
    ] = None,
    channels: BaseChannels = None,
    detail: Annotated[
        float | None,
        typer.Option(metavar="N", help="Nonzero coefficients per frame, on average.", show_default=False),
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Store floats: float16 or float32.", show_default=False)
    ] = None,
    bits: Annotated[
        int | None, typer.Option(min=1, max=16, metavar="N", help="Quantise to N bits per number.", show_default=False)
    ] = None,
    mono: Mono = False,
    verify: Annotated[bool, typer.Option("--verify", help="Decode each file before it gets its name.")] = False,
    tags: Annotated[bool, typer.Option("--tags/--no-tags", help="Copy the tags of the source.")] = True,
    device: Device = "auto",
    precision: Precision = "float32",
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Encode audio files to latents (.cel files).

    In folders, files that are encoded already are skipped. The model nested codes to quality 5 unless a bitrate, a
    quality or a size is given; other models store float16. The input - is standard input.

    Example: `celesta encode song.mp3 --kbps 12 -o song.cel`

    Example: `celesta encode albums/ -o latents/`

    Example: `ffmpeg -i film.mkv -f wav - | celesta encode - > film.cel`
    """
    _check_sizes(kbps=kbps, quality=quality, detail=detail, bits=bits, dtype=dtype, channels=channels)
    with working("encode", f"loading {model}") as meter:
        targets = plan(sources, output, KIND, force=force).targets
        from celesta import codec as codecs

        codec = codecs.load(model, device=device, precision=precision)

        def work(file: Path) -> None:
            with opened_input(file) as source, opened_output(targets[file], ".cel") as target:
                made = codec.encode_file(
                    source,
                    target,
                    kbps=kbps,
                    quality=quality,
                    channels=channels,
                    detail=detail,
                    dtype=dtype,
                    bits=bits,
                    mono=mono,
                    verify=verify,
                    tags=tags,
                    progress=meter.seconds,
                )
            report(file, targets[file], made, as_json=as_json)

        each_file(
            meter, targets, work, strict=strict, single=len(sources) == 1 and sources == list(targets), as_json=as_json
        )


def report(source: Path, target: Path, made: WrittenFile, *, as_json: bool, **more: object) -> None:
    """Print what a .cel file was made from, its size and its bitrate."""
    if target == STANDARD:
        return
    if as_json:
        figures = {name: value for name, value in made.to_dict().items() if name != "path"}
        console.emit({"source": source, "output": target, **figures, **more})
    else:
        console.say(f"{source} -> {target}  {made.n_bytes:,} bytes  {made.kbps:.1f} kbit/s")


def made_from(target: Path, source: Path) -> bool | None:
    """Whether a .cel file was made from an audio file of this name; None where the file does not say."""
    from celesta.latents import CelReader
    from celesta.latents.source import SourceFile

    try:
        with CelReader(target) as reader:
            recorded = reader.meta.source
    except CelestaError:
        return None
    if recorded is None:
        return None
    same = recorded.name == SourceFile.of(source).name
    if same and not recorded.matches(source):
        console.warn(f"{target}: {source.name} has changed since it was encoded; encode it again with --force")
    return same


KIND = Kind((".cel",), ".cel", find_audio, made_from)


def _check_sizes(**given: object) -> None:
    """Refuse options that ask for different sizes of the same file."""
    names = [name for name, value in given.items() if value is not None]
    exclusive = [name for name in names if name != "channels"]
    if len(exclusive) > 1:
        options = " and ".join(f"--{name}" for name in exclusive)
        raise UsageError(f"{options} contradict each other; give one of --kbps, --quality, --detail, --bits, --dtype")
    if "channels" in names and exclusive and exclusive[0] in ("bits", "dtype"):
        raise UsageError(f"--channels and --{exclusive[0]} contradict each other; give one of them")
