"""The page of a variation: players, and what the change of the latent did to loudness, brightness and onsets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta._files import printable
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.dsp import metrics
from celesta.errors import UsageError
from celesta.evaluation.reconstruction import Reconstruction
from celesta.latents import Progress, is_cel
from celesta.report.index import SongPage, index_page
from celesta.report.page import Link, Page, relative_url
from celesta.report.player import Track, clock
from celesta.variations import Step, apply, open_song, transform_file

SHOWN = 30.0
"""Seconds of a song that a page plays."""
WRITING = "writing the page"
"""What goes on when the audio of a song is written."""
HEAD = ("version", "loudness LUFS", "brightness Hz", "onsets/s", "SI-SDR dB to unchanged", "mel distance to unchanged")
INDEX_HEAD = ("model", *HEAD[1:])
REPORTED = (Step("gain", 1.5), Step("gain", 0.5), Step("noise", 0.1, 7), Step("smooth", 5))
"""The four variations of the 2024 report, section 7."""


_CHANNELS = {1: "mono", 2: "stereo"}


@dataclass(frozen=True)
class Effect:
    """Loudness, brightness and onsets of audio, and its distance from the plain reconstruction."""

    loudness: float
    brightness: float
    onset_rate: float
    si_sdr: float
    mel: float

    def row(self, name: str) -> list[str]:
        """Return the cells of a table."""
        return [
            name,
            f"{self.loudness:.1f}",
            f"{self.brightness:,.0f}",
            f"{self.onset_rate:.2f}",
            "–" if self.si_sdr >= metrics.LIMIT_DB else f"{self.si_sdr:.1f}",
            f"{self.mel:.2f}",
        ]


def measure(varied: Audio, plain: Audio) -> Effect:
    """Measure audio, and its distance from the plain reconstruction."""
    x, rate = varied.samples, varied.sample_rate
    return Effect(
        metrics.loudness(x, rate),
        metrics.spectral_centroid(x, rate),
        metrics.onset_rate(x, rate),
        metrics.si_sdr(plain.samples, x),
        metrics.mel_distance(plain.samples, x, rate),
    )


def add_variations(
    page: Page,
    codec: Codec,
    made: Reconstruction,
    chains: Sequence[Sequence[Step]],
    *,
    label: str = "Player: variations",
    compact: bool = False,
) -> list[Audio]:
    """Add a player and a table of effects for each chain of steps to a page; return the varied audio."""
    plain = measure(made.x_hat, made.x_hat)
    rows = [measure(made.x, made.x_hat).row("original"), plain.row("unchanged")]
    tracks = [Track("original", made.x), Track("unchanged", made.x_hat)]
    remarks: list[str] = []
    varied: list[Audio] = []
    for chain in chains:
        name = ", ".join(map(str, chain))
        changed = codec.decode(apply(made.latent, chain))
        effect = measure(changed, made.x_hat)
        varied.append(changed)
        tracks.append(Track(name, changed))
        rows.append(effect.row(name))
        remarks += [remark(step, plain, effect) for step in chain if len(chain) == 1]
    page.player(tracks, label, compact=compact)
    page.table(HEAD, rows, label=f"{label}: what each changed")
    for text in filter(None, remarks):
        page.note(text)
    return varied


def remark(step: Step, plain: Effect, effect: Effect) -> str:
    """Compare what a gain on the latent did with what the same gain on the audio does; "" for other steps."""
    factor = step.settings.get("factor", 1.0)
    if step.name != "gain" or factor <= 0 or factor == 1:
        return ""
    wanted, got = 20 * log10(factor), effect.loudness - plain.loudness
    brighter = effect.brightness - plain.brightness
    return (
        f"A gain of {factor:g} on the audio would change the loudness by {wanted:+.1f} dB and nothing else."
        f" On the latent it changed loudness by {got:+.1f} dB and brightness by {brighter:+,.0f} Hz; SI-SDR to the"
        f" unchanged reconstruction is {effect.si_sdr:.1f} dB."
    )


def variation_page(codec: Codec, file: Path, target: Path, steps: Sequence[Step], **options: Any) -> Path:
    """Do what :func:`vary_song` does and return the page's path."""
    return vary_song(codec, file, target, steps, **options).page


