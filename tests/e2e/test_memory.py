"""Hours take no more memory than minutes: peak memory with minutes of sound against 1 min, each in its own process."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch

from celesta.audio import Writer, info, probe
from celesta.codec import Codec
from celesta.latents import truncate
from celesta.models import registry
from celesta.models.nested import NestedConfig

MINUTE = 60
RATE = 22_050
MOST_MORE = 50  # MB
WORK = """
import pathlib, resource, sys
import torch
torch.set_num_threads(1)
from celesta import codec
verb, model, source, target = sys.argv[1:]
if verb == "predict":
    from celesta.predict import SongPredictor
    song = SongPredictor(["genre", "mood", "tags"]).predict(source)
    assert song.probabilities["genre"].max() > 0, song
elif verb == "encode":
    codec.load(model).encode_file(source, target)
elif verb == "decode":
    codec.load(model).decode_file(source, target)
else:
    from celesta.variations import Step, transform_file
    transform_file(codec.load(model), source, target, [Step("gain", 1.2), Step("noise", 0.1), Step("smooth", 5)])
status = pathlib.Path("/proc/self/status")
if status.exists():  # Linux counts what the parent had before exec into ru_maxrss, but not into VmHWM
    print(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(*args):
    """Peak resident memory of a process that encodes or decodes one file, MB."""
    done = subprocess.run(
        [sys.executable, "-c", WORK, *map(str, args)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts kB, on macOS bytes
    return int(done.stdout.split()[-1]) * unit / 1e6


def write_song(path, minutes, block):
    """The same 10 s of music over and over, its level moving."""
    with Writer(path, RATE, len(block)) as writer:
        for i in range(6 * minutes):
            writer.write(block * np.float32(0.5 + 0.5 * np.sin(i) ** 2))


# Held in memory, the sound or the latent of each long file would take well over 50 MB.
@pytest.mark.parametrize(("model", "channels", "long"), [("sparse-64", 2, 8), ("cel-3", 1, 6)])
def test_a_long_file_needs_no_more_memory(model, channels, long, tmp_path, music, need_weights):
    need_weights(*[model] * model.startswith("cel"))
    block = music(10 * RATE, channels=channels, sample_rate=RATE)
    used = {}
    for minutes in (1, long):
        song, cel, back = (tmp_path / f"{minutes}{suffix}" for suffix in (".flac", ".cel", ".wav"))
        write_song(song, minutes, block)
        used[minutes] = (peak("encode", model, song, cel), peak("decode", model, cel, back))
        assert probe(back).n_samples == minutes * MINUTE * RATE
    assert used[long][0] - used[1][0] < MOST_MORE, f"encode, decode in MB by minutes: {used}"
    assert used[long][1] - used[1][1] < MOST_MORE, f"encode, decode in MB by minutes: {used}"
    print(f"{model}: peak MB of encode and decode by minutes: {used}")


def test_coded_files_need_no_more_memory_for_longer_songs(tmp_path, music):
    """Issue 14, 1: encode, verify, decode and truncate of the codec hold a window at a time."""
    torch.manual_seed(0)
    small = NestedConfig(encoder_width=16, encoder_depth=1, decoder_width=16, decoder_depth=1)
    codec = Codec("nested", registry.build(small), "0" * 64)
    block = music(10 * 44_100, channels=1, sample_rate=44_100)
    peaks = {}
    for minutes in (2, 5):  # both are read twice: their windows do not fit the sample that is looked at first
        song, cel, less = (tmp_path / f"{minutes}{suffix}" for suffix in (".flac", ".cel", "less.cel"))
        with Writer(song, 44_100, 1) as writer:
            for _ in range(6 * minutes):
                writer.write(block)
        for verb, work in (
            ("encode", lambda song=song, cel=cel: codec.encode_file(song, cel, quality=1, verify=True)),
            ("decode", lambda cel=cel: codec.decode_file(cel, tmp_path / "back.flac")),
            ("truncate", lambda cel=cel, less=less: truncate(cel, less, channels=2)),
        ):
            tracemalloc.start()
            work()
            peaks[verb, minutes] = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
    print(f"peak MB: {peaks}")
    for verb in ("encode", "decode", "truncate"):
        assert peaks[verb, 5] < peaks[verb, 2] + 20, peaks


def test_a_long_file_needs_no_more_memory_to_be_varied(tmp_path, music):
    """Issue 14, section 1: transform of a 10 min FLAC needed 3 GB."""
    block = music(10 * RATE, channels=2, sample_rate=RATE)
    used = {}
    for minutes in (1, 10):
        song, out = tmp_path / f"{minutes}.flac", tmp_path / f"{minutes}.wav"
        write_song(song, minutes, block)
        used[minutes] = peak("transform", "linear-64", song, out)
        assert info(out).n_samples == minutes * MINUTE * RATE
    assert used[10] - used[1] < MOST_MORE, f"MB by minutes: {used}"


def test_predictions_of_a_long_song_need_no_more_memory(tmp_path, music):
    """Issue 14, section 1. With the default number of threads: analyses that changed threads took 52 MB more."""
    block = music(10 * RATE, channels=2, sample_rate=RATE)
    used = {}
    for minutes in (1, 6):
        write_song(tmp_path / f"{minutes}.flac", minutes, block)
        used[minutes] = peak("predict", "-", tmp_path / f"{minutes}.flac", "-")
    assert used[6] - used[1] < MOST_MORE, f"peak MB by minutes: {used}"
