"""Any song through one model (the report's section 6): figures, sounds, figures of merit."""

from __future__ import annotations

from pathlib import Path

from celesta import audio
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.evaluation.reconstruction import reconstruct
from celesta.report.page import Page
from celesta.report.player import Track
from celesta.report.tables import SCORE_HEAD, score_row, size_notes

SHOWN = 30.0


def reconstruct_page(codec: Codec, file: Path, out: Path, *, stem: str | None = None) -> Path:
    """Write ``STEM.html`` and ``STEM.flac`` into ``out`` (by default ``NAME.MODEL``); return the page's path.

    The FLAC holds the whole song at its own rate and channels; the page shows and plays its first 30 s.

    Raises:
        AudioError: the file cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    stem = stem or f"{file.stem}.{Path(codec.name).name}"
    sound = audio.read(file)
    audio.write(out / f"{stem}.flac", codec.decode(codec.encode(sound)))
    n = round(SHOWN * sound.sample_rate)
    made = reconstruct(codec, Audio(sound.samples[:, :n], sound.sample_rate), file.stem)
    page = Page(f"{file.name} through {codec.name}", f"Mono at {codec.model.sample_rate} Hz, the first {SHOWN:.0f} s.")
    page.player([Track("original", made.x), Track(codec.name, made.x_hat)], f"Player: {file.name}")
    page.table(SCORE_HEAD, [score_row(made.scores)])
    for text in size_notes([made.scores]):
        page.note(text)
    return page.write(out / f"{stem}.html", f"The whole song at its own rate and channels: {stem}.flac")
