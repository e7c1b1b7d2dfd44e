"""Predictors asked about songs: as a whole and over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta.audio import Audio
from celesta.features.extract import Features, slices
from celesta.features.fusion import blocks, needed
from celesta.features.registry import Extractor, extractor
from celesta.predict.predictor import Predictor, mood_plane

WINDOW = 10.0


@dataclass(frozen=True, eq=False)
class Heard:
    """What predictors say of one song.

    Attributes:
        path: of the song.
        whole: name of a predictor to probabilities ``(classes,)`` of the whole song.
        times: ``(windows,)`` seconds where each window of 10 s begins.
        over_time: name of a predictor to probabilities ``(windows, classes)``.
        classes: name of a predictor to its classes.
    """

    path: Path
    whole: dict[str, np.ndarray]
    times: np.ndarray
    over_time: dict[str, np.ndarray]
    classes: dict[str, tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        made: dict[str, Any] = {"path": str(self.path), "times": self.times.tolist()}
        for name, classes in self.classes.items():
            made[name] = dict(zip(classes, self.whole[name].round(4).tolist(), strict=True))
            made[f"{name} over time"] = self.over_time[name].round(4).tolist()
            if set(classes) == {"Q1", "Q2", "Q3", "Q4"}:
                valence, arousal = mood_plane(classes, self.whole[name][None])[0]
                made |= {"valence": round(float(valence), 4), "arousal": round(float(arousal), 4)}
        return made


class Listener:
    """Predictors with the features they need, loaded once for many songs.

    Args:
        predictors: name to predictor.
    """

    def __init__(self, predictors: dict[str, Predictor]) -> None:
        self.predictors = predictors
        self.extractors: list[Extractor] = [extractor(k) for k in needed(p.features for p in predictors.values())]

    def hear(self, path: str | Path) -> Heard:
        """Predict a song, whole and in windows of 10 s side by side (a last piece under 5 s joins the one before).

        Raises:
            AudioError: it cannot be read.
        """
        sound = audio.read(path, mono=True)
        length = round(WINDOW * sound.sample_rate)
        count = max(1, int(sound.samples.shape[1] / length + 0.5))
        starts = [i * length for i in range(count)]
        ends = [*starts[1:], sound.samples.shape[1]]
        pieces = [Audio(sound.samples[:, a:b], sound.sample_rate) for a, b in zip(starts, ends, strict=True)]
        whole = self._vectors([sound])
        parts = whole if count == 1 else self._vectors(pieces)
        return Heard(
            Path(path),
            {name: p.predict_proba(whole[name])[0] for name, p in self.predictors.items()},
            np.array(starts) / sound.sample_rate,
            {name: p.predict_proba(parts[name]) for name, p in self.predictors.items()},
            {name: p.classes for name, p in self.predictors.items()},
        )

    def _vectors(self, sounds: Sequence[Audio]) -> dict[str, np.ndarray]:
        """Features ``(sounds, D)`` that each predictor reads."""
        names = [Path(str(i)) for i in range(len(sounds))]
        matrices, parts = {}, {}
        for one in self.extractors:
            rows = [one.measure(audio.resample(s.samples, s.sample_rate, one.sample_rate)[0]) for s in sounds]
            matrices[one.kind] = np.stack([np.concatenate(list(row.values())) for row in rows])
            parts[one.kind] = slices(rows[0])
        features = Features(names, matrices, parts, {})
        return {name: blocks(features, p.features)[0] for name, p in self.predictors.items()}
