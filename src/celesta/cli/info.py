"""`celesta info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from celesta.cli import console
from celesta.cli.files import each_file
from celesta.cli.options import Json
from celesta.cli.progress import working

LONGEST = 200
"""Characters of a tag that are shown; ``--json`` gives all of them."""


def info(
    sources: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Audio files or .cel files.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Show the format, size and tags of audio files and .cel files.

    Example: `celesta info song.cel song.mp3`
    """
    first = True

    def work(file: Path) -> None:
        nonlocal first
        found = describe_cel(file) if file.suffix.lower() == ".cel" else describe_audio(file)
        if as_json:
            console.emit(found)
            return
        if not first:
            console.say("")
        first = False
        console.say(file)
        console.facts([(name.replace("_", " "), text) for name, text in _texts(found)])

    with working("info") as meter:
        each_file(meter, sources, work, as_json=as_json)


def describe_cel(file: Path) -> dict[str, Any]:
    """Return what a .cel file holds."""
    from celesta.latents import CelReader

    with CelReader(file) as reader:
        m, encoding = reader.meta, reader.encoding
    seconds, size = m.n_samples / m.source_rate, file.stat().st_size
    floats = m.windows * m.channels * (m.latent_dim + 2 * m.detail_size) * m.frames
    return {
        "source": file,
        "kind": "latent",
        "model": m.model,
        "weights": m.weights,
        "encoding": encoding,
        "sample_rate": m.source_rate,
        "channels": m.channels,
        "n_samples": m.n_samples,
        "seconds": seconds,
        "windows": m.windows,
        "latent_dim": m.latent_dim,
        "detail_size": m.detail_size,
        "frames_per_window": m.frames,
        "floats_per_second": floats / seconds,
        "floats_per_sample": floats / (m.n_samples * m.channels),
        "bytes": size,
        "kbps": size * 8 / seconds / 1000,
        "made_from": getattr(getattr(m, "source", None), "name", None),
        "tags": m.tags,
    }


def describe_audio(file: Path) -> dict[str, Any]:
    """Return what an audio file's header and tags say."""
    from celesta import audio

    i = audio.probe(file)
    return {
        "source": file,
        "kind": "audio",
        "format": i.format,
        "subtype": i.subtype,
        "sample_rate": i.sample_rate,
        "channels": i.channels,
        "n_samples": i.n_samples or None,
        "seconds": i.duration or None,
        "bytes": file.stat().st_size,
        "tags": i.tags,
    }


def _texts(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Turn a description into names and texts for people."""
    rows = []
    for name, value in found.items():
        if name in ("source", "kind", "tags") or value is None or value == "":
            continue
        unit = {"sample_rate": " Hz", "seconds": " s", "kbps": ""}.get(name, "")
        text = f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
        rows.append((name, (str(value) if name == "sample_rate" else text) + unit))
    return rows + [(name, console.shorten(str(text), LONGEST)) for name, text in found["tags"].items()]
