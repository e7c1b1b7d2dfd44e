"""celesta-ssl and joined features: the same numbers whatever was drawn before, and weights that are refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from celesta.errors import ModelError, UsageError
from celesta.features import contrastive, fusion
from celesta.features.extract import Features
from celesta.features.registry import extractor


def test_weights_and_their_hash_do_not_depend_on_what_was_drawn_before():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        one = contrastive.load_contrast(backend="torch")
        torch.manual_seed(2)
        other = contrastive.load_contrast(backend="torch")
    assert one.weights == other.weights == contrastive.load_contrast(backend="onnx").weights
    assert extractor("celesta-ssl").weights == one.weights


def test_both_engines_give_the_same_vectors(music):
    x = music(8 * contrastive.SAMPLE_RATE, 1, contrastive.SAMPLE_RATE, 0)[0]
    one, other = (contrastive.load_contrast(backend=backend).song(x) for backend in ("torch", "onnx"))
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], atol=1e-4)


def test_a_song_is_mean_and_standard_deviation_of_its_patches(music):
    network = contrastive.load_contrast()
    x = music(8 * contrastive.SAMPLE_RATE, 1, contrastive.SAMPLE_RATE, 0)[0]
    found = network.song(x)
    assert {name: array.shape for name, array in found.items()} == {"mean": (256,), "std": (256,)}
    assert all(np.isfinite(array).all() for array in found.values())
    assert found["std"].max() > 0
    again = network.song(x)
    assert all(np.array_equal(found[name], again[name]) for name in found)
    short = network.song(x[:1600])  # one patch, filled with silence
    assert np.array_equal(short["std"], np.zeros(256, np.float32))


@pytest.mark.parametrize("bad", [np.zeros((2, 100), np.float32), np.zeros(0, np.float32), np.array([np.nan])])
def test_what_is_no_mono_sound_is_refused(bad):
    with pytest.raises(UsageError, match="finite mono"):
        contrastive.load_contrast().song(bad)


def test_missing_and_damaged_weights_are_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(contrastive, "WEIGHTS", tmp_path)
    with pytest.raises(ModelError, match="no weights of celesta-ssl"):
        contrastive.load_contrast()
    (tmp_path / "celesta-ssl.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="install Celesta again") as caught:
        contrastive.load_contrast()
    assert "\n" not in str(caught.value)


def test_joined_features_are_blocks_side_by_side():
    paths = [Path("a"), Path("b")]
    ssl = np.arange(12, dtype=np.float32).reshape(2, 6)
    made = np.arange(4, dtype=np.float32).reshape(2, 2)
    parts = {"celesta-ssl": {"mean": slice(0, 4), "std": slice(4, 6)}, "handcrafted": {"mean": slice(0, 2)}}
    features = Features(paths, {"celesta-ssl": ssl, "handcrafted": made}, parts, {})
    assert fusion.needed(["celesta-unlabelled", "handcrafted"]) == ["celesta-ssl", "handcrafted"]
    X, blocks = fusion.blocks(features, "celesta-unlabelled", paths[::-1])
    assert np.array_equal(X, np.concatenate([ssl[::-1, :4], made[::-1]], axis=1))
    assert blocks == [(4, 1.0), (2, 1.0)]
    with pytest.raises(UsageError, match="no features of it"):
        fusion.blocks(features, "celesta-unlabelled", [Path("c")])
    with pytest.raises(UsageError, match="not extracted"):
        fusion.blocks(features, "celesta-features")
