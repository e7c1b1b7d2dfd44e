"""Files that a release wrote are read for ever: tests/golden, made by scripts/make_golden.py."""

import hashlib
import json
import lzma
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import celesta
from celesta.latents import Latent, verify
from celesta.models import registry

FOLDER = Path(__file__).parents[1] / "golden"
FACTS = json.loads((FOLDER / "golden.json").read_text(encoding="utf-8"))
TOLERANCE = 1e-4  # full scale is 1; other machines and versions of torch round elsewhere


@pytest.fixture
def cel(request, tmp_path):
    """The golden file of that name, unpacked, and what is known of it."""
    path = FOLDER / request.param
    if path.suffix == ".xz":
        path = tmp_path / path.stem
        path.write_bytes(lzma.decompress((FOLDER / request.param).read_bytes()))
    return path, FACTS[request.param]


def test_every_file_is_known_and_they_are_small():
    there = {p.name for p in FOLDER.iterdir() if p.name != "golden.json"}
    assert there == set(FACTS)
    assert sum(p.stat().st_size for p in FOLDER.iterdir()) < 3_000_000
    kinds = {(f["model"].split("-")[0], f["encoding"].split("-")[0]) for f in FACTS.values()}
    for model in ("linear", "sparse", "pca"):
        assert {(model, "float16"), (model, "float32"), (model, "bits")} <= kinds
    assert {("cel", "float16"), ("cel", "bits"), ("nested", "float16"), ("nested", "coded")} <= kinds
    assert {("nested2", "float16"), ("nested2", "coded")} <= kinds
    assert {f["shape"][0] for f in FACTS.values()} == {1, 2}


def test_every_model_has_a_golden_file():
    """Item 21: scripts/make_golden.py adds one for a new model."""
    installed = {one.name for one in registry.shipped() if one.weights_file is None or one.weights_file.is_file()}
    assert installed <= {f["model"] for f in FACTS.values()}


@pytest.mark.parametrize("cel", sorted(FACTS), indirect=True)
def test_its_bytes_and_header_are_what_they_were(cel):
    path, known = cel
    assert hashlib.sha256(path.read_bytes()).hexdigest() == known["cel_sha256"]
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    assert metadata["format"] == "celesta"
    assert metadata["format_version"] == str(known["format_version"]) == "2"
    meta = verify(path)
    assert (meta.model, meta.weights, meta.encoding) == (known["model"], known["weights"], known["encoding"])
    assert (meta.channels, meta.n_samples) == tuple(known["shape"])


@pytest.mark.parametrize("cel", sorted(FACTS), indirect=True)
def test_it_decodes_to_what_it_was(cel):
    path, known = cel
    z = Latent.load(path)
    digest = hashlib.sha256()
    for part in (z.base, z.places, z.values, z.gain, z.envelope):
        if part is None:
            continue
        digest.update(np.ascontiguousarray(part).astype(part.dtype.newbyteorder("<")).tobytes())
    assert digest.hexdigest() == known["latent_sha256"]
    sound = celesta.load(z.model).decode(z)
    assert sound.sample_rate == known["sample_rate"]
    assert list(sound.samples.shape) == known["shape"]
    found, wanted = sound.samples[:, known["at"]], np.array(known["millionths"]) / 1e6
    assert wanted.std() > 0.005, "the golden sound itself is silent"
    np.testing.assert_allclose(found, wanted, atol=TOLERANCE, rtol=0)
    power = np.mean(sound.samples.astype(np.float64) ** 2, axis=1)
    np.testing.assert_allclose(power, known["power"], rtol=1e-3)


@pytest.mark.parametrize("cel", sorted(FACTS), indirect=True)
def test_it_decodes_file_to_file(cel, tmp_path):
    path, known = cel
    celesta.load(known["model"]).decode_file(path, tmp_path / "back.wav")
    back = celesta.read(tmp_path / "back.wav").samples
    wanted = (np.array(known["millionths"]) / 1e6).clip(-1, 1)
    np.testing.assert_allclose(back[:, known["at"]], wanted, atol=TOLERANCE, rtol=0)
