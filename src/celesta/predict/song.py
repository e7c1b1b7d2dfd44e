"""Predict the classes of a song, as a whole and over time."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta._files import printable
from celesta.audio import Audio, AudioWarning
from celesta.dsp.mono import MonoMix
from celesta.errors import CelestaError
from celesta.features.extract import Features, slices
from celesta.features.fusion import blocks, needed
from celesta.features.registry import Extractor, extractor
from celesta.predict.predictor import SHIPPED, Predictor, mood_plane

STRETCH = 10.0
"""Seconds of each stretch of the predictions over time."""


class Status(StrEnum):
    """What came of a song."""

    ANALYSED = "analysed"
    NOTHING = "nothing to analyse"
    FAILED = "failed"


@dataclass(frozen=True, eq=False, repr=False)
class SongPrediction:
    """Predictions for one song.

    Attributes:
        path: of the song; None for audio in memory.
        status: whether the song was analysed. ``NOTHING``: it is silent, shorter than a second, or its channels cancel
            in mono; there are no probabilities then. ``FAILED``: it could not be read.
        reason: why it was not analysed, "" otherwise.
        duration: seconds.
        classes: name of each predictor to the names of its classes.
        probabilities: name of each predictor to ``(classes,)`` for the whole song; from 0 to 1.
        times: ``(stretches,)`` seconds at which each stretch of about 10 s begins.
        over_time: name of each predictor to ``(stretches, classes)``; NaN where a stretch is silent.
    """

    path: Path | None
    status: Status = Status.ANALYSED
    reason: str = ""
    duration: float = 0.0
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    probabilities: dict[str, np.ndarray] = field(default_factory=dict)
    times: np.ndarray = field(default_factory=lambda: np.zeros(0))
    over_time: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """File name that can be printed; "audio" for audio in memory."""
        return printable(self.path.name) if self.path else "audio"

    def top(self, predictor: str, n: int = 2) -> list[tuple[str, float]]:
        """Return the ``n`` most probable classes of a predictor with their probabilities; [] where not analysed."""
        if predictor not in self.probabilities:
            return []
        values = self.probabilities[predictor]
        return [(self.classes[predictor][i], float(values[i])) for i in np.argsort(values)[::-1][:n]]

    @property
    def valence_arousal(self) -> tuple[float, float] | None:
        """Valence and arousal from -1 to 1; None without a predictor of mood."""
        for name, classes in self.classes.items():
            if set(classes) == {"Q1", "Q2", "Q3", "Q4"} and name in self.probabilities:
                valence, arousal = mood_plane(classes, self.probabilities[name][None])[0]
                return float(valence), float(arousal)
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; probabilities are rounded to 4 digits, and None where a stretch is silent."""
        data: dict[str, Any] = {
            "path": None if self.path is None else str(self.path),
            "status": str(self.status),
            "reason": self.reason,
            "duration": round(self.duration, 3),
            "probabilities": {
                name: dict(zip(self.classes[name], values.round(4).tolist(), strict=True))
                for name, values in self.probabilities.items()
            },
            "times": self.times.tolist(),
            "over_time": {
                name: [[None if math.isnan(p) else round(p, 4) for p in row] for row in rows.tolist()]
                for name, rows in self.over_time.items()
            },
        }
        if mood := self.valence_arousal:
            data |= {"valence": round(mood[0], 4), "arousal": round(mood[1], 4)}
        return data

    def __repr__(self) -> str:
        said = [f"{self.duration:.1f} s"]
        said += [f"{name}: {best[0]} {best[1]:.0%}" for name in self.classes for best in self.top(name, 1)]
        if self.status is not Status.ANALYSED:
            said = [f"{self.status}: {self.reason}"]
        return f"SongPrediction({self.name!r}, {', '.join(said)})"


