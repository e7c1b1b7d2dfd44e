"""Crops of .cel files for PyTorch."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import celesta
from celesta.audio import Audio
from celesta.errors import DataError, LatentError, UsageError
from celesta.latents import Latent
from celesta.training.latent_dataset import LatentDataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory, music):
    made = tmp_path_factory.mktemp("latents")
    codec = celesta.load("linear-8")
    for i, n in enumerate((300_000, 150_000, 9_000)):
        codec.encode_file(Audio(music(n, 2, sample_rate=22_050, seed=i), 22_050), made / f"{i}.cel", dtype="float32")
    return made


def test_crops_are_stretches_of_the_latent(folder):
    data = LatentDataset([folder], frames=60, labels=[0, 1, 2])
    assert (len(data), data.latent_dim, data.model) == (3, 8, "linear-8")
    whole = Latent.load(folder / "0.cel").timeline()[0]
    for epoch in range(4):
        data.set_epoch(epoch)
        crop = data[0]["base"].numpy()
        assert any(
            np.array_equal(crop, channel[:, i : i + 60]) for channel in whole for i in range(channel.shape[1] - 59)
        )


def test_crops_are_a_function_of_seed_epoch_and_index(folder):
    one, other = LatentDataset([folder], 30, seed=1), LatentDataset([folder], 30, seed=1)
    assert torch.equal(one[0]["base"], other[0]["base"])
    other.set_epoch(1)
    assert not torch.equal(one[0]["base"], other[0]["base"])
    fixed = LatentDataset([folder], 30, whole=True)
    before = fixed[0]["base"]
    fixed.set_epoch(5)
    assert torch.equal(before, fixed[0]["base"])


def test_short_songs_are_padded_and_counted(folder):
    item = LatentDataset([folder], 60)[2]
    assert item["frames"] == 18
    assert item["base"].shape == (8, 60)
    assert not item["base"][:, 18:].any()
    assert "label" not in item


def test_a_loader_with_workers_joins_them(folder):
    data = LatentDataset([folder], 60, labels=[0, 1, 2])
    loader = DataLoader(data, batch_size=3, collate_fn=LatentDataset.collate, num_workers=1)
    (batch,) = list(loader)
    assert batch["base"].shape == (3, 8, 60)
    assert batch["label"].tolist() == [0, 1, 2]
    assert batch["frames"].tolist() == [60, 60, 18]


def test_what_cannot_be_trained_on_is_one_line(folder, tmp_path, music):
    with pytest.raises(LatentError, match=r"no \.cel file"):
        LatentDataset([tmp_path], 10)
    with pytest.raises(DataError, match=r"no \.cel files"):
        LatentDataset([], 10)
    with pytest.raises(UsageError, match="labels"):
        LatentDataset([folder], 10, labels=[1])
    celesta.load("sparse-8").encode_file(Audio(music(9_000, sample_rate=22_050), 22_050), tmp_path / "s.cel")
    with pytest.raises(DataError, match="no dense base"):
        LatentDataset([tmp_path], 10)
    with pytest.raises(DataError, match="several models"):
        LatentDataset([tmp_path, folder], 10)
