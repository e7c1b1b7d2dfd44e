import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import celesta
from celesta import codec as codecs
from celesta.audio import Audio, read, write
from celesta.dsp.metrics import si_sdr
from celesta.errors import AudioError, LatentError, ModelError, UsageError
from celesta.models import registry


@pytest.fixture(scope="module")
def random_cel():
    torch.manual_seed(0)
    return codecs.Codec("cel-3", registry.create("cel-3"), "random")


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([1, 2, 3, 511, 512, 22_049, 110_079, 110_080, 110_081, 150_000]),
    st.sampled_from([8_000, 22_050, 44_100, 96_000, 192_000]),
    st.integers(1, 2),
)
def test_exact_length_rate_and_channels(n, rate, channels):
    x = np.random.default_rng(n).uniform(-0.5, 0.5, (channels, n)).astype(np.float32)
    codec = celesta.load("linear-16")
    back = codec.decode(codec.encode(Audio(x, rate)))
    assert back.samples.shape == x.shape
    assert back.sample_rate == rate
    assert np.isfinite(back.samples).all()


@pytest.mark.parametrize("n", [1, 8_191, 110_250, 110_251, 250_000])
def test_cel_windows_give_exact_lengths(random_cel, n, music):
    x = Audio(music(n, channels=2, sample_rate=22_050), 22_050)
    z = random_cel.encode(x)
    assert z.base.shape[1:] == (2, 256, 861)
    assert random_cel.decode(z).samples.shape == (2, n)


def test_full_baselines_are_transparent_across_window_borders(music):
    x = Audio(music(400_000, sample_rate=22_050), 22_050)
    for name in ("linear-512", "sparse-1024"):
        codec = celesta.load(name)
        error = np.abs(codec.decode(codec.encode(x)).samples - x.samples)
        border = codec.model.window
        assert error.max() < 1e-4
        assert error[:, border - 600 : border + 600].max() < 1e-4


@pytest.mark.parametrize("name", ["linear-32", "cel-lr", "cel-3"])
def test_no_seam_at_window_borders(name, music, need_weights):
    """The error around the borders is not above the error elsewhere."""
    need_weights(*[name] * name.startswith("cel"))
    codec = celesta.load(name)
    model = codec.model
    x = Audio(music(6 * model.window, sample_rate=22_050, seed=4), 22_050)
    error = (codec.decode(codec.encode(x)).samples - x.samples)[0] ** 2
    stride = model.window - model.overlap
    near = np.zeros(len(error), bool)
    for i in range(1, 6):
        at = i * stride + model.overlap // 2
        near[at - 1_500 : at + 1_500] = True
    assert error[near].mean() < 2.0 * error[~near].mean()


@pytest.mark.parametrize("name", ["sparse-32", "cel-3"])
def test_the_same_sound_gives_the_same_latent_wherever_it_comes_from(name, tmp_path, music, need_weights):
    need_weights(*[name] * name.startswith("cel"))
    x = Audio(music(300_000, channels=2), 44_100)
    write(tmp_path / "x.wav", x)
    codec = celesta.load(name)
    a = codec.encode(tmp_path / "x.wav")
    b = codec.encode(read(tmp_path / "x.wav"))
    codec.encode_file(tmp_path / "x.wav", tmp_path / "x.cel", dtype="float32", verify=True)
    c = celesta.Latent.load(tmp_path / "x.cel")
    codec.encode(Audio(music(999), 44_100))  # something else between
    d = codec.encode(tmp_path / "x.wav")
    for other in (b, c, d):
        assert np.array_equal(a.base, other.base)
        assert np.array_equal(a.places, other.places)
        assert np.array_equal(a.values, other.values)
        assert np.array_equal(a.gain, other.gain)
        assert (a.n_samples, a.source_rate) == (other.n_samples, other.source_rate)
    codec.decode_file(tmp_path / "x.cel", tmp_path / "back.wav")
    memory = codec.decode(c)
    np.testing.assert_allclose(read(tmp_path / "back.wav").samples, memory.samples.clip(-1, 1), atol=2e-7)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["back.wav", "x.cel", "x.wav"]


