"""Both inference engines: the same latents, the same audio, files of one decoded by the other; exported models."""

import json
import os
import shutil
import subprocess
import sys
from functools import lru_cache
from importlib import metadata

import numpy as np
import pytest

import celesta
from celesta import _device
from celesta.audio import Audio
from celesta.codec.codec import Codec
from celesta.errors import MissingExtraError, ModelError, UsageError
from celesta.latents import Latent
from celesta.models import registry, stored, weights
from celesta.models.baselines import LinearBaseline
from celesta.models.export import export_model
from celesta.models.info import StoredInfo
from celesta.models.mdct import Mdct
from celesta.models.mdct_numpy import inverse_mdct, mdct
from celesta.models.onnx_runtime import GraphNetwork

ENTRIES = [entry for entry in (*registry.shipped(), *registry.FORMER) if entry.sized or entry.exported.is_file()]
NAMES = [entry.name for entry in ENTRIES if entry.name != "cel-lr"]  # cel-silu has the same layers
CODED = [entry.name for entry in ENTRIES if entry.capabilities.codes_to_bitrate]
NETWORKS = [entry.name for entry in ENTRIES if entry.sized is None]


@lru_cache
def loaded(name: str, backend: str) -> Codec:
    return celesta.load(name, backend=backend, device="cpu")


@pytest.fixture(scope="module")
def clip() -> Audio:
    path = weights.FOLDER.parent / "clips" / "rock.ogg"
    whole = celesta.read(path)
    return Audio(whole.samples[:, : 3 * whole.sample_rate], whole.sample_rate)


@pytest.mark.parametrize("name", NAMES)
def test_both_engines_agree_on_music(name, clip):
    one, other = (loaded(name, backend) for backend in ("torch", "onnx"))
    assert (one.backend, other.backend) == ("torch", "onnx")
    assert one.weights == other.weights
    assert one.facts == other.facts
    mono = Audio(clip.samples[:1], clip.sample_rate)
    a, b = (codec.encode(mono) for codec in (one, other))
    np.testing.assert_allclose(b.base, a.base, atol=1e-5 * max(1, np.abs(a.base).max(initial=0)))
    if a.values.size:
        audible = np.abs(a.values) > 1e-5  # the song's padding is silence, where any place is the largest
        assert (a.places == b.places)[audible].mean() > 0.999
        np.testing.assert_allclose(b.values, a.values, atol=1e-5)
    if a.envelope is not None:
        np.testing.assert_array_equal(b.envelope, a.envelope)
    x, y = one.decode(a).samples, other.decode(a).samples
    assert x.shape == y.shape == mono.samples.shape
    np.testing.assert_allclose(y, x, atol=1e-4)


@pytest.mark.parametrize(("name", "kbps"), [(name, kbps) for name in CODED for kbps in (3, 24)])
def test_coded_files_of_one_engine_are_decoded_by_the_other(tmp_path, clip, name, kbps):
    files = {}
    for backend in ("torch", "onnx"):
        files[backend] = tmp_path / f"{backend}.cel"
        loaded(name, backend).encode_file(clip, files[backend], kbps=kbps)
    bases = [Latent.load(file) for file in files.values()]
    if all(np.array_equal(getattr(bases[0], part), getattr(bases[1], part)) for part in ("base", "places", "values")):
        assert files["torch"].read_bytes() == files["onnx"].read_bytes(), "the same numbers are the same bytes"
    assert (bases[0].base != bases[1].base).mean() < 1e-4, "only numbers on the edge of two steps may differ"
    for made in files.values():
        one, other = (loaded(name, backend).decompress(made.read_bytes()) for backend in files)
        np.testing.assert_allclose(other.samples, one.samples, atol=1e-4)


@pytest.mark.parametrize("entry", [registry.entry(name) for name in NETWORKS], ids=NETWORKS)
def test_descriptions_are_those_of_the_networks(entry):
    """scripts/export_weights.py was run after the last change of weights or sizes."""
    found = stored.read_description(entry.exported)
    model = entry.model(entry.config)
    assert isinstance(found.info, StoredInfo)
    sizes = found.info.to_dict()
    assert (
        sizes
        == StoredInfo.of(
            model,
            json.loads(json.dumps(registry.config_to_dict(entry.config))),
            parameters=sum(p.numel() for p in model.parameters()),
            stored_numbers=sum(v.numel() for v in model.state_dict().values()),
        ).to_dict()
    )
    assert found.sha256 == weights.read(entry.weights_file).sha256
    assert found.licence == entry.weights_licence
    assert found.graphs == {name: stored.file_hash(found.graph_file(name)) for name in found.graphs}
    assert sum(found.graph_file(name).stat().st_size for name in found.graphs) < 8e6


def test_every_network_that_ships_is_exported():
    """scripts/export_weights.py was run."""
    assert {entry.name for entry in registry.shipped() if entry.sized is None} <= set(NETWORKS)


@pytest.mark.parametrize("bands", [2, 64, 512, 1_024])
@pytest.mark.parametrize("length", [1, 63, 1_024, 5_000])
def test_the_transform_in_numpy_is_that_of_torch(bands, length):
    import torch

    x = np.random.default_rng(length).uniform(-1, 1, (2, length)).astype(np.float32)
    module = Mdct(bands)
    wanted = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(mdct(x, bands), wanted, atol=2e-6 * bands**0.5)
    np.testing.assert_allclose(inverse_mdct(wanted, length + 5)[:, :length], x, atol=1e-5)
    assert inverse_mdct(wanted, length + 5).shape == (2, length + 5)


