"""Damage a .cel file and read it in all ways: run as `python _fuzz_cel.py FILE FIRST_SEED COUNT`; see fuzz.py."""

from __future__ import annotations

import json
import resource
import signal
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from celesta.errors import CelestaError
from celesta.latents import CelReader, Latent, verify

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "attacks"))
from audio_mutations import HANG, MEMORY, mutate


def windows(path: Path) -> None:
    """Read every window without the check of the whole file's hash, as a player that seeks does."""
    with CelReader(path) as reader:
        for i in range(len(reader)):
            window = reader.window(i)
            if not (np.isfinite(window.base).all() and np.isfinite(window.values).all()):
                raise ValueError(f"window {i} is not finite")


def main(source: Path, first: int, count: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    data = source.read_bytes()
    seen = {"read": 0, "warned": 0, "refused": 0}
    bad: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "damaged.cel")
        for seed in range(first, first + count):
            print(seed, end=" ", file=sys.stderr, flush=True)
            damaged = mutate(data, seed)
            path.write_bytes(damaged)
            signal.setitimer(signal.ITIMER_PROF, HANG)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for use in (verify, Latent.load, windows):
                    try:
                        use(path)
                        if use is not windows and damaged != data:
                            bad.append(f"seed {seed}: {use.__name__} took a damaged file")
                        seen["read"] += 1
                    except CelestaError as error:
                        seen["refused"] += 1
                        if "\n" in str(error):
                            bad.append(f"seed {seed}: message {error!r}")
                    except Exception as error:
                        bad.append(f"seed {seed}: {use.__name__}: {type(error).__name__}: {error}")
    print(json.dumps({**seen, "bad": bad}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
