"""Loaded models, and latents of selections, kept for the next request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from celesta import audio
from celesta import codec as codec_module
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.latents import CelReader, Latent, is_cel
from celesta.studio import warned

_CODECS, _SELECTIONS = 3, 12
_MOST_BYTES = 256 << 20  # of selections in memory, the latest one excepted


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

    @property
    def size(self) -> int:
        """Bytes of its arrays."""
        z = self.z
        arrays = (self.x.samples, z.base, z.places, z.values, *(() if z.envelope is None else (z.envelope,)))
        return sum(one.nbytes for one in arrays)


class Codecs:
    """Models by name, the latest three in memory.

    Attributes:
        computing: held by jobs while a network computes: networks use all processors.
        previewing: the same for what a page waits for, which does not wait for jobs.
    """

    def __init__(self) -> None:
        self._codecs: OrderedDict[str, Codec] = OrderedDict()
        self._selections: OrderedDict[tuple[object, ...], Selection] = OrderedDict()
        self._lock = threading.Lock()
        self.computing, self.previewing = threading.Lock(), threading.Lock()

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
        if is_cel(path):
            x = self._decoded(path, start, stop)
        else:
            with warned.collected():
                x = audio.read(path, start=start, duration=stop - start)
        return Audio(x.samples[:2], x.sample_rate)

    def _decoded(self, path: Path, start: float, stop: float) -> Audio:
        with CelReader(path) as reader:
            codec = self.get(reader.meta.model)
            last = min(stop, reader.seconds)
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
        with self.previewing:
            if key in self._selections:  # made while this request waited
                return self._selections[key]
            made = Selection(codec, x, codec.encode(x))
            with self._lock:
                self._selections[key] = made
                while len(self._selections) > _SELECTIONS or self._too_large():
                    self._selections.popitem(last=False)
        return made

    def _too_large(self) -> bool:
        size = sum(one.size for one in self._selections.values())
        return size > _MOST_BYTES and len(self._selections) > 1
