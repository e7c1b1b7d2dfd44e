"""The demonstration page: the music that ships with Celesta through every model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from celesta import audio, codec
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.errors import ModelError
from celesta.evaluation.comparison import CLIPS
from celesta.evaluation.reconstruction import Reconstruction, Scores, reconstruct
from celesta.evaluation.schedule import Progress, Schedule
from celesta.models import registry
from celesta.report.page import Page
from celesta.report.player import Track
from celesta.report.tables import CD_KBPS, SCORE_HEAD, mean_rows, note, score_row, size_notes
from celesta.report.variation import REPORTED, add_variations

VARIED = "cel-silu"
PLAYED = 9.0
"""Seconds of each clip that the page plays; the scores are of the whole clip. Keeps the page below 6 MB."""
VARIED_SECONDS = 4.0
_COUNTS = {1: "One piece", 2: "Two pieces", 3: "Three pieces", 4: "Four pieces", 5: "Five pieces"}


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
    progress: Progress = lambda text, done, total: None,
) -> DemoResult:
    """Encode and decode clips with several models and write ``out/index.html``.

    Args:
        out: folder for the page.
        models: names, else all that ship; a model without installed weights is named on the page and left out.
        clips: audio files, else the five that ship.
        seconds: use only the beginning of each clip.
        progress: called with what is being done, the share that is done (0 to 1), and 1.

    Raises:
        ModelError: no model could be loaded.
        AudioError: a clip cannot be read.
    """
    codecs, absent = _load(models or [entry.name for entry in registry.shipped()])
    files = list(clips or sorted(CLIPS.glob("*.ogg")))
    kinds = [*(one.name for _ in files for one in codecs), *("page" for _ in files)]
    schedule = Schedule(((kind, 1.0) for kind in kinds), progress)
    made: list[tuple[Path, Audio, list[Reconstruction]]] = []
    for file in files:
        clip = audio.read(file, duration=seconds)
        done: list[Reconstruction] = []
        for one in codecs:
            schedule.begin(f"{file.stem}: {one.name}")
            done.append(reconstruct(one, clip, file.stem))
        made.append((file, clip, done))
    rows = [r.scores for _, _, found in made for r in found]
    page = Page(
        "Music to latent vectors and back",
        f"{_COUNTS.get(len(files), f'{len(files)} pieces')} of real music, encoded and decoded by every model."
        " Press play and switch between the versions: they stay in step.",
    )
    _add_overview(page, rows, len(codecs), absent)
    for number, (file, clip, found) in enumerate(made):
        schedule.begin(f"{file.stem}: page")
        _add_clip(page, file, clip, found, codecs, first=number == 0)
    schedule.finish()
    credits = (CLIPS / "ATTRIBUTION.md").read_text(encoding="utf-8").split("\n\n")[1] if clips is None else ""
    return DemoResult(page.write(out / "index.html", _plain(credits)), rows)


def _add_overview(page: Page, rows: Sequence[Scores], models: int, absent: Sequence[str]) -> None:
    """Say what the models are and how they score on all clips."""
    page.section("Overview")
    first = {s.model: s for s in rows}
    clips = len({s.clip for s in rows})
    facts = [(f"{models} {'model' if models == 1 else 'models'}", f"on {clips} {'clip' if clips == 1 else 'clips'}")]
    for s in first.values():
        if s.kbps is not None:
            found = [one.kbps for one in rows if one.model == s.model and one.kbps is not None]
            kbps = sum(found) / len(found)
            facts.append((f"{kbps:.0f} kbit/s", f"{s.model}, the codec: 1/{CD_KBPS / kbps:.0f} of a CD channel"))
    larger = sorted(s.ratio for s in first.values() if s.kbps is None and s.ratio > 1)
    if larger:
        span = f"{larger[0]:.2g}" if larger[0] == larger[-1] else f"{larger[0]:.2g} to {larger[-1]:.2g}"
        facts.append((f"\u00d7 {span}", "numbers in the latents of the 2024 report's models for each sample of audio"))
    page.facts(facts)
    page.text("Means over the clips, mono at 44.1 kHz. Press a column's head to sort.")
    page.table(SCORE_HEAD, mean_rows(rows), label="Mean scores of every model")
    page.note(" ".join(size_notes(rows)))
    for text in absent:
        page.note(text)
    described = {entry.name: entry for entry in registry.shipped()}
    known = [described[name] for name in first if name in described]
    if known:
        page.begin_details("What the models are")
        page.table(["model", "role", "description"], [[e.name, str(e.role), e.description] for e in known], "Models")
        page.end_details()


def _add_clip(
    page: Page, file: Path, clip: Audio, found: Sequence[Reconstruction], codecs: Sequence[Codec], *, first: bool
) -> None:
    page.section(file.stem)
    mono = Audio(clip.samples.mean(axis=0, keepdims=True), clip.sample_rate)
    versions = [Track(r.scores.model, _first(r.x_hat, PLAYED), note(r.scores)) for r in found]
    page.player(
        [Track("original", _first(mono, PLAYED)), *versions], f"Player: {file.stem} through every model", compact=True
    )
    page.begin_details(f"Scores on {file.stem}")
    page.table(SCORE_HEAD, [score_row(r.scores) for r in found], label=f"Scores on {file.stem}")
    page.end_details()
    names = [one.name for one in codecs]
    which = names.index(VARIED) if VARIED in names else 0
    if codecs[which].model.latent_dim:
        page.begin_details(f"Four variations: the latent of {names[which]}, changed and decoded", opened=first)
        shorter = reconstruct(codecs[which], _first(clip, VARIED_SECONDS), file.stem)
        add_variations(
            page,
            codecs[which],
            shorter,
            [[step] for step in REPORTED],
            label=f"Player: variations of {file.stem}",
            compact=True,
        )
        page.end_details()


def _plain(markdown: str) -> str:
    """Remove bold and links from a paragraph of Markdown."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown).replace("**", "").replace("`", "")


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
