"""Write the .cel files of this release that every later release must still decode, and what they decoded to.

Run: python scripts/make_golden.py

Files of a released format version are never rewritten: a later release adds its own beside them. The files of the
learnt models need the very weights that made them, so shipping other weights means running this again. Their latents
are wide and, behind a short sound, the same in most frames, so these files are kept xz-compressed.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import celesta
from celesta import codec as codecs
from celesta.audio import Audio, read
from celesta.codec.bitrate import Target, encode_file
from celesta.latents import CelReader, Latent

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "tests" / "golden"
CLIPS = ROOT / "src" / "celesta" / "clips"
POINTS = 2_000
SCALE = 1_000_000


@dataclass(frozen=True)
class Golden:
    """One file: a model, seconds of a clip, channels, how the numbers are kept."""

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
        sound = "stereo" if self.channels == 2 else "mono"
        kept = f"bits{self.bits}" if self.bits else f"{self.kbps:g}kbps" if self.kbps else self.dtype
        return f"{self.model}-{sound}-{kept}"


WANTED = (
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
)
LEARNT = ("cel-", "nested")


def main() -> None:
    """Write every file whose model is installed, and golden.json."""
    TARGET.mkdir(parents=True, exist_ok=True)
    facts = {}
    for golden in WANTED:
        if golden.model.startswith(LEARNT) and not (codecs.WEIGHTS / f"{golden.model}.safetensors").is_file():
            print(f"{golden.name}: left out, its weights are not installed")
            continue
        path, about = write(golden)
        facts[path.name] = about
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    lines = [f"{json.dumps(name)}:{json.dumps(about, separators=(',', ':'))}" for name, about in facts.items()]
    (TARGET / "golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def write(golden: Golden) -> tuple[Path, dict[str, object]]:
    """Write one file; its path, and what it must say and decode to."""
    codec = celesta.load(golden.model)
    # From the third second on: several clips begin softly.
    sound = read(CLIPS / f"{golden.clip}.ogg", start=3.0, duration=golden.seconds, mono=golden.channels == 1)
    path = TARGET / f"{golden.name}.cel"
    if golden.kbps:
        encode_file(codec, sound, path, Target(kbps=golden.kbps))
    else:
        codec.encode(sound).save(path, dtype=golden.dtype, bits=golden.bits)
    with CelReader(path) as reader:
        meta = reader.meta
    latent = Latent.load(path)
    about: dict[str, object] = {
        "format_version": 1,
        "celesta": celesta.__version__,
        "cel_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "model": meta.model,
        "weights": meta.weights,
        "encoding": meta.encoding,
        "latent_sha256": digest(latent),
        **expected(codec.decode(latent)),
    }
    if golden.model.startswith(LEARNT) and not golden.kbps:
        packed = path.with_suffix(".cel.xz")
        packed.write_bytes(lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME))
        path.unlink()
        path = packed
    return path, about


def digest(latent: Latent) -> str:
    """SHA-256 of a latent's numbers."""
    found = hashlib.sha256()
    for part in (latent.base, latent.places, latent.values, latent.gain):
        found.update(np.ascontiguousarray(part).astype(part.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()


def expected(sound: Audio) -> dict[str, object]:
    """The decoded sound: shape, each channel's mean square, and up to 2000 samples spread over it, in millionths."""
    channels, n = sound.samples.shape
    at = np.unique(np.linspace(0, n - 1, min(POINTS // channels, n)).astype(int))
    return {
        "sample_rate": sound.sample_rate,
        "shape": [channels, n],
        "power": [float(np.mean(channel.astype(np.float64) ** 2)) for channel in sound.samples],
        "at": at.tolist(),
        "millionths": np.rint(sound.samples[:, at].astype(np.float64) * SCALE).astype(int).tolist(),
    }


if __name__ == "__main__":
    main()
