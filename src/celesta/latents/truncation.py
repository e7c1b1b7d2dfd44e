"""Make coded .cel files smaller without decoding their audio."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from celesta.entropy.coarsening import coarser
from celesta.entropy.window import Numbers
from celesta.errors import UsageError
from celesta.latents.coded import WrittenFile
from celesta.latents.coded_song import Progress, SongFile, ignore_progress
from celesta.latents.meta import CODED, META
from celesta.latents.rate_control import base_channels
from celesta.latents.reader import CelReader
from celesta.latents.tags import limited_tags

SAMPLED_WINDOWS = 8
"""Windows spread over a song that a search for a step looks at."""


def truncate(
    source: str | Path,
    target: str | Path,
    *,
    kbps: float | None = None,
    channels: int | None = None,
    progress: Progress | None = None,
) -> WrittenFile:
    """Make a coded .cel file smaller without decoding its audio: fewer base channels, a coarser quantiser step.

    Args:
        source: coded .cel file.
        target: the smaller file; may be the source.
        kbps: bitrate of the whole file, kbit/s; None to keep the detail. Tags take a bounded share of it.
        channels: base channels; None to choose by the bitrate, or to keep all where none is given.
        progress: called with the seconds of audio done and in all.

    Returns:
        The file with its size. Where the bitrate cannot be met the smallest file is written, with a
        :class:`~celesta.errors.LatentWarning`.

    Raises:
        LatentError: the source is damaged or not coded.
        UsageError: the source is smaller than that already, or nothing is asked for.

    Example:
        >>> import celesta
        >>> celesta.truncate("coded.cel", "small.cel", kbps=9).kbps <= 9
        True
    """
    if kbps is None and channels is None:
        raise UsageError("truncate: give kbps or channels")
    if channels is not None and channels < 1:
        raise UsageError(f"channels must be at least 1, got {channels}")
    if kbps is not None and not 0 < kbps < float("inf"):
        raise UsageError(f"kbps must be a number above 0, got {kbps!r}")
    with CelReader(source) as reader:
        reader.check_payload()
        _refuse_copies(reader, kbps, channels)
        m = reader.meta
        if channels is None:
            channels = m.latent_dim if kbps is None else base_channels(reader.tables, kbps, m.channels)
        kept = min(m.latent_dim, channels)
        about = {name: getattr(m, name) for name in META}
        if kbps is not None:
            about["tags"] = limited_tags(m.tags, reader.seconds, kbps, Path(target))
        file = SongFile(Path(target), about, bool(m.mid_side), m.n_samples, progress or ignore_progress)

        def numbers(step: int) -> Iterator[list[Numbers]]:
            for i in range(len(reader)):
                yield [coarser(n, step, kept, reader.tables) for n in reader.numbers(i)]

        step = 0  # finer than any: every window keeps its own
        if kbps is not None:
            step = _first_step(reader, file, kept, kbps)
        return file.write(numbers, kept, kbps, step, reader.tables)


def _refuse_copies(reader: CelReader, kbps: float | None, channels: int | None) -> None:
    """Refuse what would give the same file again.

    Raises:
        LatentError: the file is not coded.
        UsageError: it has no more than is asked for.
    """
    if reader.encoding != CODED:
        reader.numbers(0)  # says how to get a coded file
    if kbps is not None and kbps >= reader.kbps:
        raise UsageError(
            f"{reader.name}: has {reader.kbps:.2f} kbit/s, less than the {kbps:g} asked for; encode the audio again"
        )
    there = reader.meta.latent_dim
    if kbps is None and channels is not None and channels >= there:
        raise UsageError(f"{reader.name}: has {there} base channels, so keeping {channels} would only copy it")


def _first_step(reader: CelReader, file: SongFile, channels: int, kbps: float) -> int:
    """Find the step at which windows spread over the file have nearly the bitrate."""
    every = max(1, len(reader) // SAMPLED_WINDOWS)
    some = [n for i in range(0, len(reader), every) for n in reader.numbers(i)]

    def smaller(n: Numbers, step: int) -> Numbers:
        return coarser(n, step, channels, reader.tables)

    windows = len(some) // reader.meta.channels
    return file.estimate([partial(smaller, n) for n in some], windows, kbps, min(n.step for n in some), reader.tables)
