"""Gaps against linear prediction, the previous bar and silence; mosaics against single-frame cosine matching; beats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _variation_tables import interval, show

import celesta
from celesta.audio import Audio
from celesta.dsp import metrics
from celesta.variations.analysis import CHROMA_RATE, FRAME_RATE, analyse
from celesta.variations.bars import unit
from celesta.variations.gaps import Gap, predicted
from celesta.variations.grains import Canvas, Grain, render
from celesta.variations.material import Material
from celesta.variations.mosaic import mosaic, segments
from celesta.variations.repair import fill_gaps


def gaps(files: Sequence[Path], lengths: Sequence[float] = (0.1, 0.5, 2.0), seed: int = 0) -> None:
    """Print the mel distance of filled stretches to the truth."""
    names = ("this", "linear prediction", "previous bar", "silence")
    rows = []
    for seconds in lengths:
        rng = np.random.default_rng([seed, round(1000 * seconds)])
        found = []
        for file in files:
            x, rate = celesta.read(file, duration=60)
            n = round(seconds * rate)
            if x.shape[1] < 4 * n + 8 * rate:
                continue
            start = int(rng.integers(4 * rate, x.shape[1] - 4 * rate - n))
            damaged = x.copy()
            damaged[:, start : start + n] = 0
            with Material(Audio(damaged, rate)) as song:
                analysis = analyse(song)
                gap = Gap(start, start + n)
                bar = float(np.median(np.diff(analysis.beats))) * analysis.metre
                back = min(round(bar * np.ceil(n / bar)), start)
                fills = [fill_gaps(song, [gap], analysis=analysis)[0].samples, predicted(song, gap)]
            fills += [damaged[:, start - back : start - back + n], np.zeros((len(x), n), np.float32)]
            truth = x[:, start - 2048 : start + n + 2048]
            row = []
            for fill in fills:
                made = truth.copy()
                made[:, 2048 : 2048 + n] = fill[:, :n]
                row.append(metrics.mel_distance(truth, made, rate))
            found.append(row)
        values = np.array(found)
        rows.append([f"{seconds:g} s", len(values), *(interval(values[:, i]) for i in range(4))])
        better = [interval(values[:, i] - values[:, 0]) for i in range(1, 4)]
        rows.append(["", "", "control less this:", *better])
    show("Gaps: mel distance of the filled stretch to the truth", ["gap", "songs", *names], rows)


def mosaics(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Print chroma correlation and onset F-measure between target and result, and those of the control."""
    found = []
    rebuilt = []
    for target, source in pairs:
        x, y = celesta.read(target, duration=30), celesta.read(source, duration=60)
        made = Audio(mosaic(x, [y]).samples, x.sample_rate)
        control = _single_frames(x, y)
        found.append([*_likeness(x, made), *_likeness(x, control)])
        rebuilt.append(metrics.si_sdr(x.samples, mosaic(x, [y, x]).samples))
    v = np.array(found)
    rows = [
        ["this", interval(v[:, 0]), interval(v[:, 1])],
        ["single-frame cosine", interval(v[:, 2]), interval(v[:, 3])],
        ["difference", interval(v[:, 0] - v[:, 2]), interval(v[:, 1] - v[:, 3])],
    ]
    show(f"Mosaics of {len(pairs)} pairs", ["matching", "chroma correlation", "onset F-measure (50 ms)"], rows)
    least, median = min(rebuilt), float(np.median(rebuilt))
    print(f"\nRebuilt from itself and another song: SI-SDR at least {least:.1f} dB, median {median:.1f} dB")


def _single_frames(x: Audio, y: Audio) -> Audio:
    """Rebuild a song by the cosine of single mel frames, one grain a segment."""
    goal, source = analyse(x), analyse(y)
    borders = segments(goal)
    scale = goal.sample_rate / FRAME_RATE
    frames = np.clip(np.round(borders[:-1] / scale).astype(int), 0, len(goal.mel) - 1)
    alike = unit(goal.mel[frames] + 90) @ unit(source.mel + 90).T
    grains = [
        Grain(int(a), int(b - a), 0, round(int(place) * scale))
        for a, b, place in zip(borders[:-1], borders[1:], alike.argmax(axis=1), strict=True)
    ]
    with Material(x) as song, Canvas(song.channels, song.n_samples) as canvas:
        render(song, [y], grains, canvas)
        return Audio(canvas.read(0, song.n_samples), x.sample_rate)


def _likeness(x: Audio, made: Audio) -> tuple[float, float]:
    a, b = analyse(x), analyse(made)
    n = min(len(a.chroma), len(b.chroma), round(30 * CHROMA_RATE))
    p, q = (unit(np.sqrt(one.chroma[:n])) for one in (a, b))
    chroma = float(np.corrcoef((p - p.mean(axis=0)).ravel(), (q - q.mean(axis=0)).ravel())[0, 1])
    return chroma, f_measure(b.onsets / b.sample_rate, a.onsets / a.sample_rate, 0.05)


def f_measure(found: np.ndarray, true: np.ndarray, within: float) -> float:
    """Return the F-measure of events, each of which counts once."""
    if not len(found) or not len(true):
        return float(len(found) == len(true))
    hits, at = 0, 0
    for time in np.sort(true):
        while at < len(found) and found[at] < time - within:
            at += 1
        if at < len(found) and found[at] <= time + within:
            hits, at = hits + 1, at + 1
    return 2 * hits / (len(found) + len(true))


def beats(files: Sequence[Path]) -> None:
    """Print how well beats of click tracks are found, and the agreement with librosa where it is installed."""
    rng = np.random.default_rng(0)
    rows = []
    for noise in (0.001, 0.03):
        scores, tempos = [], []
        for bpm in range(60, 181, 10):
            true = np.arange(0.5, 30, 60 / bpm)
            x = noise * rng.standard_normal(30 * 22_050)
            burst = 0.5 * rng.standard_normal(400) * np.exp(-np.arange(400) / 80)
            for t in np.round(true * 22_050).astype(int):
                x[t : t + 400] += burst[: max(0, len(x) - t)]
            analysis = analyse(Audio(x[None].astype(np.float32), 22_050))
            found = analysis.beats / 22_050
            scores.append(f_measure(found[(found > 0.4) & (found < 29.9)], true, 0.07))
            tempos.append(abs(analysis.tempo / bpm - 1) < 0.04)
        rows.append(
            [f"clicks, 60 to 180 a minute, noise {noise:g}", len(scores), interval(scores), f"{np.mean(tempos):.0%}"]
        )
    try:
        import librosa
    except ImportError:
        librosa = None
    agreed, same = [], []
    for file in files if librosa is not None else []:
        x, rate = celesta.read(file, sample_rate=22_050, mono=True, duration=30)
        analysis = analyse(Audio(x, rate))
        tempo, theirs = librosa.beat.beat_track(y=x[0], sr=rate, units="time")
        agreed.append(f_measure(analysis.beats / rate, np.asarray(theirs), 0.07))
        ratio = analysis.tempo / max(float(np.atleast_1d(tempo)[0]), 1)
        same.append(min(abs(ratio / k - 1) for k in (0.5, 1, 2)) < 0.04)
    if agreed:
        rows.append(
            ["agreement with librosa on music", len(agreed), interval(agreed), f"{np.mean(same):.0%} (or half, twice)"]
        )
    show(
        "Beats: F-measure within 70 ms, and share of tempos within 4 %",
        ["signal", "number", "F-measure", "tempo"],
        rows,
    )