def vary_song(
    codec: Codec,
    file: Path,
    target: Path,
    steps: Sequence[Step],
    *,
    force: bool = False,
    start: float | None = None,
    stop: float | None = None,
    progress: Progress | None = None,
    doing: Callable[[str], None] | None = None,
) -> SongPage:
    """Change the latent of a song; write the audio and a page that compares it with the original.

    The audio has the source's sample rate, channels and length and lies next to the page, as FLAC of the same name.
    The whole song is decoded in flat memory; the page plays and measures its first seconds.

    Args:
        codec: with which to encode and decode.
        file: audio file, or .cel file of the codec.
        target: the page.
        steps: variations, one after the other.
        force: overwrite existing files.
        start: seconds of the song at which the audio begins.
        stop: seconds at which it ends.
        progress: called with the seconds of audio done and in all.
        doing: called with what goes on when the audio is written.

    Returns:
        The page, its audio, and what changed, in the columns :data:`INDEX_HEAD`.

    Raises:
        UsageError: the files exist and ``force`` is not set, or the seconds are out of range.
        AudioError, LatentError: the source cannot be read, or is a latent of another model.
    """
    flac = target.with_suffix(".flac")
    for path in (target, flac):
        if path.exists() and not force:
            raise UsageError(f"{printable(path)}: exists already; overwrite it with --force")
    target.parent.mkdir(parents=True, exist_ok=True)
    transform_file(codec, file, flac, steps, start=start, stop=stop, progress=progress)
    if doing is not None:
        doing(WRITING)
    page, row = _described(codec, file, audio.read(flac, duration=SHOWN), steps, start or 0.0)
    page.files([audio_link(flac, target)])
    written = page.write(target, f"Made with the model {codec.name}.")
    return SongPage(file, written, flac, row)


def variation_index(songs: Sequence[SongPage], steps: Sequence[Step], target: Path) -> Path:
    """Write a page that lists varied songs with what changed and links to their pages; return its path."""
    name = ", ".join(map(str, steps))
    lead = "Each song's page plays original, unchanged reconstruction and variation. The measures are the variation's."
    return index_page(f"{len(songs)} songs: {name}", lead, INDEX_HEAD, songs, target)


def _described(codec: Codec, file: Path, varied: Audio, steps: Sequence[Step], begin: float) -> tuple[Page, list[str]]:
    """Compare the beginning of the varied audio with the same stretch of the original and of the reconstruction."""
    name = ", ".join(map(str, steps))
    seconds = varied.samples.shape[1] / varied.sample_rate
    with open_song(codec, file) as song:
        whole = seconds >= song.seconds - 0.001
        begin = min(begin, max(0.0, song.seconds - seconds))  # a chain may change the duration
        wanted, blocks = song.decode((), begin, min(begin + seconds, song.seconds))
        unchanged = Audio(np.concatenate(list(blocks), axis=1), wanted.sample_rate)
    n = min(varied.samples.shape[1], unchanged.samples.shape[1])
    unchanged, compared = (Audio(x.samples[:, :n], x.sample_rate) for x in (unchanged, varied))
    plain, effect = measure(unchanged, unchanged), measure(compared, unchanged)
    tracks, rows = [], []
    if not is_cel(file):
        original = audio.read(file, start=begin, duration=n / varied.sample_rate)
        original = Audio(original.samples[:, :n], original.sample_rate)
        tracks.append(Track("original", original))
        rows.append(measure(original, unchanged).row("original"))
    tracks += [Track(f"{codec.name}, unchanged", unchanged), Track(name, varied)]
    rows += [plain.row(f"{codec.name}, unchanged"), effect.row(name)]
    shown = "the whole song" if whole else f"{clock(begin)} to {clock(begin + seconds)} of the song"
    page = Page(
        f"{file.name}: {name}",
        f"The latent of {codec.name}, changed and decoded, next to the same latent unchanged. Played here: {shown}.",
    )
    page.player(tracks, f"Player: {file.name}")
    page.table(HEAD, rows, label="What the variation changed")
    for text in filter(None, (remark(step, plain, effect) for step in steps if len(steps) == 1)):
        page.note(text)
    return page, effect.row(codec.name)


def audio_link(file: Path, page: Path) -> Link:
    """Link to an audio file from a page next to it, with its length and format."""
    info = audio.info(file)
    size = f"{file.stat().st_size / 1e6:.1f} MB"
    channels = _CHANNELS.get(info.channels, f"{info.channels} channels")
    return Link(
        file.name,
        relative_url(file, page),
        f"{clock(info.duration)}, {info.sample_rate / 1000:g} kHz, {channels}, {size}",
    )


def output_name(file: Path, codec: Codec, steps: Sequence[Step] = ()) -> str:
    """Name an output by its source, the model and the steps, without a suffix.

    Example:
        >>> import celesta
        >>> output_name(Path("song.mp3"), celesta.load("linear-64"), [Step("noise", 0.1, 7)])
        'song.mp3.linear-64.noise-0.1-seed-7'
        >>> output_name(Path("song.mp3"), celesta.load("linear-64"), [Step("gain", -0.5)])
        'song.mp3.linear-64.gain-minus-0.5'
    """
    named = (re.sub(r" -(?=\d)", " minus ", str(step)) for step in steps)
    chain = "-".join(re.sub(r"[^\w.+-]+", "-", name).strip("-") for name in named)
    return ".".join([file.name, Path(codec.name).name, *[chain[:80]] * bool(chain)])
