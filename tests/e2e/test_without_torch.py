"""The verbs and the Python API where torch, scikit-learn and matplotlib cannot be imported; .ci/run does the same
where torch is not installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from celesta.models.weights import FOLDER

VERBS = Path(__file__).parents[1] / "core" / "verbs.py"
BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx", "sklearn", "matplotlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""


def test_what_a_user_does_needs_no_torch(tmp_path):
    made = subprocess.run(
        [sys.executable, "-c", BLOCK + VERBS.read_text(), str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert made.returncode == 0, made.stdout + made.stderr


@pytest.mark.parametrize(
    "module", ["celesta", "celesta.cli.main", "celesta.codec", "celesta.models.registry", "celesta.library"]
)
def test_importing_does_not_import_what_takes_long(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'scipy.signal' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code]).returncode == 0


def test_the_process_that_encodes_does_not_import_torch(tmp_path):
    """Importing torch takes longer than encoding a song."""
    code = (
        "import sys, celesta; from celesta import _device; _device._may_have_gpu = lambda: False;"
        f"celesta.load('cel-3').encode({str(Path(FOLDER.parent / 'clips' / 'rock.ogg'))!r}, mono=True);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
