"""Bar 5: seconds of stereo sound a second on all cores, beside the architecture of PyPI's ``encodec``.

Times are those of the clock, so nothing should run beside; processor seconds, which other work changes less, stand
with them.
"""

from __future__ import annotations

import functools
import os
import statistics
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _codec_bench import Bench, cores

from celesta import audio, codec
from celesta.audio import Audio
from celesta.codec import bitrate
from celesta.codec.bitrate import Target
from celesta.report.demo import CLIPS

SPEED, TIMES = 60.0, 20.0
REPEATS = 3
JUDGED = "24 kbit/s, float32"
WAYS = {
    JUDGED: ("float32", Target(kbps=24)),
    "quality 5, float32": ("float32", Target(quality=5)),
    "24 kbit/s, bfloat16": ("bfloat16", Target(kbps=24)),
    "quality 5, bfloat16": ("bfloat16", Target(quality=5)),
}
ENCODEC_KBPS = 6.0


def speed(bench: Bench) -> None:
    """Times and verdicts of bar 5: the default way is judged, the others stand beside it."""
    torch.set_num_threads(cores())
    clip = _clip()
    seconds = clip.samples.shape[1] / clip.sample_rate
    print(f"\nSpeed: {seconds:.0f} s of 44.1 kHz stereo on {cores()} core(s), s of sound a second", flush=True)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5:
        print(f"the machine is busy (load {load:.1f}): these speeds are too low, and the ratio unsure")
    found: dict[str, Any] = {"load before": load, "cores": cores(), "seconds": seconds}
    for name, (precision, target) in WAYS.items():
        encode, decode, spent = _ours(codec.load(bench.coder.name, precision=precision), clip, target)
        both = seconds / (encode + decode)
        found[name] = {"encode": seconds / encode, "decode": seconds / decode, "both": both, "processor s": spent}
        print(f"{name:>20s}  encode {seconds / encode:6.1f}  decode {seconds / decode:6.1f}  ", end="")
        print(f"both {both:6.1f}  ({spent:.1f} processor seconds)", flush=True)
    mine = found[JUDGED]["both"]
    note = f"{JUDGED}; {cores()} core(s), load {load:.1f} before"
    bench.bars.judge(5, "encode + decode of stereo, s a second", mine, SPEED, note=note)
    taken = _encodec(clip)
    if taken is None:
        bench.bars.lack(5, "times the speed of encodec", "no encodec; pip install --no-deps encodec einops")
    else:
        clock, spent = taken
        found["encodec 24 kHz"] = {"both": seconds / clock, "processor s": spent}
        print(f"{'encodec 24 kHz':>20s}  both {seconds / clock:6.2f}  ({spent:.1f} processor seconds; ", end="")
        print(f"random weights, {ENCODEC_KBPS:g} kbit/s a channel, no files)")
        note = f"same clip and run; {spent / found[JUDGED]['processor s']:.1f} by processor seconds"
        bench.bars.judge(5, "times the speed of encodec 24 kHz", mine * clock / seconds, TIMES, note=note)
    bench.figures["speed"] = found


def _clip() -> Audio:
    """30 s of stereo music that ships with Celesta."""
    pieces = [audio.read(file) for file in sorted(CLIPS.glob("*.ogg"))[1:4:2]]
    return Audio(np.concatenate([p.samples for p in pieces], axis=1), pieces[0].sample_rate)


def _ours(coder: codec.Codec, clip: Audio, target: Target) -> tuple[float, float, float]:
    """Median seconds of encoding to a file and of decoding it to a sound file, processor seconds of both."""
    times: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        file, back = Path(folder) / "x.cel", Path(folder) / "x.wav"

        def encode(sound: Audio) -> None:
            bitrate.encode_file(coder, sound, file, target)

        for sound in [_beginning(clip)] + [clip] * REPEATS:
            encoding, first = _timed(functools.partial(encode, sound))
            decoding, second = _timed(lambda: coder.decode_file(file, back))
            times.append((encoding, decoding, first + second))
    encoding, decoding, spent = (statistics.median(column) for column in zip(*times[1:], strict=True))
    return encoding, decoding, spent


def _beginning(clip: Audio) -> Audio:
    """What warms up: the first 5 s."""
    return Audio(clip.samples[:, : 5 * clip.sample_rate], clip.sample_rate)


@torch.inference_mode()
def _encodec(clip: Audio) -> tuple[float, float] | None:
    """Seconds by the clock and by the processor that encodec's network takes for both channels; None without it.

    Its 24 kHz model is mono, so the channels go in as a batch of two. Resampling and packing bits are left out of its
    time, not of ours.
    """
    model = _encodec_model()
    if model is None:
        return None
    x = torch.from_numpy(audio.resample(clip.samples, clip.sample_rate, model.sample_rate))[:, None]

    def both(sound: torch.Tensor) -> None:
        model.decode(model.encode(sound))

    both(x[..., : model.sample_rate])  # to warm up
    return _timed(lambda: both(x))


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of a call by the clock, and of all its threads on processors."""
    began, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - spent


def _encodec_model() -> Any:
    """Encodec's 24 kHz architecture with random weights.

    The package imports torchaudio for reading files and for the discriminator of its training, neither of which is
    used here; an empty module in its place spares a large installation that must fit torch's exact version.
    """
    try:
        import torchaudio  # noqa: F401
    except ImportError:
        stub = types.ModuleType("torchaudio")
        sys.modules["torchaudio"] = stub
    try:
        from encodec import EncodecModel
    except ImportError:
        return None
    torch.manual_seed(0)
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.nn.utils.weight_norm")  # not ours to mend
    model = EncodecModel.encodec_model_24khz(pretrained=False)
    model.set_target_bandwidth(ENCODEC_KBPS)
    return model.eval()
