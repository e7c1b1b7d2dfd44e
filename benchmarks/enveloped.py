"""The codec with a band envelope next to the one that ships and Opus at twice the bitrate, on validation music.

Run: python scripts/fit_enveloped.py runs/nested2 --shards cache/free-music --out cache/nested2-bits.safetensors
     python benchmarks/enveloped.py runs/nested2 cache/nested2-bits.safetensors --data GTZAN [--stereo cache/free-music]

Sizes are those of the coded parts of one window per clip with what a file adds. GTZAN's validation list, 22 050 Hz
mono; with --stereo, 44 100 Hz stereo of the validation packages. ViSQOL on some of the clips.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from _codec_bench import START, Bench, spread
from _codec_ears import Ears
from _codec_points import Point, score
from _codec_rate import OPUS
from safetensors.numpy import load_file

from celesta import audio, codec, datasets
from celesta.audio import Audio
from celesta.codec import bitrate
from celesta.dsp import band_envelope as bands
from celesta.dsp import stereo_bands
from celesta.entropy import enveloped
from celesta.entropy.envelope_tables import EnvelopeTables
from celesta.entropy.tables import BitTables
from celesta.entropy.window import BASE_STEP, NO_DETAIL
from celesta.evaluation.rate_distortion import through
from celesta.models.nested import NOISE_FRAMES
from celesta.models.nested2 import Nested2

RATE, FRAME = 44_100, 1_024
OVERHEAD = 8 * (480 + 24)  # bits of a file's header and of a window's index
TRIES = 10


@dataclass(frozen=True)
class Setting:
    """How a clip is coded: bitrate, sixteenths of the envelope's power in the step, base channels, gain of the fill."""

    kbps: float
    power: int
    base: int
    gain_db: float


def tables(path: Path) -> enveloped.Tables:
    """The tables that scripts/fit_enveloped.py wrote."""
    a = load_file(path)
    bits = BitTables(a["found"], a["size"], a["move"], a["spread"])
    return enveloped.Tables(bits, EnvelopeTables(a["weights"], a["offset"], a["drop"], a["level"]))


