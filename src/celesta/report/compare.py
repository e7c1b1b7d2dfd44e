"""The report's latent-size study for any models on any music: tables, curves, waveforms; HTML and JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from celesta import audio, codec, datasets
from celesta._version import __version__
from celesta.audio import Audio
from celesta.errors import AudioError, DataError
from celesta.evaluation.rate_distortion import RatePoint, model_curve, peer_curves
from celesta.evaluation.reconstruction import Reconstruction, Scores, interval, mono_at, reconstruct
from celesta.report.demo import CLIPS
from celesta.report.figures import curves
from celesta.report.page import Page
from celesta.report.tables import SCORE_HEAD, by_model, mean_rows, size_notes

RATE_CLIPS, RATE_SECONDS, FITTING_TRACKS = 6, 5.0, 8
MEASURES = (("mse", "MSE"), ("si_sdr", "SI-SDR dB"), ("mel", "mel distance"))


@dataclass(frozen=True)
class Comparison:
    """What came out of a comparison.

    Attributes:
        rows: scores of every model on every file.
        curves: rate-distortion points, empty where they were not wanted.
        examples: one reconstruction a model, of the first file.
        about: what was measured on what, with which versions.
    """

    rows: list[Scores]
    curves: list[RatePoint]
    examples: list[Reconstruction]
    about: dict[str, object]

    def to_json(self, path: str | Path) -> Path:
        """Write everything but the pictures as JSON; the path comes back."""
        means = {
            name: {field: interval(getattr(s, field) for s in found) for field, _ in MEASURES}
            for name, found in by_model(self.rows).items()
        }
        data = {
            "about": self.about,
            "means_with_95_percent_intervals": means,
            "scores": [dataclasses.asdict(s) for s in self.rows],
            "rate_distortion": [dataclasses.asdict(p) for p in self.curves],
        }
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)
        return path

    def to_html(self, path: str | Path) -> Path:
        """Write the page; its path comes back."""
        page = Page("Comparison of models", "How near each model comes, with how many numbers, and at how many bits.")
        page.section("Scores")
        page.table(SCORE_HEAD, mean_rows(self.rows, intervals=True))
        page.text("Means over files with 95 % bootstrap intervals over files, mono at the model's rate.")
        for text in size_notes(self.rows):
            page.note(text)
        page.section("Quality against floats a second")
        panels = [
            {name: [(s[0].floats_per_second, interval(getattr(r, field) for r in s)[0])] for name, s in self._models()}
            for field, _ in MEASURES
        ]
        page.figure(curves({}, "floats/s", [label for _, label in MEASURES], panels), "quality against floats a second")
        if self.curves:
            self._add_rates(page)
        page.section("Waveforms")
        for made in self.examples:
            page.heading(made.scores.model)
            page.sounds([("original", made.x), (made.scores.model, made.x_hat)], f"Player: {made.scores.model}")
        about = "; ".join(f"{key}: {value}" for key, value in self.about.items())
        return page.write(Path(path), about)

    def _models(self) -> Iterable[tuple[str, list[Scores]]]:
        return by_model(self.rows).items()

    def _add_rates(self, page: Page) -> None:
        page.section("Quality against bits")
        grouped: dict[str, list[RatePoint]] = {}
        for point in self.curves:
            grouped.setdefault(point.model, []).append(point)
        panels = [
            {name: [(p.kbps, getattr(p, field)) for p in points] for name, points in grouped.items()}
            for field, _ in MEASURES
        ]
        page.figure(curves({}, "kbit/s", [label for _, label in MEASURES], panels), "quality against kbit/s")
        page.text(
            "Each latent is quantised at several steps (a share of each row's spread for learnt latents, one step for"
            " all rows for the baselines) and range-coded with static tables fitted on other music; the size is that of"
            " the bytes that were decoded again. The codec nested, Opus and MP3: sizes of the files. "
            f"{self.about.get('rate-distortion', '')}"
        )
        head = ("model", "step or kbit/s asked", "kbit/s", *(label for _, label in MEASURES))
        page.table(
            head,
            [
                [p.model, f"{p.setting:g}", f"{p.kbps:.1f}", f"{p.mse:.5f}", f"{p.si_sdr:.2f}", f"{p.mel:.3f}"]
                for p in self.curves
            ],
        )


def compare(
    models: Sequence[str],
    data: str | Path | Sequence[str | Path],
    *,
    seconds: float = 15,
    limit: int | None = 20,
    rate_distortion: bool = True,
    progress: Callable[[str, int, int], None] = lambda text, done, total: None,
) -> Comparison:
    """Compare models or runs on music.

    Args:
        models: names or run folders.
        data: folders of music or files. Of a set with a test split (GTZAN with its lists) only that is scored.
        seconds: taken from the middle of each file.
        limit: at most so many files, spread evenly.
        rate_distortion: also quantise and code the latents at several steps.
        progress: told (what, done, of how many).

    Raises:
        DataError: there is no readable music.
        ModelError: a model cannot be loaded.
    """
    codecs = [codec.load(name) for name in models]
    tracks = datasets.load([data] if isinstance(data, str | Path) else data)
    test = datasets.by_split(tracks, "test") or tracks
    files = [t.path for t in _spread(test, limit)]
    total = len(files) * len(codecs) + (len(codecs) + 1 if rate_distortion else 0)
    rows: list[Scores] = []
    examples: list[Reconstruction] = []
    for file in files:
        try:
            sound = _middle(file, seconds)
        except AudioError as error:
            warnings.warn(f"skipped: {error}", stacklevel=2)
            continue
        for one in codecs:
            progress(f"{one.name}: {file.name}", len(rows), total)
            made = reconstruct(one, sound, file.name)
            rows.append(made.scores)
            if len(examples) < len(codecs):
                examples.append(made)
    if not rows:
        raise DataError(f"none of {len(files)} files could be read")
    about: dict[str, object] = {
        "files": len({s.clip for s in rows}),
        "seconds of each": seconds,
        "data": ", ".join(sorted({t.dataset for t in test})),
        "split": "test" if datasets.by_split(tracks, "test") else "all files",
        "celesta": __version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    points: list[RatePoint] = []
    if rate_distortion:
        rate = codecs[0].model.sample_rate
        fitting = [t.path for t in _spread(datasets.by_split(tracks, "train"), FITTING_TRACKS) if t not in test]
        where = f"{len(fitting)} training tracks" if fitting else "the clips that ship with Celesta"
        fitted_on = [mono_at(_middle(f, RATE_SECONDS), rate) for f in fitting or sorted(CLIPS.glob("*.ogg"))]
        clips = [
            mono_at(_middle(f, RATE_SECONDS), rate) for f in files[:: max(1, len(files) // RATE_CLIPS)][:RATE_CLIPS]
        ]
        about["rate-distortion"] = f"{len(clips)} clips of {RATE_SECONDS:g} s, tables fitted on {where}."
        for number, one in enumerate(codecs):
            progress(f"{one.name}: bits", len(files) * len(codecs) + number, total)
            points += model_curve(one, fitted_on, clips)
        progress("opus, mp3", total - 1, total)
        points += peer_curves(clips)
    progress("done", total, total)
    return Comparison(rows, points, examples, about)


def _spread(tracks: Sequence[datasets.Track], limit: int | None) -> list[datasets.Track]:
    if limit is None or len(tracks) <= limit:
        return list(tracks)
    return [tracks[i * len(tracks) // limit] for i in range(limit)]


def _middle(file: Path, seconds: float) -> Audio:
    start = max(0.0, (audio.probe(file).duration - seconds) / 2)
    return audio.read(file, start=start, duration=seconds)
