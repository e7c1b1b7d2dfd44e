"""Analyse a song for a library: one decode gives blocks of numbers, descriptors, labels and a fingerprint."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

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
from celesta.library.block import Reference
from celesta.library.reasons import Facts
from celesta.library.segments import spans
from celesta.models.weights import FOLDER
from celesta.predict.predictor import SHIPPED, Predictor, mood_plane

CODE_VERSION = 3
"""Of this file: change it whenever its results change, so that libraries analyse their songs again."""
FEATURES = "celesta-features"
EXTRACTORS = ("musicnn-msd", "musicnn-mtt", "handcrafted", "rhythm")
_OFFSETS = {"musicnn-msd": 0, "musicnn-mtt": 1_706, "handcrafted": 3_412, "rhythm": 3_542}  # in celesta-features
SPARSE_FROM, SPARSE = 60.0, 2
"""From so many seconds on, the taggers see one of so many patches of 3 s of a song; see docs/results/library.md."""
_PENULTIMATE = 200
_LEAST = 0.05  # labels below this probability are not stored
_USUAL_TEMPO = 120.0


def _columns(extractor_name: str, names: tuple[str, ...], prefixes: tuple[str, ...]) -> np.ndarray:
    """Columns of celesta-features whose names begin with one of some words."""
    return np.array([_OFFSETS[extractor_name] + i for i, name in enumerate(names) if name.startswith(prefixes)])


_TAGGERS = np.concatenate([_OFFSETS[name] + np.arange(_PENULTIMATE) for name in EXTRACTORS[:2]])
# The mean of mfcc_0 is the level, not the timbre.
_TIMBRE = ("mfcc_", "contrast", "centroid", "bandwidth", "rolloff", "flatness", "zero_crossings")
_TIMBRE_NAMES = tuple("" if n.startswith(("mfcc_delta", "mfcc_0.mean")) else n for n in spectral.NAMES)
_RHYTHM_NAMES = tuple("" if n == "tempo_log2" else n for n in rhythm.NAMES)
_COLUMNS = {
    "style": _TAGGERS,
    "timbre": _columns("handcrafted", _TIMBRE_NAMES, _TIMBRE),
    "rhythm": _columns("rhythm", _RHYTHM_NAMES, ("tempo_", "pulse", "onset", "flux")),
    "harmony": _columns("rhythm", rhythm.NAMES, ("key_", "chroma_", "degree_")),
    "loudness": _columns("rhythm", rhythm.NAMES, ("loudness", "crest", "dynamic")),
}
BLOCKS = (*_COLUMNS, "mood", "tempo")
"""Names of the blocks of numbers by which songs are compared."""
_SIZES = {name: len(columns) for name, columns in _COLUMNS.items()} | {"mood": 4, "tempo": 1}
_SOURCES = {"style": EXTRACTORS[:2], "timbre": EXTRACTORS[2:3], "mood": EXTRACTORS}
_VERSIONS = dict(zip(EXTRACTORS, (musicnn.VERSION, musicnn.VERSION, spectral.VERSION, rhythm.VERSION), strict=True))


@dataclass(frozen=True, eq=False)
class SongRecord:
    """What is measured of a song, or of a stretch of it.

    Attributes:
        duration: seconds of the whole song.
        blocks: name of :data:`BLOCKS` to ``(D,)`` float32.
        values: ``tempo`` (beats a minute), ``key`` (0 C to 11 B), ``mode`` (1 major, 0 minor), ``loudness`` (LUFS, of
            the mean of the channels), ``loudness_range`` (LU), ``brightness`` (spectral centroid, Hz), ``valence`` and
            ``arousal`` (-1 to 1); what cannot be measured is absent.
        labels: ``genre``, ``mood``, ``tags`` and ``words`` (of the two taggers) to label to probability, from .05 up.
        fingerprint: ``(frames,)`` uint32 of the whole song.
        segments: ``(segments, D)`` float32, a row for each of :func:`celesta.library.segments.spans`: the blocks one
            after the other, see :func:`block_places`. Of a stretch of a song: none.
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

    Example:
        record = Analyser().analyse("song.mp3")
        print(record.values["tempo"], record.labels["mood"])
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        networks = {name: musicnn.load_musicnn(name.removeprefix("musicnn-").upper()) for name in EXTRACTORS[:2]}
        self._words = {name: network.tags for name, network in networks.items()}
        self._predictors = {name: Predictor.load(name) for name in SHIPPED}
        others = [extractor(name) for name in EXTRACTORS[2:]]
        self._extractors = {
            every: [*(musicnn.of_network(name, network, every) for name, network in networks.items()), *others]
            for every in (1, SPARSE)
        }

    def analyse(self, source: str | Path | Audio, start: float = 0.0, stop: float | None = None) -> SongRecord:
        """Analyse a song, or only the stretch from ``start`` to ``stop`` seconds.

        Raises:
            AudioError: it cannot be read.
            CelestaError: there is nothing to analyse: it is silent, shorter than a second, or its channels cancel.
        """
        where = "audio" if isinstance(source, Audio) else printable(source)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            analysis = self._measured(source, whole=start == 0 and stop is None)
        if problem := analysis.mix.problem():
            raise CelestaError(f"{where}: nothing to analyse: {problem}")
        if start >= analysis.mix.duration:
            raise CelestaError(f"{where}: {start:g} s lies behind the end of the song ({analysis.mix.duration:.1f} s)")
        end = analysis.mix.duration if stop is None else min(stop, analysis.mix.duration)
        if end - start < 1:
            raise CelestaError(
                f"{where}: the stretch {start:g} s to {end:g} s is shorter than a second; "
                f"the song has {analysis.mix.duration:.1f} s"
            )
        return self._record(analysis, start, stop, [str(one.message) for one in caught])

    def _measured(self, source: str | Path | Audio, *, whole: bool) -> SongAnalysis:
        with contextlib.ExitStack() as stack:
            opened: Audio | AudioSource
            if isinstance(source, Audio):
                opened, seconds = source, source.samples.shape[-1] / source.sample_rate
            else:
                opened = stack.enter_context(AudioSource(source))
                seconds = opened.duration
            chosen = self._extractors[SPARSE if whole and seconds >= SPARSE_FROM else 1]
            # Extra summaries of analyses that the extractors make anyway.
            extra = [dataclasses.replace(one, summarise=_mean_tags) for one in chosen[:2]]
            extra.append(dataclasses.replace(chosen[3], summarise=_key))
            return analyse(opened, [*chosen, *extra, _fingerprint_extractor()], self._threads)

    def _record(self, analysis: SongAnalysis, start: float, stop: float | None, said: list[str]) -> SongRecord:
        arrays = analysis.arrays(start, stop)
        base, (msd, mtt, key, printed) = arrays[: len(EXTRACTORS)], arrays[len(EXTRACTORS) :]
        features = gathered([Path("song")], EXTRACTORS, [base])
        row = features[FEATURES][0]
        if not np.isfinite(row).all():
            raise CelestaError("its features are not finite")
        found = {name: one.predict_proba(features)[0] for name, one in self._predictors.items()}
        labels = {name: dict(zip(one.classes, found[name], strict=True)) for name, one in self._predictors.items()}
        words: dict[str, float] = {}
        for name, tags in zip(EXTRACTORS[:2], (msd["tags"], mtt["tags"]), strict=True):
            for word, p in zip(self._words[name], tags, strict=True):
                words[word.lower()] = max(words.get(word.lower(), 0.0), float(p))
        labels["words"] = words
        values = _values(row, key)
        mood = self._predictors["mood"]
        plane = mood_plane(mood.classes, found["mood"][None])[0]
        values |= {"valence": float(plane[0]), "arousal": float(plane[1])}
        stored = {name: {k: float(p) for k, p in of.items() if p >= _LEAST} for name, of in labels.items()}
        blocks = {name: rows[0] for name, rows in self._blocks(features).items()}
        whole = start == 0 and stop is None
        segments = self._segments(analysis) if whole else np.zeros((0, sum(_SIZES.values())), np.float32)
        return SongRecord(analysis.mix.duration, blocks, values, stored, printed["bits"], segments, said)

    def _blocks(self, features: Features) -> dict[str, np.ndarray]:
        """The blocks ``(rows, D)`` of features."""
        rows = features[FEATURES]
        blocks = {name: rows[:, columns] for name, columns in _COLUMNS.items()}
        blocks["mood"] = self._predictors["mood"].predict_proba(features).astype(np.float32)
        tempo = rows[:, [_OFFSETS["rhythm"] + rhythm.NAMES.index("tempo_log2")]]
        blocks["tempo"] = np.where(tempo > 0, tempo, np.float32(np.log2(_USUAL_TEMPO)))
        return {name: blocks[name] for name in BLOCKS}

    def _segments(self, analysis: SongAnalysis) -> np.ndarray:
        """The blocks of each segment ``(segments, D)``; what is not finite is the song's problem, not theirs: 0."""
        made = [analysis.arrays(*span, self._extractors[1]) for span in spans(analysis.mix.duration)]
        features = gathered([Path(str(number)) for number in range(len(made))], EXTRACTORS, made)
        rows = np.concatenate(list(self._blocks(features).values()), axis=1)
        return np.nan_to_num(rows.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)


