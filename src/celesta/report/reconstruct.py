"""Pages of songs through one model: players, scores, links to the audio, and an index of many songs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from celesta import audio
from celesta._files import printable
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.dsp import metrics
from celesta.errors import UsageError
from celesta.latents import Progress
from celesta.models import registry
from celesta.report.index import SongPage, index_page
from celesta.report.page import Link, Page, relative_url
from celesta.report.player import Track, clock
from celesta.report.terms import meaning
from celesta.report.variation import SHOWN, WRITING, audio_link
from celesta.variations import transform_file

HEAD = ("model", "size", "of the source", "MSE", "SI-SDR dB", "mel distance")
_PCM_BITS = 16
_ENCODING = 0.7
"""Share of the time that coding to a bitrate takes, the rest is for decoding; about, for the progress."""


def reconstruct_page(codec: Codec, file: Path, target: Path, *, force: bool = False) -> Path:
    """Do what :func:`reconstruct_song` does and return the page's path."""
    return reconstruct_song(codec, file, target, force=force).page


def reconstruct_song(
    codec: Codec,
    file: Path,
    target: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
    doing: Callable[[str], None] | None = None,
) -> SongPage:
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
        doing: called with what goes on when the audio is written.

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
        codec.encode_file(file, cel, progress=_part(progress, 0.0, _ENCODING))
        codec.decode_file(cel, flac, progress=_part(progress, _ENCODING, 1.0))
    else:
        transform_file(codec, file, flac, (), progress=progress)
    if doing is not None:
        doing(WRITING)
    original, decoded = audio.read(file, duration=SHOWN), audio.read(flac, duration=SHOWN)
    whole = audio.info(flac).duration
    shown = "the whole song" if whole <= SHOWN else f"the first {SHOWN:.0f} s of {clock(whole)}"
    kbps = cel.stat().st_size * 8 / whole / 1000 if coded else 0.0
    row = _row(codec, original, decoded, kbps)
    page = Page(file.name, f"Encoded and decoded with {_described(codec)}. Played and scored here: {shown}.")
    page.player([Track("original", original), Track(codec.name, decoded, row[1])], f"Player: {file.name}")
    amount, unit = row[1].split(" ", 1)
    page.facts(
        [
            (f"{amount} {unit.split()[0]}", f"size {unit.partition(' ')[2]}: {row[2]}".replace(" :", ":")),
            *((cell, f"{name}. {meaning(name)}") for name, cell in _measured(row)),
        ]
    )
    if not coded and _ratio(codec) > 1:
        page.note(
            f"Not a compression: the latent has {_ratio(codec):.3g} times as many numbers as the audio has samples."
        )
    latent = [Link(cel.name, relative_url(cel, target), f"the latent, {row[1]}")] if coded else []
    page.files([audio_link(flac, target), *latent])
    return SongPage(file, page.write(target, f"Made with the model {codec.name}."), flac, row)


def _part(progress: Progress | None, begin: float, end: float) -> Progress | None:
    """Return the progress of a part of the work, from one share of the whole to another."""
    if progress is None:
        return None
    return lambda done, total: progress(begin * (total or 0) + (end - begin) * done, total)


def reconstruct_index(songs: Sequence[SongPage], target: Path) -> Path:
    """Write a page that lists songs with their scores and links to their pages; return its path."""
    lead = "Each song's page plays original and reconstruction."
    return index_page(f"{len(songs)} songs through {songs[0].row[0]}", lead, HEAD, songs, target)


def _described(codec: Codec) -> str:
    """Name a model, with its description where it is one of the table."""
    entry = next((one for one in registry.shipped() if one.name == codec.name), None)
    return f"{codec.name} ({entry.description})" if entry else codec.name


def _measured(row: Sequence[str]) -> list[tuple[str, str]]:
    return [(HEAD[i], row[i]) for i in (4, 5, 3)]


def _row(codec: Codec, original: Audio, decoded: Audio, kbps: float) -> list[str]:
    """Score what is played, all channels at the song's sample rate; ``kbps`` is 0 for a latent that is not coded."""
    n = min(original.samples.shape[1], decoded.samples.shape[1])
    found = metrics.scores(original.samples[:, :n], decoded.samples[:, :n], original.sample_rate)
    if kbps:
        pcm = _PCM_BITS * original.sample_rate * len(original.samples) / 1000
        size, share = f"{kbps:.1f} kbit/s", f"1/{pcm / kbps:.0f} of {_PCM_BITS}-bit PCM"
    else:
        size = f"{codec.model.floats_per_second:,.0f} floats/s per channel"
        share = f"{_ratio(codec):.3g} numbers a sample"
    return [codec.name, size, share, f"{found.mse:.5f}", f"{found.si_sdr:.2f}", f"{found.mel:.3f}"]


def _ratio(codec: Codec) -> float:
    """Return the numbers of the latent per sample of audio at the model's rate."""
    return codec.model.floats_per_second / codec.model.sample_rate
