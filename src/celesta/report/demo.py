"""The demonstration page: the music that ships with Celesta through every model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from celesta import audio, codec
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.errors import ModelError
from celesta.evaluation.comparison import CLIPS
from celesta.evaluation.reconstruction import Reconstruction, Scores, reconstruct
from celesta.models import registry
from celesta.report.page import Page
from celesta.report.player import Track
from celesta.report.tables import SCORE_HEAD, mean_rows, score_row, size_notes
from celesta.report.variation import REPORTED, add_variations

VARIED = "cel-silu"
PLAYED = 9.0
"""Seconds of each clip that the page plays; the scores are of the whole clip. Keeps the page below 6 MB."""
_VARIED_SECONDS = 4.0


@dataclass(frozen=True)
class DemoResult:
    """Path of the page, and the scores of every model on every clip."""

    page: Path
    rows: list[Scores]


def build_demo(
    out: Path,
    models: Sequence[str] | None = None,
    *,
    clips: Sequence[Path] | None = None,
    seconds: float | None = None,
    progress: Callable[[str, int, int], None] = lambda text, done, total: None,
) -> DemoResult:
    """Encode and decode clips with several models and write ``out/index.html``.

    Args:
        out: folder for the page.
        models: names, else all that ship; a model without installed weights is named on the page and left out.
        clips: audio files, else the five that ship.
        seconds: use only the beginning of each clip.
        progress: called with (what, steps done, steps in all).

    Raises:
        ModelError: no model could be loaded.
        AudioError: a clip cannot be read.
    """
    codecs, absent = _load(models or [entry.name for entry in registry.shipped()])
    files = list(clips or sorted(CLIPS.glob("*.ogg")))
    total = len(files) * (len(codecs) + 1)
    made: list[tuple[Path, Audio, list[Reconstruction]]] = []
    for file in files:
        clip = audio.read(file, duration=seconds)
        done: list[Reconstruction] = []
        for one in codecs:
            progress(f"{file.stem}: {one.name}", len(made) * (len(codecs) + 1) + len(done), total)
            done.append(reconstruct(one, clip, file.stem))
        made.append((file, clip, done))
    rows = [r.scores for _, _, found in made for r in found]
    page = Page(
        "Celesta: music to latent vectors and back",
        "Five pieces of real music through every model that ships. Play one and switch between the versions."
        if len(files) == 5
        else "Real music through the models. Play a piece and switch between the versions.",
    )
    for number, (file, clip, found) in enumerate(made):
        progress(f"{file.stem}: page", number * (len(codecs) + 1) + len(codecs), total)
        _add_clip(page, file, clip, found, codecs)
    page.section("All clips")
    page.text("Means over the clips, mono at 44.1 kHz. A click on a column's head sorts the table.")
    page.table(SCORE_HEAD, mean_rows(rows), label="Mean scores of every model")
    for text in (*size_notes(rows), *absent):
        page.note(text)
    progress("done", total, total)
    credits = (CLIPS / "ATTRIBUTION.md").read_text(encoding="utf-8").split("\n\n")[1] if clips is None else ""
    return DemoResult(page.write(out / "index.html", credits), rows)


def _add_clip(page: Page, file: Path, clip: Audio, found: Sequence[Reconstruction], codecs: Sequence[Codec]) -> None:
    page.section(file.stem)
    mono = Audio(clip.samples.mean(axis=0, keepdims=True), clip.sample_rate)
    versions = [Track(r.scores.model, _first(r.x_hat, PLAYED), _note(r.scores)) for r in found]
    page.player(
        [Track("original", _first(mono, PLAYED)), *versions], f"Player: {file.stem} through every model", compact=True
    )
    page.table(SCORE_HEAD, [score_row(r.scores) for r in found], label=f"Scores on {file.stem}")
    names = [one.name for one in codecs]
    which = names.index(VARIED) if VARIED in names else 0
    if codecs[which].model.latent_dim:
        page.heading(f"Four variations on the latent of {names[which]}")
        shorter = reconstruct(codecs[which], _first(clip, _VARIED_SECONDS), file.stem)
        add_variations(
            page,
            codecs[which],
            shorter,
            [[step] for step in REPORTED],
            label=f"Player: variations of {file.stem}",
            compact=True,
        )


def _note(scores: Scores) -> str:
    size = f"{scores.floats_per_second / 1000:,.0f}k floats/s" if scores.kbps is None else f"{scores.kbps:.0f} kbit/s"
    return f"{size} · SI-SDR {scores.si_sdr:.1f} dB"


def _first(x: Audio, seconds: float) -> Audio:
    return Audio(x.samples[:, : round(seconds * x.sample_rate)], x.sample_rate)


def _load(models: Sequence[str]) -> tuple[list[Codec], list[str]]:
    codecs, absent = [], []
    for name in models:
        try:
            codecs.append(codec.load(name))
        except ModelError as error:
            absent.append(str(error))
    if not codecs:
        raise ModelError(absent[0] if absent else "demo: no model was named")
    return codecs, absent