def _values(row: np.ndarray, key: Arrays) -> dict[str, float]:
    """Descriptors from the vector of celesta-features and the key."""
    rhythmic = dict(zip(rhythm.NAMES, row[_OFFSETS["rhythm"] :].tolist(), strict=True))
    spectra = dict(zip(spectral.NAMES, row[_OFFSETS["handcrafted"] : _OFFSETS["rhythm"]].tolist(), strict=True))
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


def _fingerprint_extractor() -> Extractor:
    def summarise(analysis: Any, start: float, stop: float | None) -> Arrays:
        return {"bits": analysis.bits()}

    name = "fingerprint"
    return Extractor(
        name, fingerprint.METHOD, fingerprint.SAMPLE_RATE, name, fingerprint.FingerprintAnalysis, summarise
    )


@lru_cache(maxsize=8)
def _weights_hash(name: str) -> str:
    return hashlib.sha256((FOLDER / f"{name}.safetensors").read_bytes()).hexdigest()


def block_sources(block: str) -> tuple[str, str]:
    """Return the versions and the weights' hashes of the extractors that a block is made of."""
    names = _SOURCES.get(block, ("rhythm",))
    versions = "+".join(f"{name}/{_VERSIONS[name]}" for name in names)
    return versions, "+".join(_weights_hash(name) for name in names if name.startswith("musicnn"))


