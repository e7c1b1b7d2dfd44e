"""Pages of songs through one model: players, scores, links to the audio, and an index of many songs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from celesta import audio
from celesta._files import printable
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.dsp import metrics
from celesta.errors import UsageError
from celesta.latents import Progress
from celesta.report.page import Link, Page, relative_url
from celesta.report.player import Track, clock
from celesta.report.variation import SHOWN, audio_link
from celesta.variations import transform_file

HEAD = ("model", "size", "numbers per sample", "MSE", "SI-SDR dB", "mel distance")


@dataclass(frozen=True)
class ReconstructedSong:
    """A song that went through a model.

    Attributes:
        source: the song.
        page: its page.
        flac: the decoded song.
        row: cells of the table with the columns :data:`HEAD`.
    """

    source: Path
    page: Path
    flac: Path
    row: list[str]


def reconstruct_page(codec: Codec, file: Path, target: Path, *, force: bool = False) -> Path:
    """Do what :func:`reconstruct_song` does and return the page's path."""
    return reconstruct_song(codec, file, target, force=force).page


def reconstruct_song(
    codec: Codec, file: Path, target: Path, *, force: bool = False, progress: Progress | None = None
) -> ReconstructedSong:
    """Encode and decode a song; write the audio and a page that compares it with the original.

    The audio has the source's sample rate, channels and length and lies next to the page, as FLAC of the same name. A
    model that codes to a bitrate is used through a file of its default quality. The page plays and scores the song's
    first seconds, all channels at the song's sample rate.

    Args:
        codec: the model.
        file: audio file.
        target: the page.
        force: overwrite existing files.
        progress: called with the seconds of audio done and in all.

    Raises:
        UsageError: the files exist and ``force`` is not set.
        AudioError: the file cannot be read.
    """
    flac, cel = target.with_suffix(".flac"), target.with_suffix(".cel")
    coded = codec.network.codes_to_bitrate
    for path in (target, flac, *[cel] * coded):
        if path.exists() and not force:
            raise UsageError(f"{printable(path)}: exists already; overwrite it with --force")
    target.parent.mkdir(parents=True, exist_ok=True)
    if coded:
        codec.encode_file(file, cel, progress=progress)
        codec.decode_file(cel, flac)
    else:
        transform_file(codec, file, flac, (), progress=progress)
    original, decoded = audio.read(file, duration=SHOWN), audio.read(flac, duration=SHOWN)
    whole = audio.info(flac).duration
    shown = "the whole song" if whole <= SHOWN else f"the first {SHOWN:.0f} s of {clock(whole)}"
    size = f"{cel.stat().st_size * 8 / whole / 1000:.1f} kbit/s" if coded else ""
    row = _row(codec, original, decoded, size)
    page = Page(f"{file.name} through {codec.name}", f"Played and scored here: {shown}.")
    page.player([Track("original", original), Track(codec.name, decoded, row[1])], f"Player: {file.name}")
    page.table(HEAD, [row], label="Scores")
    if not coded and _ratio(codec) > 1:
        page.note(
            f"Not a compression: the latent has {_ratio(codec):.3g} times as many numbers as the audio has samples."
        )
    latent = [Link(cel.name, relative_url(cel, target), f"the latent, {size}")] if coded else []
    page.files([audio_link(flac, target), *latent])
    return ReconstructedSong(file, page.write(target, f"Made with the model {codec.name}."), flac, row)


def reconstruct_index(songs: Sequence[ReconstructedSong], target: Path) -> Path:
    """Write a page that lists songs with their scores and links to their pages; return its path."""
    page = Page(f"{len(songs)} songs through {songs[0].row[0]}", "Each song's page has a player.")
    rows: list[list[str | Link]] = []
    for song in songs:
        folder = Path(os.path.relpath(song.page.parent, target.parent))
        links = [
            Link(str(folder / song.source.name), relative_url(song.page, target)),
            Link("FLAC", relative_url(song.flac, target)),
        ]
        rows.append([*links, *song.row])
    page.table(["song", "audio", *HEAD], rows, label="Songs")
    return page.write(target)


def _row(codec: Codec, original: Audio, decoded: Audio, size: str) -> list[str]:
    """Score what is played, all channels at the song's sample rate."""
    n = min(original.samples.shape[1], decoded.samples.shape[1])
    found = metrics.scores(original.samples[:, :n], decoded.samples[:, :n], original.sample_rate)
    ratio = "" if size else f"{_ratio(codec):.3g}"
    size = size or f"{codec.model.floats_per_second:,.0f} floats/s per channel"
    return [codec.name, size, ratio, f"{found.mse:.5f}", f"{found.si_sdr:.2f}", f"{found.mel:.3f}"]


def _ratio(codec: Codec) -> float:
    """Return the numbers of the latent per sample of audio at the model's rate."""
    return codec.model.floats_per_second / codec.model.sample_rate
