"""Variations of whole files in flat memory: audio or .cel in, audio out, a window at a time."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.codec import Codec, decoding, encoding, windowing
from celesta.codec.decoding import Stretch, WindowSource
from celesta.codec.source import SongSource
from celesta.latents import CelReader, Latent, Progress, is_cel
from celesta.variations.registry import Step, apply, apply_stream
from celesta.variations.stream import InOrder, WindowStream

_READING, _ENCODED = 0.05, 0.5  # shares of the work: reading a song once, and encoding it before it is decoded


@dataclass(frozen=True)
class OpenedSong:
    """A song whose latent can be read window by window.

    Attributes:
        codec: of the latent.
        stream: its windows; of an audio file each pass encodes again.
        count: number of windows.
        channels: audio channels.
        source_rate: Hz of the source.
        n_samples: of the source, at its sample rate.
        load: gives the whole latent, for variations that cannot work window by window.
        mid_side: whether two channels are mid and side.
    """

    codec: Codec
    stream: WindowStream
    count: int
    channels: int
    source_rate: int
    n_samples: int
    load: Callable[[], Latent]
    mid_side: bool = False

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.n_samples / self.source_rate

    def decode(
        self, steps: Sequence[Step] = (), start: float | None = None, stop: float | None = None
    ) -> tuple[Stretch, Iterator[np.ndarray]]:
        """Decode the song, changed by steps.

        Args:
            steps: variations, applied to the whole song.
            start: seconds to begin at.
            stop: seconds to end at.

        Returns:
            The stretch of samples, and its blocks ``(channels, n)`` at the source's sample rate.

        Raises:
            UsageError: the seconds are out of range.
        """
        if all(step.variation.stream is not None for step in steps):
            changed = InOrder(apply_stream(self.stream, steps))
            source = WindowSource(changed, self.count, self.source_rate, self.n_samples, self.mid_side)
        else:
            source = WindowSource.of_latent(apply(self.load(), steps))
        wanted = Stretch.of(source, None, start, stop)
        return wanted, decoding.decode_blocks(self.codec.network, source, wanted)


@contextlib.contextmanager
def open_song(
    codec: Codec, source: str | Path, progress: Progress | None = None, stop: float | None = None
) -> Iterator[OpenedSong]:
    """Open an audio file or a .cel file.

    Args:
        codec: with which an audio file is encoded.
        source: the file.
        progress: called with the seconds of an audio file that are read and then encoded, and in all.
        stop: seconds of the song behind which nothing is decoded, which is where the progress ends; None for its end.

    Raises:
        AudioError, LatentError: it cannot be read, is damaged, or is a latent of another model or other weights.
    """
    if is_cel(source):
        with CelReader(source) as reader:
            reader.check_payload()
            m = reader.meta
            codec.check(m.model, m.weights, m.latent_dim, m.detail_size)
            yield OpenedSong(
                codec, WindowStream.of_reader(reader), len(reader), m.channels, m.source_rate, m.n_samples,
                lambda: Latent.load(source), bool(m.mid_side),
            )  # fmt: skip
        return
    with SongSource(source) as song:
        model = codec.model
        count = _count_windows(codec, song, _part(progress, 0, _READING, stop))
        encoding_it, before = _part(progress, _READING, 1, stop), _part(progress, _READING, _ENCODED)
        stream = WindowStream(
            lambda: encoding.encode_windows(codec, song, encoding_it), codec.name, model.latent_dim,
            model.overlap == 0, model.capabilities.has_detail,
        )  # fmt: skip
        whole = functools.partial(codec.encode, source, progress=before)
        yield OpenedSong(codec, stream, count, song.channels, song.sample_rate, song.n_samples, whole)


def _count_windows(codec: Codec, song: SongSource, progress: Progress) -> int:
    """Read a song to its end to count its windows: what decodes is the truth, not what the header says."""
    model = codec.model
    stride, count = (model.window - model.overlap) / model.sample_rate, 0
    for _ in windowing.cut(song.blocks(model.sample_rate), model.window, model.context, model.overlap):
        count += 1
        progress(count * stride, song.seconds)
    return count


def _part(progress: Progress | None, begin: float, end: float, stop: float | None = None) -> Progress:
    """Return the progress of a part of the work that goes from one share to another of all, up to ``stop`` seconds."""

    def report(done: float, total: float | None) -> None:
        if progress is None:
            return
        if total is None:
            progress(done, None)
            return
        whole = total if stop is None else min(total, stop)
        progress(whole * (begin + (end - begin) * min(1.0, done / max(whole, 1e-9))), whole)

    return report


def write_latent(codec: Codec, z: Latent, target: str | Path, progress: Progress | None = None) -> None:
    """Decode a latent to an audio file, a few windows at a time.

    Args:
        codec: of the latent.
        z: the latent.
        target: audio file in the format of its suffix, at the source's sample rate and channels.
        progress: called with the seconds of audio done and in all.

    Raises:
        LatentError: the latent is of another model or of other weights.
        AudioError: the file cannot be written.

    Example:
        write_latent(codec, celesta.morph(z, other, 0.5), "between.flac")
    """
    codec.check(z.model, z.weights, z.latent_dim, z.detail_size)
    source = WindowSource.of_latent(z)
    wanted = Stretch.of(source, None, None, None)
    _write(target, z.channels, wanted, decoding.decode_blocks(codec.network, source, wanted), progress)


def _write(
    target: str | Path, channels: int, wanted: Stretch, blocks: Iterator[np.ndarray], progress: Progress | None
) -> None:
    done = 0
    with audio.Writer(target, wanted.sample_rate, channels) as writer:
        for block in blocks:
            writer.write(block)
            done += block.shape[1]
            if progress is not None:
                progress(done / wanted.sample_rate, wanted.seconds)


def transform_file(
    codec: Codec,
    source: str | Path,
    target: str | Path,
    steps: Sequence[Step],
    *,
    start: float | None = None,
    stop: float | None = None,
    progress: Progress | None = None,
) -> None:
    """Change the latent of a song and write the decoded audio.

    A few windows are held at a time, unless a step's variation needs the whole latent.

    Args:
        codec: with which to encode and decode.
        source: audio file, or .cel file of the same model.
        target: audio file in the format of its suffix, at the source's sample rate and channels.
        steps: variations, applied one after the other to the whole song.
        start: seconds of the song at which the target begins; None: its beginning.
        stop: seconds at which it ends; None: the end of the song.
        progress: called with the seconds of audio done and in all.

    Raises:
        AudioError, LatentError: reading or writing failed; nothing is left under the target's name.
        UsageError: the seconds are out of range.

    Example:
        transform_file(codec, "song.mp3", "rough.flac", [Step("noise", 0.1, seed=7)])
    """
    whole = any(step.variation.stream is None for step in steps)
    with open_song(codec, source, progress, None if whole else stop) as song:
        wanted, blocks = song.decode(steps, start, stop)
        decoded: Progress | None = progress
        if not is_cel(source):  # encoding reports: window by window, or before all decoding
            decoded = _part(progress, _ENCODED, 1) if whole else None
        _write(target, song.channels, wanted, blocks, decoded)
