"""Choose the codec's settings by measurement: power of the envelope in the steps, softening of the fill, base channels.

Run: python benchmarks/codec_settings.py --data GTZAN [--stereo cache/free-music] [--model RUN]

Validation music only: clips of GTZAN's validation list (22 050 Hz mono), or of the validation packages (44 100 Hz
stereo). Every setting is measured by real files. Of those whose SI-SDR is at least that of Opus at twice the bitrate
plus 1 dB, the one is chosen that has the least mel distance in units of .05 less ViSQOL in units of .03, the tolerances
of the benchmark's bars; where none has, the one with the highest SI-SDR. What is chosen goes to CHOICES in
src/celesta/latents/rate_control.py by hand.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from _codec_bench import START, Bench, spread
from _codec_ears import Ears
from _codec_points import Point, score
from _codec_rate import OPUS

from celesta import audio, codec, datasets
from celesta.audio import Audio
from celesta.codec import bitrate
from celesta.entropy.window import NO_DETAIL, Settings
from celesta.evaluation.rate_distortion import through

MEL_UNIT, VISQOL_UNIT, MARGIN_DB = 0.05, 0.03, 1.0
MONO, STEREO = (3.0, 6.0, 12.0, 24.0), (12.0, 24.0, 48.0)


def clips(args: argparse.Namespace, ears: Ears) -> list[Audio]:
    """Validation music."""
    if args.stereo:
        return Bench(codec.load("linear-64"), args.data, args.stereo, args.clips, args.seconds, 0, ears).stereo
    tracks = [track for track in datasets.load([args.data]) if track.split == "valid"]
    chosen = spread(tracks, args.clips, args.data)
    return [audio.read(track.path, mono=True, start=START, duration=args.seconds) for track in chosen]


def measured(
    coder: codec.Codec,
    chosen: list[Audio],
    measures: list[tuple[str, ...]],
    target: bitrate.Target,
    name: str,
    ears: Ears,
) -> Point:
    """Scores of real files at a setting."""
    point = Point(name, target.kbps or 0)
    with tempfile.TemporaryDirectory() as folder:
        file, back = Path(folder) / "x.cel", Path(folder) / "x.wav"
        for x, wanted in zip(chosen, measures, strict=True):
            bitrate.encode_file(coder, x, file, target)
            coder.decode_file(file, back)
            point.clips.append(score(x, audio.read(back), file.stat().st_size, ears, wanted))
    return point


def opus(chosen: list[Audio], measures: list[tuple[str, ...]], kbps: float, ears: Ears) -> Point | None:
    """Scores of Opus at twice the bitrate; None without ffmpeg."""
    program = shutil.which("ffmpeg")
    if program is None:
        return None
    point = Point("opus x 2", kbps)
    for x, wanted in zip(chosen, measures, strict=True):
        bits, y = through(program, x, ".opus", [*OPUS, "-b:a", f"{2 * kbps:g}k"])
        point.clips.append(score(x, y, bits // 8, ears, wanted))
    return point


def settings(args: argparse.Namespace) -> Iterator[tuple[str, int, Settings]]:
    """Names, base channels and settings to try: one thing changed at a time but for power and softening."""
    for power in args.powers:
        for softer in args.softer:
            for base in args.base if (power, softer) == (args.powers[0], args.softer[0]) else args.base[:1]:
                yield f"p{power} s{softer} b{base}", base, Settings(NO_DETAIL, power, softer)


def cost(point: Point) -> float:
    """What is to be small."""
    found = point.mean("mel") / MEL_UNIT
    return found - (point.mean("ViSQOL") / VISQOL_UNIT if point.has("ViSQOL") else 0)


def choose(points: list[Point], peer: Point | None) -> Point:
    """The best of the points by the rule of this file's beginning."""
    least = float("-inf") if peer is None else peer.mean("SI-SDR") + MARGIN_DB
    allowed = [point for point in points if point.mean("SI-SDR") >= least]
    return min(allowed, key=cost) if allowed else max(points, key=lambda point: point.mean("SI-SDR"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nested2", help="name, or folder of a run")
    parser.add_argument("--data", type=Path, required=True, help="GTZAN with its lists")
    parser.add_argument("--stereo", type=Path, help="folder of shards: stereo of its validation packages")
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--visqol-clips", type=int, default=4)
    parser.add_argument("--kbps", type=float, nargs="+")
    parser.add_argument("--powers", type=int, nargs="+", default=[5, 0, 3, 7], help="of 16; the first with all bases")
    parser.add_argument("--softer", type=int, nargs="+", default=[0, 3], help="half decibels")
    parser.add_argument("--base", type=int, nargs="+", default=[2, 1], help="base channels next to a detail")
    parser.add_argument("--cache", type=Path, default=Path("cache/bench-codec.jsonl"), help="earlier ViSQOL results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    ears = Ears(args.cache, 2, () if args.visqol_clips else ("ViSQOL",))
    try:
        chosen, coder = clips(args, ears), codec.load(args.model)
        measures = [("ViSQOL",) if i < args.visqol_clips else () for i in range(len(chosen))]
        for kbps in args.kbps or (STEREO if args.stereo else MONO):
            peer, points = opus(chosen, measures, kbps, ears), []
            for name, base, one in settings(args):
                target = bitrate.Target(kbps=kbps, channels=base, settings=one)
                points.append(measured(coder, chosen, measures, target, name, ears))
            for point in [*points, *([peer] if peer else [])]:
                point.settle().show()
            best = choose(points, peer)
            print(f"{kbps:g} kbit/s: {best.coder}, {kbps / len(chosen[0].samples):g} kbit/s per channel\n", flush=True)
    finally:
        ears.close()


if __name__ == "__main__":
    main()
