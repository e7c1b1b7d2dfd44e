"""`celesta info`."""

from __future__ import annotations

from celesta.cli.console import table
from celesta.cli.options import Sources


def info(sources: Sources) -> None:
    """Say what a .cel file or a sound file holds.

    Example: `celesta info song.cel song.mp3`
    """
    from celesta.audio import probe
    from celesta.latents import CelReader

    for file in sources:
        if file.suffix == ".cel":
            with CelReader(file) as reader:
                m = reader.meta
                seconds = m.n_samples / m.source_rate
                size = file.stat().st_size
                numbers = m.windows * m.channels * (m.latent_dim + 2 * m.detail_size) * m.frames
                rows = [
                    ["model", m.model],
                    ["weights", m.weights[:16] or "none needed"],
                    ["source", f"{m.source_rate} Hz, {m.channels} channel(s), {m.n_samples} samples, {seconds:.2f} s"],
                    ["latent", f"{m.windows} window(s) of {m.latent_dim} x {m.frames}, detail {m.detail_size}"],
                    [
                        "floats",
                        f"{numbers / seconds:,.0f} a second, {numbers / (m.n_samples * m.channels):.3g} a sample",
                    ],
                    ["file", f"{size:,} bytes, {size * 8 / seconds / 1000:.1f} kbit/s, {reader.encoding}"],
                    *[[key, value] for key, value in m.tags.items()],
                ]
        else:
            i = probe(file)
            rows = [
                ["format", f"{i.format} {i.subtype}"],
                ["sound", f"{i.sample_rate} Hz, {i.channels} channel(s), {i.n_samples} samples, {i.duration:.2f} s"],
                *[[key, value] for key, value in i.tags.items()],
            ]
        table(str(file), ["", ""], rows)
