"""Add golden files: .cel files that every later release must still decode, and what they decode to.

Run: python scripts/make_golden.py

Only files that are not there yet are written, so that a new model adds its own and changes no other. To replace a
file, for example because other weights ship, delete it first. Latents of trained models are large and, after a short
clip, the same in most frames, so their files are compressed with xz.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import celesta
from celesta._files import atomic
from celesta.audio import Audio, read
from celesta.latents import CelReader, Latent
from celesta.latents.header import VERSION
from celesta.models import registry

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "tests" / "golden"
CLIPS = ROOT / "src" / "celesta" / "clips"
POINTS = 2_000
SCALE = 1_000_000


@dataclass(frozen=True)
class Golden:
    """One file: a model, seconds of a clip, channels, how the numbers are stored."""

    model: str
    clip: str
    seconds: float
    channels: int
    dtype: str = "float16"
    bits: int | None = None
    kbps: float | None = None

    @property
    def name(self) -> str:
        """Name of the file without its suffix."""
        layout = "stereo" if self.channels == 2 else "mono"
        kept = f"bits{self.bits}" if self.bits else f"{self.kbps:g}kbps" if self.kbps else self.dtype
        return f"{self.model}-{layout}-{kept}"


SPECIAL = (
    Golden("linear-64", "reggae", 3, 2, "float32"),
    Golden("linear-64", "rock", 6, 1),  # two windows: frames are joined
    Golden("linear-64", "house", 3, 2, bits=8),
    Golden("sparse-64", "reggae", 6, 2),
    Golden("sparse-64", "ambient", 3, 1, "float32"),
    Golden("sparse-64", "rock", 3, 2, bits=6),
    Golden("pca-64", "orchestral", 3, 1, "float32"),
    Golden("pca-64", "house", 6, 2),
    Golden("pca-64", "rock", 3, 1, bits=4),
    *(Golden(f"cel-{which}", "rock", 0.05, 1) for which in ("lr", "silu", "2", "3")),
    Golden("cel-lr", "reggae", 0.1, 1, bits=5),
    Golden("cel-3", "reggae", 0.3, 2, bits=8),
    Golden("nested", "rock", 12, 1, kbps=3),  # two windows
    Golden("nested", "reggae", 4, 2, kbps=24),
    Golden("nested", "orchestral", 2, 1),
    Golden("nested2", "rock", 12, 1, kbps=3),
    Golden("nested2", "reggae", 4, 2, kbps=24),
    Golden("nested2", "orchestral", 2, 1),
)
"""Files that cover what one file for each model does not: windows that join, stereo, types, bits, bitrates."""


def wanted() -> list[Golden]:
    """List the special files, and one second of mono for every model that has none of them."""
    covered = {golden.model for golden in SPECIAL}
    return [*SPECIAL, *(Golden(one.name, "rock", 1, 1) for one in registry.shipped() if one.name not in covered)]


def main() -> None:
    """Write every missing file whose model is installed, and add it to golden.json."""
    index = TARGET / "golden.json"
    facts = json.loads(index.read_text(encoding="utf-8"))
    for golden in wanted():
        file = registry.entry(golden.model).weights_file
        if any((TARGET / f"{golden.name}{suffix}").is_file() for suffix in (".cel", ".cel.xz")):
            continue
        if file is not None and not file.is_file():
            print(f"{golden.name}: left out, its weights are not installed")
            continue
        path, about = write(golden)
        facts[path.name] = about
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    lines = [f"{json.dumps(name)}:{json.dumps(about, separators=(',', ':'))}" for name, about in facts.items()]
    with atomic(index) as temporary:
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def write(golden: Golden) -> tuple[Path, dict[str, object]]:
    """Write one file; return its path, and what its header must say and what it must decode to."""
    codec = celesta.load(golden.model)
    # From the third second on: several clips begin softly.
    signal = read(CLIPS / f"{golden.clip}.ogg", start=3.0, duration=golden.seconds, mono=golden.channels == 1)
    path = TARGET / f"{golden.name}.cel"
    if golden.kbps:
        codec.encode_file(signal, path, kbps=golden.kbps)
    else:
        codec.encode(signal).save(path, dtype=None if golden.bits else golden.dtype, bits=golden.bits)
    with CelReader(path) as reader:
        meta = reader.meta
    latent = Latent.load(path)
    about: dict[str, object] = {
        "format_version": VERSION,
        "celesta": celesta.__version__,
        "cel_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "model": meta.model,
        "weights": meta.weights,
        "encoding": meta.encoding,
        "latent_sha256": digest(latent),
        **expected(codec.decode(latent)),
    }
    if registry.entry(golden.model).model.capabilities.has_weights and not golden.kbps:
        packed = path.with_suffix(".cel.xz")
        packed.write_bytes(lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME))
        path.unlink()
        path = packed
    return path, about


def digest(latent: Latent) -> str:
    """SHA-256 of a latent's numbers."""
    found = hashlib.sha256()
    for part in (latent.base, latent.places, latent.values, latent.gain, latent.envelope):
        if part is None:
            continue
        found.update(np.ascontiguousarray(part).astype(part.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()


def expected(signal: Audio) -> dict[str, object]:
    """Describe decoded audio: shape, each channel's mean square, up to 2000 samples spread over it, in millionths."""
    channels, n = signal.samples.shape
    at = np.unique(np.linspace(0, n - 1, min(POINTS // channels, n)).astype(int))
    return {
        "sample_rate": signal.sample_rate,
        "shape": [channels, n],
        "power": [float(np.mean(channel.astype(np.float64) ** 2)) for channel in signal.samples],
        "at": at.tolist(),
        "millionths": np.rint(signal.samples[:, at].astype(np.float64) * SCALE).astype(int).tolist(),
    }


if __name__ == "__main__":
    main()
