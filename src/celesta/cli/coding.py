"""encode, decode, info, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli.console import Tell, each_file, err, free_target, out, table
from celesta.errors import UsageError

Sources = Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="Files or folders.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite what is there.")]
Precision = Annotated[str, typer.Option(help="float32, or bfloat16: faster where the processor has it.")]
ModelName = Annotated[str, typer.Option("--model", "-m", help="A model's name or a run folder.")]


DEFAULT_QUALITY = 5.0


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(encode)
    app.command()(decode)
    app.command()(info)
    app.command()(verify)
    app.command()(truncate)


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
        typer.Option("-K", min=1, help="nested only: channels of the base, beside or without any of the above."),
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
    pairs = _pairs(sources, output, ".cel", find_audio, force)
    coded = any(one is not None for one in (kbps, quality, channels, detail))
    if model == "nested" and not coded and dtype is None and bits is None:
        quality, coded = DEFAULT_QUALITY, True
    wanted = bitrate.Target(kbps, quality, channels, detail)

    def work(file: Path, tell: Tell) -> None:
        if coded:
            bitrate.encode_file(codec, file, pairs[file], wanted, mono=mono, progress=tell)
            if check:
                verify_file(pairs[file])
        else:
            codec.encode_file(
                file, pairs[file], mono=mono, dtype=dtype or "float16", bits=bits, check=check, progress=tell
            )
        _say_size(file, pairs[file])

    each_file(list(pairs), "encode", work)


def decode(
    sources: Sources,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The sound file, or a folder.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="The run folder that made the latent.")] = None,
    sample_rate: Annotated[int | None, typer.Option("--rate", help="Hz; else the source's own.")] = None,
    suffix: Annotated[str, typer.Option("--format", help="wav, flac, ogg, opus or mp3, for folders.")] = "flac",
    precision: Precision = "float32",
    force: Force = False,
) -> None:
    """Decode .cel files to sound of the source's rate and exact length.

    Example: `celesta decode song.cel -o back.flac`
    """
    from celesta import codec as codecs
    from celesta.latents.file import CelReader

    pairs = _pairs(sources, output, f".{suffix.lstrip('.')}", _find_cel, force)
    loaded: dict[str, codecs.Codec] = {}

    def work(file: Path, tell: Tell) -> None:
        with CelReader(file) as reader:
            name = model or reader.meta.model
        if name not in loaded:
            loaded[name] = codecs.load(name, precision=precision)
        loaded[name].decode_file(file, pairs[file], sample_rate=sample_rate, progress=tell)
        out.print(f"{file} -> {pairs[file]}", markup=False)

    each_file(list(pairs), "decode", work)


def info(sources: Sources) -> None:
    """Say what a .cel file or a sound file holds.

    Example: `celesta info song.cel song.mp3`
    """
    from celesta.audio import probe
    from celesta.latents.file import CelReader

    for file in sources:
        if file.suffix == ".cel":
            with CelReader(file) as reader:
                m = reader.meta
                seconds = m.n_samples / m.source_rate
                size = file.stat().st_size
                numbers = m.windows * m.channels * (m.latent_dim + 2 * m.detail_size) * m.frames
                rows = [
                    ["model", m.model],
                    ["weights", m.weights[:16] or "none needed"],
                    ["source", f"{m.source_rate} Hz, {m.channels} channel(s), {m.n_samples} samples, {seconds:.2f} s"],
                    ["latent", f"{m.windows} window(s) of {m.latent_dim} x {m.frames}, detail {m.detail_size}"],
                    [
                        "floats",
                        f"{numbers / seconds:,.0f} a second, {numbers / (m.n_samples * m.channels):.3g} a sample",
                    ],
                    ["file", f"{size:,} bytes, {size * 8 / seconds / 1000:.1f} kbit/s, {reader.encoding}"],
                    *[[key, value] for key, value in m.tags.items()],
                ]
        else:
            i = probe(file)
            rows = [
                ["format", f"{i.format} {i.subtype}"],
                ["sound", f"{i.sample_rate} Hz, {i.channels} channel(s), {i.n_samples} samples, {i.duration:.2f} s"],
                *[[key, value] for key, value in i.tags.items()],
            ]
        table(str(file), ["", ""], rows)


def verify(sources: Sources) -> None:
    """Prove .cel files whole: header, payload's SHA-256, finite values. Exits non-zero if one is not.

    Example: `celesta verify latents/`
    """
    from celesta.latents.file import verify as verify_file

    def work(file: Path, tell: Tell) -> None:
        verify_file(file)
        out.print(f"{file}: whole", markup=False)

    each_file([f for source in sources for f in _find_cel(source)], "verify", work)


def _find_cel(source: Path) -> list[Path]:
    if source.is_dir():
        return sorted(source.rglob("*.cel"))
    return [source]


def _pairs(sources: list[Path], output: Path | None, suffix: str, find: object, force: bool) -> dict[Path, Path]:
    """Each file with its target: beside it, or under ``output``; folders keep their inner structure."""
    pairs: dict[Path, Path] = {}
    for source in sources:
        if not source.exists():
            raise UsageError(f"{source}: no such file or folder")
        files: list[Path] = find(source)  # type: ignore[operator]
        if not files:
            raise UsageError(f"{source}: holds no file to work on")
        for file in files:
            inner = file.relative_to(source) if source.is_dir() else Path(file.name)
            one = (output is not None and output.suffix == suffix) or (output is not None and output.suffix in _SOUND)
            if output is None:
                target = file.with_suffix(suffix)
            elif one and not output.is_dir():
                if len(sources) > 1 or source.is_dir():
                    raise UsageError(f"{output}: several files need a folder as --output")
                target = output
            else:
                target = output / inner.with_suffix(suffix)
            if source.is_dir() and target.exists() and not force:
                err.print(f"{target}: there already, skipped", markup=False)
                continue
            if target in pairs.values():
                target = target.with_name(f"{file.name}{suffix}")
            pairs[file] = free_target(target, force)
            target.parent.mkdir(parents=True, exist_ok=True)
    return pairs


_SOUND = (".wav", ".flac", ".ogg", ".opus", ".mp3")


def _say_size(file: Path, target: Path) -> None:
    out.print(f"{file} -> {target}  {target.stat().st_size:,} bytes", markup=False)


def truncate(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A coded .cel file.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="The smaller .cel file.", show_default=False)],
    kbps: Annotated[float | None, typer.Option(help="At most so many kbit/s over the song.")] = None,
    channels: Annotated[int | None, typer.Option("-K", min=1, help="Channels of the base to keep.")] = None,
    force: Force = False,
) -> None:
    """Make a coded .cel file smaller without decoding its sound.

    Example: `celesta truncate song.cel --kbps 3 -o small.cel`
    """
    from celesta.codec.bitrate import truncate_file

    if kbps is None and channels is None:
        raise UsageError("truncate: give --kbps or -K")
    free_target(output, force)
    truncate_file(source, output, kbps=kbps, channels=channels)
    out.print(f"{source} {source.stat().st_size:,} -> {output} {output.stat().st_size:,} bytes", soft_wrap=True)
