"""Parts of a song by the novelty of its spectrum, from the spectrogram that is drawn anyway."""

from __future__ import annotations

import itertools

import numpy as np

from celesta.studio.song import SongOverview

_STEP = 1.0  # seconds of a feature vector
_KERNEL = 12  # seconds on each side of a border that are compared
_SHORTEST = 8.0  # seconds of a part
_SAME = 0.55  # distance, relative to that of unlike parts, below which two parts have one letter
_MOST = 4_000  # feature vectors; longer songs get longer steps


def segments_of(song: SongOverview) -> list[tuple[float, float, str]]:
    """Return beginning, end (seconds) and letter of each part of a song that has been read.

    Source: Foote 2000, a checkerboard kernel along the diagonal of the self-similarity matrix. Parts with one letter
    have similar mean spectra.
    """
    step = max(_STEP, song.seconds / _MOST)
    x = _features(song, step)
    borders = [0, *_borders(_novelty(x), max(2, round(_SHORTEST / step))), len(x)]
    means = [x[a:b].mean(axis=0) for a, b in itertools.pairwise(borders)]
    letters = _letters(means)
    times = [*(border * step for border in borders[:-1]), song.seconds]
    spans = zip(itertools.pairwise(times), letters, strict=True)
    return [(round(a, 3), round(b, 3), letter) for (a, b), letter in spans if b > a]


def _features(song: SongOverview, step: float) -> np.ndarray:
    """Return mean spectra ``(n, 24)`` of the steps, each coefficient standardised."""
    columns = song.columns.astype(np.float32)
    seconds = np.arange(len(columns)) * song.hop_length / song.sample_rate
    place = np.minimum(seconds // step, max(0, int(song.seconds // step))).astype(np.int64)
    count = int(place[-1]) + 1 if len(place) else 1
    bands = columns.reshape(len(columns), 24, -1).mean(axis=2) if len(columns) else np.zeros((0, 24), np.float32)
    sums = np.zeros((count, 24))
    np.add.at(sums, place, bands)
    means = sums / np.maximum(np.bincount(place, minlength=count), 1)[:, None]
    made: np.ndarray = (means - means.mean(axis=0)) / (means.std(axis=0) + 4.0)
    return made


def _novelty(x: np.ndarray) -> np.ndarray:
    """Return how much the spectra before and after each step differ, beyond how much each side differs in itself."""
    n = len(x)
    made = np.zeros(n)
    for i in range(2, n - 1):
        size = min(_KERNEL, i, n - i)
        before, after = x[i - size : i], x[i : i + size]
        across = np.linalg.norm(before[:, None] - after[None], axis=2).mean()
        within = (
            np.linalg.norm(before[:, None] - before[None], axis=2).mean()
            + np.linalg.norm(after[:, None] - after[None], axis=2).mean()
        ) / 2
        made[i] = (across - within) * np.sqrt(size / _KERNEL)
    return made


def _borders(novelty: np.ndarray, shortest: int) -> list[int]:
    """Pick peaks of the novelty, the highest first, that are far enough from each other and from the ends."""
    if len(novelty) < 2 * shortest:
        return []
    threshold = novelty.mean() + novelty.std()
    chosen: list[int] = []
    for i in np.argsort(-novelty):
        if novelty[i] < threshold or novelty[i] <= 0.3:
            break
        if min(abs(int(i) - one) for one in [0, len(novelty), *chosen]) >= shortest:
            chosen.append(int(i))
    return sorted(chosen)


def _letters(means: list[np.ndarray]) -> list[str]:
    """Name parts A, B, ...: a part gets the letter of the nearest earlier one, if that is near."""
    if not means:
        return []
    distances = [np.linalg.norm(a - b) for i, a in enumerate(means) for b in means[:i]]
    limit = _SAME * float(np.mean(distances)) if distances else 0.0
    letters: list[int] = []
    for i, mean in enumerate(means):
        near = [(float(np.linalg.norm(mean - other)), letters[j]) for j, other in enumerate(means[:i])]
        best = min(near, default=(np.inf, 0))
        letters.append(best[1] if best[0] < limit else max(letters, default=-1) + 1)
    return [chr(ord("A") + one) if one < 26 else f"A{one - 25}" for one in letters]
