"""Bars 4 and 7: the latent before quantisation, next to the baselines with as many numbers.

K numbers a frame, 43 frames a second: the band envelope (50 numbers in four frames, 25 without a detail), the first
channels of the base, as many as coded files have next to a detail, and coefficients, each of them two numbers: value
and place. Base channels and coefficients are stored in the order of their importance, so fewer are the first ones. The
baselines count the same way: ``linear-K`` and ``pca-K`` K values a frame, ``sparse-K`` K / 2 values and K / 2 places.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from _codec_bench import Bench, progress
from _codec_points import Point, difference, score

from celesta import audio, codec
from celesta.codec import Codec, bitrate
from celesta.entropy.table_file import Tables
from celesta.errors import ModelError
from celesta.latents.rate_control import base_channels

SIZES = {16: 5.0, 32: 8.0, 64: 12.0, 128: 16.5}
"""Numbers a frame, and the SI-SDR wanted there."""
LARGEST_PCA, WIDEST = 64, 32
VISQOL, MEL = 4.0, 1.6


def parts_of(numbers: int, tables: Tables) -> tuple[int, int]:
    """Channels of the base and coefficients of so many numbers a frame."""
    channels = min(base_channels(tables), numbers // 8)
    return channels, int(numbers - channels - tables.envelope_rows / 4) // 2


def floats(bench: Bench) -> None:
    """Scores and verdicts of bar 7."""
    print(f"\nFloats: unquantised, 22.05 kHz mono, {len(bench.mono)} clips of {bench.seconds:g} s", flush=True)
    ours = _truncated(bench, {numbers: parts_of(numbers, bench.coder.network.tables) for numbers in SIZES})
    for numbers, wanted in SIZES.items():
        mine = ours[numbers].settle().show()
        kinds = ["linear", "pca", "sparse"] if numbers <= LARGEST_PCA else ["linear", "sparse"]
        theirs = {k: _baseline(bench, codec.load(f"{k}-{numbers}"), numbers, "Zimtohrli") for k in kinds}
        bench.points.setdefault("floats", []).extend([mine, *theirs.values()])
        bench.bars.judge(7, f"K = {numbers}, SI-SDR", mine.mean("SI-SDR"), wanted)
        dense = min((theirs[k] for k in kinds if k != "sparse"), key=lambda p: p.mean("mel"))
        half = dense.values("mel") / 2
        bench.bars.judge(
            7,
            f"K = {numbers}, mel distance",
            mine.mean("mel"),
            float(half.mean()),
            higher=False,
            interval=difference(mine.values("mel"), half),
            note=f"half of {dense.coder}'s",
        )
        if not mine.has("Zimtohrli"):
            bench.bars.lack(7, f"K = {numbers}, Zimtohrli", "without zimtohrli")
            continue
        best = min(theirs.values(), key=lambda p: p.mean("Zimtohrli"))
        bench.bars.judge(
            7,
            f"K = {numbers}, Zimtohrli",
            mine.mean("Zimtohrli"),
            best.mean("Zimtohrli"),
            higher=False,
            strict=True,
            interval=difference(mine.values("Zimtohrli"), best.values("Zimtohrli")),
            note=f"{best.coder}, the best baseline",
        )


def base(bench: Bench) -> None:
    """Scores and verdicts of bar 4."""
    widest = bench.coder.model.latent_dim
    print(f"\nBase alone: {widest} channels, 22.05 kHz mono, {len(bench.mono)} clips", flush=True)
    mine = _truncated(bench, {widest: (widest, 0)}, "ViSQOL")[widest].settle().show()
    pca = _baseline(bench, codec.load(f"pca-{WIDEST}"), WIDEST, "ViSQOL")
    coded = _coded(bench).settle().show()
    bench.points["base"] = [mine, pca, coded]
    note = f"{pca.coder}'s: {pca.mean('mel'):.2f}"
    bench.bars.judge(4, "base alone, mel distance", mine.mean("mel"), MEL, higher=False, note=note)
    if mine.has("ViSQOL"):
        bench.bars.judge(4, "base alone, ViSQOL", mine.mean("ViSQOL"), VISQOL)
    else:
        bench.bars.lack(4, "base alone, ViSQOL", "without ViSQOL")


def _truncated(bench: Bench, sizes: dict[int, tuple[int, int]], *measures: str) -> dict[int, Point]:
    """The codec's latent cut to so many channels and coefficients, each clip encoded once."""
    limits = bench.coder.model.latent_dim, bench.coder.model.detail_size
    most = tuple(max(size[i] for size in sizes.values()) for i in (0, 1))
    if limits[0] < most[0] or limits[1] < most[1]:
        raise ModelError(f"{bench.coder.name}: encodes {limits[0]} channels and {limits[1]} coefficients, needs {most}")
    made = {k: Point(bench.coder.name, k, note=f"{b} channels, {d} coefficients") for k, (b, d) in sizes.items()}
    wanted = bench.listened(bench.mono, *(measures or ("Zimtohrli",)))
    for clip, asked in progress(zip(bench.mono, wanted, strict=True), "latents cut", len(bench.mono)):
        whole = bench.coder.encode(clip)
        for numbers, (channels, detail) in sizes.items():
            back = bench.coder.decode(whole.truncate(channels, detail))
            made[numbers].clips.append(score(clip, back, None, bench.ears, asked))
    return made


def _baseline(bench: Bench, model: Codec, numbers: int, *measures: str) -> Point:
    point = Point(model.name, numbers)
    wanted = bench.listened(bench.mono, *measures)
    for clip, asked in progress(zip(bench.mono, wanted, strict=True), model.name, len(bench.mono)):
        point.clips.append(score(clip, model.decode(model.encode(clip)), None, bench.ears, asked))
    return point.settle().show()


def _coded(bench: Bench) -> Point:
    """The base alone as a real file, to show what its bits cost it; not judged."""
    widest = bench.coder.model.latent_dim
    point = Point(f"{bench.coder.name} coded", widest, note="a real file")
    wanted = bench.listened(bench.mono, "ViSQOL")
    with tempfile.TemporaryDirectory() as folder:
        file, back = Path(folder) / "x.cel", Path(folder) / "x.wav"
        for clip, asked in progress(zip(bench.mono, wanted, strict=True), "base coded", len(bench.mono)):
            bitrate.encode_file(bench.coder, clip, file, bitrate.Target(channels=widest))
            bench.coder.decode_file(file, back)
            point.clips.append(score(clip, audio.read(back), file.stat().st_size, bench.ears, asked))
    return point
