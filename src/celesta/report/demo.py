"""``celesta demo``: the music that ships with the product through every model, on one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from celesta import audio, codec
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.errors import ModelError
from celesta.evaluation.reconstruction import Reconstruction, Scores, reconstruct
from celesta.models import registry
from celesta.report.page import Page
from celesta.report.reconstruct import add_reconstruction
from celesta.report.tables import NO_COMPRESSION, SCORE_HEAD, mean_rows, score_row
from celesta.report.variation import REPORTED, add_variations

CLIPS = Path(__file__).parent.parent / "clips"
VARIED = "cel-silu"


@dataclass(frozen=True)
class DemoResult:
    """Where the page is, and every model's scores on every clip."""

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
    """Encode and decode the clips with the models; write ``out/index.html``.

    Args:
        out: folder for the page.
        models: names, else all that ship; one without installed weights is named on the page and left out.
        clips: sound files, else the five that ship.
        seconds: only so much of each.
        progress: told (what, done, of how many).

    Raises:
        ModelError: no model could be loaded.
        AudioError: a clip cannot be read.
    """
    codecs, absent = _load(models or [entry.name for entry in registry.shipped()])
    files = list(clips or sorted(CLIPS.glob("*.ogg")))
    page = Page(
        "Celesta: sound to latent to sound", "Real music through every model that ships: look, listen, compare."
    )
    made: list[tuple[Path, list[Reconstruction]]] = []
    total = len(files) * (len(codecs) + 1)
    for file in files:
        sound = audio.read(file, duration=seconds)
        done: list[Reconstruction] = []
        for one in codecs:
            progress(f"{file.stem}: {one.name}", len(made) * (len(codecs) + 1) + len(done), total)
            done.append(reconstruct(one, sound, file.stem))
        made.append((file, done))
    rows = [r.scores for _, found in made for r in found]
    page.section("All clips")
    page.table(SCORE_HEAD, mean_rows(rows))
    page.note(NO_COMPRESSION)
    for error in absent:
        page.note(error)
    page.text("Means over the clips, mono at the model's rate; click a head to sort. " + _clips_text(files))
    for number, (file, found) in enumerate(made):
        progress(f"{file.stem}: page", number * (len(codecs) + 1) + len(codecs), total)
        _add_clip(page, file, found, codecs)
    progress("done", total, total)
    path = page.write(out / "index.html", (CLIPS / "ATTRIBUTION.md").read_text(encoding="utf-8").split("\n\n")[1])
    return DemoResult(path, rows)


def _add_clip(page: Page, file: Path, found: Sequence[Reconstruction], codecs: Sequence[Codec]) -> None:
    page.section(file.stem)
    page.table(SCORE_HEAD, [score_row(r.scores) for r in found])
    for number, r in enumerate(found):
        page.begin_card()
        page.heading(f"{r.scores.model}: SI-SDR {r.scores.si_sdr:.1f} dB, mel distance {r.scores.mel:.2f}")
        add_reconstruction(page, r, original_too=number == 0)
        page.end_card()
    names = [one.name for one in codecs]
    which = names.index(VARIED) if VARIED in names else 0
    if codecs[which].model.latent_dim:
        page.begin_card()
        page.heading(f"Four variations on the latent of {names[which]}")
        add_variations(page, codecs[which], _shorten(codecs[which], found[which]), [[step] for step in REPORTED])
        page.end_card()


def _shorten(one: Codec, made: Reconstruction, seconds: float = 5) -> Reconstruction:
    """The first seconds only: the variations are to be heard, and the page to stay small."""
    n = round(seconds * made.x.sample_rate)
    return reconstruct(one, Audio(made.x.samples[:, :n], made.x.sample_rate), made.scores.clip)


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


def _clips_text(files: Sequence[Path]) -> str:
    return f"Clips: {', '.join(file.stem for file in files)}."
