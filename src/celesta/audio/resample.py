"""Streaming sample-rate conversion by soxr: exact length, the same samples for any size of blocks."""

from __future__ import annotations

import numpy as np
import soxr

from celesta.errors import AudioError

MIN_RATE = 8_000
MAX_RATE = 192_000
MAX_CHANNELS = 8
BLOCK = 65_536
LOUDEST = 1e6  # 120 dB above full scale is not audio; below it, squares and filters stay finite in float32


def check_rate(sample_rate: int, what: str = "sample_rate") -> int:
    """Check a sample rate and return it as an int.

    Args:
        sample_rate: Hz.
        what: Name of the value in the message.

    Raises:
        AudioError: Outside 8000 to 192000 Hz, or not an integer.

    Example:
        >>> check_rate(44_100.0)
        44100
    """
    if isinstance(sample_rate, bool) or not MIN_RATE <= sample_rate <= MAX_RATE or int(sample_rate) != sample_rate:
        raise AudioError(f"{what} is {sample_rate} Hz; integers from {MIN_RATE} to {MAX_RATE} Hz are supported")
    return int(sample_rate)


def resampled_length(n: int, from_rate: int, to_rate: int) -> int:
    """Compute the number of samples after conversion: ceil(n * to_rate / from_rate), in exact integers.

    Args:
        n: Number of samples.
        from_rate: Their sample rate, Hz.
        to_rate: Sample rate of the result, Hz.

    Example:
        >>> resampled_length(44_100, 44_100, 22_050)
        22050
    """
    return -(-n * to_rate // from_rate)


class Resampler:
    """Convert the sample rate of (channels, n) float32 blocks, one after the other (soxr, quality HQ).

    The output has exactly `resampled_length(n, from_rate, to_rate)` samples for n input samples, and is bit-identical
    however the input is cut into blocks. Equal sample rates pass through unchanged.

    Args:
        from_rate: Sample rate of the input, Hz.
        to_rate: Sample rate of the output, Hz.
        channels: 1 to 8.

    Raises:
        AudioError: A sample rate or the number of channels is outside the limits.

    Example:
        >>> import numpy as np
        >>> resampler = Resampler(48_000, 24_000, 1)
        >>> parts = [resampler.push(np.zeros((1, 1_000), np.float32)), resampler.finish()]
        >>> sum(part.shape[1] for part in parts)
        500
    """

    def __init__(self, from_rate: int, to_rate: int, channels: int) -> None:
        self.from_rate = check_rate(from_rate, "from_rate")
        self.to_rate = check_rate(to_rate, "to_rate")
        if not 1 <= channels <= MAX_CHANNELS:
            raise AudioError(f"{channels} channels; 1 to {MAX_CHANNELS} are supported")
        self.channels = channels
        self._pushed = 0
        self._given = 0
        self._finished = False
        same = self.from_rate == self.to_rate
        self._soxr = None if same else soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32", quality="HQ")

    def push(self, block: np.ndarray) -> np.ndarray:
        """Convert a block of samples.

        Args:
            block: (channels, n) float32.

        Returns:
            The samples that are ready, (channels, m); m may be 0.

        Raises:
            AudioError: The resampler is finished, or the block has another shape.
        """
        if self._finished:
            raise AudioError("this Resampler is finished; make a new one for each signal")
        if block.ndim != 2 or block.shape[0] != self.channels:
            raise AudioError(f"a block of shape {block.shape}, expected ({self.channels}, n)")
        self._pushed += block.shape[1]
        return self._run(block, last=False)

    def finish(self) -> np.ndarray:
        """Return the remaining (channels, m) samples; nothing can be pushed afterwards."""
        if self._finished:
            raise AudioError("this Resampler is finished; make a new one for each signal")
        self._finished = True
        # soxr rounds the length, we round up: a little silence behind the end brings out the one sample more.
        silence = np.zeros((self.channels, 2 + -(-self.from_rate // self.to_rate)), dtype=np.float32)
        rest = silence[:, :0] if self._soxr is None else self._run(silence, last=True)
        missing = resampled_length(self._pushed, self.from_rate, self.to_rate) - self._given
        if missing > 0:
            raise AudioError(f"resampling {self.from_rate} to {self.to_rate} Hz came out {missing} samples short")
        return rest

    def _run(self, block: np.ndarray, last: bool) -> np.ndarray:
        block = np.asarray(block, dtype=np.float32)
        if self._soxr is not None:
            out = self._soxr.resample_chunk(np.ascontiguousarray(block.T), last=last)
            block = np.ascontiguousarray(out.reshape(-1, self.channels).T)
        room = resampled_length(self._pushed, self.from_rate, self.to_rate) - self._given
        block = block[:, :room]
        self._given += block.shape[1]
        return block


def resample(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Convert (channels, n) float32 samples to (channels, resampled_length(n, from_rate, to_rate)).

    Args:
        samples: (channels, n).
        from_rate: Their sample rate, Hz.
        to_rate: Sample rate of the result, Hz.

    Raises:
        AudioError: A sample rate or the number of channels is outside the limits.

    Example:
        >>> import numpy as np
        >>> resample(np.zeros((2, 44_100), np.float32), 44_100, 48_000).shape
        (2, 48000)
    """
    if samples.ndim != 2:
        raise AudioError(f"samples of shape {samples.shape}, expected (channels, n)")
    stream = Resampler(from_rate, to_rate, samples.shape[0])
    parts = [stream.push(samples[:, i : i + BLOCK]) for i in range(0, samples.shape[1], BLOCK)]
    return np.concatenate([*parts, stream.finish()], axis=1)
