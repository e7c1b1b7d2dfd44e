"""`celesta doctor`."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

import typer

from celesta.cli.console import table
from celesta.errors import CelestaError


def doctor() -> None:
    """Check the installation: versions, file formats, extras, weights, a round trip through a model."""
    import numpy as np
    import soundfile
    import torch

    from celesta import codec as codecs
    from celesta.audio import Audio, read, write
    from celesta.models import registry

    rows = [["python", platform.python_version(), "ok"]]
    for package in ("celesta", "torch", "numpy", "scipy", "soundfile", "soxr", "safetensors", "scikit-learn"):
        try:
            rows.append([package, metadata.version(package), "ok"])
        except metadata.PackageNotFoundError:
            rows.append([package, "", "missing: pip install celesta"])
    rows.append(["libsndfile", soundfile.__libsndfile_version__, "ok"])
    rows.append(["torch threads", str(torch.get_num_threads()), f"of {os.cpu_count()} processors"])
    for extra, module in (("av", "av"), ("probes", "xgboost"), ("quality", "zimtohrli")):
        there = importlib.util.find_spec(module) is not None
        rows.append([f"extra [{extra}]", "", "ok" if there else f"not there: pip install 'celesta[{extra}]'"])
    for program, use in (("ffmpeg", "Opus and MP3 beside the curves of compare"), ("c++", "training with --compile")):
        rows.append([program, "", "ok" if shutil.which(program) else f"not there; needed only for {use}"])

    failures = 0
    tone = (0.3 * np.sin(np.arange(22_050) / 10, dtype=np.float32))[None]
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("wav", "flac", "ogg", "opus", "mp3"):
            try:
                file = Path(folder) / f"tone.{suffix}"
                write(file, Audio(tone, 22_050))
                rows.append([suffix, f"{read(file).samples.shape[1]} samples back", "ok"])
            except CelestaError as error:
                failures += 1
                rows.append([suffix, "", str(error)])
    for name in (entry.name for entry in registry.shipped()):
        try:
            codec = codecs.load(name)
            back = codec.decode(codec.encode(Audio(tone, 22_050)))
            mse = float(np.mean((back.samples - tone) ** 2))
            rows.append([name, f"MSE {mse:.5f} on a tone", "ok"])
        except CelestaError as problem:
            failures += 1
            rows.append([name, "", str(problem)])
    table("", ["part", "found", "state"], rows)
    if failures:
        raise typer.Exit(1)
