"""The bars of the codec, each met or missed by how much, next to Opus, MP3, the baselines and encodec.

Run: make bench-codec, or
     python benchmarks/codec.py --data GTZAN [--stereo cache/free-music] [--only rate floats ...] [--json FILE]

1 mono         real files at several bitrates against Opus at the same bitrate and at twice the bitrate
2 stereo       the same in stereo, with measures of the stereo image, and by package
3 waveform     SI-SDR at least 1 dB above Opus at twice the bitrate; no clip falls up the ladder; its transparent end
4 base         the dense base alone
5 speed        of stereo on all cores, and against encodec; memory of a long file against a short one
7 floats       the latent before quantisation, against baselines with as many numbers

Intervals are over clips (bootstrap, 95 %); a verdict goes by the means, and a difference is ours less what is wanted.
ViSQOL and Zimtohrli are measured in other processes meanwhile; their results are saved (--cache), as the others' files
do not change from run to run. The parts are in the files _codec_*.py next to this one. --quick takes a third of the
time: fewer clips and bitrates of the others.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _codec_bench import Bench

PARTS = (
    "speed",
    "rate",
    "stereo",
    "transparent",
    "floats",
    "base",
    "memory",
)  # speed first, while nothing else runs
SHARDS = Path("cache/free-music")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="GTZAN with its lists")
    parser.add_argument("--stereo", type=Path, help=f"folder of shards with valid.pcm (default: {SHARDS}, if there)")
    parser.add_argument("--no-stereo", action="store_true", help="no stereo, even if the shards are there")
    parser.add_argument("--model", default="nested2", help="name, or folder of a run")
    parser.add_argument("--clips", type=int, default=50, help="of each set")
    parser.add_argument("--seconds", type=float, default=15, help="of each clip")
    parser.add_argument("--visqol-clips", type=int, default=16, help="clips that ViSQOL is measured on")
    parser.add_argument("--no-visqol", action="store_true")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--long", action="store_true", help="memory: a file of 10 h instead of 1 h")
    parser.add_argument("--minutes", type=float, help="memory: a long file of so many minutes")
    parser.add_argument("--cache", type=Path, default=Path("cache/bench-codec.jsonl"), help="what ViSQOL said before")
    parser.add_argument("--json", type=Path, help="also write all figures here")
    parser.add_argument("--html", type=Path, help="also write a page with curves and verdicts here")
    parser.add_argument("--quick", action="store_true", help="20 clips, ViSQOL on 8, without baselines and MP3")
    args = parser.parse_args()
    if args.quick:
        args.clips, args.visqol_clips = min(args.clips, 20), min(args.visqol_clips, 8)
    if args.clips < 1 or args.seconds < 1 or args.visqol_clips < 0:
        parser.error("--clips and --seconds must be at least 1, --visqol-clips not negative")
    return args


def bench_of(args: argparse.Namespace) -> Bench:
    """Load the codec and choose the clips; files that are missing are reported here, not after the first hour."""
    from _codec_bench import Bench, cores
    from _codec_ears import Ears

    from celesta import codec

    shards = args.stereo or (SHARDS if (SHARDS / "valid.json").is_file() else None)
    without = ("ViSQOL",) if args.no_visqol or not args.visqol_clips else ()
    bench = Bench(
        coder=codec.load(args.model),
        data=args.data,
        shards=None if args.no_stereo else shards,
        count=args.clips,
        seconds=args.seconds,
        heard=args.visqol_clips,
        ears=Ears(args.cache, min(2, cores()), without),
        quick=args.quick,
    )
    if set(args.only) - {"speed", "memory"}:
        bench.chosen, bench.stereo  # noqa: B018  (found and cached)
    for measure in ("ViSQOL", "Zimtohrli"):
        if measure not in bench.ears.measures:
            print(f"without {measure} (pip install 'celesta[quality]')")
    return bench


def run(args: argparse.Namespace) -> None:
    # Here, and not above: the processes that measure ViSQOL import this file too, and need none of it.
    from _codec_floats import base, floats
    from _codec_memory import memory
    from _codec_page import write_json, write_page
    from _codec_rate import rate, stereo, transparent
    from _codec_speed import speed

    from celesta.audio import AudioWarning

    warnings.simplefilter("ignore", AudioWarning)  # a decoded sample beyond full scale is clipped; so are the others'
    bench = bench_of(args)
    minutes = args.minutes or (600 if args.long else 60)
    parts = {
        "speed": speed,
        "rate": rate,
        "stereo": stereo,
        "transparent": transparent,
        "floats": floats,
        "base": base,
        "memory": lambda b: memory(b, minutes),
    }
    began = time.monotonic()
    try:
        for name in PARTS:
            if name in args.only:
                parts[name](bench)
                if args.json:
                    write_json(bench, args.json)  # after every part, so that a run cut short is not lost
    finally:
        bench.ears.close()
    bench.bars.summary()
    print(f"\n{time.monotonic() - began:.0f} s")
    if args.json:
        print(f"figures: {args.json}")
    if args.html:
        write_page(bench, args.html)
        print(f"page: {args.html}")


def main() -> None:
    from celesta.errors import CelestaError

    args = options()
    try:
        run(args)
    except CelestaError as error:
        sys.exit(f"codec.py: {error}")
    except KeyboardInterrupt:
        sys.exit("codec.py: stopped")


if __name__ == "__main__":
    main()
