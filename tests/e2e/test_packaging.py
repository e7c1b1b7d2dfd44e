"""What a user installs: the wheel's contents and metadata, licences of weights, the cost of an import."""

import email
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from celesta.models.licences import LICENCES
from celesta.models.weights import FOLDER

ROOT = Path(__file__).parents[2]
SUFFIXES = {
    "weights": {".safetensors", ".md", ".json", ".onnx"},
    "clips": {".ogg", ".md"},
    "report": {".py", ".html", ".css", ".js"},
    "variations": {".py", ".json"},  # the sliders' cards
}
LARGE = {"scikit-learn", "matplotlib"}  # of the extra science
TORCH = {"torch", "onnx", "torchaudio", "torchvision"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if importlib.util.find_spec("build") is None:
        pytest.skip("the package build is not installed")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder), str(ROOT)]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    (file,) = folder.glob("*.whl")
    checked = subprocess.run([sys.executable, "-m", "twine", "check", "--strict", file], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return file


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    tracked = subprocess.run(["git", "ls-files", "src/celesta"], cwd=ROOT, capture_output=True, text=True)
    inside = {name for name in names if not name.startswith("celesta-")}
    if tracked.returncode == 0 and tracked.stdout:
        assert inside == {name.removeprefix("src/") for name in tracked.stdout.split("\n") if name}
    assert "celesta/py.typed" in inside
    for name in inside:
        part = name.split("/")[1]
        assert Path(name).suffix in SUFFIXES.get(part, {".py", ".typed", ".html", ".css", ".js", ".svg", ".txt"}), name
    about = {Path(name).name for name in names if name.startswith("celesta-")}
    assert about >= {"METADATA", "LICENSE", "NOTICE", "entry_points.txt"}
    assert wheel.stat().st_size < 100e6


def test_no_user_needs_torch(wheel):
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith("METADATA"))
        metadata = email.message_from_bytes(file.read(name))
    needs = metadata.get_all("Requires-Dist") or []
    core = {need.split(">")[0].split("=")[0].strip() for need in needs if "extra ==" not in need}
    assert not core & (TORCH | LARGE)
    assert "onnxruntime" in core
    assert {"train", "all", "av", "probes", "science", "studio"} <= set(metadata.get_all("Provides-Extra") or [])
    assert any(need.startswith("torch") and "train" in need for need in needs)


def test_every_weights_file_has_a_licence_and_a_card():
    known = {one.file: one for one in LICENCES}
    assert len(known) == len(LICENCES)
    cards = {file.stem for file in FOLDER.glob("*.md")}
    for file in FOLDER.glob("*.safetensors"):
        assert file.name in known, f"{file.name}: add it to celesta.models.licences"
        stem = file.stem
        if not (FOLDER / f"{stem.removesuffix('-bits')}.safetensors").is_file():
            continue  # tables of a codec in training
        assert stem in cards or stem.rpartition("-")[0] in cards, f"{file.name}: no card"
        if not known[file.name].commercial and stem in cards:
            assert "esearch" in (FOLDER / f"{stem}.md").read_text(), f"{stem}: the card does not say research only"


def test_the_import_is_quick_and_warns_of_nothing():
    """At most 150 ms on an idle machine; CPU time counts here, because others may be computing."""
    best = 9.0
    for code in ("pass", "import celesta"):
        times = []
        for _ in range(5):
            before = os.times()
            subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
            after = os.times()
            spent = after.children_user + after.children_system - before.children_user - before.children_system
            times.append(spent)
        best = min(times) - (best if code != "pass" else 0)
    assert best < 0.15
