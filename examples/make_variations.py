"""Change a song's latent and listen: louder, noisy, smoothed, and half-way to another song.

Run: python examples/make_variations.py [SONG] [OTHER SONG]
"""

from __future__ import annotations

import sys
from pathlib import Path

import celesta
from celesta.report.demo import CLIPS


def main() -> None:
    """Write five sounds beside each other into the folder `variations`."""
    songs = [Path(name) for name in sys.argv[1:3]] or sorted(CLIPS.glob("*.ogg"))[:2]
    out = Path("variations")
    out.mkdir(exist_ok=True)
    codec = celesta.load("cel-3")
    sounds = [celesta.read(song, duration=10) for song in songs]
    z, other = (codec.encode(sound, mono=True) for sound in (sounds[0], sounds[-1]))
    for name, latent in {
        "plain": z,
        "gain-1.5": celesta.gain(z, 1.5),
        "noise-0.1": celesta.noise(z, 0.1, seed=7),
        "smooth-5": celesta.smooth(z, 5),
        "half-way": celesta.morph(z, other, 0.5),
    }.items():
        celesta.write(out / f"{name}.flac", codec.decode(latent))
        print(out / f"{name}.flac")


if __name__ == "__main__":
    main()
