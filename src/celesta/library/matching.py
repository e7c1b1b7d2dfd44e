"""Find and align fingerprints: which stretch of one recording is which stretch of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from celesta.library.fingerprint import FRAME_RATE


@dataclass(frozen=True)
class Scale:
    """Sizes for one way of fingerprinting.

    Attributes:
        frame_rate: sub-fingerprints a second.
        block: sub-fingerprints that are aligned as a whole: 6 s, in which 1 % of speed shifts by little more than a
            frame.
        error_limit: share of differing bits below which a block counts as the same audio; unrelated music has .5,
            seldom below .4.
        tolerance: sub-fingerprints by which blocks of one alignment may lie off its line.
        same_error: mean share of differing bits up to which two recordings are the same, if their speed is.
        changed_error: the same at another speed, which changes more bits.
    """

    frame_rate: float
    block: int
    error_limit: float
    tolerance: int
    same_error: float
    changed_error: float

    @property
    def stride(self) -> int:
        """Sub-fingerprints from one block to the next."""
        return self.block // 2


OURS = Scale(FRAME_RATE, 128, 0.32, 3, 0.2, 0.25)
CHROMAPRINT = Scale(11_025 / 1_365, 48, 0.32, 2, 0.32, 0.32)
"""Of Chromaprint's algorithm 2, with which benchmarks compare ours."""
SAME_SHARE = 0.7
"""Share of the shorter recording's audible length that must align for two recordings to be the same."""
_CHANGED = 0.002  # difference of speed that changes more bits
_SPEEDS = sorted(np.linspace(0.975, 1.025, 41).tolist(), key=lambda speed: abs(speed - 1))  # 1 first: it wins ties
_COMMON = 64  # a key in more recordings than this says nothing
_NEAR = 512  # sub-fingerprints of a query whose neighbours by one bit are looked up too


@dataclass(frozen=True)
class Match:
    """How two fingerprints align.

    Attributes:
        overlap: seconds of the first that are the same audio in the second.
        share: overlap as a share of the shorter one's audible length, 0 to 1.
        error: share of differing bits in the overlap.
        offset: seconds to add to a time of the first for the time in the second, at the first's start.
        speed: seconds of the second for a second of the first, 1 within about .0005.
        start: of the longest stretch of the first that is in the second without a gap, seconds.
        stop: its end.
    """

    overlap: float
    share: float
    error: float
    offset: float
    speed: float
    start: float = 0.0
    stop: float = 0.0

    def place(self, seconds: float) -> float:
        """Return the time in the second for a time in the first.

        Example:
            >>> Match(20.0, 1.0, 0.05, 3.0, 1.0).place(10.0)
            13.0
        """
        return self.offset + self.speed * seconds

    def same(self, scale: Scale = OURS) -> bool:
        """Return whether most of the shorter recording is in the longer one, with few differing bits.

        Another mix of the same tracks aligns as a whole too, but with more differing bits than lossy codecs make.
        """
        limit = scale.same_error if abs(self.speed - 1) <= _CHANGED else scale.changed_error
        return self.share >= SAME_SHARE and self.error <= limit

    def reversed(self) -> Match:
        """Return the alignment with first and second exchanged."""
        ends = self.place(self.start), self.place(self.stop)
        return Match(self.overlap, self.share, self.error, -self.offset / self.speed, 1 / self.speed, *ends)


