"""Everything that lists models reads the table."""

import dataclasses

import pytest
from typer.testing import CliRunner

from celesta.cli.main import app
from celesta.models import registry
from celesta.models.baselines import LinearBaseline, LinearConfig
from celesta.models.registry import Entry, Role


@pytest.fixture
def added(monkeypatch):
    """The table with one entry more."""

    class Other(LinearBaseline):
        kind = "other"

        @dataclasses.dataclass(frozen=True)
        class Config(LinearConfig):
            pass

    entry = Entry("other-8", Other, Other.Config(8), Role.BASELINE, "Another name for linear-8", sized=True)
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
