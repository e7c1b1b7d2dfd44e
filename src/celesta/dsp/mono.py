"""Average audio channels to one, and notice where nothing is left to analyse."""

from __future__ import annotations

import numpy as np

SILENT_PEAK = 1e-4
"""Largest absolute sample that counts as silence: -80 dBFS, 3 steps of 16-bit audio."""
CANCELLED_POWER = 1e-4
"""Power of the mean of the channels over the mean power of the channels below which they cancel: -40 dB."""
SHORTEST = 1.0
"""Seconds below which a signal is too short for statistics over time."""


def _mean(block: np.ndarray) -> np.ndarray:
    """The mean of the channels ``(n,)``; of two, halving their sum rounds as double precision does."""
    if len(block) == 1:
        return np.asarray(block[0])
    if len(block) == 2:
        half = block[0] + block[1]
        half *= np.float32(0.5)
        return np.asarray(half)
    return np.asarray(block.mean(axis=0, dtype=np.float64).astype(np.float32))


class MonoMix:
    """Average the channels of a stream, and measure what is left of it.

    Args:
        sample_rate: of the stream, Hz.

    Attributes:
        n_samples: samples per channel so far.

    Example:
        >>> import numpy as np
        >>> mix = MonoMix(8_000)
        >>> left = np.sin(np.arange(16_000) / 10).astype(np.float32)
        >>> mix.push(np.stack([left, -left])).shape
        (16000,)
        >>> mix.problem()
        'the channels cancel when they are averaged to mono (the left is the inverse of the right)'
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.n_samples = 0
        self._power = 0.0  # summed squares, averaged over channels
        self._mixed_power = 0.0
        self._low, self._high = np.float32(np.inf), np.float32(-np.inf)  # over all channels
        self._lows: list[float] = []  # of the mean of the channels, one a second
        self._highs: list[float] = []

    def push(self, block: np.ndarray) -> np.ndarray:
        """Take a block of the stream.

        Args:
            block: ``(channels, n)`` float32, full scale 1.

        Returns:
            ``(n,)`` float32, the mean of the channels.
        """
        mono = _mean(block)
        if mono.size:
            self._low, self._high = min(self._low, block.min()), max(self._high, block.max())
            power = float(np.vdot(mono, mono))
            self._mixed_power += power
            self._power += power if len(block) == 1 else sum(float(np.vdot(one, one)) for one in block) / len(block)
            self._note_range(mono)
        self.n_samples += mono.size
        return mono

    def _note_range(self, mono: np.ndarray) -> None:
        second, place = divmod(self.n_samples, self.sample_rate)
        starts = np.arange(-place, mono.size, self.sample_rate).clip(0)
        lows, highs = np.minimum.reduceat(mono, starts), np.maximum.reduceat(mono, starts)
        for number, (low, high) in enumerate(zip(lows.tolist(), highs.tolist(), strict=True), start=second):
            if number < len(self._lows):
                self._lows[number] = min(self._lows[number], low)
                self._highs[number] = max(self._highs[number], high)
            else:
                self._lows.append(low)
                self._highs.append(high)

    @property
    def duration(self) -> float:
        """Seconds so far."""
        return self.n_samples / self.sample_rate

    def problem(self, shortest: float = SHORTEST) -> str:
        """Return why there is nothing to analyse, or "" where there is.

        Args:
            shortest: seconds below which the signal is too short.
        """
        if not self.n_samples or max(self._high, -self._low) <= SILENT_PEAK:
            return "the audio is silent (no sample above -80 dBFS)"
        if self.duration < shortest:
            return f"the audio is too short ({self.duration:.3f} s; {shortest:g} s are needed)"
        if (self._high - self._low) / 2 <= SILENT_PEAK:
            return f"the audio is silent (all samples are {self._high:.3g}, a constant offset)"
        if self._mixed_power <= CANCELLED_POWER * self._power or self.silent(0, self.duration):
            return "the channels cancel when they are averaged to mono (the left is the inverse of the right)"
        return ""

    def silent(self, start: float, stop: float) -> bool:
        """Whether the mean of the channels is silent from ``start`` to ``stop`` (seconds; whole seconds are looked at).

        Seconds that are partly inside count as inside.
        """
        first, last = int(start), max(int(start) + 1, int(np.ceil(stop)))
        ranges = zip(self._lows[first:last], self._highs[first:last], strict=True)
        return max(((high - low) / 2 for low, high in ranges), default=0.0) <= SILENT_PEAK