class Clip:
    """A clip analysed once: coefficients, base and envelope of each channel, turned band by band where stereo."""

    def __init__(self, model: Nested2, made: enveloped.Tables, clip: Audio) -> None:
        self.model, self.tables, self.clip = model, made, clip
        x = audio.resample(clip.samples, clip.sample_rate, RATE)
        self.n = x.shape[1]
        x = np.pad(x, ((0, 0), (0, -self.n % (bands.FRAMES * FRAME))))
        c = self._mdct(x)
        self.angles: np.ndarray | None = None
        if len(c) == 2:
            self.angles = stereo_bands.angles(c)
            c = stereo_bands.turned(c, self.angles)
            x = self._inverse(c)
        self.c = c
        with torch.inference_mode():
            own = [
                model.base(torch.from_numpy(channel)[None, None], torch.from_numpy(coefficients.T.copy())[None])
                for channel, coefficients in zip(x, c, strict=True)
            ]
        self.base = [one[0].T.numpy() for one in own]
        self.envelope = [enveloped.envelope_of(one, made) for one in c]

    def numbers(self, setting: Setting) -> list[enveloped.Numbers]:
        """The integers at the finest step whose size is within the bitrate."""
        low, high = 200, NO_DETAIL
        for _ in range(TRIES):
            step = (low + high) // 2
            if self._size(self._at(step, setting)) / self.seconds / 1000 > setting.kbps:
                low = step
            else:
                high = step
        return self._at(high, setting)

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.n / RATE

    def _at(self, step: int, setting: Setting) -> list[enveloped.Numbers]:
        return [
            enveloped.quantise(b[: setting.base], c, e, step, setting.power, self.tables)
            for b, c, e in zip(self.base, self.c, self.envelope, strict=True)
        ]

    def _size(self, numbers: list[enveloped.Numbers]) -> float:
        fixed = 8 * sum(len(part) for n in numbers for part in enveloped.encode(_without_detail(n), self.tables)[:2])
        return fixed + sum(enveloped.cost(n, self.tables) for n in numbers) + OVERHEAD

    def bytes(self, numbers: list[enveloped.Numbers]) -> int:
        """The bytes of all parts, coded, with what a file adds."""
        return sum(len(part) for n in numbers for part in enveloped.encode(n, self.tables)) + OVERHEAD // 8

    def decode(self, numbers: list[enveloped.Numbers], gain_db: float) -> Audio:
        """The clip as it is decoded, at its own rate."""
        model, filled = self.model, []
        for i, n in enumerate(numbers):
            base = np.zeros((model.config.base, n.base.shape[1]), np.float32)
            base[: len(n.base)] = n.base * np.float32(BASE_STEP)
            rest = np.where(n.rest > 0, n.rest + gain_db / bands.STEP_DB, 0)
            arrays = (base, n.envelope, rest, enveloped.coefficients(n, self.tables))
            b, envelope, rest_, detail = (torch.from_numpy(a.T.astype(np.float32))[None] for a in arrays)
            share = torch.full_like(b[..., :1], len(n.base) / model.config.base)
            with torch.inference_mode():
                c = model.fill(b, share, envelope, rest_, detail, i * (NOISE_FRAMES // 2), decorrelated=i > 0)
            filled.append(c[0].T.numpy())
        pair = np.stack(filled)
        if self.angles is not None:
            pair = stereo_bands.turned_back(pair, self.angles)
        x = self._inverse(pair)[:, : self.n]
        return Audio(audio.resample(x, RATE, self.clip.sample_rate), self.clip.sample_rate)

    def _mdct(self, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            found: np.ndarray = self.model.mdct(torch.from_numpy(x)).transpose(1, 2).contiguous().numpy()
        return found

    def _inverse(self, c: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            t = torch.from_numpy(np.ascontiguousarray(c.transpose(0, 2, 1)))
            found: np.ndarray = self.model.mdct.inverse(t, c.shape[2] * FRAME).numpy()
        return found


def _without_detail(n: enveloped.Numbers) -> enveloped.Numbers:
    return enveloped.Numbers(n.base, n.envelope, n.detail, n.envelope, NO_DETAIL, n.power)


def clips(args: argparse.Namespace, ears: Ears) -> list[Audio]:
    """Mono clips of GTZAN's validation list, or stereo ones of the validation packages."""
    if args.stereo:
        bench = Bench(codec.load("linear-64"), args.data, args.stereo, args.clips, args.seconds, 0, ears)
        return bench.stereo
    tracks = [track for track in datasets.load([args.data]) if track.split == "valid"]
    some = spread(tracks, args.clips, args.data)
    return [audio.read(track.path, mono=True, start=START, duration=args.seconds) for track in some]


@functools.cache
def _shipped_codec() -> codec.Codec:
    return codec.load("nested")


def shipped(x: Audio, kbps: float) -> tuple[Audio, int]:
    """A clip through a real file of the codec that ships."""
    coder = _shipped_codec()
    with tempfile.TemporaryDirectory() as folder:
        file, back = Path(folder) / "x.cel", Path(folder) / "x.wav"
        bitrate.encode_file(coder, x, file, bitrate.Target(kbps=kbps))
        coder.decode_file(file, back)
        return audio.read(back), file.stat().st_size


def points(args: argparse.Namespace, chosen: list[Audio], ears: Ears) -> Iterator[Point]:
    """Points of all coders, as they are measured."""
    model, made = codec.load(args.run).torch_model, tables(args.tables)
    assert isinstance(model, Nested2)
    analysed = [Clip(model, made, x) for x in chosen]
    measures = [("ViSQOL",) if i < args.visqol_clips else () for i in range(len(chosen))]
    rows = list(zip(chosen, analysed, measures, strict=True))
    alone = Point("base alone", 0)
    for x, clip, wanted in rows:
        n = [
            enveloped.quantise(b, c, e, NO_DETAIL, 0, made)
            for b, c, e in zip(clip.base, clip.c, clip.envelope, strict=True)
        ]
        alone.clips.append(score(x, clip.decode(n, 0.0), clip.bytes(n), ears, wanted))
    yield alone
    for kbps in args.kbps:
        for power in args.powers:
            for gain in args.gains:
                point = Point(f"p{power} {gain:g} dB", kbps)
                for x, clip, wanted in rows:
                    found = clip.numbers(Setting(kbps, power, args.base, gain))
                    point.clips.append(score(x, clip.decode(found, gain), clip.bytes(found), ears, wanted))
                yield point
        if args.peers:
            point, opus = Point("shipped", kbps), Point("opus x 2", 2 * kbps)
            program = shutil.which("ffmpeg")
            for x, _, wanted in rows:
                y, size = shipped(x, kbps)
                point.clips.append(score(x, y, size, ears, wanted))
                if program:
                    bits, y = through(program, x, ".opus", [*OPUS, "-b:a", f"{2 * kbps}k"])
                    opus.clips.append(score(x, y, bits // 8, ears, wanted))
            yield point
            if program:
                yield opus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of nested2")
    parser.add_argument("tables", type=Path, help="what scripts/fit_enveloped.py wrote")
    parser.add_argument("--data", type=Path, required=True, help="GTZAN with its lists")
    parser.add_argument("--stereo", type=Path, help="folder of shards: stereo of its validation packages")
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--visqol-clips", type=int, default=4)
    parser.add_argument("--kbps", type=float, nargs="+", default=[3, 6, 9, 12, 24])
    parser.add_argument("--powers", type=int, nargs="+", default=[5])
    parser.add_argument("--gains", type=float, nargs="+", default=[-1.5], help="dB added to the fill")
    parser.add_argument("--base", type=int, default=2, help="base channels next to a detail")
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--cache", type=Path, default=Path("cache/bench-codec.jsonl"), help="earlier ViSQOL results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    ears = Ears(args.cache, 1, () if args.visqol_clips else ("ViSQOL",))
    try:
        for point in points(args, clips(args, ears), ears):
            point.settle().show()
    finally:
        ears.close()


if __name__ == "__main__":
    main()
