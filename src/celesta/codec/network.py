"""A model run window by window, through the runtime of :mod:`celesta.models.runtime`: NumPy arrays in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

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

    def encode(self, window: Window) -> LatentWindow:
        """Encode a window with its context, channel by channel, so that no channel's latent depends on another's."""
        model = self.model
        x = np.ascontiguousarray(window.samples)
        gain = np.ones(len(x), np.float32)
        if model.normalise:
            gain = np.abs(x).max(axis=1)
            x = x / np.where(gain > 0, gain, 1)[:, None]
        first = window.left // model.hop_length
        keep = slice(first, first + model.window_frames)
        parts = [self.runtime.encoder.run(x=channel[None, None]) for channel in x]
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

    def decode(self, window: Callable[[int], LatentWindow], i: int, count: int) -> np.ndarray:
        """Decode window ``i`` of ``count`` to ``(channels, samples)``, its neighbours being its context.

        Args:
            window: gives a window by its index.
            i: index.
            count: number of windows.

        Raises:
            LatentError: places are out of range, or the window does not decode to finite audio.
        """
        model = self.model
        frames = model.context // model.hop_length
        left, right = (frames if i > 0 else 0), (frames if i + 1 < count else 0)
        here, around = self._surroundings(window, i, left, right)
        start, length = left * model.hop_length, model.window
        first = i * (model.window - model.overlap) // model.hop_length - left
        total = (left + right) * model.hop_length + length
        decoded = []
        for channel in range(len(around.base)):
            one = slice(channel, channel + 1)
            parts: dict[str, np.ndarray] = {
                "base": around.base[one].astype(np.float32),
                "places": around.places[one].astype(np.int64),
                "values": around.values[one].astype(np.float32),
            }
            if around.envelope is not None:
                parts["envelope"] = around.envelope[one].astype(np.float32)
            own = {"channel": channel} if model.capabilities.has_envelope else {}
            made = self.runtime.decoder.run(**parts, length=total, start=first, **own)
            decoded.append(made["out"][0, 0, start : start + length])
        samples = np.stack(decoded)
        if not np.isfinite(samples).all():
            raise LatentError(f"{self.name}: window {i} does not decode to finite audio; its values are out of range")
        return samples * here.gain[:, None] if model.normalise else samples

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

    def analyse(self, window: Window, mid_side: bool) -> Analysis:
        """Compute base and all coefficients of each channel of a window, its context's frames taken off."""
        model = self.coding_model()
        x = np.ascontiguousarray(window.samples)
        if mid_side:
            x = np.stack([x[0] + x[1], x[0] - x[1]]) * HALF_POWER
        first = window.left // model.hop_length
        keep = slice(first, first + model.window_frames)
        c = self.coefficients(x)
        # Channel by channel, so that a channel's numbers do not depend on the others'.
        to_base = self.runtime.function("base")
        bases = [to_base.run(x=one[None, None], c=own[None])["out"][0] for one, own in zip(x, c, strict=True)]
        made = []
        for base, own in zip(bases, c, strict=True):
            kept = np.ascontiguousarray(own[keep].T)  # what follows goes through it many times
            made.append(ChannelAnalysis(base[keep].T, kept, envelope_of(kept, self.tables)))
        return made

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


def _joined(channels: list[np.ndarray]) -> np.ndarray:
    """Concatenate the channels' arrays; one alone is not copied, which for dense latents would take a while."""
    return channels[0] if len(channels) == 1 else np.concatenate(channels)
