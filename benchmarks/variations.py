"""Print the figures of operations on songs, each next to its controls.

Run: python benchmarks/variations.py --music FOLDER --data GTZAN [--only joins gaps ...] [--write-cards]

--music is a folder of songs of some minutes, --data a folder of excerpts; without them the clips that ship are used.
Nothing was tuned on GTZAN's excerpts with even numbers, nor on the folder of songs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from _variation_fills import beats, gaps, mosaics
from _variation_joins import bridges, joins, lengths
from _variation_repeats import repetition
from _variation_sliders import cards
from _variation_tables import show, songs_of

from celesta import variations
from celesta.audio import Audio
from celesta.variations.extend import plan_extension
from celesta.variations.material import Material
from celesta.variations.sliders import SLIDERS

PARTS = ("beats", "joins", "bridges", "lengths", "repeats", "gaps", "mosaics", "sliders", "speed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--music", type=Path, nargs="*", default=[], help="folders of whole songs")
    parser.add_argument("--data", type=Path, help="folder of excerpts, such as GTZAN")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--songs", type=int, default=50, help="of each part; fewer where a part needs fewer")
    parser.add_argument("--targets", type=int, default=100, help="random lengths")
    parser.add_argument("--model", default="nested2")
    parser.add_argument("--gaps", nargs="*", type=float, default=[0.1, 0.5, 2.0], help="seconds of gaps")
    parser.add_argument("--sliders", nargs="*", choices=SLIDERS, default=list(SLIDERS), help="of the part sliders")
    parser.add_argument("--write-cards", action="store_true", help="write the sliders' cards into the package")
    options = parser.parse_args()
    whole = songs_of(options.music, options.songs, shortest=40)
    excerpts = [f for f in songs_of([options.data] if options.data else [], 2000) if _even(f)][: options.songs]
    for part in options.only:
        began = time.perf_counter()
        if part == "beats":
            beats(excerpts)
        elif part == "joins":
            joins(whole)
        elif part == "bridges":
            bridges(whole, min(10, options.songs // 2))
        elif part == "lengths":
            lengths(whole[: max(5, options.songs // 5)], options.targets)
        elif part == "repeats":
            repetition(whole)
        elif part == "gaps":
            gaps(excerpts, options.gaps)
        elif part == "mosaics":
            mosaics([(excerpts[i], excerpts[-1 - i]) for i in range(min(20, len(excerpts) // 2))])
        elif part == "sliders":
            target = Path(variations.__file__).with_name("slider-cards.json") if options.write_cards else None
            cards(whole[:10], options.model, 4.0, target, options.sliders)
        elif part == "speed":
            speed(whole[0])
        print(f"\n({part}: {time.perf_counter() - began:.0f} s)", flush=True)


def speed(file: Path) -> None:
    """Print seconds for a song of four minutes."""
    with Material(file) as song:
        x = np.tile(song.read(0, song.n_samples), (1, int(np.ceil(240 / song.duration))))[:, : 240 * song.sample_rate]
        rate = song.sample_rate
    rows = []
    with Material(Audio(x, rate)) as song:
        began = time.perf_counter()
        analysis = variations.analyse(song)
        rows.append(["analysis of 4 min", f"{time.perf_counter() - began:.1f}", "20"])
        began = time.perf_counter()
        plan = plan_extension(song, analysis, 1800 * rate)
        for _ in plan.blocks(song):
            pass
        rows.append(["extension to 30 min", f"{time.perf_counter() - began:.1f}", "10"])
        sources = [Audio(np.roll(x, k * rate, axis=1), rate) for k in range(1, 16)]
        began = time.perf_counter()
        analyses = [variations.analyse(one) for one in sources]
        analysed = time.perf_counter() - began
        began = time.perf_counter()
        variations.mosaic(song, sources)
        seconds = time.perf_counter() - began - analysed
        rows.append([f"mosaic of 4 min from {len(analyses) * 4} min, analysed", f"{seconds:.1f}", "60"])
    show("Seconds", ["operation", "seconds", "limit"], rows)


def _even(file: Path) -> bool:
    digits = "".join(c for c in file.stem if c.isdigit())
    return not digits or int(digits) % 2 == 0


if __name__ == "__main__":
    main()
