"""`celesta info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from celesta.cli import console
from celesta.cli.batch import each_file
from celesta.cli.inputs import find_both, inputs
from celesta.cli.options import Json
from celesta.cli.progress import working

LONGEST = 200
"""Characters of a tag that are shown; ``--json`` gives all of them."""


def info(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE|FOLDER", help="Audio files, .cel files, or folders with such files.", show_default=False
        ),
    ],
    as_json: Json = False,
) -> None:
    """Show the format, size and tags of audio files and .cel files.

    Example: `celesta info song.cel song.mp3`

    Example: `celesta info albums/ --json`
    """
    from celesta.latents import is_cel

    first = True

    def work(file: Path) -> None:
        nonlocal first
        found = describe_cel(file) if is_cel(file) else describe_audio(file)
        if as_json:
            console.emit(found)
            return
        if not first:
            console.say("")
        first = False
        console.say(file)
        console.facts([(label, text) for label, text in _texts(found) if text])
        if found["tags"]:
            console.say("tags")
            console.facts([(f"  {name}", console.shorten(str(text), LONGEST)) for name, text in found["tags"].items()])

    with working("info", "looking for files") as meter:
        listed = inputs(sources, find_both)
        files = listed.files
        single = len(sources) == 1 and sources == files
        each_file(meter, files, work, single=single, failed=listed.failed, as_json=as_json)


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
    """Turn a description into labels and texts for people; "" for what is not known."""
    n_samples, seconds = found["n_samples"], found["seconds"]
    size = f"{found['bytes']:,} bytes"
    if seconds:
        size += f", {found['bytes'] * 8 / seconds / 1000:,.1f} kbit/s"
    signal = [
        ("sample rate", f"{found['sample_rate']} Hz"),
        ("channels", str(found["channels"])),
        ("length", f"{seconds:,.2f} s, {n_samples:,} samples a channel" if seconds else "not known"),
    ]
    if found["kind"] == "audio":
        return [("format", f"{found['format']}, {found['subtype']}"), *signal, ("size", size)]
    sparse = f" + {found['detail_size']} sparse coefficients" if found["detail_size"] else ""
    return [
        ("model", found["model"]),
        ("weights", found["weights"]),
        ("made from", found["made_from"] or ""),
        *signal,
        ("latent", f"{found['latent_dim']} dense channels{sparse} a frame"),
        ("frames", f"{found['windows']:,} windows of {found['frames_per_window']:,} frames"),
        ("floats", f"{found['floats_per_second']:,.0f} a second in all, {found['floats_per_sample']:.3g} per sample"),
        ("stored as", found["encoding"]),
        ("size", size),
    ]
