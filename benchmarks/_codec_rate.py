"""Bars 1 to 3: real files next to Opus, MP3 and the coded baselines; the ladder up to transparent.

For each rate of ours Opus' scores at the same and at twice the rate are read off its own curve, between its measured
sizes, the means of both over the same clips. Opus makes no mono file below about 5 kbit/s: where less is asked of it,
its smallest file stands for it, and as that holds more bits, falling short of it is then not judged.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _codec_bench import Bench, progress
from _codec_points import DRAWS, HIGHER, SEED, Point, score

from celesta import audio, codec
from celesta.audio import Audio
from celesta.codec import bitrate
from celesta.errors import CelestaError
from celesta.evaluation import latent_coder
from celesta.evaluation.rate_distortion import ABSOLUTE_STEPS, through
from celesta.probes.statistics import mean_interval

MONO, STEREO = (1.5, 3, 6, 9, 12, 24, 64), (6, 12, 24, 48, 96)
OPUS_MONO, OPUS_STEREO = (5, 6, 8, 12, 16, 24, 32, 48), (6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
MP3_MONO, MP3_STEREO = (16, 24, 32), (48, 64, 128)
TWICE = {"mono": (3, 6, 9, 12, 24), "stereo": (6, 12, 24, 48)}
SAME = {"mono": (3, 6, 9, 12, 24), "stereo": (6, 12, 24, 48)}
BASELINES = ("linear-32", "linear-64", "sparse-64")
OPUS = ["-c:a", "libopus", "-vbr", "on", "-application", "audio"]
MP3 = ["-c:a", "libmp3lame"]
TRANSPARENT, SI_SDR, VISQOL = 64, 25.0, 4.6
FALLS = {"SI-SDR": 0.1, "ViSQOL": 0.02}
"""Largest falls of a clip at a step up the ladder."""
NUMBER = {"mono": 1, "stereo": 2}
SLACK = {("mono", 24, "ViSQOL"): 0.03, ("mono", 24, "mel"): 0.05, ("stereo", 48, "ViSQOL"): 0.1}
"""How far behind Opus at twice the bitrate counts as met."""
MARGIN = 1.0
"""dB of SI-SDR that are wanted above Opus at twice the bitrate."""


def rate(bench: Bench) -> None:
    """Curves and verdicts of mono music."""
    _curves(bench, "mono", bench.mono, MONO, OPUS_MONO, MP3_MONO)


def stereo(bench: Bench) -> None:
    """The same on stereo music."""
    if bench.stereo:
        _curves(bench, "stereo", bench.stereo, STEREO, OPUS_STEREO, MP3_STEREO)
        _by_package(bench)
    else:
        bench.bars.lack(2, "stereo: everything", "no shards; give --stereo")


def _curves(
    bench: Bench, name: str, clips: list[Audio], rates: tuple[float, ...], opus: tuple[int, ...], mp3: tuple[int, ...]
) -> None:
    about = "22.05 kHz mono, GTZAN's test list" if name == "mono" else "44.1 kHz stereo, validation packages"
    print(f"\nRate: {about}, {len(clips)} clips of {bench.seconds:g} s", flush=True)
    points = bench.points.setdefault(name, [])
    peers = _peers(bench, clips, ".opus", opus, OPUS)
    points += peers if bench.quick else peers + _peers(bench, clips, ".mp3", mp3, MP3)
    if name == "mono" and not bench.quick:
        points += [p for model in BASELINES for p in _baseline(bench, codec.load(model))]
    for point in ladder(bench, name, rates):
        if not peers:
            bench.bars.lack(NUMBER[name], f"{name} at {point.setting:g} kbit/s", "no ffmpeg with libopus")
            continue
        if point.setting in TWICE[name]:
            _beside(bench, name, point, peers, 2)
        if point.setting in SAME[name]:
            _beside(bench, name, point, peers, 1)


def _by_package(bench: Bench) -> None:
    """Print the scores of each package with intervals over its clips: results hang on the music."""
    packages = [name.partition(":")[0] for name in bench.names]
    rows: dict[str, dict[str, str]] = {}
    print("\nBy package, ours (mean and 95 % interval over its clips)", flush=True)
    for package in sorted(set(packages)):
        for point in ladder(bench, "stereo", STEREO):
            cells = []
            for key in ("SI-SDR", "mel", "ViSQOL", "mel L/R/S"):
                which = [i for i in point.has(key) if packages[i] == package]
                if which:
                    mean, low, high = mean_interval(point.values(key, which), SEED, DRAWS)
                    cells.append(f"{key} {mean:.2f} ({low:.2f} to {high:.2f}, {len(which)})")
            rows.setdefault(package, {})[f"{point.setting:g}"] = "  ".join(cells)
            print(f"{package:>18s} {point.setting:<4g} {'  '.join(cells)}", flush=True)
    bench.figures["stereo by package"] = rows


def transparent(bench: Bench) -> None:
    """Verdicts of the transparent end and of bar 3 on the ladder."""
    print(f"\nTransparent end and ladder: 22.05 kHz mono, {len(bench.mono)} clips", flush=True)
    steps = ladder(bench, "mono", MONO)
    top = steps[-1]
    found = top.means()
    bench.bars.judge(
        3, "SI-SDR at the transparent end", top.mean("SI-SDR"), SI_SDR, note=f"{found['kbps'][0]:.1f} kbit/s"
    )
    size = top.mean("kbps")
    bench.bars.judge(3, "kbit/s at the transparent end", size, TRANSPARENT, higher=False)
    if top.has("ViSQOL"):
        bench.bars.judge(3, "ViSQOL at the transparent end", top.mean("ViSQOL"), VISQOL)
    else:
        bench.bars.lack(3, "ViSQOL at the transparent end", "without ViSQOL")
    for key, most in FALLS.items():
        which = steps[0].has(key)
        if not which:
            bench.bars.lack(3, f"falls of {key} up the ladder", f"without {key}")
            continue
        values = np.array([p.values(key, which) for p in steps])
        drops = (values[:-1] - values[1:]).max(axis=0)
        falling = int((drops > most).sum())
        note = f"{falling} of {len(drops)} clips fall by more than {most} at a step up"
        bench.bars.judge(3, f"worst fall of {key} up the ladder", float(drops.max()), most, higher=False, note=note)
        found = {"falling clips": falling, "clips": len(drops), "worst fall": float(drops.max())}
        bench.figures[f"ladder, {key}"] = found


def ladder(bench: Bench, name: str, rates: Sequence[float]) -> list[Point]:
    """The codec at each bitrate, real files; measured once a run."""
    mine = [p for p in bench.points.setdefault(name, []) if p.coder == bench.coder.name]
    if not mine:
        for kbps in rates:
            mine.append(_ours(bench, bench.mono if name == "mono" else bench.stereo, kbps).settle().show())
            bench.points[name].append(mine[-1])
    return mine


def _ours(bench: Bench, clips: list[Audio], kbps: float) -> Point:
    coder, point = bench.coder, Point(bench.coder.name, kbps)
    with tempfile.TemporaryDirectory() as folder:
        file, back = Path(folder) / "x.cel", Path(folder) / "x.wav"
        wanted = bench.listened(clips, "ViSQOL")
        for clip, measures in progress(zip(clips, wanted, strict=True), f"{coder.name} {kbps:g}", len(clips)):
            bitrate.encode_file(coder, clip, file, bitrate.Target(kbps=kbps))
            coder.decode_file(file, back)
            point.clips.append(score(clip, audio.read(back), file.stat().st_size, bench.ears, measures))
    return point


def _peers(bench: Bench, clips: list[Audio], suffix: str, rates: Sequence[float], options: list[str]) -> list[Point]:
    """Another coder's curve by ffmpeg; a rate that it refuses is said and left out."""
    program, name = shutil.which("ffmpeg"), suffix[1:]
    if program is None:
        print(f"{name}: no ffmpeg, left out")
        return []
    points = []
    for kbps in rates:
        point = Point(name, kbps)
        wanted = bench.listened(clips, "ViSQOL")
        try:
            for clip, measures in progress(zip(clips, wanted, strict=True), f"{name} {kbps:g}", len(clips)):
                bits, back = through(program, clip, suffix, [*options, "-b:a", f"{kbps}k"])
                point.clips.append(score(clip, back, bits // 8, bench.ears, measures))
        except (subprocess.CalledProcessError, CelestaError) as error:
            print(f"{name} {kbps:g}: left out, ffmpeg lacks the encoder or refuses ({type(error).__name__})")
            continue
        points.append(point.settle().show())
    return points


def _baseline(bench: Bench, model: codec.Codec) -> list[Point]:
    """A baseline quantised and range-coded with tables fitted on training music."""
    bands = model.model.hop_length if model.model.detail_size else 0
    training = [model.encode(sound) for sound in bench.fitting]
    points = []
    for step in ABSOLUTE_STEPS:
        tables = latent_coder.fit_tables(training, step, relative=False, bands=bands)
        point = Point(model.name, step)
        clips = zip(bench.mono, bench.listened(bench.mono, "ViSQOL"), strict=True)
        for clip, measures in progress(clips, f"{model.name} step {step:g}", len(bench.mono)):
            data, back = latent_coder.code(model.encode(clip), tables)
            point.clips.append(score(clip, model.decode(back), len(data), bench.ears, measures))
        points.append(point.settle().show())
    return points


def _beside(bench: Bench, name: str, point: Point, peers: list[Point], factor: int) -> None:
    """Judge a point of ours by Opus' curve at ``factor`` times its rate, for every measure that both have."""
    for key, higher in HIGHER.items():
        which = point.has(key)
        if not which or any(p.has(key) != which for p in peers):
            if key == "ViSQOL":
                bench.bars.lack(NUMBER[name], f"{name} {point.setting:g} kbit/s, {key}", "without ViSQOL")
            continue
        ours, sizes = point.values(key, which), point.values("kbps", which)
        rates = np.array([p.values("kbps", which) for p in peers])
        values = np.array([p.values(key, which) for p in peers])
        everyone = np.arange(len(which))
        at, theirs = _read(rates, values, factor * sizes, everyone)
        rng = np.random.default_rng(SEED)
        drawn = rng.integers(len(which), size=(DRAWS, len(which)))
        apart = [ours[d].mean() - _read(rates, values, factor * sizes, d)[1] for d in drawn]
        low, high = (float(v) for v in np.percentile(apart, [2.5, 97.5]))
        small, large = rates.mean(axis=1).min(), rates.mean(axis=1).max()
        note = f"Opus at {'twice the rate' if factor == 2 else 'the same rate'}, {at:.1f} kbit/s"
        if at < small:
            note += f"; its smallest file has {small:.1f}"
        elif at > large:
            note += f"; its largest file here has {large:.1f}"
        what = f"{name} {point.setting:g} kbit/s (file {point.mean('kbps'):.1f}), {key}"
        slack = SLACK.get((name, int(point.setting), key), 0.0) if factor == 2 else 0.0
        note += f", {slack:g} allowed" if slack else ""
        wanted = theirs + (-slack if higher else slack) if at <= large else float("nan")
        if key == "SI-SDR" and factor == 2:
            bench.bars.judge(
                3, what, ours.mean(), wanted + MARGIN, interval=(low, high), note=f"{note}, plus {MARGIN:g} dB"
            )
        bench.bars.judge(
            NUMBER[name],
            what,
            ours.mean(),
            wanted,
            higher=higher,
            strict=factor == 1,
            interval=(low, high),
            excused=bool(at < small),
            note=note,
        )


def _read(rates: np.ndarray, values: np.ndarray, sizes: np.ndarray, sample: np.ndarray) -> tuple[float, float]:
    """The mean rate of a sample of clips, and a curve's mean value there; ``rates``, ``values``: (points, clips)."""
    x, y = rates[:, sample].mean(axis=1), values[:, sample].mean(axis=1)
    order = np.argsort(x)
    at = float(sizes[sample].mean())
    return at, float(np.interp(at, x[order], y[order]))
