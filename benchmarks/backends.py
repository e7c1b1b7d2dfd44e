"""Speed of both inference engines: seconds of audio per second, for every model, on one and two threads.

Run: python benchmarks/backends.py [--seconds 30] [--repeat 3] [--json FILE] [--write docs/results/engines.md]

Music: a clip that ships, repeated to the length asked for, mono at the rate of the model. A figure is the best of the
repetitions after a warm-up; encoding and decoding of songs in memory, without resampling. Starting is the time of
a new process that imports the package, loads the model and encodes one second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch

import celesta
from celesta import _device, audio
from celesta.audio import Audio
from celesta.models import registry

CLIP = Path(celesta.__file__).parent / "clips" / "rock.ogg"
BEGIN, END = "<!-- table: benchmarks/backends.py -->", "<!-- end of table -->"
START = """
import numpy as np, celesta
codec = celesta.load({name!r}, backend={backend!r}, device="cpu")
codec.encode(celesta.Audio(np.zeros((1, codec.model.sample_rate), np.float32), codec.model.sample_rate))
"""


def best(work: Callable[[], object], repeat: int) -> float:
    work()
    spent = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return min(spent)


def song(seconds: float, rate: int) -> Audio:
    clip = audio.read(CLIP, sample_rate=rate, mono=True).samples
    n = int(seconds * rate)
    return Audio(np.tile(clip, -(-n // clip.shape[1]))[:, :n], rate)


def measure(name: str, seconds: float, repeat: int) -> list[dict[str, object]]:
    rows = []
    for backend, precision in (("torch", "float32"), ("torch", "auto"), ("onnx", "float32")):
        codec = celesta.load(name, backend=backend, device="cpu", precision=precision)
        x = song(seconds, codec.model.sample_rate)
        for threads in (1, 2):
            with _device.threads(threads):
                z = codec.encode(x)
                encode = best(lambda codec=codec, x=x: codec.encode(x), repeat)
                decode = best(lambda codec=codec, z=z: codec.decode(z), repeat)
            rows.append(
                {"model": name, "backend": backend, "precision": precision, "threads": threads,
                 "encode": seconds / encode, "decode": seconds / decode}
            )  # fmt: skip
        if precision == "float32":
            command = [sys.executable, "-c", START.format(name=name, backend=backend)]
            start = best(lambda command=command: subprocess.run(command, check=True), 2)
            rows[-1]["start"] = rows[-2]["start"] = start
    return rows


def table(found: list[dict[str, object]]) -> str:
    """Return the rows in Markdown, with the default engine of each model."""
    lines = [
        "| model | engine | precision | threads | encode s/s | decode s/s | start s | default |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found:
        chosen = row["backend"] == registry.entry(str(row["model"])).backend and row["precision"] == "float32"
        start = f"{row['start']:.2f}" if "start" in row else ""
        lines.append(
            f"| `{row['model']}` | {row['backend']} | {row['precision']} | {row['threads']} | {row['encode']:.1f} "
            f"| {row['decode']:.1f} | {start} | {'yes' if chosen else ''} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    everything = (*registry.shipped(), *registry.FORMER)
    parser.add_argument("models", nargs="*", default=[entry.name for entry in everything])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", type=Path, help="put the table into this page of the docs")
    args = parser.parse_args()
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}; seconds of audio per second")
    print(f"{'model':10} {'backend':8} {'precision':9} {'threads':>7} {'encode':>8} {'decode':>8} {'start s':>8}")
    found = []
    for name in args.models:
        for row in measure(name, args.seconds, args.repeat):
            found.append(row)
            start = f"{row['start']:8.2f}" if "start" in row else ""
            print(
                f"{row['model']:10} {row['backend']:8} {row['precision']:9} {row['threads']:7} "
                f"{row['encode']:8.1f} {row['decode']:8.1f} {start}", flush=True,
            )  # fmt: skip
    if args.write:
        text = args.write.read_text(encoding="utf-8")
        head, rest = text[: text.index(BEGIN)], text[text.index(END) :]
        args.write.write_text(f"{head}{BEGIN}\n{table(found)}\n{rest}", encoding="utf-8")
    if args.json:
        args.json.write_text(json.dumps({**_device.about(), "seconds": args.seconds, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
