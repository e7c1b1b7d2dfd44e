"""Cards of the sliders: the measured effect of 11 settings on songs that nothing was tuned on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from _variation_tables import show

import celesta
from celesta.dsp import metrics
from celesta.variations.sliders import SLIDERS

SETTINGS = 11


def effects(x: np.ndarray, rate: int) -> dict[str, float]:
    """Measure what the sliders move."""
    power = np.mean(np.abs(np.fft.rfft(x, axis=1)) ** 2, axis=0) + 1e-12
    hz = np.fft.rfftfreq(x.shape[1], 1 / rate)
    frames = x.mean(axis=0)[: x.shape[1] // 2048 * 2048].reshape(-1, 2048) * np.hanning(2048)
    spectrum = np.abs(np.fft.rfft(frames))[:, 8:400] ** 2 + 1e-9
    flat = float(np.mean(10 * np.log10(np.exp(np.log(spectrum).mean(axis=1)) / spectrum.mean(axis=1))))
    short = x[:, : x.shape[1] // 1024 * 1024].reshape(len(x), -1, 1024)
    level = 10 * np.log10(np.mean(np.square(short), axis=(0, 2)) + 1e-9)
    side = 0.0
    if len(x) == 2:
        side = float(10 * np.log10((np.mean((x[0] - x[1]) ** 2) + 1e-9) / (np.mean((x[0] + x[1]) ** 2) + 1e-9)))
    return {
        "loudness LUFS": metrics.loudness(x, rate),
        "centroid octaves": float(np.log2(np.sum(hz * power) / np.sum(power) + 1)),
        "low end dB": float(10 * np.log10(power[hz < 150].sum() / power.sum())),
        "flatness dB": flat,
        "attack dB": float(np.mean(np.abs(np.diff(level)))),
        "side dB": side,
    }


def cards(files: Sequence[Path], model: str, seconds: float, target: Path | None, names: Sequence[str]) -> None:
    """Measure all sliders and print their cards; write them where a target is given."""
    codec = celesta.load(model)
    found: dict[str, Any] = {}
    latents = [codec.encode(celesta.read(file, start=5, duration=seconds)) for file in files]
    plain = [effects(codec.decode(z).samples, z.source_rate) for z in latents]
    for name in names:
        slider = SLIDERS[name]
        settings = np.linspace(slider.minimum, slider.maximum, SETTINGS)
        rows = [
            [effects(codec.decode(slider(z, float(v))).samples, z.source_rate) if v else p for v in settings]
            for z, p in zip(latents, plain, strict=True)
            if name != "width" or p["side dB"] > -60
        ]
        own = np.array([[one[slider.effect] for one in row] for row in rows])
        each = [float(scipy.stats.spearmanr(settings, row).statistic) for row in own]
        mean = own.mean(axis=0)
        others = {
            measure: float(np.mean([np.polyfit(settings, [one[measure] for one in row], 1)[0] for row in rows]))
            for measure in plain[0]
            if measure != slider.effect
        }
        found[name] = {
            "effect": slider.effect,
            "unit": slider.unit,
            "range": [slider.minimum, slider.maximum],
            "slope": float(np.polyfit(settings, mean, 1)[0]),
            "spearman_of_mean": float(scipy.stats.spearmanr(settings, mean).statistic),
            "spearman_of_songs": [round(r, 3) for r in each],
            "songs_at_least_0.8": int(sum(r >= 0.8 for r in each)),
            "songs": len(each),
            "cross_talk": {key: round(value, 4) for key, value in others.items()},
        }
    show(
        f"Sliders on {codec.name}: {SETTINGS} settings of {len(files)} songs",
        ["slider", "unit", "effect", "slope", "Spearman of the mean", "songs with at least .8"],
        [
            [n, c["unit"], c["effect"], f"{c['slope']:.3f}", f"{c['spearman_of_mean']:.3f}", _share(c)]
            for n, c in found.items()
        ],
    )
    measures = list(plain[0])
    show(
        "Effect of one unit of each slider on the other measures",
        ["slider", *measures],
        [[n, *(f"{c['cross_talk'].get(m, c['slope']):+.3f}" for m in measures)] for n, c in found.items()],
    )
    if target is not None:
        every = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
        measured = {**every.get(codec.name, {}), **found}
        every[codec.name] = {name: measured[name] for name in SLIDERS if name in measured}
        target.write_text(json.dumps(every, indent=1) + "\n", encoding="utf-8")


def _share(card: dict[str, Any]) -> str:
    return f"{card['songs_at_least_0.8']} of {card['songs']}"
