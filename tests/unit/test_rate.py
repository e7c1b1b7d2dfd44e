"""Rate against distortion: sizes are those of bytes that decode, and bits spent are never wasted."""

import shutil
import subprocess
from itertools import pairwise

import numpy as np
import pytest
import torch

import celesta
from celesta.audio import Audio, read
from celesta.dsp.metrics import mse
from celesta.evaluation import latent_coder, rate_distortion
from celesta.evaluation.reconstruction import mono_at
from celesta.models import registry
from celesta.report.demo import CLIPS

RATE = 22_050
MODELS = ("linear-64", "sparse-64", "pca-64")


@pytest.fixture(scope="module")
def sounds(music):
    """Tables are fitted on two pieces and measured on two others, 2 s and 1.5 s."""
    made = [Audio(music(n, sample_rate=RATE, seed=i), RATE) for i, n in enumerate((44_100, 44_100, 44_100, 33_075))]
    return made[:2], made[2:]


@pytest.fixture(scope="module")
def found(sounds):
    return {name: rate_distortion.model_curve(celesta.load(name), *sounds) for name in MODELS}


@pytest.mark.parametrize("name", MODELS)
def test_finer_steps_cost_more_and_sound_no_worse(name, found):
    points = found[name]
    assert [p.setting for p in points] == sorted(rate_distortion.ABSOLUTE_STEPS, reverse=True)
    for coarse, fine in pairwise(points):
        assert fine.kbps > coarse.kbps
        assert fine.mse <= coarse.mse * 1.02
    assert points[-1].mse < 0.5 * points[0].mse
    for p in points:
        assert p.clips == 2
        assert np.isfinite([p.kbps, p.mse, p.si_sdr, p.mel]).all()


def test_the_finest_step_comes_near_the_latent_itself(found, sounds):
    for name, points in found.items():
        codec = celesta.load(name)
        whole = np.mean([mse(x.samples, codec.decode(codec.encode(x)).samples) for x in sounds[1]])
        assert whole * 0.98 <= points[-1].mse <= whole * 1.1, name


@pytest.mark.parametrize("name", ["linear-64", "sparse-64"])
def test_kbps_is_that_of_the_coded_bytes(name, found, sounds):
    """Coded again here, each clip by itself; the bytes must hold all that the sound was made from."""
    fitted_on, clips = sounds
    codec = celesta.load(name)
    bands = codec.model.hop_length if codec.model.detail_size else 0
    step = rate_distortion.ABSOLUTE_STEPS[2]
    tables = latent_coder.fit_tables([codec.encode(x) for x in fitted_on], step, relative=False, bands=bands)
    total, errors = 0, []
    for x in clips:
        z = codec.encode(x)
        data, back = latent_coder.code(z, tables)
        total += 8 * len(data)
        q = latent_coder.decode(data, tables)  # one channel, so all the bytes are one stream
        np.testing.assert_array_equal(
            q, latent_coder.quantise(next(latent_coder.dense_rows(back, bands)), tables.steps)
        )
        errors.append(mse(x.samples, codec.decode(back).samples))
    (point,) = [p for p in found[name] if p.setting == step]
    assert point.kbps * 1000 * sum(x.samples.shape[1] / RATE for x in clips) == pytest.approx(total, rel=1e-9)
    assert point.mse == pytest.approx(np.mean(errors), rel=1e-6)


def test_learnt_models_also_pay_for_their_gains(sounds):
    """A random cel-3 will do: what counts is the size."""
    torch.manual_seed(0)
    codec = celesta.Codec("cel-3", registry.create("cel-3"), "random")
    clips = sounds[1][:1]
    points = rate_distortion.model_curve(codec, sounds[0][:1], clips)
    assert [p.setting for p in points] == list(rate_distortion.RELATIVE_STEPS)
    z = codec.encode(clips[0])
    tables = latent_coder.fit_tables([codec.encode(sounds[0][0])], rate_distortion.RELATIVE_STEPS[0], relative=True)
    coded = 8 * len(latent_coder.code(z, tables)[0])
    seconds = clips[0].samples.shape[1] / RATE
    assert points[0].kbps * 1000 * seconds == pytest.approx(
        coded + rate_distortion.GAIN_BITS * z.windows * z.channels, rel=1e-9
    )


def test_a_learnt_model_gains_from_finer_steps(need_weights):
    need_weights("cel-3")
    fitted_on, clips = (
        [mono_at(read(CLIPS / f"{name}.ogg", start=3, duration=2), RATE) for name in names]
        for names in (("rock", "house"), ("ambient", "reggae"))
    )
    points = rate_distortion.model_curve(celesta.load("cel-3"), fitted_on, clips)
    for coarse, fine in pairwise(points):
        assert fine.kbps > coarse.kbps
        assert fine.mse <= coarse.mse * 1.02
    assert points[-1].si_sdr > points[0].si_sdr + 1


def test_no_peers_without_ffmpeg(monkeypatch, tmp_path, sounds):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("ffmpeg") is None
    assert rate_distortion.peer_curves(sounds[1]) == []


def test_an_ffmpeg_that_fails_gives_no_points(monkeypatch, tmp_path, sounds):
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert shutil.which("ffmpeg") == str(program)
    assert rate_distortion.peer_curves(sounds[1][:1]) == []


def test_peers_with_ffmpeg(sounds):
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg on this machine")
    encoders = subprocess.run(["ffmpeg", "-hide_banner", "-encoders"], capture_output=True, text=True, check=True)
    points = rate_distortion.peer_curves(sounds[1][:1])
    for name, encoder, rates in (
        ("opus", "libopus", rate_distortion.OPUS_KBPS),
        ("mp3", "libmp3lame", rate_distortion.MP3_KBPS),
    ):
        mine = [p for p in points if p.model == name]
        if encoder not in encoders.stdout:
            assert mine == []
            continue
        assert {p.setting for p in mine} <= set(rates)
        assert len(mine) >= 3
        assert mine[-1].kbps > mine[0].kbps
        assert mine[-1].mse < mine[0].mse
