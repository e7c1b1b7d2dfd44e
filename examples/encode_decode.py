"""Encode a song, keep its latent, decode it again.

Run: python examples/encode_decode.py [SONG] [MODEL]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import celesta
from celesta.report.demo import CLIPS


def main() -> None:
    """Encode, save, load, decode; print what it took."""
    song = Path(sys.argv[1]) if len(sys.argv) > 1 else min(CLIPS.glob("*.ogg"))
    codec = celesta.load(sys.argv[2] if len(sys.argv) > 2 else "sparse-64")
    z = codec.encode(song)
    print(f"{song.name}: base {z.base.shape}, detail {z.values.shape}, {z.floats_per_second:.0f} floats/s")
    with tempfile.TemporaryDirectory() as folder:
        z.save(Path(folder) / "song.cel")
        back = codec.decode(celesta.Latent.load(Path(folder) / "song.cel"))
        celesta.write(Path(folder) / "back.flac", back)
    print(f"back: {back.samples.shape[1]} samples at {back.sample_rate} Hz, as many as the song had")


if __name__ == "__main__":
    main()
