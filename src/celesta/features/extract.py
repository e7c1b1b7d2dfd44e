"""Features of many songs: cached, resumable, in flat memory; songs that cannot be read are listed and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from celesta.errors import CelestaError, DataError, UsageError
from celesta.features.analyse import song_arrays
from celesta.features.base import Arrays
from celesta.features.cache import FeatureCache
from celesta.features.parallel import each_song
from celesta.features.registry import entry, needed

__all__ = ["Features", "Progress", "extract", "gathered", "slices", "song_arrays"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, repr=False)
class Features:
    """Vectors of songs.

    ``features[name]`` is the matrix ``(n, D)`` float32 of a feature, fused or not.

    Attributes:
        paths: of the songs that could be read, in the order asked for; row i of every matrix is ``paths[i]``. Where
            :attr:`failures` is not empty, rows are fewer than the songs asked for: go by ``paths``.
        matrices: name of each extracted feature to ``(n, D)`` float32. Fused features are made of these.
        parts: name to the columns of each named part, such as ``penultimate.mean``.
        failures: path to the reason why a song was left out.
        precision: of the networks.
    """

    paths: list[Path]
    matrices: dict[str, np.ndarray]
    parts: dict[str, dict[str, slice]]
    failures: dict[Path, str] = field(default_factory=dict)
    precision: str = "float32"

    def __getitem__(self, name: str) -> np.ndarray:
        return np.concatenate(self._blocks(name), axis=1) if name not in self.matrices else self.matrices[name]

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {matrix.shape[1]}" for name, matrix in self.matrices.items())
        return f"Features({len(self.paths)} songs, {len(self.failures)} failures; {sizes})"

    def blocks(self, name: str) -> list[tuple[int, float]]:
        """Return the size of each block of a feature's vector and its weight in a probe's distance."""
        weights = entry(name).parts or {name: 1.0}
        return [(part.shape[1], weight) for part, weight in zip(self._blocks(name), weights.values(), strict=True)]

    def _blocks(self, name: str) -> list[np.ndarray]:
        found = []
        for part in entry(name).parts or {name: 1.0}:
            of, slash, which = part.partition("/")
            if of not in self.matrices:
                raise UsageError(f"{name}: its part {of} was not extracted; extract(paths, [{name!r}])")
            found.append(self.part(of, which) if slash else self.matrices[of])
        return found

    def part(self, feature: str, name: str) -> np.ndarray:
        """Return the columns ``(n, d)`` of a part, or of all parts whose last word it is (``mean``), joined.

        Raises:
            UsageError: there is no such part.
        """
        found = [where for part, where in self.parts[feature].items() if name in (part, part.rpartition(".")[2])]
        if not found:
            raise UsageError(f"{feature} has no part {name!r}; it has {', '.join(self.parts[feature])}")
        return np.concatenate([self.matrices[feature][:, where] for where in found], axis=1)


def extract(
    paths: Iterable[str | Path],
    names: Sequence[str],
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
    workers: int = 1,
    also: Sequence[str] = (),
    *,
    strict: bool = False,
    precision: str = "float32",
    device: str = "auto",
) -> Features:
    """Extract features of songs. Each is read once and averaged to mono; what the cache has is not computed again.

    Songs that cannot be read are left out: the result has the rows of ``result.paths``, and ``result.failures`` says
    which songs are missing and why. Take labels by ``result.paths``, or set ``strict``.

    Args:
        paths: audio files.
        names: of features, fused ones too; see :func:`celesta.features.names`.
        cache: filled song by song, so that an interrupted run continues where it was.
        progress: called with (songs done, songs in all).
        workers: threads, or processes where there are many songs; their number changes rounding at most.
        also: features of several rows for each song, which are computed in the same pass and left in the cache.
        strict: raise an error where a song cannot be read.
        precision: of the networks, ``float32`` or ``bfloat16``.
        device: of the networks of torch: ``auto``, ``cpu``, ``cuda`` or ``mps``. On a GPU there is one worker.

    Raises:
        UsageError, ModelError: a feature is unknown or its weights are missing.
        DataError: no song could be read; or, where ``strict``, one could not.

    Example (cross-validation with scikit-learn, artists kept apart):
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GroupKFold, cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        features = extract(paths, ["celesta-features"])
        X = features["celesta-features"]
        y = [genre[path] for path in features.paths]       # not of paths: some may be left out
        groups = [artist[path] for path in features.paths]
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        print(cross_val_score(model, X, y, groups=groups, cv=GroupKFold(5)))
    """
    tracks = [Path(path) for path in paths]
    if not tracks or not names or workers < 1:
        raise UsageError("extracting features needs at least one song, one feature and one worker")
    base = needed(names)
    for name in base:
        if entry(name).rows:
            raise UsageError(f"{name}: has several rows for each song; ask for it with also=")
    every = [*base, *also]
    done: dict[Path, list[Arrays]] = {}
    failures: dict[Path, str] = {}
    distinct = list(dict.fromkeys(tracks))
    for number, (i, made) in enumerate(
        each_song(song_arrays, distinct, every, cache, workers, precision, device), start=1
    ):
        if isinstance(made, CelestaError):
            failures[distinct[i]] = str(made)
            if strict:
                raise DataError(f"{made} (one of {len(distinct)} songs, strict)")
        else:
            done[distinct[i]] = made[: len(base)]
        if progress:
            progress(number, len(distinct))
    failures = {path: failures[path] for path in distinct if path in failures}
    if not done:
        first = failures[distinct[0]]
        raise DataError(f"none of the {len(distinct)} songs could be read; the first: {first}")
    readable = [path for path in tracks if path in done]
    return gathered(readable, base, [done[path] for path in readable], failures, precision)


def gathered(
    paths: Sequence[Path],
    names: Sequence[str],
    songs: Sequence[list[Arrays]],
    failures: dict[Path, str] | None = None,
    precision: str = "float32",
) -> Features:
    """Join the arrays of songs, for each a list with one entry for each name, to matrices."""
    matrices, parts = {}, {}
    for column, name in enumerate(names):
        matrices[name] = np.stack([np.concatenate(list(song[column].values())) for song in songs])
        parts[name] = slices(songs[0][column])
    return Features(list(paths), matrices, parts, failures or {}, precision)


def slices(arrays: Arrays) -> dict[str, slice]:
    """Return the columns of each named array in the vector that they make, one after the other."""
    ends = np.cumsum([array.size for array in arrays.values()])
    return {
        name: slice(int(end) - array.size, int(end)) for (name, array), end in zip(arrays.items(), ends, strict=True)
    }
