"""Networks behind NumPy: arrays in, arrays out; weights as files."""

import stat

import numpy as np
import pytest
import torch

from celesta.errors import ModelError, UsageError
from celesta.models import registry, weights
from celesta.models.baselines import LinearBaseline, LinearConfig
from celesta.models.torch_runtime import TorchNetwork, TorchRuntime


@pytest.fixture
def model():
    torch.manual_seed(0)
    return registry.create("cel-3").eval()


def test_arrays_go_in_and_come_out(model):
    x = np.random.default_rng(0).uniform(-1, 1, (1, 1, 2_048)).astype(np.float32)
    with torch.inference_mode():
        wanted = model.encode(torch.from_numpy(x))
        back = model.decode(wanted, 2_048)
    runtime = TorchRuntime(model, "cpu")
    made = runtime.encoder.run(x=x)
    assert tuple(made) == wanted._fields
    assert (made["base"].dtype, made["places"].dtype, made["values"].dtype) == (np.float32, np.int64, np.float32)
    np.testing.assert_allclose(made["base"], wanted.base.numpy(), atol=1e-5)
    out = runtime.decoder.run(**made, length=2_048, start=0)["out"]
    np.testing.assert_allclose(out, back.numpy(), atol=1e-5)


def test_bfloat16_comes_out_as_float32_and_read_only_inputs_are_taken(model):
    x = np.zeros((1, 1, 2_048), np.float32)
    x.flags.writeable = False
    made = TorchRuntime(model, "cpu", "bfloat16").encoder.run(x=x)
    assert made["base"].dtype == np.float32


def test_inputs_move_to_the_device_and_outputs_back():
    """On torch's meta device an input that stayed behind would be an error."""
    seen = []

    def function(x):
        seen.append(x.device.type)
        return torch.zeros(2)

    assert TorchNetwork(function, torch.device("meta")).run(x=np.ones(3))["out"].tolist() == [0, 0]
    assert seen == ["meta"]


def test_other_methods_are_networks_too():
    runtime = TorchRuntime(LinearBaseline(LinearConfig(8)), "cpu")
    made = runtime.function("coefficients").run(x=np.zeros((1, 1, 1_024), np.float32))
    assert made["out"].shape == (1, 2, 512)
    with pytest.raises(UsageError, match="precision"):
        TorchRuntime(LinearBaseline(LinearConfig(8)), "cpu", "float8")


def test_weights_survive_a_file_that_everyone_may_read(tmp_path, model):
    """Item 27: files of safetensors' own writer are readable by their owner only."""
    path = tmp_path / "w.safetensors"
    weights.write(path, model.state_dict(), {"about": '{"a": 1}'})
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    found = weights.read(path)
    assert found.json("about") == {"a": 1}
    other = registry.create("cel-3")
    found.load_into(other)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plain", "w.safetensors"]


def test_half_precision_keeps_what_float16_cannot_hold(model):
    model.encoder[0].norm.running_var.fill_(1e6)
    halved = weights.in_half(model.state_dict())
    assert halved["encoder.0.norm.running_var"].max() == 1e6
    assert {v.dtype for v in halved.values() if v.dim() > 1} == {torch.float16}
    assert not [key for key in halved if key.endswith("num_batches_tracked")]


@pytest.mark.parametrize("fault", ["missing", "damaged", "nan", "superfluous", "shape", "lacking", "header"])
def test_weights_that_do_not_fit_are_one_line(tmp_path, model, fault):
    path, state = tmp_path / "w.safetensors", dict(model.state_dict())
    if fault == "superfluous":
        state["more"] = torch.zeros(1)
    if fault == "shape":
        state["last.weight"] = torch.zeros(3, 1, 1)
    if fault == "lacking":
        del state["last.weight"]
    if fault == "nan":
        state["last.bias"] = torch.full_like(state["last.bias"], torch.nan)
    if fault != "missing":
        weights.write(path, state, {})
    if fault == "damaged":
        path.write_bytes(path.read_bytes()[:-5])

    def use():
        found = weights.read(path)
        found.load_into(registry.create("cel-3"))
        found.json("config")

    with pytest.raises(ModelError, match=r"w\.safetensors") as caught:
        use()
    assert "\n" not in str(caught.value)
