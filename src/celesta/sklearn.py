"""Features of songs as a scikit-learn transformer: songs in, vectors out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from celesta import audio
from celesta.audio import Audio
from celesta.errors import CelestaError, DataError, UsageError
from celesta.features.base import Arrays
from celesta.features.cache import FeatureCache
from celesta.features.extract import Features, extract, gathered
from celesta.features.registry import entry, extractor, needed

__all__ = ["SongFeatures"]


class SongFeatures(TransformerMixin, BaseEstimator):
    """Transform songs into feature vectors; works in pipelines, in cross-validation and with ``clone``.

    A song is a path, the bytes of an audio file, a mapping with ``bytes`` or ``path`` (a row of a data set whose audio
    column is not decoded), an :class:`~celesta.audio.Audio`, or an array ``(n,)`` or ``(channels, n)``.

    Args:
        kind: name of a feature, see :func:`celesta.features.names`.
        sample_rate: Hz of arrays.
        cache: folder where the features of files are saved; None not to save them.
        workers: files that are analysed at once.
        precision: of the networks, ``float32`` or ``bfloat16``.
        device: of the networks: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Attributes:
        n_features_out_: size of a vector.
        feature_names_out_: name of each of its numbers.

    Example:
        >>> songs = [np.sin(np.arange(22_050) / k).astype(np.float32) for k in (5, 20)]
        >>> SongFeatures("handcrafted", sample_rate=22_050).fit_transform(songs).shape[0]
        2
    """

    def __init__(
        self,
        kind: str = "celesta-features",
        *,
        sample_rate: int | None = None,
        cache: str | Path | None = None,
        workers: int = 1,
        precision: str = "float32",
        device: str = "auto",
    ) -> None:
        self.kind = kind
        self.sample_rate = sample_rate
        self.cache = cache
        self.workers = workers
        self.precision = precision
        self.device = device

    def fit(self, X: Sequence[Any], y: Any = None) -> SongFeatures:
        """Learn the names of the features from the first song; nothing else is learnt.

        Raises:
            UsageError: there are no songs, or the feature is unknown.
            DataError: the first song cannot be read.
        """
        found = self._features(_songs(X)[:1])
        names = []
        for part in entry(self.kind).parts or {self.kind: 1.0}:
            of, slash, which = part.partition("/")
            for name, where in found.parts[of].items():
                if not slash or which in (name, name.rpartition(".")[2]):
                    names += [f"{of}.{name}.{i}" for i in range(where.stop - where.start)]
        self.feature_names_out_ = np.array(names, dtype=object)
        self.n_features_out_ = len(names)
        return self

    def transform(self, X: Sequence[Any]) -> np.ndarray:
        """Compute the vectors ``(songs, n_features_out_)`` float32.

        Raises:
            DataError: a song cannot be read: rows must match labels, so that none is left out.
            NotFittedError: :meth:`fit` was not called.
        """
        check_is_fitted(self)
        songs = _songs(X)
        made: np.ndarray = self._features(songs)[self.kind]
        return made

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the name of each number of a vector, ``(n_features_out_,)``."""
        check_is_fitted(self)
        names: np.ndarray = self.feature_names_out_
        return names

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags

    def _features(self, songs: list[Any]) -> Features:
        if all(isinstance(song, str | Path) for song in songs):
            cache = FeatureCache(Path(self.cache)) if self.cache is not None else None
            return extract(
                songs, [self.kind], cache, workers=self.workers, strict=True, precision=self.precision,
                device=self.device,
            )  # fmt: skip
        names = needed([self.kind])
        extractors = [extractor(name, self.precision, self.device) for name in names]
        rows: list[list[Arrays]] = []
        for i, song in enumerate(songs):
            try:
                x = _read(song, self.sample_rate)
                rows.append([one.measure(_mono(x, one.sample_rate)) for one in extractors])
            except UsageError:
                raise
            except CelestaError as error:
                raise DataError(f"song {i}: {error}") from None
        return gathered([Path(str(i)) for i in range(len(rows))], names, rows, precision=self.precision)


def _songs(X: Iterable[Any]) -> list[Any]:
    """Return the songs of a list, of a column of a table, or of an array."""
    if isinstance(X, str | Path | bytes):
        raise UsageError("SongFeatures takes a list of songs, not one song; put it in a list")
    songs = [
        one[0] if isinstance(one, np.ndarray) and one.dtype.kind in "OUS" and one.shape == (1,) else one for one in X
    ]
    if not songs:
        raise UsageError("SongFeatures needs at least one song")
    return [str(one) if isinstance(one, np.str_) else one for one in songs]


def _read(song: Any, sample_rate: int | None) -> Audio:
    if isinstance(song, Audio):
        return song
    if isinstance(song, dict):
        song = song.get("bytes") or song.get("path")
    if isinstance(song, bytes):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "song"
            file.write_bytes(song)
            return audio.read(file)
    if isinstance(song, str | Path):
        return audio.read(song)
    if sample_rate is None:
        raise UsageError("arrays need their sample rate: SongFeatures(kind, sample_rate=44100)")
    samples = np.asarray(song, np.float32)
    return Audio(samples[None] if samples.ndim == 1 else samples, sample_rate)


def _mono(x: Audio, sample_rate: int) -> np.ndarray:
    mono = x.samples.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
    if x.sample_rate != sample_rate:
        mono = audio.resample(mono, x.sample_rate, sample_rate)
    made: np.ndarray = mono[0]
    return made
