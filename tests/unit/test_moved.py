"""Import paths of earlier versions work, and say where the names are now."""

import importlib
import sys
from pathlib import Path

import pytest

import celesta

OLD = (
    ("celfile", "CelReader", "latents"),
    ("classify", "Predictor", "predict"),
    ("cluster", "cluster", "probes.clustering"),
    ("codec.rate_control", "quality_step", "latents.rate_control"),
    ("coding", "fit_tables", "evaluation.latent_coder"),
    ("evaluate", "reconstruct", "evaluation.reconstruction"),
    ("grid", "cut", "codec.windowing"),
    ("hearing", "SongPredictor", "predict.song"),
    ("latent", "Latent", "latents"),
    ("losses", "MelDistance", "training.losses"),
    ("metrics", "si_sdr", "dsp.metrics"),
    ("rate", "RatePoint", "evaluation.rate_distortion"),
    ("scalable", "Target", "codec.bitrate"),
    ("transform", "gain", "variations"),
)
"""Former modules, a name of each, and where it is now."""


@pytest.mark.parametrize(("old", "name", "new"), OLD)
def test_old_modules_work_and_warn(old, name, new):
    sys.modules.pop(f"celesta.{old}", None)
    with pytest.warns(DeprecationWarning, match=rf"^celesta.{old} has moved; import celesta.{new} instead$") as caught:
        module = importlib.import_module(f"celesta.{old}")
    assert getattr(module, name) is getattr(importlib.import_module(f"celesta.{new}"), name)
    assert caught[0].filename == __file__


def test_every_old_module_is_tested():
    files = (Path(celesta.__file__).parent / "_moved").glob("*.py")
    assert sorted(file.stem for file in files) == [old for old, *_ in OLD if "." not in old]
