"""Our MusiCNN answers as the original does."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from celesta.audio import Audio
from celesta.errors import CelestaError, ModelError, UsageError
from celesta.features import musicnn_layers, musicnn_patches
from celesta.features.analyse import analyse
from celesta.features.musicnn import CHECKPOINTS, LAYERS, Patches, load_musicnn, of_network
from celesta.features.musicnn_patches import PATCH_FRAMES
from celesta.features.registry import extractor

GOLDEN = Path(__file__).with_name("musicnn.safetensors")
RATE = 16_000


@pytest.fixture(scope="module")
def golden():
    """The original's answers, and as ``title.sound`` what it heard; formulas as in scripts/convert_musicnn.py."""
    stored = load_file(GOLDEN)
    t = np.arange(4 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * f * t) / k for k, f in enumerate((220, 277.2, 329.6, 880), 1))
    pulses = np.sin(2 * np.pi * 1000 * t**2) * np.exp(-12 * (t % 0.5))
    for title, x in {"chord": 0.05 * chord, "pulses": 0.1 * pulses}.items():
        stored[f"{title}.sound"] = (np.round(x * 32_768) / 32_768).astype(np.float32)
    clip, rate = soundfile.read(io.BytesIO(stored["clip.flac"].tobytes()), dtype="float32")
    assert rate == RATE
    return stored | {"clip.sound": clip, "rounded.sound": clip}


@pytest.fixture(scope="module")
def clip(golden):
    return golden["clip.sound"]


@pytest.mark.parametrize("checkpoint", ["MSD", "MTT"])
@pytest.mark.parametrize("title", ["rounded", "chord", "pulses", "clip"])
def test_equals_the_original_front_end_included(golden, title, checkpoint):
    """To single precision where the original's kernels are rounded as ours; else half precision costs the rest."""
    found = load_musicnn(checkpoint).layers(golden[f"{title}.sound"])
    assert tuple(found) == LAYERS
    for layer in LAYERS:
        wanted = golden[f"{title}.{checkpoint.lower()}.{layer}"]
        assert found[layer].shape == wanted.shape
        assert found[layer].dtype == np.float32
        least = 1e-4 if title == "rounded" else 1e-3 if layer == "tags" else 4e-3
        least *= max(1, np.abs(wanted).max())
        assert np.abs(found[layer] - wanted).max() < least, layer


def test_moments_of_long_songs_are_those_of_all_rows_at_once():
    """Issue 14, section 1: an hour's rows were copied several times to be averaged."""
    patches, random = Patches(load_musicnn("MTT")), np.random.default_rng(0)
    rows = (random.normal(size=(700, patches._rows.width)) ** 3).astype(np.float32)
    patches._rows.append(rows)
    mean, deviation = patches.moments()
    np.testing.assert_array_equal(mean, rows.astype(np.float64).mean(axis=0))
    np.testing.assert_array_equal(deviation, rows.astype(np.float64).std(axis=0))


def test_patches_do_not_depend_on_what_is_around_them(clip):
    model = load_musicnn("MTT")
    whole = model.layers(np.concatenate([clip, clip, clip, clip]))["penultimate"]
    assert len(whole) == 12
    assert np.allclose(model.layers(clip)["penultimate"][:2], whole[:2], atol=1e-4)
    close = model.layers(clip, hop=93)["penultimate"]
    assert np.allclose(close[0], whole[0], atol=1e-4)
    assert len(close) == 5


