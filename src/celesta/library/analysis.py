"""Analyse a song for a library: one decode gives blocks of numbers, descriptors, labels and a fingerprint."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from celesta._files import printable
from celesta.audio import Audio, AudioSource
from celesta.errors import CelestaError
from celesta.features import musicnn, rhythm, spectral
from celesta.features.analyse import SongAnalysis, analyse
from celesta.features.base import Arrays, Extractor
from celesta.features.extract import Features, gathered
from celesta.features.registry import extractor
from celesta.library import fingerprint
from celesta.library.block_table import (
    BLOCKS,
    COLUMNS,
    EXTRACTORS,
    FEATURES,
    OFFSETS,
    SIZES,
    TAGGED,
    USUAL_TEMPO,
    predictors,
)
from celesta.library.reasons import Facts
from celesta.library.segments import spans
from celesta.models.licences import ALL_WEIGHTS
from celesta.predict.predictor import Predictor, mood_plane

SPARSE_FROM, SPARSE = 60.0, 2
"""From so many seconds on, the taggers see one of so many patches of 3 s of a song; see docs/results/library.md."""
_TOGETHER = 20  # segments whose features are computed at once
_LEAST = 0.05  # labels below this probability are not stored
_KEY, _TAGS = "key", "tags of "  # names of summaries that the library needs as well


@dataclass(frozen=True, eq=False)
class SongRecord:
    """What is measured of a song, or of a stretch of it.

    Attributes:
        duration: seconds of the song, or of the stretch.
        blocks: name of :data:`celesta.library.block_table.BLOCKS` to ``(D,)`` float32.
        values: ``tempo`` (beats a minute), ``key`` (0 C to 11 B), ``mode`` (1 major, 0 minor), ``loudness`` (LUFS, of
            the mean of the channels), ``loudness_range`` (LU), ``brightness`` (spectral centroid, Hz), ``valence`` and
            ``arousal`` (-1 to 1); what cannot be measured is absent.
        labels: ``genre``, ``mood``, ``tags`` and ``words`` (of the two taggers) to label to probability, from .05 up.
        fingerprint: ``(frames,)`` uint32 of what was analysed.
        segments: ``(segments, D)`` float32, a row for each of :func:`celesta.library.segments.spans`: the blocks one
            after the other. Of a stretch of a song: none.
        warnings: about the file, such as a cut-off end.
    """

    duration: float
    blocks: Mapping[str, np.ndarray]
    values: Mapping[str, float]
    labels: Mapping[str, Mapping[str, float]]
    fingerprint: np.ndarray
    segments: np.ndarray
    warnings: list[str] = field(default_factory=list)

    @property
    def facts(self) -> Facts:
        """What :func:`celesta.library.reasons.reasons` needs."""
        return Facts(self.values, self.labels)


@dataclass(frozen=True)
class Failure:
    """Why a song has no record."""

    message: str


class Analyser:
    """The extractors and predictors of a library's analysis, loaded once.

    Args:
        threads: analyses of a song that run at the same time; their number does not change results.
        licence: of the weights, see :data:`celesta.models.licences.USES`. Without those for research only, songs have
            the taggers' words, but no genre, mood, tags, valence and arousal, and the block of moods is 0.

    Example:
        record = Analyser().analyse("song.mp3")
        print(record.values["tempo"], record.labels["mood"])
    """

    def __init__(self, threads: int = 1, licence: str = ALL_WEIGHTS) -> None:
        self._threads = threads
        networks = {name: musicnn.load_musicnn(name.removeprefix("musicnn-").upper()) for name in EXTRACTORS[:2]}
        self._words = {name: network.tags for name, network in networks.items()}
        self._predictors = {name: Predictor.load(name) for name in predictors(licence)}
        others = [extractor(name) for name in EXTRACTORS[2:]]
        self._extractors = {
            every: [*(musicnn.of_network(name, network, every) for name, network in networks.items()), *others]
            for every in (1, SPARSE)
        }

    def analyse(
        self,
        source: str | Path | Audio,
        start: float = 0.0,
        stop: float | None = None,
        blocks: Collection[str] = BLOCKS,
    ) -> SongRecord:
        """Analyse a song, or only the stretch from ``start`` to ``stop`` seconds.

        Args:
            source: an audio file, or audio in memory.
            start: seconds at which the stretch begins.
            stop: seconds at which it ends; None for the end of the song.
            blocks: that are needed. Where none of :data:`celesta.library.block_table.TAGGED` is, the taggers are not
                run, which takes most of the time; the record then has no labels, no segments and not these blocks.

        Raises:
            AudioError: it cannot be read.
            CelestaError: there is nothing to analyse: it is silent, shorter than a second, or its channels cancel.
        """
        where = "audio" if isinstance(source, Audio) else printable(source)
        tagged = not TAGGED.isdisjoint(blocks)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            analysis, names = self._measured(source, start, stop, tagged=tagged)
        whole, seconds = start == 0 and stop is None, analysis.mix.duration
        if not whole and seconds < 1:
            raise CelestaError(
                f"{where}: the stretch {start:g} s to {start + seconds:g} s is shorter than a second; does the song "
                "end there?"
            )
        if problem := analysis.mix.problem():
            raise CelestaError(f"{where}: nothing to analyse: {problem}")
        made = dict(zip(names, analysis.arrays(), strict=True))
        segmented = self._segments(analysis) if whole and tagged else np.zeros((0, sum(SIZES.values())), np.float32)
        said = [str(one.message) for one in caught]
        return SongRecord(seconds, *self._facts(made, tagged=tagged), made["fingerprint"]["bits"], segmented, said)

    def _measured(
        self, source: str | Path | Audio, start: float, stop: float | None, *, tagged: bool
    ) -> tuple[SongAnalysis, list[str]]:
        """Run the extractors, with extra summaries of analyses that they make anyway; return their names too."""
        with contextlib.ExitStack() as stack:
            opened: Audio | AudioSource
            if isinstance(source, Audio):
                opened, seconds = source, source.samples.shape[-1] / source.sample_rate
            else:
                opened = stack.enter_context(AudioSource(source))
                seconds = opened.duration
            length = (seconds if stop is None else stop) - start
            *taggers, spectra, rhythms = self._extractors[SPARSE if length >= SPARSE_FROM else 1]
            chosen = [spectra, rhythms, dataclasses.replace(rhythms, name=_KEY, summarise=_key), _FINGERPRINT]
            if tagged:
                tags = [dataclasses.replace(one, name=_TAGS + one.name, summarise=_mean_tags) for one in taggers]
                chosen = [*taggers, *chosen, *tags]
            analysis = analyse(opened, chosen, self._threads, start=start, stop=stop)
            return analysis, [one.name for one in chosen]

    def _facts(
        self, made: Mapping[str, Arrays], *, tagged: bool
    ) -> tuple[dict[str, np.ndarray], dict[str, float], dict[str, dict[str, float]]]:
        """The blocks, the descriptors and the labels of a song."""
        names = EXTRACTORS if tagged else EXTRACTORS[2:]
        features = gathered([Path("song")], names, [[made[name] for name in names]])
        untagged = [np.zeros((1, OFFSETS[EXTRACTORS[2]]), np.float32), *(features[name] for name in EXTRACTORS[2:])]
        rows = features[FEATURES] if tagged else np.concatenate(untagged, axis=1)
        if not np.isfinite(rows).all():
            raise CelestaError("its features are not finite")
        values = _values(rows[0], made[_KEY])
        labels: dict[str, dict[str, float]] = {}
        if tagged:
            found = {name: one.predict_proba(features)[0] for name, one in self._predictors.items()}
            labels = {
                name: dict(zip(one.classes, map(float, found[name]), strict=True))
                for name, one in self._predictors.items()
            }
            labels["words"] = self._tag_words(made)
            if "mood" in self._predictors:
                plane = mood_plane(self._predictors["mood"].classes, found["mood"][None])[0]
                values |= {"valence": float(plane[0]), "arousal": float(plane[1])}
        stored = {name: {label: p for label, p in of.items() if p >= _LEAST} for name, of in labels.items()}
        blocks = self._blocks(features) if tagged else _untagged_blocks(rows)
        return {name: found[0] for name, found in blocks.items()}, values, stored

    def _tag_words(self, made: Mapping[str, Arrays]) -> dict[str, float]:
        """The words of both taggers; of a word of both the larger probability."""
        words: dict[str, float] = {}
        for name in EXTRACTORS[:2]:
            for word, p in zip(self._words[name], made[_TAGS + name]["tags"], strict=True):
                words[word.lower()] = max(words.get(word.lower(), 0.0), float(p))
        return words

    def _blocks(self, features: Features) -> dict[str, np.ndarray]:
        """The blocks ``(rows, D)`` of features."""
        rows = features[FEATURES]
        blocks = _untagged_blocks(rows) | {"style": rows[:, COLUMNS["style"]]}
        blocks["mood"] = np.zeros((len(rows), SIZES["mood"]), np.float32)
        if "mood" in self._predictors:
            blocks["mood"] = self._predictors["mood"].predict_proba(features).astype(np.float32)
        return {name: blocks[name] for name in BLOCKS}

    def _segments(self, analysis: SongAnalysis) -> np.ndarray:
        """The blocks of each segment ``(segments, D)``; what is not finite is the song's problem, not theirs: 0."""
        rows, every = [], spans(analysis.mix.duration)
        for first in range(0, len(every), _TOGETHER):  # the features of all at once would grow with the song
            made = [analysis.arrays(*span, self._extractors[1]) for span in every[first : first + _TOGETHER]]
            features = gathered([Path(str(number)) for number in range(len(made))], EXTRACTORS, made)
            rows.append(np.concatenate(list(self._blocks(features).values()), axis=1).astype(np.float32))
        return np.nan_to_num(np.concatenate(rows), nan=0.0, posinf=0.0, neginf=0.0)


