"""Bar 5: peak memory of ``celesta encode`` for a short and a long file."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from _codec_bench import Bench

from celesta import audio
from celesta.errors import DataError
from celesta.report.demo import CLIPS

GROWTH = 50.0
KBPS = "12"
SHORT = 6.0
# The process that is measured is started by a small one: Linux counts the memory of the process that a program was
# started from as the program's own until it has more.
_STARTER = (
    "import os, subprocess, sys\n"
    "started = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
    "_, status, used = os.wait4(started.pid, 0)\n"
    "print(used.ru_maxrss * (1 if sys.platform == 'darwin' else 1024))\n"
    "sys.exit(os.waitstatus_to_exitcode(status) != 0)\n"
)


def memory(bench: Bench, minutes: float) -> None:
    """Peaks and the verdict of bar 5; the long file has so many minutes."""
    print(f"\nMemory: celesta encode --kbps {KBPS}, 44.1 kHz mono, {SHORT:g} and {minutes:g} minutes", flush=True)
    peaks = {}
    for length in (SHORT, minutes):
        peaks[length] = _peak(bench.coder.name, length) / 2**20
        print(f"{length:6g} min: peak {peaks[length]:.0f} MiB", flush=True)
    growth = (peaks[minutes] - peaks[SHORT]) * 2**20 / 1e6
    bench.figures["memory"] = {"peak MiB by minutes": peaks, "growth MB": growth}
    note = "" if minutes >= 600 else f"a file of {minutes:g} min, not 10 h; --long for that"
    bench.bars.judge(5, "growth of memory with the song, MB", growth, GROWTH, higher=False, note=note)


def _peak(model: str, minutes: float) -> int:
    """Bytes that encoding a song of so many minutes took at most."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "long.wav"
        pieces = [audio.read(file, mono=True).samples for file in sorted(CLIPS.glob("*.ogg"))]
        left = round(minutes * 60 * 44_100)
        with audio.Writer(song, 44_100, 1, subtype="PCM_16") as writer:  # 10 h stay below the 4 GiB of a WAV
            number = 0
            while left > 0:
                piece = pieces[number % len(pieces)][:, :left].clip(-1, 1 - 2**-15)
                writer.write(np.ascontiguousarray(piece))
                left -= piece.shape[1]
                number += 1
        command = [str(Path(sys.executable).with_name("celesta")), "encode", str(song), "-m", model, "--kbps", KBPS]
        started = subprocess.run(
            [sys.executable, "-c", _STARTER, *command, "-o", str(Path(folder) / "long.cel")],
            capture_output=True,
            text=True,
        )
        if started.returncode:
            raise DataError(f"celesta encode of {minutes:g} min failed: {started.stderr.strip().splitlines()[-1]}")
        return int(started.stdout)
