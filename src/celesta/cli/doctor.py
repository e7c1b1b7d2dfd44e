"""`celesta doctor`."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np

from celesta import _device, _extras
from celesta.cli import console
from celesta.cli.options import DEFAULT_MODEL, Json
from celesta.cli.progress import Meter, working
from celesta.errors import CelestaError

OK = "ok"
PACKAGES = ("celesta", "numpy", "scipy", "onnxruntime", "soundfile", "soxr", "safetensors")
EXTRAS = (
    ("train", "torch"), ("science", "sklearn"), ("studio", "starlette"), ("av", "av"), ("probes", "xgboost"),
    ("quality", "zimtohrli"),
)  # fmt: skip
PROGRAMS = (("ffmpeg", "the curves of Opus and MP3 in compare"), ("c++", "training with --compile"))
FORMATS = ("wav", "flac", "ogg", "opus", "mp3")

_ENGINES = {"onnx": "ONNX Runtime and NumPy", "torch": "PyTorch"}

Row = tuple[str, str, str]


def doctor(as_json: Json = False) -> None:
    """Check the installation: versions, file formats, extras, weights, a round trip through each model.

    Exits with 1 if something that Celesta needs does not work.

    Example: `celesta doctor`
    """
    with working("doctor", "checking packages") as meter:
        rows, needed = _packages()
        rows += _optional()
        needed += _formats() + _models(meter)
    broken = [name for name, _, state in needed if state != OK]
    console.problems.extend(broken)
    rows += needed
    if as_json:
        console.emit({"ok": not broken, "parts": [{"part": a, "found": b, "state": c} for a, b, c in rows]}, indent=1)
        return
    console.table("", ["part", "found", "state"], [row for row in rows if row[2] == OK])
    for name, found, state in rows:
        if state != OK:
            console.say(f"{name}: {state}{f' ({found})' if found else ''}")
    console.say("something is broken, see above" if broken else "everything that Celesta needs works")


def _packages() -> tuple[list[Row], list[Row]]:
    """Return facts of the machine, and the packages that are needed."""
    import soundfile

    rows: list[Row] = [
        ("python", platform.python_version(), OK),
        ("libsndfile", soundfile.__libsndfile_version__, OK),
        ("threads", f"{_device.about()['threads']} of {os.cpu_count()} processors", OK),
    ]
    needed: list[Row] = []
    for package in PACKAGES:
        try:
            needed.append((package, metadata.version(package), OK))
        except metadata.PackageNotFoundError:
            needed.append((package, "", "is missing; reinstall celesta"))
    return rows, needed


def _optional() -> list[Row]:
    """Return optional packages and programs."""
    rows: list[Row] = []
    for extra, module in EXTRAS:
        there = _extras.installed(module)
        rows.append(
            (f"extra [{extra}]", "", OK if there else f"optional, not installed: pip install 'celesta[{extra}]'")
        )
    for program, use in PROGRAMS:
        there = shutil.which(program) is not None
        rows.append((program, "", OK if there else f"optional, not installed; only for {use}"))
    return rows


def _formats() -> list[Row]:
    """Write and read a tone in each format."""
    from celesta.audio import read, write

    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix in FORMATS:
            try:
                file = Path(folder) / f"tone.{suffix}"
                write(file, _tone(), 22_050)
                rows.append((suffix, f"{read(file).samples.shape[1]} samples read back", OK))
            except CelestaError as error:
                rows.append((suffix, "", str(error)))
    return rows


def _models(meter: Meter) -> list[Row]:
    """Take a tone through the default model and all others that ship."""
    from celesta import codec as codecs
    from celesta.audio import Audio
    from celesta.models import registry

    rows: list[Row] = []
    tone = _tone()
    names = [entry.name for entry in registry.shipped()]
    for number, name in enumerate(names):
        meter.steps(name, number, len(names))
        try:
            codec = codecs.load(name)
            back = codec.decode(codec.encode(Audio(tone, 22_050)))
            mse = float(np.mean((back.samples - tone) ** 2))
            what = " (default)" if name == DEFAULT_MODEL else ""
            rows.append(
                (f"{name}{what}", f"{_ENGINES[codec.backend]} on {codec.network.device}, MSE {mse:.5f} on a tone", OK)
            )
        except CelestaError as error:
            rows.append((name, "", str(error)))
    return rows


def _tone() -> np.ndarray:
    return (0.3 * np.sin(np.arange(22_050) / 10, dtype=np.float32))[None]
