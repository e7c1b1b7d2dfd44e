"""Turn the checkpoints inside the `musicnn` wheel into safetensors, and store what the original network answers.

Runs in an environment of its own, never in Celesta's:

    python3 -m venv /tmp/tf && /tmp/tf/bin/pip install tensorflow-cpu==2.21 tf_keras librosa==0.11 soundfile safetensors
    /tmp/tf/bin/pip install --no-deps musicnn==0.1.0
    /tmp/tf/bin/python scripts/convert_musicnn.py

Made: src/celesta/weights/musicnn-{msd,mtt}.safetensors (kernels in half precision) and
tests/unit/musicnn.safetensors (float32 answers of the original, TensorFlow and librosa, to three sounds; for one of
them also those it gives with its kernels rounded to half precision, which shows what is rounding and what is not. The
sound that no formula makes is with them, as the bytes of a FLAC file).
"""

from __future__ import annotations

import functools
import io
import json
import os
import tempfile
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import librosa
import musicnn
import numpy as np
import soundfile
import tensorflow as tf
from musicnn import configuration
from musicnn.extractor import extractor
from safetensors.numpy import save_file

ROOT = Path(__file__).parents[1]
WHEEL = Path(musicnn.__file__).parent
CONVOLUTIONS = ("timbral.0", "timbral.1", "temporal.0", "temporal.1", "temporal.2", "mid.0", "mid.1", "mid.2")
RATE = 16_000
LAYERS = ("penultimate", "mean_pool", "max_pool")


def numbered(name: str, number: int) -> str:
    return name if number == 0 else f"{name}_{number}"


def convert(checkpoint: str) -> dict[str, np.ndarray]:
    """Our names, PyTorch's order of axes: (out, in, time, frequency), or (out, in, time) in the middle."""
    read = tf.compat.v1.train.NewCheckpointReader(f"{WHEEL / checkpoint}/").get_tensor
    made: dict[str, np.ndarray] = {}

    def norm(ours: str, number: int) -> None:
        theirs = numbered("batch_normalization", number)
        names = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
        for mine, name in names.items():
            made[f"{ours}.{mine}"] = read(f"{theirs}/{name}")

    norm("norm", 0)
    for number, name in enumerate(CONVOLUTIONS):
        kernel = read(f"{numbered('conv2d', number)}/kernel").transpose(3, 2, 0, 1)
        made[f"{name}.conv.weight"] = kernel.transpose(0, 3, 2, 1)[..., 0] if "mid" in name else kernel
        made[f"{name}.conv.bias"] = read(f"{numbered('conv2d', number)}/bias")
        norm(f"{name}.norm", number + 1)
    norm("pool_norm", 9)
    norm("dense_norm", 10)
    for ours, theirs in (("dense", "dense"), ("out", "dense_1")):
        made[f"{ours}.weight"], made[f"{ours}.bias"] = read(f"{theirs}/kernel").T, read(f"{theirs}/bias")
    half = {name for name, array in made.items() if name.endswith("weight") and array.ndim > 1}
    return {n: np.ascontiguousarray(a.astype(np.float16 if n in half else np.float32)) for n, a in made.items()}


def sounds() -> dict[str, np.ndarray]:
    """Two synthetic sounds and a clip that ships, quiet enough for the original's half-precision spectrogram.

    Chord and pulses are made again by the formulas in tests/unit/test_musicnn.py: change both.
    """
    t = np.arange(4 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * f * t) / k for k, f in enumerate((220, 277.2, 329.6, 880), 1))
    pulses = np.sin(2 * np.pi * 1000 * t**2) * np.exp(-12 * (t % 0.5))
    clip, rate = soundfile.read(ROOT / "src/celesta/clips/reggae.ogg", frames=9 * 44_100, dtype="float32")
    assert rate == 44_100
    real = librosa.resample(clip.mean(1), orig_sr=rate, target_sr=RATE)
    made = {"chord": 0.05 * chord, "pulses": 0.1 * pulses, "clip": 0.2 * real}
    return {name: np.round(x * 32_768).astype(np.int16) for name, x in made.items()}


def restore_rounded(saver: tf.compat.v1.train.Saver, session: tf.compat.v1.Session, path: str) -> None:
    """What the original loads its checkpoint with, then kernels rounded as ours are."""
    restore(saver, session, path)
    for variable in tf.compat.v1.global_variables():
        if variable.shape.ndims > 1:
            variable.load(session.run(variable).astype(np.float16).astype(np.float32), session)


restore = tf.compat.v1.train.Saver.restore


def answers(x: np.ndarray, checkpoint: str) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.wav"
        soundfile.write(file, x, RATE, subtype="PCM_16")
        taggram, _, layers = extractor(str(file), model=checkpoint)
    return {"tags": taggram.astype(np.float32)} | {layer: layers[layer].astype(np.float32) for layer in LAYERS}


def main() -> None:
    # One batch a sound: in its loop over further batches the extractor repeats the first batch's penultimate layer.
    extractor.__globals__["config"].BATCH_SIZE = 64
    # Sounds mirrored at their ends, as in librosa 0.7, which the original was made with; since 0.10 it is silence.
    librosa.feature.melspectrogram = functools.partial(librosa.feature.melspectrogram, pad_mode="reflect")
    labels = {"msd": configuration.MSD_LABELS, "mtt": configuration.MTT_LABELS}
    golden: dict[str, np.ndarray] = {}
    for name, tags in labels.items():
        checkpoint = f"{name.upper()}_musicnn"
        about = {
            "tags": json.dumps(tags),
            "licence": "ISC, Copyright (c) 2019 Jordi Pons",
            "source": f"musicnn 0.1.0, {checkpoint}",
        }
        save_file(convert(checkpoint), ROOT / f"src/celesta/weights/musicnn-{name}.safetensors", about)
        for title, x in sounds().items():
            golden |= {f"{title}.{name}.{layer}": made for layer, made in answers(x, checkpoint).items()}
            if title == "clip":
                flac = io.BytesIO()
                soundfile.write(flac, x, RATE, format="FLAC", subtype="PCM_16")
                golden["clip.flac"] = np.frombuffer(flac.getvalue(), np.uint8)
                tf.compat.v1.train.Saver.restore = restore_rounded
                golden |= {f"rounded.{name}.{layer}": made for layer, made in answers(x, checkpoint).items()}
                tf.compat.v1.train.Saver.restore = restore
    save_file(golden, ROOT / "tests/unit/musicnn.safetensors")


if __name__ == "__main__":
    main()
