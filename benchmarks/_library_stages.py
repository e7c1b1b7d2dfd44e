"""Processor time of the parts of a library's analysis, one thread, as a table."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import threadpoolctl

import celesta
from celesta.audio import Audio, find_audio, read
from celesta.features.musicnn import load_musicnn
from celesta.features.musicnn_patches import PATCH_FRAMES, SAMPLE_RATE, log_mel
from celesta.library.analysis import Analyser
from celesta.library.fingerprint import SAMPLE_RATE as PRINT_RATE
from celesta.library.fingerprint import fingerprint

CLIPS = Path(celesta.__file__).parent / "clips"


def stages(args: argparse.Namespace) -> None:
    """Print the median processor time of each part; the music is the clips that ship, one after the other."""
    clips = [read(file) for file in find_audio(CLIPS)]
    rate = clips[0].sample_rate
    music = np.tile(np.concatenate([one.samples for one in clips], axis=1), 3)[:, : 220 * rate]
    one, networks = Analyser(), [load_musicnn(name) for name in ("MSD", "MTT")]
    three = read(CLIPS / "rock.ogg", sample_rate=SAMPLE_RATE, mono=True).samples[0, : 3 * SAMPLE_RATE]
    patch = log_mel(three)[:PATCH_FRAMES]
    short = read(CLIPS / "rock.ogg", sample_rate=PRINT_RATE, mono=True).samples
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "song.flac")
        soundfile.write(file, music.T, rate)
        parts: dict[str, Callable[[], object]] = {
            "a file of 220 s (FLAC, stereo)": lambda: one.analyse(file),
            "15 s of it (`similar --from 1:10 --to 1:25`)": lambda: one.analyse(file, 70, 85),
            "15 s of it, no taggers (`--by tempo`)": lambda: one.analyse(file, 70, 85, ["tempo"]),
            "30 s in memory, all patches": lambda: one.analyse(Audio(music[:, : 30 * rate], rate)),
            "61 s in memory, every second patch": lambda: one.analyse(Audio(music[:, : 61 * rate], rate)),
            "both of MusiCNN's networks, a patch of 3 s each": lambda: [network(patch) for network in networks],
            "log-mel spectra of 3 s": lambda: log_mel(three),
            "fingerprint of 15 s": lambda: fingerprint(short, PRINT_RATE),
            "decoding of 15 s (Vorbis, stereo, 44.1 kHz)": lambda: read(CLIPS / "rock.ogg"),
        }
        print("| what | processor time |\n| --- | --- |")
        with threadpoolctl.threadpool_limits(1):
            for name, work in parts.items():
                print(f"| {name} | {1000 * median_time(work, args.rounds):.3g} ms |", flush=True)


def median_time(work: Callable[[], object], rounds: int) -> float:
    """Return the median processor time of some calls after a first one, seconds."""
    work()
    spent = []
    for _ in range(rounds):
        before = time.process_time()
        work()
        spent.append(time.process_time() - before)
    return float(np.median(spent))
