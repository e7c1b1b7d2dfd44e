"""Names, near misses, and configurations as plain dictionaries."""

from __future__ import annotations

import json

import pytest

from celesta.errors import ModelError
from celesta.models.baselines import LinearBaseline, PcaBaseline, SparseBaseline
from celesta.models.cel import CEL_3, CelAutoencoder
from celesta.models.registry import (
    Role,
    build,
    config_from_dict,
    config_to_dict,
    configuration,
    create,
    entry,
    patterns,
    shipped,
)
from celesta.training.objectives import OBJECTIVES

NAMES = (*(one.name for one in shipped()), "linear-1", "linear-512", "sparse-2", "sparse-1024", "pca-1")


def test_names_are_unique_and_each_role_has_a_model() -> None:
    assert len({one.name for one in shipped()}) == len(shipped())
    assert {one.role for one in shipped()} == set(Role)
    assert [one for role in Role for one in shipped(role)] == list(shipped()), "lists show them by role"
    assert set(patterns()) == {f"{one.model.kind}-K" for one in shipped() if one.sized}


@pytest.mark.parametrize("one", shipped(), ids=lambda one: one.name)
def test_an_entry_is_complete(one) -> None:
    """Item 21: whatever a list, a card or a help text needs is in the table."""
    assert entry(one.name) is one
    assert type(one.config) is one.model.Config
    assert one.description
    assert "\n" not in one.description
    assert not one.description.endswith(".")
    assert one.objective in OBJECTIVES
    assert bool(one.weights) == bool(one.weights_licence) == one.needs_weights
    if one.weights_file is not None and one.weights_file.is_file():
        assert one.weights_file.with_suffix(".md").is_file(), "weights without a card"


def test_a_size_that_does_not_ship_shares_the_rest_of_the_entry() -> None:
    found = entry("pca-7")
    assert (found.name, found.size, found.weights) == ("pca-7", 7, "pca-64.safetensors")
    assert found.config == configuration("pca-7") != configuration("pca-64")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("cel-3", CelAutoencoder), ("linear-7", LinearBaseline), ("sparse-8", SparseBaseline), ("pca-9", PcaBaseline)],
)
def test_create_gives_the_model_of_the_name(name: str, kind: type) -> None:
    model = create(name)
    assert type(model) is kind
    assert model.config == configuration(name)


def test_every_call_creates_a_new_model() -> None:
    assert create("linear-4") is not create("linear-4")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cel-sliu", "cel-silu"),
        ("CEL-LR", "cel-lr"),
        ("cel-4", "cel-"),
        ("linear", "linear-64"),
        ("liner-64", "linear-64"),
        ("linear-064", "linear-64"),
        ("linear-6.4", "linear-64"),
        ("linear-0", "linear-64"),
        ("pca--3", "pca-64"),
        ("linear-64\n", "linear-64"),
        ("linear-٣", "linear-64"),
        ("os.system", "cel-lr, cel-silu"),
        ("", "cel-lr, cel-silu"),
        ("linear-513", "1..512"),
        ("linear-999999", "1..512"),
        ("linear-" + "9" * 5000, "linear-64"),
        ("pca-513", "1..512"),
        ("sparse-7", "even"),
        ("sparse-1026", "2..1024"),
    ],
)
def test_other_names_are_refused_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(ModelError) as caught:
        create(name)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_configurations_survive_json(name: str) -> None:
    config = configuration(name)
    again = config_from_dict(json.loads(json.dumps(config_to_dict(config))))
    assert again == config
    assert type(again) is type(config)


def test_built_from_a_dictionary_is_the_same_model() -> None:
    model = build(config_from_dict(config_to_dict(CEL_3)))
    assert {k: v.shape for k, v in model.state_dict().items()} == {
        k: v.shape for k, v in create("cel-3").state_dict().items()
    }


def test_keys_left_out_take_their_defaults() -> None:
    assert config_from_dict({"kind": "cel"}) == configuration("cel-lr")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({}, "kind"),
        ({"kind": "torch.nn.Linear"}, "kind"),
        ({"kind": ["cel"]}, "kind"),
        ({"kind": "linear"}, "size is missing"),
        ({"kind": "linear", "size": 8, "colour": 1}, "colour"),
        ({"kind": "linear", "size": "8"}, "must be int"),
        ({"kind": "linear", "size": 8.0}, "must be int"),
        ({"kind": "linear", "size": True}, "must be int"),
        ({"kind": "linear", "size": None}, "must be int"),
        ({"kind": "linear", "size": 0}, "1..512"),
        ({"kind": "sparse", "size": 3}, "even"),
        ({"kind": "cel", "pooled": 3}, "must be a list"),
        ({"kind": "cel", "pooled": [1, "2"]}, r"pooled\[1\]"),
        ({"kind": "cel", "activation": 1}, "must be str"),
        ({"kind": "cel", "step": 1}, "step"),
    ],
)
def test_wrong_dictionaries_are_refused(data: dict[str, object], fault: str) -> None:
    with pytest.raises(ModelError, match=fault):
        config_from_dict(data)
