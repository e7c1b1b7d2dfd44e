"""Several windows in one call of a network, as on GPUs: the same latents and the same audio as one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import celesta
from celesta.audio import Audio
from celesta.codec.codec import Codec
from celesta.models import registry
from celesta.models.runtime import Arrays, Network
from celesta.models.torch_runtime import TorchRuntime


class Counted:
    """A network that notes how many rows come at once."""

    def __init__(self, network: Network, rows: list[int]) -> None:
        self.network, self.rows = network, rows

    def run(self, **inputs: np.ndarray | int) -> Arrays:
        self.rows.append(max(len(value) for value in inputs.values() if isinstance(value, np.ndarray)))
        return self.network.run(**inputs)


def counted(codec: Codec, batch: int) -> list[int]:
    rows: list[int] = []
    runtime = codec.network.runtime
    function = runtime.function
    runtime.batch = batch
    runtime.encoder, runtime.decoder = Counted(runtime.encoder, rows), Counted(runtime.decoder, rows)
    runtime.function = lambda name: Counted(function(name), rows) if name == "base" else function(name)  # type: ignore[method-assign]
    return rows


# windows of equal shapes go together: the first and the last have less context, so mono needs four
@pytest.mark.parametrize(("name", "channels", "windows"), [("cel-3", 2, 2.2), ("nested2", 1, 4.2)])
def test_windows_of_one_call_give_what_each_gives_alone(
    name: str, channels: int, windows: float, music, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    codec = celesta.load(name, backend="torch", device="cpu")
    rate, window = codec.model.sample_rate, codec.model.window
    x = Audio(music(round(windows * window), channels=channels, sample_rate=rate, seed=5), rate)
    z = codec.encode(x)
    y = codec.decode(z)
    if codec.network.codes_to_bitrate:
        codec.encode_file(x, tmp_path / "one.cel", kbps=16)
    rows = counted(codec, 4)
    again = codec.encode(x)
    assert max(rows) >= 2
    np.testing.assert_allclose(again.base, z.base, atol=1e-4 * max(1, np.abs(z.base).max()))
    del rows[:]
    np.testing.assert_allclose(codec.decode(z).samples, y.samples, atol=1e-4)
    assert max(rows) >= 2
    stretch = codec.decode(z, start=0.5 * window / rate, stop=1.5 * window / rate).samples
    first = round(0.5 * window / rate * rate)
    np.testing.assert_allclose(stretch, y.samples[:, first : first + stretch.shape[1]], atol=1e-4)
    if codec.network.codes_to_bitrate:
        del rows[:]
        codec.encode_file(x, tmp_path / "four.cel", kbps=16)
        assert max(rows) >= 2
        one, four = (codec.decompress((tmp_path / f"{n}.cel").read_bytes()).samples for n in ("one", "four"))
        assert np.sqrt(np.mean((one - four) ** 2)) < 1e-2 * np.sqrt(np.mean(one**2))  # numbers on the edge of steps


def test_the_cpu_takes_one_window_and_other_devices_take_more() -> None:
    codec = celesta.load("cel-3", backend="torch", device="cpu")
    assert codec.network.windows_at_once(1) == 1
    runtime = TorchRuntime(registry.create("cel-3"), torch.device("meta"))
    assert runtime.batch > 1
