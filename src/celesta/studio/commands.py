"""The command lines that do what a page does."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from celesta._files import printable
from celesta.variations import VARIATIONS


def line(*words: str | Path | None) -> str:
    """Return ``celesta`` with words, quoted for a shell; None is left out."""
    return shlex.join(["celesta", *(printable(word) for word in words if word is not None)])


def transform(
    path: Path,
    model: str,
    steps: Sequence[tuple[str, Mapping[str, float]]],
    start: float | None = None,
    stop: float | None = None,
) -> str:
    """Return the command line that changes a song's latent."""
    words: list[str | Path] = ["transform", path, "-m", model]
    for name, settings in steps:
        for flag, parameter in VARIATIONS[name].options():
            if parameter.name in settings:
                words += [flag, f"{settings[parameter.name]:.10g}"]
    for flag, value in (("--from", start), ("--to", stop)):
        if value is not None:
            words += [flag, f"{value:.10g}"]
    return line(*words)


def compare(path: Path, models: Sequence[str]) -> str:
    """Return the command line that compares models on a song."""
    return line("compare", *models, "--data", path)


def encode(path: Path, model: str, kbps: float | None = None, bits: int | None = None) -> str:
    """Return the command line that encodes a song, to a file in the current folder."""
    return line("encode", path, "-m", model, *_size(kbps, bits), "-o", _coded(path, model, kbps, bits))


def truncate(path: Path, model: str, top: float, kbps: float, channels: int | None) -> str:
    """Return the command lines that encode a song to a high bitrate, and truncate that file."""
    if kbps == top:
        return encode(path, model, top)
    fewer = () if channels is None else ("--channels", str(channels))
    files = _coded(path, model, top), "-o", _coded(path, model, kbps)
    return f"{encode(path, model, top)} && {line('truncate', files[0], '--kbps', f'{kbps:g}', *fewer, *files[1:])}"


def ffmpeg(path: Path, options: Sequence[str], kbps: float, suffix: str) -> str:
    """Return the command line that codes a song with ffmpeg."""
    target = f"{printable(path.stem)}-{kbps:g}{suffix}"
    return shlex.join(["ffmpeg", "-i", printable(path), *options, "-b:a", f"{kbps:g}k", target])


def _size(kbps: float | None, bits: int | None) -> tuple[str, ...]:
    if kbps is not None:
        return "--kbps", f"{kbps:g}"
    return () if bits is None else ("--bits", str(bits))


def _coded(path: Path, model: str, kbps: float | None, bits: int | None = None) -> str:
    size = "" if kbps is None and bits is None else f"-{kbps:g}" if kbps is not None else f"-{bits}bit"
    return f"{printable(path.stem)}-{model}{size}.cel"