def test_an_exported_folder_is_a_model(tmp_path, clip):
    found = export_model("cel-3", tmp_path / "made")
    assert sorted(file.name for file in found.path.parent.iterdir()) == [
        "cel-3.decode.onnx",
        "cel-3.encode.onnx",
        "cel-3.json",
        "cel-3.safetensors",
    ]
    codec = celesta.load(tmp_path / "made")
    assert codec.name == "cel-3"
    z = codec.encode(clip, mono=True)
    x = loaded("cel-3", "torch").decode(z)  # the same model with the same weights
    np.testing.assert_allclose(codec.decode(z).samples, x.samples, atol=1e-4)
    with pytest.raises(ModelError, match="backend='onnx'"):
        celesta.load(tmp_path / "made", backend="torch")


@pytest.mark.parametrize("fault", ["graph", "weights", "no graph", "json", "version", "path", "sizes"])
def test_damaged_exports_are_one_line(tmp_path, fault):
    for file in weights.FOLDER.glob("cel-3.*"):
        shutil.copy(file, tmp_path)
    description = tmp_path / "cel-3.json"
    data = json.loads(description.read_text())
    if fault in ("graph", "weights"):
        file = tmp_path / ("cel-3.decode.onnx" if fault == "graph" else "cel-3.safetensors")
        content = bytearray(file.read_bytes())
        content[-9] ^= 1
        file.write_bytes(content)
    if fault == "no graph":
        (tmp_path / "cel-3.encode.onnx").unlink()
    if fault == "version":
        data["version"] = 2
    if fault == "path":
        data["weights"]["file"] = "../cel-3.safetensors"
    if fault == "sizes":
        data["model"]["hop_length"] = 0
    description.write_text("{" if fault == "json" else json.dumps(data))
    with pytest.raises(ModelError, match=r"cel-3|description") as caught:
        celesta.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_backend_is_chosen_by_what_it_can_compute(monkeypatch):
    monkeypatch.setattr(_device, "_may_have_gpu", lambda: False)
    assert celesta.load("cel-3").backend == registry.entry("cel-3").backend
    assert celesta.load("cel-3", precision="bfloat16").backend == "torch"
    for faster in ("onnx", "torch"):
        assert _device.backend("auto", "cpu", "float32", True, faster) == faster
    assert _device.backend("auto", "cpu", "float32", False, "onnx") == "torch"
    assert celesta.load("linear-8").backend == "onnx"
    assert isinstance(celesta.load("linear-8", backend="torch").torch_model, LinearBaseline)
    with pytest.raises(UsageError, match="backend='torch'"):
        _ = celesta.load("linear-8").torch_model
    with pytest.raises(UsageError, match="float32"):
        celesta.load("cel-3", backend="onnx", precision="bfloat16")
    with pytest.raises(UsageError, match="backend must be one of auto, torch, onnx"):
        celesta.load("cel-3", backend="tensorflow")


def test_without_torch_the_message_names_the_extra(monkeypatch):
    monkeypatch.setattr(_device, "has_torch", lambda: False)
    assert celesta.load("cel-3").backend == "onnx"
    assert _device.name("auto") == "cpu"
    for options in ({"backend": "torch"}, {"precision": "bfloat16"}, {"device": "cuda"}):
        with pytest.raises(MissingExtraError, match=r"pip install 'celesta\[train\]'"):
            celesta.load("cel-3", **options)


def test_models_without_a_network_are_not_exported(tmp_path):
    with pytest.raises(ModelError, match="NumPy alone"):
        export_model("pca-8", tmp_path)


def test_threads_of_sessions_follow_the_limit(clip):
    codec = celesta.load("cel-3", backend="onnx")
    mono = Audio(clip.samples[:1], clip.sample_rate)
    with _device.threads(1):
        one = codec.encode(mono)
        assert _device.thread_count() == 1
    with _device.threads(2):
        assert _device.thread_count() == 2
        two = codec.encode(mono)
    np.testing.assert_allclose(one.base, two.base, atol=1e-4)


def test_weights_that_are_a_symbolic_link_are_read(tmp_path, clip):
    """Caches of packages and of hubs link files; ONNX Runtime alone refuses weights outside the graph's folder."""
    for file in weights.FOLDER.glob("cel-3.*"):
        link = tmp_path / file.name
        link.symlink_to(file) if file.suffix == ".safetensors" else link.write_bytes(file.read_bytes())
    x = clip.samples[None, :1, : 2**15]
    found, wanted = (
        GraphNetwork(folder / "cel-3.encode.onnx").run(x=x)["base"] for folder in (tmp_path, weights.FOLDER)
    )
    assert np.array_equal(found, wanted)


NO_TRACE = """
import os, sys
import numpy as np
import celesta
if sys.argv[1:] == ["imported"]:
    import onnxruntime
codec = celesta.load("cel-3", backend="onnx")
codec.encode(celesta.Audio(np.zeros((1, 22_050), np.float32), 22_050))
assert not [name for name in os.environ if name.startswith("ORT_")], os.environ
"""


def test_the_engine_reports_nothing_and_keeps_no_identifier(tmp_path):
    """Official builds of ONNX Runtime write an identifier and events under ~/.cache unless a variable forbids it.

    They do not where a variable says that tests run, so the process gets a clean environment. Whether they did is seen
    in what they leave when the engine was imported first.
    """
    here = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    left = {}
    for words in ([], ["imported"]):
        home = tmp_path / "-".join(["home", *words])
        home.mkdir()
        script = [sys.executable, "-c", NO_TRACE, *words]
        subprocess.run(script, env={**here, "HOME": str(home), "XDG_CACHE_HOME": str(home / "c")}, check=True)
        left[bool(words)] = [file for file in home.rglob("*") if file.is_file()]
    assert left[False] == []
    if metadata.version("onnxruntime") == "1.32.0" and sys.platform == "linux":
        assert left[True], "the test cannot see what the engine writes"
