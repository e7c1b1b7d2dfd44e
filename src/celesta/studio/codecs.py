"""Loaded models, and latents of selections, kept for the next request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from celesta import audio
from celesta import codec as codec_module
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.codec.decoding import resample_blocks
from celesta.errors import UsageError
from celesta.latents import CelReader, Latent
from celesta.latents.window import ENVELOPE_FRAMES, LatentWindow
from celesta.studio import warned

_CODECS, _SELECTIONS = 3, 12
_FIRST_PIECE, _PIECE = 64, 160  # frames that are decoded at once: the first few, so that the audio begins soon


@dataclass(frozen=True, eq=False)
class Selection:
    """A stretch of a song with its latent.

    Attributes:
        codec: of the latent.
        x: the audio.
        z: its latent.
    """

    codec: Codec
    x: Audio
    z: Latent


class Codecs:
    """Models by name, the latest three in memory; one network computes at a time."""

    def __init__(self) -> None:
        self._codecs: OrderedDict[str, Codec] = OrderedDict()
        self._selections: OrderedDict[tuple[object, ...], Selection] = OrderedDict()
        self._lock = threading.Lock()
        self.computing = threading.Lock()
        """Held while a network computes: networks use all processors."""

    def get(self, name: str) -> Codec:
        """Load a model by its name; folders of training runs are not accepted from a page.

        Raises:
            ModelError: there is no such model, or its weights are missing.
        """
        from celesta.models import registry

        registry.entry(name)
        with self._lock:
            if name not in self._codecs:
                self._codecs[name] = codec_module.load(name)
                while len(self._codecs) > _CODECS:
                    self._codecs.popitem(last=False)
            self._codecs.move_to_end(name)
            return self._codecs[name]

    def read(self, path: Path, start: float, stop: float) -> Audio:
        """Read a stretch of an audio file, or decode it from a .cel file; mono or the first two channels.

        Raises:
            CelestaError: it cannot be read.
        """
        if path.suffix.lower() == ".cel":
            x = self._decoded(path, start, stop)
        else:
            with warned.collected():
                x = audio.read(path, start=start, duration=stop - start)
        return Audio(x.samples[:2], x.sample_rate)

    def _decoded(self, path: Path, start: float, stop: float) -> Audio:
        with CelReader(path) as reader:
            codec = self.get(reader.meta.model)
            last = min(stop, reader.seconds)
        with self.computing:
            z = Latent.load(path)
            return codec.decode(z, start=start, stop=last)

    def selection(self, path: Path, start: float, stop: float, model: str) -> Selection:
        """Return a stretch of a song with its latent, which is computed once.

        Raises:
            CelestaError: it cannot be read, or the model cannot be loaded.
        """
        key = (str(path), path.stat().st_mtime_ns, round(start, 4), round(stop, 4), model)
        with self._lock:
            if key in self._selections:
                self._selections.move_to_end(key)
                return self._selections[key]
        codec = self.get(model)
        x = self.read(path, start, stop)
        with self.computing:
            made = Selection(codec, x, codec.encode(x))
        with self._lock:
            self._selections[key] = made
            while len(self._selections) > _SELECTIONS:
                self._selections.popitem(last=False)
        return made


def decode_in_pieces(codec: Codec, z: Latent) -> Iterator[np.ndarray]:
    """Decode a latent to blocks ``(channels, n)`` at the source's sample rate, the first one after a short time.

    Models whose frames follow each other are decoded in pieces shorter than their windows, with the model's own
    context on both sides of each; others window by window.
    """
    model = codec.model
    if not z.continuous or model.context == 0 or model.normalise:
        yield codec.decode(z).samples
        return
    length = audio.resampled_length(z.n_samples, z.source_rate, z.sample_rate)
    left = z.n_samples
    for block in resample_blocks(_pieces(codec, z, length), z.sample_rate, z.source_rate):
        if left > 0:
            yield block[:, :left]
        left -= block.shape[1]


def _pieces(codec: Codec, z: Latent, length: int) -> Iterator[np.ndarray]:
    """Decode at the model's sample rate."""
    hop, whole = z.hop_length, _joined(z)
    context = codec.model.context // hop
    total = -(-length // hop)
    first, size = 0, _FIRST_PIECE
    while first < total:
        last = min(first + size, total)
        begin, end = max(0, first - context), min(last + context, whole.base.shape[-1])
        part = whole.frames(slice(begin, end))
        rows = []
        for channel in range(z.channels):
            arrays = {
                "base": part.base[channel : channel + 1],
                "places": part.places[channel : channel + 1].astype(np.int64),
                "values": part.values[channel : channel + 1],
            }
            if part.envelope is not None:
                arrays["envelope"] = part.envelope[channel : channel + 1]
            made = codec.network.runtime.decoder.run(**arrays, length=(end - begin) * hop, start=begin)["out"][0, 0]
            rows.append(made[(first - begin) * hop : (last - begin) * hop])
        block = np.stack(rows)
        if not np.isfinite(block).all():
            raise UsageError("the changed latent does not decode to finite audio; use weaker settings")
        if z.mid_side:
            block = np.stack([block[0] + block[1], block[0] - block[1]]) * np.float32(0.5**0.5)
        yield block[:, : length - first * hop]
        first, size = last, _PIECE


def _joined(z: Latent) -> LatentWindow:
    """Return all windows as one; columns of the envelope are groups of four frames, as windows are whole groups."""
    base, places, values = z.timeline()
    envelope = None
    if z.envelope is not None and z.frames % ENVELOPE_FRAMES == 0:
        w, c, rows, columns = z.envelope.shape
        envelope = z.envelope.transpose(1, 2, 0, 3).reshape(c, rows, w * columns)
    return LatentWindow(base, places, values, z.gain[0], envelope)
