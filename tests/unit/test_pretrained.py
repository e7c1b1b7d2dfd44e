"""save_pretrained and from_pretrained: the same weights, latents that both decode, cards, damaged folders."""

import json

import numpy as np
import pytest

import celesta
from celesta.audio import Audio
from celesta.codec.codec import Codec
from celesta.errors import ModelError
from celesta.models import registry


@pytest.fixture(scope="module")
def song(music):
    return Audio(music(30_000, sample_rate=22_050, seed=3), 22_050)


@pytest.mark.parametrize("name", ["cel-3", "linear-8", "pca-8"])
@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_a_saved_codec_is_the_same_codec(tmp_path, song, name, backend):
    codec = celesta.load(name, backend=backend, device="cpu")
    folder = codec.save_pretrained(tmp_path / "saved")
    again = Codec.from_pretrained(folder, backend=backend, device="cpu")
    assert (again.name, again.weights, again.config, again.backend) == (name, codec.weights, codec.config, backend)
    z = codec.encode(song)
    np.testing.assert_array_equal(again.decode(z).samples, codec.decode(z).samples)
    other = celesta.load(name, backend=backend, device="cpu")
    np.testing.assert_array_equal(other.decode(again.encode(song)).samples, codec.decode(z).samples)


def test_a_saved_codec_with_graphs_runs_on_both_engines(tmp_path, song):
    folder = celesta.load("cel-3", backend="onnx").save_pretrained(tmp_path)
    assert sorted(file.name for file in folder.iterdir()) == [
        "README.md", "cel-3.decode.onnx", "cel-3.encode.onnx", "cel-3.json", "cel-3.safetensors", "config.json",
    ]  # fmt: skip
    one, other = (celesta.load(folder, backend=backend, device="cpu") for backend in ("torch", "onnx"))
    np.testing.assert_allclose(
        one.decode(other.encode(song)).samples, other.decode(one.encode(song)).samples, atol=1e-3
    )


def test_the_card_has_what_hubs_read(tmp_path):
    name = next(entry.name for entry in registry.shipped() if entry.capabilities.codes_to_bitrate)
    celesta.load(name).save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert card.startswith(
        "---\nlibrary_name: celesta\npipeline_tag: audio-to-audio\nlicense: apache-2.0\ntags:\n- celesta\n"
    )
    assert "44100 Hz" in card
    celesta.load("cel-3").save_pretrained(tmp_path)
    assert "license: other" in (tmp_path / "README.md").read_text()
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["model_type"], config["config"]["kind"]) == ("celesta", "cel")


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"model_type": "celesta"}', b'{"model_type": "celesta", "name": "../x"}']
)
def test_damaged_configurations_are_one_line(tmp_path, damage):
    celesta.load("linear-8").save_pretrained(tmp_path)
    (tmp_path / "config.json").write_bytes(damage)
    with pytest.raises(ModelError, match=r"config\.json") as caught:
        celesta.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        celesta.load("linear-8").save_pretrained(tmp_path / "file")


def test_results_have_named_fields(song):
    """As the outputs of other libraries' codecs have: no tuples to count through."""
    codec = celesta.load("linear-8")
    z = codec.encode(song)
    assert z.base.shape[2] == codec.model.latent_dim
    x = codec.decode(z)
    assert x.samples.shape == song.samples.shape
    assert x.sample_rate == song.sample_rate
