"""The 2024 report's classifier: it learns, repeats itself, and keeps held-out songs out."""

import dataclasses

import numpy as np
import pytest
import torch

from celesta.errors import DataError, ModelError, UsageError
from celesta.models import registry
from celesta.models.baselines import SparseConfig
from celesta.models.cel import CelConfig
from celesta.probes import finetune
from celesta.probes import head as heads
from celesta.probes.finetune import NeuralConfig, cut_windows, fine_tune, train_head, window_latents

QUICK = NeuralConfig(hidden=(16,), epochs=12, batch=16, lr=5e-3, crop_seconds=0.1, steps=12, valid_every=4)
TINY = CelConfig(channels=(1, 4, 8), pooled=(1, 2))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def latents(songs=24, windows=3, size=10, seed=0):
    """Windows of songs of two genres that three of ten numbers tell apart: x, labels, songs."""
    rng = np.random.default_rng(seed)
    labels = np.array(["jazz", "rock"])[np.arange(songs) % 2]
    x = rng.standard_normal((songs, windows, size)) + 0.3 * rng.standard_normal((songs, 1, size))
    x[labels == "rock", :, :3] += 2.0
    song = np.repeat(np.arange(songs), windows)
    return x.reshape(-1, size).astype(np.float32), labels[song], song


