#!/usr/bin/env python3
"""Make the sounds of the tutorial on new versions of a song, from the clips that ship: python scripts/docs_sounds.py.

Every sound is mono, so that all of them together have about a megabyte.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import celesta
from celesta import variations
from celesta.audio import Audio
from celesta.report.demo import CLIPS

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "extra" / "sounds"


def clip(name: str) -> Audio:
    """Return a clip, mono."""
    return celesta.read(CLIPS / f"{name}.ogg", mono=True)


def part(x: Audio, start: float, stop: float) -> Audio:
    """Return a stretch, in seconds."""
    return Audio(x.samples[:, round(start * x.sample_rate) : round(stop * x.sample_rate)], x.sample_rate)


def sounds() -> Iterator[tuple[str, Audio]]:
    """Yield the names of the sounds and their samples."""
    rock, house, reggae = clip("rock"), clip("house"), clip("reggae")
    yield "rock", part(rock, 0, 8)
    yield "rock-longer", variations.extend(rock, 24.0)
    best = variations.find_loops(house)[0]
    with variations.Material(house) as song:
        yield "house-loop", variations.loop_audio(song, best, 3)
    damaged = rock.samples.copy()
    damaged[:, 5 * rock.sample_rate : round(5.5 * rock.sample_rate)] = 0
    yield "rock-gap", part(Audio(damaged, rock.sample_rate), 3, 7.5)
    yield "rock-repaired", part(variations.repair(Audio(damaged, rock.sample_rate), 5.0, 5.5), 3, 7.5)
    yield "rock-to-house", variations.bridge(rock, house, 4.0, around=3.0)
    yield "reggae-mosaic", part(Audio(variations.mosaic(reggae, [house, rock]).samples, reggae.sample_rate), 0, 8)
    codec = celesta.load("nested2")
    z, other = codec.encode(part(rock, 0, 6)), codec.encode(part(house, 0, 6))
    yield "rock-brighter", codec.decode(variations.brightness(z, 2))
    yield "rock-higher", codec.decode(variations.transpose(z, 3))
    yield "rock-morph-house", codec.decode(variations.morph(z, other, [0, 1]))
    yield "rock-like-house", codec.decode(variations.style(z, other, 0.7))


def main() -> None:
    """Write the sounds and print their sizes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, x in sounds():
        samples = x.samples * min(1.0, 0.95 / float(np.abs(x.samples).max()))
        file = FOLDER / f"{name}.ogg"
        celesta.write(file, samples, x.sample_rate)
        print(f"{file.name}: {samples.shape[1] / x.sample_rate:.1f} s, {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
