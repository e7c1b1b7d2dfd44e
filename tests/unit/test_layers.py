"""Statistics of a model's layers are those of what its encoder computes."""

import numpy as np
import pytest
import torch

from celesta.errors import ModelError
from celesta.features.encoder_layers import encoder_layers, layer_statistics
from celesta.features.registry import extractor
from celesta.models import registry
from celesta.models.cel import halve
from celesta.study.study import controls_of


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = registry.create("cel-3")
    made.prepare()
    return made


@torch.inference_mode()
def test_last_layer_before_its_pooling(model, music):
    x = music(model.window, 1, model.sample_rate, 3)[0]
    found = layer_statistics(model, x)
    assert len(found) == 3 * len(encoder_layers(model))
    last = len(encoder_layers(model))
    h = torch.from_numpy(x / np.abs(x).max())[None, None]
    h = h.unsqueeze(2).contiguous(memory_format=torch.channels_last)
    for number, block in enumerate(model.encoder, start=1):
        h = block(h)
        rows = h[0, :, 0].double().numpy()
        assert np.allclose(found[f"{number}.mean"], rows.mean(1), atol=1e-5)
        assert np.allclose(found[f"{number}.std"], rows.std(1), atol=1e-5)
        assert np.allclose(found[f"{number}.delta"], np.abs(np.diff(rows)).mean(1), atol=1e-5)
        h = halve(h)
    assert number == last


def test_windows_are_averaged_and_a_short_rest_is_left_out(model, music):
    x = music(2 * model.window, 1, model.sample_rate, 4)[0]
    one, other = (layer_statistics(model, part) for part in (x[: model.window], x[model.window :]))
    both, longer = layer_statistics(model, x), layer_statistics(model, np.append(x, np.ones(1000, np.float32)))
    for name, array in both.items():
        assert np.allclose(array, (one[name] + other[name]) / 2, atol=1e-5)
        assert np.allclose(longer[name], array, atol=1e-5)
    assert not any(layer._forward_hooks for layer in encoder_layers(model))


@pytest.mark.parametrize("sound", [np.zeros(200_000), np.ones(50), np.zeros(1)])
def test_silence_and_the_shortest_sound_are_finite(model, sound):
    found = layer_statistics(model, sound.astype(np.float32))
    assert all(np.isfinite(array).all() for array in found.values())


def test_the_control_is_the_same_layers_before_training(music):
    one, same = extractor("layers-random:nested"), extractor("layers-random:nested")
    x = music(one.sample_rate, 1, one.sample_rate, 5)[0]
    made, again = one.measure(x), same.measure(x)
    assert one.weights == same.weights != extractor("layers:nested").weights
    assert all(np.array_equal(again[name], array) for name, array in made.items())
    assert list(made) == list(extractor("layers:nested").measure(x))
    assert controls_of("layers:nested") == ["handcrafted", "layers-random:nested"]


def test_models_without_layers_are_refused():
    with pytest.raises(ModelError, match="latent:MODEL"):
        extractor("layers:linear-8")


@pytest.mark.parametrize("length", [1, 2, 7, 110_250])
def test_halving_is_max_pooling(length):
    x = torch.randn(2, 3, 1, length)
    if length > 1:
        with torch.no_grad():
            assert torch.equal(halve(x), torch.nn.functional.max_pool2d(x, (1, 2)))