class SongPredictor:
    """Predict classes of songs.

    Predictors and the feature extractors that they need are loaded once.

    Args:
        predictors: names of predictors that ship, or paths of predictor files; or a dict of name to
            :class:`celesta.predict.Predictor`. Default: all that ship, ``genre``, ``mood`` and ``tags``.

    Raises:
        ModelError: a file is missing or damaged.

    Example:
        predictor = celesta.SongPredictor()
        song = predictor.predict("song.mp3")
        print(song, song.top("genre"), song.valence_arousal)

        for song in predictor.predict_many(["a.mp3", "b.mp3"]):
            print(json.dumps(song.to_dict()))
    """

    def __init__(self, predictors: Sequence[str | Path] | Mapping[str, Predictor] = SHIPPED) -> None:
        if isinstance(predictors, Mapping):
            self.predictors = dict(predictors)
        else:
            self.predictors = {Path(name).stem: Predictor.load(name) for name in predictors}
        self.extractors: list[Extractor] = [extractor(k) for k in needed(p.features for p in self.predictors.values())]

    def __repr__(self) -> str:
        return f"SongPredictor({', '.join(self.predictors)})"

    def predict(self, source: str | Path | Audio) -> SongPrediction:
        """Predict a song as a whole, and each stretch of 10 s of it (a last piece under 5 s joins the one before).

        Warns:
            AudioWarning: there is nothing to analyse in it; :attr:`SongPrediction.status` says so too.

        Raises:
            AudioError: it cannot be read.
        """
        path = None if isinstance(source, Audio) else Path(source)
        signal = source if isinstance(source, Audio) else audio.read(source)
        mix = MonoMix(signal.sample_rate)
        mono = mix.push(np.atleast_2d(signal.samples))
        classes = {name: p.classes for name, p in self.predictors.items()}
        if reason := mix.problem():
            where = "audio" if path is None else printable(path)
            warnings.warn(AudioWarning(f"{where}: nothing to analyse: {reason}"), stacklevel=2)
            return SongPrediction(path, Status.NOTHING, reason, mix.duration, classes)
        edges = stretches(mix.duration)
        cuts = [round(edge * signal.sample_rate) for edge in edges]
        pieces = [Audio(mono[None, a:b], signal.sample_rate) for a, b in itertools.pairwise(cuts)]
        whole = self._vectors([Audio(mono[None], signal.sample_rate)])
        parts = whole if len(pieces) == 1 else self._vectors(pieces)
        over_time = {name: p.predict_proba(parts[name]) for name, p in self.predictors.items()}
        for i, (start, stop) in enumerate(itertools.pairwise(edges)):
            if mix.silent(start, stop):
                for rows in over_time.values():
                    rows[i] = np.nan
        return SongPrediction(
            path,
            duration=mix.duration,
            classes=classes,
            probabilities={name: p.predict_proba(whole[name])[0] for name, p in self.predictors.items()},
            times=np.array(edges[:-1]),
            over_time=over_time,
        )

    def predict_many(self, paths: Iterable[str | Path]) -> Iterator[SongPrediction]:
        """Predict songs one after the other, and yield each as it is done.

        A song that cannot be read has the status ``FAILED`` and its reason; the others go on.
        """
        for path in paths:
            try:
                yield self.predict(path)
            except CelestaError as error:
                yield SongPrediction(Path(path), Status.FAILED, str(error))

    def _vectors(self, signals: Sequence[Audio]) -> dict[str, np.ndarray]:
        """Features ``(signals, D)`` that each predictor reads."""
        names = [Path(str(i)) for i in range(len(signals))]
        matrices, parts = {}, {}
        for one in self.extractors:
            rows = [one.measure(audio.resample(s.samples, s.sample_rate, one.sample_rate)[0]) for s in signals]
            matrices[one.kind] = np.stack([np.concatenate(list(row.values())) for row in rows])
            parts[one.kind] = slices(rows[0])
        features = Features(names, matrices, parts, {})
        return {name: blocks(features, p.features)[0] for name, p in self.predictors.items()}


def stretches(duration: float) -> list[float]:
    """Return the edges in seconds of stretches of 10 s; a last piece under 5 s joins the one before.

    Example:
        >>> stretches(24.0), stretches(26.0), stretches(3.0)
        ([0.0, 10.0, 24.0], [0.0, 10.0, 20.0, 26.0], [0.0, 3.0])
    """
    count = max(1, int(duration / STRETCH + 0.5))
    return [i * STRETCH for i in range(count)] + [duration]
