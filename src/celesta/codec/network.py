"""A model run window by window, through the runtime of :mod:`celesta.models.runtime`: NumPy arrays in and out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from celesta.codec.batching import run_rows
from celesta.codec.windowing import Window
from celesta.entropy.table_file import Tables, load_tables
from celesta.entropy.window import envelope_of
from celesta.errors import LatentError, ModelError
from celesta.latents import LatentWindow
from celesta.latents.window import ENVELOPE_FRAMES, ENVELOPE_ROWS

if TYPE_CHECKING:
    from celesta.models.base import Model
    from celesta.models.runtime import Runtime


class ChannelAnalysis(NamedTuple):
    """What is coded of an audio channel of a window.

    Attributes:
        base: ``(channels, frames)``.
        c: coefficients ``(bands, frames)``.
        envelope: their envelope indices ``(25, frames / 4)``; ``(0, 0)`` for codecs without an envelope.
    """

    base: np.ndarray
    c: np.ndarray
    envelope: np.ndarray


Analysis = list[ChannelAnalysis]
"""One entry for each audio channel of a window."""
HALF_POWER = np.float32(0.5**0.5)


class WindowNetwork:
    """A model in inference mode.

    Args:
        name: of the model, for messages.
        model: a model of PyTorch, which is prepared and moved to the device, or a runtime that is ready.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; of a model of PyTorch.
        precision: ``float32``, ``bfloat16`` or ``auto``; of a model of PyTorch.

    Raises:
        UsageError: device or precision are unknown or not there.
    """

    def __init__(self, name: str, model: Model | Runtime, device: str = "cpu", precision: str = "float32") -> None:
        from celesta.models.runtime import runtime_of

        self.name, self.precision = name, precision
        self.runtime = runtime_of(model, device, precision)
        self.model, self.device = self.runtime.model, self.runtime.device

    def windows_at_once(self, channels: int) -> int:
        """Return how many windows go through the network in one call: one on the CPU."""
        return max(1, self.runtime.batch // channels)

    def encode(self, windows: Iterable[Window]) -> Iterator[LatentWindow]:
        """Encode windows with their context, channel by channel, so that no channel's latent depends on another's."""
        for some in self._together(windows):
            prepared = [self._scaled(window) for window in some]
            rows: list[dict[str, np.ndarray | int]] = [{"x": one[None]} for x, _ in prepared for one in x]
            parts = iter(run_rows(self.runtime.encoder, rows, self.runtime.batch))
            for window, (x, gain) in zip(some, prepared, strict=True):
                yield self._latent(window, gain, [next(parts) for _ in x])

    def _together(self, windows: Iterable[Window]) -> Iterator[list[Window]]:
        """Yield the windows of one call of the network."""
        stream = iter(windows)
        for first in stream:
            more = self.windows_at_once(len(first.samples)) - 1
            yield [first, *itertools.islice(stream, more)]

    def _scaled(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Return the samples as the network takes them, and their gain."""
        x = np.ascontiguousarray(window.samples)
        gain = np.ones(len(x), np.float32)
        if self.model.normalise:
            gain = np.abs(x).max(axis=1)
            x = x / np.where(gain > 0, gain, 1)[:, None]
        return x, gain

    def _latent(self, window: Window, gain: np.ndarray, parts: Sequence[dict[str, np.ndarray]]) -> LatentWindow:
        """Take the context off what the encoder made of each channel."""
        model = self.model
        first = window.left // model.hop_length
        keep = slice(first, first + model.window_frames)
        return LatentWindow(
            _joined([p["base"][..., keep] for p in parts]),
            _joined([p["places"][..., keep].astype(np.uint16) for p in parts]),
            _joined([p["values"][..., keep] for p in parts]),
            gain,
            self._envelope([p["envelope"] for p in parts], first),
        )

    def _envelope(self, envelopes: list[np.ndarray], first: int) -> np.ndarray | None:
        """Return a window's envelope of all channels, its context taken off; None where the model has none."""
        if not envelopes[0].size:
            return None
        count = -(-self.model.window_frames // ENVELOPE_FRAMES)
        columns = slice(first // ENVELOPE_FRAMES, first // ENVELOPE_FRAMES + count)
        return _joined([one[..., columns] for one in envelopes])

    def decode(self, window: Callable[[int], LatentWindow], indices: Sequence[int], count: int) -> list[np.ndarray]:
        """Decode windows of ``count`` to ``(channels, samples)`` each, their neighbours being their context.

        Args:
            window: gives a window by its index.
            indices: of the windows.
            count: number of windows.

        Raises:
            LatentError: places are out of range, or a window does not decode to finite audio.
        """
        model = self.model
        frames = model.context // model.hop_length
        left = [frames if i > 0 else 0 for i in indices]
        right = [frames if i + 1 < count else 0 for i in indices]
        found = [self._surroundings(window, *one) for one in zip(indices, left, right, strict=True)]
        most = max(around.places.shape[1] for _, around in found)
        around = [one.padded(most) for _, one in found]
        channels = []
        for channel in range(len(around[0].base)):
            rows = [self._row(one, channel, i, before) for one, i, before in zip(around, indices, left, strict=True)]
            own = {"channel": channel} if model.capabilities.has_envelope else {}
            channels.append(self._decoded(rows, left, right, own))
        made = []
        for i, (here, _), samples in zip(indices, found, map(np.stack, zip(*channels, strict=True)), strict=True):
            if not np.isfinite(samples).all():
                raise LatentError(
                    f"{self.name}: window {i} does not decode to finite audio; its values are out of range"
                )
            made.append(samples * here.gain[:, None] if model.normalise else samples)
        return made

    def _row(self, around: LatentWindow, channel: int, i: int, left: int) -> dict[str, np.ndarray | int]:
        """Return what the decoder takes of a channel of a window with its context."""
        model = self.model
        row: dict[str, np.ndarray | int] = {
            "base": around.base[channel].astype(np.float32),
            "places": around.places[channel].astype(np.int64),
            "values": around.values[channel].astype(np.float32),
            "start": i * (model.window - model.overlap) // model.hop_length - left,
        }
        if around.envelope is not None:
            row["envelope"] = around.envelope[channel].astype(np.float32)
        return row

    def _decoded(
        self, rows: Sequence[dict[str, np.ndarray | int]], left: list[int], right: list[int], own: dict[str, int]
    ) -> list[np.ndarray]:
        """Decode one channel of windows with so many frames of context, which are taken off."""
        hop, window = self.model.hop_length, self.model.window
        made: list[np.ndarray] = []
        for frames, some in itertools.groupby(zip(rows, left, right, strict=True), key=lambda item: item[1] + item[2]):
            listed = list(some)
            total = frames * hop + window
            parts = [row for row, _, _ in listed]
            outs = run_rows(self.runtime.decoder, parts, self.runtime.batch, length=total, **own)
            for out, (_, before, _) in zip(outs, listed, strict=True):
                made.append(out["out"][0, 0, before * hop : before * hop + window])
        return made

    def _surroundings(
        self, window: Callable[[int], LatentWindow], i: int, left: int, right: int
    ) -> tuple[LatentWindow, LatentWindow]:
        """Return a window, and the same with frames of its neighbours around it."""
        here = window(i)
        around = [here]
        if left:
            around.insert(0, window(i - 1).frames(slice(-left, None)))
        if right:
            around.append(window(i + 1).frames(slice(0, right)))
        most = max(part.places.shape[1] for part in around)
        padded = [part.padded(most) for part in around]
        places = np.concatenate([part.places for part in padded], axis=-1)
        if places.size and int(places.max()) >= self.model.hop_length:
            raise LatentError(
                f"{self.name}: window {i}: place {places.max()} of the detail lies outside"
                f" 0..{self.model.hop_length - 1}; the latent was changed, or is of another model"
            )
        base, values = (np.concatenate([getattr(p, part) for p in padded], axis=-1) for part in ("base", "values"))
        envelopes = [part.envelope for part in padded if part.envelope is not None]
        envelope = np.concatenate(envelopes, axis=-1) if envelopes else None
        return here, LatentWindow(base, places, values, here.gain, envelope)

    # ---- for models that code to a bitrate

    def analyse(self, windows: Iterable[Window], mid_side: bool) -> Iterator[Analysis]:
        """Compute base and all coefficients of each channel of windows, their context's frames taken off."""
        model = self.coding_model()
        to_base = self.runtime.function("base")
        for some in self._together(windows):
            samples = [_mid_side(w.samples) if mid_side else np.ascontiguousarray(w.samples) for w in some]
            transformed = [self.coefficients(x) for x in samples]
            rows: list[dict[str, np.ndarray | int]] = [
                {"x": one[None], "c": own}
                for x, c in zip(samples, transformed, strict=True)
                for one, own in zip(x, c, strict=True)
            ]
            # Channel by channel, so that a channel's numbers do not depend on the others'.
            bases = iter(run_rows(to_base, rows, self.runtime.batch))
            for window, c in zip(some, transformed, strict=True):
                first = window.left // model.hop_length
                keep = slice(first, first + model.window_frames)
                made = []
                for own in c:
                    kept = np.ascontiguousarray(own[keep].T)  # what follows goes through it many times
                    base = next(bases)["out"][0]
                    made.append(ChannelAnalysis(base[keep].T, kept, envelope_of(kept, self.tables)))
                yield made

    def coefficients(self, x: np.ndarray) -> np.ndarray:
        """Compute the MDCT ``(channels, frames, bands)`` of samples ``(channels, n)``."""
        self.coding_model()
        return self.runtime.function("mdct").run(x=np.ascontiguousarray(x))["out"]

    @property
    def tables(self) -> Tables:
        """Tables to code with.

        Raises:
            ModelError: they are missing or damaged.
        """
        return load_tables(ENVELOPE_ROWS if self.model.capabilities.has_envelope else 0)

    @property
    def codes_to_bitrate(self) -> bool:
        """Whether the model can be coded to a bitrate or a quality."""
        return self.model.capabilities.codes_to_bitrate

    def coding_model(self) -> Any:
        """Return the model.

        Raises:
            ModelError: it cannot be coded to a bitrate.
        """
        if not self.codes_to_bitrate:
            from celesta.models import registry

            able = ", ".join(one.name for one in registry.shipped() if one.capabilities.codes_to_bitrate)
            raise ModelError(f"{self.name}: cannot be coded to a bitrate or quality; use --bits, or one of {able}")
        return self.model


def _mid_side(x: np.ndarray) -> np.ndarray:
    return np.stack([x[0] + x[1], x[0] - x[1]]) * HALF_POWER


def _joined(channels: list[np.ndarray]) -> np.ndarray:
    """Concatenate the channels' arrays; one alone is not copied, which for dense latents would take a while."""
    return channels[0] if len(channels) == 1 else np.concatenate(channels)