def _untagged_blocks(rows: np.ndarray) -> dict[str, np.ndarray]:
    """The blocks ``(rows, D)`` that no tagger is needed for, of vectors of celesta-features."""
    blocks = {name: rows[:, columns] for name, columns in COLUMNS.items() if name not in TAGGED}
    tempo = rows[:, [OFFSETS["rhythm"] + rhythm.NAMES.index("tempo_log2")]]
    return blocks | {"tempo": np.where(tempo > 0, tempo, np.float32(np.log2(USUAL_TEMPO)))}


def _values(row: np.ndarray, key: Arrays) -> dict[str, float]:
    """Descriptors from the vector of celesta-features and the key."""
    rhythmic = dict(zip(rhythm.NAMES, row[OFFSETS["rhythm"] :].tolist(), strict=True))
    spectra = dict(zip(spectral.NAMES, row[OFFSETS["handcrafted"] : OFFSETS["rhythm"]].tolist(), strict=True))
    values = {name: rhythmic[name] for name in ("loudness", "loudness_range")}
    values["brightness"] = spectra["centroid.mean"]
    if rhythmic["tempo_log2"] > 0:
        values["tempo"] = 2 ** rhythmic["tempo_log2"]
    tonic, major = key["key"].tolist()
    if tonic >= 0:
        values |= {"key": tonic, "mode": major}
    return values


