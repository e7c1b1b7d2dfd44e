"""What the verbs that make new versions of songs share: their options, songs as latents, results and side files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from celesta._files import printable
from celesta.cli import console
from celesta.cli.checks import check_songs
from celesta.cli.files import WRITABLE, free, ready_folder
from celesta.cli.options import seconds
from celesta.errors import UsageError

if TYPE_CHECKING:
    from celesta.codec import Codec
    from celesta.latents import Latent

_ROUNDED = 0.0005
"""Seconds by which a time that is copied from a message may lie behind the end of the song."""
AnySong = Annotated[Path, typer.Argument(metavar="SONG", help="An audio file, or a .cel file.", show_default=False)]
OtherSong = Annotated[Path, typer.Argument(metavar="OTHER", help="The other song.", show_default=False)]
AudioFile = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="The audio file.", show_default=False)
]
AudioOrCel = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="An audio file, or a .cel file for the changed latent; by default a FLAC file next to the song.",
        show_default=False,
    ),
]
From = Annotated[
    float | None,
    typer.Option("--from", parser=seconds, metavar="TIME", help="Begin there: 72.3 or 1:12.3.", show_default=False),
]
To = Annotated[
    float | None, typer.Option("--to", parser=seconds, metavar="TIME", help="End there.", show_default=False)
]


def stretch_name(start: float | None, stop: float | None) -> str:
    """Name a stretch of a song in the name of a result, so that two stretches have two results.

    Example:
        >>> stretch_name(30.0, 72.25), stretch_name(30.0, None), stretch_name(None, None)
        ('.from-30-to-72.25', '.from-30', '')
    """
    ends = [f"{name}-{value:.10g}" for name, value in (("from", start), ("to", stop)) if value is not None]
    return f".{'-'.join(ends)}" if ends else ""


def result_file(target: Path, force: bool, *, cel: bool = False) -> Path:
    """Check before any work that a result can be written.

    Args:
        target: the result.
        force: overwrite it.
        cel: whether it may be a .cel file.

    Raises:
        UsageError: it exists already, or its format cannot be written.
        DataError: its folder cannot be written to.
    """
    able = (*WRITABLE, ".cel") if cel else WRITABLE
    if target.suffix.lower() not in able:
        raise UsageError(f"{printable(target)}: cannot be written; name a file that ends in {', '.join(able)}")
    free(target, force)
    ready_folder(target.parent)
    return target


def check_stretch(start: float | None, stop: float | None) -> None:
    """Refuse a stretch that ends before it begins.

    Raises:
        UsageError: it does.
    """
    if stop is not None and stop <= (start or 0.0):
        raise UsageError(f"--from {start or 0.0:g} --to {stop:g}: the stretch must end after it begins")


def check_bitrate(target: Path, kbps: float | None) -> None:
    """Refuse a bitrate for a result that is not a .cel file.

    Raises:
        UsageError: it is decoded audio.
    """
    from celesta.latents import is_cel

    if kbps is not None and not is_cel(target):
        raise UsageError("--kbps is the bitrate of a .cel file; name one with -o")


def check_ends(source: Path, start: float | None, stop: float | None) -> None:
    """Refuse a stretch that begins behind the end of a song, and say where one ends there, before any work.

    Raises:
        AudioError, DataError, LatentError: the song is missing or cannot be read.
        UsageError: nothing of the song is in the stretch.
    """
    if start is None and stop is None:
        return
    check_songs(source)
    compare_ends(source, start, stop, _seconds(source, max(start or 0.0, stop or 0.0)))


def compare_ends(source: Path, start: float | None, stop: float | None, seconds: float) -> None:
    """Do what :func:`check_ends` does, of a song whose duration in seconds is known."""
    end = f"behind the end of the song ({seconds:.3f} s)"
    if start is not None and start >= seconds:
        raise UsageError(f"{printable(source)}: --from {start:g} is {end}")
    if stop is not None and stop > seconds + _ROUNDED:
        console.note(f"{printable(source)}: --to {stop:g} is {end}: the song's end is used")


def _seconds(source: Path, last: float) -> float:
    """Return the duration of a song: by its header, or by its audio where the header says that it ends before last."""
    from celesta import audio
    from celesta.latents import CelReader, is_cel

    if is_cel(source):
        with CelReader(source) as reader:
            return reader.meta.n_samples / reader.meta.source_rate
    info = audio.info(source)
    if info.duration > last:
        return info.duration
    with audio.AudioSource(source) as song:
        return float(sum(block.shape[1] for block in song.blocks()) / info.sample_rate)


def latent_of(codec: Codec, source: Path, *, mono: bool = False) -> Latent:
    """Encode an audio file, or read a .cel file of the codec.

    Raises:
        AudioError, LatentError: it cannot be read, or is a latent of another model.
    """
    from celesta.latents import Latent, is_cel

    if not is_cel(source):
        return codec.encode(source, mono=mono)
    z = Latent.load(source)
    codec.check(z.model, z.weights, z.latent_dim, z.detail_size)
    return z


def latents_of(codec: Codec, sources: Sequence[Path], doing: Callable[[str], None]) -> list[Latent]:
    """Return the latents of several songs, such that they combine.

    Stereo songs are mixed to mono where another one is mono. A .cel file that does not fit (it is coded as mid and side
    and another song is not, or must be mixed) is decoded and encoded again.
    """
    from celesta.latents import is_cel

    found = []
    for source in sources:
        doing(f"encoding {source.name}")
        found.append(latent_of(codec, source))
    mono = min(z.channels for z in found) == 1
    sides = {z.mid_side for z in found if z.channels > 1}
    for i, (source, z) in enumerate(zip(sources, found, strict=True)):
        mixed, other = mono and z.channels > 1, len(sides) > 1 and z.mid_side
        if not mixed and not other:
            continue
        doing(f"encoding {source.name}")
        if not is_cel(source):
            found[i] = latent_of(codec, source, mono=True)
            continue
        console.note(f"{printable(source)}: decoded and encoded again, so that it fits the other song")
        found[i] = codec.encode(codec.decode(z), mono=mixed)
    return found


def save_result(
    codec: Codec,
    z: Latent,
    target: Path,
    name: str,
    sources: Sequence[Path],
    settings: Mapping[str, Any],
    kbps: float | None = None,
) -> dict[str, Any]:
    """Write a changed latent, decoded or as a .cel file, and the side file that says how it was made.

    Returns:
        What ``--json`` prints.

    Raises:
        AudioError, LatentError, UsageError: it cannot be written.
    """
    from celesta.latents import is_cel
    from celesta.variations.files import write_latent
    from celesta.variations.sidecar import write_sidecar

    check_bitrate(target, kbps)
    if is_cel(target):
        z.save(target, kbps=kbps)
    else:
        write_latent(codec, z, target)
    about = {"model": codec.name, **settings}
    sidecar = write_sidecar(target, name, list(sources), about, {"weights": codec.weights, "seconds": z.duration})
    named: dict[str, Any] = {"source": sources[0]} if len(sources) == 1 else {"sources": list(sources)}
    return {**named, "output": target, "recipe": sidecar, "seconds": z.duration, **about}


def say_result(sources: Sequence[Path], facts: Mapping[str, Any], as_json: bool) -> None:
    """Print what was made."""
    if as_json:
        console.emit(facts)
    else:
        console.say(f"{' and '.join(map(str, sources))} -> {facts['output']}")