@pytest.mark.parametrize("block", [1000, 47_872, 1_000_000])
def test_results_do_not_depend_on_how_the_stream_is_cut(clip, block):
    model = load_musicnn("MSD")
    wanted, analysis = model.layers(clip), Patches(model)
    for at in range(0, len(clip), block):
        analysis.push(clip[at : at + block])
    analysis.finish()
    assert all(np.array_equal(rows, wanted[layer]) for layer, rows in analysis.layers().items())
    whole = musicnn_patches.log_mel(clip)
    assert whole.shape == (1 + len(clip) // 256, 96)
    assert len(wanted["tags"]) == len(whole) // PATCH_FRAMES


def test_taggers_share_their_patches_and_may_leave_some_out(clip):
    song = np.concatenate([clip] * 3)
    networks = {f"musicnn-{name.lower()}": load_musicnn(name) for name in CHECKPOINTS}
    dense, sparse = (
        analyse(Audio(song[None], RATE), [of_network(name, network, every) for name, network in networks.items()])
        for every in (1, 2)
    )
    for name, network in networks.items():
        wanted = network.layers(song)["penultimate"]
        assert len(wanted) == 9
        for analysis, every in ((dense, 1), (sparse, 2)):
            rows = analysis._analyses[name].layers()["penultimate"]
            np.testing.assert_allclose(rows, wanted[::every], atol=2e-5)
        one = sparse._analyses[name]
        # Of the patches that are computed, those whose middle lies in the stretch.
        np.testing.assert_array_equal(one.layers(12, 24)["tags"], one.layers()["tags"][2:4])


def test_patches_of_a_stretch(clip):
    analysis = Patches(load_musicnn("MTT"))
    analysis.push(np.concatenate([clip] * 4))
    analysis.finish()
    rows = analysis.layers()["tags"]
    assert len(rows) == 12
    # Patches of 2.992 s: those whose middle lies in the stretch.
    for (start, stop), (first, last) in {
        (0, 10): (0, 3),
        (10, 20): (3, 7),
        (20, None): (7, 12),
        (5, 5.1): (2, 3),
    }.items():
        assert np.array_equal(analysis.layers(start, stop)["tags"], rows[first:last])


def test_a_short_sound_is_followed_by_silence(clip):
    model = load_musicnn("MSD")
    short = clip[:20_000]
    padded = np.pad(short, (0, (PATCH_FRAMES - 1) * 256 - len(short)))
    for layer, found in model.layers(short).items():
        assert len(found) == 1
        assert np.array_equal(found, model.layers(padded)[layer])


@pytest.mark.parametrize("x", [np.zeros(1, np.float32), np.zeros(100_000, np.float32), np.ones(500, np.float32)])
def test_short_and_silent_sounds_are_finite(x):
    made = load_musicnn("MTT").layers(x)
    assert all(np.isfinite(layer).all() and len(layer) >= 1 for layer in made.values())


def test_loud_sound_does_not_overflow():
    x = np.sin(2 * np.pi * 1000 * np.arange(60_000) / 16_000).astype(np.float32)
    assert np.isfinite(musicnn_patches.log_mel(x)).all()
    assert musicnn_patches.log_mel(x).max() > 6


def test_what_cannot_be(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="MSD, MTT"):
        load_musicnn("VGG")
    assert issubclass(UsageError, CelestaError)
    for hop in (0, -1):
        with pytest.raises(UsageError, match="hop"):
            load_musicnn("MSD").layers(np.zeros(10, np.float32), hop=hop)
    with pytest.raises(UsageError, match="finite"):
        load_musicnn("MSD").layers(np.full(10, np.nan, np.float32))
    with pytest.raises(UsageError, match="mono"):
        musicnn_patches.log_mel(np.zeros((2, 10), np.float32))
    monkeypatch.setattr("celesta.features.musicnn.WEIGHTS", tmp_path)
    with pytest.raises(ModelError, match="musicnn-msd"):
        load_musicnn("MSD")


@pytest.mark.parametrize(("time", "frequency"), [(7, 38), (7, 67), (128, 1), (32, 1)])
@pytest.mark.parametrize("frames", [187, 12, 1])
def test_a_front_layer_is_a_plain_convolution(time, frequency, frames):
    rng = np.random.default_rng(time + frames)
    kernel, bias = rng.standard_normal((9, time, frequency)) / time, rng.standard_normal(9)
    # falling, rising, and one that stands still
    norm = musicnn_layers.Norm(np.linspace(-1, 1, 9), rng.standard_normal(9))
    x = (rng.standard_normal((frames, 96)) + 0.5).astype(np.float32)
    padded = np.pad(x, (((time - 1) // 2, time - 1 - (time - 1) // 2), (0, 0)))
    places = np.lib.stride_tricks.sliding_window_view(padded, (time, frequency))
    values = np.einsum("tpij,fij->tpf", places, kernel) + bias
    wanted = norm(np.maximum(values, 0)).max(axis=1)
    front = musicnn_layers.front(kernel.astype(np.float32), bias.astype(np.float32), norm)
    assert np.allclose(front(x), wanted, atol=2e-5)


def test_only_float32_is_offered():
    with pytest.raises(UsageError, match="float32 only"):
        extractor("musicnn-msd", "bfloat16")