def sounds(songs=10, seconds=0.35, seed=0):
    """Low and high noisy tones: samples at 22 050 Hz, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.array(["high", "low"])[np.arange(songs) % 2]
    t = np.arange(round(seconds * 22_050)) / 22_050
    made = []
    for label in labels:
        pitch = rng.uniform(100, 300) if label == "low" else rng.uniform(4_000, 7_000)
        made.append((np.sin(2 * np.pi * pitch * t) + 0.1 * rng.standard_normal(len(t))).astype(np.float32) / 2)
    return made, labels


def model():
    torch.manual_seed(0)
    return registry.build(TINY).eval()


def test_head_learns_and_songs_are_means_of_windows():
    x, labels, song = latents()
    head = train_head(x, labels, song, QUICK)
    fresh, truth, songs = latents(seed=1)
    names, probabilities = heads.mean_by_song(head.predict_proba(fresh), songs)
    assert head.classes == ("jazz", "rock")
    assert names.tolist() == list(range(24))
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert np.mean(np.array(head.classes)[probabilities.argmax(axis=1)] == truth[::3]) > 0.9
    assert np.allclose(probabilities[5], head.predict_proba(fresh)[15:18].mean(axis=0))
    assert 1 <= head.facts["epochs"] <= QUICK.epochs


def test_songs_keep_their_order_of_appearance():
    songs, means = heads.mean_by_song(np.array([[0.2, 0.8], [1, 0], [0.4, 0.6]]), np.array(["b", "a", "b"]))
    assert songs.tolist() == ["b", "a"]
    assert np.allclose(means, [[0.3, 0.7], [1, 0]])


def test_same_seed_same_head_and_global_draws_untouched():
    x, labels, song = latents()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    a, b = train_head(x, labels, song, QUICK), train_head(x, labels, song, QUICK)
    assert torch.equal(before, torch.get_rng_state())
    other = train_head(x, labels, song, dataclasses.replace(QUICK, seed=1))
    assert np.array_equal(a.predict_proba(x), b.predict_proba(x))
    assert not np.array_equal(a.predict_proba(x), other.predict_proba(x))


def test_validation_songs_choose_epochs_and_train_nothing_else():
    """Labels of the songs held out for choosing change the number of epochs at most."""
    x, labels, song = latents()
    classes, target = np.unique(labels, return_inverse=True)
    inside, outside = heads.validation_split(target, song, 0.25, 0)
    wrong = target.copy()
    wrong[outside] = 1 - wrong[outside]
    one = dataclasses.replace(QUICK, epochs=1, lr=5e-2)
    right_head = heads.chosen_head(x, target, song, inside, outside, inside, classes, one)
    wrong_head = heads.chosen_head(x, wrong, song, inside, outside, inside, classes, one)
    assert right_head.facts["valid_loss"] < wrong_head.facts["valid_loss"]
    assert np.array_equal(right_head.predict_proba(x), wrong_head.predict_proba(x))
    # Neither mean nor spread sees them.
    assert np.allclose(right_head.mean, x[inside].mean(axis=0), atol=1e-5)


def test_noise_labels_choose_few_epochs():
    """Choosing works: with labels that mean nothing, training longer only makes held-out songs worse."""
    x, labels, song = latents(songs=40)
    drawn = np.random.default_rng(2).permutation(np.array(["jazz", "rock"] * 20))[song]
    long = dataclasses.replace(QUICK, epochs=30)
    assert train_head(x, drawn, song, long).facts["epochs"] < train_head(x, labels, song, long).facts["epochs"]


def test_split_keeps_groups_apart_and_all_classes():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 15, 90)
    target = groups % 3
    for seed in range(5):
        train, valid = heads.validation_split(target, groups, 0.2, seed)
        assert not set(groups[train]) & set(groups[valid])
        assert sorted([*train, *valid]) == list(range(90))
        assert set(target[train]) == {0, 1, 2}


def test_a_class_of_one_song_is_refused():
    x, labels, song = latents()
    labels[:3] = "polka"
    with pytest.raises(DataError, match="two or more songs"):
        train_head(x, labels, song, QUICK)
    with pytest.raises(DataError, match="NaN"):
        train_head(np.where(np.arange(10) == 3, np.nan, x), labels, song, QUICK)
    with pytest.raises(DataError, match="do not fit"):
        train_head(x, labels[:-1], song, QUICK)
    with pytest.raises(UsageError, match="dropout"):
        NeuralConfig(dropout=1.0)


def test_windows_of_another_size_are_refused():
    x, labels, song = latents()
    with pytest.raises(DataError, match="10 numbers"):
        train_head(x, labels, song, QUICK).predict_proba(x[:, :4])


def test_windows_are_scaled_and_pooled_as_the_encoder_sees_them():
    encoder, (songs, _) = model(), sounds()
    windows = cut_windows(encoder, songs[0], 0.1)
    assert windows.shape == (3, 2_205)
    assert np.allclose(np.abs(windows).max(axis=1), 1)
    with torch.no_grad():
        expected = encoder.encode(torch.from_numpy(windows)[:, None]).base.mean(-1)
    assert np.allclose(window_latents(encoder, songs[0], 1, 0.1), expected, atol=1e-5)
    assert window_latents(encoder, songs[0], 3, 0.1, limit=2).shape == (2, 8 * 3)
    assert cut_windows(encoder, songs[0][:500], 0.1).shape == (1, 2_205)
    assert not cut_windows(encoder, np.zeros(3_000, np.int16), 0.1).any()
    assert np.allclose(cut_windows(encoder, (songs[0] * 20_000).astype(np.int16), 0.1), windows, atol=1e-3)


def test_fine_tuning_learns_and_leaves_the_model_alone():
    encoder, (songs, labels) = model(), sounds()
    encoder.prepare()
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    classifier = fine_tune(encoder, songs, labels, QUICK)
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    facts = classifier.facts
    assert facts["steps"] == 12
    assert [step for step, _ in facts["curve"]] == [0, 4, 8, 12]
    assert min(loss for _, loss in facts["curve"]) < facts["curve"][0][1]
    changed = classifier.model.state_dict()["encoder.0.conv.weight"]
    assert not torch.equal(changed, before["encoder.0.conv.weight"])
    fresh, truth = sounds(seed=1)
    probabilities = classifier.predict_proba(fresh)
    assert np.mean(np.array(classifier.classes)[probabilities.argmax(axis=1)] == truth) == 1
    assert np.allclose(probabilities[0], classifier.predict_windows(fresh[0]).mean(axis=0))
    assert np.array_equal(fine_tune(encoder, songs, labels, QUICK).predict_proba(fresh), probabilities)


def test_fine_tuning_never_learns_from_its_validation_songs(monkeypatch):
    songs, labels = sounds()
    _, target = np.unique(labels, return_inverse=True)
    inside, outside = heads.validation_split(target, np.arange(len(songs)), QUICK.valid_share, QUICK.seed)
    swapped = labels.copy()
    swapped[outside] = np.where(labels[outside] == "low", "high", "low")
    assert not np.array_equal(swapped, labels)
    # The split is drawn by the labels too; it is held fast, so that only what is learnt from them could differ.
    for module in (heads, finetune):
        monkeypatch.setattr(module, "validation_split", lambda *_: (inside, outside))
    one = dataclasses.replace(QUICK, epochs=1, steps=0)
    right = fine_tune(model(), songs, labels, one).predict_proba(songs)
    assert np.array_equal(fine_tune(model(), songs, swapped, one).predict_proba(songs), right)


def test_fine_tuning_ends_with_its_seconds_and_refuses_what_it_cannot_do():
    songs, labels = sounds()
    hasty = dataclasses.replace(QUICK, steps=100_000, seconds=0.3)
    facts = fine_tune(model(), songs, labels, hasty).facts
    assert 0 < facts["steps"] < 5_000
    assert facts["seconds"] < 5
    with pytest.raises(ModelError, match="no dense latent"):
        fine_tune(registry.build(SparseConfig(size=64)), songs, labels, QUICK)
    with pytest.raises(DataError, match="do not match"):
        fine_tune(model(), songs, labels[:-1], QUICK)
