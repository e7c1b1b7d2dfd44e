"""The tables that every page shares: scores, and what a variation did to the sound."""

from __future__ import annotations

from collections.abc import Sequence

from celesta.evaluation.reconstruction import Scores, interval

SCORE_HEAD = (
    "model",
    "latent",
    "floats/s",
    "per sample",
    "kbit/s",
    "MSE",
    "SI-SDR dB",
    "mel distance",
    "encode s/s",
    "decode s/s",
    "weights MB",
)
NO_COMPRESSION = (
    "A float is no unit of size, so the codec nested stands with the size of its file: 12 kbit/s of the 706 that"
    " one channel of a CD has. Three of the report's four models hold 32 to 64 times more numbers than the sound has"
    " samples, the fourth twice as many. None of the four compresses. The baselines at the foot of the table hold an"
    " eighth of the samples' number: linear-64 keeps the 64 lowest of 512 MDCT coefficients a frame, pca-64 projects"
    " four such frames on 256 fitted directions, sparse-64 keeps the 32 largest coefficients with their places."
)


def score_row(s: Scores) -> list[str]:
    """One clip's scores as texts."""
    return [s.model, *_size(s), f"{s.mse:.5f}", f"{s.si_sdr:.2f}", f"{s.mel:.3f}", *_cost(s)]


def mean_rows(scores: Sequence[Scores], *, intervals: bool = False) -> list[list[str]]:
    """Each model's means over its clips, in order of appearance; with 95 % bootstrap intervals over clips on demand."""
    rows = []
    for found in by_model(scores).values():
        texts = []
        for values, digits in (
            ([s.mse for s in found], 5),
            ([s.si_sdr for s in found], 2),
            ([s.mel for s in found], 3),
        ):
            mean, low, high = interval(values)
            texts.append(f"{mean:.{digits}f}" + (f" [{low:.{digits}f}, {high:.{digits}f}]" if intervals else ""))
        rows.append([found[0].model, *_size(found[0]), *texts, *_cost(*found)])
    return rows


def by_model(scores: Sequence[Scores]) -> dict[str, list[Scores]]:
    """Scores grouped by model, in order of appearance."""
    groups: dict[str, list[Scores]] = {}
    for s in scores:
        groups.setdefault(s.model, []).append(s)
    return groups


def _size(s: Scores) -> list[str]:
    shape = f"{s.latent_shape[0]} x {s.latent_shape[1]}"
    coded = "-" if s.kbps is None else f"{s.kbps:.1f}"
    return [shape, f"{s.floats_per_second:,.0f}", f"{s.ratio:.3g}", coded]


def _cost(*found: Scores) -> list[str]:
    encode = sum(s.encode_speed for s in found) / len(found)
    decode = sum(s.decode_speed for s in found) / len(found)
    return [f"{encode:,.0f}", f"{decode:,.0f}", f"{found[0].weights_bytes / 1e6:.1f}"]
