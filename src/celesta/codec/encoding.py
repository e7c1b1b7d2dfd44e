"""Encode whole files: which of a coded and a plain .cel file, with which options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from celesta.codec import bitrate, windowing
from celesta.codec.source import AudioLike, SongSource, song_metadata
from celesta.errors import UsageError
from celesta.latents import DEFAULT_QUALITY, CelWriter, Latent, LatentWindow, Progress, WrittenFile
from celesta.latents.saving import Origin, fingerprint

if TYPE_CHECKING:
    from celesta.codec.codec import Codec


def coded_target(codec: Codec, wanted: bitrate.Target, dtype: str | None, bits: int | None) -> bitrate.Target | None:
    """Choose the size of a coded file; None for a file of plain numbers.

    Raises:
        UsageError: options contradict each other.
        ModelError: the model does not code to a bitrate.
    """
    if dtype is not None and bits is not None:
        raise UsageError("give dtype or bits, not both")
    if dtype is not None or bits is not None:
        if wanted.given:
            raise UsageError("kbps, quality, channels and detail give a coded file, dtype and bits do not")
        return None
    if wanted.given:
        codec.network.coding_model()  # refused here where it cannot
        return wanted
    return bitrate.Target(quality=DEFAULT_QUALITY) if codec.network.codes_to_bitrate else None


def encode_plain(
    codec: Codec,
    song: SongSource,
    target: Path,
    *,
    dtype: str,
    bits: int | None,
    tags: bool | Mapping[str, str],
    check: Callable[[Path], None] | None,
    progress: Progress | None,
) -> WrittenFile:
    """Encode a song to a .cel file of floats or packed integers, holding one window at a time."""
    about = song_metadata(codec, song) | {"tags": chosen_tags(song, tags)}
    with CelWriter(target, about, dtype=dtype, bits=bits) as writer:
        for window in encode_windows(codec, song, progress):
            writer.append(window)
        size = writer.close(song.n_samples, check)
    return WrittenFile(target, size, song.n_samples / song.sample_rate)


def origin(codec: Codec, source: AudioLike, sample_rate: int | None, mono: bool, z: Latent) -> Origin:
    """Return what a latent that was just made is coded from when it is saved."""
    path = Path(source).absolute() if isinstance(source, str | Path) else None

    def again(target: str | Path, kbps: float | None, tags: Mapping[str, str]) -> WrittenFile:
        return codec.encode_file(path or source, target, kbps=kbps, sample_rate=sample_rate, mono=mono, tags=tags)

    return Origin(again, path, fingerprint(z))


def chosen_tags(song: SongSource, tags: bool | Mapping[str, str]) -> dict[str, str]:
    """Return the tags to write: those of the source, none, or those given."""
    return dict(tags) if isinstance(tags, Mapping) else song.tags if tags else {}


def encode_windows(codec: Codec, song: SongSource, progress: Progress | None = None) -> Iterator[LatentWindow]:
    """Yield the latents of a song's windows."""
    model = codec.model
    stride = (model.window - model.overlap) / model.sample_rate
    total = song.seconds
    blocks = song.blocks(model.sample_rate)
    windows = windowing.cut(blocks, model.window, model.context, model.overlap)
    for i, latent in enumerate(codec.network.encode(windows), start=1):
        yield latent
        if progress is not None:
            progress(i * stride if total is None else min(i * stride, total), total)


def encode_song(
    codec: Codec,
    source: AudioLike,
    target: Path,
    coded: bitrate.Target | None,
    *,
    dtype: str | None,
    bits: int | None,
    sample_rate: int | None,
    mono: bool,
    tags: bool | Mapping[str, str],
    check: Callable[[Path], None] | None,
    progress: Progress | None,
) -> WrittenFile:
    """Encode a song as :meth:`celesta.codec.Codec.encode_file` says."""
    with SongSource(source, sample_rate, mono) as song:
        if coded is not None:
            chosen = chosen_tags(song, tags)
            return bitrate.encode_song(codec, song, target, coded, tags=chosen, check=check, progress=progress)
        return encode_plain(
            codec, song, target, dtype=dtype or "float16", bits=bits, tags=tags, check=check, progress=progress
        )
