"""The main verbs and the Python API where torch cannot be imported; .ci/run does the same where it is not installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from celesta.models.weights import FOLDER

BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""
WORK = """
import numpy as np, celesta
from celesta.cli.main import app
from celesta.models import registry
from typer.testing import CliRunner

song, folder = sys.argv[1:]

def run(*words):
    made = CliRunner().invoke(app, [str(w) for w in words])
    return made.exit_code, made.output

def done(*words):
    code, text = run(*words)
    assert code == 0, (words, text)
    return text

x = celesta.read(song)
for entry in registry.shipped():
    codec = celesta.load(entry.name)
    back = codec.decode(codec.encode(celesta.Audio(x.samples[:1, :70_000], x.sample_rate)))
    assert back.samples.shape == (1, 70_000) and np.isfinite(back.samples).all(), entry.name
done("encode", song, "--kbps", 12, "-o", f"{folder}/a.cel")
done("decode", f"{folder}/a.cel", "-o", f"{folder}/a.wav")
done("truncate", f"{folder}/a.cel", "--kbps", 4, "-o", f"{folder}/b.cel")
done("transform", f"{folder}/a.cel", "--gain", 0.5, "-o", f"{folder}/t")
done("verify", f"{folder}/b.cel")
done("library", "add", folder, "--library", f"{folder}/l.db")
assert "a.wav" in done("similar", song, "--library", f"{folder}/l.db")
assert "reggae" in done("classify", "predict", song)
assert "nested" in done("models")
for verb in (("train", "-m", "cel-3", "--data", folder, "-o", f"{folder}/run"), ("study", "--data", folder),
             ("export", "cel-3", "-o", f"{folder}/e")):
    code, text = run(*verb)
    assert code and "needs PyTorch, the extra [train]; pip install 'celesta[train]'" in " ".join(text.split()), text
    assert "Traceback" not in text
from celesta.features.registry import extractor
for name in ("celesta-ssl", "musicnn-msd", "handcrafted", "rhythm", "latent:cel-3"):
    one = extractor(name)
    samples = celesta.audio.resample(x.samples[:1, :200_000], x.sample_rate, one.sample_rate)[0]
    assert all(np.isfinite(a).all() for a in one.measure(samples).values()), name
assert not any(name.partition(".")[0] == "torch" for name in sys.modules)
"""


def test_what_a_user_does_needs_no_torch(tmp_path):
    song = tmp_path / "song.ogg"
    song.write_bytes((FOLDER.parent / "clips" / "reggae.ogg").read_bytes())
    made = subprocess.run(
        [sys.executable, "-c", BLOCK + WORK, str(song), str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert made.returncode == 0, made.stdout + made.stderr


@pytest.mark.parametrize("module", ["celesta", "celesta.cli.main", "celesta.codec", "celesta.models.registry"])
def test_importing_does_not_import_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code]).returncode == 0


def test_the_process_that_encodes_does_not_import_torch(tmp_path):
    """Importing torch takes longer than encoding a song."""
    code = (
        "import sys, celesta; from celesta import _device; _device._may_have_gpu = lambda: False;"
        f"celesta.load('cel-3').encode({str(Path(FOLDER.parent / 'clips' / 'rock.ogg'))!r}, mono=True);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
