"""Audio that a studio made, in a temporary folder that cannot grow beyond a size and ends with the studio."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.audio import Audio
from celesta.errors import UsageError

MOST_BYTES = 1 << 30
FORMATS = ("wav", "flac", "ogg", "mp3")
"""Suffixes of exported audio."""


@dataclass(frozen=True)
class Render:
    """A file that was made.

    Attributes:
        id: random name.
        path: of the file: ``.f32`` (samples, channel after channel) or one to download.
        name: file name for downloads.
        sample_rate: Hz; 0 where it is no audio.
        channels: of the audio.
        size: bytes.
    """

    id: str
    path: Path
    name: str
    sample_rate: int
    channels: int
    size: int


class Renders:
    """A folder of renders; the oldest are deleted where they take more than 1 GiB.

    Args:
        most_bytes: size of all renders.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="celesta-studio-"))
        self._most = most_bytes
        self._renders: OrderedDict[str, Render] = OrderedDict()
        self._lock = threading.Lock()

    def samples(self, x: Audio, name: str) -> Render:
        """Store samples for the page."""
        path = self._path(".f32")
        path.write_bytes(np.ascontiguousarray(x.samples, "<f4").tobytes())
        return self._added(path, name, x.sample_rate, len(x.samples))

    def file(self, path: Path, name: str, sample_rate: int = 0, channels: int = 0) -> Render:
        """Take over a file that lies in :attr:`folder`."""
        return self._added(path, name, sample_rate, channels)

    def text(self, text: str, name: str) -> Render:
        """Store a text to download."""
        path = self._path(Path(name).suffix)
        path.write_text(text, encoding="utf-8")
        return self._added(path, name, 0, 0)

    def new(self, suffix: str) -> Path:
        """Return a path for a file that is to be made."""
        return self._path(suffix)

    def get(self, render_id: str) -> Render | None:
        """Return a render, None where it is unknown or was deleted."""
        with self._lock:
            found = self._renders.get(render_id)
            if found is not None:
                self._renders.move_to_end(render_id)
            return found

    def load(self, render: Render) -> Audio:
        """Read samples back."""
        data = np.frombuffer(render.path.read_bytes(), "<f4").reshape(render.channels, -1)
        return Audio(data.astype(np.float32), render.sample_rate)

    def converted(self, render: Render, suffix: str) -> Render:
        """Write samples as an audio file to download.

        Raises:
            UsageError: the format is unknown, or the render holds no samples.
        """
        if suffix not in FORMATS or render.path.suffix != ".f32":
            raise UsageError(f"cannot export to {suffix!r}; choose one of {', '.join(FORMATS)}")
        path = self._path(f".{suffix}")
        audio.write(path, self.load(render))
        return self._added(path, f"{Path(render.name).stem}.{suffix}", render.sample_rate, render.channels)

    def close(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, suffix: str) -> Path:
        return self.folder / f"{secrets.token_hex(12)}{suffix}"

    def _added(self, path: Path, name: str, sample_rate: int, channels: int) -> Render:
        render = Render(secrets.token_hex(12), path, name, sample_rate, channels, path.stat().st_size)
        with self._lock:
            self._renders[render.id] = render
            total = sum(one.size for one in self._renders.values())
            while total > self._most and len(self._renders) > 1:
                _, old = self._renders.popitem(last=False)
                total -= old.size
                with contextlib.suppress(OSError):
                    old.path.unlink()
        return render
