"""Encode and decode speed of every model, against the obvious way; training speed; memory of long files.

Run: make bench   (about 5 minutes on 2 cores; do not run anything beside it)

The obvious way is what a first implementation would do: nn.Conv1d / nn.ConvTranspose1d, nn.BatchNorm1d, float32,
channels-first, no folding, eager. Same weights, same 5 s window.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from celesta import audio
from celesta import codec as codecs
from celesta.models import registry
from celesta.models.cel import ACTIVATIONS, CelAutoencoder, looks_linear_
from celesta.report.demo import CLIPS

MODELS = [entry.name for entry in registry.shipped()]
CELS = [entry.name for entry in registry.shipped(registry.Role.REPORT)]


class Obvious(nn.Module):
    """The report's network written the obvious way, with the weights of ours."""

    def __init__(self, ours: CelAutoencoder) -> None:
        super().__init__()
        self.pooled = ours.config.pooled
        self.encoder, self.decoder, self.last = ours.encoder, ours.decoder, ours.last
        self.act = ACTIVATIONS[ours.config.activation]

    def encode(self, x: Tensor) -> Tensor:
        """(B, 1, T) to (B, D, F)."""
        for number, block in enumerate(self.encoder, start=1):
            x = self.act(block.norm(block.conv(x)))
            if number in self.pooled:
                x = F.max_pool1d(x, 2)
        return x

    def decode(self, z: Tensor, length: int) -> Tensor:
        """(B, D, F) to (B, 1, length)."""
        sizes = [length]
        for _ in self.pooled:
            sizes.append(sizes[-1] // 2)
        for number, block in zip(range(len(self.encoder), 1, -1), self.decoder, strict=True):
            if number in self.pooled:
                sizes.pop()
                z = F.interpolate(z, sizes[-1])
            z = self.act(block.norm(block.conv(z)))
        if 1 in self.pooled:
            z = F.interpolate(z, length)
        return torch.tanh(self.last(z))


def median_time(work: object, repeats: int) -> float:
    """Median seconds of a call, after one to warm up."""
    work()  # type: ignore[operator]
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()  # type: ignore[operator]
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@torch.inference_mode()
def inference(threads: int, repeats: int) -> list[dict[str, object]]:
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    rows = []
    for name in MODELS:
        codec = codecs.load(name)
        model = codec.model
        seconds = model.window / model.sample_rate
        x = torch.from_numpy(rng.uniform(-1, 1, (1, 1, model.window)).astype(np.float32))
        parts = model.encode(x)
        row: dict[str, object] = {
            "model": name,
            "threads": threads,
            "encode": seconds / median_time(lambda m=model, x=x: m.encode(x), repeats),
            "decode": seconds / median_time(lambda m=model, p=parts: m.decode(p, m.window), repeats),
        }
        if isinstance(model, CelAutoencoder):
            obvious = Obvious(model).eval()
            z = obvious.encode(x)
            row["encode_ratio"] = row["encode"] / (seconds / median_time(lambda o=obvious, x=x: o.encode(x), 3))
            row["decode_ratio"] = row["decode"] / (
                seconds / median_time(lambda o=obvious, z=z, n=model.window: o.decode(z, n), 3)
            )
            rows += [row, bfloat16(model, row, repeats)]
            continue
        rows.append(row)
    return rows


def bfloat16(model: CelAutoencoder, row: dict[str, object], repeats: int) -> dict[str, object]:
    """The same in bfloat16, and what that costs: mean squared error against float32, beside the model's own."""
    clip = audio.read(sorted(CLIPS.glob("*.ogg"))[0], sample_rate=model.sample_rate, mono=True).samples
    x = torch.from_numpy(clip[None, :, : model.window] / np.abs(clip[:, : model.window]).max())
    exact = model(x)
    parts = model.encode(x)
    model.prepare(torch.bfloat16)
    seconds = model.window / model.sample_rate
    encode = seconds / median_time(lambda: model.encode(x), repeats)
    decode = seconds / median_time(lambda: model.decode(parts, model.window), repeats)
    return {
        "model": f"{row['model']} bfloat16",
        "threads": row["threads"],
        "encode": encode,
        "decode": decode,
        "encode_ratio": encode / row["encode"] * row["encode_ratio"],  # type: ignore[operator]
        "decode_ratio": decode / row["decode"] * row["decode_ratio"],  # type: ignore[operator]
        "mse_of_bfloat16": f"{torch.mean((model(x).float() - exact) ** 2).item():.1e}",
        "mse_of_model": f"{torch.mean((exact - x) ** 2).item():.1e}",
    }


def training(threads: int) -> list[dict[str, object]]:
    """Seconds of audio a second of a training step as shipped, and of the obvious loop."""
    torch.set_num_threads(threads)
    rows = []
    for name in CELS:
        speeds = {}
        for way in ("ours", "obvious"):
            torch.manual_seed(0)
            model = registry.create(name)
            assert isinstance(model, CelAutoencoder)
            looks_linear_(model)
            batch, crop = (16, 2_048) if way == "ours" else (8, 16_384)
            x = torch.randn(batch, 1, crop) * 0.2
            net = torch.compile(model) if way == "ours" else Obvious(model)
            optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=way == "ours")

            def step(net=net, x=x, optimizer=optimizer, way=way) -> None:
                with torch.autocast("cpu", torch.bfloat16, enabled=way == "ours"):
                    x_hat = net(x) if way == "ours" else net.decode(net.encode(x), x.shape[-1])
                loss = F.mse_loss(x_hat.float(), x)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

            step()
            speeds[way] = batch * crop / 22_050 / median_time(step, 20 if way == "ours" else 3)
        ratio = speeds["ours"] / speeds["obvious"]
        rows.append({"model": name, "threads": threads, "train": speeds["ours"], "train_ratio": ratio})
    return rows


def memory(minutes: float, model: str) -> float:
    """Peak MiB of a fresh process that encodes a file of so many minutes."""
    code = (
        "import sys, resource, numpy as np\n"
        "from pathlib import Path\n"
        "import celesta\n"
        "from celesta.audio import Writer\n"
        "folder, seconds, model = Path(sys.argv[1]), int(float(sys.argv[2]) * 60), sys.argv[3]\n"
        "rng = np.random.default_rng(0)\n"
        "with Writer(folder / 'long.wav', 22050, 1) as w:\n"
        "    for _ in range(seconds): w.write(rng.normal(0, .1, (1, 22050)).astype('f4').clip(-1, 1))\n"
        "celesta.load(model).encode_file(folder / 'long.wav', folder / 'long.cel')\n"
        "celesta.load(model).decode_file(folder / 'long.cel', folder / 'back.wav')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code, folder, str(minutes), model]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--skip", nargs="*", default=[], choices=("inference", "training", "memory"))
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    rows: list[dict[str, object]] = []
    if "inference" not in args.skip:
        rows += [row for threads in (1, 2) for row in inference(threads, args.repeats)]
    if "training" not in args.skip:
        rows += training(2)
    if "memory" not in args.skip:
        for model in ("linear-64", "cel-3"):
            short, long = memory(1, model), memory(60, model)
            rows.append({"model": model, "MiB_1_min": short, "MiB_1_h": long, "growth": long - short})
    for row in rows:
        print(
            "  ".join(
                f"{key} {value:.1f}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
            )
        )
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
