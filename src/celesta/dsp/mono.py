"""Average audio channels to one, and notice where nothing is left to analyse."""

from __future__ import annotations

import numpy as np

SILENT_PEAK = 1e-4
"""Largest absolute sample that counts as silence: -80 dBFS, 3 steps of 16-bit audio."""
CANCELLED_POWER = 1e-4
"""Power of the mean of the channels over the mean power of the channels below which they cancel: -40 dB."""
SHORTEST = 1.0
"""Seconds below which a signal is too short for statistics over time."""


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
        self._loudest = 0.0
        self._peaks: list[float] = []  # of the mean of the channels, one a second

    def push(self, block: np.ndarray) -> np.ndarray:
        """Take a block of the stream.

        Args:
            block: ``(channels, n)`` float32, full scale 1.

        Returns:
            ``(n,)`` float32, the mean of the channels.
        """
        mono: np.ndarray = block[0] if len(block) == 1 else block.mean(axis=0, dtype=np.float64).astype(np.float32)
        if mono.size:
            self._loudest = max(self._loudest, float(np.abs(block).max()))
            power = float(np.vdot(mono, mono))
            self._mixed_power += power
            self._power += power if len(block) == 1 else float(np.square(block, dtype=np.float64).sum()) / len(block)
            self._note_peaks(mono)
        self.n_samples += mono.size
        return mono

    def _note_peaks(self, mono: np.ndarray) -> None:
        second, place = divmod(self.n_samples, self.sample_rate)
        starts = np.arange(-place, mono.size, self.sample_rate).clip(0)
        for number, peak in enumerate(np.maximum.reduceat(np.abs(mono), starts), start=second):
            if number < len(self._peaks):
                self._peaks[number] = max(self._peaks[number], float(peak))
            else:
                self._peaks.append(float(peak))

    @property
    def duration(self) -> float:
        """Seconds so far."""
        return self.n_samples / self.sample_rate

    def problem(self, shortest: float = SHORTEST) -> str:
        """Return why there is nothing to analyse, or "" where there is.

        Args:
            shortest: seconds below which the signal is too short.
        """
        if self._loudest <= SILENT_PEAK:
            return "the audio is silent (no sample above -80 dBFS)"
        if self.duration < shortest:
            return f"the audio is too short ({self.duration:.3f} s; {shortest:g} s are needed)"
        if self._mixed_power <= CANCELLED_POWER * self._power or max(self._peaks) <= SILENT_PEAK:
            return "the channels cancel when they are averaged to mono (the left is the inverse of the right)"
        return ""

    def silent(self, start: float, stop: float) -> bool:
        """Whether the mean of the channels is silent from ``start`` to ``stop`` (seconds; whole seconds are looked at).

        Seconds that are partly inside count as inside.
        """
        inside = self._peaks[int(start) : max(int(start) + 1, int(np.ceil(stop)))]
        return max(inside, default=0.0) <= SILENT_PEAK
