"""Hours take no more memory than minutes: peak memory of a 12 min file against a 1 min file, each in its own process."""

import subprocess
import sys

import numpy as np
import pytest

from celesta.audio import Writer, probe

MINUTE = 60
RATE = 22_050
MOST_MORE = 50  # MB
WORK = """
import resource, sys
import torch
torch.set_num_threads(1)
from celesta import codec
verb, model, source, target = sys.argv[1:]
loaded = codec.load(model)
loaded.encode_file(source, target) if verb == "encode" else loaded.decode_file(source, target)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(*args):
    """Peak resident memory of a process that encodes or decodes one file, MB."""
    done = subprocess.run(
        [sys.executable, "-c", WORK, *map(str, args)], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts kB, on macOS bytes
    return int(done.stdout.split()[-1]) * unit / 1e6


@pytest.fixture(scope="module")
def songs(tmp_path_factory, music):
    """A file of 1 min and one of 12 min, mono at the models' rate, the same music over and over with its level moving."""
    folder = tmp_path_factory.mktemp("songs")
    block = music(10 * RATE, sample_rate=RATE)
    made = {}
    for minutes in (1, 12):
        made[minutes] = folder / f"{minutes}.wav"
        with Writer(made[minutes], RATE, 1) as writer:
            for i in range(6 * minutes):
                writer.write(block * np.float32(0.5 + 0.5 * np.sin(i) ** 2))
    return made


@pytest.mark.parametrize("model", ["sparse-64", "cel-3"])
def test_a_long_file_needs_no_more_memory(model, songs, tmp_path, need_weights):
    need_weights(*[model] * model.startswith("cel"))
    used = {}
    for minutes, song in songs.items():
        cel, back = tmp_path / f"{minutes}.cel", tmp_path / f"{minutes}.wav"
        used[minutes] = (peak("encode", model, song, cel), peak("decode", model, cel, back))
        assert probe(back).n_samples == minutes * MINUTE * RATE
        cel.unlink()
        back.unlink()
    assert used[12][0] - used[1][0] < MOST_MORE, f"encode, decode in MB by minutes: {used}"
    assert used[12][1] - used[1][1] < MOST_MORE, f"encode, decode in MB by minutes: {used}"
