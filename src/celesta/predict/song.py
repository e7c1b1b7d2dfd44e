"""Predict the classes of a song, as a whole and over time."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from celesta._files import printable
from celesta.audio import Audio, AudioWarning
from celesta.errors import CelestaError, warn
from celesta.features.analyse import analyse
from celesta.features.base import Arrays, Extractor
from celesta.features.extract import gathered
from celesta.features.registry import extractor, needed
from celesta.predict.moods import are_moods
from celesta.predict.predictor import SHIPPED, Predictor, mood_plane

STRETCH = 10.0
"""Seconds of each stretch of the predictions over time."""
_AT_ONCE = 32  # stretches whose features are held


class Status(StrEnum):
    """What came of a song.

    Attributes:
        ANALYSED: it has predictions.
        NOTHING: it is silent, shorter than a second, or its channels cancel in mono.
        FAILED: it cannot be read.

    Example:
        >>> str(Status.NOTHING)
        'nothing to analyse'
    """

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

    Example:
        >>> song = SongPrediction(
        ...     Path("a.mp3"), duration=180.0, classes={"genre": ("jazz", "rock")},
        ...     probabilities={"genre": np.array([0.25, 0.75])},
        ... )
        >>> song.top("genre", n=1)
        [('rock', 0.75)]
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
            if are_moods(classes) and name in self.probabilities:
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

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SongPrediction:
        """Make a prediction of what :meth:`to_dict` returned.

        Raises:
            KeyError, ValueError, TypeError: something is missing or not as it was.
        """
        found = {name: dict(values) for name, values in data["probabilities"].items()}
        return cls(
            None if data["path"] is None else Path(data["path"]),
            Status(data["status"]),
            str(data["reason"]),
            float(data["duration"]),
            {name: tuple(values) for name, values in found.items()},
            {name: np.array(list(values.values()), float) for name, values in found.items()},
            np.array(data["times"], float),
            {name: np.array(rows, float) for name, rows in data["over_time"].items()},
        )

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
        precision: of the networks of features.
        device: of the networks of torch among the features, if any.
        threads: analyses of a song that run at the same time; 0 for as many as there are processors, up to 4. The
            number does not change results.

    Raises:
        ModelError: a file is missing or damaged.

    Example:
        >>> predictor = SongPredictor(["genre"])
        >>> song = predictor.predict("song.mp3")
        >>> len(song.classes["genre"]), round(float(song.probabilities["genre"].sum()), 3)
        (10, 1.0)
        >>> [str(song.status) for song in predictor.predict_many(["gone.mp3"])]
        ['failed']
    """

    def __init__(
        self,
        predictors: Sequence[str | Path] | Mapping[str, Predictor] = SHIPPED,
        *,
        precision: str = "float32",
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        if isinstance(predictors, Mapping):
            self.predictors = dict(predictors)
        else:
            self.predictors = {Path(name).stem: Predictor.load(name) for name in predictors}
        self.threads = threads or min(4, os.cpu_count() or 1)
        self.extractors: list[Extractor] = [
            extractor(name, precision, device) for name in needed(p.features for p in self.predictors.values())
        ]

    def __repr__(self) -> str:
        return f"SongPredictor({', '.join(self.predictors)})"

    def predict(self, source: str | Path | Audio) -> SongPrediction:
        """Predict a song as a whole, and each stretch of 10 s of it (a last piece under 5 s joins the one before).

        The song is read and analysed once; the vectors of the stretches are made of the same patches and frames as the
        whole song's. Memory does not grow with the length of the song.

        Warns:
            AudioWarning: there is nothing to analyse in it; :attr:`SongPrediction.status` says so too.

        Args:
            source: path of an audio file, or audio in memory.

        Raises:
            AudioError: it cannot be read.
        """
        path = None if isinstance(source, Audio) else Path(source)
        analysis = analyse(source, self.extractors, self.threads)
        mix = analysis.mix
        classes = {name: p.classes for name, p in self.predictors.items()}
        if reason := mix.problem():
            where = "audio" if path is None else printable(path)
            warn(AudioWarning(f"{where}: nothing to analyse: {reason}"))
            return SongPrediction(path, Status.NOTHING, reason, mix.duration, classes)
        edges = stretches(mix.duration)
        whole = self._probabilities([analysis.arrays()])
        over_time = {name: rows.copy() for name, rows in whole.items()}
        if len(edges) > 2:
            places = [(a, b) for a, b in itertools.pairwise([*edges[:-1], None]) if a is not None]
            batches = [places[at : at + _AT_ONCE] for at in range(0, len(places), _AT_ONCE)]
            parts = [self._probabilities([analysis.arrays(a, b) for a, b in batch]) for batch in batches]
            over_time = {name: np.concatenate([part[name] for part in parts]) for name in whole}
        for i, (start, stop) in enumerate(itertools.pairwise(edges)):
            if mix.silent(start, stop):
                for rows in over_time.values():
                    rows[i] = np.nan
        return SongPrediction(
            path,
            duration=mix.duration,
            classes=classes,
            probabilities={name: rows[0] for name, rows in whole.items()},
            times=np.array(edges[:-1]),
            over_time=over_time,
        )

    def _probabilities(self, arrays: list[list[Arrays]]) -> dict[str, np.ndarray]:
        """Return ``(n, classes)`` of each predictor for the features of ``n`` stretches."""
        names = [one.name for one in self.extractors]
        features = gathered([Path(str(i)) for i in range(len(arrays))], names, arrays)
        return {name: p.predict_proba(features) for name, p in self.predictors.items()}

    def predict_many(self, paths: Iterable[str | Path]) -> Iterator[SongPrediction]:
        """Predict songs one after the other, and yield each as it is done.

        A song that cannot be read has the status ``FAILED`` and its reason; the others go on.

        Args:
            paths: audio files.
        """
        for path in paths:
            try:
                yield self.predict(path)
            except CelestaError as error:
                yield SongPrediction(Path(path), Status.FAILED, str(error))


def stretches(duration: float) -> list[float]:
    """Return the edges in seconds of stretches of 10 s; a last piece under 5 s joins the one before.

    Example:
        >>> stretches(24.0), stretches(26.0), stretches(3.0)
        ([0.0, 10.0, 24.0], [0.0, 10.0, 20.0, 26.0], [0.0, 3.0])
    """
    count = max(1, int(duration / STRETCH + 0.5))
    return [i * STRETCH for i in range(count)] + [duration]
