"""Joins of extensions against ordinary beats of the same songs, and exact lengths; measured by code of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal
from _variation_tables import show

from celesta import audio
from celesta.audio import Audio
from celesta.dsp.onsets import onset_strength
from celesta.dsp.spectra import magnitudes, mel_filters
from celesta.variations.analysis import SongAnalysis, analyse
from celesta.variations.bridge import plan_bridge
from celesta.variations.extend import PREFIX, SUFFIX, plan_extension
from celesta.variations.gaps import Gap
from celesta.variations.loop import find_loops
from celesta.variations.material import Material, at_rate
from celesta.variations.repair import fill_gaps
from celesta.variations.splice import Piece, around

RATE, HOP = 22_050, 128
SIDE = 0.5  # seconds


@dataclass
class Measured:
    """Percentiles of a join among the song's beats, its bump in dB, and whether it clicks."""

    flux: float
    mel: float
    bump: float
    click: bool


class Ruler:
    """Measure places of a song: 40 mel bands of 46 ms every 6 ms."""

    def __init__(self, song: Material, analysis: SongAnalysis) -> None:
        self.song, self.side = song, round(SIDE * song.sample_rate)
        beats = analysis.beats[(analysis.beats > self.side) & (analysis.beats < song.n_samples - self.side)]
        values = [self.change(song.mono(int(b) - self.side, int(b) + self.side)) for b in beats[:400]]
        self.flux, self.mel = (np.sort([v[i] for v in values]) for i in (0, 1))
        self.high = scipy.signal.butter(4, min(8000, song.sample_rate / 3), "high", fs=song.sample_rate, output="sos")
        x = np.abs(scipy.signal.sosfilt(self.high, song.mono(0, min(song.n_samples, 240 * song.sample_rate))))
        size = song.sample_rate // 50
        self.limit = float(np.percentile(x[: len(x) // size * size].reshape(-1, size).max(axis=1), 99.5))

    def change(self, x: np.ndarray) -> tuple[float, float]:
        """Return the largest flux within 50 ms of the middle, and the mel distance of 100 ms before and behind."""
        y = audio.resample(x[None], self.song.sample_rate, RATE)[0]
        mels = np.concatenate(list(magnitudes(y, 1024, HOP))) @ mel_filters(RATE, 1024, 40)
        flux = onset_strength([mels], float(mels.max()))
        middle, near = len(mels) // 2, round(0.05 * RATE / HOP)
        log = 20 * np.log10(np.maximum(mels / 256, 1e-4))
        gap, width = 512 // HOP, round(0.1 * RATE / HOP)
        before, behind = log[middle - gap - width : middle - gap], log[middle + gap : middle + gap + width]
        step = float(np.abs(before.mean(axis=0) - behind.mean(axis=0)).mean())
        return float(flux[middle - near : middle + near + 1].max()), step

    def join(self, end: int, piece: Piece) -> Measured:
        """Measure a join."""
        return self.place(around(self.song, end, piece, self.side), (self.level(end), self.level(piece.start)))

    def level(self, at: int) -> float:
        """Return the level of the song within 50 ms of a place."""
        short = round(0.05 * self.song.sample_rate)
        return _level(self.song.mono(at - short, at + short))

    def place(self, x: np.ndarray, levels: tuple[float, float]) -> Measured:
        """Measure the middle of a signal of half a second; ``levels`` are those of the two signals that meet there."""
        flux, mel = self.change(x)
        short = round(0.05 * self.song.sample_rate)
        middle = len(x) // 2
        level = _level(x[middle - short : middle + short])
        peak = np.abs(scipy.signal.sosfilt(self.high, x))[middle - short // 5 : middle + short // 5].max()
        bump = level - sum(levels) / 2
        return Measured(_rank(self.flux, flux), _rank(self.mel, mel), bump, bool(peak > self.limit))


def _rank(ordered: np.ndarray, value: float) -> float:
    return 100 * float(np.searchsorted(ordered, value)) / max(len(ordered), 1)


def _level(x: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(np.square(x, dtype=np.float64)) + 1e-9))


def joins(files: Sequence[Path], seed: int = 0) -> None:
    """Print the joins of extensions and loops, the borders of filled gaps, and two controls."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[list[Measured]]] = {}
    for file in files:
        with Material(file) as song:
            analysis = analyse(song)
            ruler = Ruler(song, analysis)
            plan = plan_extension(song, analysis, 2 * song.n_samples + round(10.7 * song.sample_rate), seed=seed)
            by_kind: dict[str, list[Measured]] = {"jumps": [], "shifts": [], "loops": []}
            for before, after, join in zip(plan.pieces[:-1], plan.pieces[1:], plan.joins, strict=True):
                by_kind[f"{join.kind}s"].append(ruler.join(before.stop, after))
            for loop in find_loops(song, analysis=analysis, shortest=3, most=3):
                by_kind["loops"].append(ruler.join(loop.join.leave, loop.join.piece(song.n_samples)))
            by_kind["gaps"] = _gap_joins(song, ruler, rng)
            fade, side = round(0.02 * song.sample_rate), round(0.6 * song.sample_rate)
            inner = analysis.beats[(analysis.beats > side) & (analysis.beats < song.n_samples - side)]
            for name, places in (
                ("control: beat to any beat", rng.choice(inner, (20, 2)) if len(inner) > 1 else np.zeros((0, 2), int)),
                ("control: anywhere", rng.integers(side, song.n_samples - side, (20, 2))),
            ):
                by_kind[name] = [ruler.join(int(a), Piece(int(b), song.n_samples, fade, 0.0)) for a, b in places]
            for name, values in by_kind.items():
                if values:
                    found.setdefault(name, []).append(values)
    rows = []
    for name, songs in found.items():
        every = [m for song in songs for m in song]
        row: list[object] = [name, len(songs), len(every)]
        for measure in ("flux", "mel"):
            values = np.array([getattr(m, measure) for m in every])
            row += [f"{np.median(values):.0f}", f"{np.percentile(values, 95):.0f}", f"{values.max():.0f}"]
        row += [f"{np.mean([abs(m.bump) > 1.5 for m in every]):.1%}", f"{np.mean([m.click for m in every]):.1%}"]
        rows.append(row)
    head = ["joins", "songs", "number", "flux: median", "95 %", "worst", "mel: median", "95 %", "worst"]
    show("Joins: percentile among the song's ordinary beats", [*head, "beyond 1.5 dB", "clicks"], rows)


def _gap_joins(song: Material, ruler: Ruler, rng: np.random.Generator, count: int = 6) -> list[Measured]:
    """Fill gaps of half a second and of two seconds, all in one damaged song, and measure both borders of each."""
    rate, part = song.sample_rate, song.n_samples // (count + 1)
    starts = [part * (k + 1) + int(rng.integers(-part // 6, part // 6)) for k in range(count)]
    gaps = [Gap(start, start + round((0.5, 2.0)[k % 2] * rate)) for k, start in enumerate(starts)]
    x = np.array(song.read(0, song.n_samples))
    for gap in gaps:
        x[:, gap.start : gap.stop] = 0
    with Material(Audio(x, rate)) as damaged:
        fills = fill_gaps(damaged, gaps)
    found = []
    for fill in fills:
        start, stop = fill.gap.start, fill.gap.stop
        inside = fill.samples.mean(axis=0)
        whole = np.concatenate([song.mono(start - ruler.side, start), inside, song.mono(stop, stop + ruler.side)])
        for at, middle in ((start, ruler.side), (stop, ruler.side + len(inside))):
            taken = fill.source + at - start if fill.source is not None else at
            levels = ruler.level(at), ruler.level(taken) + fill.gain_db
            found.append(ruler.place(whole[middle - ruler.side : middle + ruler.side], levels))
    return found


def bridges(files: Sequence[Path], pairs: int) -> None:
    """Print what transitions between neighbouring songs look like at their two ends."""
    rows = []
    for one, other in list(zip(files[::2], files[1::2], strict=False))[:pairs]:
        with Material(one) as a, Material(other) as raw, at_rate(raw, a.sample_rate, a.channels) as b:
            plan = plan_bridge(a, b, min(8.0, 0.4 * min(a.duration, b.duration)))
            edges = []
            for song, at, first in ((a, plan.leave, True), (b, plan.enter, False)):
                ruler = Ruler(song, analyse(song))
                side = ruler.side
                inside = plan.samples.mean(axis=0)
                x = np.concatenate(
                    [song.mono(at - side, at), inside[:side]] if first else [inside[-side:], song.mono(at, at + side)]
                )
                flux, mel = ruler.change(x)
                edges += [f"{_rank(ruler.flux, flux):.0f}", f"{_rank(ruler.mel, mel):.0f}"]
            tempos = " to ".join(f"{t:.1f}" for t in plan.tempos)
            rows.append(
                [
                    one.stem[:20],
                    other.stem[:20],
                    tempos,
                    "yes" if plan.stretched else "no",
                    f"{plan.harmony:.2f}",
                    *edges,
                ]
            )
    head = ["first", "second", "tempo", "stretched", "harmony", "flux in", "mel in", "flux out", "mel out"]
    show("Transitions: percentile at their two ends among ordinary beats", head, rows)


def lengths(files: Sequence[Path], count: int, seed: int = 0) -> None:
    """Print in how many of so many random targets the length, the first 5 s and the last 3 s are exact."""
    rng = np.random.default_rng(seed)
    exact = begins = ends = 0
    for k in range(count):
        with Material(files[k % len(files)]) as song:
            analysis = analyse(song)
            n = round(np.exp(rng.uniform(np.log(10), np.log(1800))) * song.sample_rate) + int(rng.integers(0, 1000))
            plan = plan_extension(song, analysis, n, seed=k)
            exact += sum(block.shape[1] for block in plan.blocks(song)) == n
            prefix = min(round(PREFIX * song.sample_rate), n // 2, song.n_samples // 2)
            suffix = min(round(SUFFIX * song.sample_rate), 3 * n // 10, 3 * song.n_samples // 10)
            half = [p.fade // 2 for p in [*plan.pieces[1:], Piece(0, 0)]]
            begins += plan.pieces[0].start == 0 and plan.pieces[0].stop - half[0] >= prefix
            last = plan.pieces[-1]
            ends += last.stop == song.n_samples and last.start + last.fade // 2 <= song.n_samples - suffix
    show(
        "Random lengths from 10 s to 30 min",
        ["targets", "exact", "beginning kept", "end kept"],
        [[count, exact, begins, ends]],
    )
