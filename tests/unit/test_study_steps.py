"""The study as a library call: protocols of a table, folds that adapt, and a process left as it was."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from celesta import audio
from celesta._device import threads
from celesta.datasets import Track
from celesta.errors import DataError
from celesta.features import FeatureCache
from celesta.probes import protocols
from celesta.probes.finetune import NeuralConfig
from celesta.probes.protocols import Entry
from celesta.probes.splits import Split
from celesta.study import HEADS, finetuned_heads, study


@pytest.fixture
def labelled(tmp_path):
    """Nine low and four high tones in folders of their own."""
    rng = np.random.default_rng(0)
    for i in range(13):
        name, pitch = ("high", 3_000) if i % 3 == 2 else ("low", 200)
        x = 0.3 * np.sin(2 * np.pi * pitch * np.arange(11_025) / 22_050) + 0.05 * rng.standard_normal(11_025)
        path = tmp_path / "music" / name / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.write(path, x[None].astype(np.float32), 22_050)
    return tmp_path / "music"


@pytest.fixture(autouse=True)
def one_more_probe(monkeypatch):
    """One probe besides the chosen one is enough here, and an MLP takes seconds."""
    monkeypatch.setitem(protocols.PROTOCOLS, "folder", replace(protocols.PROTOCOLS["folder"], probes=("lr",)))


def run(folder, tmp_path, **options):
    options = {"features": ("handcrafted",), "seeds": (0,), "classifier": (), "workers": 1} | options
    return study([folder], cache=tmp_path / "cache", **options)


def test_threads_draws_and_warnings_stay_as_they_were(labelled, tmp_path):
    """Item 3 of the list of faults: a study, also one that fails, leaves the state of the process alone."""
    own, draws, filters = torch.get_num_threads(), torch.get_rng_state(), list(warnings.filters)
    torch.set_num_threads(2)
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    try:
        run(labelled, tmp_path)
        assert torch.get_num_threads() == 2
        for path in (labelled / "low").iterdir():
            path.unlink()
        with pytest.raises(DataError):
            run(labelled, tmp_path)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(own)
    assert torch.equal(torch.get_rng_state(), draws)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert warnings.filters == filters


def test_threads_are_restored_after_an_error():
    before = torch.get_num_threads()

    @threads(before + 1)
    def fail():
        assert torch.get_num_threads() == before + 1
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert torch.get_num_threads() == before


def test_folds_adapt_or_are_refused(labelled, tmp_path):
    """Item 25 of the list of faults: a class of four songs is probed by four folds, which the result says."""
    made = run(labelled, tmp_path)
    assert len(made.results[0].task.splits) == 4
    assert "4 instead of 5" in made.to_dict()["about"]["protocols"]["folder"]["about"]
    assert {r.probe for r in made.results} == {"chosen", "lr"}
    assert len(run(labelled, tmp_path, folds=2).results[0].task.splits) == 2
    with pytest.raises(DataError, match=r"'high' has 4 groups .*fewer than 6 folds; take fewer folds \(--folds 4\)"):
        run(labelled, tmp_path, folds=6)


def test_a_new_protocol_is_one_entry(labelled, tmp_path, monkeypatch):
    def halves(tracks, seeds, folds):
        return replace(protocols.folder(tracks, seeds, 2), name="halves")

    monkeypatch.setitem(protocols.PROTOCOLS, "halves", Entry(halves, lambda tracks: True, ("svm",)))
    monkeypatch.delitem(protocols.PROTOCOLS, "folder")
    made = run(labelled, tmp_path)
    assert {(r.task.name, r.probe) for r in made.results} == {("halves", "chosen"), ("halves", "svm")}


def test_tracks_of_other_sets_do_not_join_a_folder(tmp_path):
    tracks = [Track(tmp_path / f"{i}.wav", str(i), "gtzan", str(i), "x") for i in range(9)]
    with pytest.raises(DataError, match="no track has a label"):
        protocols.folder(tracks)


def test_the_2024_report_s_classifier_is_trained_once(tmp_path, need_weights):
    """Both ways of the classifier on tiny songs: probabilities, threads restored (item 3), the second run cached."""
    need_weights("cel-lr")
    rng = np.random.default_rng(0)
    paths, labels = [], np.array(["low", "high"] * 4)
    for i, label in enumerate(labels):
        pitch = 200 if label == "low" else 3_000
        x = 0.3 * np.sin(2 * np.pi * pitch * np.arange(11_025) / 22_050) + 0.05 * rng.standard_normal(11_025)
        paths.append(tmp_path / f"{i}.wav")
        audio.write(paths[-1], x[None].astype(np.float32), 22_050)
    tracks = [Track(path, path.stem, "gtzan", path.stem, label) for path, label in zip(paths, labels, strict=True)]
    groups = np.array([t.group for t in tracks])
    protocol = protocols.Protocol(
        "P4", labels, ("high", "low"), groups, [Split(np.arange(6), np.arange(6, 8))], "accuracy", tracks=tracks
    )
    config = NeuralConfig(
        hidden=(8,), epochs=3, steps=2, tune_batch=2, valid_every=1, crop_seconds=0.3, tune_seconds=0.2
    )
    cache, said = FeatureCache(tmp_path / "cache"), []
    with threads(2):
        first = finetuned_heads.results(protocol, ["cel-lr"], cache, 1, said.append, config)
        assert torch.get_num_threads() == 2
        again = finetuned_heads.results(protocol, ["cel-lr"], cache, 1, said.append, config)
    assert [result.probe for result in first] == list(HEADS)
    assert said == ["the 2024 report's classifier on cel-lr"]
    for one, other in zip(first, again, strict=True):
        assert one.probabilities.shape == (1, 2, 2)
        assert np.allclose(one.probabilities.sum(-1), 1)
        assert np.array_equal(one.probabilities, other.probabilities)
