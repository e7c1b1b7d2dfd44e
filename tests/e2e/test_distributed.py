"""Two processes of torchrun do the steps that one process does with the same batch."""

import json
import subprocess
import sys

import numpy as np
import pytest

from celesta.audio import Audio, write
from celesta.models import weights

RUN = """
import dataclasses, os, sys
import torch.nn.functional as F
from torch import nn
from celesta.models import baselines, registry
from celesta.models.base import Capabilities, Model, ModelConfig, Parts
from celesta.models.registry import Entry, Role
from celesta.training.config import TrainConfig
from celesta.training.run import start

@dataclasses.dataclass(frozen=True)
class StridedConfig(ModelConfig):
    width: int = 8

class Strided(Model):
    kind = "strided"
    capabilities = Capabilities(has_weights=True)
    Config = StridedConfig

    def __init__(self, config):
        super().__init__(config)
        self.latent_dim, self.hop_length, self.window = 8, 16, 32_000
        self.into = nn.Conv1d(1, 8, 16, 16, bias=False)
        self.back = nn.ConvTranspose1d(8, 1, 16, 16, bias=False)

    def encode(self, x):
        return Parts.dense(self.into(F.pad(x, (0, -x.shape[-1] % 16))))

    def decode(self, parts, length, start=0):
        return self.back(parts.base)[..., :length]

baselines.Strided = Strided
registry.MODELS += (Entry("strided", "baselines.Strided", Role.BASELINE, "One convolution", "s.safetensors", "none"),)
data, run = sys.argv[1:]
start(run, TrainConfig("strided", (data,), steps=4, batch=8, crop=4_096, compile=False, device="cpu", threads=1,
                       valid_windows=2, valid_every=2, warmup=1, learning_rate=1e-2))
if os.environ.get("RANK", "0") != "0":
    print("second process done")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, music):
    made = tmp_path_factory.mktemp("data")
    (made / "music").mkdir()
    for i in range(4):
        write(made / "music" / f"{i}.wav", Audio(music(60_000, sample_rate=22_050, seed=i), 22_050))
    (made / "run.py").write_text(RUN)
    return made


def run(folder, name, *launcher):
    command = [*launcher, str(folder / "run.py"), str(folder / "music"), str(folder / name)]
    made = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


def test_the_weights_are_those_of_one_process(folder):
    run(folder, "one")
    shown = run(folder, "two", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert "second process done" in shown
    for file in ("best.safetensors", "last.safetensors"):
        one, two = (weights.read(folder / name / file).arrays for name in ("one", "two"))
        assert one.keys() == two.keys()
        for key, array in one.items():
            np.testing.assert_allclose(two[key], array, atol=1e-6, err_msg=key)
    logs = [[json.loads(line) for line in (folder / name / "log.jsonl").open()] for name in ("one", "two")]
    assert len(logs[0]) == len(logs[1]) == 1
    assert logs[0][0]["loss"] == pytest.approx(logs[1][0]["loss"], rel=1e-5)
