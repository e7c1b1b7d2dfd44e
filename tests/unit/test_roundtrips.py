"""Round trips over sample rates, channels and formats: exact length, finite samples, no error but Celesta's."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import celesta
from celesta.audio import Audio, read, write

ROOT = Path(__file__).parents[2]
CODEC = celesta.load("linear-16")
ANY_RATE = ("wav", "flac")
RATES = {
    "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "opus": (8_000, 12_000, 16_000, 24_000, 48_000),
}


@st.composite
def songs(draw):
    suffix = draw(st.sampled_from((*ANY_RATE, "ogg", "mp3", "opus")))
    rate = draw(st.sampled_from(RATES[suffix]) if suffix in RATES else st.integers(8_000, 192_000))
    if suffix == "flac" and rate > 65_535:
        rate -= rate % 10  # what the format can say
    most = 2 if suffix in ("mp3", "opus") else 8
    channels, length = draw(st.integers(1, most)), draw(st.integers(1, 12_000))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    level = draw(st.sampled_from((0.0, 1e-6, 0.3, 1.0)))
    x = (level * rng.uniform(-1, 1, (channels, length))).astype(np.float32)
    return suffix, Audio(x, rate)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(song=songs())
def test_file_to_latent_to_file(song, tmp_path):
    suffix, x = song
    source, latent, back = (tmp_path / name for name in (f"a.{suffix}", "a.cel", "b.wav"))
    for file in (source, latent, back):
        file.unlink(missing_ok=True)
    write(source, x)
    heard = read(source)
    assert (heard.samples.shape[0], heard.sample_rate) == (x.samples.shape[0], x.sample_rate)
    if suffix != "mp3" and suffix != "opus":
        assert heard.samples.shape == x.samples.shape
    CODEC.encode_file(source, latent, dtype="float32")
    CODEC.decode_file(latent, back)
    made = read(back)
    assert made.samples.shape == heard.samples.shape
    assert made.sample_rate == heard.sample_rate
    assert np.isfinite(made.samples).all()
    if not heard.samples.any():
        assert not made.samples.any()


def test_a_part_of_the_fuzz_benchmark():
    command = [sys.executable, str(ROOT / "benchmarks" / "fuzz.py"), "--files", "60", "--first", "7000"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stdout + made.stderr
    assert made.stdout.count(" 0 failures") == len(made.stdout.splitlines()) - 1 >= 8
