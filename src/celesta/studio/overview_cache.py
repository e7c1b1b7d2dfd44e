"""Waveforms and spectrograms of songs on disk, so that a song that was open before is drawn at once."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import numpy as np
import safetensors.numpy

from celesta._files import atomic, read_arrays
from celesta.dsp.peaks import PeakPyramid
from celesta.dsp.spectrogram import ROWS
from celesta.errors import CelestaError

VERSION = "1"
MOST_BYTES = 1 << 30
"""Size of the folder from which on the files that were not used for longest are deleted."""


def load(folder: Path, song: Path) -> tuple[PeakPyramid, np.ndarray, int] | None:
    """Return peaks, columns of the spectrogram and their hop length; None where they are not there or damaged."""
    file = _file(folder, song)
    if file is None or not file.is_file():
        return None
    try:
        arrays, about = read_arrays(file)
        peaks = PeakPyramid.restored(arrays["peaks"], int(about["samples"]))
        columns, hop = arrays["columns"], int(about["hop"])
        if columns.dtype != np.uint8 or columns.ndim != 2 or columns.shape[1] != ROWS or hop < 1:
            return None
        os.utime(file)
    except (OSError, ValueError, KeyError):
        return None
    return peaks, columns, hop


def store(folder: Path, song: Path, peaks: PeakPyramid, columns: np.ndarray, hop: int) -> None:
    """Write an overview; a disk that is full or read-only changes nothing."""
    file = _file(folder, song)
    if file is None:
        return
    arrays = {"peaks": peaks.state(), "columns": np.ascontiguousarray(columns)}
    data = safetensors.numpy.save(arrays, {"samples": str(peaks.samples), "hop": str(hop)})
    with contextlib.suppress(CelestaError, OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with atomic(file, CelestaError) as temporary:
            temporary.write_bytes(data)
        _prune(folder)


def _file(folder: Path, song: Path) -> Path | None:
    """The file of a song's overview, which changes with the song's path, size and time."""
    try:
        about = song.stat()
    except OSError:
        return None
    key = repr((VERSION, os.fsencode(song), about.st_size, about.st_mtime_ns))
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"


def _prune(folder: Path) -> None:
    files = [(one.stat().st_mtime, one.stat().st_size, one) for one in folder.glob("*.safetensors")]
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files):
        if total <= MOST_BYTES:
            break
        file.unlink(missing_ok=True)
        total -= size