class Index:
    """Look up which recordings share sub-fingerprints with a query.

    Args:
        prints: fingerprints ``(frames,)`` uint32 of all recordings.
    """

    def __init__(self, prints: Sequence[np.ndarray]) -> None:
        lengths = np.array([len(p) for p in prints], np.int64)
        keys = np.concatenate([*prints, np.zeros(0, np.uint32)])
        owners = np.repeat(np.arange(len(prints), dtype=np.int32), lengths)
        audible = keys != 0
        keys, owners = keys[audible], owners[audible]
        order = np.argsort(keys, kind="stable")
        self._keys, self._owners = keys[order], owners[order]
        self._size = max(1, len(prints))

    def candidates(
        self, query: np.ndarray, least: int = 2, most: int | None = None, without: int | None = None
    ) -> list[int]:
        """Return recordings that share at least ``least`` different sub-fingerprints, most first.

        Up to 512 of them may differ in one bit, by which copies at another speed are found too.

        Args:
            query: fingerprint ``(frames,)``.
            least: how many must be shared.
            most: at most so many recordings.
            without: a recording to leave out, such as the query itself.
        """
        asked = np.unique(query[query != 0])
        near = np.unique(np.linspace(0, len(asked) - 1, min(len(asked), _NEAR)).astype(np.int64))
        flipped = asked[near, None] ^ (np.uint32(1) << np.arange(32, dtype=np.uint32))
        keys = np.concatenate([asked, flipped.ravel()])
        of = np.concatenate([np.arange(len(asked)), np.repeat(near, 32)])
        first = np.searchsorted(self._keys, keys, side="left")
        count = np.searchsorted(self._keys, keys, side="right") - first
        hit = np.flatnonzero(count)
        rows = np.repeat(first[hit] - np.cumsum(count[hit]) + count[hit], count[hit]) + np.arange(count[hit].sum())
        # Each recording counts once for a key, and once for a sub-fingerprint of the query.
        pairs = np.unique(np.repeat(hit, count[hit]) * self._size + self._owners[rows])
        key, owner = np.divmod(pairs, self._size)
        rare = np.bincount(key, minlength=len(keys))[key] <= _COMMON
        owner = np.unique(of[key[rare]] * self._size + owner[rare]) % self._size
        found = np.bincount(owner, minlength=self._size)
        if without is not None:
            found[without] = 0
        order = np.argsort(-found, kind="stable")
        return [int(one) for one in order[found[order] >= least][:most]]


def align(first: np.ndarray, second: np.ndarray, scale: Scale = OURS) -> Match:
    """Align two fingerprints, allowing for offsets, cuts and a slightly different speed.

    Each block of 6 s of the shorter one is compared with every place of the longer one; the blocks that agree with few
    errors and lie on one line (offset and speed) are the overlap.

    Args:
        first: ``(frames,)`` uint32.
        second: of the other recording.
        scale: sizes for the way of fingerprinting.
    """
    swapped = len(first) > len(second)
    a, b = (second, first) if swapped else (first, second)
    block = scale.block
    starts = _block_starts(a, scale)
    if not len(starts) or len(b) < block:
        return Match(0.0, 0.0, 0.5, 0.0, 1.0)
    at, errors = _best_places(a, b, starts, block)
    good = errors < scale.error_limit
    if good.any():
        # Music that repeats agrees at several places, so each block's best one may lie on another line.
        lines = [_line(starts, at, errors, good, scale.tolerance)[:2], *_offsets(at - starts, good)]
        tried = [_on_line(a, b, starts, line, scale) for line in lines]
        best = max(range(len(lines)), key=lambda i: (int((tried[i] < scale.error_limit).sum()), -i))
        (offset, speed), errors = lines[best], tried[best]
        good = errors < scale.error_limit
    if not good.any():
        return Match(0.0, 0.0, float(errors.min()), 0.0, 1.0)
    covered = np.zeros(len(a), bool)
    for start in starts[good]:
        covered[start : start + block] = True
    covered &= _agreeing(a, b, offset, speed, scale)
    audible = max(1, int((a != 0).sum()))
    overlap = int((covered & (a != 0)).sum())
    seconds = 1 / scale.frame_rate
    start, stop = _longest_run(covered)
    match = Match(
        overlap * seconds,
        min(1.0, overlap / audible),
        float(errors[good].mean()),
        float(offset * seconds),
        float(speed),
        start * seconds,
        stop * seconds,
    )
    return match.reversed() if swapped else match


def _offsets(offsets: np.ndarray, good: np.ndarray) -> list[tuple[float, float]]:
    """The most frequent offsets of good blocks, as lines of unchanged speed."""
    found, count = np.unique(offsets[good], return_counts=True)
    return [(float(one), 1.0) for one in found[np.argsort(-count, kind="stable")][:8]]


def _on_line(a: np.ndarray, b: np.ndarray, starts: np.ndarray, line: tuple[float, float], scale: Scale) -> np.ndarray:
    """Share of differing bits of each block on a line, at the best of a few frames around it."""
    least = np.full(len(starts), 0.5)
    for bits, known in _differing(a, b, *line, scale):
        total = np.concatenate([[0.0], np.cumsum(bits * known)])
        count = np.concatenate([[0.0], np.cumsum(known)])
        seen = count[starts + scale.block] - count[starts]
        share = (total[starts + scale.block] - total[starts]) / np.maximum(seen, 1)
        least = np.minimum(least, np.where(seen >= scale.block / 2, share, 0.5))
    return least