def test_mono_mixes(music):
    x = Audio(music(30_000, channels=2), 44_100)
    codec = celesta.load("linear-16")
    assert codec.encode(x, mono=True).channels == 1
    assert codec.encode(x).channels == 2


@pytest.mark.parametrize("name", ["linear-16", "sparse-16", "pca-16", "cel-lr", "cel-3"])
def test_silence_dc_and_clipping_are_defined(name, need_weights):
    need_weights(*[name] * name.startswith("cel"))
    codec = celesta.load(name)
    for x in (np.zeros(5_000), np.full(5_000, 0.7), np.sign(np.sin(np.arange(5_000) / 9))):
        back = codec.decode(codec.encode(Audio(x[None].astype(np.float32), 22_050)))
        assert np.isfinite(back.samples).all()
        assert back.samples.shape == (1, 5_000)
    silent = codec.decode(codec.encode(Audio(np.zeros((1, 5_000), np.float32), 22_050)))
    assert np.abs(silent.samples).max() < 1e-6


@pytest.mark.parametrize("name", ["cel-lr", "cel-3"])
def test_level_does_not_matter_to_normalising_models(name, music, need_weights):
    need_weights(name)
    codec = celesta.load(name)
    x = music(60_000, sample_rate=22_050)
    loud = codec.decode(codec.encode(Audio(x, 22_050))).samples
    quiet = codec.decode(codec.encode(Audio(x / 64, 22_050))).samples
    np.testing.assert_allclose(quiet * 64, loud, atol=1e-5)


def test_wrong_input_is_named():
    codec = celesta.load("linear-16")
    for bad in (np.zeros((1, 0)), np.array([[np.nan]])):
        with pytest.raises(AudioError):
            codec.encode(Audio(bad, 22_050))
    with pytest.raises(ModelError, match="did you mean"):
        celesta.load("cel-5")


def test_latents_of_other_models_or_weights_are_refused(music, random_cel):
    x = Audio(music(10_000, sample_rate=22_050), 22_050)
    z = random_cel.encode(x)
    with pytest.raises(LatentError, match="other weights"):
        codecs.Codec("cel-3", registry.create("cel-3"), "other").decode(z)
    with pytest.raises(LatentError, match="decode it with 'cel-3'"):
        celesta.load("linear-16").decode(z)
    with pytest.raises(LatentError, match="decode it with 'linear-16'"):
        random_cel.decode(celesta.load("linear-16").encode(x))


def test_truncated_latents_decode_and_get_no_better(music):
    x = Audio(music(60_000, sample_rate=22_050), 22_050)
    codec = celesta.load("sparse-64")
    z = codec.encode(x)
    found = [si_sdr(x.samples, codec.decode(z.truncate(detail=k)).samples) for k in (32, 16, 8, 2)]
    assert found == sorted(found, reverse=True)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    (tmp_path / "best.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(ModelError, match="damaged"):
        celesta.load(tmp_path)


@pytest.mark.parametrize(("name", "least"), [("cel-lr", 12), ("cel-silu", 12), ("cel-2", 12), ("cel-3", 3)])
def test_shipped_models_are_as_good_as_their_cards_say(name, least, music, need_weights):
    """Far below the card's figures on purpose: the sound is synthetic, the point is that weights are in place."""
    need_weights(name)
    x = Audio(music(110_250, sample_rate=22_050, seed=9), 22_050)
    codec = celesta.load(name)
    assert si_sdr(x.samples, codec.decode(codec.encode(x)).samples) > least


def test_bfloat16_is_an_option_and_its_error_is_far_below_the_models(music, need_weights):
    need_weights("cel-3")
    sound = Audio(music(60_000, sample_rate=22_050), 22_050)
    exact = codecs.load("cel-3")
    fast = codecs.load("cel-3", precision="bfloat16")
    x_hat, near = (c.decode(c.encode(sound)).samples for c in (exact, fast))
    own, of_precision = np.mean((x_hat - sound.samples) ** 2), np.mean((near - x_hat) ** 2)
    assert 0 < of_precision < 0.05 * own
    with pytest.raises(UsageError, match="precision"):
        codecs.load("cel-3", precision="float8")
