"""`celesta encode`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from celesta.cli import console
from celesta.cli.batch import each_file
from celesta.cli.checks import check_compute, check_sizes
from celesta.cli.existing import how_coded, made_from
from celesta.cli.files import Kind, plan
from celesta.cli.inputs import find_songs
from celesta.cli.options import (
    DEFAULT_MODEL,
    Backend,
    BaseChannels,
    Device,
    Engine,
    Force,
    Json,
    Kbps,
    ModelName,
    Mono,
    Precision,
    Songs,
    Strict,
)
from celesta.cli.progress import Meter, working
from celesta.cli.standard import STANDARD, opened_input, opened_output
from celesta.errors import UsageError

if TYPE_CHECKING:
    from celesta.codec import EncodedFile, Manifest
    from celesta.latents import WrittenFile


Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE|FOLDER", help="A .cel file, a folder, or - for standard output."),
]
Quality = Annotated[float | None, typer.Option(metavar="0..10", help="Constant quality.", show_default=False)]
Detail = Annotated[
    float | None,
    typer.Option(metavar="N", help="Nonzero coefficients per frame, on average.", show_default=False),
]
Dtype = Annotated[
    str | None, typer.Option(metavar="TYPE", help="Store floats: float16 or float32.", show_default=False)
]
Bits = Annotated[
    int | None, typer.Option(min=1, max=16, metavar="N", help="Quantise to N bits per number.", show_default=False)
]
Verify = Annotated[bool, typer.Option("--verify", help="Decode each file before it gets its name.")]
Tags = Annotated[bool, typer.Option("--tags/--no-tags", help="Copy the tags of the source.")]
EncodeWorkers = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Encode so many files at once; by default one, or all that a cluster has.",
        show_default=False,
    ),
]
ManifestFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Record what is done in this file; the next call with it goes on from there.",
        show_default=False,
    ),
]


def encode(
    sources: Songs,
    output: Output = None,
    model: ModelName = DEFAULT_MODEL,
    kbps: Kbps = None,
    quality: Quality = None,
    channels: BaseChannels = None,
    detail: Detail = None,
    dtype: Dtype = None,
    bits: Bits = None,
    mono: Mono = False,
    verify: Verify = False,
    tags: Tags = True,
    device: Device = "auto",
    precision: Precision = "float32",
    backend: Backend = "auto",
    engine: Engine = "loky",
    workers: EncodeWorkers = None,
    manifest: ManifestFile = None,
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Encode audio files to latents (.cel files).

    Without --output, song.mp3 becomes song.cel next to it. In folders, files that are encoded already are skipped.
    The model nested2 codes to quality 5 unless a bitrate, a quality or a size is given; other models store float16.
    The input - is standard input. Up to 2 GiB are kept in the folder for temporary files (TMPDIR) while a song is
    encoded; with less room it takes longer. With --engine dask, ray or spark, a cluster that sees the same files
    encodes them.

    Example: `celesta encode song.mp3 --kbps 12 -o song.cel`

    Example: `celesta encode albums/ -o latents/`

    Example: `ffmpeg -i film.mkv -f wav - | celesta encode - > film.cel`

    Example: `celesta encode albums/ -o latents/ --workers 4 --manifest done.jsonl`
    """
    console.be_strict(strict)
    check_compute(device, precision, backend)
    sizes = {"kbps": kbps, "quality": quality, "channels": channels, "detail": detail, "dtype": dtype, "bits": bits}
    check_sizes(model, **sizes)
    options: dict[str, Any] = {**sizes, "mono": mono, "verify": verify, "tags": tags}
    compute = {"device": device, "precision": precision, "backend": backend}
    chosen = _Job(sources, output, model, options, compute, force, as_json)
    with working("encode", f"loading {model}") as meter:
        if engine == "loky" and workers is None and manifest is None:
            _encode_here(meter, chosen)
        else:
            _encode_in_processes(meter, chosen, engine, workers, manifest)


@dataclass(frozen=True)
class _Job:
    """What to encode, where to and how."""

    sources: list[Path]
    output: Path | None
    model: str
    options: dict[str, Any]
    compute: dict[str, str]
    force: bool
    as_json: bool


def _encode_here(meter: Meter, job: _Job) -> None:
    """Encode one file after the other in this process."""
    planned = plan(job.sources, job.output, _kind(job), force=job.force)
    targets = planned.targets
    from celesta import codec as codecs

    codec = codecs.load(job.model, **job.compute)

    def work(file: Path) -> None:
        with opened_input(file) as source, opened_output(targets[file], ".cel") as target:
            made = codec.encode_file(source, target, **job.options, progress=meter.seconds)
        report(file, targets[file], made, as_json=job.as_json)

    single = len(job.sources) == 1 and job.sources == list(targets)
    each_file(meter, targets, work, single=single, failed=planned.failed, as_json=job.as_json)


def _encode_in_processes(meter: Meter, job: _Job, engine: str, workers: int | None, manifest: Path | None) -> None:
    """Encode several files at once, here or on a cluster."""
    if STANDARD in (*job.sources, job.output):
        raise UsageError("-: --engine, --workers and --manifest need files; name the input and the output")
    from celesta.codec import Manifest, encode_files

    about = {**job.options, "model": job.model, "precision": job.compute["precision"]}
    record = Manifest(manifest, about) if manifest else None
    planned = plan(job.sources, job.output, _kind(job, record), force=job.force)
    targets = planned.targets
    how: dict[str, Any] = {"engine": engine, "workers": 1 if workers is None and engine == "loky" else workers}
    made = encode_files(targets, job.model, manifest=record, **{**how, **job.compute, **job.options})
    report_many(meter, made, len(targets), failed=planned.failed, as_json=job.as_json)


def report(source: Path, target: Path, made: WrittenFile, *, as_json: bool, **more: object) -> None:
    """Print what a .cel file was made from, its size and its bitrate."""
    if target == STANDARD:
        return
    if as_json:
        figures = {name: value for name, value in made.to_dict().items() if name != "path"}
        console.emit({"source": source, "output": target, **figures, **more})
    else:
        console.say(f"{source} -> {target}  {made.n_bytes:,} bytes  {made.kbps:.1f} kbit/s")


def report_many(
    meter: Meter, made: Iterable[EncodedFile], total: int, *, failed: int = 0, as_json: bool = False
) -> None:
    """Print what became of each song of several processes; failures make the exit code 1, also those before."""
    inputs = total + failed
    for number, one in enumerate(made, start=1):
        for text in one.warnings:
            console.warn_of_damage(text)
        if one.written is None:
            failed += 1
            console.fail(one.error)
            if as_json:
                console.emit({"source": one.source, "error": one.error})
        else:
            report(one.source, one.target, one.written, as_json=as_json)
        meter.steps("songs", number, total)
    if failed:
        console.note(f"celesta: {failed} of {inputs} files failed")


def _kind(job: _Job, manifest: Manifest | None = None) -> Kind:
    """What encoding makes of a file; what the manifest says is done need not be read."""

    def known(target: Path, source: Path) -> bool | None:
        return (manifest and manifest.made_from(target, source)) or made_from(target, source)

    def about(target: Path) -> str:
        return "" if manifest else how_coded(target, job.model, job.options)

    return Kind((".cel",), ".cel", find_songs, known, about)
