"""What is known of a .cel file that is there already: from which audio it was made, and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celesta.cli import console
from celesta.errors import CelestaError

if TYPE_CHECKING:
    from celesta.latents import CelReader

_NEAR = (0.9, 1.02)
"""Share of the bitrate asked for that a file may have; files shorter than a minute are often some per cent below it."""


def made_from(target: Path, source: Path) -> bool | None:
    """Whether a .cel file was made from an audio file of this name; None where the file does not say."""
    from celesta.latents import CelReader
    from celesta.latents.source import SourceFile

    try:
        with CelReader(target) as reader:
            recorded = reader.meta.source
    except CelestaError:
        return None
    if recorded is None:
        return None
    same = recorded.name == SourceFile.of(source).name
    if same and not recorded.matches(source):
        console.warn(f"{target}: {source.name} has changed since it was encoded; encode it again with --force")
    return same


def how_coded(target: Path, model: str, options: Mapping[str, Any]) -> str:
    """Describe how a .cel file is coded, and what of it is not as it is asked for now; "" if it cannot be read.

    Args:
        target: the file.
        model: that is asked for.
        options: of ``encode``: ``kbps``, ``quality``, ``channels``, ``dtype``, ``bits`` and ``mono``.
    """
    from celesta.latents import CelReader
    from celesta.latents.meta import CODED

    try:
        with CelReader(target) as reader:
            stored = "" if reader.encoding == CODED else f"{reader.encoding}, "
            said = f" ({reader.meta.model}, {stored}{reader.kbps:.1f} kbit/s)"
            others = _others(reader, model, options)
    except CelestaError:
        return ""
    if others:
        return f"{said}; for {' '.join(others)} give --force"
    if options["quality"] is not None:
        return f"{said}; its quality is not recorded: for --quality {options['quality']:g} give --force"
    return said


def _others(reader: CelReader, model: str, options: Mapping[str, Any]) -> list[str]:
    """List the options whose values are not those of the file; a quality cannot be seen in it."""
    from celesta.latents.meta import CODED

    meta, encoding = reader.meta, reader.encoding
    kbps, channels, bits, dtype = (options[name] for name in ("kbps", "channels", "bits", "dtype"))
    found = {
        f"--model {model}": not Path(model).is_dir() and meta.model != model,
        f"--kbps {kbps or 0:g}": kbps is not None and not _NEAR[0] * kbps <= reader.kbps <= _NEAR[1] * kbps,
        f"--quality {options['quality'] or 0:g}": options["quality"] is not None and encoding != CODED,
        f"--channels {channels}": channels is not None and meta.latent_dim != channels,
        f"--bits {bits}": bits is not None and encoding != f"bits-{bits}",
        f"--dtype {dtype}": dtype is not None and encoding != dtype,
        "--mono": options["mono"] and meta.channels > 1,
    }
    return [option for option, other in found.items() if other]
