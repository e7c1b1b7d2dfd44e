"""Features of many songs: any kinds at once, cached, resumable, tracks that cannot be read listed and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta.errors import CelestaError, DataError, UsageError
from celesta.features.cache import FeatureCache, Key
from celesta.features.parallel import each_song
from celesta.features.registry import Arrays, Extractor

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Features:
    """Vectors of songs.

    Attributes:
        paths: of the tracks that could be read, in the order asked for; row i of every matrix is ``paths[i]``.
        matrices: kind to ``(n, D)`` float32.
        parts: kind to the columns of each named part, such as ``penultimate.mean``.
        failures: path to the reason why it was left out.
    """

    paths: list[Path]
    matrices: dict[str, np.ndarray]
    parts: dict[str, dict[str, slice]]
    failures: dict[Path, str]

    def __getitem__(self, kind: str) -> np.ndarray:
        return self.matrices[kind]

    def part(self, kind: str, name: str) -> np.ndarray:
        """The columns ``(n, d)`` of one part of a kind, or of all parts with that last word (``mean``), joined.

        Raises:
            UsageError: there is no such part.
        """
        found = [where for part, where in self.parts[kind].items() if name in (part, part.rpartition(".")[2])]
        if not found:
            raise UsageError(f"{kind} has no part {name!r}; it has {', '.join(self.parts[kind])}")
        return np.concatenate([self.matrices[kind][:, where] for where in found], axis=1)


def extract(
    paths: Iterable[str | Path],
    kinds: Sequence[str],
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
    workers: int = 1,
    beside: Sequence[str] = (),
) -> Features:
    """Measure songs. Each is read once, mixed to mono and measured whole; what the cache holds is not measured again.

    Args:
        paths: sound files.
        kinds: see :func:`celesta.features.registry.names`.
        cache: filled song by song, so that what was stopped goes on where it was.
        progress: told (songs done, of how many).
        workers: threads, or processes where there are many tracks; their number changes rounding at most.
        beside: kinds of several rows a song, which are measured in the same pass and left in the cache.

    Raises:
        UsageError, ModelError: a kind is unknown or its weights are missing.
        DataError: no track could be read.
    """
    tracks = [Path(path) for path in paths]
    if not tracks or not kinds or workers < 1:
        raise UsageError("extracting features needs at least one track, one kind and one worker")
    kinds = list(dict.fromkeys(kinds))
    every = sorted([*kinds, *beside], key=_neighbour)
    done: dict[Path, list[Arrays]] = {}
    failures: dict[Path, str] = {}
    distinct = list(dict.fromkeys(tracks))
    for number, (i, made) in enumerate(each_song(song_arrays, distinct, every, cache, workers), start=1):
        if isinstance(made, CelestaError):
            failures[distinct[i]] = str(made)
        else:
            done[distinct[i]] = [made[every.index(kind)] for kind in kinds]
        if progress:
            progress(number, len(distinct))
    failures = {path: failures[path] for path in distinct if path in failures}
    if not done:
        first = failures[distinct[0]]
        raise DataError(f"none of the {len(distinct)} tracks could be read; the first: {first}")
    readable = [path for path in tracks if path in done]
    return gathered(readable, kinds, [done[path] for path in readable], failures)


def gathered(
    paths: Sequence[Path], kinds: Sequence[str], songs: Sequence[list[Arrays]], failures: dict[Path, str] | None = None
) -> Features:
    """Songs' arrays, a list with an entry a kind each, as matrices."""
    matrices, parts = {}, {}
    for column, kind in enumerate(kinds):
        matrices[kind] = np.stack([np.concatenate(list(song[column].values())) for song in songs])
        parts[kind] = slices(songs[0][column])
    return Features(list(paths), matrices, parts, failures or {})


def _neighbour(kind: str) -> tuple[str, bool]:
    """What kinds are put in order by, so that those that share work are side by side."""
    prefix, _, of = kind.rpartition(":")
    return of, prefix.endswith("-random")


def song_arrays(path: Path, extractors: Sequence[Extractor], cache: FeatureCache | None = None) -> list[Arrays]:
    """The arrays of each extractor for one song, from the cache where it has them.

    Raises:
        AudioError: the track cannot be read.
        DataError: a feature of it is not finite.
    """
    content = cache.content(path) if cache else ""
    heard: dict[int, np.ndarray] = {}
    found = []
    held: dict[str, Any] = {}
    for one in extractors:
        key = Key(content, one.kind, one.weights, one.version)
        arrays = cache.get(key) if cache else None
        if arrays is None:
            arrays = one.arrays(_hear(path, one.sample_rate, heard), held)
            if not all(np.isfinite(array).all() for array in arrays.values()):
                raise DataError(f"{path}: {one.kind} of it is not finite; the track is left out")
            if cache:
                cache.put(key, arrays)
        found.append(arrays)
    return found


def _hear(path: Path, sample_rate: int, heard: dict[int, np.ndarray]) -> np.ndarray:
    """Mono samples ``(n,)`` at a rate; the file is decoded once whatever rates are asked for."""
    if not heard:
        sound = audio.read(path, mono=True)
        heard[sound.sample_rate] = sound.samples[0]
    if sample_rate not in heard:
        own = next(iter(heard))
        heard[sample_rate] = audio.resample(heard[own][None], own, sample_rate)[0]
    return heard[sample_rate]


def slices(arrays: Arrays) -> dict[str, slice]:
    """Where each named array lies in the song's vector, the arrays one behind the other."""
    ends = np.cumsum([array.size for array in arrays.values()])
    return {
        name: slice(int(end) - array.size, int(end)) for (name, array), end in zip(arrays.items(), ends, strict=True)
    }
