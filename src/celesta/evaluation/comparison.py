"""Compare models on music: scores at one sample rate, and rate-distortion curves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from celesta import _device, audio, codec, datasets
from celesta._files import atomic, printable
from celesta._version import __version__
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.datasets import Track
from celesta.errors import AudioError, CelestaError, DataError
from celesta.evaluation.rate_distortion import RatePoint, model_curve, peer_curves
from celesta.evaluation.reconstruction import COMPARISON_RATE, Reconstruction, Scores, mono_at, reconstruct
from celesta.evaluation.schedule import Progress, Schedule
from celesta.probes.statistics import mean_interval

CLIPS = Path(__file__).parents[1] / "clips"
RATE_CLIPS, RATE_SECONDS, FITTING_TRACKS = 6, 5.0, 8
MEASURES = (("mse", "MSE"), ("si_sdr", "SI-SDR dB"), ("mel", "mel distance"))

_CURVE, _PEERS = 6 * 30.0, 6 * 30.0
"""Seconds of audio that the points of one model, and those of Opus and MP3, go through, about; for the progress."""
T = TypeVar("T")


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Attributes:
        rows: scores of every model on every file.
        curves: rate-distortion points, empty if they were not wanted.
        examples: one reconstruction per model, of the first file.
        about: data, settings and versions.
        failures: files that could not be read, with the reason.
    """

    rows: list[Scores]
    curves: list[RatePoint]
    examples: list[Reconstruction]
    about: dict[str, object]
    failures: dict[str, str] = dataclasses.field(default_factory=dict)

    def by_model(self) -> dict[str, list[Scores]]:
        """Group the scores by model, in order of appearance."""
        groups: dict[str, list[Scores]] = {}
        for row in self.rows:
            groups.setdefault(row.model, []).append(row)
        return groups

    def means(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        """Compute each model's means over files with 95 % bootstrap intervals: ``(mean, low, high)``."""
        return {
            name: {key: mean_interval([getattr(row, key) for row in found]) for key, _ in MEASURES}
            for name, found in self.by_model().items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the audio, in JSON's types."""
        return {
            "about": self.about,
            "means_with_95_percent_intervals": self.means(),
            "scores": [dataclasses.asdict(row) for row in self.rows],
            "rate_distortion": [dataclasses.asdict(point) for point in self.curves],
            "failures": {printable(path): reason for path, reason in self.failures.items()},
        }

    def to_json(self, path: str | Path) -> Path:
        """Write everything but the audio as JSON and return the path."""
        path = Path(path)
        with atomic(path, CelestaError) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")
        return path


def compare(
    models: Sequence[str],
    data: str | Path | Sequence[str | Path | Track],
    *,
    seconds: float = 15,
    limit: int | None = 20,
    rate_distortion: bool = True,
    sample_rate: int = COMPARISON_RATE,
    progress: Progress = lambda text, done, total: None,
) -> Comparison:
    """Compare models or runs on music.

    Every file is mixed to mono and resampled once to ``sample_rate``; every model gets these samples, whatever its
    own rate, and its output is scored at this rate. So a model's scores depend neither on the other models nor on
    their order.

    Args:
        models: names or run folders.
        data: folders of music, or files, or the tracks of them, see :func:`celesta.datasets.load`. Of a set with a test
            split (GTZAN with its lists) only that is scored.
        seconds: taken from the middle of each file.
        limit: largest number of files, spread evenly over the data.
        rate_distortion: also quantise and code the latents at several step sizes.
        sample_rate: Hz of the comparison.
        progress: called with what is being done, the share that is done (0 to 1), and 1.

    Raises:
        DataError: there is no readable music.
        ModelError: a model cannot be loaded.
    """
    given = [data] if isinstance(data, str | Path) else data
    loaded = [one for one in given if isinstance(one, Track)]
    tracks = loaded or datasets.load(one for one in given if not isinstance(one, Track))
    codecs = [codec.load(name) for name in models]
    test = datasets.by_split(tracks, "test") or tracks
    files = [track.path for track in _spread(test, limit)]
    names = [one.name for one in codecs]
    curves = [*((name, _CURVE) for name in names), ("peers", _PEERS)] if rate_distortion else []
    schedule = Schedule([*((name, seconds) for _ in files for name in names), *curves], progress)
    made, failures = _reconstructions(codecs, files, seconds, sample_rate, schedule)
    about: dict[str, object] = {
        "files": len(made),
        "seconds of each": seconds,
        "sample rate": sample_rate,
        "data": ", ".join(sorted({track.dataset for track in test})),
        "split": "test" if datasets.by_split(tracks, "test") else "all files",
        "celesta": __version__,
        **_device.about(),
    }
    points: list[RatePoint] = []
    if rate_distortion:
        readable = [file for file in files if str(file) not in failures]
        clips = [_middle(file, RATE_SECONDS, sample_rate) for file in _evenly(readable, RATE_CLIPS)]
        fitting = [track.path for track in _spread(datasets.by_split(tracks, "train"), FITTING_TRACKS)]
        fitting = [path for path in fitting if path not in {track.path for track in test}]
        fitted_on = _readable(fitting, sample_rate, failures)
        where = f"{len(fitted_on)} training tracks" if fitted_on else "the clips that ship with Celesta"
        fitted_on = fitted_on or _readable(sorted(CLIPS.glob("*.ogg")), sample_rate, failures)
        about["rate-distortion"] = f"{len(clips)} clips of {RATE_SECONDS:g} s, tables fitted on {where}."
        for one in codecs:
            schedule.begin(f"{one.name}: bitrates")
            points += model_curve(one, fitted_on, clips)
        schedule.begin("opus, mp3")
        points += peer_curves(clips)
    schedule.finish()
    rows = [one.scores for several in made for one in several]
    return Comparison(rows, points, made[0], about, failures)


def _reconstructions(
    codecs: Sequence[Codec],
    files: Sequence[Path],
    seconds: float,
    sample_rate: int,
    schedule: Schedule,
) -> tuple[list[list[Reconstruction]], dict[str, str]]:
    """Reconstruct every readable file with every model: files, then models; and the reasons of the other files."""
    made: list[list[Reconstruction]] = []
    failures: dict[str, str] = {}
    for number, file in enumerate(files, start=1):
        try:
            clip = _middle(file, seconds, sample_rate)
        except AudioError as error:
            failures[str(file)] = str(error)
            schedule.skip(len(codecs))
            continue
        made.append([])
        for one in codecs:
            schedule.begin(f"{one.name}: file {number}/{len(files)}")
            made[-1].append(reconstruct(one, clip, printable(file.name), sample_rate=sample_rate))
    if not made:
        raise DataError(f"none of {len(files)} files could be read; the first: {next(iter(failures.values()), '')}")
    return made, failures


def _readable(files: Sequence[Path], sample_rate: int, failures: dict[str, str]) -> list[Audio]:
    """Read clips for coding tables; files that cannot be read are added to ``failures``."""
    clips = []
    for file in files:
        try:
            clips.append(_middle(file, RATE_SECONDS, sample_rate))
        except AudioError as error:
            failures[str(file)] = str(error)
    return clips


def _spread(tracks: Sequence[Track], limit: int | None) -> list[Track]:
    """Return at most ``limit`` tracks, spread evenly."""
    return list(tracks) if limit is None else _evenly(tracks, limit)


def _evenly(items: Sequence[T], limit: int) -> list[T]:
    return [items[i * len(items) // limit] for i in range(limit)] if len(items) > limit else list(items)


def _middle(file: Path, seconds: float, sample_rate: int) -> Audio:
    """Read the middle of a file, mono at ``sample_rate``."""
    start = max(0.0, (audio.probe(file).duration - seconds) / 2)
    return mono_at(audio.read(file, start=start, duration=seconds), sample_rate)