def _mean_tags(patches: musicnn.Patches, start: float, stop: float | None) -> Arrays:
    return {"tags": patches.layers(start, stop)["tags"].mean(axis=0)}


def _key(analysis: rhythm.RhythmAnalysis, start: float, stop: float | None) -> Arrays:
    """Tonic and mode; -1 where there is no pitch."""
    facts = analysis.tonal(start, stop)
    tonic = facts.tonic if max(facts.major, facts.minor) > 0 else -1
    return {"key": np.array([tonic, facts.mode == "major"], np.float32)}


def _printed(analysis: fingerprint.FingerprintAnalysis, start: float, stop: float | None) -> Arrays:
    return {"bits": analysis.bits()}


_FINGERPRINT = Extractor(
    "fingerprint",
    fingerprint.METHOD,
    fingerprint.SAMPLE_RATE,
    "fingerprint",
    fingerprint.FingerprintAnalysis,
    _printed,
)


@lru_cache(maxsize=1)
def analyser(threads: int = 1, licence: str = ALL_WEIGHTS) -> Analyser:
    """Return this process's analyser."""
    return Analyser(threads, licence)


def analyse_or_fail(path: bytes | str | Path, licence: str = ALL_WEIGHTS, threads: int = 1) -> SongRecord | Failure:
    """Analyse a song, or say why that is not possible; whatever the file makes the code raise is a failure of it."""
    name = Path(os.fsdecode(path))
    try:
        return analyser(threads, licence).analyse(name)
    except (CelestaError, OSError) as error:
        return Failure(str(error))
    except Exception as error:
        return Failure(f"{printable(name)}: unexpected {type(error).__name__}: {error}; please report it")
