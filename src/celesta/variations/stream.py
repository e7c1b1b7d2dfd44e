"""A song's latent as a stream of windows, read one at a time and as often as needed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from celesta.errors import UsageError
from celesta.latents import CelReader, Latent, LatentWindow


@dataclass(frozen=True)
class WindowStream:
    """Windows of a song's latent.

    Attributes:
        windows: gives an iterator over all windows from the first one; called again for another pass.
        model: name of the model.
        latent_dim: dense channels per frame.
        continuous: whether the frames of the windows follow each other without overlap.
        has_detail: whether there are sparse coefficients; single windows may have none all the same.

    Example:
        >>> import celesta, numpy as np
        >>> z = celesta.load("linear-8").encode(np.zeros(300_000, np.float32), sample_rate=22_050)
        >>> stream = WindowStream.of_latent(z)
        >>> len(list(stream.windows())) == z.windows
        True
    """

    windows: Callable[[], Iterator[LatentWindow]]
    model: str
    latent_dim: int
    continuous: bool
    has_detail: bool = True

    @classmethod
    def of_latent(cls, z: Latent) -> WindowStream:
        """Read the windows of a latent in memory."""
        return cls(
            lambda: map(z.window_latent, range(z.windows)), z.model, z.latent_dim, z.continuous, z.detail_size > 0
        )

    @classmethod
    def of_reader(cls, reader: CelReader) -> WindowStream:
        """Read the windows of a .cel file, which stays open as long as the stream is used."""
        m = reader.meta
        windows = functools.partial(map, reader.window, range(len(reader)))
        return cls(windows, m.model, m.latent_dim, m.overlap == 0, m.detail_size > 0)

    def changed(self, windows: Callable[[], Iterator[LatentWindow]]) -> WindowStream:
        """Return a stream of other windows of the same song and model."""
        return replace(self, windows=windows)

    def collect(self, z: Latent) -> Latent:
        """Return the windows as a latent like ``z``, of which they are a change."""
        fields = zip(LatentWindow._fields, zip(*self.windows(), strict=True), strict=True)
        return z.replace(**{name: np.stack(parts) for name, parts in fields if parts[0] is not None})


class InOrder:
    """Give the windows of a stream by index, for callers that ask for them one after the other.

    Args:
        stream: the windows; one is held at a time.
    """

    def __init__(self, stream: WindowStream) -> None:
        self._windows = enumerate(stream.windows())

    def __call__(self, i: int) -> LatentWindow:
        """Return window ``i``; ``i`` must grow from call to call.

        Raises:
            UsageError: the window has passed, or there is none.
        """
        for number, window in self._windows:
            if number == i:
                return window
        raise UsageError(f"window {i} of a stream has passed already, or the song ends before it")
