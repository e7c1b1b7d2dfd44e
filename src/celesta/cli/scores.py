"""The table of scores that demo and compare print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celesta.cli import console


def print_scores(title: str, rows: Sequence[Any]) -> None:
    """Means of each model over the clips, in the order the models came."""
    by_model: dict[str, list[Any]] = {}
    for row in rows:
        by_model.setdefault(row.model, []).append(row)

    def mean(found: list[Any], field: str) -> float:
        return float(sum(getattr(row, field) for row in found) / len(found))

    console.say(f"{title}, mono at 44.1 kHz")
    console.table(
        "",
        ["model", "latent", "floats/s", "ratio", "kbit/s", "MSE", "SI-SDR", "mel", "enc", "dec"],
        [
            [
                name,
                "x".join(map(str, found[0].latent_shape)),
                f"{found[0].floats_per_second / 1000:,.1f}k",
                f"{found[0].ratio:.2g}",
                "-" if found[0].kbps is None else f"{mean(found, 'kbps'):.0f}",
                f"{mean(found, 'mse'):.5f}",
                f"{mean(found, 'si_sdr'):.1f}",
                f"{mean(found, 'mel'):.2f}",
                f"{mean(found, 'encode_speed'):.0f}",
                f"{mean(found, 'decode_speed'):.0f}",
            ]
            for name, found in by_model.items()
        ],
        spare=("latent", "dec", "enc", "MSE", "ratio"),
    )
    console.say("floats/s: numbers of the latent a second, of a coded one those that are not 0")
    console.say("ratio: floats per input sample; kbit/s: of a coded file, the others are floats")
    console.say("MSE: full scale is 1; SI-SDR: dB, more is better; mel: distance, less is better")
    console.say("enc, dec: seconds of audio done in a second")