def _differing(
    a: np.ndarray, b: np.ndarray, offset: float, speed: float, scale: Scale
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For a few shifts of a line: share of differing bits of each frame of ``a``, and 1 where both are audible."""
    at = np.round(offset + speed * np.arange(len(a))).astype(np.int64)
    for shift in range(-scale.tolerance + 1, scale.tolerance):
        place = at + shift
        other = np.where((place >= 0) & (place < len(b)), b[np.clip(place, 0, len(b) - 1)], 0)
        known = ((a != 0) & (other != 0)).astype(np.float64)
        yield np.unpackbits((a ^ other).astype("<u4").view(np.uint8).reshape(-1, 4), axis=1).mean(axis=1), known


def _agreeing(a: np.ndarray, b: np.ndarray, offset: float, speed: float, scale: Scale) -> np.ndarray:
    """Which frames of ``a`` agree with ``b`` on a line, by the bits of 2 s around; blocks go over the ends of cuts."""
    around = np.ones(round(2 * scale.frame_rate))
    least = np.full(len(a), 0.5)
    for bits, known in _differing(a, b, offset, speed, scale):
        share = np.convolve(bits * known, around, "same") / np.maximum(np.convolve(known, around, "same"), 1)
        least = np.minimum(least, np.where(known > 0, share, 0.5))
    return np.asarray(least < (scale.error_limit + 0.5) / 2)


def _longest_run(covered: np.ndarray) -> tuple[int, int]:
    """Begin and end of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], covered, [False]]).astype(np.int8)))
    if not len(edges):
        return 0, 0
    begins, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - begins))
    return int(begins[longest]), int(ends[longest])


def _block_starts(a: np.ndarray, scale: Scale) -> np.ndarray:
    """Starts of the blocks that are mostly audible, the last one at the end."""
    block = scale.block
    last = len(a) - block
    if last < 0:
        return np.zeros(0, np.int64)
    starts = np.unique(np.append(np.arange(0, last + 1, scale.stride), last))
    audible = np.concatenate([[0], np.cumsum(a != 0)])
    return np.asarray(starts[audible[starts + block] - audible[starts] >= block * 3 // 4])


def _best_places(a: np.ndarray, b: np.ndarray, starts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """For each block of ``a`` the place in ``b`` with the fewest differing bits, and their share."""
    size = 1 << int(np.ceil(np.log2(len(b) + length)))
    spectrum = np.fft.rfft(signs(b), size, axis=0)
    known = np.fft.rfft((b != 0).astype(np.float32), size)
    places, errors = np.zeros(len(starts), np.int64), np.full(len(starts), 0.5)
    for i, start in enumerate(starts):
        block = a[start : start + length]
        agree = np.fft.irfft((spectrum * np.fft.rfft(signs(block), size, axis=0).conj()).sum(1), size)
        both = 32 * np.fft.irfft(known * np.fft.rfft((block != 0).astype(np.float32), size).conj(), size)
        share = np.where(both >= 32 * length / 2, 0.5 - 0.5 * agree / np.maximum(both, 1), 0.5)[: len(b) - length + 1]
        places[i] = int(share.argmin())
        errors[i] = float(share[places[i]])
    return places, errors


def signs(prints: np.ndarray) -> np.ndarray:
    """Return ``(frames, 32)`` of -1 and 1; rows of zeros where a frame is silent."""
    bits = np.unpackbits(prints.astype("<u4").view(np.uint8).reshape(-1, 4), axis=1, bitorder="little")
    return np.asarray((2.0 * bits.astype(np.float32) - 1) * (prints != 0)[:, None])


def _line(
    starts: np.ndarray, at: np.ndarray, errors: np.ndarray, good: np.ndarray, tolerance: int
) -> tuple[float, float, np.ndarray]:
    """The line through most good blocks, its speed within 2.5 % of 1: offset, speed, and the blocks on it."""
    best = (0.0, 1.0, np.zeros(len(starts), bool))
    x, y = starts.astype(float), at.astype(float)
    for i in np.flatnonzero(good)[np.argsort(errors[good])][:8]:
        for speed in _SPEEDS:
            on = good & (np.abs(y - y[i] - speed * (x - x[i])) <= tolerance)
            if on.sum() > best[2].sum():
                slope = speed
                if on.sum() >= 3:
                    slope = float(np.clip(np.polyfit(x[on], y[on], 1)[0], 0.975, 1.025))
                best = (float(np.mean(y[on] - slope * x[on])), slope, on)
    return best
