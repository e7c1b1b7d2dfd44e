"""Pages of songs through one model: players, scores, links to the audio, and an index of many songs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from celesta import audio
from celesta._files import printable
from celesta.codec import Codec
from celesta.errors import UsageError
from celesta.evaluation.reconstruction import Scores, reconstruct
from celesta.latents import Progress
from celesta.report.page import Link, Page, relative_url
from celesta.report.player import Track, clock
from celesta.report.tables import SCORE_HEAD, score_row, size_notes
from celesta.report.variation import SHOWN, audio_link
from celesta.variations import transform_file


@dataclass(frozen=True)
class ReconstructedSong:
    """A song that went through a model.

    Attributes:
        source: the song.
        page: its page.
        flac: the decoded song.
        scores: of the part that the page plays, mono.
    """

    source: Path
    page: Path
    flac: Path
    scores: Scores


def reconstruct_page(codec: Codec, file: Path, target: Path, *, force: bool = False) -> Path:
    """Do what :func:`reconstruct_song` does and return the page's path."""
    return reconstruct_song(codec, file, target, force=force).page


def reconstruct_song(
    codec: Codec, file: Path, target: Path, *, force: bool = False, progress: Progress | None = None
) -> ReconstructedSong:
    """Encode and decode a song; write the audio and a page that compares it with the original.

    The audio has the source's sample rate, channels and length and lies next to the page, as FLAC of the same name. A
    model that codes to a bitrate is used through a file of its default quality. The page plays and scores the song's
    first seconds.

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
    made = reconstruct(codec, original, file.stem)
    whole = audio.info(flac).duration
    shown = "the whole song" if whole <= SHOWN else f"the first {SHOWN:.0f} s of {clock(whole)}"
    page = Page(f"{file.name} through {codec.name}", f"Played and scored here: {shown}.")
    size = f"{cel.stat().st_size * 8 / whole / 1000:.1f} kbit/s" if coded else ""
    page.player([Track("original", original), Track(codec.name, decoded, size)], f"Player: {file.name}")
    page.table(SCORE_HEAD, [score_row(made.scores)], label="Scores")
    page.text(f"Scores: mono at {made.x.sample_rate} Hz.")
    for text in size_notes([made.scores]):
        page.note(text)
    latent = [Link(cel.name, relative_url(cel, target), f"the latent, {size}")] if coded else []
    page.files([audio_link(flac, target), *latent])
    return ReconstructedSong(file, page.write(target, f"Made with the model {codec.name}."), flac, made.scores)


def reconstruct_index(songs: Sequence[ReconstructedSong], target: Path) -> Path:
    """Write a page that lists songs with their scores and links to their pages; return its path."""
    model = ", ".join(dict.fromkeys(song.scores.model for song in songs))
    page = Page(f"{len(songs)} songs through {model}", "Each song's page has a player and the scores in full.")
    rows: list[list[str | Link]] = []
    for song in songs:
        s = song.scores
        links = [Link(song.source.name, relative_url(song.page, target)), Link("FLAC", relative_url(song.flac, target))]
        size = f"{s.floats_per_second:,.0f}" if s.kbps is None else ""
        coded = "" if s.kbps is None else f"{s.kbps:.1f}"
        rows.append([*links, s.model, size, coded, f"{s.si_sdr:.2f}", f"{s.mel:.3f}"])
    page.table(["song", "audio", "model", "floats/s", "kbit/s", "SI-SDR dB", "mel distance"], rows, label="Songs")
    return page.write(target)
