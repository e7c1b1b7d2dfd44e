"""The latent of one window, as the reader gives it, the writer takes it and the codec computes it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

ENVELOPE_FRAMES = 4
"""Frames of a column of the envelope."""
ENVELOPE_ROWS = 50
"""Rows of the envelope: the power of 25 bands, then the power of what the detail leaves out of them."""


class LatentWindow(NamedTuple):
    """The latent of one window of the grid, all audio channels.

    Attributes:
        base: ``(channels, latent_dim, frames)`` float32, the dense part; ``latent_dim`` may be 0.
        places: ``(channels, k, frames)`` uint16, the coefficient that each detail value belongs to.
        values: ``(channels, k, frames)`` float32, the sparse part; ``k`` is 0 for dense models.
        gain: ``(channels,)`` float32, what the window was divided by before encoding (1 where the model does not).
        envelope: ``(channels, rows, frames / 4)`` float32 dB, for models with a band envelope: the power of each band,
            then the power of what the detail leaves out of it. None for other models.

    Example:
        >>> import numpy as np
        >>> w = LatentWindow.dense(np.zeros((2, 8, 5), np.float32))
        >>> w.values.shape
        (2, 0, 5)
    """

    base: np.ndarray
    places: np.ndarray
    values: np.ndarray
    gain: np.ndarray
    envelope: np.ndarray | None = None

    @classmethod
    def dense(cls, base: np.ndarray, gain: np.ndarray | None = None) -> LatentWindow:
        """Return a window without a detail.

        Args:
            base: ``(channels, latent_dim, frames)`` float32.
            gain: ``(channels,)``; None for 1.
        """
        channels, _, frames = base.shape
        none = np.zeros((channels, 0, frames), np.float32)
        return cls(base, none.astype(np.uint16), none, np.ones(channels, np.float32) if gain is None else gain)

    def frames(self, which: slice) -> LatentWindow:
        """Return some of the frames; with an envelope, whole groups of four."""
        envelope = self.envelope
        if envelope is not None:
            first, last, _ = which.indices(self.base.shape[-1])
            envelope = envelope[..., first // ENVELOPE_FRAMES : -(-last // ENVELOPE_FRAMES)]
        return LatentWindow(
            self.base[..., which], self.places[..., which], self.values[..., which], self.gain, envelope
        )

    def padded(self, size: int) -> LatentWindow:
        """Return the same latent with ``size`` detail values per frame; the added ones are 0 and change nothing."""
        return self._replace(places=pad_detail(self.places, size), values=pad_detail(self.values, size))


def pad_detail(part: np.ndarray, size: int) -> np.ndarray:
    """Append zeros to a detail ``(channels, k, frames)`` up to ``(channels, size, frames)``."""
    missing = size - part.shape[1]
    return np.pad(part, ((0, 0), (0, missing), (0, 0))) if missing else part
