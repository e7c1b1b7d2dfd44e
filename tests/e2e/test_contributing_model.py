"""Item 21: a model is added by the steps of CONTRIBUTING.md alone, touching the files that it names and no other."""

import json
import sys
from pathlib import Path

import numpy as np

from celesta.audio import Audio, read, write

sys.path.insert(0, str(Path(__file__).parent))
import contributing


def test_a_model_is_added_by_the_documented_steps(tmp_path, music):
    steps = contributing.section("Add a model")
    root = contributing.copy(tmp_path / "copy")
    data = tmp_path / "music"
    data.mkdir()
    for i in range(3):
        write(data / f"{i}.wav", Audio(music(70_000, sample_rate=32_000, seed=i), 32_000))
    before = contributing.digests(root)
    golden = json.loads((root / "tests/golden/golden.json").read_text())

    ran = []
    for kind, content in steps.blocks:
        if kind == "python":
            (root / "src/celesta/models/strided.py").write_text(content, encoding="utf-8")
        elif kind == "diff":
            contributing.apply(root, "src/celesta/models/registry.py", content)
        else:
            for command in content.strip().splitlines():
                ran.append(contributing.run(root, command, MUSIC=str(data)))
    assert len(ran) == 6
    assert ran[0].count(".") > 20, "the contract ran"

    assert contributing.changed(before, contributing.digests(root)) == steps.files
    added = json.loads((root / "tests/golden/golden.json").read_text())
    assert {name: added[name] for name in golden} == golden, "no other golden file may change"
    card = (root / "src/celesta/weights/strided.md").read_text()
    assert "One strided convolution each way. Licence of the weights: Apache-2.0." in card
    assert "one window from the middle of each track that training set aside for validation (1)" in card

    assert "strided" in contributing.run(root, "celesta models")
    source = data / "0.wav"
    contributing.run(root, f"celesta encode {source} -m strided -o {tmp_path / 'x.cel'}")
    contributing.run(root, f"celesta decode {tmp_path / 'x.cel'} -o {tmp_path / 'back.wav'}")
    back = read(tmp_path / "back.wav")
    assert back.samples.shape == (1, 70_000)
    assert np.isfinite(back.samples).all()
