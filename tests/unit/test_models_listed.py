"""Everything that lists models reads the table."""

import dataclasses

import pytest
from typer.testing import CliRunner

from celesta.cli.main import app
from celesta.models import baselines, registry
from celesta.models.baseline_info import LinearConfig, LinearInfo
from celesta.models.baselines import LinearBaseline
from celesta.models.registry import Entry, Role


@pytest.fixture
def added(monkeypatch):
    """The table with one entry more."""

    class OtherInfo(LinearInfo):
        kind = "other"

        @dataclasses.dataclass(frozen=True)
        class Config(LinearConfig):
            pass

    class Other(LinearBaseline, OtherInfo):
        kind = "other"
        Config = OtherInfo.Config

    monkeypatch.setattr(baselines, "Other", Other, raising=False)
    entry = Entry("other-8", "baselines.Other", Role.BASELINE, "Another name for linear-8", sized=OtherInfo)
    monkeypatch.setattr(registry, "MODELS", (*registry.MODELS, entry))
    return entry


def test_a_new_entry_is_a_model_everywhere(added):
    """Item 21: no list of names has to be extended."""
    assert added in registry.shipped()
    assert "other-K" in registry.patterns()
    assert registry.entry("other-3").size == 3
    config = registry.configuration("other-3")
    assert registry.config_from_dict(registry.config_to_dict(config)) == config
    shown = CliRunner().invoke(app, ["models"])
    assert "other-8" in shown.output