@lru_cache(maxsize=1)
def analysis_version() -> str:
    """Return what a library's analysis depends on, in short: versions of the code and hashes of the weights."""
    digest = hashlib.sha256(repr((_VERSIONS, fingerprint.METHOD)).encode())
    for name in (*EXTRACTORS[:2], *(f"predict-{name}" for name in SHIPPED)):
        digest.update(_weights_hash(name).encode())
    return f"{CODE_VERSION}-{digest.hexdigest()[:12]}"


def block_places() -> dict[str, slice]:
    """Return the columns of each block in a row of :attr:`SongRecord.segments`."""
    ends = np.cumsum(list(_SIZES.values())).tolist()
    return {name: slice(end - size, end) for (name, size), end in zip(_SIZES.items(), ends, strict=True)}


def references() -> dict[str, Reference]:
    """Return the statistics of each block in a reference collection: the training songs of the predictor of genre."""
    genre = Predictor.load("genre")
    deviation = 1 / np.maximum(genre.scale, 1e-12)
    found = {name: Reference(genre.mean[columns], deviation[columns]) for name, columns in _COLUMNS.items()}
    found["mood"] = Reference(np.full(4, 0.25), np.full(4, 0.25))
    found["tempo"] = Reference(np.array([np.log2(_USUAL_TEMPO)]), np.array([0.4]))
    return found


@lru_cache(maxsize=1)
def analyser(threads: int = 1) -> Analyser:
    """Return this process's analyser."""
    return Analyser(threads)


def analyse_or_fail(path: bytes | str | Path, threads: int = 1) -> SongRecord | Failure:
    """Analyse a song, or say why that is not possible; whatever the file makes the code raise is a failure of it."""
    name = Path(os.fsdecode(path))
    try:
        return analyser(threads).analyse(name)
    except (CelestaError, OSError) as error:
        return Failure(str(error))
    except Exception as error:
        return Failure(f"{printable(name)}: unexpected {type(error).__name__}: {error}; please report it")
