"""Cut the clips that ship with Celesta from the music of Debian's package openclonk-data.

Run: apt-get download openclonk-data && dpkg -x openclonk-data_*.deb unpacked
     python scripts/make_clips.py unpacked
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from celesta.audio import Audio, read, write

SOURCE = "usr/share/games/openclonk/Music.ocg"
SECONDS = 15
FADE = 0.01
# Name of the clip: file and first second, a lively part of it (loudest 15 s, whole seconds).
CLIPS = {
    "house": ("@CrushedIceCocktail.ogg", 64),
    "reggae": ("IslandDreams.ogg", 113),
    "ambient": ("LucidDream.ogg", 147),
    "rock": ("Motorway.ogg", 148),
    "orchestral": ("UrbanBolero.ogg", 100),
}


def main(unpacked: Path) -> None:
    target = Path(__file__).parent.parent / "src" / "celesta" / "clips"
    for name, (file, start) in CLIPS.items():
        sound = read(unpacked / SOURCE / file, start=start, duration=SECONDS)
        samples = sound.samples.copy()
        # Loud parts of the originals overshoot full scale when decoded; leave room so that nothing clips.
        samples *= min(1.0, 0.891 / float(np.abs(samples).max()))
        ramp = np.linspace(0, 1, round(FADE * sound.sample_rate), dtype=np.float32)
        samples[:, : len(ramp)] *= ramp
        samples[:, -len(ramp) :] *= ramp[::-1]
        write(target / f"{name}.ogg", Audio(samples, sound.sample_rate))
        print(f"{name}.ogg: {samples.shape[1] / sound.sample_rate:.1f} s, peak {np.abs(samples).max():.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
