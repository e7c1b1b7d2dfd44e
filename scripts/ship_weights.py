"""Turn finished runs into weights that ship: half precision, scored on held-out windows, with a model card.

Run: python scripts/ship_weights.py runs/cel-lr runs/cel-silu ... --data GTZAN [--data 4QAED]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from celesta import codec as codecs
from celesta import datasets
from celesta.dsp import metrics
from celesta.models import registry
from celesta.models.base import parameter_count
from celesta.probes.statistics import mean_interval
from celesta.training.checkpoint import save_weights
from celesta.training.config import read_config

WEIGHTS = Path(codecs.__file__).parent / "weights"

CARD = """# {name}

{kind} of the seed report, trained anew. **Research use only**,
as GTZAN and 4QAED are, on which it was trained.

| | |
|---|---|
| parameters | {parameters:,} (kernels in float16) |
| latent of a 5 s window | {latent} |
| numbers per input sample | {ratio:.3g}: this model does not compress |
| training music | {tracks} tracks: GTZAN's train_filtered and 4QAED, less artists of GTZAN's valid and test lists |
| training | {steps} steps of {batch} crops of {crop} samples, {hours:.2f} h on 2 CPU cores, seed {seed} |
| initialisation | {init} |
| loss | mean squared error; AdamW {rate:g}, beta2 {beta2:g}, cosine to zero |
| chosen by | lowest validation error (step {best_step}), {valid_windows} windows of valid_filtered |
| **held-out** | {windows} windows of GTZAN's test_filtered, one from the middle of each track, peak-normalised |
| MSE | {mse:.5f} (95 % interval {low:.5f} to {high:.5f}); silence would have {silence:.5f} |
| SI-SDR | {si_sdr:.2f} dB |
| mel distance | {mel:.3f} |
| the report's train loss | {reported} |

Made by:

```
celesta train -m {name} --data gtzan --data 4qaed -o runs/{name} --steps {steps} --batch {batch} --crop {crop}
python scripts/ship_weights.py runs/{name} --data gtzan --data 4qaed
```
"""
REPORTED = {"cel-lr": 0.006, "cel-silu": 0.0057, "cel-2": 0.0043, "cel-3": 0.0146}
KINDS = {
    "cel-lr": "CELAutoencoder",
    "cel-silu": "CELAutoencoderSiLU",
    "cel-2": "CELAutoencoder2",
    "cel-3": "CELAutoencoder3",
}


def ship(run: Path, data: list[Path], most: int) -> None:
    config = read_config(run / "train.toml")
    tracks = datasets.load(data)
    model = registry.create(config.model)
    with safe_open(run / "best.safetensors", "pt") as file:
        facts = json.loads(file.metadata()["facts"])
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    model.load_state_dict(state, strict=False)
    last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    target = WEIGHTS / f"{config.model}.safetensors"
    facts |= {"seed": config.seed, "steps": config.steps, "batch": config.batch, "crop": config.crop}
    save_weights(target, model, model.config, facts, half=True)

    codec = codecs.load(config.model)
    test = datasets.by_split(tracks, "test")[:most]
    held_out = data.build(test, codec.model.sample_rate)
    windows = held_out.windows(held_out.tracks, codec.model.window)
    errors, si_sdrs, mels = [], [], []
    with torch.inference_mode():
        for window in windows:
            x = torch.from_numpy(window)[None, None]
            x_hat = codec.model(x)[0].numpy()
            errors.append(float(np.mean((x_hat[0] - window) ** 2)))
            si_sdrs.append(metrics.si_sdr(window[None], x_hat))
            mels.append(metrics.mel_distance(window[None], x_hat, codec.model.sample_rate))
    _, low, high = mean_interval(errors)
    card = CARD.format(
        name=config.model,
        kind=KINDS[config.model],
        parameters=parameter_count(model),
        latent=f"{model.latent_dim} x {model.window // model.hop_length}",
        ratio=model.floats_per_second / model.sample_rate,
        tracks=len(datasets.by_split(tracks, "train")),
        steps=last["step"],
        batch=config.batch,
        crop=config.crop,
        hours=facts["seconds"] / 3600,
        seed=config.seed,
        init=config.init,
        rate=config.learning_rate,
        beta2=config.beta2,
        best_step=facts["best_step"],
        valid_windows=config.valid_windows,
        windows=len(errors),
        mse=np.mean(errors),
        low=low,
        high=high,
        silence=float(np.mean(windows**2)),
        si_sdr=np.mean(si_sdrs),
        mel=np.mean(mels),
        reported=REPORTED[config.model],
    )
    (WEIGHTS / f"{config.model}.md").write_text(card, encoding="utf-8")
    print(f"{config.model}: held-out MSE {np.mean(errors):.5f}, SI-SDR {np.mean(si_sdrs):.2f} dB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data", action="append", type=Path, required=True)
    parser.add_argument("--most", type=int, default=10_000, help="score at most so many test tracks")
    args = parser.parse_args()
    for run in args.runs:
        ship(run, args.data, args.most)


if __name__ == "__main__":
    main()
